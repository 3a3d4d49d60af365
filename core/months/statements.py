"""Statements: what a patron's closed month cost and where it went, and what a creator has earned.

Both sides see the same receipt and the same amount for the same flattr.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from core.books import ledger
from core.months import payouts, shares, worth
from core.months.dues import BACK
from core.months.shares import ShareLine, receipt
from core.months.tables import Statement
from core.periods import month_of
from core.rules import Rules

__all__ = ["EarnedMonth", "Earnings", "PatronStatement", "ShareLine", "earnings", "patron_statement", "receipt"]
__all__ += ["statement_months"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PatronStatement:
    """One patron's month, after it was closed; amounts in micros, shares + cost + fee = charge <= budget."""

    id: int
    month: int
    state: str
    budget_micros: int
    charge_micros: int
    cost_micros: int
    fee_micros: int
    shares: tuple[ShareLine, ...]
    pending: tuple[worth.Line, ...]
    """What could not be paid because its creator had not joined, or not done all that payouts need; it cost nothing."""
    held: tuple[worth.Line, ...]
    """What its platform had stopped listing, too much at once to be believed either way; it cost nothing."""
    left_out: tuple[worth.Line, ...]
    """Everything else that cost nothing: struck out, taken back, one's own, ignored, moved on."""
    given_back_micros: int
    """What went back to the patron since: refunds, and what their bank took back."""
    next_attempt_at: datetime | None
    ends_as: str | None
    """lapsed or void: it is given up, and only the processor's last word is waited for."""
    attempts: int
    collected_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EarnedMonth:
    """What one month brought a creator: what was split for them, and what of it was collected."""

    month: int
    flattrs: int
    gross_micros: int
    collected_micros: int
    taken_back_micros: int
    """Of what was collected: what went back to patrons."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Earnings:
    """A creator's side; amounts in micros."""

    due_micros: int
    waiting_micros: int
    """Of what is due: money of patrons' first two months, which waits one payout run longer."""
    held_micros: int
    """Of what is due: kept from payouts until the operator has looked."""
    under_way_micros: int
    """Reserved by a payout run, and not with the creator yet; no longer among what is due."""
    paid_micros: int
    months: tuple[EarnedMonth, ...]
    open_flattrs: int
    """Flattrs of others that stand in the open month for this creator's accounts."""
    patrons: int
    """By how many distinct patrons."""
    next_run: datetime


_GIVEN_BACK = """
select coalesce(sum(case when kind = 'charge_again' then -amount_micros else amount_micros end), 0)
  from posting where kind in ('charge_back', 'charge_again') and source like '%/statement:' || :statement
"""

_HELD = f"""
select coalesce(sum(h.micros - coalesce(b.micros, 0)), 0)
  from hold o
  join statement s on s.month = o.month and s.patron_id = o.patron_id
  join share h on h.statement_id = s.id and h.creator_id = o.creator_id
  left join ({BACK}) b on b.flattr_id = h.flattr_id
 where o.creator_id in :people and o.state = 'held' and s.state = 'collected'
"""  # noqa: S608

_PAID = """
select (select coalesce(sum(amount_micros), 0) from payout
         where creator_id in :people and state in ('sent', 'reversed'))
     - (select coalesce(sum(amount_micros), 0) from posting
         where kind = 'sent_back' and credit in :accounts and credit % 8 <> 2)
"""

_UNDER_WAY = """
select coalesce(sum(amount_micros), 0) from payout where creator_id in :people and state = 'asked'
"""

_EARNED = f"""
select s.month, count(*), sum(h.micros), sum(case when s.state = 'collected' then h.micros else 0 end),
       sum(coalesce(b.micros, 0))
  from payable p
  join flattr f on f.author_id = p.account_id and f.month = p.month
  join share h on h.flattr_id = f.id
  join statement s on s.id = h.statement_id
  left join ({BACK}) b on b.flattr_id = h.flattr_id
 where p.creator_id in :people group by s.month order by s.month desc
"""  # noqa: S608 - made of the package's constants

