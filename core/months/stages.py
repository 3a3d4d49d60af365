"""The months themselves: which exist, at which stage each is, and which one takes a like."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session, col, select

from core.database import insert_once
from core.months.tables import Month
from core.periods import month_of

STAGES = ("open", "review", "closed", "collecting", "settled")
"""In this order, never back. closed: the shares are fixed; collecting: cards are being charged."""


def ensure_month(tx: Session, month: int) -> None:
    """Make the month's row, open, if it is missing."""
    if tx.get(Month, month) is None:
        insert_once(tx, Month, {"id": month, "stage": "open"})


def open_month(tx: Session, at: datetime) -> int:
    """The month that is open at a time: the calendar's own."""
    month = month_of(at)
    ensure_month(tx, month)
    return month


def month_taking(tx: Session, at: datetime, received_at: datetime) -> int:
    """The month for which a like counts: its own while that takes likes, else the one open when it was received.

    The row stays locked for reading, so that its review cannot begin before this transaction is done: without
    that, PostgreSQL lost likes that were recorded while the month was being closed.
    """
    month, current = month_of(at), month_of(received_at)
    ensure_month(tx, current)
    for candidate in (month, current):
        row = tx.get(Month, candidate, with_for_update={"read": True}, populate_existing=True)
        if row is not None and row.stage == "open":
            return candidate
    # The clock of this process is behind: somebody else has already closed its month.
    later = tx.exec(
        select(Month).where(Month.stage == "open", Month.id > current).order_by(col(Month.id)).limit(1)
    ).first()
    if later is not None:
        return later.id
    ensure_month(tx, current + 1)
    return current + 1


def reviewing(tx: Session) -> Month | None:
    """The latest month under review, if there is one."""
    query = select(Month).where(Month.stage == "review").order_by(col(Month.id).desc()).limit(1)
    return tx.exec(query).first()


def months(tx: Session) -> list[Month]:
    """All months, the latest first."""
    return list(tx.exec(select(Month).order_by(col(Month.id).desc())).all())
