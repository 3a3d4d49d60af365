"""Does whatever the database says is due: months from open to settled, and payout runs.

Nothing is remembered between calls. A hub that was down at midnight, or was killed half-way, calls `advance` when
it starts and goes on where the rows say it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session, col, select

from core.charges import collecting
from core.database import Database
from core.holds import deciding
from core.mail.tables import InboxItem
from core.months import closing, payouts, review, stages
from core.months.tables import Month, PayoutRun, Statement
from core.payments.gateway import Gateway
from core.people import claims, leaving, subscriptions
from core.periods import month_end, month_name
from core.recipients import onboarding
from core.returns import refunds
from core.rules import Rules

LOCK = "months"
"""The name of the lock under which months advance: one process at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something that was done; ``total`` is 0 where the amount of work is not known before."""

    what: str
    month: int | None = None
    done: int = 0
    total: int = 0

    def __str__(self) -> str:
        place = f"{month_name(self.month)}: " if self.month else ""
        return f"{place}{self.what}" + (f" ({self.done} of {self.total})" if self.total else "")


Clear = Callable[[Session, datetime], bool]
"""Whether everything from before a month's end has arrived; then its grace need not be waited out."""


def never_clear(tx: Session, end: datetime) -> bool:
    """Nobody knows what is still on its way."""
    return False


def advance(
    db: Database,
    rules: Rules,
    gateway: Gateway,
    at: datetime,
    *,
    clear: Clear = never_clear,
    progress: Callable[[Step], None] = lambda step: None,
) -> list[Step]:
    """Do everything that is due at a time; safe to call at any moment, any number of times.

    Raises `core.database.Busy` if another process is at it.
    """
    steps = []
    with db.exclusively(LOCK):
        for step in _steps(db, rules, gateway, at, clear):
            progress(step)
            steps.append(step)
    return steps


def _steps(db: Database, rules: Rules, gateway: Gateway, at: datetime, clear: Clear) -> Iterator[Step]:
    yield from _open(db, rules, at)
    with db.reading() as tx:
        unsettled = tx.exec(select(Month).where(Month.stage != "settled").order_by(col(Month.id))).all()
    for month in unsettled:
        yield from _advance_month(db, rules, gateway, month.id, at, clear)
    # Before creators are paid: what goes back to a patron is taken from what is still due.
    with db.transaction() as tx:
        if moved := deciding.settle(tx, rules, at):
            yield Step(what=f"{moved} voided holds on their way back")
    if returned := refunds.send(db, rules, gateway, at):
        yield Step(what=f"{returned} refunds asked for")
    yield from _pay(db, rules, gateway, at)


def _open(db: Database, rules: Rules, at: datetime) -> Iterator[Step]:
    with db.transaction() as tx:
        month = stages.open_month(tx, at)
        if tx.get_one(Month, month).subscribed_at is None and (added := subscriptions.add_shares(tx, month, at)):
            yield Step(what=f"{added} subscriptions added", month=month)
        if lapsed := claims.lapse(tx, rules, at):
            yield Step(what=f"{lapsed} pending flattrs lapsed after {rules.pending_days} days")
        if ended := leaving.finish(tx, at):
            yield Step(what=f"{ended} statements of patrons who left ended")
        if reminded := onboarding.remind(tx, rules, at):
            yield Step(what=f"{reminded} creators reminded to finish their onboarding")


def _advance_month(
    db: Database, rules: Rules, gateway: Gateway, month: int, at: datetime, clear: Clear
) -> Iterator[Step]:
    with db.transaction() as tx:
        if over(tx, rules, month, at, clear) and review.start(tx, rules, month, at):
            yield Step(what="review began; patrons are told", month=month)
    yield from _close(db, rules, month, at)
    with db.transaction() as tx:
        if collecting.begin(tx, month):
            yield Step(what="collecting began", month=month)
    if made := collecting.collect(db, rules, gateway, month, at):
        with db.reading() as tx:
            left = count(tx, month, "due")
        yield Step(what=f"{made} charges tried, {left} still to collect", month=month)
    if given_up := collecting.give_up(db, rules, gateway, month, at):
        with db.reading() as tx:
            left = count(tx, month, "due")
        yield Step(what=f"{given_up} charges given up, {left} still to collect", month=month)
    with db.transaction() as tx:
        if collecting.settle(tx, month, at):
            yield Step(what="settled", month=month)


def over(tx: Session, rules: Rules, month: int, at: datetime, clear: Clear) -> bool:
    """Whether a month's review may begin: it has ended, what was on its way is here or had its time, and is recorded.

    A hub that was down at midnight has deliveries waiting that were acknowledged before; they count in their month.
    """
    end = month_end(month)
    if at < end or not (at >= end + rules.grace or clear(tx, end)):
        return False
    unrecorded = sa.select(col(InboxItem.id)).where(col(InboxItem.state) == "waiting", col(InboxItem.received_at) < end)
    return tx.execute(unrecorded.limit(1)).first() is None


def _close(db: Database, rules: Rules, month: int, at: datetime) -> Iterator[Step]:
    with db.reading() as tx:
        row = tx.get_one(Month, month)
        if row.stage != "review" or row.review_ends_at is None or row.review_ends_at > at:
            return
        left = count(tx, month, "review")
        total = left + count(tx, month, "due") + count(tx, month, "void")
    while True:
        with db.transaction() as tx:
            closed = closing.close_chunk(tx, rules, month, at)
        if not closed:
            break
        left -= closed
        yield Step(what="closing", month=month, done=total - left, total=total)
    yield Step(what="closed", month=month)


def count(tx: Session, month: int, state: str) -> int:
    """How many statements of a month are in a state."""
    query = sa.select(sa.func.count()).where(col(Statement.month) == month, col(Statement.state) == state)
    return int(tx.execute(query).scalar_one())


def _pay(db: Database, rules: Rules, gateway: Gateway, at: datetime) -> Iterator[Step]:
    with db.transaction() as tx:
        period = payouts.due_period(tx, rules, at)
        if period is not None:
            payouts.begin(tx, rules, period, at)
            yield Step(what="payout run began", month=period)
    with db.reading() as tx:
        unfinished = tx.exec(select(PayoutRun).where(col(PayoutRun.finished_at).is_(None))).first()
    if unfinished is not None:
        sent = payouts.send(db, rules, gateway, at)
        with db.reading() as tx:
            is_over = tx.get_one(PayoutRun, unfinished.id).finished_at is not None
        if sent or is_over:  # what waits for available money is looked at often, and is no news
            yield Step(what=f"{sent} payouts sent", month=unfinished.period)


class MonthNotOver(Exception):
    """A month cannot be closed for real before it has ended and been reviewed."""


def end_review(db: Database, rules: Rules, month: int, at: datetime) -> None:
    """End a running review now, by the operator's word; MonthNotOver names the remedy."""
    with db.transaction() as tx:
        row = tx.get(Month, month, with_for_update=True)
        if row is None or row.stage != "review":
            stage = row.stage if row else "unknown"
            raise MonthNotOver(f"{month_name(month)} is {stage}; only a month under review can be ended early")
        row.review_ends_at = at
