"""The hub's account on X: a mouth for the outbox, and what is looked after there every minute."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from typing import Any

from bot.twitter.access import Accesses
from bot.twitter.feed import Feeding
from bot.twitter.letters import Converse, Letters
from bot.twitter.mentions import Mentions
from bot.twitter.mouth import TwitterMouth
from bot.twitter.subscriptions import Subscriptions
from connectors import twitter as words
from connectors.base import Asker
from connectors.speaking import Button, Picture, Unheard
from core.database import Database, is_away
from core.events import AccountRef
from core.mail.faults import place_of
from core.rules import Rules

_log = logging.getLogger(__name__)


class TwitterPresence:
    """Call `round` every minute or so; nothing is asked of X more often than its price allows."""

    platform = words.PLATFORM
    limit = TwitterMouth.limit
    remembers_keys = TwitterMouth.remembers_keys

    def __init__(
        self,
        *,
        asker: Asker,
        accesses: Accesses,
        db: Database,
        rules: Rules,
        converse: Converse,
        clock: Callable[[], datetime],
        poke: Callable[[], None],
        address: str,
        likes: bool,
    ) -> None:
        """``accesses`` is the AccessKeeper; ``converse`` answers a letter into the outbox, in the transaction that it
        is given; ``poke`` wakes the outbox's sender; ``address``: where X delivers; ``likes``: may be listened to.
        """
        bot = asker.settings.get("bot", "").strip()
        self.bot = AccountRef(platform=words.PLATFORM, account_id=bot) if bot else None
        polls = asker.settings.get("dm_by", "webhook").strip() == "poll"
        self._mouth = TwitterMouth(asker, accesses, self.bot, clock) if self.bot else None
        self._feeding = Feeding(db, clock, recorded=poke)
        self.subscriptions = Subscriptions(
            asker=asker,
            accesses=accesses,
            db=db,
            bot=self.bot,
            address=address,
            likes=likes,
            letters=not polls,
            clock=clock,
        )
        self._letters = Letters(asker, accesses, self.bot, converse) if self.bot and polls else None
        mentions = Mentions(asker, db, rules, self.bot) if self.bot else None
        self._mentions = mentions if mentions and mentions.every else None
        self._turn = asyncio.Lock()
        self._under_way: list[asyncio.Task[object]] = []
        self._closed = False

    async def say(
        self,
        account_id: str,
        text: str,
        *,
        key: str,
        buttons: Sequence[Button] = (),
        picture: Picture | None = None,
    ) -> None:
        """Send one direct message; Unheard if that failed."""
        if self._mouth is None:
            raise Unheard("connectors.twitter.bot names no account to speak from", retry_after=600.0)
        await self._mouth.say(account_id, text, key=key, buttons=buttons, picture=picture)

    async def round(self) -> None:
        """Do once whatever is due; what fails is tried again later, and says so once."""
        if self._closed or self._turn.locked():
            return
        async with self._turn:
            work: list[Coroutine[Any, Any, object]] = [self.subscriptions.round()]
            if self._letters is not None:
                work.append(self._feeding.read(self._letters))
            if self._mentions is not None:
                work.append(self._feeding.read(self._mentions))
            self._under_way = [asyncio.create_task(each) for each in work]
            try:
                await asyncio.wait(self._under_way)
            finally:
                self._stop()
                ends = await asyncio.gather(*self._under_way, return_exceptions=True)
            for end in ends:
                if isinstance(end, Exception):
                    self._note(end)

    def _stop(self) -> None:
        for task in self._under_way:
            task.cancel()

    async def close(self) -> None:
        """Begin nothing more; returns when what was under way has ended."""
        self._closed = True
        self._stop()
        async with self._turn:
            pass

    def _note(self, error: Exception) -> None:
        if is_away(error):
            _log.warning("the database is away (%s); X waits", place_of(error))
        else:
            _log.error("X: a round failed by a bug: %s", place_of(error))
