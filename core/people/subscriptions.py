"""One share for a creator on the first of every month until it ends; never back-filled (money.md)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session, col, select

from core import things
from core.database import to_micros
from core.events import ThingRef
from core.months import stages
from core.months.tables import Month
from core.people import persons, preferences
from core.people.tables import Account, Subscription
from core.periods import month_end, month_of, month_start


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribed:
    """One subscription as its patron sees it."""

    account: Account
    first_month: int
    """The month that got, or will get, the first share."""
    last_month: int | None
    """The last month that gets one; None: until it is ended."""


def subscribe(
    tx: Session, *, person_id: int, account_id: int, at: datetime, last_month: int | None = None
) -> Subscribed:
    """Begin a subscription to an account row (the first share is next month's), or change a running one's end.

    ValueError for a last month that has no share to give any more. Whether the creator declined
    (`claims.is_declined`) is for the caller to ask first.
    """
    person = persons.locked(tx, person_id)
    account = tx.get_one(Account, account_id)
    row = tx.exec(
        select(Subscription).where(Subscription.person_id == person.id, Subscription.account_id == account_id)
    ).one_or_none()
    over = row is not None and row.last_month is not None and row.last_month < month_of(at)
    if row is None:
        row = Subscription(person_id=persons.key(person), account_id=account_id, started_at=at)
    elif over:
        row.started_at = at
    first = month_of(row.started_at) + 1
    if last_month is not None and last_month < first:
        raise ValueError("a subscription's first share is next month's; let it end then or later")
    row.last_month = last_month
    tx.add(row)
    tx.flush()
    return Subscribed(account=account, first_month=first, last_month=last_month)


def unsubscribe(tx: Session, *, person_id: int, account_id: int, at: datetime) -> bool:
    """End a subscription; False if there was none. The open month's share stays and can be struck out."""
    root = persons.root_id(tx, person_id)
    mine = sa.delete(Subscription).where(
        col(Subscription.person_id) == root, col(Subscription.account_id) == account_id
    )
    return tx.exec(mine.execution_options(synchronize_session="fetch")).rowcount > 0


def subscriptions_of(tx: Session, person_id: int) -> list[Subscribed]:
    """The person's subscriptions, the longest running first."""
    rows = tx.exec(
        select(Subscription, Account)
        .join(Account, col(Account.id) == col(Subscription.account_id))
        .where(Subscription.person_id == persons.root_id(tx, person_id))
        .order_by(col(Subscription.started_at), col(Subscription.id))
    )
    return [
        Subscribed(account=account, first_month=month_of(row.started_at) + 1, last_month=row.last_month)
        for row, account in rows
    ]


_DUE = f"""
  from subscription s
  join account a on a.id = s.account_id
  join person p on p.id = s.person_id and p.left_at is null
 where s.started_at < :start and (s.last_month is null or s.last_month >= :month)
   and not exists (select 1 from pause z where z.person_id = p.id and z.platform in ('', a.platform))
   and not {preferences.IGNORED.format(patron="p.id", account="a")}
"""  # noqa: S608 - made of constants

_NAMELESS = f"""
select distinct a.id {_DUE}
   and not exists (select 1 from thing_name n
                    where n.platform = a.platform and n.native_id = 'subscription:' || a.id)
"""  # noqa: S608

_SHARES = f"""
insert into flattr (patron_id, thing_id, month, author_id, standing, origin, created_at)
select s.person_id, n.thing_id, :month, a.id, true, 'subscription', :at
{
    _DUE.replace(
        " where ",
        "  join thing_name n on n.platform = a.platform and n.native_id = 'subscription:' || a.id"
        + chr(10)
        + " where ",
        1,
    )
}
   and not exists (select 1 from flattr g
                    where g.month = :month and g.patron_id = s.person_id and g.thing_id = n.thing_id)
 order by s.id
"""  # noqa: S608


def add_shares(tx: Session, month: int, at: datetime) -> int:
    """Add the month's subscription shares, once (`Month.subscribed_at`); how many. Again: 0.

    To be called from the first of the month on. A month that has ended or no longer takes likes gets none: a
    hub that was away for it does not back-fill.
    """
    if at < month_start(month):
        raise ValueError("the month has not begun; its shares are added on its first day")
    stages.ensure_month(tx, month)
    row = tx.get_one(Month, month, with_for_update=True, populate_existing=True)
    if row.subscribed_at is not None or row.stage != "open":
        return 0
    row.subscribed_at = at
    tx.flush()
    if at >= month_end(month):
        return 0
    run = tx.connection().execute
    due = {"start": to_micros(month_start(month)), "month": month}
    for account_id in list(run(sa.text(_NAMELESS), due).scalars()):
        _name(tx, tx.get_one(Account, account_id))
    tx.flush()
    return run(sa.text(_SHARES), {**due, "at": to_micros(at)}).rowcount


def _name(tx: Session, account: Account) -> None:
    """The thing that subscriptions to an account pay for.

    Named by the row's number, never by the platform's id: of those who decline the hub keeps a hash and no more.
    """
    name = f"subscription:{account.id}"
    things.ensure(
        tx,
        ThingRef(
            platform=account.platform,
            native_id=name,
            url=name,
        ),
        persons.ref(account),
    )
