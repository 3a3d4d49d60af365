"""The bot speaks on X: each message at most once, within X's limits, and what a refusal means."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from sqlmodel import Session, select

from bot.sender import Sender
from bot.twitter.mouth import with_choices
from connectors.speaking import Button, Mouth, Unheard
from core.database import Database
from core.mail import outbox
from core.mail.tables import OutboxNote
from core.rules import Rules
from tests.bot.twitter_hub import FAN, FLATTRBOT, MAKER, OTHER, Hub, account, hub_on_x
from tests.platforms.misbehaving import DROPS, Says


@dataclass
class Spoken:
    text: str
    buttons: tuple[Button, ...] = ()


@pytest.fixture
async def hub(sqlite_db: Database, rules: Rules, at: datetime) -> AsyncIterator[Hub]:
    async with hub_on_x(sqlite_db, rules, at) as hub:
        yield hub


def heard(hub: Hub, number: str = FAN) -> list[str]:
    return [letter.text for letter in reversed(hub.fake.letters) if letter.to == number]


async def refused(hub: Hub, number: str = FAN, key: str = "1-0", text: str = "Hello") -> Unheard:
    with pytest.raises(Unheard) as caught:
        await hub.presence.say(number, text, key=key)
    return caught.value


async def test_a_message_is_a_letter_from_the_bot(hub: Hub) -> None:
    assert isinstance(hub.presence, Mouth)
    await hub.presence.say(FAN, "Hello", key="1-0")
    (letter,) = hub.fake.letters
    assert (letter.sender, letter.to, letter.text) == (FLATTRBOT, FAN, "Hello")


async def test_buttons_become_lines_to_answer_with(hub: Hub) -> None:
    await hub.presence.say(
        FAN, "Sure?", key="1-0", buttons=[Button(label="Yes", text="yes"), Button(label="Nothing", text="no")]
    )
    assert heard(hub) == ["Sure?\n\nYou can answer:\n→ yes\n→ no (Nothing)"]


def test_however_many_buttons_fit_beside_the_longest_text() -> None:
    buttons = [Button(label=f"Choice {number}", text="x" * 50) for number in range(100)]
    assert len(with_choices("y" * 9_000, buttons)) <= 10_000


async def test_the_sixteenth_message_in_a_quarter_of_an_hour_waits(hub: Hub) -> None:
    for number in range(15):
        await hub.presence.say(FAN, f"Hello {number}", key=f"{number}-0")
    waits = await refused(hub, key="16-0")
    assert not waits.final
    assert waits.retry_after == pytest.approx(900, abs=1)
    assert len(heard(hub)) == 15
    await hub.later(minutes=15)
    await hub.presence.say(FAN, "Hello", key="16-0")


async def test_xs_own_limit_is_waited_out(hub: Hub) -> None:
    hub.fake.limits["messages"] = 0
    waits = await refused(hub)
    assert not waits.final
    assert waits.retry_after == pytest.approx(900, abs=2)


async def test_who_takes_no_messages_is_not_written_to_again(hub: Hub) -> None:
    hub.fake.closed.add(FAN)
    assert (await refused(hub)).final
    assert (await refused(hub, number="404404")).final
    assert (await refused(hub, number="fan")).final


async def test_an_ended_token_of_the_bot_is_refreshed(hub: Hub) -> None:
    await hub.later(hours=3)
    await hub.presence.say(FAN, "Hello", key="1-0")
    hub.fake.expire(FLATTRBOT)
    await hub.presence.say(FAN, "Again", key="2-0")
    assert heard(hub) == ["Hello", "Again"]


async def test_without_access_the_letter_waits_for_the_operator(hub: Hub) -> None:
    hub.fake.withdraw(FLATTRBOT)
    waits = await refused(hub)
    assert not waits.final
    assert "sign in as it again" in str(waits)


async def test_without_an_account_nothing_is_said(hub: Hub) -> None:
    hub.another(bot="")
    waits = await refused(hub)
    assert (waits.final, "connectors.twitter.bot" in str(waits)) == (False, True)


@pytest.mark.parametrize("status", [402, 500, 503])
async def test_a_bad_moment_is_no_end(hub: Hub, status: int) -> None:
    hub.fake.suffer(Says(status))
    assert not (await refused(hub)).final
    await hub.presence.say(FAN, "Hello", key="1-0")


async def test_a_plan_that_does_not_cover_messages_is_the_operators_to_mend(hub: Hub) -> None:
    body = b'{"title":"Client Forbidden","type":"https://api.twitter.com/2/problems/client-forbidden","status":403}'
    hub.fake.suffer(Says(403, {"content-type": "application/problem+json"}, body))
    waits = await refused(hub)
    assert (waits.final, "console.x.com" in str(waits)) == (False, True)


async def test_a_message_whose_answer_was_lost_is_not_said_twice(hub: Hub) -> None:
    assert not hub.presence.remembers_keys
    hub.fake.faults.append("lost")
    lost = await refused(hub)
    assert not lost.final
    await hub.later(seconds=30)
    await hub.presence.say(FAN, "Hello", key="1-0")
    assert heard(hub) == ["Hello"]
    await hub.presence.say(FAN, "Hello", key="2-0")  # the same words, another message
    assert heard(hub) == ["Hello", "Hello"]


async def test_a_message_that_was_lost_on_its_way_is_said_again(hub: Hub) -> None:
    hub.fake.suffer(DROPS)
    assert not (await refused(hub)).final
    await hub.presence.say(FAN, "Hello", key="1-0")
    assert heard(hub) == ["Hello"]


async def test_two_lost_messages_of_the_same_words_are_two(hub: Hub) -> None:
    hub.fake.faults += ["lost"]
    await refused(hub, key="1-0")
    hub.fake.suffer(DROPS)
    await refused(hub, key="2-0")
    await hub.presence.say(FAN, "Hello", key="1-0")
    await hub.presence.say(FAN, "Hello", key="2-0")
    assert heard(hub) == ["Hello", "Hello"]


async def test_the_outbox_delivers_through_it_part_by_part(hub: Hub) -> None:
    def put(tx: Session) -> None:
        text = "\n".join(f"line {number} {'x' * 80}" for number in range(200))
        outbox.put(tx, kind="answer", source="1", at=hub.at, to=account(FAN), text=text)
        outbox.put(tx, kind="answer", source="2", at=hub.at, to=account(OTHER), text="Hello")

    def record() -> None:
        with hub.scene.db.transaction() as tx:
            put(tx)

    await asyncio.to_thread(record)
    hub.fake.closed.add(OTHER)

    def render(tx: Session, note: OutboxNote) -> Any:
        return Spoken(note.text or "")

    await Sender(hub.scene.db, {"twitter": hub.presence}, render, hub.time.clock).drain()
    assert len(heard(hub)) == 2
    states = await hub.books(lambda tx: [note.state for note in tx.exec(select(OutboxNote)).all()])
    assert states == ["sent", "failed"]


async def test_nobody_is_written_to_who_is_only_read_about(hub: Hub) -> None:
    hub.fake.content("20", MAKER)
    hub.fake.reply(OTHER, "20", "@flattrbot")
    await hub.round()
    await hub.round(minutes=11)
    assert hub.fake.letters == []


async def test_closing_ends_a_round_under_way(hub: Hub) -> None:
    hub.fake.suffer("stalls", "stalls", "stalls")
    task = asyncio.create_task(hub.presence.round())
    await hub.fake.was_asked(1)
    await asyncio.wait_for(hub.presence.close(), 5)
    await task
    await hub.presence.round()
