"""Closes months by hand: for real, as a rehearsal that is taken back, or by skipping the sandbox's time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session, col, select

from config.complaints import Impossible
from config.parts import Parts, with_database
from config.rehearsal import rehearsing
from core.listings.state import passed
from core.months import runner, stages
from core.months.runner import Step
from core.months.tables import Month, Share, Statement
from core.periods import month_end, month_name, month_of, month_start

_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What one patron is charged for a month, in micros, and how many shares it makes."""

    statement: int
    patron: int
    state: str
    budget_micros: int
    charge_micros: int
    cost_micros: int
    fee_micros: int
    flattrs: int
    share_micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What one creator gets of a month, in micros, if everything is collected."""

    creator: int
    flattrs: int
    micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A month as it was closed, or would be."""

    month: int
    stage: str
    steps: tuple[str, ...]
    bills: tuple[Bill, ...]
    creators: tuple[Receipt, ...]


def silent(step: Step) -> None:
    """Say nothing about progress."""


def advance(parts: Parts, at: datetime, progress: Callable[[Step], None] = silent) -> list[Step]:
    """Do all that is due at a time; `core.database.Busy` if another process is at it."""
    # A month need not wait out its grace once every list was read past its end; who calls us by itself needs it.
    only_read = all(entry.connector.card.route == "poll" for entry in parts.on.values())
    clear = passed if only_read else runner.never_clear
    return runner.advance(parts.db, parts.rules, parts.gateway, at, clear=clear, progress=progress)


def rehearse(parts: Parts, month: int) -> Result:
    """What closing the month would do, found by doing it and taking it back; also for the open month."""
    with parts.db.reading() as tx:
        row = tx.get(Month, month)
        stage = row.stage if row else "open"
    if stage not in ("open", "review"):
        raise Impossible(f"{month_name(month)} is {stage} already; `flattr months` shows how it went")
    latest = month_of(parts.clock())
    if month > latest:
        raise Impossible(f"{month_name(month)} has not begun; choose a month up to {month_name(latest)}")
    with rehearsing(parts.db) as stage_db:
        actors = with_database(parts, stage_db)
        with stage_db.transaction() as tx:
            stages.ensure_month(tx, month)
        steps = advance(actors, max(actors.clock(), month_end(month) + actors.rules.grace))
        with stage_db.reading() as tx:
            ends = tx.get_one(Month, month).review_ends_at
        if ends is not None:
            steps += advance(actors, ends)
        with stage_db.reading() as tx:
            return _result(tx, month, steps)


def close(parts: Parts, month: int | None, progress: Callable[[Step], None], *, now: bool) -> Result | None:
    """Do what is due for real; Impossible, with the remedy, for a month that cannot be closed yet.

    ``now`` ends a running review. Without a month: the latest one that is over (None: there is none yet).
    """
    at = parts.clock()
    if month is not None and at < month_end(month):
        raise Impossible(
            f"{month_name(month)} is not over: it ends on {month_end(month):%Y-%m-%d %H:%M} UTC;"
            f" `flattr close {month_name(month)} --dry-run` shows what closing it would do"
            + ("; in the sandbox, 'close the month' on the page skips the time" if parts.skips else "")
        )
    steps = advance(parts, at, progress)
    with parts.db.reading() as tx:
        if month is None:
            month = tx.exec(select(sa.func.max(Month.id)).where(col(Month.id) < month_of(at))).one()
            if month is None:
                return None
        row = tx.get(Month, month)
    if row is None:
        raise Impossible(f"this hub has no month {month_name(month)}; `flattr months` lists those it has")
    if now and row.stage == "review":
        runner.end_review(parts.db, parts.rules, month, at)
        steps += advance(parts, at, progress)
    with parts.db.reading() as tx:
        return _result(tx, month, steps)


def play(
    parts: Parts, progress: Callable[[Step], None] = silent, settle: Callable[[], None] = lambda: None
) -> list[Step]:
    """Skip the sandbox's time past the open month's end, through its review, its cards and the payout run.

    ``settle`` is called after every jump, so that what was taken is recorded and what is to be said is said in time.
    """
    clock = parts.skipping_clock()
    month = month_of(clock())
    steps: list[Step] = []

    def skip_to(at: datetime) -> None:
        clock.jump_to(at)
        steps.extend(advance(parts, clock(), progress))
        settle()

    skip_to(clock())  # the month is there, with its subscriptions, whoever looked at it before
    skip_to(month_end(month) + parts.rules.grace)
    while True:
        with parts.db.reading() as tx:
            row = tx.get(Month, month)
            waits = sa.select(sa.func.min(col(Statement.next_attempt_at))).where(
                col(Statement.month) == month, col(Statement.state) == "due"
            )
            attempt = tx.execute(waits).scalar_one()
        if row is None or row.stage == "settled":
            break
        if row.stage == "review" and row.review_ends_at is not None:
            skip_to(row.review_ends_at)
        elif attempt is not None:
            skip_to(max(attempt, clock() + _MOMENT))
        else:
            raise Impossible(f"{month_name(month)} does not go on from {row.stage}; `flattr doctor` says why")
    skip_to(month_start(month + 1) + timedelta(days=parts.rules.payout_day - 1))
    return steps


def _result(tx: Session, month: int, steps: list[Step]) -> Result:
    statements = tx.exec(select(Statement).where(Statement.month == month).order_by(col(Statement.id))).all()
    received = tx.execute(
        sa.select(col(Share.creator_id), sa.func.count(), sa.func.sum(col(Share.micros)))
        .join(Statement, col(Statement.id) == col(Share.statement_id))
        .where(col(Statement.month) == month)
        .group_by(col(Share.creator_id))
        .order_by(col(Share.creator_id))
    ).all()
    return Result(
        month=month,
        stage=tx.get_one(Month, month).stage,
        steps=tuple(str(step) for step in steps),
        bills=tuple(
            Bill(
                statement=int(each.id or 0),
                patron=each.patron_id,
                state=each.state,
                budget_micros=each.budget_micros,
                charge_micros=each.charge_micros,
                cost_micros=each.cost_micros,
                fee_micros=each.fee_micros,
                flattrs=each.flattrs,
                share_micros=each.share_micros,
            )
            for each in statements
        ),
        creators=tuple(
            Receipt(creator=creator, flattrs=count, micros=int(micros)) for creator, count, micros in received
        ),
    )
