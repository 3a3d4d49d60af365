"""SoundCloud's likes in the real books: timed where it tells, taken back only by what it really shows."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.soundcloud import connector
from core.database import Database
from core.rules import Rules
from tests.bot.faulted_polls import Tally, plays_of, spoiling
from tests.bot.polled_town import Town, town
from tests.platforms.soundcloud_api import FAULTS, FakeSoundCloud, Person

ADA, CARA = "soundcloud:users:77", "soundcloud:users:12345"


def soundcloud(db: Database, rules: Rules, at: Any) -> Any:
    return town(db, rules, at, connector, FakeSoundCloud, ADA)


def furnish(place: Town, many: int = 0) -> Person:
    """So many tracks, liked before the link."""
    place.fake.user(CARA, "cara")
    ada: Person = place.fake.user(ADA, "ada")
    for number in range(many):
        work = place.fake.content(number + 1, CARA)
        place.fake.like(ADA, work.urn, place.at - timedelta(hours=number + 1))
    return ada


def song(place: Town, number: int, kind: str = "tracks") -> str:
    urn = f"soundcloud:{kind}:{number}"
    place.fake.content(urn, CARA)
    place.like(urn)
    return urn


async def test_likes_count_from_the_link_on_by_their_own_time(db: Database, rules: Rules, at: Any) -> None:
    async with soundcloud(db, rules, at) as place:
        furnish(place, 230)
        await place.join()
        await place.round()
        assert await place.standing() == set()
        place.later(minutes=5)
        urn = song(place, 9001)
        liked_at = place.at
        sets = song(place, 9002, "playlists")
        await place.round(minutes=10)
        assert await place.standing() == {urn, sets}
        times = {like.fact.partition(":")[2]: like.liked_at for like in await place.likes()}
        assert times[f"{urn}|like"] == liked_at, "the next page's address tells it"
        assert times[f"{sets}|like"] == place.at, "the only playlist has no next page"
        await place.rounds(6, hours=2)
        assert await place.standing() == {urn, sets}
        assert len(await place.likes()) == 2, "listed again without its time it is the same like"


async def test_an_unlike_is_found_after_three_listings_and_a_like_given_again_counts_again(
    db: Database, rules: Rules, at: Any
) -> None:
    async with soundcloud(db, rules, at) as place:
        furnish(place, 3)
        await place.join()
        await place.round()
        names = {song(place, 9001), song(place, 9002), song(place, 9, "playlists")}
        await place.round(minutes=10)
        place.unlike("soundcloud:tracks:9001")
        place.unlike("soundcloud:playlists:9")
        await place.round(minutes=10)
        assert await place.standing() == names, "one listing does not decide"
        await place.rounds(8, minutes=15)
        assert await place.standing() == {"soundcloud:tracks:9002"}
        place.like("soundcloud:tracks:9001")
        await place.rounds(3, hours=1)
        assert await place.standing() == names - {"soundcloud:playlists:9"}


async def test_likes_that_are_not_shown_for_a_day_were_not_taken_back(
    sqlite_db: Database, rules: Rules, at: Any
) -> None:
    async with soundcloud(sqlite_db, rules, at) as place:
        furnish(place)
        await place.join()
        await place.round()
        names = {song(place, 9001), song(place, 9002), song(place, 9, "playlists")}
        await place.round(minutes=10)
        place.fake.vanished |= names
        await place.rounds(12, hours=2)
        assert await place.standing() == names
        place.fake.vanished.clear()
        place.unlike("soundcloud:tracks:9001")
        await place.rounds(10, minutes=20)
        assert await place.standing() == names - {"soundcloud:tracks:9001"}


@pytest.mark.parametrize("counts", [True, False])
@pytest.mark.parametrize("change", ["removed", "private"])
async def test_content_that_is_gone_is_no_unlike(
    sqlite_db: Database, rules: Rules, at: Any, change: str, counts: bool
) -> None:
    async with soundcloud(sqlite_db, rules, at) as place:
        furnish(place)
        place.fake.counts = counts
        await place.join()
        await place.round()
        names = {song(place, 9001), song(place, 9002), song(place, 9, "playlists")}
        await place.round(minutes=10)
        for urn in ("soundcloud:tracks:9001", "soundcloud:playlists:9"):
            if change == "removed":
                place.fake.remove(urn)
            else:
                place.fake.works[urn].sharing = "private"
        await place.rounds(30, hours=4)
        assert await place.standing() == names
        place.unlike("soundcloud:tracks:9002")
        await place.rounds(4, hours=4)
        assert await place.standing() == names - {"soundcloud:tracks:9002"}, "others are still found"


async def test_an_account_that_counts_more_than_it_shows_is_read(sqlite_db: Database, rules: Rules, at: Any) -> None:
    async with soundcloud(sqlite_db, rules, at) as place:
        furnish(place, 20).ghosts = 400
        await place.join()
        await place.rounds(2, minutes=10)
        urn = song(place, 9001)
        other = song(place, 9002)
        await place.round(minutes=20)
        assert await place.standing() == {urn, other}
        place.unlike(urn)
        await place.rounds(10, minutes=15)
        assert await place.standing() == {other}


async def test_a_day_of_silence_loses_nothing(sqlite_db: Database, rules: Rules, at: Any) -> None:
    async with soundcloud(sqlite_db, rules, at) as place:
        furnish(place, 5)
        await place.join()
        await place.round()
        before, back = song(place, 9001), song(place, 9002)
        await place.round(minutes=10)
        await place.hub.close()
        expected = {before}
        for hour in range(24):
            place.later(hours=1)
            expected |= {song(place, 10_000 + 10 * hour + number) for number in range(10)}
        place.unlike(back)
        place.unlike(song(place, 9003))
        place.restart()
        await place.round()
        assert await place.standing() >= expected, "with the first reading, more than a page of it"
        await place.rounds(6, minutes=20)
        assert await place.standing() == expected


async def test_a_refresh_token_is_used_once_an_hour(sqlite_db: Database, rules: Rules, at: Any) -> None:
    async with soundcloud(sqlite_db, rules, at) as place:
        furnish(place)
        await place.join()
        await place.round()
        urn = song(place, 9001)
        await place.rounds(5, hours=2)
        assert (await place.standing(), place.keys.refreshes, place.keys.ended) == ({urn}, 5, [])
        place.fake.withdraw(ADA)
        await place.round(hours=2)
        assert (await place.standing(), place.keys.ended) == ({urn}, [ADA])


async def test_a_like_of_the_month_s_last_minutes_counts_for_its_month(
    sqlite_db: Database, rules: Rules, at: Any
) -> None:
    async with soundcloud(sqlite_db, rules, at) as place:
        furnish(place, 3)
        person = await place.join()
        await place.round()
        place.later(days=20, hours=11, minutes=50)  # the 30th, 23:50
        song(place, 9001)
        await place.round(minutes=30)
        month = await asyncio.to_thread(place.scene.status, person, 24323)
        assert [line.url for line in month.lines] == ["https://soundcloud.com/cara/song-9001"]


ACTS = st.tuples(
    st.sampled_from(["like", "like", "unlike", "unlike", "remove", "private", "nothing"]), st.integers(0, 7)
)
STEPS = st.lists(
    st.tuples(st.lists(ACTS, max_size=2), st.lists(st.sampled_from(["", *FAULTS]), max_size=6)),
    min_size=8,
    max_size=12,
)


@settings(
    max_examples=plays_of(7),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(steps=STEPS, before=st.sampled_from([0, 1, 210]), counts=st.booleans())
def test_no_fault_takes_a_like_back_and_every_unlike_is_found(
    sqlite_template: Path, rules: Rules, at: Any, tally: Tally, steps: list[Any], before: int, counts: bool
) -> None:
    async def play(db: Database) -> None:
        async with soundcloud(db, rules, at) as place:
            furnish(place, before)
            place.fake.counts = counts
            names = [f"soundcloud:{'playlists' if number > 5 else 'tracks'}:{9000 + number}" for number in range(8)]
            for name in names:
                place.fake.content(name, CARA)
            await place.join()
            await place.rounds(2, minutes=10)
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
            await place.rounds(18, hours=6)
            shown = {name for name, work in place.fake.works.items() if work.sharing == "public"}
            liked = set(place.fake.people[ADA].likes) & {*names}
            standing = await place.standing()
            tally.ended((unliked - liked) & shown, standing)
            assert liked & shown <= standing
            assert standing & shown <= liked

    with tempfile.TemporaryDirectory() as folder:
        shutil.copyfile(sqlite_template, Path(folder) / "hub.db")
        db = Database(f"sqlite:///{folder}/hub.db")
        asyncio.run(play(db))
        db.dispose()


def _act(place: Town, act: str, name: str) -> None:
    likes = place.fake.people[ADA].likes
    match act:
        case "like" if name in place.fake.works and name not in likes:
            place.like(name)
        case "unlike":
            place.unlike(name)
        case "remove":
            place.fake.works.pop(name, None)
        case "private" if name in place.fake.works:
            place.fake.works[name].sharing = "private"
