"""Once a day the hub reads a member's likes on X: what the webhook missed is found, what was taken back withdrawn."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import select

from bot.polling.engine import Polling
from core.database import Database
from core.periods import month_of
from core.rules import Rules
from core.tables import Flattr
from tests.bot.faulted_polls import Tally, plays_of, spoiling
from tests.bot.twitter_hub import FAN, MAKER, Hub, hub_on_x
from tests.platforms.misbehaving import CUTS, DROPS, Says


class Reader:
    """fan's likes as they are read by the real engine, with those that the webhook tells."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.engine: Polling = hub.polling()

    async def settle_in(self, old: int = 3) -> None:
        """fan has liked some posts before linking; then the first reading makes the mark."""
        for number in range(old):
            self.post(100 + number)
            self.hub.fake.like(FAN, str(100 + number))
        await self.hub.later(minutes=5)
        await self.hub.join(FAN)
        await self.hub.later(minutes=1)
        await self.hub.round()
        await self.engine.round()

    def post(self, number: int) -> str:
        # The numbers are in no order that has to do with the likes'.
        self.hub.fake.content(str(number), MAKER, f"post {number}")
        return str(number)

    async def like(self, *numbers: int, told: bool = True) -> None:
        for number in numbers:
            await self.hub.later(seconds=30)
            self.hub.fake.like(FAN, self.post(number))
        if not told:
            self.hub.fake.pending.clear()
        await self.hub.deliver()

    async def days(self, many: int) -> None:
        for _ in range(many * 4):
            await self.hub.later(hours=6)
            await self.engine.round()


@asynccontextmanager
async def reading(db: Database, rules: Rules, at: datetime) -> AsyncIterator[Reader]:
    async with hub_on_x(db, rules, at, settings={"mentions_minutes": "0"}) as hub:
        reader = Reader(hub)
        yield reader
        await reader.engine.close()


@pytest.fixture
async def reader(sqlite_db: Database, rules: Rules, at: datetime) -> AsyncIterator[Reader]:
    async with reading(sqlite_db, rules, at) as reader:
        await reader.settle_in()
        yield reader


async def test_what_was_liked_before_linking_never_counts(reader: Reader) -> None:
    await reader.days(3)
    assert await reader.hub.standing() == set()


async def test_a_like_that_the_webhook_missed_is_found_within_a_day(reader: Reader) -> None:
    await reader.like(9, told=False)
    assert await reader.hub.standing() == set()
    await reader.days(2)
    assert await reader.hub.standing() == {"9"}


async def test_a_like_that_was_told_and_listed_is_one_flattr(reader: Reader) -> None:
    await reader.like(9)
    await reader.days(3)
    assert await reader.hub.standing() == {"9"}


async def test_an_unlike_is_found_though_x_tells_nobody_and_ids_are_in_no_order(reader: Reader) -> None:
    await reader.like(50, 7, 999)
    await reader.days(2)
    reader.hub.fake.unlike(FAN, "7")
    await reader.days(4)
    assert await reader.hub.standing() == {"50", "999"}


async def test_a_like_that_falls_off_the_page_was_not_taken_back(reader: Reader) -> None:
    await reader.like(*range(1000, 1020))
    await reader.days(2)
    before = await reader.hub.standing()
    await reader.like(*range(2000, 2095))
    await reader.days(4)
    assert await reader.hub.standing() == before | {str(number) for number in range(2000, 2095)}


async def test_deleted_and_hidden_posts_keep_what_they_earned(reader: Reader) -> None:
    await reader.like(1, 2, 3)
    await reader.days(2)
    reader.hub.fake.remove("2")
    await reader.days(4)
    assert await reader.hub.standing() == {"1", "2", "3"}
    reader.hub.fake.users[MAKER].protected = True
    await reader.days(4)
    assert await reader.hub.standing() == {"1", "2", "3"}


async def test_many_likes_that_vanish_at_once_are_held_and_looked_at_again(reader: Reader) -> None:
    await reader.like(*range(1000, 1060))
    await reader.days(2)
    kept = reader.hub.fake.likes[FAN]
    # X shows the latest and the oldest ones only.
    reader.hub.fake.likes[FAN] = [*kept[:5], *kept[-5:]]
    await reader.days(1)
    reader.hub.fake.likes[FAN] = kept
    await reader.days(3)
    assert await reader.hub.standing() == {str(number) for number in range(1000, 1060)}


