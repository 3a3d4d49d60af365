"""Whose turn it is: budgets, failures, access that ends, several processes, crashes, and the end of a month."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

import pytest

from bot.polling import storing
from connectors.client import Allowance, Garbled, Unanswered
from connectors.linking import Withdrawn
from core import listings
from core.access.tables import Access
from core.database import Database
from core.months import runner
from core.people import persons
from core.rules import Rules
from tests.bot.polling_scene import Town, town
from tests.platforms.listed_api import Toy, ToyTogether, account, plan
from tests.platforms.misbehaving import Says

NOVEMBER = 24323


async def join_many(place: Town, number: int) -> list[str]:
    users = [f"p{each:03}" for each in range(number)]
    for user in users:
        await place.join(user)
    return users


async def test_an_account_on_which_nothing_happens_is_read_more_and_more_seldom(sqlite_db: Database, rules, at) -> None:
    async with town(sqlite_db, rules, at) as place:
        await place.join()
        await place.rounds(1, minutes=5)
        seldom = len(place.toy.asked)
        assert 12 <= seldom <= 24
        place.like("song")
        while not await place.standing():
            await place.round(minutes=5)
        found = len(place.toy.asked)
        place.like("poem")
        await place.round(minutes=10)
        assert len(place.toy.asked) == found + 1
        assert await place.standing() == {"song", "poem"}


async def test_a_scarce_budget_is_used_and_everybody_gets_a_turn(sqlite_db: Database, rules: Rules, at) -> None:
    connector = Toy(within=2.0, more={"allowance": Allowance(requests=10, seconds=600)}, plan=plan(whole=timedelta(9)))
    async with town(sqlite_db, rules, at, connector) as place:
        users = await join_many(place, 60)
        for _ in range(70):
            await place.round(minutes=1)
        assert 65 <= len(place.toy.asked) <= 80, "ten in ten minutes, no less and no more"
        asked = [each.split()[0] for each in place.toy.asked]
        assert sorted(set(asked[:60])) == users, "everybody once before anybody twice"
        for user in users:
            assert (await place.listing(user)).failures == 0


async def test_a_platform_s_word_to_wait_is_heeded_for_all_accounts(sqlite_db: Database, rules: Rules, at) -> None:
    async with town(sqlite_db, rules, at) as place:
        await join_many(place, 30)
        place.toy.suffer(Says(429, {"Retry-After": "900"}))
        await place.round()
        heard = len(place.toy.heard)
        assert heard <= 8
        await place.round(minutes=10)
        assert len(place.toy.heard) == heard
        await place.round(minutes=6)
        assert len(place.toy.heard) >= heard + 30
        assert all([(await place.listing(f"p{each:03}")).failures == 0 for each in range(30)])


async def test_one_account_s_budget_does_not_stop_the_others(sqlite_db: Database, rules: Rules, at) -> None:
    connector = Toy(more={"account_allowance": Allowance(requests=60, seconds=60)})
    async with town(sqlite_db, rules, at, connector) as place:
        users = await join_many(place, 10)
        place.toy.suffer(Says(429, {"Retry-After": "900"}))
        await place.round()
        read = [user for user in users if (await place.listing(user)).read_at is not None]
        assert len(read) == 9
        await place.round(minutes=16)
        assert all([(await place.listing(user)).read_at is not None for user in users])


async def test_a_platform_that_is_down_is_left_alone_and_read_again_soon(sqlite_db: Database, rules: Rules, at) -> None:
    async with town(sqlite_db, rules, at) as place:
        users = await join_many(place, 40)
        await place.round()
        place.later(minutes=30)
        for user in users:
            place.like("song", user)
        place.toy.down = True
        before = len(place.toy.heard)
        await place.rounds(1, minutes=10)
        assert len(place.toy.heard) - before < 1500
        place.toy.down = False
        for _ in range(16):
            await place.round(minutes=1)
        for user in users:
            assert await place.standing(user) == {"song"}


async def test_a_long_reading_goes_on_where_its_budget_ended(sqlite_db: Database, rules: Rules, at) -> None:
    connector = Toy(timed=False, within=2.0, more={"allowance": Allowance(requests=7, seconds=600)})
    async with town(sqlite_db, rules, at, connector) as place:
        for number in range(200):
            place.like(f"old-{number}")
        await place.join()
        for _ in range(40):
            await place.round(minutes=1)
        listing = await place.listing()
        assert listing.marked_at is not None
        assert len(listing.known) == 200 * 8
        assert place.toy.asked[:20] == [f"ada {number}" for number in range(1, 21)], "no page twice"


async def test_several_accounts_go_into_one_question(sqlite_db: Database, rules: Rules, at) -> None:
    async with town(sqlite_db, rules, at, ToyTogether()) as place:
        users = await join_many(place, 12)
        await place.round()
        assert len(place.toy.asked) == 3
        place.later(minutes=1)
        for user in users:
            for number in range(15 if user == "p003" else 2):
                place.later(seconds=1)
                place.like(f"{user}-{number}", user)
        await place.round(minutes=15)
        for user in users:
            assert len(await place.standing(user)) == (15 if user == "p003" else 2)
        assert len(place.toy.asked) <= 3 + 3 + 2


async def with_access(place: Town, user: str = "ada") -> None:
    await place.join(user)
    place.keys.tokens[user] = "first"
    place.toy.tokens["first"] = user

    def give() -> None:
        with place.scene.db.transaction() as tx:
            row = persons.account_of(tx, account(user))
            tx.add(Access(account_id=persons.key(row), sealed=b"-", given_at=place.at, version=1))

    await place.books(give)


async def test_an_expired_token_is_refreshed_and_the_page_read(sqlite_db: Database, rules: Rules, at) -> None:
    async with town(sqlite_db, rules, at, Toy(plan=plan(needs_grant=True))) as place:
        await with_access(place)
        await place.round()
        place.later(minutes=1)
        place.like("song")
        place.toy.tokens = {"second": "ada"}
        place.keys.fresh["ada"] = "second"
        await place.round(minutes=15)
        assert await place.standing() == {"song"}
        assert place.keys.ended == []


async def test_a_token_that_ends_again_in_a_long_reading_is_refreshed_again(sqlite_db: Database, rules, at) -> None:
    class Short(Toy):
        """Its tokens are good for one page."""

        async def poll(self, asker, wanted):
            page = await super().poll(asker, wanted)
            (token,) = place.toy.tokens
            place.toy.tokens = {f"{token}+": "ada"}
            place.keys.fresh["ada"] = f"{token}+"
            return page

    async with town(sqlite_db, rules, at, Short(plan=plan(needs_grant=True))) as place:
        await with_access(place)
        for number in range(35):
            place.later(seconds=1)
            place.like(f"song-{number}")
        await place.round()
        assert len(await place.standing()) == 35
        assert place.keys.ended == []


async def test_an_account_that_refuses_stays_stopped_until_it_is_linked_again(sqlite_db: Database, rules, at) -> None:
    async with town(sqlite_db, rules, at, Toy(plan=plan(needs_grant=True))) as place:
        await with_access(place)
        await place.round()
        place.toy.tokens = {"other": "ada"}
        await place.rounds(3)
        assert place.keys.ended == ["ada"], "its owner is told once"
        refused = len(place.toy.asked)
        place.like("meanwhile")
        await place.rounds(1)
        assert len(place.toy.asked) == refused

        def link_again() -> None:
            with place.scene.db.transaction() as tx:
                persons.account_of(tx, account("ada")).needs_relink_at = None

        place.keys.tokens["ada"] = "other"
        await place.books(link_again)
        await place.round()
        assert await place.standing() == {"meanwhile"}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("timed", [True, False])
async def test_a_crash_at_any_commit_changes_nothing(
    sqlite_db: Database, rules: Rules, at, when: str, timed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub dies before or after each commit in turn, starts anew, and ends with what an undisturbed one has."""
    survives = storing.Storing.store
    left, dead = 0, False

    async def store(self, work):
        nonlocal left, dead
        left -= 1
        if dead or (left == 0 and when == "before"):
            dead = True
            raise asyncio.CancelledError
        outcome = await survives(self, work)
        if left == 0:
            dead = True
            raise asyncio.CancelledError
        return outcome

    async with town(sqlite_db, rules, at, Toy(timed=timed), per_page=4) as place:
        place.like("old")
        place.later(hours=1)
        await place.join()
        await place.round()
        monkeypatch.setattr(storing.Storing, "store", store)
        expected: set[str] = set()
        for fails_at in range(1, 7):
            place.later(minutes=1)
            for number in range(10):
                place.later(seconds=1)
                place.like(f"{fails_at}-{number}")
                expected.add(f"{fails_at}-{number}")
            gone = f"{fails_at}-0" if fails_at == 1 else f"{fails_at - 1}-5"
            place.toy.unlike("ada", gone)
            expected.discard(gone)
            left = fails_at
            place.later(hours=7)
            await place.hub.round()
            assert dead or fails_at > 3
            left, dead = 0, False
            place.hub = place.another()
            await place.round(minutes=6)
            await place.round(hours=7)
            assert await place.standing() == expected
        person = await place.books(place.scene.person, "ada")
        states = await place.states(person)
        assert {name for name, state in states.items() if state == "pending"} == expected
        assert "old" not in states


