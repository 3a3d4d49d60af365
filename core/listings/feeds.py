"""A platform's news for the whole hub (mentions, letters, a page's posts): who reads them now, and how far."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlmodel import Session, select

from core.database import insert_once
from core.listings.leases import LeaseLost
from core.listings.tables import Feed


def claim(tx: Session, platform: str, name: str, *, by: str, at: datetime, lease: timedelta) -> Feed | None:
    """The feed, for ``by`` alone until the lease ends; None if it is not due or somebody else reads it.

    Made on first sight, without a cursor. ``by`` names one reading, not a process: a reading that outlives its lease
    must not pass for the next one.
    """
    insert_once(tx, Feed, {"platform": platform, "name": name, "next_at": at})
    feed = _locked(tx, platform, name, skip=True)
    if feed is None or feed.next_at > at or (feed.leased_until is not None and feed.leased_until > at):
        return None
    feed.leased_by, feed.leased_until = by, at + lease
    tx.flush()
    return feed


def keep(tx: Session, feed: Feed, *, cursor: str | None, next_at: datetime, at: datetime) -> None:
    """The claimed feed was read up to ``cursor`` (None: leaves it); in the transaction that records what it said.

    Raises `LeaseLost` if somebody else has it by now: nothing of this reading must be kept then.
    """
    row = _held(tx, feed)
    row.cursor = row.cursor if cursor is None else cursor
    row.read_at, row.next_at = at, next_at
    row.leased_by = row.leased_until = None
    tx.flush()


def give_up(tx: Session, feed: Feed, *, next_at: datetime) -> None:
    """Reading failed: it is tried again at ``next_at``, from where it was. Not ours any more: nothing happens."""
    row = _locked(tx, feed.platform, feed.name)
    if row is not None and row.leased_by == feed.leased_by:
        row.next_at = next_at
        row.leased_by = row.leased_until = None
        tx.flush()


def _held(tx: Session, feed: Feed) -> Feed:
    row = _locked(tx, feed.platform, feed.name)
    if row is None or row.leased_by is None or row.leased_by != feed.leased_by:
        raise LeaseLost(f"{feed.platform}'s {feed.name} is read by somebody else now")
    return row


def _locked(tx: Session, platform: str, name: str, *, skip: bool = False) -> Feed | None:
    query = select(Feed).where(Feed.platform == platform, Feed.name == name).with_for_update(skip_locked=skip)
    return tx.exec(query.execution_options(populate_existing=True)).one_or_none()
