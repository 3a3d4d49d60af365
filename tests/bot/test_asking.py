"""The hub asks: the real connector and the real client against a small GitHub, into the real books."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import select

from bot import dialogue
from bot.asking import Asked, Asking
from bot.talk import PlatformFacts, Talk
from connectors import registry
from connectors.base import Asker
from connectors.client import Client
from connectors.github import GitHub
from core.database import Database
from core.events import AccountRef, Liked, ThingRef, Unliked
from core.people import linking, persons
from core.people.tables import Account
from core.rules import Rules
from core.tables import Flattr, Like
from tests.platforms.github_api import FAULTS, FakeGitHub, Time, client
from tests.scene import Scene

ADA, CARA = 7, 9
SONG, OTHER = 4242, 4300
MINUTE = timedelta(minutes=1)
ON_DISCORD = AccountRef(platform="discord", account_id="70")


def person(number: int) -> AccountRef:
    return AccountRef(platform="github", account_id=str(number))


def thing(number: int = SONG, name: str = "song") -> ThingRef:
    return ThingRef(platform="github", native_id=str(number), url=f"https://github.com/cara/{name}")


@dataclass
class Town:
    """A hub's books, a GitHub beside it, and ada who is on both."""

    scene: Scene
    github: FakeGitHub
    time: Time
    client: Client
    ada: int = 0
    connector: GitHub = field(init=False)
    asking: Asking = field(init=False)

    def __post_init__(self) -> None:
        self.connector = GitHub(self.github.base)
        self.asking = self.new()

    def new(self, **more: Any) -> Asking:
        asked = Asked(connector=self.connector, asker=Asker(client=self.client), **more)
        return Asking(
            db=self.scene.db, rules=self.scene.rules, platforms={"github": asked}, clock=lambda: self.scene.at
        )

    def move_in(self) -> None:
        self.github.user(ADA, "ada")
        self.github.user(CARA, "cara")
        self.github.repository(SONG, CARA, "song")
        self.github.repository(OTHER, CARA, "other")
        self.github.star(ADA, OTHER, self.scene.at - timedelta(days=30))
        self.ada = self.scene.patron("ada")
        with self.scene.db.transaction() as tx:
            for ref in (person(ADA), ON_DISCORD):
                linking.bind(tx, ref, person_id=self.ada, since=self.scene.at, actor="test", at=self.scene.at)
            persons.ensure_account(tx, person(CARA))
        self.scene.later(hours=1)

    async def in_books(self, act: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.to_thread(act, *arguments)

    def starred(self, at: datetime, received_at: datetime | None = None) -> None:
        event = Liked(by=person(ADA), thing=thing(), author=person(CARA), at=at)
        self.scene.record(event, at=received_at or self.scene.at)

    def unstarred(self) -> None:
        self.scene.record(Unliked(by=person(ADA), thing=thing()))

    def says(self, text: str) -> str:
        talk = Talk(
            rules=self.scene.rules,
            gateway=self.scene.gateway,
            platforms={"discord": PlatformFacts(title="Discord", speaks=True, linking=False)},
            resolve=lambda url: registry.resolve({"github": self.connector}, url),
        )
        with self.scene.db.transaction() as tx:
            return dialogue.answer(tx, talk, ON_DISCORD, text, self.scene.at).text

    def states(self) -> list[str]:
        return self.scene.states(self.ada)

    def doubtful(self) -> list[bool]:
        with self.scene.db.reading() as tx:
            return [like.doubtful for like in tx.exec(select(Like)).all()]

    def flattrs(self) -> list[tuple[str, str | None]]:
        with self.scene.db.reading() as tx:
            return [
                (tx.get_one(Account, flattr.author_id).account_id if flattr.author_id else None, line.url)
                for flattr, line in zip(
                    tx.exec(select(Flattr).order_by(sa.text("id"))).all(),
                    self.scene.status(self.ada).lines,
                    strict=True,
                )
            ]

    def overtaken(self) -> None:
        """A star, and seconds later an unstar that may be of before."""
        self.starred(self.scene.at)
        self.scene.later(seconds=20)
        self.unstarred()
        self.scene.later(minutes=10)


@pytest.fixture
async def town(sqlite_db: Database, rules: Rules) -> AsyncIterator[Town]:
    github, time = FakeGitHub(), Time()
    await github.start()
    scene = Scene(sqlite_db, rules, datetime(2026, 11, 10, 12, tzinfo=UTC))
    async with client(time) as door:
        place = Town(scene, github, time, door)
        await place.in_books(place.move_in)
        yield place
    assert await place.in_books(scene.broken) == []
    await github.stop()


async def test_a_flattr_by_message_and_a_star_are_one_flattr_for_the_owner(town: Town) -> None:
    await town.in_books(town.says, "flattr https://github.com/Cara/SONG")
    assert await town.in_books(town.flattrs) == [(None, "https://github.com/Cara/SONG")]
    await town.asking.round()
    assert await town.in_books(town.flattrs) == [("9", "https://github.com/cara/song")]
    await town.in_books(town.starred, town.scene.at)
    await town.asking.round()
    assert await town.in_books(town.flattrs) == [("9", "https://github.com/cara/song")]
    assert len(town.github.asked) == 1, "what is known is not asked again"


async def test_an_old_address_after_the_star_is_one_flattr_too(town: Town) -> None:
    town.github.rename(SONG, "hymn")
    await town.in_books(town.starred, town.scene.at)
    await town.in_books(town.says, "flattr https://github.com/cara/old-song")
    await town.in_books(town.says, "https://github.com/cara/song#readme")
    before = await town.in_books(town.flattrs)
    assert len(before) == 2, "the star knew the repository by the address that it had before"
    town.github.moved["cara/old-song"] = SONG
    await town.asking.round()
    assert await town.in_books(town.flattrs) == [("9", "https://github.com/cara/hymn")]


async def test_a_star_that_stands_after_all_counts(town: Town) -> None:
    await town.in_books(town.overtaken)
    town.github.star(ADA, SONG, town.scene.at - 10 * MINUTE - timedelta(seconds=20))
    assert await town.in_books(town.states) == ["withdrawn"]
    await town.asking.round()
    assert await town.in_books(town.states) == ["pending"]
    assert await town.in_books(town.doubtful) == [False]


async def test_a_star_that_is_gone_stays_withdrawn(town: Town) -> None:
    await town.in_books(town.overtaken)
    await town.asking.round()
    assert await town.in_books(town.states) == ["withdrawn"]
    assert await town.in_books(town.doubtful) == [False]
    asked = len(town.github.asked)
    town.scene.later(days=1)
    await town.asking.round()
    assert len(town.github.asked) == asked


async def test_a_late_star_that_is_gone_is_taken_back(town: Town) -> None:
    def late() -> None:
        town.starred(town.scene.at)
        town.scene.later(minutes=30)
        town.unstarred()
        town.starred(town.scene.at - 20 * MINUTE, town.scene.later(minutes=10))
        town.scene.later(minutes=10)

    await town.in_books(late)
    assert await town.in_books(town.states) == ["pending"]
    await town.asking.round()
    assert await town.in_books(town.states) == ["withdrawn"]


async def test_a_like_is_asked_about_only_where_likes_may_be_listened_to(town: Town) -> None:
    await town.in_books(town.overtaken)
    await town.new(likes=False).round()
    assert town.github.asked == []


async def test_a_round_that_fails_leaves_things_as_they_are_and_a_later_one_mends_them(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    await town.in_books(town.overtaken)
    await town.in_books(town.says, "flattr https://github.com/cara/other")
    town.github.faults.extend(["403 secondary"] * 50)
    caplog.set_level(logging.WARNING, "bot.asking")
    for _ in range(3):
        await town.asking.round()
    assert (await town.in_books(town.states), await town.in_books(town.doubtful)) == (
        ["withdrawn", "pending"],
        [True, False],
    )
    assert len(town.github.asked) <= 4, "a platform that wants to be left alone is"
    assert len(caplog.records) == 1
    town.github.faults.clear()
    town.scene.later(hours=2)
    town.time.now += 7200
    await town.asking.round()
    assert await town.in_books(town.doubtful) == [False, False]
    assert (await town.in_books(town.flattrs))[1] == ("9", "https://github.com/cara/other")


async def test_one_question_that_cannot_be_answered_does_not_stop_the_others(town: Town) -> None:
    await town.in_books(town.says, "flattr https://github.com/cara/other")
    await town.in_books(town.says, "flattr https://github.com/cara/none")
    await town.in_books(town.says, "flattr https://example.org/page")
    town.github.faults.extend(["not json"])
    await town.asking.round()
    assert town.github.asked == ["/repos/cara/none", "/repos/cara/other"]
    assert (await town.in_books(town.flattrs))[0][0] == "9"
    await town.asking.round()
    assert len(town.github.asked) == 2
    for _ in range(40):
        town.scene.later(hours=1)
        await town.asking.round()
    assert 6 < len(town.github.asked) < 14, "more and more seldom, but for ever"


async def test_a_platform_that_fails_on_one_question_is_asked_the_others_next_time(town: Town) -> None:
    await town.in_books(town.says, "flattr https://github.com/cara/other")
    await town.in_books(town.says, "flattr https://github.com/cara/song")
    town.github.faults.extend(["500"] * 4)
    await town.asking.round()
    assert set(town.github.asked) == {"/repos/cara/song"}
    town.time.now += 120
    town.scene.later(minutes=2)
    await town.asking.round()
    assert [creator for creator, _ in await town.in_books(town.flattrs)] == ["9", None]


async def test_a_connector_with_a_bug_does_not_stop_the_others(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    class Buggy(GitHub):
        async def current(self, asker, like):
            raise ZeroDivisionError("the token was a-canary")

    town.connector = Buggy(town.github.base)
    await town.in_books(town.overtaken)
    await town.in_books(town.says, "flattr https://github.com/cara/other")
    await town.new().round()
    assert await town.in_books(town.doubtful) == [True, False]
    assert (await town.in_books(town.flattrs))[1][0] == "9"
    assert "cannot ask" in caplog.text
    assert "a-canary" not in caplog.text


async def test_a_hub_that_stops_ends_its_round_at_once(town: Town) -> None:
    await town.in_books(town.overtaken)
    asked, forever = asyncio.Event(), asyncio.Event()

    class Slow(GitHub):
        async def current(self, asker, like):
            asked.set()
            await forever.wait()

    town.connector = Slow(town.github.base)
    asking = town.new()
    round_ = asyncio.create_task(asking.round())
    async with asyncio.timeout(20):
        await asked.wait()
        asking.close()
        await round_
    await asking.round()
    assert await town.in_books(town.doubtful) == [True]


async def test_while_the_database_is_away_nothing_is_lost(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    await town.in_books(town.overtaken)

    def away(*_: Any, **__: Any) -> None:
        raise OSError

    with monkeypatch.context() as broken:
        broken.setattr(town.scene.db, "transaction", away)
        await town.asking.round()
    assert await town.in_books(town.doubtful) == [True]
    town.scene.later(minutes=10)
    await town.asking.round()
    assert await town.in_books(town.doubtful) == [False]


FRESH = iter(range(100, 100_000))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    faults=st.lists(st.sampled_from(["", *FAULTS]), max_size=20),
    stands=st.booleans(),
    late=st.booleans(),
)
def test_over_faulted_answers_never_a_false_unlike_and_afterwards_the_truth(
    sqlite_db: Database, rules: Rules, faults: list[str], stands: bool, late: bool
) -> None:
    number = next(FRESH)

    async def play() -> None:
        github, time = FakeGitHub(), Time()
        await github.start()
        scene = Scene(sqlite_db, rules, datetime(2026, 11, 10, 12, tzinfo=UTC))
        async with client(time) as door:
            town = Town(scene, github, time, door)
            github.user(number, f"u{number}")
            github.user(CARA, "cara")
            github.repository(SONG, CARA, "song")
            github.repository(OTHER, CARA, "other")
            github.star(number, OTHER, scene.at)
            one = AccountRef(platform="github", account_id=str(number))

            def begin() -> int:
                with sqlite_db.transaction() as tx:
                    patron = persons.key(persons.ensure_person(tx, one, scene.at))
                starred = scene.later(minutes=1)
                event = Liked(by=one, thing=thing(), author=person(CARA), at=starred)
                if stands:
                    github.star(number, SONG, starred)
                gone = Unliked(by=one, thing=thing())
                for each in (gone, event) if late else (event, gone):
                    scene.record(each, at=scene.later(seconds=30))
                scene.later(minutes=10)
                return patron

            patron = await town.in_books(begin)
            github.faults.extend(faults)
            for _ in range(8):
                await town.asking.round()
                states = await town.in_books(scene.states, patron)
                assert states == ["pending"] or not (stands and late), "what stood and stands was never gone"
                scene.later(hours=2)
                time.now += 7200
            github.faults.clear()
            scene.later(days=1)
            await town.asking.round()
            assert await town.in_books(scene.states, patron) == (["pending"] if stands else ["withdrawn"])
        await github.stop()

    asyncio.run(play())


async def test_the_books_hear_the_same_twice(town: Town) -> None:
    """Two hubs over one database ask at the same time."""
    await town.in_books(town.overtaken)
    town.github.star(ADA, SONG, town.scene.at - 10 * MINUTE - timedelta(seconds=20))
    await town.in_books(town.says, "flattr https://github.com/cara/other")
    await asyncio.gather(town.asking.round(), town.new().round())
    assert await town.in_books(town.states) == ["pending", "pending"]
    assert [creator for creator, _ in await town.in_books(town.flattrs)] == ["9", "9"]
