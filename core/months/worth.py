"""What a patron's month looks like right now: what each like is worth, what is pending, what is left out and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlmodel import Session, select

from core.database import from_micros
from core.months import stages
from core.months.bill import bill
from core.months.tables import Month, Statement
from core.months.verdicts import PAYABLE_AT_REVIEW, PAYABLE_NOW, VERDICT
from core.people import budgets
from core.people.tables import Person
from core.periods import month_of
from core.rules import Rules

State = (
    Literal["counts", "pending", "held", "own", "ignored", "struck"]
    | Literal["withdrawn", "moved", "declined", "lapsed", "skipped", "left", "same_card"]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One flattr as its patron sees it."""

    number: int
    """Its place in the list, from 1, in the order of recording: stable while the month lasts."""
    flattr_id: int
    url: str
    title: str | None
    creator: str
    """The creator's handle on its platform if they receive, else the account id; '' while unknown.

    Of others a name would tell that they are patrons here."""
    creator_account: str
    """``platform:account_id``; '' while unknown."""
    platform: str
    state: State
    joined: bool
    """Whether its creator wants to receive; if it is pending all the same, no money can be sent to them yet."""
    origin: str
    liked_at: datetime
    worth_micros: int
    """What it would bring its creator if the month closed now; 0 unless it counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A patron's month in sums, all in micros."""

    month: int
    stage: str
    budget_micros: int
    charge_micros: int
    cost_micros: int
    fee_micros: int
    each_micros: int
    """What each counting flattr brings its creator (the rest of the division, in micros, is left aside)."""
    counting: int
    pending: int
    left_out: int
    lines: tuple[Line, ...]
    reviewing: int | None
    """The month under review, if there is one."""


_LINES = """
select f.id, t.url, t.title, case when c.receives_since is not null then a.handle end as handle,
       a.platform, a.account_id, f.origin, f.created_at,
       {verdict} as state, a.person_id, c.receives_since is not null as joined,
       (select n.platform from thing_name n where n.thing_id = t.id order by n.platform limit 1) as seen_on
  from flattr f
  join (select :patron as patron_id, :month as month) s on s.patron_id = f.patron_id and s.month = f.month
  join person u on u.id = f.patron_id
  join thing t on t.id = f.thing_id
  left join account a on a.id = f.author_id
  left join person c on c.id = a.person_id
 order by f.id
"""


def status(tx: Session, rules: Rules, person_id: int, at: datetime, *, month: int | None = None) -> Status:
    """A month (the open one, unless another is named) as it would close now, by the closing's own rules."""
    if month is None:
        month = month_of(at)
    person = tx.get_one(Person, person_id)
    rows = _rows(tx, person_id, month)
    creators = Counter(row.person_id for row in rows if row.state == "counts")
    frozen = tx.exec(select(Statement.budget_micros).where(Statement.patron_id == person_id, Statement.month == month))
    budget_micros = frozen.one_or_none()
    if budget_micros is None:
        budget_micros = budgets.budget_of(tx, person_id, month)
    month_row = tx.get(Month, month)
    due = bill(
        rules,
        budget_micros=budget_micros,
        flattrs=sum(creators.values()),
        most_for_one_creator=max(creators.values(), default=0),
        cap_per_flattr_micros=person.cap_per_flattr_micros,
        cap_per_creator_micros=person.cap_per_creator_micros,
        bears_cost=person.bears_cost,
    )
    found = tuple(
        Line(
            number=number,
            flattr_id=row.id,
            url=row.url,
            title=row.title,
            creator=row.handle or row.account_id or "",
            creator_account=f"{row.platform}:{row.account_id}" if row.platform else "",
            platform=row.platform or row.seen_on or "web",
            state=row.state,
            joined=bool(row.joined),
            origin=row.origin,
            liked_at=from_micros(row.created_at),
            worth_micros=due.each_micros if row.state == "counts" else 0,
        )
        for number, row in enumerate(rows, 1)
    )
    under_review = stages.reviewing(tx)
    states = Counter(line.state for line in found)
    return Status(
        month=month,
        stage=month_row.stage if month_row else "open",
        budget_micros=budget_micros,
        charge_micros=due.charge_micros,
        cost_micros=due.cost_micros,
        fee_micros=due.fee_micros,
        each_micros=due.each_micros,
        counting=states["counts"],
        pending=states["pending"],
        left_out=len(found) - states["counts"] - states["pending"],
        lines=found,
        reviewing=under_review.id if under_review else None,
    )


def lines(tx: Session, rules: Rules, person_id: int, month: int, at: datetime) -> tuple[Line, ...]:
    """The flattrs of a patron in a month, numbered."""
    return status(tx, rules, person_id, at, month=month).lines


def _rows(tx: Session, person_id: int, month: int) -> list[sa.Row[Any]]:
    row = tx.get(Month, month)
    judged = row is not None and row.stage != "open"
    verdict = VERDICT.format(payable=PAYABLE_AT_REVIEW if judged else PAYABLE_NOW)
    query = sa.text(_LINES.format(verdict=verdict)).bindparams(
        sa.bindparam("patron", type_=sa.BigInteger), sa.bindparam("month", type_=sa.Integer)
    )
    return list(tx.execute(query, {"patron": person_id, "month": month}).all())
