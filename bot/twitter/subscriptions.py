"""Keeps X's subscriptions in step with the members: once a day, and as soon as somebody links or leaves.

Everything may be done twice: what is there is listed first, then what is superfluous goes, then what is missing is
made. After an answer that was lost the list is read again before anything is made again.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlmodel import col, select

from bot.twitter.access import Accesses, asked
from bot.twitter.wanted import There, Wanted, difference, made_of, there_of, wanted_of
from connectors import twitter as words
from connectors.base import Asker
from connectors.client import Garbled, Unanswered, Unreachable
from connectors.linking import Grant, Withdrawn
from core.access.tables import Access
from core.database import Database
from core.events import AccountRef
from core.listings import feeds
from core.listings.leases import LeaseLost
from core.listings.tables import Feed
from core.people import persons
from core.people.tables import Account

_log = logging.getLogger(__name__)

NAME = "subscriptions"
DAILY = timedelta(days=1)
_LEASE = timedelta(minutes=30)
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=6)
_ROUNDS = 3
"""How often the list is read again after lost answers, before the rest waits."""
_PAGES = 200
_OPERATORS = frozenset({"client-forbidden", "unsupported-authentication"})
"""Refusals that concern the app, not one member: asking for the next member is useless."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InStep:
    """How the subscriptions stand."""

    made: int = 0
    removed: int = 0
    refused: int = 0
    """Members for whom X refused one, or who have no access any more."""
    left_out: int = 0
    """Members who do not fit under X's ceiling; they are heard by the daily page of likes only."""


