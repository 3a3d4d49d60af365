"""Answers what people press and choose on Discord: commands, buttons, the message menu, server settings."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

import aiohttp
import discord
from sqlmodel import Session

from bot.discord.mouth import LIMIT, view_of
from bot.splitting import split
from connectors import discord as words
from connectors.speaking import Button
from core import likes, reactions
from core.database import Database, is_away
from core.events import AccountRef, ThingRef
from core.people.tables import Room
from core.rules import Rules

_log = logging.getLogger(__name__)


class Said(Protocol):
    """What the conversation answers."""

    @property
    def text(self) -> str:
        """Plain text of any length."""

    @property
    def buttons(self) -> Sequence[Button]:
        """What can be pressed beneath it."""


Answering = Callable[[Session, AccountRef, str, datetime], Said]
"""The conversation: what to say to an account's words at a time."""


class _Sentence:
    def __init__(self, text: str, *buttons: Button) -> None:
        self.text = text
        self.buttons = buttons


_AWAY = _Sentence("The hub cannot reach its books just now; nothing was changed. Please try again in a minute.")
_BROKEN = _Sentence("Something went wrong on the hub's side; nothing was changed. Its operator can see it.")
_STRANGER = _Sentence(
    "Not counted: this Discord account is not linked to the hub yet. Start here, it takes a minute.",
    Button(label="How it works", text="help"),
    Button(label="Link an account", text="link"),
)
_OUTCOMES = {
    likes.Recorded.counted: _Sentence("Flattred. It counts this month; take it back under `list`."),
    likes.Recorded.standing: _Sentence("You have flattred this already; it counts once."),
    likes.Recorded.not_a_member: _STRANGER,
    likes.Recorded.not_counted: _Sentence(
        "Noted, but it does not count: you paused, or you ignore its author, or the author wants no money.",
        Button(label="Status", text="status"),
    ),
}
_OWN = _Sentence("That is your own message; your own things never count.")


class Interactions:
    """Works in the database first and answers then; slow work is announced, so that Discord waits for it."""

    def __init__(
        self,
        *,
        db: Database,
        rules: Rules,
        answer: Answering,
        clock: Callable[[], datetime],
        on_answer: Callable[[], None],
        patience: float = 1.5,
    ) -> None:
        """``patience``: seconds of work before the answer is announced; Discord hangs up after three."""
        self._db = db
        self._rules = rules
        self._answer = answer
        self._clock = clock
        self._on_answer = on_answer
        self._patience = patience

    async def say(self, interaction: discord.Interaction, text: str, *, ephemeral: bool = True) -> None:
        """Answer words as if the person had sent them as a direct message."""
        by = _account(interaction.user)

        def work() -> Said:
            with self._db.transaction() as tx:
                return self._answer(tx, by, text, self._clock())

        await self._respond(interaction, work, ephemeral=ephemeral)
        self._on_answer()

    async def press(self, interaction: discord.Interaction, text: str) -> None:
        """A button: answered where it hangs, in the direct message or for the presser's eyes only."""
        await self.say(interaction, text, ephemeral=not interaction.context.dm_channel)

    async def flattr(self, interaction: discord.Interaction, message: discord.Message) -> None:
        """The message menu "Flattr": works wherever the person installed the app, and knows the author."""
        by = _account(interaction.user)
        thing = _thing(interaction, message)
        author = None if message.webhook_id else _account(message.author)

        def work() -> Said:
            if author == by:
                return _OWN
            with self._db.transaction() as tx:
                at = self._clock()
                outcome = likes.record_by_hand(tx, self._rules, by, thing, author, at)
            return _OUTCOMES.get(outcome, _BROKEN)

        await self._respond(interaction, work, ephemeral=True)

    async def set_server(self, interaction: discord.Interaction, *, emoji: str | None, counting: bool | None) -> None:
        """A server's own emoji list and whether its reactions count; without either, what holds now."""
        guild_id = interaction.guild_id

        def work() -> Said:
            if guild_id is None:
                return _Sentence("Use this in the server that it is about.")
            with self._db.transaction() as tx:
                return _Sentence(set_room(tx, str(guild_id), emoji=emoji, counting=counting))

        await self._respond(interaction, work, ephemeral=True)

    async def _respond(self, interaction: discord.Interaction, work: Callable[[], Said], *, ephemeral: bool) -> None:
        task = asyncio.ensure_future(asyncio.to_thread(work))
        try:
            done, _ = await asyncio.wait({task}, timeout=self._patience)
            if not done:
                await interaction.response.defer(ephemeral=ephemeral, thinking=True)
            try:
                said = await task
            except Exception as error:
                if not is_away(error):
                    await _send(interaction, _BROKEN, ephemeral=ephemeral)
                    raise
                said = _AWAY
            await _send(interaction, said, ephemeral=ephemeral)
        except (discord.HTTPException, aiohttp.ClientError, OSError) as lost:
            # What was asked for is done; only the answer is not seen, and asking again shows it.
            _log.warning("Discord did not take an answer to an interaction: %s", type(lost).__name__)