_EARLY = f"""
select coalesce(sum(h.micros - coalesce(b.micros, 0)), 0)
  from payable p
  join flattr f on f.author_id = p.account_id and f.month = p.month
  join share h on h.flattr_id = f.id
  join statement s on s.id = h.statement_id
  left join ({BACK}) b on b.flattr_id = h.flattr_id
 where p.creator_id in :people and s.early and s.state = 'collected'
   and s.collected_at > coalesce((select max(r.started_at) from payout_run r), -1)
"""  # noqa: S608

_OPEN = """
select count(*), count(distinct f.patron_id)
  from flattr f join account a on a.id = f.author_id
 where f.month = :month and a.person_id in :people and f.patron_id not in :people
   and f.standing and f.struck_at is null and f.voided is null and f.moved_to_id is null
"""


def patron_statement(tx: Session, rules: Rules, person_id: int, month: int, at: datetime) -> PatronStatement | None:
    """A patron's statement of a month; None while it is not closed, or if there is none."""
    row = tx.exec(select(Statement).where(Statement.patron_id == person_id, Statement.month == month)).one_or_none()
    if row is None or row.state == "review":
        return None
    assert row.id is not None
    paid_for = shares.of(tx, row)
    paying = {line.flattr_id for line in paid_for}
    lines = [line for line in worth.lines(tx, rules, person_id, month, at) if line.flattr_id not in paying]
    given_back = tx.execute(sa.text(_GIVEN_BACK), {"statement": str(row.id)}).scalar_one()
    return PatronStatement(
        id=row.id,
        month=month,
        state=row.state,
        budget_micros=row.budget_micros,
        charge_micros=row.charge_micros,
        cost_micros=row.cost_micros,
        fee_micros=row.fee_micros,
        shares=paid_for,
        pending=tuple(line for line in lines if line.state == "pending"),
        held=tuple(line for line in lines if line.state == "held"),
        left_out=tuple(line for line in lines if line.state not in ("pending", "held")),
        given_back_micros=int(given_back),
        next_attempt_at=row.next_attempt_at,
        ends_as=row.ends_as,
        attempts=row.attempts,
        collected_at=row.collected_at,
    )


def statement_months(tx: Session, person_id: int) -> list[int]:
    """The months of which a patron has a closed statement, the latest first."""
    query = (
        sa.select(col(Statement.month))
        .where(col(Statement.patron_id) == person_id, col(Statement.state) != "review")
        .order_by(col(Statement.month).desc())
    )
    return list(tx.execute(query).scalars())


def earnings(tx: Session, rules: Rules, person_id: int, at: datetime) -> Earnings:
    """What a creator has earned, is owed and was paid, with every person that was merged into them."""
    merged = tx.execute(sa.text("select id from person where merged_into_id = :id"), {"id": person_id})
    people = [person_id, *merged.scalars()]
    among: sa.BindParameter[Any] = sa.bindparam("people", expanding=True)
    earned = tx.execute(sa.text(_EARNED).bindparams(among), {"people": people}).all()
    early = tx.execute(sa.text(_EARLY).bindparams(among), {"people": people}).scalar_one()
    flattrs, patrons = tx.execute(sa.text(_OPEN).bindparams(among), {"people": people, "month": month_of(at)}).one()
    due = sum(ledger.owed(tx, ledger.creator(each)) for each in people)
    under_way = tx.execute(sa.text(_UNDER_WAY).bindparams(among), {"people": people}).scalar_one()
    held = tx.execute(sa.text(_HELD).bindparams(among), {"people": people}).scalar_one()
    accounts: sa.BindParameter[Any] = sa.bindparam("accounts", expanding=True)
    paid = tx.execute(
        sa.text(_PAID).bindparams(among, accounts),
        {"people": people, "accounts": [ledger.creator(each) for each in people]},
    ).scalar_one()
    return Earnings(
        due_micros=due,
        waiting_micros=min(int(early), max(0, due)),
        held_micros=min(int(held), max(0, due)),
        under_way_micros=int(under_way),
        paid_micros=int(paid),
        months=tuple(
            EarnedMonth(
                month=month,
                flattrs=count,
                gross_micros=int(gross),
                collected_micros=int(collected),
                taken_back_micros=int(back),
            )
            for month, count, gross, collected, back in earned
        ),
        open_flattrs=flattrs,
        patrons=patrons,
        next_run=payouts.next_run(tx, rules, at),
    )
