"""Statements that a try did not collect, and of which their patron may confirm or pay now what is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from core.months.tables import Charge, Statement
from core.people import cards, persons


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpaid:
    """One such statement; ``reason``: why the last try came to nothing, '' if the processor did not say or it was
    tried with another card than the present one."""

    statement_id: int
    month: int
    amount_micros: int
    reason: str
    next_attempt_at: datetime | None


def of(tx: Session, person_id: int) -> Sequence[Unpaid]:
    """Those of this human, the oldest month first; not what is given up: nobody is asked for that any more."""
    rows = tx.exec(
        select(Statement)
        .where(
            col(Statement.patron_id).in_(persons.merged_ids(tx, person_id)),
            Statement.state == "due",
            col(Statement.ends_as).is_(None),
            col(Statement.attempts) > 0,
        )
        .order_by(col(Statement.month), col(Statement.id))
    ).all()
    return [_unpaid(tx, row) for row in rows]


def _unpaid(tx: Session, row: Statement) -> Unpaid:
    assert row.id is not None
    declined = select(Charge).where(Charge.statement_id == row.id, Charge.state == "declined")
    last = tx.exec(declined.order_by(col(Charge.attempt).desc()).limit(1)).first()
    # What was wrong with a card that is not on file any more is no reason to look for it at the present one.
    card = cards.card_of(tx, persons.root_id(tx, row.patron_id))
    reason = last.reason if last is not None and (card is None or last.card_reference == card.reference) else None
    return Unpaid(
        statement_id=row.id,
        month=row.month,
        amount_micros=row.charge_micros,
        reason=(reason or "").strip().rstrip("."),
        next_attempt_at=row.next_attempt_at,
    )
