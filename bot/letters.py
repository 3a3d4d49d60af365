"""A note of the outbox on its way: what was said in it, where it goes, how much of it has arrived."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlmodel import Session

from connectors.speaking import Button, Mouth
from core.events import AccountRef
from core.mail.tables import OutboxNote
from core.people import persons


class Said(Protocol):
    """What rendering a note gives (the dialogue's Reply is one)."""

    @property
    def text(self) -> str:
        """The words."""

    @property
    def buttons(self) -> Sequence[Button]:
        """The choices under them."""

    @property
    def picture(self) -> str | None:
        """The name of the picture that goes with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A note on its way: its parts, and how many of them have arrived already."""

    note_id: int
    to: AccountRef
    mouth: Mouth
    parts: Sequence[str]
    buttons: Sequence[Button]
    sent: int
    attempts: int
    first_at: datetime
    has_picture: bool


def address_of(tx: Session, note: OutboxNote) -> AccountRef | None:
    """Where a note goes: to its account, to where it was sent before, or to where the person last spoke."""
    if note.platform is not None and note.account_id is not None:
        return AccountRef(platform=note.platform, account_id=note.account_id)
    if note.sent_to is not None:
        platform, _, account_id = note.sent_to.partition(":")
        return AccountRef(platform=platform, account_id=account_id)
    if note.person_id is None:
        return None
    account = persons.spoken_account(tx, note.person_id)
    return persons.ref(account) if account else None
