"""Discord: what its gateway says about reactions and messages, in the hub's words.

A reaction is told apart by its message and its emoji (a custom emoji by its id, since names change); the
server is the room. Only servers send reactions: the hub asks for none of direct messages. The socket itself
is bot/discord/. Source of the facts: https://docs.discord.com/developers/events/gateway-events
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime

from connectors.base import Card, Light, Secret
from core.events import AccountRef, Cleared, Gone, Liked, Messaged, RoomRef, Seen, ThingRef, Unliked

PLATFORM = "discord"

_SETUP = (
    (
        "Open https://discord.com/developers/applications, create an application, and copy the token of its"
        " bot into connectors.discord.token. No privileged intent is needed; leave all three off."
    ),
    (
        "Under Installation allow both 'User Install' and 'Guild Install'; scopes: applications.commands, and"
        " for servers also bot with the permissions View Channels and Read Message History."
    ),
    "Leave 'Interactions Endpoint URL' empty: commands come through the gateway.",
    "Give the installation link to the admins of servers whose reactions shall count.",
)

_CARD = Card(
    platform=PLATFORM,
    title="Discord",
    route="stream",
    abilities=frozenset({"likes", "unlikes", "messages", "resolves"}),
    what_counts="a positive reaction in a server that added the bot (or an emoji of the server's own list),"
    " and the message command Flattr anywhere",
    creator="who posted the message",
    account_id_pattern="[0-9]+",
    account_id_how="Discord's account ids are numbers: with Developer Mode on, right-click a name and Copy User ID",
    secrets=(
        Secret(
            name="token",
            how="https://discord.com/developers/applications, your application, Bot, Reset Token",
        ),
    ),
    limits="At once; reactions added while the hub was away for longer than some minutes are lost.",
    hosts=("discord.com", "gateway.discord.gg"),
    retries="replays what a dropped connection missed for some minutes (RESUME); after a longer gap the hub"
    " asks whether the likes it knows still stand, and reactions added meanwhile are lost",
    ids_signed=True,
    setup=_SETUP,
    lights=(
        Light(
            action="likes",
            colour="green",
            clause="apps may use data for the function their users asked for, must not sell it, must delete"
            " it on request, and write first to nobody who has not asked for it",
            url="https://support-dev.discord.com/hc/articles/8563934450327-Discord-Developer-Policy",
            read_on=date(2026, 8, 6),
        ),
    ),
    documentation="https://docs.discord.com/developers/events/gateway-events#message-reaction-add",
)

_LINK = re.compile(
    r"https?://(?:(?:www|ptb|canary)\.)?discord(?:app)?\.com"
    r"/channels/(?P<guild>@me|[0-9]{1,20})/(?P<channel>[0-9]{1,20})/(?P<message>[0-9]{1,20})/?(?:[?#].*)?",
    re.ASCII | re.IGNORECASE,
)
_CUSTOM = re.compile(r"<a?:(?P<name>[A-Za-z0-9_~]+):(?P<id>[0-9]{1,20})>", re.ASCII)
_OWN = "flattr"
"""A custom emoji of this name counts on every server that has no list of its own."""

_JOINER = "\N{ZERO WIDTH JOINER}"
_VARIATION = "\N{VARIATION SELECTOR-16}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What is known about the channel of a message: names only, nothing of what is said there."""

    guild: str | None = None
    channel: str | None = None
    tags: tuple[str, ...] = ()


NOWHERE = Place()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """One reaction as the gateway tells it; a removal knows neither author nor member."""

    user_id: int
    message_id: int
    channel_id: int
    guild_id: int | None
    emoji_name: str | None
    emoji_id: int | None = None
    author_id: int | None = None
    """None: a webhook posted the message, so nobody made it."""
    handle: str | None = None
    by_bot: bool = False


class DiscordConnector:
    """The facts about Discord, and its addresses."""

    @property
    def card(self) -> Card:
        """The facts about it."""
        return _CARD

    def resolve(self, url: str) -> tuple[ThingRef, AccountRef | None] | None:
        """The message that a link names; its author is not in the address, so the gateway is asked later."""
        message = locate(url)
        if message is None:
            return None
        guild_id, channel_id, message_id = message
        return thing(message_id=message_id, channel_id=channel_id, guild_id=guild_id), None


def locate(url: str) -> tuple[int | None, int, int] | None:
    """Server (None: a direct message), channel and message of a link; None: it names no message."""
    match = _LINK.fullmatch(url.strip())
    if not match:
        return None
    guild = None if match["guild"].lower() == "@me" else int(match["guild"])
    return guild, int(match["channel"]), int(match["message"])


def account(user_id: int, handle: str | None = None, *, is_bot: bool = False) -> AccountRef:
    """An account by its snowflake; the user name may change."""
    return AccountRef(platform=PLATFORM, account_id=str(user_id), handle=handle, is_bot=is_bot)


def thing(*, message_id: int, channel_id: int, guild_id: int | None, place: Place = NOWHERE) -> ThingRef:
    """A message: its text is not ours to see, so it is called after its channel."""
    title = f"#{place.channel} in {place.guild}" if place.channel and place.guild else None
    return ThingRef(
        platform=PLATFORM,
        native_id=str(message_id),
        url=f"https://discord.com/channels/{guild_id or '@me'}/{channel_id}/{message_id}",
        title=title,
        tags=place.tags,
    )