def set_room(tx: Session, guild_id: str, *, emoji: str | None, counting: bool | None) -> str:
    """Set what an admin gave, and say what holds from now on; ``default`` goes back to the hub's list."""
    room = tx.get(Room, (words.PLATFORM, guild_id)) or Room(platform=words.PLATFORM, room_id=guild_id)
    if emoji is not None:
        chosen, strange = words.read_emoji(emoji)
        negative = [each for each in chosen if reactions.plain(each) in reactions.NEGATIVE]
        if emoji.strip().lower() == "default":
            room.emoji = None
        elif strange:
            return f"{' '.join(strange)} is no emoji; nothing was changed. Give emoji, or the word `default`."
        elif negative:
            return f"{' '.join(negative)} never counts as a like; nothing was changed."
        elif not chosen:
            return "Give at least one emoji, or the word `default`; to count nothing here, switch counting off."
        else:
            room.emoji = " ".join(chosen)
    if counting is not None:
        room.enabled = counting
    if emoji is not None or counting is not None:
        tx.add(room)
        tx.flush()
    if not room.enabled:
        return "Reactions in this server do not count. What counted before stays."
    if room.emoji is None:
        return "Reactions in this server count, with the hub's own list: hearts, 👍, ⭐ and other kind ones."
    shown = (f"<:emoji:{each}>" if each.isdigit() else each for each in room.emoji.split())
    return f"Reactions in this server count, these and no others: {' '.join(shown)}"


async def _send(interaction: discord.Interaction, said: Said, *, ephemeral: bool) -> None:
    *before, last = split(said.text, LIMIT) or ["…"]
    view = view_of(said.buttons)
    for text in before:
        await _send_one(interaction, text, None, ephemeral=ephemeral)
    await _send_one(interaction, last, view, ephemeral=ephemeral)


async def _send_one(
    interaction: discord.Interaction, text: str, view: discord.ui.View | None, *, ephemeral: bool
) -> None:
    buttons = view if view is not None else discord.utils.MISSING
    if interaction.response.is_done():
        await interaction.followup.send(text, view=buttons, ephemeral=ephemeral, suppress_embeds=True)
    else:
        await interaction.response.send_message(text, view=buttons, ephemeral=ephemeral, suppress_embeds=True)


def _account(user: discord.User | discord.Member) -> AccountRef:
    return words.account(user.id, user.name, is_bot=user.bot)


def _thing(interaction: discord.Interaction, message: discord.Message) -> ThingRef:
    return words.thing(
        message_id=message.id,
        channel_id=message.channel.id,
        guild_id=interaction.guild_id,
        place=place_of(interaction.guild, interaction.channel),
    )


def place_of(guild: discord.Guild | None, channel: object) -> words.Place:
    """The names around a message, as far as the bot may know them."""
    if guild is None:
        return words.NOWHERE
    names: list[str | None] = [getattr(channel, "name", None)]
    if isinstance(channel, discord.Thread):
        names += [tag.name for tag in channel.applied_tags]
        names.append(channel.parent.name if channel.parent else None)
    category = getattr(channel, "category", None)
    names += [category.name if category else None, guild.name]
    tags = tuple(dict.fromkeys(name for name in names if name))
    return words.Place(guild=guild.name or None, channel=names[0], tags=tags)
