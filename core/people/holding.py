"""Keeps the months' stages still while it changes who is who and who can be paid."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from core.months import stages
from core.months.tables import Month


def hold_months(tx: Session, at: datetime, held: Sequence[str] = ("open",)) -> list[int]:
    """Let no month of these stages go on to its next one until this transaction ends; which months these are.

    Call it before anything is read or locked that the start of a review judges too. Without it PostgreSQL lets a
    review begin half-way: a claim would find a month open whose review does not see the claim yet.
    """
    stages.open_month(tx, at)
    tx.flush()
    query = select(Month).where(col(Month.stage).in_(held)).order_by(col(Month.id)).with_for_update(read=True)
    return [month.id for month in tx.exec(query.execution_options(populate_existing=True)).all()]
