"""Closes a month: fixes what every patron is charged and what every flattr of theirs is worth.

Set-based SQL in chunks of statements, each chunk a transaction of its own that a restart continues behind. The
same arithmetic in plain Python is `core.months.bill` and `core.money.split`; properties hold the two together.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from core.database import to_micros
from core.holds import judging, sameness
from core.months.tables import Month
from core.months.verdicts import COUNTING
from core.rules import Rules

CHUNK = 8_000
"""Statements a transaction: large enough to be fast, small enough not to keep deliveries waiting for the lock."""

_HERE = "s.month = :month and s.id between :first and :last and s.state = 'review'"

_SKIP = f"""
update statement as s set state = 'void'
 where {_HERE} and exists (select 1 from skip k where k.person_id = s.patron_id and k.month = s.month)
"""  # noqa: S608 - made of this package's constants

_TABLE = """
create temporary table if not exists ranked (
  statement_id bigint, place bigint, flattr_id bigint, creator_id bigint)
"""
_EMPTY = "delete from ranked"

# What counts, with its rank, once: in a temporary table, since the amounts are known only when it has been counted.
# "cross join" keeps SQLite to the order of the tables as written: left to itself it reads the whole month's flattrs
# for every chunk of statements.
_RANK = f"""
insert into ranked (flattr_id, statement_id, creator_id, place)
select f.id, s.id, p.creator_id, row_number() over (partition by s.id order by f.id) - 1
  from statement s
 cross join person u
 cross join flattr f
 cross join payable p
 cross join account a
 where u.id = s.patron_id and f.month = s.month and f.patron_id = s.patron_id
   and p.month = f.month and p.account_id = f.author_id and a.id = f.author_id
   and {_HERE} and {COUNTING}
"""  # noqa: S608

_COUNT = f"""
update statement as s set flattrs = r.number
  from (select statement_id, count(*) as number from ranked group by statement_id) r
 where r.statement_id = s.id and {_HERE}
"""  # noqa: S608

_CHARGE = f"""
update statement as s set charge_micros = case
   when u.cap_per_flattr_micros * s.flattrs < s.budget_micros then u.cap_per_flattr_micros * s.flattrs
   else s.budget_micros end
  from person u
 where u.id = s.patron_id and s.flattrs > 0 and {_HERE}
"""  # noqa: S608

_CAP_PER_CREATOR = f"""
update statement as s set charge_micros = m.cap_micros * s.flattrs / m.most
  from (select id, cap_micros, max(mine) as most
          from (select t.id, u.cap_per_creator_micros as cap_micros, count(*) as mine
                  from statement t
                  join person u on u.id = t.patron_id and u.cap_per_creator_micros is not null
                  join ranked h on h.statement_id = t.id
                 where t.month = :month and t.id between :first and :last
                 group by t.id, u.cap_per_creator_micros, h.creator_id) per_creator
         group by id, cap_micros) m
 where m.id = s.id and m.cap_micros * s.flattrs / m.most < s.charge_micros and {_HERE}
"""  # noqa: S608

_WHOLE_UNITS = f"""
update statement as s set charge_micros = case
   when s.charge_micros - s.charge_micros % :minor < :least then 0
   else s.charge_micros - s.charge_micros % :minor end
 where {_HERE}
"""  # noqa: S608

_COST = f"""
update statement as s set cost_micros = case
   when s.charge_micros * :cost_bp / 10000 + :cost_fixed < s.charge_micros
   then s.charge_micros * :cost_bp / 10000 + :cost_fixed
   else s.charge_micros end
  from person u
 where u.id = s.patron_id and u.bears_cost and s.charge_micros > 0 and {_HERE}
"""  # noqa: S608

_FEE = f"""
update statement as s set fee_micros = (s.charge_micros - s.cost_micros) * :fee_bp / 10000 where {_HERE}
"""  # noqa: S608

_SPLIT = f"""
update statement as s set
   share_micros = (s.charge_micros - s.cost_micros - s.fee_micros) / s.flattrs,
   spare_micros = (s.charge_micros - s.cost_micros - s.fee_micros) % s.flattrs,
   state = 'due', next_attempt_at = :at,
   early = (select count(*) from statement o
             where o.patron_id = s.patron_id and o.month < s.month and o.state = 'collected') < 2
 where s.charge_micros > 0 and {_HERE}
"""  # noqa: S608

_VOID = f"update statement as s set state = 'void' where {_HERE}"  # noqa: S608

_SHARES = """
insert into share (flattr_id, statement_id, creator_id, micros)
select r.flattr_id, r.statement_id, r.creator_id, s.share_micros + case
         when ((r.place - s.patron_id - s.month * s.spare_micros) % s.flattrs + s.flattrs) % s.flattrs
              < s.spare_micros then 1 else 0 end
  from ranked r join statement s on s.id = r.statement_id
 where s.state = 'due'
"""

_VOID_NOTES = """
insert into outbox (kind, source, person_id, state, attempts, parts_sent, next_at, created_at)
select 'statement', 'statement:' || s.id, s.patron_id, 'waiting', 0, 0, :at, :at
  from statement s where s.month = :month and s.id between :first and :last and s.state = 'void'
"""

_STEPS = (_TABLE, _EMPTY, _SKIP, _RANK, _COUNT, _CHARGE, _CAP_PER_CREATOR, _WHOLE_UNITS, _COST, _FEE, _SPLIT, _VOID,
          _SHARES, _VOID_NOTES, _EMPTY)  # fmt: skip


def close_chunk(tx: Session, rules: Rules, month: int, at: datetime) -> int:
    """Close the next statements of a month under review; the number closed, 0 once all are.

    With the last of them the month itself is closed, and what looks like abuse is held; the caller commits, and calls
    again.
    """
    row = tx.get(Month, month, with_for_update=True, populate_existing=True)
    if row is None or row.stage != "review":
        return 0
    # The state is spelt out, not bound: only so is the partial index used.
    queue = "select id from statement where month = :month and state = 'review' order by id limit :chunk"
    ids = tx.execute(sa.text(queue), {"month": month, "chunk": CHUNK}).scalars().all()
    if not ids:
        row.stage, row.closed_at = "closed", at
        tx.flush()
        judging.judge(tx, rules, month, at)
        return 0
    # Once more: a card may have been entered since the review began.
    sameness.void(tx, month, at, statements=(ids[0], ids[-1]))
    values: dict[str, Any] = {
        "month": month, "first": ids[0], "last": ids[-1], "at": to_micros(at),
        "minor": rules.money.minor_micros, "least": max(1, rules.charge_min_micros),
        "cost_bp": rules.cost_bp, "cost_fixed": rules.cost_fixed_micros, "fee_bp": rules.fee_bp,
    }  # fmt: skip
    for step in _STEPS:
        tx.execute(sa.text(step), values)
    return len(ids)