def emoji_key(name: str | None, emoji_id: int | None) -> str:
    """What tells one emoji from another on a message: the id of a custom one, else the emoji itself."""
    return str(emoji_id) if emoji_id is not None else (name or "").replace(_VARIATION, "")


def reaction_of(name: str | None, emoji_id: int | None) -> str:
    """The word that the emoji lists know: a custom emoji's id, or ``flattr`` for one of that name."""
    if emoji_id is not None and (name or "").lower() == _OWN:
        return _OWN
    return emoji_key(name, emoji_id)


def like_id(message_id: int, key: str) -> str:
    """The identity of an account's reaction to a message (see `emoji_key`).

    Skin tones are reactions of their own: taking one back leaves the other, so they are not folded here.
    """
    return f"{message_id}:{key}"


def key_of_like(known: str) -> str:
    """The emoji's key in a `like_id`."""
    return known.partition(":")[2]


def liked(reaction: Reaction, place: Place = NOWHERE) -> Liked | None:
    """A reaction was added; None outside servers, whose private rooms nobody has switched on (money.md)."""
    if reaction.guild_id is None:
        return None
    return Liked(
        by=account(reaction.user_id, reaction.handle, is_bot=reaction.by_bot),
        thing=_thing_of(reaction, place),
        author=account(reaction.author_id) if reaction.author_id is not None else None,
        reaction=reaction_of(reaction.emoji_name, reaction.emoji_id),
        room=RoomRef(platform=PLATFORM, room_id=str(reaction.guild_id)),
        like_id=_like_id_of(reaction),
    )


def unliked(reaction: Reaction) -> Unliked | None:
    """A reaction was taken back."""
    if reaction.guild_id is None:
        return None
    return Unliked(
        by=account(reaction.user_id),
        thing=_thing_of(reaction),
        reaction=reaction_of(reaction.emoji_name, reaction.emoji_id),
        like_id=_like_id_of(reaction),
    )


def cleared(
    *,
    message_id: int,
    channel_id: int,
    guild_id: int | None,
    emoji_name: str | None = None,
    emoji_id: int | None = None,
) -> Cleared | None:
    """A moderator removed all reactions, or all of one emoji."""
    if guild_id is None:
        return None
    every = emoji_name is None and emoji_id is None
    return Cleared(
        thing=thing(message_id=message_id, channel_id=channel_id, guild_id=guild_id),
        reaction=None if every else reaction_of(emoji_name, emoji_id),
    )


def gone(*, message_id: int, channel_id: int, guild_id: int | None) -> Gone:
    """The message was deleted."""
    return Gone(thing=thing(message_id=message_id, channel_id=channel_id, guild_id=guild_id))


def seen(*, message_id: int, channel_id: int, guild_id: int | None, author_id: int) -> Seen:
    """Who posted a message, as Discord answered when asked."""
    ref = thing(message_id=message_id, channel_id=channel_id, guild_id=guild_id)
    return Seen(thing=ref, author=account(author_id))


def messaged(*, user_id: int, handle: str, text: str, message_id: int, at: datetime) -> Messaged:
    """A direct message to the bot; Discord vouches for who sent it."""
    return Messaged(by=account(user_id, handle), text=text, message_id=str(message_id), at=at)


def read_emoji(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The emoji in what an admin typed, as `reaction_of` names them, and the words that are none.

    Spaces between them are not needed: people type emoji without.
    """
    found: list[str] = []
    strange: list[str] = []
    for word in _CUSTOM.sub(r" \g<0> ", text).split():
        emoji = _emoji_in(word)
        if custom := _CUSTOM.fullmatch(word):
            found.append(reaction_of(custom["name"], int(custom["id"])))
        elif all(_looks_like_emoji(each) for each in emoji):
            found.extend(emoji)
        else:
            strange.append(word)
    return tuple(dict.fromkeys(found)), tuple(strange)


def _emoji_in(word: str) -> list[str]:
    emoji: list[str] = []
    for mark in word:
        if emoji and _belongs(emoji[-1], mark):
            emoji[-1] += mark
        else:
            emoji.append(mark)
    return [each.replace(_VARIATION, "") for each in emoji]


def _looks_like_emoji(text: str) -> bool:
    return not text.isascii() and not any(
        mark != "\N{INFORMATION SOURCE}" and unicodedata.category(mark)[0] in "LCZ" and mark != _JOINER
        for mark in text
        if not 0xE0020 <= ord(mark) <= 0xE007F  # the tags of regional flags
    )


def _belongs(before: str, mark: str) -> bool:
    if before[-1] == _JOINER or mark in (_JOINER, _VARIATION):
        return True
    if unicodedata.category(mark) in ("Mn", "Me", "Cf") or 0x1F3FB <= ord(mark) <= 0x1F3FF:
        return True
    # Two regional indicators are one flag.
    return len(before) == 1 and all(0x1F1E6 <= ord(each) <= 0x1F1FF for each in (before, mark))


def _thing_of(reaction: Reaction, place: Place = NOWHERE) -> ThingRef:
    return thing(
        message_id=reaction.message_id,
        channel_id=reaction.channel_id,
        guild_id=reaction.guild_id,
        place=place,
    )


def _like_id_of(reaction: Reaction) -> str:
    return like_id(reaction.message_id, emoji_key(reaction.emoji_name, reaction.emoji_id))


connector = DiscordConnector()
