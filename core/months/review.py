"""Begins a month's review: freezes its budgets, judges who can be paid, and lets every patron know."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session

from core.database import to_micros
from core.holds import sameness
from core.months.tables import Month
from core.rules import Rules

_PAYABLE = """
insert into payable (month, account_id, creator_id)
select :month, a.id, c.id
  from person c
  join account a on a.person_id = c.id
 where c.receives_since is not null and c.payable_since is not null and c.left_at is null
   and exists (select 1 from flattr f where f.author_id = a.id and f.month = :month and f.standing)
"""

_STATEMENTS = """
insert into statement (patron_id, month, budget_micros, state, flattrs, charge_micros, cost_micros, fee_micros,
                       share_micros, spare_micros, attempts, early)
select u.id, :month, b.amount_micros, 'review', 0, 0, 0, 0, 0, 0, 0, false
  from person u
  join budget b on b.person_id = u.id
   and b.from_month = (select max(e.from_month) from budget e where e.person_id = u.id and e.from_month <= :month)
 where u.left_at is null and b.amount_micros > 0
   and exists (select 1 from flattr f where f.month = :month and f.patron_id = u.id and f.standing)
 order by u.id
"""

_NOTES = """
insert into outbox (kind, source, person_id, state, attempts, parts_sent, next_at, created_at)
select 'review', 'review:' || s.month || ':' || s.patron_id, s.patron_id, 'waiting', 0, 0, :at, :at
  from statement s where s.month = :month
"""


def start(tx: Session, rules: Rules, month: int, at: datetime) -> bool:
    """Take an open month into review; False if it is not open. The month then takes only withdrawals."""
    row = tx.get(Month, month, with_for_update=True, populate_existing=True)
    if row is None or row.stage != "open":
        return False
    row.stage, row.review_at, row.review_ends_at = "review", at, at + rules.review
    tx.flush()
    sameness.void(tx, month, at)
    for statement in (_PAYABLE, _STATEMENTS, _NOTES):
        tx.execute(sa.text(statement), {"month": month, "at": to_micros(at)})
    return True
