"""Flattrs in public and letters on X: read when they are due, each once, by their price."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.twitter.marks import OVERLAP, ReadTo
from core.database import Database
from core.rules import Rules
from tests.bot.twitter_hub import FAN, FLATTRBOT, MAKER, OTHER, Hub, hub_on_x
from tests.platforms.misbehaving import DROPS, Says


@pytest.fixture
async def hub(sqlite_db: Database, rules: Rules, at: datetime) -> AsyncIterator[Hub]:
    async with hub_on_x(sqlite_db, rules, at, settings={"dm_by": "poll"}) as hub:
        await hub.join(FAN)
        hub.fake.content("20", MAKER, "Look what I made")
        await hub.round()  # makes the marks
        yield hub


@pytest.fixture
async def on_either(db: Database, rules: Rules, at: datetime) -> AsyncIterator[Hub]:
    async with hub_on_x(db, rules, at, settings={"dm_by": "poll"}) as hub:
        await hub.join(FAN)
        hub.fake.content("20", MAKER, "Look what I made")
        await hub.round()
        yield hub


def reads(hub: Hub, what: str) -> int:
    return len([each for each in hub.fake.asked if what in each])


# Mentions


async def test_a_member_who_names_the_bot_in_a_reply_flattrs_the_post(on_either: Hub) -> None:
    hub = on_either
    hub.fake.reply(FAN, "20", "lovely @flattrbot")
    await hub.round(minutes=11)
    assert await hub.standing() == {"20"}
    await hub.round(minutes=11)
    assert await hub.standing() == {"20"}
    assert await hub.said() == []  # in public the bot says nothing


async def test_a_strangers_mention_leaves_no_trace_and_costs_no_more_than_itself(hub: Hub) -> None:
    hub.fake.reply(OTHER, "20", "@flattrbot")
    before = hub.fake.cost
    await hub.round(minutes=11)
    assert hub.fake.cost - before == 5_000
    assert await hub.said() == []
    await hub.join(OTHER)
    await hub.round(minutes=11)
    assert await hub.standing(OTHER) == set()


async def test_a_name_that_x_put_there_is_nobodys_flattr(hub: Hub) -> None:
    await hub.join(OTHER)
    reply = hub.fake.reply(FAN, "20", "lovely @flattrbot")
    hub.fake.reply(OTHER, reply.id, "I think so too")  # X puts @flattrbot in front
    await hub.round(minutes=11)
    assert await hub.standing() == {"20"}
    assert await hub.standing(OTHER) == set()


async def test_where_x_does_not_tell_what_was_typed_the_post_before_decides(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell = hub.fake._tweet
    monkeypatch.setattr(
        hub.fake,
        "_tweet",
        lambda post: {key: value for key, value in tell(post).items() if key != "display_text_range"},
    )
    await hub.join(OTHER)
    reply = hub.fake.reply(FAN, "20", "lovely @flattrbot")
    hub.fake.reply(OTHER, reply.id, "I think so too")
    await hub.round(minutes=11)
    assert await hub.standing() == {"20"}
    assert await hub.standing(OTHER) == set()


async def test_a_mention_that_answers_nothing_or_the_bot_flattrs_nothing(hub: Hub) -> None:
    hub.fake.content(None, FAN, "I like @flattrbot")
    ours = hub.fake.content(None, FLATTRBOT, "Hello world")
    hub.fake.reply(FAN, ours.id, "hello @flattrbot")
    await hub.round(minutes=11)
    assert await hub.standing() == set()


async def test_an_answer_to_a_hidden_post_flattrs_nothing(hub: Hub) -> None:
    hub.fake.reply(FAN, "20", "lovely @flattrbot")
    hub.fake.users[MAKER].protected = True
    await hub.round(minutes=11)
    assert await hub.standing() == set()


async def test_what_was_said_before_the_hub_looked_for_the_first_time_counts_not(
    sqlite_db: Database, rules: Rules, at: datetime
) -> None:
    async with hub_on_x(sqlite_db, rules, at) as hub:
        await hub.join(FAN)
        hub.fake.content("20", MAKER)
        hub.fake.reply(FAN, "20", "@flattrbot")
        await hub.round()
        await hub.round(minutes=11)
        assert await hub.standing() == set()
        hub.fake.reply(FAN, "20", "@flattrbot again")
        await hub.round(minutes=11)
        assert await hub.standing() == {"20"}


async def test_mentions_are_looked_for_every_ten_minutes_or_as_the_operator_says(hub: Hub) -> None:
    before = reads(hub, "/mentions")
    for _ in range(10):
        await hub.round(minutes=2)
    assert reads(hub, "/mentions") - before == 2
    hub.another(mentions_minutes="0")
    await hub.round(hours=1)
    assert reads(hub, "/mentions") - before == 2


@pytest.mark.parametrize("fault", ["truncated", "no meta", "html", "errors", "no ids"])
async def test_a_list_of_mentions_in_doubt_is_read_again(hub: Hub, fault: str) -> None:
    hub.fake.reply(FAN, "20", "lovely @flattrbot")
    hub.another(dm_by="webhook")
    await hub.round(seconds=1)  # the subscriptions, whose list would be spoilt instead
    hub.fake.faults.append(fault)
    await hub.round(minutes=11)
    assert await hub.standing() == set()
    await hub.round(minutes=2)
    assert await hub.standing() == {"20"}


async def test_if_the_posts_cannot_be_looked_up_nothing_is_lost(hub: Hub) -> None:
    hub.fake.reply(FAN, "20", "lovely @flattrbot")
    hub.fake.limits["tweets"] = 0
    await hub.round(minutes=11)
    assert await hub.standing() == set()
    hub.fake.limits["tweets"] = 100
    await hub.round(minutes=16)
    assert await hub.standing() == {"20"}


async def test_many_mentions_come_page_by_page(hub: Hub) -> None:
    for number in range(105):
        hub.fake.content(str(1000 + number), MAKER)
        hub.fake.reply(FAN, str(1000 + number), "@flattrbot")
    await hub.round(minutes=11)
    assert len(await hub.standing()) == 105


# Letters, where X cannot call


async def test_a_letter_is_answered_once(on_either: Hub) -> None:
    hub = on_either
    poked = hub.poked
    hub.fake.write(OTHER, FLATTRBOT, "help https://t.co/a", urls=[("https://t.co/a", "https://x.com/maker/status/20")])
    await hub.round(minutes=3)
    for _ in range(3):
        await hub.round(minutes=3)
    assert await hub.said() == ["You said: help https://x.com/maker/status/20"]
    assert hub.poked == poked + 1


async def test_the_bots_own_letters_and_older_ones_are_not_answered(
    sqlite_db: Database, rules: Rules, at: datetime
) -> None:
    async with hub_on_x(sqlite_db, rules, at, settings={"dm_by": "poll"}) as hub:
        hub.fake.write(OTHER, FLATTRBOT, "before")
        await hub.round()
        hub.fake.write(FLATTRBOT, OTHER, "from us")
        await hub.round(minutes=3)
        assert await hub.said() == []


async def test_looking_in_vain_reads_no_more_than_ten_letters(hub: Hub) -> None:
    for number in range(40):
        hub.fake.write(OTHER, FLATTRBOT, f"letter {number}")
    await hub.round(minutes=3)
    assert len(await hub.said()) == 40
    await hub.round(hours=24)
    before = hub.fake.billed["letter read"]
    for _ in range(20):
        await hub.round(minutes=3)
    assert hub.fake.billed["letter read"] - before == 0  # the ten that this day has seen already


async def test_a_letter_of_which_nothing_can_be_made_holds_up_nobody(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    hub.broken = RuntimeError("a secret in here")
    hub.fake.write(OTHER, FLATTRBOT, "broken")
    hub.fake.write(OTHER, FLATTRBOT, "help")
    await hub.round(minutes=3)
    assert await hub.said() == ["You said: help"]
    assert "RuntimeError" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("faults", [[DROPS] * 4, [Says(503)] * 4, [Says(429, {"retry-after": "120"})]], ids=str)
async def test_letters_wait_out_xs_bad_moments(hub: Hub, faults: list[Any]) -> None:
    hub.another(mentions_minutes="0")
    await hub.round(minutes=11)
    hub.fake.write(OTHER, FLATTRBOT, "help")
    hub.fake.suffer(*faults)
    await hub.round(minutes=3)
    for _ in range(4):
        await hub.round(minutes=3)
    assert await hub.said() == ["You said: help"]


async def test_of_two_processes_one_reads(hub: Hub) -> None:
    one, other = hub.presence, hub.another()
    hub.fake.write(OTHER, FLATTRBOT, "help")
    await hub.later(minutes=3)
    before = reads(hub, "dm_events")
    await one.round()
    await other.round()
    assert reads(hub, "dm_events") == before + 1


async def test_where_the_webhook_brings_letters_nobody_looks_for_them(hub: Hub) -> None:
    hub.another(dm_by="webhook")
    before = reads(hub, "dm_events")
    await hub.round(hours=1)
    assert reads(hub, "dm_events") == before
    hub.fake.write(OTHER, FLATTRBOT, "help")
    await hub.fake.deliver()
    (letter,) = hub.door.heard
    assert letter.text == "help"


# Marks

NUMBERS = st.integers(min_value=1, max_value=2**63)


@given(st.lists(NUMBERS, max_size=30), st.lists(NUMBERS, max_size=30))
def test_what_was_read_is_never_new_again(first: list[int], second: list[int]) -> None:
    mark = ReadTo().after(first).after(second)
    assert not any(mark.is_new(number) for number in {*first, *second})
    again = ReadTo.read(mark.spelled())
    assert again == mark


def test_an_entry_that_appears_late_is_new_for_two_minutes() -> None:
    mark = ReadTo().after([OVERLAP * 10])
    assert mark.is_new(OVERLAP * 9 + 1)
    assert not mark.after([OVERLAP * 9 + 1]).is_new(OVERLAP * 9 + 1)
    assert not mark.is_new(OVERLAP * 9)


@pytest.mark.parametrize("cursor", [None, "", " ", "x", "1 x", "-1", "9" * 40])
def test_a_mark_that_cannot_be_read_is_none(cursor: str | None) -> None:
    assert ReadTo.read(cursor) is None
