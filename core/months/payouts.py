"""Payout runs: one transfer per creator for everything due, aggregated over patrons and months.

A run is a row. It first reserves every payout (a row, and a posting into transit), then sends them one by one;
starting it again continues it. What is below the minimum is carried and never lapses.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session, col, select

from core.books import ledger
from core.database import Database, to_micros
from core.mail import outbox
from core.months.tables import Payout, PayoutRun
from core.payments.gateway import Done, Gateway, Outcome, Refused, TransferRequest, Unknown
from core.periods import month_of, month_start
from core.rules import Rules

BACK = """
select cast(substr(source, length(rtrim(source, '0123456789')) + 1) as bigint) as flattr_id,
       cast(sum(amount_micros) as bigint) as micros
  from posting where kind = 'share_back' group by 1
"""
"""What was taken back of shares, by their flattr (the number at the end of the source)."""

# What is due, each part with its age; "at" is null for what counts against (or, sent back, again for) the oldest
# money whatever its own time: a payout that was refused leaves all ages as they were. What was taken back of a share
# is as old as the share.
_DUES = f"""
with root as (select id, coalesce(merged_into_id, id) as person_id from person),
     back as ({BACK}),
     due as (select credit as account, amount_micros as micros, case when kind <> 'payout_back' then at end as at
               from posting where credit % 8 = 3
             union all
             select debit, -amount_micros, null from posting where debit % 8 = 3 and kind <> 'share_back'
             union all
             select p.credit, -b.micros, p.at
               from back b join posting p on p.kind = 'share' and p.source = 'flattr:' || b.flattr_id),
     early as (select 8 * h.creator_id + 3 as account, sum(h.micros - coalesce(b.micros, 0)) as micros
                 from share h join statement s on s.id = h.statement_id
                 left join back b on b.flattr_id = h.flattr_id
                where s.early and s.state = 'collected' and s.collected_at > :previous group by 1)
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


def due_period(tx: Session, rules: Rules, at: datetime) -> int | None:
    """The period whose run is due at a time and was not begun; None if there is none, or nothing is owed."""
    period = month_of(at)
    if at < month_start(period) + timedelta(days=rules.payout_day - 1):
        return None
    if tx.exec(select(PayoutRun).where(PayoutRun.period == period)).first() is not None:
        return None
    owes = tx.execute(sa.text("select 1 from posting where credit % 8 = 3 limit 1")).first()
    return period if owes else None


def next_run(tx: Session, rules: Rules, at: datetime) -> datetime:
    """When the next payout run is due."""
    period = month_of(at)
    begun = tx.exec(select(PayoutRun).where(PayoutRun.period == period)).first() is not None
    return month_start(period + begun) + timedelta(days=rules.payout_day - 1)


def begin(tx: Session, rules: Rules, period: int, at: datetime) -> int:
    """Make the run's row and reserve its payouts; the run's id."""
    previous = tx.execute(sa.select(sa.func.max(col(PayoutRun.started_at)))).scalar_one_or_none()
    run = PayoutRun(period=period, started_at=at)
    tx.add(run)
    tx.flush()
    assert run.id is not None
    reserved: dict[int, list[tuple[int, int, int, bool]]] = {}
    rows = tx.execute(
        sa.text(_DUES),
        {
            "at": to_micros(at),
            "old": to_micros(at - timedelta(days=rules.pending_days)),
            # Before the first run nothing was collected "after the previous one": then all early money waits.
            "previous": to_micros(previous) if previous else -1,
        },
    )
    for person_id, creator_id, micros, old_micros, gone in rows:
        reserved.setdefault(creator_id, []).append((person_id, int(micros), int(old_micros), bool(gone)))
    for creator_id, parts in reserved.items():
        _reserve(tx, rules, run.id, creator_id, parts, at)
    return run.id


