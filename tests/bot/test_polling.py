"""The hub reads lists of likes: the real engine and client against a small network, into the real books."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from core.database import Database
from core.people import linking
from core.rules import Rules
from tests.bot.polling_scene import Town, town
from tests.platforms.listed_api import Toy, account, plan
from tests.platforms.misbehaving import CUTS, Says

UNTIMED = Toy(timed=False)
INDIRECT = plan(direct=False, agreeing=2, agreeing_for=timedelta(hours=12))


@pytest.fixture(params=["timed", "untimed", "oldest first", "indirect"])
def connector(request: pytest.FixtureRequest) -> Toy:
    return {
        "timed": Toy(),
        "untimed": UNTIMED,
        "oldest first": Toy(timed=False, plan=plan(newest_first=False)),
        "indirect": Toy(timed=False, plan=INDIRECT),
    }[request.param]


async def test_likes_count_from_the_link_on(db: Database, rules: Rules, at, connector: Toy) -> None:
    async with town(db, rules, at, connector) as place:
        for number in range(25):
            place.like(f"before-{number}")
        place.later(hours=1)
        await place.join()
        await place.round()
        assert await place.standing() == set()
        place.like("first")
        await place.round(minutes=15)
        assert await place.standing() == {"first"}
        for number in range(30):
            place.later(seconds=1)
            place.like(f"after-{number}")
        await place.round(minutes=30)
        assert len(await place.standing()) == 31


async def test_an_unlike_is_found_and_a_like_given_again_counts_again(
    db: Database, rules: Rules, at, connector
) -> None:
    async with town(db, rules, at, connector) as place:
        await place.join()
        await place.round()
        place.later(minutes=1)
        for name in ("song", "poem", "film"):
            place.like(name)
        await place.round(minutes=15)
        place.toy.unlike("ada", "poem")
        await place.rounds(2)
        assert await place.standing() == {"song", "film"}
        place.like("poem")
        await place.rounds(0.5)
        assert await place.standing() == {"song", "film", "poem"}


async def liked_two(place: Town) -> None:
    """Ada has joined and likes the song and the poem, and the hub has read it."""
    await place.join()
    await place.round()
    place.later(minutes=1)
    place.like("song")
    place.like("poem")
    await place.round(minutes=15)


async def test_content_that_is_gone_is_no_unlike(sqlite_db: Database, rules: Rules, at, connector: Toy) -> None:
    async with town(sqlite_db, rules, at, connector) as place:
        await liked_two(place)
        place.toy.remove("song")
        await place.rounds(3)
        assert await place.standing() == {"song", "poem"}
        asked = len([each for each in place.toy.asked if each == "ada song"])
        assert asked == 2, "what is gone twice is not looked for any more"


async def test_an_unlike_is_not_lost_to_a_passing_refusal(
    sqlite_db: Database, rules: Rules, at, connector: Toy
) -> None:
    async with town(sqlite_db, rules, at, connector) as place:
        await liked_two(place)
        place.toy.unlike("ada", "song")
        place.toy.remove("song")
        while "ada song" not in place.toy.asked:
            await place.round(hours=1)
        place.toy.works["song"].gone = False
        await place.rounds(3)
        assert await place.standing() == {"poem"}


async def test_a_day_of_silence_loses_nothing(sqlite_db: Database, rules: Rules, at, connector: Toy) -> None:
    async with town(sqlite_db, rules, at, connector) as place:
        await place.join()
        await place.round()
        place.later(minutes=1)
        place.like("before")
        place.like("taken back")
        await place.round(minutes=15)
        place.later(hours=3)
        for number in range(35):
            place.later(minutes=1)
            place.like(f"meanwhile-{number}")
        place.toy.unlike("ada", "taken back")
        place.like("short")
        place.toy.unlike("ada", "short")
        place.later(hours=21)
        place.hub = place.another()
        await place.round()
        expected = {"before", *(f"meanwhile-{number}" for number in range(35))}
        assert await place.standing() >= expected, "whatever was liked is there with the first reading"
        await place.rounds(1)
        assert await place.standing() == expected
        listing = await place.listing()
        assert listing.blind_until - listing.blind_from > timedelta(hours=20)
        assert listing.caught_up == 35


async def test_a_late_like_counts_in_the_open_month(sqlite_db: Database, rules: Rules, at) -> None:
    async with town(sqlite_db, rules, at) as place:
        person = await place.join()
        await place.round()
        place.later(days=20, hours=11, minutes=50)  # the 30th, 23:50
        place.like("last minute")
        place.later(hours=2)
        await place.books(place.scene.advance)
        assert await place.stage(24323) == "review"
        await place.round()
        assert await place.states(person) == {"last minute": "pending"}
        assert await place.states(person, 24323) == {}


async def test_everybody_is_read_soon_after_the_end_of_a_month(sqlite_db: Database, rules: Rules, at) -> None:
    async with town(sqlite_db, rules, at, Toy(plan=plan(seldom=timedelta(days=3)))) as place:
        person = await place.join()
        await place.rounds(19, hours=6)
        assert place.at.day == 29
        place.later(hours=35)
        place.like("last hour")
        end = place.at.replace(month=12, day=1, hour=0, minute=0)
        place.time.now += (end - place.at).total_seconds() + 60
        await place.round()
        assert await place.states(person, 24323) == {"last hour": "pending"}


@pytest.mark.parametrize("fault", [Says(500), Says(502), CUTS, Says(200, body=b"<html>"), Says(200, body=b"[]")])
async def test_a_page_in_doubt_is_no_page(sqlite_db: Database, rules: Rules, at, connector: Toy, fault) -> None:
    async with town(sqlite_db, rules, at, connector) as place:
        await place.join()
        await place.round()
        place.later(minutes=1)
        place.like("song")
        await place.round(minutes=15)
        for _ in range(12):
            place.toy.suffer(*[fault] * 4)
            await place.round(hours=3)
        assert await place.standing() == {"song"}
        assert (await place.listing()).failing_since is not None
        place.toy._faults.clear()
        await place.round(hours=7)
        assert (await place.listing()).failing_since is None
        assert await place.standing() == {"song"}


async def make_likes(place: Town, number: int) -> set[str]:
    await place.join()
    await place.round()
    place.later(minutes=1)
    names = {f"thing-{each}" for each in range(number)}
    for name in sorted(names):
        place.later(seconds=1)
        place.like(name)
    await place.round(minutes=15)
    assert await place.standing() == names
    return names


async def test_too_many_at_once_are_held_until_the_platform_lists_them_again(
    sqlite_db: Database, rules: Rules, at, connector: Toy
) -> None:
    async with town(sqlite_db, rules, at, Toy(timed=connector.timed, plan=INDIRECT)) as place:
        names = await make_likes(place, 60)
        place.toy.unlisted = set(sorted(names)[:30])
        await place.rounds(1)
        assert await place.standing() == names - place.toy.unlisted
        person = await place.books(place.scene.person, "ada")
        states = await place.states(person)
        assert {states[name] for name in place.toy.unlisted} == {"held"}
        place.toy.unlisted = set()
        await place.rounds(0.3)
        assert await place.standing() == names


async def test_what_is_held_and_was_really_taken_back_is_found(
    sqlite_db: Database, rules: Rules, at, connector: Toy
) -> None:
    async with town(sqlite_db, rules, at, connector, counts=True) as place:
        names = await make_likes(place, 60)
        gone = set(sorted(names)[:30])
        for name in gone:
            place.toy.unlike("ada", name)
        await place.rounds(3)
        assert await place.standing() == names - gone
        person = await place.books(place.scene.person, "ada")
        states = await place.states(person)
        assert {states[name] for name in gone} == {"withdrawn"}


async def test_the_platform_s_own_word_settles_thousands_a_part_at_a_time(
    sqlite_db: Database, rules: Rules, at
) -> None:
    async with town(sqlite_db, rules, at, per_page=100) as place:
        names = await make_likes(place, 300)
        place.toy.unlisted = set(names)
        await place.round(hours=7)
        asked = len(place.toy.asked)
        await place.round(minutes=6)
        assert len(place.toy.asked) - asked <= 60
        await place.rounds(0.2, minutes=6)
        assert await place.standing() == names, "it says that each of them stands"


async def test_what_is_held_at_closing_is_left_out(sqlite_db: Database, rules: Rules, at) -> None:
    async with town(sqlite_db, rules, at, Toy(plan=INDIRECT)) as place:
        names = await make_likes(place, 50)
        creator = await place.books(place.scene.creator, "maker")

        def makes_them() -> None:
            with place.scene.db.transaction() as tx:
                linking.bind(tx, account("maker"), person_id=creator, since=place.at, actor="test", at=place.at)

        await place.books(makes_them)
        place.later(days=20, hours=4)
        place.toy.unlisted = set(sorted(names)[:25])
        await place.rounds(0.2)
        place.scene.at = place.at
        person = await place.books(place.scene.person, "ada")
        month = await place.books(place.scene.close_month)
        states = await place.states(person, month)
        assert sorted(states.values()).count("held") == 25
        statement = await place.books(place.scene.statement, person, month)
        assert statement.flattrs == 25, "nobody pays for what is held"


async def test_two_processes_share_the_accounts(db: Database, rules: Rules, at) -> None:
    async with town(db, rules, at) as place:
        for number in range(40):
            await place.join(f"p{number}")
        others = [place.another() for _ in range(3)]
        await asyncio.gather(place.hub.round(), *(other.round() for other in others))
        assert sorted(place.toy.asked) == sorted(f"p{number} 1" for number in range(40))
        for other in others:
            await other.close()
