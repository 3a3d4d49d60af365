"""What creators are owed and may be paid: each part with its age, less what waits, and how far they were paid.

Waiting are the money of a patron's first two months (one payout run longer) and what is under a hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session, col, select

from core.database import to_micros
from core.months.tables import Payout, PayoutRun
from core.rules import Rules

FLATTR = "cast(substr(source, length(rtrim(source, '0123456789')) + 1) as bigint)"
"""The flattr of a posting, which is the number at the end of its source."""

BACK = f"""
select {FLATTR} as flattr_id,
       cast(sum(case when kind = 'share_again' then -amount_micros else amount_micros end) as bigint) as micros
  from posting where kind in ('share_back', 'share_again', 'void') group by 1
"""  # noqa: S608 - made of this module's constants
"""What was taken back of shares, less what was given again, by their flattr."""

WITHHELD = "('held', 'voided')"
"""The states of a hold in which its shares are not paid out: nobody has decided, or they go back to the patron."""

# There are few holds, so they come first; "cross join" keeps SQLite to that.
UNDER_HOLDS = f"""
select p.credit as account, -(h.micros - coalesce(b.micros, 0)) as micros, p.at
  from hold o
 cross join statement s
 cross join share h
  join posting p on p.kind = 'share' and p.source = 'flattr:' || h.flattr_id
  left join ({BACK}) b on b.flattr_id = h.flattr_id
 where o.state in {WITHHELD} and s.month = o.month and s.patron_id = o.patron_id
   and h.statement_id = s.id and h.creator_id = o.creator_id
"""  # noqa: S608 - made of this module's constants
"""The collected shares that are under a hold: what each counts against its creator's account, and its age."""

# What is due, each part with its age; "at" is null for what counts against (or, sent back, again for) the oldest
# money whatever its own time: a payout that was refused or reversed leaves all ages as they were. What was taken back
# of a share, given again or is under a hold is as old as the share.
_DUES = f"""
with root as (select id, coalesce(merged_into_id, id) as person_id from person),
     back as ({BACK}),
     withheld as ({UNDER_HOLDS}),
     due as (select credit as account, amount_micros as micros,
                    case when kind not in ('payout_back', 'sent_back') then at end as at
               from posting where credit % 8 = 3 and kind <> 'share_again'
             union all
             select debit, -amount_micros, null from posting where debit % 8 = 3 and kind not in ('share_back', 'void')
             union all
             select p.credit, -b.micros, p.at
               from back b join posting p on p.kind = 'share' and p.source = 'flattr:' || b.flattr_id
             union all
             select account, micros, at from withheld),
     early as (select 8 * h.creator_id + 3 as account, sum(h.micros - coalesce(b.micros, 0)) as micros
                 from share h join statement s on s.id = h.statement_id
                 left join back b on b.flattr_id = h.flattr_id
                where s.early and s.state = 'collected' and s.collected_at > :previous
                  and not exists (select 1 from hold o
                       where o.month = s.month and o.patron_id = s.patron_id and o.creator_id = h.creator_id
                         and o.state in {WITHHELD})
                group by 1)
select d.person_id, r.person_id as creator_id, d.micros - coalesce(least_of, 0) as micros, d.old_micros,
       c.left_at is not null as gone
  from (select (account - 3) / 8 as person_id, account, sum(micros) as micros,
               sum(case when at is null or at <= :old then micros else 0 end) as old_micros
          from due group by account) d
  join root r on r.id = d.person_id
  join person c on c.id = r.person_id
  left join (select account, micros as least_of from early) e on e.account = d.account
 where c.payable_since is not null and (c.cooling_until is null or c.cooling_until <= :at)
 order by r.person_id, d.person_id
"""  # noqa: S608 - made of this module's constants


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What may be paid of the money under one number of a creator; amounts in micros, negative for none."""

    person_id: int
    creator_id: int
    """Who they are now, after merges."""
    micros: int
    old_micros: int
    """Of it, what is so old that it is paid whatever its size."""
    gone: bool
    """Whether the creator has left."""


def payable(tx: Session, rules: Rules, at: datetime) -> Iterator[Part]:
    """What may be paid now, creator by creator."""
    previous = tx.execute(sa.select(sa.func.max(col(PayoutRun.started_at)))).scalar_one_or_none()
    bound = {
        "at": to_micros(at),
        "old": to_micros(at - timedelta(days=rules.pending_days)),
        # Before the first run nothing was collected "after the previous one": then all early money waits.
        "previous": to_micros(previous) if previous else -1,
    }
    for person_id, creator_id, micros, old_micros, gone in tx.execute(sa.text(_DUES), bound):
        yield Part(
            person_id=person_id,
            creator_id=creator_id,
            micros=int(micros),
            old_micros=int(old_micros),
            gone=bool(gone),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How far a creator's account was paid; nothing was, where ``posting_id`` is 0."""

    posting_id: int
    """The last payout's posting: what came to the account before it went out with it, but for what had to wait."""
    paid_at: datetime | None
    """When that payout was reserved; a hold that was released later did wait."""
    early_until: datetime | None
    """Early money that was collected later did wait."""


_PAYOUTS = """
select p.id, p.source from posting p
 where p.debit = :account and p.debit % 8 <> 2 and p.kind = 'payout'
   and not exists (select 1 from posting b where b.kind = 'payout_back' and b.source = p.source)
 order by p.id desc
"""


def reach(tx: Session, account: int) -> Reach:
    """How far a creator's account was paid. Payouts under way count; those refused or wholly reversed do not."""
    for posting_id, source in tx.execute(sa.text(_PAYOUTS), {"account": account}):
        payout = tx.get_one(Payout, int(source.split(":")[1]))
        if payout.state == "reversed":
            continue
        before = sa.select(sa.func.max(col(PayoutRun.started_at))).where(col(PayoutRun.id) < payout.run_id)
        return Reach(
            posting_id=posting_id,
            paid_at=tx.exec(select(PayoutRun.started_at).where(PayoutRun.id == payout.run_id)).one(),
            early_until=tx.execute(before).scalar_one_or_none(),
        )
    return Reach(posting_id=0, paid_at=None, early_until=None)
