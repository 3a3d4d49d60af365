"""Says things on Discord: direct messages with buttons, at most once each, and what a failure means."""

from __future__ import annotations

import asyncio
import hashlib
import io
import re
from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Protocol, cast

import aiohttp
import discord

from connectors.speaking import Button, Picture, Unheard

LIMIT = 2000
"""Characters of one message: https://docs.discord.com/developers/resources/message#create-message"""

_PREFIX = "flattr:"
_LONGEST_ID = 100
_MOST_BUTTONS = 25
_LONGEST_ALT = 1024

_CANNOT_WRITE = {
    10013: "Discord does not know this account",
    50007: "this account takes no direct messages from the hub's bot",
    50278: "this account shares no server with the hub's bot and has not installed it",
}
"""https://docs.discord.com/developers/topics/opcodes-and-status-codes#json"""

_LATER = {
    20026: ("Discord has put the bot in quarantine; see its mail to the application's owner", 3600.0),
    40003: ("direct messages were opened too fast", 600.0),
}


class Pressable(Protocol):
    """The client that buttons come back to."""

    async def pressed(self, interaction: discord.Interaction, text: str) -> None:
        """Answer a button's text."""


class Choice(
    discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]],
    template=r"flattr:(?P<text>(?s:.+))",
):
    """A button whose text is in its id, so that it works after a restart and on any process."""

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Choice:
        """The button that was pressed, made again from its id."""
        return cls(discord.ui.Button(custom_id=match[0]))

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Pressing is saying."""
        client = cast(Pressable, interaction.client)
        await client.pressed(interaction, self.custom_id.removeprefix(_PREFIX))

    @classmethod
    def of(cls, choice: Button) -> Choice | None:
        """The button for a choice; None if its text does not fit (it can be typed all the same)."""
        custom_id = _PREFIX + choice.text
        if len(custom_id) > _LONGEST_ID or not choice.label.strip():
            return None
        return cls(discord.ui.Button(label=choice.label[:80], custom_id=custom_id))


def view_of(buttons: Sequence[Button]) -> discord.ui.View | None:
    """The buttons under a message; None if there are none."""
    by_id = {choice.custom_id: choice for each in buttons if (choice := Choice.of(each)) is not None}
    if not by_id:
        return None
    view = discord.ui.View(timeout=None)
    for choice in list(by_id.values())[:_MOST_BUTTONS]:
        view.add_item(choice)
    # The buttons say by themselves what they do: nothing needs to be kept in memory for each message.
    view.stop()
    return view


class DiscordMouth:
    """Sends direct messages through whichever client is connected.

    A message carries a nonce made of its key, which Discord enforces for some minutes: a second try in that
    time shows nothing twice. For later tries after a lost answer the channel is looked at first.
    """

    platform = "discord"
    limit = LIMIT
    remembers_keys = True

    def __init__(self, client: Callable[[], discord.Client | None], *, patience: float = 20.0) -> None:
        """``patience``: seconds after which a try that has no answer yet is reported as failed."""
        self._client = client
        self._patience = patience
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._unsure: dict[str, discord.Object] = {}
        self._sent: deque[int] = deque(maxlen=10_000)

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
        task = self._under_way.get(key)
        if task is None:
            task = asyncio.create_task(self._send(account_id, text, key, buttons, picture))
            self._under_way[key] = task
        # A request is never cut off: discord.py would go on believing in a rate limit that it waited for, and
        # whether the message is out would be unknown. The next try with this key joins it instead.
        done, _ = await asyncio.wait({task}, timeout=self._patience)
        if not done:
            raise Unheard("Discord has not answered yet", retry_after=self._patience)
        self._under_way.pop(key, None)
        await task

    async def close(self) -> None:
        """Give up what is under way; the outbox tries again with the same keys."""
        tasks = list(self._under_way.values())
        self._under_way.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _send(
        self, account_id: str, text: str, key: str, buttons: Sequence[Button], picture: Picture | None
    ) -> None:
        client = self._client()
        if client is None or client.user is None or client.is_closed():
            raise Unheard("not connected to Discord", retry_after=5.0)
        if not account_id.isascii() or not account_id.isdigit():
            raise Unheard(f"{account_id!r} is not a Discord account id", final=True)
        started = _moment_ago()
        try:
            channel = await client.create_dm(discord.Object(int(account_id)))
            if key in self._unsure and await self._is_there(client, channel, text, self._unsure[key]):
                del self._unsure[key]
                return
            nonce = hashlib.sha256(key.encode()).hexdigest()[:25]
            try:
                message = await _post(channel, text, nonce, buttons, picture)
            except discord.HTTPException as refusal:
                if picture is None or refusal.status in (401, 429) or refusal.status >= 500:
                    raise
                if refusal.code in _CANNOT_WRITE or refusal.code in _LATER:
                    raise
                # Whatever Discord has against the picture, the words need it not.
                message = await _post(channel, text, nonce, buttons, None)
        except discord.RateLimited as limited:
            raise Unheard("Discord asks for a pause", retry_after=limited.retry_after) from None
        except discord.HTTPException as refusal:
            if refusal.status >= 500:
                self._unsure.setdefault(key, started)
            raise unheard(refusal) from None
        except (aiohttp.ClientError, OSError, TimeoutError) as lost:
            self._unsure.setdefault(key, started)
            raise Unheard(f"Discord's answer was lost: {type(lost).__name__}") from None
        self._unsure.pop(key, None)
        self._sent.append(message.id)

    async def _is_there(
        self, client: discord.Client, channel: discord.DMChannel, text: str, since: discord.Object
    ) -> bool:
        me = client.user.id if client.user else None
        async for message in channel.history(limit=100, after=since):
            # Of two messages with the same words, the one known to be another's must not pass for this one.
            if message.author.id == me and message.content == text.strip() and message.id not in self._sent:
                self._sent.append(message.id)
                return True
        return False


async def _post(
    channel: discord.DMChannel, text: str, nonce: str, buttons: Sequence[Button], picture: Picture | None
) -> discord.Message:
    more: dict[str, Any] = {}
    if (view := view_of(buttons)) is not None:
        more["view"] = view
    if picture is not None:
        more["file"] = discord.File(io.BytesIO(picture.content), picture.name, description=picture.alt[:_LONGEST_ALT])
    return await channel.send(text, nonce=nonce, suppress_embeds=True, **more)


def unheard(refusal: discord.HTTPException) -> Unheard:
    """What Discord's refusal means for the next move."""
    if refusal.code in _CANNOT_WRITE:
        return Unheard(_CANNOT_WRITE[refusal.code], final=True)
    if refusal.code in _LATER:
        reason, seconds = _LATER[refusal.code]
        return Unheard(reason, retry_after=seconds)
    reason = f"Discord answered {refusal.status} (code {refusal.code})"
    if refusal.status >= 500:
        return Unheard(reason)
    if refusal.status in (401, 429):
        return Unheard(reason, retry_after=300.0)
    return Unheard(reason, final=True)


def _moment_ago() -> discord.Object:
    # Snowflakes are times by Discord's clock; the minute allows for ours being ahead.
    return discord.Object(discord.utils.time_snowflake(discord.utils.utcnow() - timedelta(minutes=1)))
