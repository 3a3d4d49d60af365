"""Whether a like counts at all: who made it, when, where, and whose thing it is (money.md, "Never counted")."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session

from core import reactions
from core.events import RoomRef
from core.people import preferences
from core.people.tables import Account, Room


def why_not(tx: Session, account: Account, at: datetime, author_id: int | None) -> str | None:
    """Why a member's like does not count, in a word (before_link, paused, ignored); None if it does.

    Own things are judged when the month closes, so that a link made later counts too.
    """
    if account.linked_at and at < account.linked_at.replace(microsecond=0):
        return "before_link"  # platforms give whole seconds, so the second of the link still counts
    assert account.person_id is not None
    if preferences.paused(tx, account.person_id, account.platform):
        return "paused"
    if author_id is not None and preferences.ignored(tx, account.person_id, author_id):
        return "ignored"
    return None


def is_own(tx: Session, account: Account, author_id: int | None) -> bool:
    """Whether the author is the liker, as things stand when the like is recorded; closing the month looks again."""
    if author_id is None:
        return False
    return author_id == account.id or tx.get_one(Account, author_id).person_id == account.person_id


def in_room(tx: Session, room: RoomRef | None, reaction: str) -> bool:
    """Whether this reaction is a like in this room; a private one counts only once its admin has switched us on."""
    row = tx.get(Room, (room.platform, room.room_id)) if room else None
    if row is not None and not row.enabled:
        return False
    if room is not None and room.private and row is None:
        return False
    return reactions.counts(reaction, row.emoji if row else None)