def _reserve(
    tx: Session,
    rules: Rules,
    run_id: int,
    creator_id: int,
    parts: list[tuple[int, int, int, bool]],
    at: datetime,
) -> None:
    """One payout for a creator, drawn from every person whose accounts were merged into them."""
    available = sum(max(0, micros) for _, micros, _, _ in parts)
    whole = rules.money.floor(available)
    # A fraction of a minor unit cannot be paid: however old, it hurries nothing.
    old = rules.money.floor(sum(max(0, old_micros) for _, _, old_micros, _ in parts))
    hurry = old > 0 or any(gone for _, _, _, gone in parts)
    if whole < (rules.money.minor_micros if hurry else rules.payout_min_micros):
        return
    payout = Payout(run_id=run_id, creator_id=creator_id, amount_micros=whole, asked_at=at)
    tx.add(payout)
    tx.flush()
    left = whole
    for person_id, micros, _, _ in parts:
        taken = min(left, max(0, micros))
        ledger.post(
            tx, kind="payout", source=f"payout:{payout.id}:{person_id}", at=at,
            debit=ledger.creator(person_id), credit=ledger.TRANSIT, amount_micros=taken,
        )  # fmt: skip
        left -= taken


_LAST = """
select p.id, p.source from posting p
 where p.debit = :account and p.debit % 8 <> 2 and p.kind = 'payout'
   and not exists (select 1 from posting b where b.kind = 'payout_back' and b.source = p.source)
 order by p.id desc limit 1
"""


def reach(tx: Session, account: int) -> tuple[int, datetime | None]:
    """How far a creator's account was paid: the last payout's posting, and until when early money went with it.

    The payouts under way count, those sent back do not. (0, None): nothing was paid.
    """
    last = tx.execute(sa.text(_LAST), {"account": account}).one_or_none()
    if last is None:
        return 0, None
    posting_id, source = last
    payout = tx.get_one(Payout, int(source.split(":")[1]))
    before = sa.select(sa.func.max(col(PayoutRun.started_at))).where(col(PayoutRun.id) < payout.run_id)
    return posting_id, tx.execute(before).scalar_one_or_none()


def send(db: Database, rules: Rules, gateway: Gateway, at: datetime) -> int:
    """Send every payout that has no answer yet and finish runs that have none left; the number of calls made."""
    with db.reading() as tx:
        waiting = tx.execute(
            sa.select(col(Payout.id), col(Payout.creator_id), col(Payout.amount_micros), col(Payout.attempt))
            .where(col(Payout.state) == "asked", col(Payout.asked_at) <= at)
            .order_by(col(Payout.id))
        ).all()
    for payout_id, creator_id, amount_micros, attempt in waiting:
        request = TransferRequest(
            payout_id=payout_id,
            attempt=attempt,
            creator_id=creator_id,
            amount_minor=rules.money.minor(amount_micros),
            currency=rules.money.code,
        )
        outcome = gateway.transfer(request, at)
        with db.transaction() as tx:
            record(tx, rules, payout_id, outcome, at)
    with db.transaction() as tx:
        unsent = sa.exists().where(col(Payout.run_id) == col(PayoutRun.id), col(Payout.state) == "asked")
        tx.execute(sa.update(PayoutRun).where(col(PayoutRun.finished_at).is_(None), ~unsent).values(finished_at=at))
    return len(waiting)


def record(tx: Session, rules: Rules, payout_id: int, outcome: Outcome, at: datetime) -> None:
    """Take the gateway's answer about a payout into the books; a second answer changes nothing."""
    payout = tx.get_one(Payout, payout_id, with_for_update=True)
    if payout.state != "asked":
        return
    match outcome:
        case Done(reference):
            payout.state, payout.reference, payout.answered_at = "sent", reference, at
            ledger.post(
                tx, kind="sent", source=f"payout:{payout_id}", at=at,
                debit=ledger.TRANSIT, credit=ledger.STRIPE, amount_micros=payout.amount_micros,
            )  # fmt: skip
        case Refused(reason):
            payout.state, payout.reason, payout.answered_at = "refused", reason, at
            reserved = tx.execute(
                sa.text("select source, debit, amount_micros from posting where kind = 'payout' and source like :of"),
                {"of": f"payout:{payout_id}:%"},
            )
            for source, account, micros in reserved.all():
                ledger.post(
                    tx, kind="payout_back", source=source, at=at,
                    debit=ledger.TRANSIT, credit=account, amount_micros=micros,
                )  # fmt: skip
        case Unknown(reason):
            payout.reason, payout.asked_at = reason, at + rules.retry_unknown
            return
    outbox.put(tx, kind="payout", source=f"payout:{payout_id}", at=at, person_id=payout.creator_id)
