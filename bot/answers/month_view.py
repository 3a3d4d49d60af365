"""A patron's month under every number that the person has gone by, as one list and one sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlmodel import col, select

from bot.talk import Turn
from core.months import stages, worth
from core.months.tables import Month, Statement
from core.people import persons
from core.periods import month_of
from core.tables import Flattr


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Sums in micros; lines are numbered from 1 through all of them."""

    month: int
    stage: str
    budget_micros: int
    charge_micros: int
    cost_micros: int
    fee_micros: int
    each_micros: int
    counting: int
    pending: int
    lines: tuple[worth.Line, ...]
    owners: tuple[int, ...]
    """Whose row each line is: a month that was in review when two persons were merged stays under the old one."""
    review_ends_at: datetime | None


def of(turn: Turn, person_id: int, month: int) -> View:
    """The month as it would close now."""
    found = [
        (each, worth.status(turn.tx, turn.rules, each, turn.at, month=month))
        for each in persons.merged_ids(turn.tx, person_id)
    ]
    parts = [(owner, part) for owner, part in found if part.lines or owner == person_id]
    lines = [(owner, line) for owner, part in parts for line in part.lines]
    counted = [part for _, part in parts if part.counting] or [part for _, part in parts]
    row = turn.tx.get(Month, month)
    return View(
        month=month,
        stage=row.stage if row else "open",
        budget_micros=sum(part.budget_micros for part in counted),
        charge_micros=sum(part.charge_micros for part in counted),
        cost_micros=sum(part.cost_micros for part in counted),
        fee_micros=sum(part.fee_micros for part in counted),
        each_micros=counted[0].each_micros if counted else 0,
        counting=sum(part.counting for _, part in parts),
        pending=sum(part.pending for _, part in parts),
        lines=tuple(replace(line, number=number) for number, (_, line) in enumerate(lines, 1)),
        owners=tuple(owner for owner, _ in lines),
        review_ends_at=row.review_ends_at if row else None,
    )


def why_pending(lines: Sequence[worth.Line], *, then: bool = False) -> str:
    """Why those of the lines that are pending are so; ``then``: as of a month that is over."""
    pending = [line for line in lines if line.state == "pending"]
    one = len(pending) == 1
    who = "its creator" if one else "their creators"
    has, cannot = ("had", "could not") if then else ("has" if one else "have", "cannot")
    if not any(line.joined for line in pending):
        return f"{who} {has} not joined{'' if then else ' yet'}"
    if all(line.joined for line in pending):
        return f"{who} {has} joined, but {cannot} be paid yet"
    return f"{who} {has} not joined, or {cannot} be paid yet"


def under_review(turn: Turn, person_id: int) -> int | None:
    """The month whose review concerns this person, if there is one."""
    reviewing = stages.reviewing(turn.tx)
    if reviewing is None:
        return None
    mine = select(Statement.id).where(
        Statement.month == reviewing.id,
        Statement.state == "review",
        col(Statement.patron_id).in_(persons.merged_ids(turn.tx, person_id)),
    )
    return reviewing.id if turn.tx.exec(mine.limit(1)).first() is not None else None


def current(turn: Turn, person_id: int) -> int:
    """The month that numbers and skips are about: the one in review, else the open one."""
    return under_review(turn, person_id) or month_of(turn.at)


def line_of(turn: Turn, person_id: int, thing_id: int) -> tuple[worth.Line, View] | None:
    """The latest flattr of a thing by this person, with its month; None if there is none that is not closed."""
    months = (
        select(Flattr.month)
        .join(Month, col(Month.id) == col(Flattr.month))
        .where(Flattr.patron_id == person_id, Flattr.thing_id == thing_id)
        .where(col(Month.stage).in_(("open", "review")))
        .order_by(col(Flattr.month).desc())
    )
    month = turn.tx.exec(months.limit(1)).first()
    if month is None:
        return None
    view = of(turn, person_id, month)
    flattrs = select(Flattr.id).where(Flattr.patron_id == person_id, Flattr.thing_id == thing_id, Flattr.month == month)
    flattr_id = turn.tx.exec(flattrs).one()
    return next(((line, view) for line in view.lines if line.flattr_id == flattr_id), None)
