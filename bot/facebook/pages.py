"""Keeps connected Pages in step: that they tell us, who their members are, and what their lists say of likes."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from bot.facebook import rows
from bot.facebook.mouth import Grants
from connectors import facebook
from connectors.base import Asker
from connectors.client import Limited, Unanswered, Unreachable
from connectors.facebook import Facebook, Post, Refusal
from connectors.linking import Grant, Withdrawn
from core.database import Database, from_micros, is_away, to_micros
from core.listings import feeds
from core.listings.leases import LeaseLost
from core.listings.reactors import Remembered, Settled, Shown
from core.listings.tables import Feed
from core.rules import Rules

_log = logging.getLogger(__name__)

OFTEN = timedelta(hours=6)
"""Between two readings of a Page's lists."""

DAILY = timedelta(days=1)
"""Between two looks at a Page's subscription, and two questions about a person's id there that had no answer."""

LEASE = timedelta(minutes=30)
_SOON, _LATE = timedelta(minutes=10), timedelta(days=1)
_MOST_BINDINGS = 200
"""Questions about people's ids in one reading of a Page."""
_MOST_REFUSALS = 5
"""In a row; then this Page is not of the app's Business, and nobody else is asked about today."""


@dataclass(slots=True, kw_only=True)
class Memory:
    """What is remembered of a Page between two readings; the feed's cursor."""

    subscribed_at: datetime | None = None
    lists_at: datetime | None = None
    """When the lists were last read to their end."""
    posts: dict[str, Remembered] = field(default_factory=dict)
    bound: dict[str, datetime] = field(default_factory=dict)
    """People by their id in our app, and when they were bound here: who unlinks that is not bound again."""
    unbound: dict[str, datetime] = field(default_factory=dict)
    """Whom Facebook told no id of, and until when they are not asked about."""

    def dumped(self) -> str:
        """As the feed's cursor keeps it."""
        content = {
            "subscribed": to_micros(self.subscribed_at) if self.subscribed_at else None,
            "lists": to_micros(self.lists_at) if self.lists_at else None,
            "posts": {name: kept.dumped() for name, kept in self.posts.items()},
            "bound": {name: to_micros(at) for name, at in self.bound.items()},
            "unbound": {name: to_micros(at) for name, at in self.unbound.items()},
        }
        return json.dumps(content, separators=(",", ":"))

    @classmethod
    def loaded(cls, cursor: str | None) -> Memory:
        """The inverse; of a Page read for the first time an empty one."""
        if cursor is None:
            return cls()
        content: dict[str, Any] = json.loads(cursor)
        subscribed, lists = content["subscribed"], content["lists"]
        return cls(
            subscribed_at=from_micros(subscribed) if subscribed is not None else None,
            lists_at=from_micros(lists) if lists is not None else None,
            posts={name: Remembered.loaded(kept) for name, kept in content["posts"].items()},
            bound={name: from_micros(at) for name, at in content["bound"].items()},
            unbound={name: from_micros(at) for name, at in content["unbound"].items()},
        )


@dataclass(slots=True, kw_only=True)
class _Read:
    """What one reading of a Page brought."""

    posts: Sequence[Post] = ()
    shown: list[Shown] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    wanted: set[str] = field(default_factory=set)
    again_in: timedelta = OFTEN
    whole: bool = True


