"""Whose likes are to be read, and by whom now: one process at a time, which is given up when its lease ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session, col, select

from core.access.tables import Access
from core.database import to_micros
from core.events import AccountRef
from core.listings.tables import Listing
from core.listings.terms import Terms
from core.people import persons
from core.people.tables import Account


class LeaseLost(Exception):
    """Somebody else reads this by now: what was read under the old lease must not be kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """An account to be read, for the holder of the lease alone; ``listing`` is how it was when it was claimed."""

    listing: Listing
    account: AccountRef
    linked_at: datetime | None
    lease: str
    ended: frozenset[int] = frozenset()
    """Marks of likes that were taken back by another way than this list (a webhook): listed, they were given again."""


_NOBODYS = """
select l.account_id from listing l join account a on a.id = l.account_id
 where a.person_id is null or a.linked_at <> l.since or (a.linked_at is null) <> (l.since is null)
"""
"""Accounts that were unlinked, or linked anew since: what was known of them is out of date."""

_UNREAD = """
select a.id, a.linked_at from account a
 where a.platform = :platform and a.person_id is not null
   and not exists (select 1 from listing l where l.account_id = a.id)
"""
_GRANTED = " and exists (select 1 from access x where x.account_id = a.id and x.ended_at is null)"

_BEGIN = """
insert into listing (account_id, platform, since, known, begun, next_at, interval_seconds, failures, caught_up)
select f.id, :platform, f.linked_at, :nothing, :nothing, :at, :interval, 0, 0 from ({unread}) f
"""


def out_of_step(tx: Session, platforms: Mapping[str, Terms]) -> bool:
    """Whether `sync` has anything to do; takes no write lock."""
    if tx.execute(sa.text(f"{_NOBODYS} limit 1")).first() is not None:
        return True
    return any(
        tx.execute(sa.text(f"{_unread(terms)} limit 1"), {"platform": platform}).first() is not None
        for platform, terms in platforms.items()
    )


def sync(tx: Session, platforms: Mapping[str, Terms], at: datetime) -> None:
    """Let exactly the linked accounts be read, those on a platform that needs access once they have given it."""
    tx.execute(sa.text(f"delete from listing where account_id in ({_NOBODYS})"))  # noqa: S608
    for platform, terms in platforms.items():
        values = {
            "platform": platform,
            "nothing": b"",
            "at": to_micros(at),
            "interval": round(terms.often.total_seconds()),
        }
        begin = _BEGIN.format(unread=_unread(terms))
        tx.execute(sa.text(f"{begin} on conflict do nothing" if _is_postgres(tx) else begin), values)


def _unread(terms: Terms) -> str:
    return _UNREAD + (_GRANTED if terms.needs_grant else "")


def _is_postgres(tx: Session) -> bool:
    return tx.get_bind().dialect.name == "postgresql"


def _due(platform: str, terms: Terms, at: datetime) -> list[sa.ColumnElement[bool]]:
    """Due, free, and readable; an account whose access has ended stays due, and is read at once when it is back."""
    conditions = [
        col(Listing.platform) == platform,
        col(Listing.next_at) <= at,
        sa.or_(col(Listing.leased_until).is_(None), col(Listing.leased_until) <= at),
        col(Account.person_id).is_not(None),
        col(Account.needs_relink_at).is_(None),
    ]
    if terms.needs_grant:
        given = (col(Access.account_id) == col(Listing.account_id), col(Access.ended_at).is_(None))
        conditions.append(sa.exists().where(*given))
    return conditions


def any_due(tx: Session, platform: str, terms: Terms, at: datetime) -> bool:
    """Whether there is anything to claim; takes no write lock."""
    query = select(Listing.account_id).join(Account, col(Account.id) == col(Listing.account_id))
    return tx.exec(query.where(*_due(platform, terms, at)).limit(1)).first() is not None


def claim(
    tx: Session,
    platform: str,
    terms: Terms,
    *,
    lease: str,
    at: datetime,
    until: datetime,
    limit: int,
    but: Sequence[int] = (),
) -> list[Claimed]:
    """Take accounts that are due, those that waited longest first, for ``lease`` (a name used once) until a time.

    ``but``: accounts that this process still has under way, whatever their leases say.
    """
    query = (
        select(Listing, Account)
        .join(Account, col(Account.id) == col(Listing.account_id))
        .where(*_due(platform, terms, at), col(Listing.account_id).not_in(but))
        .order_by(col(Listing.next_at), col(Listing.account_id))
        .limit(limit)
        .with_for_update(skip_locked=True, of=Listing)
    )
    claimed = []
    for row, account in tx.exec(query).all():
        row.leased_by, row.leased_until = lease, until
        found = Claimed(listing=row, account=persons.ref(account), linked_at=account.linked_at, lease=lease)
        claimed.append(found)
    tx.flush()
    return claimed


def held(tx: Session, claimed: Claimed) -> Listing:
    """The row of a claimed account, for this transaction alone; LeaseLost if somebody else has it by now, or the
    account was unlinked: what was read is not its next person's."""
    query = (
        select(Listing)
        .join(Account, col(Account.id) == col(Listing.account_id))
        .where(Listing.account_id == claimed.listing.account_id, Account.linked_at == claimed.linked_at)
        .with_for_update(of=Listing)
    )
    row = tx.exec(query.execution_options(populate_existing=True)).one_or_none()
    if row is None or row.leased_by != claimed.lease or row.since != claimed.linked_at:
        raise LeaseLost(f"{claimed.account} is no longer ours to read")
    return row


def extend(tx: Session, claimed: Claimed, until: datetime) -> None:
    """Let a lease go on; LeaseLost if it was given to somebody else."""
    held(tx, claimed).leased_until = until
    tx.flush()


def release(tx: Session, claimed: Sequence[Claimed]) -> None:
    """Give accounts back as they were: they stay due. What is not ours any more is left alone."""
    for each in claimed:
        tx.execute(
            sa.update(Listing)
            .where(col(Listing.account_id) == each.listing.account_id, col(Listing.leased_by) == each.lease)
            .values(leased_by=None, leased_until=None)
            .execution_options(synchronize_session=False)
        )
