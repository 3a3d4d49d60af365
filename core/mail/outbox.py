"""The outbox: what the hub has to say, each thing once, delivered later and as often as it takes to arrive.

Row first, platform second, note third: a note is `sending` in the database before a platform is asked, so that
after a crash it is known which one may or may not have arrived.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session, SQLModel, col, select

from core.database import insert_once
from core.events import AccountRef
from core.mail.tables import OutboxNote

_outbox = SQLModel.metadata.tables["outbox"]

UNKNOWN = "unknown whether it arrived"
"""Why a note is given up that must not be said twice and may have been said once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxCounts:
    """How many notes are in which state."""

    waiting: int
    sending: int
    sent: int
    failed: int


def put(
    tx: Session,
    *,
    kind: str,
    source: str,
    at: datetime,
    person_id: int | None = None,
    to: AccountRef | None = None,
    text: str | None = None,
    buttons: Sequence[tuple[str, str]] = (),
    picture: str | None = None,
) -> bool:
    """Put a note into the outbox; False: the same (kind and source) was said before, nothing changes.

    It goes ``to`` an account, else to where the person last spoke. Without ``text`` it is rendered from kind and
    source when it is sent. ``buttons`` are pairs of label and text; ``picture`` names the picture that goes with the
    text, if one does (see `OutboxNote`). ValueError if it is for nobody.
    """
    if to is None and person_id is None:
        raise ValueError("a note needs a person or an account to go to")
    return insert_once(
        tx,
        OutboxNote,
        {
            "kind": kind,
            "source": source,
            "person_id": person_id,
            "platform": to.platform if to else None,
            "account_id": to.account_id if to else None,
            "text": text,
            "buttons": written(buttons),
            "picture": picture,
            "state": "waiting",
            "attempts": 0,
            "next_at": at,
            "created_at": at,
            "parts_sent": 0,
        },
    )


def written(buttons: Iterable[tuple[str, str]]) -> str | None:
    """Buttons as the column keeps them."""
    pairs = [list(pair) for pair in buttons]
    return json.dumps(pairs) if pairs else None


def buttons_of(note: OutboxNote) -> list[tuple[str, str]]:
    """The note's buttons as pairs of label and text."""
    return [(label, text) for label, text in json.loads(note.buttons or "[]")]


def due(tx: Session, at: datetime, limit: int) -> list[int]:
    """The notes whose time has come, by their ids, the longest waiting first."""
    query = (
        sa.select(_outbox.c.id)
        .where(_outbox.c.state == "waiting", _outbox.c.next_at <= at)
        .order_by(_outbox.c.next_at, _outbox.c.id)
        .limit(limit)
    )
    return list(tx.connection().execute(query).scalars())


def claim(tx: Session, note_id: int, at: datetime) -> OutboxNote | None:
    """One note that is due, for this sender alone until ``tx`` ends; None: somebody else has it, or it is done.

    Mark it (`mark_sending`, `mark_failed`) in the same transaction.
    """
    query = select(OutboxNote).where(
        OutboxNote.id == note_id, OutboxNote.state == "waiting", col(OutboxNote.next_at) <= at
    )
    return tx.exec(query.with_for_update(skip_locked=True)).one_or_none()


def mark_sending(tx: Session, note: OutboxNote, *, to: AccountRef, at: datetime) -> None:
    """Note that a platform is about to be asked; commit this before asking."""
    note.state = "sending"
    note.sent_to = str(to)
    note.attempts += 1
    note.first_at = note.first_at or at
    tx.add(note)
    tx.flush()


def mark_part(tx: Session, note_id: int, parts_sent: int) -> None:
    """Note that so many parts of a long note arrived."""
    _change(tx, note_id, parts_sent=parts_sent)


def mark_sent(tx: Session, note_id: int, at: datetime) -> None:
    """Note that all of it arrived."""
    _change(tx, note_id, state="sent", sent_at=at, error=None)


def mark_failed(tx: Session, note_id: int, error: str, *, final: bool, next_at: datetime) -> None:
    """Note that it did not arrive: given up if ``final``, else due again at ``next_at``."""
    _change(tx, note_id, state="failed" if final else "waiting", error=error[:200], next_at=next_at)


def recover(tx: Session, remembering: Iterable[str], at: datetime) -> tuple[int, int]:
    """After a crash: what becomes of notes that were being sent; how many go out again, how many are given up.

    A platform among ``remembering`` shows a message once however often it is sent under the same key, so asking
    again is safe. Of the others nobody knows whether it arrived, and it is never said twice.
    """
    sending = _outbox.c.state == "sending"
    safe = sa.or_(sa.false(), *(_outbox.c.sent_to.startswith(f"{name}:", autoescape=True) for name in remembering))
    run = tx.connection().execute
    again = run(sa.update(_outbox).where(sending, safe).values(state="waiting", next_at=at)).rowcount
    given_up = run(sa.update(_outbox).where(sending).values(state="failed", error=UNKNOWN)).rowcount
    return again, given_up


def retry(tx: Session, ids: Iterable[int], at: datetime) -> int:
    """Let notes that were given up be tried again from now on (an operator's decision); how many that were."""
    change = (
        sa.update(_outbox)
        .where(_outbox.c.id.in_(list(ids)), _outbox.c.state == "failed")
        .values(state="waiting", next_at=at, first_at=None, error=None)
    )
    return tx.connection().execute(change).rowcount


def listing(tx: Session, state: str | None = None, limit: int = 50) -> list[OutboxNote]:
    """The latest notes (of one state), newest first."""
    query = select(OutboxNote).order_by(col(OutboxNote.id).desc()).limit(limit)
    if state is not None:
        query = query.where(OutboxNote.state == state)
    return list(tx.exec(query))


def counts(tx: Session) -> OutboxCounts:
    """How many notes are in which state."""
    query = sa.select(_outbox.c.state, sa.func.count().label("number")).group_by(_outbox.c.state)
    of = {row.state: row.number for row in tx.connection().execute(query)}
    return OutboxCounts(
        waiting=of.get("waiting", 0),
        sending=of.get("sending", 0),
        sent=of.get("sent", 0),
        failed=of.get("failed", 0),
    )


def purge(tx: Session, before: datetime) -> int:
    """Forget what was said in notes that arrived before this time; that they were said stays."""
    change = (
        sa.update(_outbox)
        .where(_outbox.c.state == "sent", _outbox.c.sent_at < before, _outbox.c.text.is_not(None))
        .values(text=None, buttons=None)
    )
    return tx.connection().execute(change).rowcount


def _change(tx: Session, note_id: int, **values: object) -> None:
    tx.connection().execute(sa.update(_outbox).where(_outbox.c.id == note_id).values(**values))
