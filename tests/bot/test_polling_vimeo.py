"""The hub reads Vimeo: what counts from when on, what is taken back, what a day's absence and a bad platform cost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.vimeo import connector
from core.database import Database
from core.rules import Rules
from tests.bot.faulted_polls import Tally
from tests.bot.lent_scene import PLAYS, Step, Town, in_a_world_of_its_own, play, plays
from tests.bot.lent_scene import town as any_town
from tests.platforms.vimeo_api import FAULTS, FakeVimeo, Video

ADA, CARA = "7", "28470614"
MONDAY = datetime(2026, 11, 2, 12, tzinfo=UTC)

town = partial(any_town, connector=connector, fake=FakeVimeo, ada=ADA, cara=CARA)


def by_the_film_s_date(video: Video, _: datetime) -> float:
    return -video.made.timestamp()


async def test_likes_count_from_the_link_on_with_their_own_times(db: Database, rules: Rules, at: datetime) -> None:
    async with town(db, rules, at) as place:
        for number in range(120):
            place.like(str(1_000 + number))
            place.later(minutes=1)
        person = await place.join()
        await place.round()
        assert await place.counting() == set()
        assert await place.states(person) == []
        place.later(minutes=5)
        place.like("2000")
        place.like("1005")  # liked before the link, taken back and liked again since
        await place.round(minutes=15)
        assert await place.counting() == {"2000", "1005"}


@pytest.mark.parametrize("in_order", [True, False])
async def test_an_unlike_is_found_and_a_like_given_again_counts_again(
    sqlite_db: Database, rules: Rules, at: datetime, in_order: bool
) -> None:
    async with town(sqlite_db, rules, at) as place:
        if not in_order:
            place.fake.order = by_the_film_s_date
        await place.join()
        await place.round()
        for name in ("1001", "1002", "1003"):
            place.later(minutes=1)
            place.like(name)
        await place.round(minutes=15)
        place.unlike("1002")
        await place.rounds(1.5)
        assert await place.counting() == {"1001", "1003"}
        assert await place.taken_back() == {"1002"}
        place.like("1002")
        await place.rounds(0.5)
        assert await place.counting() == {"1001", "1002", "1003"}


async def test_content_that_is_gone_or_hidden_is_no_unlike(sqlite_db: Database, rules: Rules, at: datetime) -> None:
    async with town(sqlite_db, rules, at) as place:
        await place.join()
        await place.round()
        for name in ("1001", "1002", "1003", "1004"):
            place.later(minutes=1)
            place.like(name)
        await place.round(minutes=15)
        place.fake.remove("1001")
        place.fake.videos["1002"].view = "nobody"
        place.fake.videos["1003"].view = "password"
        await place.rounds(3)
        assert await place.counting() == {"1001", "1002", "1003", "1004"}
        assert await place.taken_back() == set()


async def test_a_day_of_silence_loses_nothing(sqlite_db: Database, rules: Rules, at: datetime) -> None:
    async with town(sqlite_db, rules, at) as place:
        await place.join()
        await place.round()
        place.later(minutes=1)
        place.like("1001")
        place.like("1002")
        await place.round(minutes=15)
        for number in range(150):
            place.later(minutes=5)
            place.like(str(2_000 + number))
        place.unlike("1002")
        place.like("3000")
        place.unlike("3000")
        place.later(hours=12)
        place.hub = place.another()
        await place.round()
        expected = {"1001", *(str(2_000 + number) for number in range(150))}
        assert await place.counting() >= expected, "whatever was liked is there with the first reading"
        listing = await place.listing()
        assert listing.caught_up == 150
        assert listing.blind_until - listing.blind_from > timedelta(hours=24)
        await place.rounds(1)
        assert await place.counting() == expected


async def test_a_late_like_counts_in_the_open_month(sqlite_db: Database, rules: Rules, at: datetime) -> None:
    async with town(sqlite_db, rules, at) as place:
        person = await place.join()
        await place.round()
        place.later(days=20, hours=11, minutes=50)  # the 30th, 23:50
        place.like("1001")
        place.later(hours=2)
        await place.books(place.scene.advance)
        await place.round()
        assert await place.states(person) == ["pending"]
        assert await place.states(person, 24323) == []


async def likes_of(place: Town, many: int) -> set[str]:
    await place.join()
    await place.round()
    names = {str(1_000 + number) for number in range(many)}
    for name in sorted(names):
        place.later(seconds=2)
        place.like(name)
    await place.round(minutes=15)
    assert await place.counting() == names
    return names


async def test_too_many_missing_at_once_are_held_until_vimeo_has_spoken(
    sqlite_db: Database, rules: Rules, at: datetime
) -> None:
    async with town(sqlite_db, rules, at) as place:
        names = await likes_of(place, 130)
        place.fake.unlisted = set(sorted(names)[:60])
        await place.round(hours=25)
        held = await place.held()
        assert held, "fifty are asked about in one turn, the others wait"
        assert held < place.fake.unlisted
        assert await place.taken_back() == set()
        await place.rounds(1)
        assert await place.counting() == names, "it says that each of them stands"


async def test_many_that_were_really_taken_back_are_found(sqlite_db: Database, rules: Rules, at: datetime) -> None:
    async with town(sqlite_db, rules, at) as place:
        names = await likes_of(place, 60)
        gone = set(sorted(names)[:30])
        for name in gone:
            place.unlike(name)
        await place.rounds(3)
        assert await place.counting() == names - gone
        assert await place.taken_back() == gone


async def test_an_access_that_was_withdrawn_pauses_the_account_and_loses_nothing(
    sqlite_db: Database, rules: Rules, at: datetime
) -> None:
    async with town(sqlite_db, rules, at) as place:
        names = await likes_of(place, 5)
        place.fake.withdraw(ADA)
        before = await place.notes()
        await place.rounds(1)
        assert len(await place.notes()) == len(before) + 1, "told once"
        asked = len(place.fake.heard)
        place.like("2000")
        await place.rounds(1)
        assert len(place.fake.heard) == asked, "nobody is asked without access"
        assert await place.counting() == names


@settings(max_examples=PLAYS, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=plays(FAULTS), in_order=st.booleans())
def test_no_fault_makes_an_unlike_and_every_true_one_is_found(
    sqlite_template: Path, tally: Tally, steps: list[Step], in_order: bool
) -> None:
    def hide(place: Town, name: str) -> None:
        place.fake.videos[name].view = "nobody"

    async def run(db: Database, rules: Rules) -> None:
        async with town(db, rules, MONDAY) as place:
            if not in_order:
                place.fake.order = by_the_film_s_date
            await play(place, steps, hide, tally)

    in_a_world_of_its_own(sqlite_template, run)
