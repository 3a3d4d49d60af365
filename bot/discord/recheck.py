"""Asks Discord what its stream could not tell: which likes fell away during a gap, and who posted what."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

import aiohttp
import discord
from sqlmodel import col, select

from bot.discord.stream import Recorder, backoff
from connectors import discord as words
from core.database import Database, is_away
from core.events import Unliked
from core.likes import BY_HAND
from core.months.tables import Month
from core.people.tables import Account
from core.tables import Flattr, Like, Thing, ThingName

_log = logging.getLogger(__name__)

_GONE = (10003, 10008)
"""Unknown channel, unknown message: https://docs.discord.com/developers/topics/opcodes-and-status-codes#json"""
_ROUNDS = 4
_CHANGEABLE = ("open", "review")

Message = tuple[int | None, int, int]
"""Server, channel, message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A like that stands in our books and can still be withdrawn."""

    user_id: int
    message: Message
    like_id: str

    @property
    def key(self) -> str:
        """Which emoji it was."""
        return words.key_of_like(self.like_id)


class Recheck:
    """Runs beside the stream, one question at a time, paced by discord.py's limiter."""

    def __init__(
        self,
        *,
        db: Database,
        recorder: Recorder,
        client: Callable[[], discord.Client | None],
        pause: Callable[[int], float] = backoff,
    ) -> None:
        self._db = db
        self._recorder = recorder
        self._client = client
        self._pause = pause
        self._gap = False
        self._wanted = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._asked_author: set[Message] = set()
        self.runs = 0
        """How many gaps have been gone over."""

    def gap(self) -> None:
        """The stream began anew: what happened before it may have been missed."""
        self._gap = True
        self._want()

    def authors(self) -> None:
        """Somebody may have flattred an address, which does not tell its author."""
        self._want()

    async def settled(self) -> None:
        """Wait until nothing is left to ask."""
        await self._idle.wait()

    def _want(self) -> None:
        self._wanted.set()
        self._idle.clear()

    async def run(self) -> None:
        """Answer every call, for ever."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            gap, self._gap = self._gap, False
            try:
                if gap:
                    await self._go_over(await asyncio.to_thread(self._standing))
                    self.runs += 1
                await self._find_authors(await asyncio.to_thread(self._authorless))
            except Exception as error:
                if not is_away(error):
                    raise
                await asyncio.sleep(self._pause(5))
                self._gap = self._gap or gap
                self._want()
            if not self._wanted.is_set():
                self._idle.set()

    async def _go_over(self, standing: Sequence[Standing]) -> None:
        """Withdraw what two looks or one complete listing prove to be gone."""
        total = Counter(like.user_id for like in standing)
        withdrawn = await self._ask(standing)
        lost = Counter(like.user_id for like, _ in withdrawn)
        # money.md: when an implausible part of an account's likes vanishes at once, hold and look again.
        held = {user for user, count in lost.items() if count > max(20, total[user] // 10)}
        if held:
            _log.warning("Discord: likes of %d accounts vanished in numbers; looking again", len(held))
            suspects = [like for like, _ in withdrawn if like.user_id in held]
            again = {like for like, _ in await self._ask(suspects)}
            withdrawn = [(like, at) for like, at in withdrawn if like.user_id not in held or like in again]
        for like, at in withdrawn:
            self._recorder.take(_unliked(like), at)
        if standing:
            _log.info("Discord: asked about %d likes, %d were taken back", len(standing), len(withdrawn))

    async def _ask(self, standing: Sequence[Standing]) -> list[tuple[Standing, datetime]]:
        """Those that are provably gone, each with the time from before the question."""
        proved: list[tuple[Standing, datetime]] = []
        open_questions = _by_message(standing)
        for attempt in range(_ROUNDS):
            unanswered: list[tuple[Message, list[Standing]]] = []
            for message, likes in open_questions:
                at = self._recorder.now()
                try:
                    answer = await self._likers(message, {like.key for like in likes})
                except _Unanswered:
                    unanswered.append((message, likes))
                    continue
                if answer is not None:
                    proved += [(like, at) for like in likes if like.user_id not in answer[like.key]]
            if not unanswered:
                break
            open_questions = unanswered
            if attempt < _ROUNDS - 1:
                await asyncio.sleep(self._pause(attempt + 3))
        else:
            _log.warning(
                "Discord: no answer about %d messages; their likes stand until the next start",
                len(open_questions),
            )
        return proved

    async def _likers(self, message: Message, keys: Iterable[str]) -> dict[str, set[int]] | None:
        """Who reacted with each emoji, by complete listings; None where nothing can be said about likes."""
        found = await self._fetch(message)
        if found is None:
            return None
        users: dict[str, set[int]] = {key: set() for key in keys}
        for reaction in found.reactions:
            key = _key(reaction.emoji)
            if key not in users:
                continue
            try:
                for kind in discord.ReactionType:
                    async for user in reaction.users(limit=1_000_000, type=kind):
                        users[key].add(user.id)
            except _REFUSED as error:
                raise _Unanswered from error
            if len(users[key]) < reaction.normal_count + reaction.burst_count:
                raise _Unanswered  # somebody is counted who was not listed: not complete, so no proof
        return users

    async def _fetch(self, message: Message) -> discord.Message | None:
        """The message; None if it is deleted (said to the books) or not ours to see."""
        client = self._client()
        if client is None or client.is_closed():
            raise _Unanswered
        guild_id, channel_id, message_id = message
        channel = client.get_partial_messageable(channel_id, guild_id=guild_id)
        try:
            return await channel.fetch_message(message_id)
        except discord.NotFound as missing:
            if missing.code in _GONE:
                self._recorder.take(words.gone(message_id=message_id, channel_id=channel_id, guild_id=guild_id))
            return None
        except discord.Forbidden:
            return None
        except _REFUSED as error:
            raise _Unanswered from error

    async def _find_authors(self, messages: Iterable[Message]) -> None:
        for message in messages:
            if message in self._asked_author:
                continue
            try:
                found = await self._fetch(message)
            except _Unanswered:
                continue
            self._asked_author.add(message)
            if found is not None and not found.webhook_id:
                guild_id, channel_id, message_id = message
                self._recorder.take(
                    words.seen(
                        message_id=message_id,
                        channel_id=channel_id,
                        guild_id=guild_id,
                        author_id=found.author.id,
                    )
                )

    def _standing(self) -> list[Standing]:
        query = (
            select(Account.account_id, Like.fact, Thing.url)
            .join(Like, col(Like.account_id) == col(Account.id))
            .join(Flattr, col(Flattr.id) == col(Like.flattr_id))
            .join(Month, col(Month.id) == col(Flattr.month))
            .join(Thing, col(Thing.id) == col(Like.thing_id))
            .where(Account.platform == words.PLATFORM, col(Like.standing), Like.reaction != BY_HAND)
            .where(col(Month.stage).in_(_CHANGEABLE))
            .order_by(col(Like.id))
        )
        with self._db.reading() as tx:
            rows = tx.exec(query).all()
        standing = []
        for account_id, fact, url in rows:
            message = words.locate(url)
            if message is not None and fact.startswith(f"#{message[2]}:"):
                standing.append(Standing(user_id=int(account_id), message=message, like_id=fact[1:]))
        return standing

    def _authorless(self) -> list[Message]:
        query = (
            select(Thing.url)
            .join(ThingName, col(ThingName.thing_id) == col(Thing.id))
            .join(Flattr, col(Flattr.thing_id) == col(Thing.id))
            .join(Month, col(Month.id) == col(Flattr.month))
            .where(ThingName.platform == words.PLATFORM, col(Thing.author_id).is_(None))
            .where(col(Flattr.author_id).is_(None), col(Month.stage) == "open")
            .distinct()
        )
        with self._db.reading() as tx:
            return [message for url in tx.exec(query).all() if (message := words.locate(url)) is not None]


class _Unanswered(Exception):
    """Neither yes nor no: to be asked again."""


_REFUSED = (discord.HTTPException, discord.RateLimited, aiohttp.ClientError, OSError, TimeoutError)


def _by_message(standing: Sequence[Standing]) -> list[tuple[Message, list[Standing]]]:
    def place(like: Standing) -> tuple[int, int, int]:
        guild_id, channel_id, message_id = like.message
        return guild_id or 0, channel_id, message_id

    groups = groupby(sorted(standing, key=place), key=lambda like: like.message)
    return [(message, list(likes)) for message, likes in groups]


def _key(emoji: discord.Emoji | discord.PartialEmoji | str) -> str:
    return words.emoji_key(emoji, None) if isinstance(emoji, str) else words.emoji_key(emoji.name, emoji.id)


def _unliked(like: Standing) -> Unliked:
    guild_id, channel_id, message_id = like.message
    thing = words.thing(message_id=message_id, channel_id=channel_id, guild_id=guild_id)
    return Unliked(by=words.account(like.user_id), thing=thing, like_id=like.like_id)