async def test_the_review_begins_when_everybody_was_read_after_the_month_s_end(sqlite_db, rules: Rules, at) -> None:
    async with town(sqlite_db, rules, at) as place:
        users = await join_many(place, 3)
        await place.rounds(20.3, hours=1)
        end = at.replace(month=12, day=1, hour=0)
        place.time.now += (end - place.at).total_seconds() - 60
        for user in users:
            place.like("last minute", user)

        async def advance() -> str:
            await place.books(
                lambda: runner.advance(
                    sqlite_db, rules, place.scene.gateway, place.at, clear=lambda tx, end: listings.passed(tx, end)
                )
            )
            return await place.stage(NOVEMBER)

        place.later(minutes=3)
        assert await advance() == "open"
        await place.round()
        assert await advance() == "review"
        person = await place.books(place.scene.person, "p000")
        assert await place.states(person, NOVEMBER) == {"last minute": "pending"}


async def test_a_connector_with_a_fault_stops_nobody_else(sqlite_db: Database, rules: Rules, at, caplog) -> None:
    class Faulty(Toy):
        async def poll(self, asker, wanted):
            if wanted.account.account_id == "p001":
                raise ZeroDivisionError("the token was a-canary")
            return await super().poll(asker, wanted)

    async with town(sqlite_db, rules, at, Faulty()) as place:
        users = await join_many(place, 4)
        await place.round()
        read = [user for user in users if (await place.listing(user)).read_at is not None]
        assert read == ["p000", "p002", "p003"]
        assert "fails by a bug: ZeroDivisionError at" in caplog.text
        assert "a-canary" not in caplog.text
        assert (await place.listing("p001")).next_at > place.at


