"""What lists really look like: windows that slide, content that hides and comes back, totals that never fit."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connectors.base import Rejected
from core.database import Database
from core.events import Liked, Unliked
from core.rules import Rules
from tests.bot.polling_scene import Town, town
from tests.platforms.listed_api import Toy, account, plan, thing


class HearsToo(Toy):
    """It delivers likes by webhook as well."""

    def challenge(self, delivery, secrets):
        return None

    def verify(self, delivery, secrets):
        raise Rejected("not in this test")

    def translate(self, delivery):
        return ()


UNTIMED = Toy(timed=False)
OLDEST_FIRST = Toy(timed=False, plan=plan(newest_first=False))


async def with_old(place: Town, number: int = 30) -> int:
    """ada links her account after so many likes, and likes three things more."""
    for each in range(number):
        place.later(minutes=1)
        place.like(f"old-{each}")
    place.later(minutes=1)
    person = await place.join()
    await place.round()
    place.later(minutes=1)
    for name in ("song", "poem", "film"):
        place.later(seconds=1)
        place.like(name)
    await place.round(minutes=15)
    assert set(await place.states(person)) == {"song", "poem", "film"}
    return person


async def test_what_slides_into_a_window_is_old(sqlite_db: Database, rules: Rules, at) -> None:
    async with town(sqlite_db, rules, at, UNTIMED, window=20) as place:
        person = await with_old(place)
        for number in range(20, 28):
            place.toy.unlike("ada", f"old-{number}")
            await place.rounds(0.4)
        place.like("late")
        await place.rounds(1)
        assert set(await place.states(person)) == {"song", "poem", "film", "late"}


@pytest.mark.parametrize("connector", [Toy(), UNTIMED, OLDEST_FIRST])
async def test_old_content_that_was_hidden_is_old_when_it_shows(sqlite_db: Database, rules, at, connector) -> None:
    async with town(sqlite_db, rules, at, connector) as place:
        for name in ("old-3", "old-17"):
            place.toy.content(name)
            place.toy.works[name].private = True
        person = await with_old(place)
        place.toy.works["old-3"].private = False
        await place.rounds(1)
        place.toy.works["old-17"].private = False
        await place.rounds(1)
        assert set(await place.states(person)) == {"song", "poem", "film"}


async def test_old_content_that_no_list_showed_at_first_is_old_by_its_place(sqlite_db: Database, rules, at) -> None:
    async with town(sqlite_db, rules, at, UNTIMED) as place:
        place.toy.unlisted = {"old-3", "old-17"}
        person = await with_old(place)
        place.toy.unlisted = set()
        await place.rounds(2)
        assert set(await place.states(person)) == {"song", "poem", "film"}
        place.toy.unlike("ada", "old-17")
        await place.rounds(9)
        place.like("old-17")
        await place.rounds(1)
        assert set(await place.states(person)) == {"song", "poem", "film", "old-17"}, "given again, it counts"


@pytest.mark.parametrize("connector", [Toy(), UNTIMED, OLDEST_FIRST])
async def test_what_is_hidden_for_a_while_is_not_taken_back(sqlite_db: Database, rules: Rules, at, connector) -> None:
    async with town(sqlite_db, rules, at, connector) as place:
        await with_old(place)
        place.toy.works["poem"].private = True
        await place.rounds(2)
        assert await place.standing() == {"song", "poem", "film"}
        place.toy.works["poem"].private = False
        await place.rounds(1)
        assert await place.standing() == {"song", "poem", "film"}


@pytest.mark.parametrize("mangle", ["lost", "truncated", "empty"])
async def test_a_first_listing_that_does_not_come_to_its_total_is_read_again(sqlite_db, rules, at, mangle: str) -> None:
    async with town(sqlite_db, rules, at, OLDEST_FIRST, counts=True) as place:
        place.toy.mangles.extend([mangle] * 2)
        for each in range(30):
            place.like(f"old-{each}")
        person = await place.join()
        await place.round()
        assert (await place.listing()).marked_at is None
        for _ in range(4):
            await place.round(minutes=6)
        assert (await place.listing()).marked_at is not None
        place.like("song")
        await place.rounds(1)
        assert set(await place.states(person)) == {"song"}


async def test_a_total_that_never_fits_does_not_keep_an_account_out(sqlite_db: Database, rules: Rules, at) -> None:
    async with town(sqlite_db, rules, at, OLDEST_FIRST, counts=True) as place:
        place.toy.unlisted = {"old-5"}
        for each in range(30):
            place.like(f"old-{each}")
        person = await place.join()
        for _ in range(3):
            await place.round(minutes=6)
        place.like("song")
        await place.rounds(1)
        assert set(await place.states(person)) == {"song"}


@pytest.mark.parametrize("newest_first", [True, False])
async def test_a_like_given_again_among_many_others_is_a_new_one(sqlite_db, rules: Rules, at, newest_first) -> None:
    async with town(sqlite_db, rules, at, Toy(plan=plan(newest_first=newest_first))) as place:
        person = await place.join()
        await place.round()
        place.later(minutes=1)
        place.like("song")
        await place.round(minutes=15)
        place.later(days=25)  # the next month
        place.toy.unlike("ada", "song")
        place.like("song")
        for number in range(25):
            place.later(minutes=30)
            place.like(f"later-{number}")
        await place.rounds(1)
        assert (await place.states(person))["song"] == "pending"


async def test_a_like_from_a_webhook_is_the_one_that_is_listed(sqlite_db: Database, rules: Rules, at) -> None:
    async with town(sqlite_db, rules, at, UNTIMED) as place:
        person = await with_old(place)
        place.later(minutes=1)
        heard = Liked(by=account("ada"), thing=thing("heard"), author=account("maker"))
        place.scene.at = place.at
        await place.books(place.scene.record, heard)
        place.like("heard")
        await place.rounds(1)
        assert set(await place.states(person)) == {"song", "poem", "film", "heard"}
        place.toy.unlike("ada", "heard")
        await place.rounds(1)
        assert await place.standing() == {"song", "poem", "film"}


async def test_a_like_given_again_after_an_unlike_by_webhook_is_found_in_the_list(sqlite_db, rules, at) -> None:
    async with town(sqlite_db, rules, at, HearsToo(timed=False)) as place:
        await with_old(place)
        place.later(minutes=1)
        place.scene.at = place.at
        await place.books(place.scene.record, Unliked(by=account("ada"), thing=thing("poem")))
        await place.round(minutes=5)
        assert await place.standing() == {"song", "film"}, "the list may be some minutes old"
        await place.rounds(0.5)
        assert await place.standing() == {"song", "poem", "film"}


async def test_a_platform_that_asks_for_patience_between_pages_loses_no_like(sqlite_db: Database, rules, at) -> None:
    async with town(sqlite_db, rules, at, per_page=5) as place:
        await place.join()
        await place.round()
        for number in range(42):
            place.later(seconds=1)
            place.like(f"new-{number}")
        for _ in range(3):
            place.toy.mangles.extend(["", "", "not json"])
            await place.round(hours=1)
        place.toy.mangles.clear()
        await place.rounds(1, minutes=30)
        assert await place.standing() == {f"new-{number}" for number in range(42)}
        assert (await place.listing()).next_at - place.at <= timedelta(hours=2)
