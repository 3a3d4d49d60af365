"""The hub on Discord: discord.py's client, with the stream that goes in and the mouth that speaks out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import discord

from bot.discord import commands as discord_commands
from bot.discord.interactions import Answering, Interactions, place_of
from bot.discord.mouth import LIMIT, Choice, DiscordMouth
from bot.discord.recheck import Recheck
from bot.discord.stream import Converse, Recorder, backoff
from connectors import discord as words
from connectors.speaking import Button, Picture
from core.database import Database
from core.events import Event
from core.rules import Rules

_log = logging.getLogger(__name__)

_REFUSALS = {
    4004: "Discord does not accept the bot's token; put the right one into connectors.discord.token",
    4013: "Discord does not know an intent that the hub asks for; install a newer flattr-hub",
    4014: "Discord does not allow an intent that the hub asks for; none is privileged, so see the"
    " application's page at https://discord.com/developers/applications",
}


class DiscordRefused(Exception):
    """Discord will not have this bot: trying again is useless; the message names the remedy."""


class DiscordPresence:
    """The hub's account on Discord; a Mouth for the outbox, and a stream that records what it hears."""

    platform = words.PLATFORM
    limit = LIMIT
    remembers_keys = True

    def __init__(
        self,
        token: str,
        db: Database,
        rules: Rules,
        *,
        converse: Converse,
        answer: Answering,
        clock: Callable[[], datetime],
        poke: Callable[[], None],
        pause: Callable[[int], float] = backoff,
        identify_pause: float = 5.0,
        ready_timeout: float = 2.0,
        patience: float = 20.0,
        quick: float = 1.5,
    ) -> None:
        """Nothing is opened before `start`.

        ``converse`` answers a direct message into the outbox, in the transaction that it is given; ``answer``
        is the same conversation for commands and buttons, whose answer goes back at once. ``poke`` wakes the
        outbox's sender; it is called on the loop. The remaining arguments are seconds (``pause``: of the
        n-th wait), and only tests change them.
        """
        self._token = token
        self._pause = pause
        self._identify_pause = identify_pause
        self._ready_timeout = ready_timeout
        self._poke = poke
        self._client: Client | None = None
        self._started: asyncio.Task[Any] | None = None
        self.failures = 0
        """How often in a row the connection was lost for good; 0 while it stands."""
        self.recorder = Recorder(
            db=db, rules=rules, converse=converse, clock=clock, on_messages=self._messages_came, pause=pause
        )
        self.recheck = Recheck(db=db, recorder=self.recorder, client=lambda: self._client, pause=pause)
        self.interactions = Interactions(
            db=db, rules=rules, answer=answer, clock=clock, on_answer=self._messages_came, patience=quick
        )
        self._mouth = DiscordMouth(lambda: self._client, patience=patience)

    @property
    def connected(self) -> bool:
        """Whether events arrive right now."""
        return self._client is not None and self._client.is_ready() and not self._client.is_closed()

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
        await self._mouth.say(account_id, text, key=key, buttons=buttons, picture=picture)

    async def start(self) -> None:
        """Be there until cancelled or closed; raises DiscordRefused if Discord will not have this bot."""
        self._started = asyncio.current_task()
        helpers = [
            asyncio.create_task(self.recorder.run(), name="discord-recorder"),
            asyncio.create_task(self.recheck.run(), name="discord-recheck"),
        ]
        connection = asyncio.create_task(self._stay_connected(), name="discord-connection")
        try:
            # A helper ends only by a bug, which is not to go unnoticed.
            await asyncio.wait({connection, *helpers}, return_when=asyncio.FIRST_COMPLETED)
            for task in (connection, *helpers):
                if task.done():
                    await task
        finally:
            await _ended([connection])
            await self._mouth.close()
            # What was heard goes into the books before we leave, unless the database is away.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.recorder.drain(), 5.0)
            if self.recorder.waiting:
                _log.error("Discord: %d events are lost, the database is away", self.recorder.waiting)
            await _ended(helpers)

    async def close(self) -> None:
        """Leave; returns when `start` has ended."""
        if self._started is not None:
            await _ended([self._started])

    async def _stay_connected(self) -> None:
        while True:
            client = Client(self)
            self._client = client
            try:
                await client.start(self._token)
            except discord.LoginFailure:
                raise DiscordRefused(_REFUSALS[4004]) from None
            except discord.PrivilegedIntentsRequired:
                raise DiscordRefused(_REFUSALS[4014]) from None
            except discord.ConnectionClosed as closed:
                if closed.code in _REFUSALS:
                    raise DiscordRefused(_REFUSALS[closed.code]) from None
                reason = f"closed with code {closed.code}"
            except Exception as error:  # noqa: BLE001 (an event that discord.py cannot read must not end the hub)
                reason = type(error).__name__
                _log.debug("Discord: the client ended", exc_info=error)
            else:
                reason = "closed"
            finally:
                await client.close()
            seconds = self._pause(self.failures)
            self.failures += 1
            _log.warning("Discord: the connection ended (%s); the next try in %.0f s", reason, seconds)
            await asyncio.sleep(seconds)

    def _messages_came(self) -> None:
        self._poke()
        self.recheck.authors()

    # What the client calls.

    def began(self) -> None:
        """A fresh session: events since the last one may be missing."""
        self.failures = 0
        self.recheck.gap()

    def heard(self, event: Event | None) -> None:
        """An event, in the order of the socket."""
        if event is not None:
            self.recorder.take(event)

    @property
    def options(self) -> dict[str, Any]:
        """Settings of the client beside its intents: it keeps no messages and no members."""
        return {
            "max_messages": None,
            "member_cache_flags": discord.MemberCacheFlags.none(),
            "chunk_guilds_at_startup": False,
            "allowed_mentions": discord.AllowedMentions.none(),
            "guild_ready_timeout": self._ready_timeout,
            "max_ratelimit_timeout": 60.0,
        }

    @property
    def identify_pause(self) -> float:
        """Seconds before another session may be opened."""
        return self._identify_pause


