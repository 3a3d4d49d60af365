"""Chooses which payouts are sent now: those that may be under way already, then what the available money covers."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import col

from core.database import Database
from core.months.tables import Payout, PayoutRun
from core.payments.gateway import Gateway
from core.rules import Rules

OVERTAKEN = timedelta(days=3)
"""How long a payout that more money has to arrive for lets smaller ones, reserved after it, go first."""

WAITS = "waits until the processor has enough available money"
"""Why a payout was not asked for yet."""


def unanswered(db: Database, rules: Rules, gateway: Gateway, at: datetime) -> list[int]:
    """The payouts that may have been asked for, so that the processor may have sent them."""
    with db.reading() as tx:
        query = sa.select(col(Payout.id)).where(*due(at), col(Payout.calls) > 0).order_by(col(Payout.id))
        return list(tx.execute(query).scalars())


def affordable(db: Database, rules: Rules, gateway: Gateway, at: datetime) -> list[int]:
    """The payouts that the processor's available balance covers, in the order in which they were reserved.

    A smaller one may go before a larger one that the money does not suffice for yet: otherwise one large payout would
    stop everybody. But only for some days: after these what arrives is kept for the one that waits, or it could be
    overtaken for ever.
    """
    with db.reading() as tx:
        fresh = tx.execute(
            sa.select(col(Payout.id), col(Payout.amount_micros), col(PayoutRun.started_at))
            .join(PayoutRun, col(PayoutRun.id) == col(Payout.run_id))
            .where(*due(at), col(Payout.calls) == 0)
            .order_by(col(Payout.id))
        ).all()
    available = gateway.available_minor(rules.money.code) if fresh else None
    if available is None:
        return []
    left, chosen, wait = available * rules.money.minor_micros, [], []
    for payout_id, amount_micros, since in fresh:
        if amount_micros <= left:
            left -= amount_micros
            chosen.append(payout_id)
            continue
        wait.append(payout_id)
        if at - since > OVERTAKEN:
            left = 0
    if wait:
        with db.transaction() as tx:
            put_off = sa.update(Payout).where(col(Payout.id).in_(wait), col(Payout.state) == "asked")
            tx.execute(put_off.values(reason=WAITS, asked_at=at + rules.retry_unknown))
    return chosen


def due(at: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    """Of payouts: without an answer, and to be asked for at this time."""
    return col(Payout.state) == "asked", col(Payout.asked_at) <= at