class FacebookPages:
    """One for a process; several processes share the Pages by leases. `round` reads whatever is due, once."""

    def __init__(
        self,
        *,
        db: Database,
        rules: Rules,
        connector: Facebook,
        asker: Asker,
        access: Grants,
        clock: Callable[[], datetime],
        holder: str,
        likes: bool = True,
    ) -> None:
        """``likes``: whether likes may be asked for; ids and subscriptions are kept in step in any case."""
        self._likes = likes
        self._db = db
        self._rules = rules
        self._connector = connector
        self._asker = asker
        self._access = access
        self._clock = clock
        self._holder = holder
        self._stopped = False
        self._signed_in_at = clock()

    def close(self) -> None:
        """Ask nothing more; what was read of a Page is kept, and the rest is read after the next start."""
        self._stopped = True

    async def round(self) -> None:
        """Read every Page that is due; one that fails waits, the others go on. Who has just signed in is bound."""
        try:
            self._signed_in_at = await asyncio.to_thread(rows.hurry, self._db, self._signed_in_at, self._clock())
            for page_id in await asyncio.to_thread(rows.connected, self._db):
                if self._stopped:
                    return
                await self._page(page_id)
        except Exception as error:
            if not is_away(error):
                raise
            _log.warning("the database is away; Facebook's Pages are read later")

    async def _page(self, page_id: str) -> None:
        feed = await asyncio.to_thread(self._claim, page_id)
        if feed is None:
            return
        page = facebook.page(page_id)
        grant: Grant | None = None
        try:
            grant = await self._access.grant(page)
            if grant is None:
                await asyncio.to_thread(self._give_up, feed, _LATE)
                return
            memory = Memory.loaded(feed.cursor)
            await self._subscribe(grant, memory)
            await self._bind(page_id, memory)
            read = await self._read(grant, page_id, memory)
            settled = await asyncio.to_thread(self._record, feed, page_id, memory, read)
        except Withdrawn as withdrawn:
            _log.warning("Facebook page %s: %s; its owner is asked to sign in again", page_id, withdrawn)
            await self._access.withdrawn(page, grant)  # so that it is not read until they did
            await asyncio.to_thread(self._give_up, feed, _SOON)
        except LeaseLost:
            _log.info("Facebook page %s was read by another process meanwhile", page_id)
        except Unanswered as unanswered:
            _log.info("Facebook page %s: %s", page_id, unanswered)
            await asyncio.to_thread(self._give_up, feed, _wait(unanswered))
        else:
            if settled.added or settled.withdrawn or settled.held:
                _log.info(
                    "Facebook page %s: %d likes that were missed, %d taken back, %d held",
                    page_id,
                    settled.added,
                    settled.withdrawn,
                    settled.held,
                )

    async def _subscribe(self, grant: Grant, memory: Memory) -> None:
        now = self._clock()
        if memory.subscribed_at is None or now - memory.subscribed_at >= DAILY:
            if await self._connector.subscribe(self._asker, grant):
                _log.info("Facebook page %s: subscribed", grant.account.account_id)
            memory.subscribed_at = now

    async def _bind(self, page_id: str, memory: Memory) -> None:
        """Bind the ids of people who signed in to those that the Page sees; Pages of other Businesses do not tell."""
        now = self._clock()
        memory.unbound = {asid: until for asid, until in memory.unbound.items() if until > now}
        refusals = asked = 0
        for asid, linked_at in await asyncio.to_thread(rows.signed_in, self._db):
            before = memory.bound.get(asid)
            if asid in memory.unbound or (before is not None and before >= linked_at):
                continue
            if self._stopped:
                return
            if refusals >= _MOST_REFUSALS or asked >= _MOST_BINDINGS:
                memory.unbound[asid] = now + (DAILY if refusals >= _MOST_REFUSALS else OFTEN)
                continue
            asked += 1
            try:
                psid = await self._connector.page_scoped(self._asker, asid, page_id)
            except Refusal as refusal:
                if refusal.is_ours:
                    raise
                psid, refusals = None, refusals + 1
            else:
                refusals = 0
            if psid is None or not await asyncio.to_thread(
                rows.bind, self._db, self._rules, asid, facebook.person(page_id, psid), self._clock()
            ):
                memory.unbound[asid] = now + DAILY
            else:
                memory.bound[asid] = now

    async def _read(self, grant: Grant, page_id: str, memory: Memory) -> _Read:
        """The lists of the latest posts and of those with standing likes, if they are due; the longest unread first."""
        now = self._clock()
        wait = OFTEN if memory.lists_at is None else memory.lists_at + OFTEN - now
        if not self._likes or (memory.lists_at is not None and wait > timedelta(0)):
            return _Read(wanted=set(memory.posts), again_in=wait)
        read = _Read(posts=await self._connector.posts(self._asker, grant))
        made_at = {post.post_id: post.made_at for post in read.posts}
        standing = await asyncio.to_thread(rows.standing_posts, self._db, page_id)
        read.wanted = {*made_at, *standing}
        never = datetime.min.replace(tzinfo=self._clock().tzinfo)

        def last(post_id: str) -> tuple[datetime, str]:
            kept = memory.posts.get(post_id)
            return (kept.listed_at if kept is not None and kept.listed_at is not None else never), post_id

        may_look = True
        for post_id in sorted(read.wanted, key=last):
            if self._stopped:
                read.again_in, read.whole = _SOON, False
                break
            asked_at = self._clock()
            try:
                found = await self._connector.reactors(self._asker, grant, post_id)
            except Refusal as refusal:
                # What the Page still lists is there: then it is the right to look that is missing.
                if refusal.is_missing and post_id not in made_at:
                    read.gone.append(post_id)
                elif refusal.is_missing:
                    may_look = False
                continue
            except (Limited, Unreachable) as unanswered:
                read.again_in, read.whole = _wait(unanswered), False
                break
            except Unanswered as unanswered:
                _log.info("Facebook page %s: %s", page_id, unanswered)
                continue
            read.shown.append(
                Shown(
                    thing=facebook.post(post_id),
                    author=facebook.page(page_id),
                    likers=frozenset(f"{page_id}:{psid}" for psid in found.likers),
                    complete=found.complete,
                    made_at=made_at.get(post_id),
                    asked_at=asked_at,
                )
            )
        if not may_look:
            read.gone.clear()
        if read.whole:
            memory.lists_at = now
        return read

    # On the database's thread

    def _claim(self, page_id: str) -> Feed | None:
        with self._db.transaction() as tx:
            return feeds.claim(
                tx,
                facebook.PLATFORM,
                f"page:{page_id}",
                by=f"{self._holder}:{uuid4().hex}",
                at=self._clock(),
                lease=LEASE,
            )

    def _give_up(self, feed: Feed, wait: timedelta) -> None:
        with self._db.transaction() as tx:
            feeds.give_up(tx, feed, next_at=self._clock() + wait)

    def _record(self, feed: Feed, page_id: str, memory: Memory, read: _Read) -> Settled:
        """What was read and how far, in one transaction; then what only describes, in one of its own."""
        now = self._clock()
        with self._db.transaction() as tx:
            settled = rows.settle(tx, self._rules, page_id, read.shown, memory.posts)
            rows.tell_gone(tx, self._rules, read.gone, now)
            kept = {name: was for name, was in memory.posts.items() if name in read.wanted and name not in read.gone}
            cursor = replace(memory, posts={**kept, **settled.remembered}).dumped()
            feeds.keep(tx, feed, cursor=cursor, next_at=now + read.again_in, at=now)
        with self._db.transaction() as tx:
            rows.describe(tx, self._rules, self._connector, page_id, read.posts, now)
        return settled


def _wait(unanswered: Unanswered) -> timedelta:
    return max(_SOON, min(timedelta(seconds=unanswered.retry_after or 0), _LATE))
