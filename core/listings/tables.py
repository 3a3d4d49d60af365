"""Tables of what is read where and when: one account's likes, or a stream of a platform's news."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from core.database import Id, Instant


class Listing(SQLModel, table=True):
    """How far the likes of one account have been read, when they are read next, and how that went."""

    __table_args__ = (sa.Index("listing_due", "platform", "next_at"),)
    account_id: int = Field(primary_key=True, foreign_key="account.id", sa_type=Id)
    platform: str
    since: datetime | None = Field(default=None, sa_type=Instant)
    """The account's own ``linked_at`` when this began; linked anew, it begins anew."""
    cursor: str | None = None
    """The connector's mark after the last reading that was carried to its end."""
    known: bytes = b""
    """Hashes of the listed ids, eight bytes each, the newest like first: what a listing must show, or show missing
    (`core.listings.marks`)."""
    begun: bytes = Field(default=b"", sa_column_kwargs={"server_default": ""})
    """Hashes of likes that were recorded by a reading which is not at its end, or broke off: known with the next."""
    missing: str | None = None
    """What readings missed and is not settled: a JSON object of hash to what is known of it
    (`core.listings.vanishing`)."""
    latest_at: datetime | None = Field(default=None, sa_type=Instant)
    """The latest like's own time, where the platform tells times."""
    marked_at: datetime | None = Field(default=None, sa_type=Instant)
    """When the first reading was carried to its end: what it showed was there before the account was linked."""
    read_at: datetime | None = Field(default=None, sa_type=Instant)
    """When the last reading that was carried to its end began: what was there by then, the hub knows."""
    whole_at: datetime | None = Field(default=None, sa_type=Instant)
    """The same for the last complete listing."""
    next_at: datetime = Field(sa_type=Instant)
    interval_seconds: int
    """Between the last reading and the next; doubles while nothing happens."""
    failing_since: datetime | None = Field(default=None, sa_type=Instant)
    failures: int = 0
    error: str | None = None
    blind_from: datetime | None = Field(default=None, sa_type=Instant)
    """The last long spell in which the account could not be read: from then, until then, and how many likes it held."""
    blind_until: datetime | None = Field(default=None, sa_type=Instant)
    caught_up: int = 0
    leased_by: str | None = None
    leased_until: datetime | None = Field(default=None, sa_type=Instant)


class Feed(SQLModel, table=True):
    """How far a platform's news for the whole hub have been read: the bot's mentions, its letters, a page's posts."""

    platform: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    cursor: str | None = None
    read_at: datetime | None = Field(default=None, sa_type=Instant)
    next_at: datetime = Field(sa_type=Instant)
    leased_by: str | None = None
    leased_until: datetime | None = Field(default=None, sa_type=Instant)
