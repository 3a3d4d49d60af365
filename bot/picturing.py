"""Makes the picture that goes with a note, when the note is sent, from what is true by then."""

from __future__ import annotations

from sqlmodel import Session

from bot.talk import Talk
from connectors.speaking import Picture
from core.mail.tables import OutboxNote
from core.months import statements
from core.months.tables import Statement


def name_of(found: statements.PatronStatement) -> str | None:
    """What a reply calls the picture of a statement; None: there is nothing to see."""
    return f"statement:{found.id}" if found.charge_micros and found.shares else None


def picture(tx: Session, talk: Talk, note: OutboxNote) -> Picture | None:
    """The picture that a note names; None if there is none, or nobody here can draw."""
    kind, _, number = (note.picture or "").partition(":")
    if talk.picture is None or kind != "statement" or not number.isdecimal():
        return None
    row = tx.get(Statement, int(number))
    if row is None:
        return None
    found = statements.patron_statement(tx, talk.rules, row.patron_id, row.month, note.created_at)
    return talk.picture(found) if found is not None else None