async def test_a_day_costs_no_more_than_its_page(reader: Reader) -> None:
    await reader.like(1, 2, 3)
    asked = len([each for each in reader.hub.fake.asked if "liked_tweets" in each])
    await reader.days(10)
    more = len([each for each in reader.hub.fake.asked if "liked_tweets" in each]) - asked
    assert more <= 11


async def test_a_like_of_last_month_counts_for_last_month(reader: Reader) -> None:
    hub = reader.hub
    reader.post(9)
    await hub.later(days=20, hours=11)  # the last hours of November
    hub.fake.like(FAN, "9")
    liked_at = hub.at
    await hub.later(hours=3)
    await hub.deliver()  # told late, with its own time
    assert await hub.standing() == {"9"}
    months = await hub.books(lambda tx: [flattr.month for flattr in tx.exec(select(Flattr)).all()])
    assert months == [month_of(liked_at)]


FAULTS: list[Any] = [
    "truncated",
    "no meta",
    "no ids",
    "errors",
    "error object",
    "html",
    "list",
    Says(500),
    Says(503, {"retry-after": "30"}),
    Says(429, {"retry-after": "60"}),
    Says(403, body=b"<html>"),
    Says(404),
    Says(200, body=b""),
    Says(200, {"content-type": "application/json"}, b'{"meta":{"result_count":0}}'),
    DROPS,
    CUTS,
]


@settings(max_examples=plays_of(8), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
async def test_bad_days_never_unlike_and_good_ones_find_every_unlike(
    seed: int, sqlite_template: Path, rules: Rules, at: datetime, tally: Tally
) -> None:
    chance = random.Random(seed)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "hub.db"
        copyfile(sqlite_template, path)
        db = Database(f"sqlite:///{path}")
        try:
            async with reading(db, rules, at) as reader:
                await _bad_and_good_days(reader, chance, tally)
        finally:
            db.dispose()


async def _bad_and_good_days(reader: Reader, chance: random.Random, tally: Tally) -> None:
    fake, hub = reader.hub.fake, reader.hub
    await reader.settle_in()
    await reader.like(*range(1000, 1012))
    await reader.days(2)
    liked = {str(number) for number in range(1000, 1012)}
    assert await hub.standing() == liked
    taken_back: set[str] = set()
    for day in range(12):
        for _ in range(chance.randint(0, 4)):
            fault = chance.choice(FAULTS)
            if isinstance(fault, str) and fault not in (DROPS, CUTS):
                fake.faults.append(fault)
            else:
                fake.suffer(fault)
        if chance.random() < 0.3:
            fake.expire(FAN)
        if day == 5:
            taken_back = set(chance.sample(sorted(liked), 2))
            for each in taken_back:
                fake.unlike(FAN, each)
        waited = spoiling(fake)
        await reader.days(1)
        tally.polled(waited, fake)
        tally.wrong(liked - taken_back - await hub.standing())
    fake.faults.clear()
    fake._faults.clear()
    await reader.days(8)
    tally.ended(taken_back, await hub.standing())
    assert await hub.standing() == liked - taken_back


async def test_a_like_that_was_told_and_taken_back_before_any_list_showed_it_is_found_too(reader: Reader) -> None:
    await reader.like(9)
    reader.hub.fake.unlike(FAN, "9")
    await reader.days(4)
    assert await reader.hub.standing() == set()


async def test_a_like_between_the_link_and_the_first_reading_can_be_taken_back(
    sqlite_db: Database, rules: Rules, at: datetime
) -> None:
    async with reading(sqlite_db, rules, at) as reader:
        reader.hub.fake.like(FAN, reader.post(100))
        await reader.hub.later(minutes=5)
        await reader.hub.join(FAN)
        await reader.hub.round()
        await reader.like(9)
        await reader.engine.round()
        assert await reader.hub.standing() == {"9"}
        await reader.days(2)
        reader.hub.fake.unlike(FAN, "9")
        await reader.days(4)
        assert await reader.hub.standing() == set()