class Subscriptions:
    """One for a process; several processes take turns."""

    def __init__(
        self,
        *,
        asker: Asker,
        accesses: Accesses,
        db: Database,
        bot: AccountRef | None,
        address: str,
        likes: bool,
        letters: bool,
        clock: Callable[[], datetime],
    ) -> None:
        """``address``: where X delivers. ``likes``: may be listened to. ``letters``: the webhook brings them."""
        self._asker = asker
        self._accesses = accesses
        self._db = db
        self._bot = bot
        self._address = address
        self._likes = likes
        self._letters = letters
        self._clock = clock
        self._not_before: datetime | None = None
        self._failures = 0
        self._said = ""
        self.latest: InStep | None = None
        """How the last round of this process ended."""

    async def round(self) -> InStep | None:
        """Bring everything in step, if it is time or somebody came or left; None: nothing was to do, or it failed."""
        if self._not_before is not None and self._clock() < self._not_before:
            return None
        given = await asyncio.to_thread(self._given)
        members = [each for each in given if each != self._bot]
        bot = self._bot if self._bot in given else None
        wanted = wanted_of(members, bot, likes=self._likes, letters=self._letters)
        # Who signs in anew may do so because X refused something.
        signs = [f"{each.tag} {given[each.by] if each.by else ''}" for each in wanted]
        state = hashlib.sha256("\n".join([self._address, *signs]).encode()).hexdigest()
        feed = await asyncio.to_thread(self._claim, state)
        if feed is None:
            return None
        try:
            found = await self._in_step(wanted)
        except (Unanswered, Withdrawn) as silent:
            await asyncio.to_thread(self._give_up, feed, silent)
            return None
        except BaseException:
            await asyncio.shield(asyncio.to_thread(self._give_up, feed, None))
            raise
        await asyncio.to_thread(self._keep, feed, state)
        self._tell(found, len(members))
        return found

    # What is there, what is missing

    async def _in_step(self, wanted: Sequence[Wanted]) -> InStep:
        hook = await self._webhook()
        made = removed = refused = 0
        hopeless: set[str] = set()
        for attempt in range(1, _ROUNDS + 1):
            plan = difference(
                [each for each in wanted if each.tag not in hopeless],
                await self._listed(),
                webhook_id=hook,
                ceiling=words.ceiling(self._asker.settings),
            )
            try:
                for old in plan.superfluous:
                    await self._remove(old)
                    removed += 1
                for new in plan.missing:
                    if await self._make(new, hook):
                        made += 1
                    else:
                        refused += 1
                        hopeless.add(new.tag)
            except (Unreachable, Garbled) as lost:
                if attempt == _ROUNDS:
                    raise
                _log.info("X: %s; the subscriptions are listed again", lost)
                continue
            return InStep(made=made, removed=removed, refused=refused, left_out=plan.left_out)
        raise AssertionError("the last attempt returns or raises")

    async def _webhook(self) -> str:
        """X's id for the hub's address, registered and valid."""
        mine = await self._registered()
        if mine is None:
            try:
                await words.ask(self._asker, "POST", "/2/webhooks", json={"url": self._address})
            except Unreachable:
                pass  # it may be there all the same
            except words.Refused as refused:
                if "Duplicate" not in refused.title:
                    raise
            mine = await self._registered()
        if mine is None:
            raise Unanswered(f"X has not registered {self._address}; it must be https, without a port, and reachable")
        number = words.id_of(mine)
        if mine.get("valid") is not True:
            await words.ask(self._asker, "PUT", f"/2/webhooks/{number}")
            _log.warning("X had given up %s; it was asked to try it again", self._address)
        return number

    async def _registered(self) -> dict[str, Any] | None:
        hooks = words.objects(await words.ask(self._asker, "GET", "/2/webhooks"), "data")
        return next((each for each in hooks if each.get("url") == self._address), None)

    async def _listed(self) -> list[There]:
        """All subscriptions of the app; Garbled if the list is not whole, for then nothing may be concluded."""
        listed: list[There] = []
        params = {"max_results": "1000"}
        for _ in range(_PAGES):
            page = await words.ask(self._asker, "GET", "/2/activity/subscriptions", params=params)
            entries, meta = page.get("data", []), page.get("meta")
            if not isinstance(meta, dict) or not isinstance(entries, list):
                raise Garbled("X's list of subscriptions cannot be read; it is read again later")
            found = [one for each in entries if isinstance(each, dict) and (one := there_of(each)) is not None]
            if len(found) != len(entries):
                raise Garbled("X's list of subscriptions cannot be read; it is read again later")
            listed += found
            token = meta.get("next_token")
            if not isinstance(token, str) or not token:
                total = meta.get("total_subscriptions")
                if isinstance(total, int) and total != len(listed):
                    raise Garbled("X's list of subscriptions has not as many as it says; it is read again later")
                return listed
            params = {**params, "pagination_token": token}
        raise Garbled("X's list of subscriptions does not end; it is read again later")

    async def _make(self, wanted: Wanted, hook: str) -> bool:
        """Make one; False if X does not allow it for this member (who may have to sign in again)."""
        body = {"event_type": wanted.event_type, "filter": wanted.filter, "tag": wanted.tag, "webhook_id": hook}

        async def put(grant: Grant | None) -> dict[str, Any]:
            return await words.ask(self._asker, "POST", "/2/activity/subscriptions", grant=grant, json=body)

        try:
            answer = await put(None) if wanted.by is None else await asked(self._accesses, wanted.by, put)
        except Withdrawn:
            return False
        except words.Refused as refused:
            if refused.kind in _OPERATORS:
                raise
            _log.info("X refuses the subscription %s: %s", wanted.tag, refused)
            return "Duplicate" in refused.title
        if made_of(answer) is None:
            raise Garbled("X does not say whether it has made a subscription")
        return True

    async def _remove(self, old: There) -> None:
        try:
            await words.ask(self._asker, "DELETE", f"/2/activity/subscriptions/{old.number}")
        except words.Refused as refused:
            if refused.status != 404:  # somebody was faster
                raise

    # The books

    def _given(self) -> dict[AccountRef, datetime]:
        """Whose access the hub has since when: members', and the bot's own; the ceiling leaves out who linked last."""
        query = (
            select(Account, Access.given_at)
            .join(Access, col(Access.account_id) == col(Account.id))
            .where(Account.platform == words.PLATFORM, col(Access.ended_at).is_(None))
            .where(col(Account.needs_relink_at).is_(None))
            .order_by(col(Account.linked_at), col(Account.id))
        )
        with self._db.reading() as tx:
            return {persons.ref(row): at for row, at in tx.exec(query).all() if self._counts(row)}

    def _counts(self, row: Account) -> bool:
        return row.person_id is not None or (self._bot is not None and row.account_id == self._bot.account_id)

    def _claim(self, state: str) -> Feed | None:
        now = self._clock()
        with self._db.reading() as tx:
            row = tx.get(Feed, (words.PLATFORM, NAME))
            changed = row is not None and row.cursor != state and row.next_at > now
            if row is not None and row.next_at > now and not changed:
                return None
        with self._db.transaction() as tx:
            if changed:
                # Somebody came or left: the day need not be over.
                tx.execute(
                    sa.update(Feed)
                    .where(col(Feed.platform) == words.PLATFORM, col(Feed.name) == NAME, col(Feed.next_at) > now)
                    .values(next_at=now)
                )
            feed = feeds.claim(tx, words.PLATFORM, NAME, by=uuid4().hex, at=now, lease=_LEASE)
            if feed is not None:
                tx.expunge(feed)
            return feed

    def _keep(self, feed: Feed, state: str) -> None:
        self._failures, self._not_before, self._said = 0, None, ""
        try:
            with self._db.transaction() as tx:
                feeds.keep(tx, feed, cursor=state, next_at=self._clock() + DAILY, at=self._clock())
        except LeaseLost:
            pass  # another process has done the same meanwhile

    def _give_up(self, feed: Feed, silent: Unanswered | Withdrawn | None) -> None:
        self._failures += 1
        pause = min(_FIRST_PAUSE * 2 ** min(self._failures - 1, 10), _LONGEST_PAUSE)
        if isinstance(silent, Unanswered) and silent.retry_after is not None:
            pause = max(pause, timedelta(seconds=min(silent.retry_after, 86_400)))
        self._not_before = self._clock() + pause
        if silent is not None and str(silent) != self._said:
            _log.warning("X: the subscriptions are not in step: %s", silent)
            self._said = str(silent)
        with self._db.transaction() as tx:
            feeds.give_up(tx, feed, next_at=self._not_before)

    def _tell(self, found: InStep, members: int) -> None:
        if found.made or found.removed or found.refused:
            _log.info(
                "X: %d subscriptions made, %d removed, %d refused, for %d members",
                found.made,
                found.removed,
                found.refused,
                members,
            )
        if found.left_out and (self.latest is None or self.latest.left_out != found.left_out):
            _log.warning(
                "X allows the app %d subscriptions: %d members are heard once a day only; ask X for a higher tier",
                words.ceiling(self._asker.settings),
                found.left_out,
            )
        self.latest = found
