"""Accounts that are read once more after a time in which nobody read them: unlinked and linked again, left and back."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from core.database import Database
from core.people import leaving, linking, persons
from core.rules import Rules
from tests.bot.polling_scene import Town, town
from tests.platforms.listed_api import Toy, account, plan

INDIRECT = plan(newest_first=False, agreeing=2, agreeing_for=timedelta(minutes=30), direct=False)


@pytest.fixture(params=["with times", "without times", "oldest first", "indirect"])
def connector(request: pytest.FixtureRequest) -> Toy:
    return {
        "with times": Toy(),
        "without times": Toy(timed=False),
        "oldest first": Toy(timed=False, plan=plan(newest_first=False)),
        "indirect": Toy(timed=False, plan=INDIRECT),
    }[request.param]


async def unlink(place: Town) -> None:
    def unlinked() -> None:
        with place.scene.db.transaction() as tx:
            found = persons.account_of(tx, account("ada"))
            assert found is not None
            linking.unlink(tx, found, place.at)

    await asyncio.to_thread(unlinked)
    await place.round()
    assert await place.listing() is None


async def leave(place: Town, person: int) -> None:
    def left() -> None:
        with place.scene.db.transaction() as tx:
            leaving.stop(tx, place.scene.rules, person, place.at)

    await asyncio.to_thread(left)
    await place.round()


async def member(place: Town) -> None:
    """ada, with three likes that count."""
    await place.join()
    await place.round()
    place.later(minutes=1)
    for name in ("song", "poem", "film"):
        place.like(name)
    await place.round(minutes=15)
    assert await place.standing() == {"song", "poem", "film"}


async def test_an_unlike_while_nobody_read_is_found(sqlite_db: Database, rules: Rules, at, connector: Toy) -> None:
    async with town(sqlite_db, rules, at, connector) as place:
        await member(place)
        await unlink(place)
        place.later(hours=1)
        place.toy.unlike("ada", "poem")
        await place.join()
        await place.rounds(2)
        assert await place.standing() == {"song", "film"}


async def test_an_unlike_of_what_counted_before_is_found(sqlite_db: Database, rules: Rules, at, connector: Toy) -> None:
    async with town(sqlite_db, rules, at, connector) as place:
        await member(place)
        await unlink(place)
        place.later(hours=1)
        await place.join()
        await place.rounds(0.5)
        assert await place.standing() == {"song", "poem", "film"}
        place.toy.unlike("ada", "poem")
        await place.rounds(2)
        assert await place.standing() == {"song", "film"}


async def test_a_like_given_anew_after_a_new_link_counts_in_its_month(sqlite_db, rules, at, connector: Toy) -> None:
    async with town(sqlite_db, rules, at, connector) as place:
        await member(place)
        await unlink(place)
        place.toy.unlike("ada", "poem")
        place.later(days=25)  # the next month
        person = await place.join()
        await place.rounds(2)
        place.like("poem")
        await place.rounds(1)
        assert await place.states(person) == {"poem": "pending"}


async def test_who_left_and_came_back_begins_anew(sqlite_db: Database, rules: Rules, at, connector: Toy) -> None:
    async with town(sqlite_db, rules, at, connector) as place:
        person = await place.join()
        await place.round()
        place.later(minutes=1)
        for name in ("song", "poem"):
            place.like(name)
        await place.round(minutes=15)
        await leave(place, person)
        place.toy.unlike("ada", "poem")
        place.later(hours=1)
        again = await place.join()
        assert again != person
        await place.rounds(1)
        assert await place.standing() == set(), "what was taken along into leaving stays out"
        place.like("poem")
        await place.rounds(1)
        assert await place.standing() == {"poem"}


async def test_what_was_held_at_an_unlinking_counts_once_it_is_listed_again(sqlite_db, rules: Rules, at) -> None:
    async with town(sqlite_db, rules, at, Toy(timed=False, plan=INDIRECT)) as place:
        person = await place.join()
        await place.round()
        place.later(minutes=1)
        for number in range(25):
            place.like(f"song-{number}")
        await place.round(minutes=15)
        place.toy.unlisted = {f"song-{number}" for number in range(25)}
        await place.rounds(0.5)
        assert set((await place.states(person)).values()) == {"held"}
        await unlink(place)
        place.toy.unlisted = set()
        await place.join()
        await place.rounds(0.2)
        assert set((await place.states(person)).values()) == {"pending"}


async def test_a_network_that_was_off_for_a_while_goes_on_where_it_was(sqlite_db, rules, at, connector: Toy) -> None:
    async with town(sqlite_db, rules, at, connector) as place:
        await member(place)
        for name in ("poem", "film"):
            place.toy.unlike("ada", name)
        place.later(days=3)  # nobody reads
        place.like("meanwhile")
        place.like("film")
        place.later(days=3)
        place.hub = place.another()
        await place.rounds(1)
        assert await place.standing() == {"song", "film", "meanwhile"}
