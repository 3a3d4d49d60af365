"""Reads one of X's lists for the whole hub: one process at a time, and what it says is recorded with how far it was."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar
from uuid import uuid4

from sqlmodel import Session

from bot.twitter.marks import ReadTo
from connectors import twitter as words
from connectors.client import Unanswered
from connectors.linking import Withdrawn
from core.database import Database, is_away
from core.listings import feeds
from core.listings.leases import LeaseLost
from core.listings.tables import Feed
from core.mail.faults import place_of

_log = logging.getLogger(__name__)
T = TypeVar("T")

_LEASE = timedelta(minutes=5)
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
"""Between two tries that failed, doubling; longer if X says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What one reading brought: how far it goes, and what records it."""

    read_to: ReadTo
    record: Callable[[Session, datetime], object] = lambda _tx, _at: None


class Source(Protocol):
    """One of X's lists."""

    @property
    def name(self) -> str:
        """What the hub calls it."""

    @property
    def every(self) -> timedelta:
        """Between two readings, by their price."""

    async def news(self, read_to: ReadTo | None) -> News | None:
        """All that is new, complete; None: nothing. Without a mark nothing is news, and only the mark is made."""


class Feeding:
    """Reads sources when they are due; what fails is read again from where it was."""

    def __init__(self, db: Database, clock: Callable[[], datetime], *, recorded: Callable[[], None]) -> None:
        """``recorded`` is called on the loop once something new is in the books."""
        self._db = db
        self._clock = clock
        self._recorded = recorded
        self._failures: dict[str, int] = {}
        self._said: dict[str, str] = {}

    async def read(self, source: Source) -> bool:
        """Read a source if it is due; whether it brought anything."""
        feed = await asyncio.to_thread(self._claim, source)
        if feed is None:
            return False
        at = self._clock()
        try:
            news = await source.news(ReadTo.read(feed.cursor))
            await asyncio.to_thread(self._keep, feed, source, news, at)
        except (Unanswered, Withdrawn) as silent:
            await asyncio.to_thread(self._give_up, feed, silent)
            return False
        except LeaseLost:
            return False
        except BaseException:
            # Cancelled, or a bug of ours: whoever reads next need not wait for the lease to end.
            await asyncio.shield(asyncio.to_thread(self._give_up, feed, None))
            raise
        self._failures.pop(source.name, None)
        self._said.pop(source.name, None)
        if news is not None:
            self._recorded()
        return news is not None

    def _claim(self, source: Source) -> Feed | None:
        with self._db.transaction() as tx:
            feed = feeds.claim(tx, words.PLATFORM, source.name, by=uuid4().hex, at=self._clock(), lease=_LEASE)
            if feed is not None:
                tx.expunge(feed)
            return feed

    def _keep(self, feed: Feed, source: Source, news: News | None, at: datetime) -> None:
        with self._db.transaction() as tx:
            cursor = news.read_to.spelled() if news is not None else None
            feeds.keep(tx, feed, cursor=cursor, next_at=at + source.every, at=at)
            if news is not None:
                news.record(tx, at)

    def _give_up(self, feed: Feed, silent: Unanswered | Withdrawn | None) -> None:
        times = self._failures[feed.name] = self._failures.get(feed.name, 0) + 1
        pause = min(_FIRST_PAUSE * 2 ** min(times - 1, 10), _LONGEST_PAUSE)
        if isinstance(silent, Unanswered) and silent.retry_after is not None:
            pause = max(pause, timedelta(seconds=min(silent.retry_after, 86_400)))
        with self._db.transaction() as tx:
            feeds.give_up(tx, feed, next_at=self._clock() + pause)
        kind = type(silent).__name__
        if silent is not None and self._said.get(feed.name) != kind:  # not the same words every few minutes
            _log.warning("X's %s wait: %s", feed.name, silent)
        self._said[feed.name] = kind


def each_by_itself(tx: Session, record: Callable[[Session, T], object], entries: list[T]) -> None:
    """Record entries one by one: one of which nothing can be made must not hold up the others for ever."""
    for entry in entries:
        try:
            with tx.begin_nested():
                record(tx, entry)
        except Exception as error:
            if is_away(error):
                raise
            # Where it went wrong, not what it said.
            _log.error("X: %s cannot be recorded and is left out: %s", type(entry).__name__, place_of(error))