@pytest.mark.parametrize("fault", ["the connector", "the access"])
async def test_what_cannot_even_be_noted_stops_nobody_else(postgres_db: Database, rules: Rules, at, fault) -> None:
    class Odd(Toy):
        async def poll(self, asker, wanted):
            if wanted.account.account_id == "p001":
                raise Garbled("toy answers \0") if fault == "the connector" else Withdrawn
            return await super().poll(asker, wanted)

    async with town(postgres_db, rules, at, Odd(plan=plan(needs_grant=True))) as place:
        users = [f"p{each:03}" for each in range(4)]

        async def broken(account, grant=None):
            raise Unanswered("the access cannot be opened: no key fits")

        place.keys.withdrawn = broken
        for user in users:
            await with_access(place, user)
        await place.round()
        read = [user for user in users if (await place.listing(user)).read_at is not None]
        assert read == ["p000", "p002", "p003"]
        place.later(hours=1)
        await place.round()


async def test_a_running_hub_reads_whom_it_is_poked_about_and_stops_at_once(sqlite_db, rules: Rules, at) -> None:
    async with town(sqlite_db, rules, at) as place:
        running = asyncio.create_task(place.hub.run())
        await place.join("ada")
        place.hub.poke()
        async with asyncio.timeout(20):
            await place.toy.was_asked(1)
        await place.hub.close()
        async with asyncio.timeout(5):
            await running
        listing = await place.listing()
        assert listing.leased_by is None


async def test_what_operators_see(sqlite_db: Database, rules: Rules, at) -> None:
    async with town(sqlite_db, rules, at) as place:
        await join_many(place, 3)
        await place.round()
        place.toy.suffer(*[Says(404, body=b"<html>")] * 1)
        await place.round(hours=1)

        def look():
            with sqlite_db.reading() as tx:
                return listings.figures(tx, place.at)

        (toy,) = await place.books(look)
        assert (toy.platform, toy.accounts, toy.failing) == ("toy", 3, 1)


def test_a_stored_piece_that_fails_does_not_take_others_with_it(sqlite_db: Database, caplog) -> None:
    caplog.set_level(logging.ERROR)

    async def together() -> list[object]:
        desk = storing.Storing(sqlite_db)

        def bad(tx):
            raise ValueError

        pieces = (lambda tx: 1, bad, lambda tx: 3)
        return await asyncio.gather(*(desk.store(work) for work in pieces), return_exceptions=True)

    first, second, third = asyncio.run(together())
    assert (first, third) == (1, 3)
    assert isinstance(second, ValueError)
