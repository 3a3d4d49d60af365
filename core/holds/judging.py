"""Judges a month that has just been closed: what looks like abuse is held (money.md, "Abuse").

Held is what one patron's month brings one creator: its shares are collected like all others, and wait at the hub until
the operator has looked. Set-based, and each rule begins with those few whom it can concern.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session

from core.database import execute_many, to_micros
from core.rules import Rules

ONE_PATRON, MUTUAL, NEW_PAIR = "one_patron", "mutual", "new_pair"
"""Why money is held."""

# What creators get in the month, whoever they get it from. The shares have no index by creator.
_TOTALS = """
select p.creator_id, sum(h.micros) as micros
  from payable p
 cross join flattr f
 cross join share h
 where p.month = :month and p.creator_id in (select creator_id from {pairs})
   and f.author_id = p.account_id and f.month = p.month and h.flattr_id = f.id
 group by p.creator_id
"""

# "cross join" keeps SQLite to the order of the tables as written, here and below.
_ONE_PATRON = f"""
with big as (
  select s.patron_id, h.creator_id, sum(h.micros) as micros
    from statement s
   cross join share h
   where s.month = :month and s.state = 'due' and s.charge_micros - s.cost_micros - s.fee_micros > :least
     and h.statement_id = s.id
   group by s.id, s.patron_id, h.creator_id having sum(h.micros) > :least),
total as ({_TOTALS.format(pairs="big")})
select '{ONE_PATRON}', b.patron_id, b.creator_id, b.micros
  from big b join total t on t.creator_id = b.creator_id
 where b.micros > t.micros * :part / 10000
"""  # noqa: S608 - made of this module's constants

_MUTUAL = f"""
with giver as (
  select distinct s.id, s.patron_id
    from payable p
    join statement s on s.month = p.month and s.patron_id = p.creator_id
   where p.month = :month and s.state = 'due'),
sent as (
  select b.patron_id, h.creator_id, sum(h.micros) as micros
    from giver b
   cross join share h
   where h.statement_id = b.id and h.creator_id in (select patron_id from giver)
   group by b.patron_id, h.creator_id),
pair as (
  select there.patron_id, there.creator_id, there.micros, back.micros as back_micros
    from sent there join sent back on back.patron_id = there.creator_id and back.creator_id = there.patron_id),
total as ({_TOTALS.format(pairs="pair")})
select '{MUTUAL}', w.patron_id, w.creator_id, w.micros
  from pair w
  join total mine on mine.creator_id = w.patron_id
  join total theirs on theirs.creator_id = w.creator_id
 where w.micros > theirs.micros * :mutual / 10000 or w.back_micros > mine.micros * :mutual / 10000
"""  # noqa: S608

_NEW_PAIR = f"""
select '{NEW_PAIR}', w.patron_id, w.creator_id, w.micros
  from (select s.id, s.patron_id, min(h.creator_id) as creator_id, sum(h.micros) as micros
          from statement s
         cross join card k
         cross join share h
         where s.month = :month and s.state = 'due' and k.person_id = s.patron_id and k.since > :new
           and h.statement_id = s.id
         group by s.id, s.patron_id having min(h.creator_id) = max(h.creator_id)) w
  join person c on c.id = w.creator_id and c.receives_since > :new
 where not exists (select 1 from payable p
                    cross join flattr f
                    cross join share h
                    where p.month = :month and p.creator_id = w.creator_id and f.author_id = p.account_id
                      and f.month = p.month and h.flattr_id = f.id and h.statement_id <> w.id)
"""  # noqa: S608

_HOLD = """
insert into hold (month, patron_id, creator_id, micros, reasons, state, made_at, note)
values (?, ?, ?, ?, ?, 'held', ?, '') on conflict do nothing
"""

_NOTES = """
insert into outbox (kind, source, person_id, state, attempts, parts_sent, next_at, created_at)
select 'hold_patron', 'hold_patron:' || o.id, o.patron_id, 'waiting', 0, 0, :at, :at from hold o where o.month = :month
union all
select 'hold_creator', 'hold_creator:' || o.id, o.creator_id, 'waiting', 0, 0, :at, :at from hold o
 where o.month = :month
on conflict do nothing
"""


def judge(tx: Session, rules: Rules, month: int, at: datetime) -> int:
    """Hold what looks like abuse in a closed month that nothing was collected of yet; the number of holds.

    one_patron: one patron brings a creator more than `hold_part_bp` of their month, and more than `hold_micros`.
    mutual: two people send each other something, and for one of them it is more than `hold_mutual_bp` of what they get
    that month; both directions are held. new_pair: a card and a creator both newer than `hold_new`, who have only each
    other. Both sides are told. A second time changes nothing.
    """
    bound = {
        "month": month,
        "least": rules.hold_micros,
        "part": rules.hold_part_bp,
        "mutual": rules.hold_mutual_bp,
        "new": to_micros(at - rules.hold_new),
    }
    found: dict[tuple[int, int], tuple[int, str]] = {}
    for query in (_ONE_PATRON, _MUTUAL, _NEW_PAIR):
        for reason, patron_id, creator_id, micros in tx.execute(sa.text(query), bound):
            _, before = found.get((patron_id, creator_id), (0, ""))
            found[patron_id, creator_id] = (int(micros), f"{before} {reason}".strip())
    if not found:
        return 0
    stamp = to_micros(at)
    rows = [(month, *pair, micros, reasons, stamp) for pair, (micros, reasons) in sorted(found.items())]
    execute_many(tx, _HOLD, rows)
    tx.execute(sa.text(_NOTES), {"month": month, "at": stamp})
    return len(found)
