"""What Discord's gateway says, in the hub's words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import discord as words
from connectors.base import Connector, ResolvingConnector
from connectors.discord import Place, Reaction, connector, read_emoji
from core import reactions
from core.events import AccountRef, RoomRef

HEART, THUMB = "❤️", "👍"


def reaction_in(payload: dict[str, Any]) -> Reaction:
    emoji_id = payload["emoji"]["id"]
    return Reaction(
        user_id=int(payload["user_id"]),
        message_id=int(payload["message_id"]),
        channel_id=int(payload["channel_id"]),
        guild_id=int(payload["guild_id"]) if "guild_id" in payload else None,
        emoji_name=payload["emoji"]["name"],
        emoji_id=None if emoji_id is None else int(emoji_id),
        author_id=int(payload["message_author_id"]) if "message_author_id" in payload else None,
        handle=payload.get("member", {}).get("user", {}).get("username"),
        by_bot=payload.get("member", {}).get("user", {}).get("bot", False),
    )


def read(payloads: Path, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((payloads / "discord" / name).read_text())["d"]
    return content


def reaction(name: str | None = HEART, emoji_id: int | None = None, **more: Any) -> Reaction:
    known = {"user_id": 1, "message_id": 30, "channel_id": 20, "guild_id": 10, "author_id": 2}
    return Reaction(**{**known, **more}, emoji_name=name, emoji_id=emoji_id)


def test_the_published_reaction_is_a_like_of_the_message_by_its_author(payloads: Path) -> None:
    like = words.liked(
        reaction_in(read(payloads, "gateway.MESSAGE_REACTION_ADD.json")),
        Place(guild="Chat SDK", channel="demo", tags=("demo", "Chat SDK")),
    )
    assert like is not None
    assert like.by == AccountRef(platform="discord", account_id="1033044521375764530")
    assert (like.by.handle, like.by.is_bot) == ("testuser2384", False)
    assert like.author == AccountRef(platform="discord", account_id="1457469483726668048")
    assert like.thing.native_id == "1457536955662471180"
    assert like.thing.url == (
        "https://discord.com/channels/1457468924290662599/1457536551830421524/1457536955662471180"
    )
    assert (like.thing.title, like.thing.tags) == ("#demo in Chat SDK", ("demo", "Chat SDK"))
    assert like.room == RoomRef(platform="discord", room_id="1457468924290662599")
    assert (like.reaction, like.at, like.order) == (THUMB, None, None)


def test_the_published_removal_meets_its_like_in_one_fact(payloads: Path) -> None:
    added = words.liked(reaction_in(read(payloads, "gateway.MESSAGE_REACTION_ADD.json")))
    removed = words.unliked(reaction_in(read(payloads, "gateway.MESSAGE_REACTION_REMOVE.derived.json")))
    assert added is not None
    assert removed is not None
    assert (removed.by, removed.thing, removed.like_id) == (added.by, added.thing, added.like_id)


def test_a_webhook_post_has_no_author() -> None:
    like = words.liked(reaction(author_id=None))
    assert like is not None
    assert like.author is None


def test_a_bot_s_reaction_says_so() -> None:
    like = words.liked(reaction(by_bot=True))
    assert like is not None
    assert like.by.is_bot


def test_reactions_outside_servers_are_nobody_s_business() -> None:
    private = reaction(guild_id=None)
    assert words.liked(private) is None
    assert words.unliked(private) is None
    assert words.cleared(message_id=30, channel_id=20, guild_id=None) is None


def test_a_renamed_custom_emoji_is_still_the_same_reaction() -> None:
    before, after = words.liked(reaction("yay", 77)), words.unliked(reaction("hurray", 77))
    deleted = words.unliked(reaction(None, 77))
    assert before
    assert after
    assert deleted
    assert before.like_id == after.like_id == deleted.like_id
    assert before.reaction == "77"


def test_custom_emoji_named_flattr_count_by_default_and_others_by_their_id_only() -> None:
    own, other = words.liked(reaction("Flattr", 77)), words.liked(reaction("yay", 78))
    assert own
    assert other
    assert reactions.counts(own.reaction, None)
    assert not reactions.counts(other.reaction, None)
    assert reactions.counts(other.reaction, " ".join(read_emoji("<:yay:78>")[0]))


def test_the_same_emoji_with_and_without_its_selector_is_one_like() -> None:
    with_selector, without = words.liked(reaction("❤️")), words.liked(reaction("❤"))
    assert with_selector
    assert without
    assert with_selector.like_id == without.like_id
    assert reactions.counts(with_selector.reaction, None)


def test_two_skin_tones_are_two_reactions_so_that_one_may_be_taken_back() -> None:
    dark, light = words.liked(reaction("👍🏿")), words.liked(reaction("👍🏻"))
    assert dark
    assert light
    assert dark.like_id != light.like_id
    assert reactions.counts(dark.reaction, None)


def test_a_moderator_clears_all_or_one_emoji() -> None:
    every = words.cleared(message_id=30, channel_id=20, guild_id=10)
    one = words.cleared(message_id=30, channel_id=20, guild_id=10, emoji_name=THUMB)
    assert every
    assert one
    assert (every.reaction, one.reaction) == (None, THUMB)
    assert every.thing == words.gone(message_id=30, channel_id=20, guild_id=10).thing


@pytest.mark.parametrize(
    "url",
    [
        "https://discord.com/channels/10/20/30",
        "https://ptb.discord.com/channels/10/20/30/",
        " https://canary.discord.com/channels/10/20/30?x=1#y ",
        "http://discordapp.com/channels/10/20/30",
        "https://www.discord.com/channels/10/20/30",
    ],
)
def test_every_form_of_a_message_s_address_is_one_thing_of_unknown_author(url: str) -> None:
    resolved = connector.resolve(url)
    assert resolved is not None
    thing, author = resolved
    assert thing == words.thing(message_id=30, channel_id=20, guild_id=10)
    assert thing.url == "https://discord.com/channels/10/20/30"
    assert author is None


def test_a_direct_message_has_an_address_too() -> None:
    assert words.locate("https://discord.com/channels/@me/20/30") == (None, 20, 30)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://discord.com/channels/10/20",
        "https://discord.com/invite/abc",
        "https://discord.com.example/channels/10/20/30",
        "https://example.org/?https://discord.com/channels/10/20/30",
        "https://discord.com/channels/\N{FULLWIDTH DIGIT ONE}/20/30",
        "https://discord.com/channels/10/20/" + "3" * 400,
    ],
)
def test_other_addresses_are_not_ours(url: str) -> None:
    assert connector.resolve(url) is None


@given(st.text())
def test_no_text_breaks_the_reading_of_an_address_or_a_list(text: str) -> None:
    connector.resolve(text)
    connector.resolve("https://discord.com/channels/" + text)
    found, _ = read_emoji(text)
    assert all(" " not in each for each in found)


@given(st.from_regex(r"[1-9][0-9]{0,18}", fullmatch=True), st.from_regex(r"[1-9][0-9]{0,18}", fullmatch=True))
def test_a_thing_s_address_leads_back_to_it(channel: str, message: str) -> None:
    thing = words.thing(message_id=int(message), channel_id=int(channel), guild_id=10)
    assert connector.resolve(thing.url) == (thing, None)
    assert words.locate(thing.url) == (10, int(channel), int(message))


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("❤️ 👍", ("❤", "👍")),
        ("❤️👍⭐", ("❤", "👍", "⭐")),
        ("<:yay:78><a:party:79> 👍", ("78", "79", "👍")),
        ("<:flattr:5>", ("flattr",)),
        ("👍🏿👨‍👩‍👧🇩🇪🇫🇷", ("👍🏿", "👨‍👩‍👧", "🇩🇪", "🇫🇷")),
        ("1️⃣\u2139️", ("1⃣", "\u2139")),
        ("🏴󠁧󠁢󠁥󠁮󠁧󠁿", ("🏴󠁧󠁢󠁥󠁮󠁧󠁿",)),
        ("👍👍", ("👍",)),
    ],
)
def test_a_list_is_read_as_people_type_it(typed: str, meant: tuple[str, ...]) -> None:
    found, strange = read_emoji(typed)
    assert (found, strange) == (meant, ())


def test_words_and_marks_are_no_emoji() -> None:
    assert read_emoji("👍 thumbs 12 ! été \0") == (("👍",), ("thumbs", "12", "!", "été", "\0"))


def test_the_connector_is_what_the_registry_expects() -> None:
    assert isinstance(connector, Connector)
    assert isinstance(connector, ResolvingConnector)
    assert connector.card.platform == "discord"
    assert connector.card.light == "green"
    assert [secret.name for secret in connector.card.secrets] == ["token"]
    assert not connector.card.knows_like_time