INTENTS = discord.Intents(guilds=True, guild_messages=True, guild_reactions=True, dm_messages=True)
"""None is privileged. Messages in servers are wanted for their deletion only; their text is not sent."""


class Client(discord.AutoShardedClient):
    """Hands on what the gateway says. No handler awaits before the event is taken, so their order is kept."""

    def __init__(self, presence: DiscordPresence) -> None:
        super().__init__(intents=INTENTS, **presence.options)
        self._presence = presence
        self.tree = discord_commands.build(self, presence.interactions)
        self.add_dynamic_items(Choice)

    async def setup_hook(self) -> None:
        """Called once, after the login."""
        try:
            if await discord_commands.register(self.tree):
                _log.info("Discord: the commands changed and are registered")
        except (discord.DiscordException, OSError) as error:
            # Reactions and direct messages work without; the next start tries again.
            _log.warning("Discord: the commands could not be registered: %s", type(error).__name__)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Discord allows one session to be opened every five seconds."""
        if not initial:
            await asyncio.sleep(self._presence.identify_pause)

    async def pressed(self, interaction: discord.Interaction, text: str) -> None:
        """A button of ours."""
        await self._presence.interactions.press(interaction, text)

    async def on_shard_connect(self, shard_id: int) -> None:
        """After IDENTIFY, never after RESUME."""
        self._presence.began()

    async def on_message(self, message: discord.Message) -> None:
        """Direct messages from people; what is said in servers is not ours."""
        if not isinstance(message.channel, discord.DMChannel) or message.author.bot or message.is_system():
            return
        self._presence.heard(
            words.messaged(
                user_id=message.author.id,
                handle=message.author.name,
                text=message.content,
                message_id=message.id,
                at=message.created_at,
            )
        )

    async def on_raw_reaction_add(self, raw: discord.RawReactionActionEvent) -> None:
        """A like, if the emoji is one."""
        guild = self.get_guild(raw.guild_id) if raw.guild_id else None
        channel = guild.get_channel_or_thread(raw.channel_id) if guild else None
        self._presence.heard(words.liked(_reaction(raw), place_of(guild, channel)))

    async def on_raw_reaction_remove(self, raw: discord.RawReactionActionEvent) -> None:
        """An unlike."""
        self._presence.heard(words.unliked(_reaction(raw)))

    async def on_raw_reaction_clear(self, raw: discord.RawReactionClearEvent) -> None:
        """A moderator removed all reactions."""
        self._presence.heard(words.cleared(message_id=raw.message_id, channel_id=raw.channel_id, guild_id=raw.guild_id))

    async def on_raw_reaction_clear_emoji(self, raw: discord.RawReactionClearEmojiEvent) -> None:
        """A moderator removed all reactions of one emoji."""
        self._presence.heard(
            words.cleared(
                message_id=raw.message_id,
                channel_id=raw.channel_id,
                guild_id=raw.guild_id,
                emoji_name=raw.emoji.name,
                emoji_id=raw.emoji.id,
            )
        )

    async def on_raw_message_delete(self, raw: discord.RawMessageDeleteEvent) -> None:
        """Content that is gone keeps what it earned."""
        self._gone([raw.message_id], raw.channel_id, raw.guild_id)

    async def on_raw_bulk_message_delete(self, raw: discord.RawBulkMessageDeleteEvent) -> None:
        """The same for many."""
        self._gone(sorted(raw.message_ids), raw.channel_id, raw.guild_id)

    def _gone(self, message_ids: Iterable[int], channel_id: int, guild_id: int | None) -> None:
        if guild_id is not None:
            for each in message_ids:
                self._presence.heard(words.gone(message_id=each, channel_id=channel_id, guild_id=guild_id))


def _reaction(raw: discord.RawReactionActionEvent) -> words.Reaction:
    return words.Reaction(
        user_id=raw.user_id,
        message_id=raw.message_id,
        channel_id=raw.channel_id,
        guild_id=raw.guild_id,
        emoji_name=raw.emoji.name,
        emoji_id=raw.emoji.id,
        author_id=raw.message_author_id,
        handle=raw.member.name if raw.member else None,
        by_bot=raw.member.bot if raw.member else False,
    )


async def _ended(tasks: Iterable[asyncio.Task[Any]]) -> None:
    waiting = [task for task in tasks if task is not asyncio.current_task()]
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
