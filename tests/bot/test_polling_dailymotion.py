"""Dailymotion's likes in the real books: from the link on, taken back only by what the platform really shows."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.dailymotion import connector
from core.database import Database
from core.rules import Rules
from tests.bot.faulted_polls import Tally, plays_of, spoiling
from tests.bot.polled_town import Town, town
from tests.platforms.dailymotion_api import FAULTS, FakeDailymotion

ADA, CARA = "x1ada", "x2cara"


def dailymotion(db: Database, rules: Rules, at: Any) -> Any:
    return town(db, rules, at, connector, FakeDailymotion, ADA)


def furnish(place: Town, many: int = 0) -> list[str]:
    """So many videos, liked before the link."""
    place.fake.user(ADA, "ada")
    place.fake.user(CARA, "cara")
    names = [f"x8old{number}" for number in range(many)]
    for name in names:
        place.fake.content(name, CARA)
        place.like(name)
    return names


def film(place: Town, name: str, **more: Any) -> str:
    place.fake.content(name, CARA, **more)
    place.like(name)
    return name


async def test_likes_count_from_the_link_on(db: Database, rules: Rules, at: Any) -> None:
    async with dailymotion(db, rules, at) as place:
        furnish(place, 130)
        await place.join()
        await place.round()
        assert await place.standing() == set()
        film(place, "x9new")
        await place.round(minutes=20)
        assert await place.standing() == {"x9new"}
        await place.rounds(10, hours=1)
        assert await place.standing() == {"x9new"}


async def test_an_unlike_is_found_within_two_hours_and_a_like_given_again_counts_again(
    db: Database, rules: Rules, at: Any
) -> None:
    async with dailymotion(db, rules, at) as place:
        furnish(place, 3)
        await place.join()
        await place.round()
        film(place, "x9song")
        film(place, "x9poem")
        await place.round(minutes=20)
        place.unlike("x9poem")
        await place.rounds(8, minutes=15)
        assert await place.standing() == {"x9song"}
        place.like("x9poem")
        await place.rounds(8, minutes=15)
        assert await place.standing() == {"x9song", "x9poem"}


async def test_a_like_and_an_unlike_that_leave_total_and_top_alike_are_found_within_the_hours(
    sqlite_db: Database, rules: Rules, at: Any
) -> None:
    async with dailymotion(sqlite_db, rules, at) as place:
        furnish(place)
        place.fake.order = lambda video, _: video
        await place.join()
        await place.round()
        film(place, "x1first")
        film(place, "x5goes")
        await place.round(minutes=20)
        place.unlike("x5goes")
        film(place, "x7comes")
        await place.rounds(12, minutes=15)
        assert await place.standing() == {"x1first", "x7comes"}


@pytest.mark.parametrize("change", ["removed", "private", "deleted"])
async def test_content_that_is_gone_is_no_unlike(sqlite_db: Database, rules: Rules, at: Any, change: str) -> None:
    async with dailymotion(sqlite_db, rules, at) as place:
        furnish(place)
        await place.join()
        await place.round()
        film(place, "x9song")
        film(place, "x9poem")
        await place.round(minutes=20)
        if change == "removed":
            place.fake.remove("x9song")
        else:
            place.fake.videos["x9song"].private = change == "private"
            place.fake.videos["x9song"].status = "deleted" if change == "deleted" else "published"
            place.unlike("x9song")  # as it leaves the list
        await place.rounds(24, hours=1)
        assert await place.standing() == {"x9song", "x9poem"}


async def test_a_day_of_silence_loses_nothing(sqlite_db: Database, rules: Rules, at: Any) -> None:
    async with dailymotion(sqlite_db, rules, at) as place:
        furnish(place, 5)
        await place.join()
        await place.round()
        film(place, "x9before")
        film(place, "x9back")
        await place.round(minutes=20)
        await place.hub.close()
        for hour in range(24):
            place.later(hours=1)
            for number in range(5):
                film(place, f"x9m{hour}n{number}")
        place.unlike("x9back")
        film(place, "x9short")
        place.unlike("x9short")
        place.restart()
        await place.round()
        expected = {"x9before", *(f"x9m{hour}n{number}" for hour in range(24) for number in range(5))}
        assert await place.standing() >= expected, "with the first reading"
        await place.rounds(6, minutes=30)
        assert await place.standing() == expected
        assert len(await place.likes()) == len(expected) + 1, "each once, and the one that was taken back"


async def test_a_late_like_counts_in_the_month_of_its_reading(sqlite_db: Database, rules: Rules, at: Any) -> None:
    async with dailymotion(sqlite_db, rules, at) as place:
        furnish(place)
        person = await place.join()
        await place.round()
        place.later(days=20, hours=11, minutes=50)  # the 30th, 23:50
        film(place, "x9late")
        await place.round(hours=2)
        status = await asyncio.to_thread(place.scene.status, person)
        assert [line.url.rpartition("/")[2] for line in status.lines] == ["x9late"]


async def test_a_listing_that_loses_many_is_held_and_not_believed(sqlite_db: Database, rules: Rules, at: Any) -> None:
    async with dailymotion(sqlite_db, rules, at) as place:
        furnish(place)
        await place.join()
        await place.round()
        names = {film(place, f"x9n{number}") for number in range(60)}
        await place.round(minutes=20)
        likes = place.fake.people[ADA].likes
        kept = dict(likes)
        for name in sorted(names)[:30]:
            del likes[name]
        await place.rounds(10, hours=1)
        assert await place.standing(held=True) == names
        likes.update(kept)
        await place.rounds(3, hours=1)
        assert await place.standing() == names


async def test_a_platform_that_shows_nobody_s_likes_takes_nothing_back(
    sqlite_db: Database, rules: Rules, at: Any
) -> None:
    async with dailymotion(sqlite_db, rules, at) as place:
        furnish(place)
        await place.join()
        await place.round()
        names = {film(place, f"x9n{number}") for number in range(3)}
        await place.round(minutes=20)
        kept = dict(place.fake.people[ADA].likes)
        place.fake.people[ADA].likes.clear()
        await place.rounds(22, hours=1)
        assert await place.standing() == names
        place.fake.people[ADA].likes.update(kept)
        await place.rounds(2, hours=1)
        place.fake.people[ADA].likes.clear()
        await place.rounds(30, hours=1)
        assert await place.standing() == set(), "a day of it is believed"


async def test_an_access_that_ends_is_refreshed_and_one_that_was_withdrawn_stops(
    sqlite_db: Database, rules: Rules, at: Any
) -> None:
    async with dailymotion(sqlite_db, rules, at) as place:
        furnish(place)
        await place.join()
        await place.round()
        film(place, "x9song")
        await place.round(hours=11)
        assert (await place.standing(), place.keys.refreshes) == ({"x9song"}, 1)
        place.fake.withdraw(ADA)
        await place.round(hours=2)
        assert place.keys.ended == [ADA]
        assert await place.standing() == {"x9song"}
        film(place, "x9poem")
        await place.sign_in()
        await place.rounds(3, hours=1)
        assert await place.standing() == {"x9song", "x9poem"}


ACTS = st.tuples(
    st.sampled_from(["like", "like", "unlike", "unlike", "remove", "private", "nothing"]), st.integers(0, 7)
)
STEPS = st.lists(
    st.tuples(st.lists(ACTS, max_size=2), st.lists(st.sampled_from(["", *FAULTS]), max_size=5)),
    min_size=6,
    max_size=12,
)


@settings(
    max_examples=plays_of(6),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(steps=STEPS, before=st.sampled_from([0, 1, 130]))
def test_no_fault_takes_a_like_back_and_every_unlike_is_found(
    sqlite_template: Path, rules: Rules, at: Any, tally: Tally, steps: list[Any], before: int
) -> None:
    async def play(db: Database) -> None:
        async with dailymotion(db, rules, at) as place:
            furnish(place, before)
            names = [f"x9n{number}" for number in range(8)]
            for name in names:
                place.fake.content(name, CARA)
            await place.join()
            await place.round()
            seen, unliked = set[str](), set[str]()
            for acts, faults in steps:
                for act, number in acts:
                    _act(place, act, names[number])
                    unliked |= {names[number]} & seen if act == "unlike" else set()
                place.fake.faults.extend(faults)
                waited = spoiling(place.fake)
                await place.round(minutes=100)
                tally.polled(waited, place.fake)
                place.fake.faults.clear()
                liked = set(place.fake.people[ADA].likes) & {*names}
                standing = await place.standing(held=True)
                tally.wrong((seen & liked) - standing)
                seen = standing
            await place.rounds(15, hours=2)
            shown = {name for name, video in place.fake.videos.items() if not video.private}
            liked = set(place.fake.people[ADA].likes) & {*names}
            standing = await place.standing()
            tally.ended((unliked - liked) & shown, standing)
            assert liked & shown <= standing
            assert standing & shown <= liked
            for like in await place.likes():
                assert like.held_at is None

    with tempfile.TemporaryDirectory() as folder:
        shutil.copyfile(sqlite_template, Path(folder) / "hub.db")
        db = Database(f"sqlite:///{folder}/hub.db")
        asyncio.run(play(db))
        db.dispose()


def _act(place: Town, act: str, name: str) -> None:
    likes = place.fake.people[ADA].likes
    match act:
        case "like" if name in place.fake.videos and name not in likes:
            place.like(name)
        case "unlike":
            place.unlike(name)
        case "remove":
            place.fake.videos.pop(name, None)
        case "private" if name in place.fake.videos:
            place.fake.videos[name].private = True
