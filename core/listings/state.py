"""How reading goes: for the end of a month, for the owner of an account, for the operator."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session, col, select

from core.listings.tables import Listing
from core.people.tables import Account

LATE = timedelta(minutes=15)
"""A turn that comes so much later than planned is worth telling: a budget is too small, or the hub was down."""


def passed(tx: Session, end: datetime) -> bool:
    """Whether every account that is read was read since ``end``: then no list holds anything from before it.

    False where no account is read at all, since what else is on its way nobody knows then.
    """
    active = (
        sa.select(col(Listing.account_id))
        .join(Account, col(Account.id) == col(Listing.account_id))
        .where(col(Account.person_id).is_not(None), col(Account.needs_relink_at).is_(None))
    )
    behind = active.where(sa.or_(col(Listing.read_at).is_(None), col(Listing.read_at) < end))
    return tx.execute(active.limit(1)).first() is not None and tx.execute(behind.limit(1)).first() is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How the reading of one account goes."""

    read_at: datetime | None
    """When it was last read to the end; None: not yet."""
    next_at: datetime
    failing_since: datetime | None
    failures: int
    late: bool
    """Its turn should have come a while ago; nobody has failed."""
    blind_from: datetime | None
    """The last long spell without a reading, until when it lasted, and how many likes it held."""
    blind_until: datetime | None
    caught_up: int


def health(tx: Session, account_id: int, at: datetime) -> Health | None:
    """How the reading of an account goes; None if it is not read."""
    row = tx.exec(
        select(Listing).where(Listing.account_id == account_id).execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        return None
    return Health(
        read_at=row.read_at,
        next_at=row.next_at,
        failing_since=row.failing_since,
        failures=row.failures,
        late=row.failing_since is None and row.next_at + LATE < at,
        blind_from=row.blind_from,
        blind_until=row.blind_until,
        caught_up=row.caught_up,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One platform's readings in numbers; accounts whose access has ended are not among them."""

    platform: str
    accounts: int
    due: int
    """How many should be read by now."""
    failing: int
    oldest_read_at: datetime | None
    """Of the accounts that were ever read, how old the oldest knowledge is."""


def figures(tx: Session, at: datetime) -> list[Figures]:
    """How reading goes on every platform."""
    query = (
        sa.select(
            col(Listing.platform),
            sa.func.count(),
            sa.func.count(sa.case((col(Listing.next_at) <= at, 1))),
            sa.func.count(col(Listing.failing_since)),
            sa.func.min(col(Listing.read_at)),
        )
        .join(Account, col(Account.id) == col(Listing.account_id))
        .where(col(Account.person_id).is_not(None), col(Account.needs_relink_at).is_(None))
        .group_by(col(Listing.platform))
        .order_by(col(Listing.platform))
    )
    return [
        Figures(platform=platform, accounts=accounts, due=due, failing=failing, oldest_read_at=oldest)
        for platform, accounts, due, failing, oldest in tx.execute(query).all()
    ]
