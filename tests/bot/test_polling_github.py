"""The hub reads the stars of linked accounts, and GitHub's webhooks tell of the same ones: one like, one flattr."""

from __future__ import annotations

import asyncio
import hmac
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import select

from bot.polling.engine import Polling
from bot.polling.parts import Polled
from connectors.base import Asker, Delivery
from connectors.client import Client
from connectors.github import connector
from connectors.linking import Grant, Withdrawn
from core.database import Database
from core.events import AccountRef
from core.listings.tables import Listing
from core.people import linking
from core.people.tables import Account
from core.rules import Rules
from core.tables import Flattr, Like, Thing
from tests.bot.faulted_polls import Tally, plays_of, spoiling
from tests.platforms.github_api import GRAPHQL_FAULTS, FakeGitHub
from tests.platforms.misbehaving import DROPS, Passing, Says
from tests.scene import Scene

ADA, CARA = 7, 9


class NoAccess:
    """Reading public stars takes nobody's access."""

    async def grant(self, account: AccountRef) -> Grant | None:
        raise AssertionError("nobody's access is needed")

    async def refreshed(self, account: AccountRef, stale: Grant) -> Grant:
        raise Withdrawn

    async def withdrawn(self, account: AccountRef, grant: Grant | None = None) -> None:
        raise AssertionError("nobody has lent any")


@dataclass
class Place:
    """ada, who is known on the pond and stars cara's repositories."""

    scene: Scene
    github: FakeGitHub
    time: Passing
    client: Client
    numbers: dict[str, int] = field(default_factory=dict)
    hub: Polling = field(init=False)

    def __post_init__(self) -> None:
        self.hub = self.another()

    def another(self) -> Polling:
        """The hub after a new start."""
        secrets = {name: (value.encode(),) for name, value in self.github.secrets.items()}
        asker = Asker(client=self.client, secrets=secrets, settings={"api": self.github.base}, clock=self.time.clock)
        return Polling(
            db=self.scene.db,
            rules=self.scene.rules,
            platforms={"github": Polled(connector=connector, asker=asker)},
            access=NoAccess(),
            clock=self.time.clock,
            sleep=self.time.sleep,
            chance=lambda: 0.5,
        )

    @property
    def at(self) -> datetime:
        return self.time.clock()

    def later(self, **step: float) -> None:
        self.time.now += timedelta(**step).total_seconds()
        self.scene.at = self.at

    def star(self, name: str) -> None:
        if name not in self.numbers:
            self.numbers[name] = 1_000 + len(self.numbers)
            self.github.repository(self.numbers[name], CARA, name)
        self.github.star(ADA, self.numbers[name], self.at.replace(microsecond=0))

    def unstar(self, name: str) -> None:
        self.github.unstar(ADA, self.numbers[name])

    async def told(self, name: str, *, deleted: bool = False) -> None:
        """GitHub calls the hub about what was just done."""
        secrets = {"webhook_secret": (self.github.secrets["webhook_secret"].encode(),)}
        body = self.github.starred_delivery(ADA, self.numbers[name], deleted=deleted)
        code = hmac.digest(secrets["webhook_secret"][0], body, "sha256").hex()
        headers = {"x-hub-signature-256": (f"sha256={code}",)}
        delivery = Delivery(method="POST", path="/", headers=headers, body=body, received_at=self.at)
        connector.verify(delivery, secrets)
        await self.books(self.scene.record, *connector.translate(delivery))

    async def join(self) -> int:
        def link() -> int:
            self.scene.at = self.at
            person = self.scene.patron("ada")
            account = AccountRef(platform="github", account_id=str(ADA))
            with self.scene.db.transaction() as tx:
                linking.bind(tx, account, person_id=person, since=self.at, actor="test", at=self.at)
            return person

        return await self.books(link)

    async def round(self, **step: float) -> None:
        self.later(**step)
        await self.hub.round()

    async def rounds(self, days: float, **step: float) -> None:
        end = self.at + timedelta(days=days)
        while self.at < end:
            self.github.points = 5_000
            await self.round(**(step or {"hours": 2}))

    async def books(self, look: Callable[..., Any], *arguments: Any) -> Any:
        self.scene.at = self.at
        return await asyncio.to_thread(look, *arguments)

    async def standing(self) -> list[str]:
        """The names of the repositories that count, one for each flattr."""

        def look() -> list[str]:
            with self.scene.db.reading() as tx:
                query = (
                    select(Thing.url, Flattr.id)
                    .join(Flattr, Flattr.thing_id == Thing.id)
                    .join(Like, Like.flattr_id == Flattr.id)
                    .where(Flattr.standing, ~Flattr.held)
                )
                return sorted(url.rpartition("/")[2] for url, _ in tx.exec(query).all())

        return await self.books(look)

    async def likes(self) -> int:
        def look() -> int:
            with self.scene.db.reading() as tx:
                return len(tx.exec(select(Like)).all())

        return await self.books(look)

    async def listing(self) -> Listing:
        def look() -> Listing:
            with self.scene.db.reading() as tx:
                query = select(Listing).join(Account, Account.id == Listing.account_id)
                return tx.exec(query.where(Account.platform == "github")).one()

        return await self.books(look)

    async def states(self, person: int, month: int | None = None) -> dict[str, str]:
        status = await self.books(self.scene.status, person, month)
        return {line.url.rpartition("/")[2]: line.state for line in status.lines}


@asynccontextmanager
async def town(db: Database, rules: Rules, at: datetime) -> AsyncIterator[Place]:
    """Its books are checked when the test leaves it."""
    scene, time = Scene(db, rules, at), Passing(at)
    async with FakeGitHub() as github:
        github.user(ADA, "ada")
        github.user(CARA, "cara")
        async with Client(hub="https://hub.example", chance=lambda: 0.5, **time.parts) as client:
            place = Place(scene, github, time, client)
            yield place
            await place.hub.close()
    assert await asyncio.to_thread(scene.broken) == []


async def test_webhook_and_poll_make_one_flattr(db: Database, rules: Rules, at: datetime) -> None:
    async with town(db, rules, at) as place:
        await place.join()
        await place.round()
        place.later(minutes=1)
        place.star("told-first")
        await place.told("told-first")
        place.star("read-first")
        await place.round(minutes=15)
        await place.told("read-first")
        await place.round(minutes=15)
        assert await place.standing() == ["read-first", "told-first"]
        assert await place.likes() == 2


async def test_an_unstar_by_webhook_is_not_undone_by_reading_on(db: Database, rules: Rules, at: datetime) -> None:
    async with town(db, rules, at) as place:
        await place.join()
        await place.round()
        place.later(minutes=1)
        for name in ("song", "poem"):
            place.star(name)
            await place.told(name)
        await place.round(minutes=15)
        place.later(minutes=30)
        place.unstar("song")
        await place.told("song", deleted=True)
        assert await place.standing() == ["poem"]
        await place.rounds(2)
        assert await place.standing() == ["poem"]
        place.star("song")
        await place.rounds(0.5)
        assert await place.standing() == ["poem", "song"]


async def test_without_a_webhook_stars_and_unstars_are_read(db: Database, rules: Rules, at: datetime) -> None:
    async with town(db, rules, at) as place:
        await place.join()
        await place.round()
        for number in range(30):
            place.later(minutes=1)
            place.star(f"r{number}")
        await place.round(minutes=15)
        assert len(await place.standing()) == 30
        place.unstar("r3")  # far down a list of which the newest ten are read
        place.unstar("r29")
        await place.rounds(1)
        assert len(await place.standing()) == 28
        assert not {"r3", "r29"} & set(await place.standing())


async def test_the_last_star_taken_back_looks_like_a_private_profile(sqlite_db: Database, rules: Rules, at) -> None:
    async with town(sqlite_db, rules, at) as place:
        await place.join()
        await place.round()
        place.later(minutes=1)
        place.star("song")
        await place.round(minutes=15)
        place.unstar("song")
        await place.rounds(2)
        assert await place.standing() == ["song"], "only the webhook can tell the two apart"
        await place.told("song", deleted=True)
        assert await place.standing() == []


async def test_stars_from_before_the_link_do_not_count(sqlite_db: Database, rules: Rules, at: datetime) -> None:
    async with town(sqlite_db, rules, at) as place:
        for number in range(150):
            place.star(f"old{number}")
            place.later(minutes=1)
        await place.join()
        place.later(minutes=1)
        place.star("since-the-link")
        await place.round()
        assert await place.standing() == ["since-the-link"], "GitHub tells when"
        place.unstar("old7")
        place.unstar("old149")
        await place.rounds(2)
        assert await place.standing() == ["since-the-link"]


async def test_a_day_of_silence_loses_nothing(sqlite_db: Database, rules: Rules, at: datetime) -> None:
    async with town(sqlite_db, rules, at) as place:
        await place.join()
        await place.round()
        place.later(minutes=1)
        place.star("before")
        place.star("taken-back")
        await place.round(minutes=15)
        for number in range(120):
            place.later(minutes=5)
            place.star(f"meanwhile-{number}")
        place.unstar("taken-back")
        place.star("short")
        place.unstar("short")
        place.later(hours=14)
        place.hub = place.another()
        await place.round()
        expected = ["before", *sorted(f"meanwhile-{number}" for number in range(120))]
        assert set(await place.standing()) >= set(expected), "what was starred is there with the first reading"
        await place.rounds(1)
        assert await place.standing() == expected


async def test_a_platform_that_is_down_for_a_day_costs_nothing(sqlite_db: Database, rules: Rules, at: datetime) -> None:
    async with town(sqlite_db, rules, at) as place:
        await place.join()
        await place.round()
        place.later(minutes=1)
        place.star("song")
        place.star("poem")
        await place.round(minutes=15)
        place.unstar("poem")
        place.github.suffer(*[Says(503), DROPS, Says(200, body=b"<h1>Unicorn!</h1>"), Says(200, body=b"{}")] * 20)
        await place.rounds(1)
        assert await place.standing() == ["poem", "song"]
        place.github.suffer()
        place.github._faults.clear()
        place.star("film")
        await place.rounds(2)
        assert await place.standing() == ["film", "song"]


async def test_what_vanishes_at_once_is_held_and_asked_about(sqlite_db: Database, rules: Rules, at: datetime) -> None:
    async with town(sqlite_db, rules, at) as place:
        await place.join()
        await place.round()
        for number in range(40):
            place.later(minutes=1)
            place.star(f"r{number:02}")
        await place.round(minutes=15)
        everything = await place.standing()
        assert len(everything) == 40
        place.github.unlisted.update(place.numbers[f"r{number:02}"] for number in range(30))
        await place.rounds(3)
        assert await place.standing() == everything, "GitHub says of each that it stands"
        place.github.unlisted.clear()
        for number in range(30):
            place.unstar(f"r{number:02}")
        await place.rounds(9)
        assert await place.standing() == everything[30:], "and later that it does not"


async def test_a_profile_that_becomes_private_keeps_what_counted(sqlite_db: Database, rules: Rules, at) -> None:
    async with town(sqlite_db, rules, at) as place:
        await place.join()
        await place.round()
        place.later(minutes=1)
        place.star("song")
        place.star("poem")
        await place.round(minutes=15)
        place.github.private.add(ADA)
        await place.rounds(3)
        assert await place.standing() == ["poem", "song"]
        place.github.private.clear()
        place.unstar("poem")
        await place.rounds(2)
        assert await place.standing() == ["song"]


async def test_a_repository_that_is_gone_keeps_what_it_earned(sqlite_db: Database, rules: Rules, at: datetime) -> None:
    async with town(sqlite_db, rules, at) as place:
        await place.join()
        await place.round()
        place.later(minutes=1)
        place.star("song")
        place.star("poem")
        await place.round(minutes=15)
        place.github.remove(place.numbers["song"])
        await place.rounds(3)
        assert await place.standing() == ["poem", "song"]


async def test_a_repository_that_was_taken_down_hides_no_unstar(sqlite_db: Database, rules: Rules, at) -> None:
    async with town(sqlite_db, rules, at) as place:
        await place.join()
        await place.round()
        place.later(minutes=1)
        for name in ("song", "poem", "film"):
            place.star(name)
        await place.round(minutes=15)
        place.github.taken_down.add(place.numbers["song"])
        place.unstar("film")
        await place.rounds(2)
        assert await place.standing() == ["poem", "song"]


async def test_a_late_star_counts_in_the_open_month(sqlite_db: Database, rules: Rules, at: datetime) -> None:
    async with town(sqlite_db, rules, at) as place:
        person = await place.join()
        await place.round()
        place.later(days=20, hours=11, minutes=50)  # the 30th, 23:50
        place.star("last-minute")
        place.later(hours=2)
        await place.books(place.scene.advance)
        month = 24323
        assert await place.books(place.scene.stage, month) == "review"
        await place.round()
        assert await place.states(person) == {"last-minute": "pending"}
        assert await place.states(person, month) == {}
        await place.told("last-minute")
        assert await place.likes() == 1


async def test_a_renamed_account_is_read_on(sqlite_db: Database, rules: Rules, at: datetime) -> None:
    async with town(sqlite_db, rules, at) as place:
        await place.join()
        await place.round()
        place.github.user(ADA, "ada-lovelace")
        place.github.renewed[ADA] = "U_kgDOnew"
        place.later(minutes=1)
        place.star("song")
        await place.rounds(1)
        assert await place.standing() == ["song"]
        assert (await place.listing()).cursor == "U_kgDOnew"


async def test_an_hour_without_points_is_waited_for(sqlite_db: Database, rules: Rules, at: datetime) -> None:
    async with town(sqlite_db, rules, at) as place:
        await place.join()
        await place.round()
        place.later(minutes=1)
        place.star("song")
        place.github.points = 0
        await place.round(minutes=15)
        assert await place.standing() == []
        await place.rounds(0.2, minutes=15)
        assert await place.standing() == ["song"]


NAMES = [f"r{number}" for number in range(14)]
ACTS = st.tuples(
    st.sampled_from(["star", "unstar", "nothing", "private", "public"]),
    st.sampled_from(NAMES),
    st.lists(st.sampled_from(["", "", *GRAPHQL_FAULTS]), max_size=4),
    st.sampled_from([0.1, 0.5, 3, 13]),
)


@settings(max_examples=plays_of(6), deadline=None, suppress_health_check=list(HealthCheck))
@given(acts=st.lists(ACTS, min_size=5, max_size=25), told=st.booleans())
def test_no_fault_takes_a_star_back_and_every_unstar_is_found(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, rules: Rules, tally: Tally, acts: Any, told: bool
) -> None:
    path = tmp_path_factory.mktemp("hub") / "hub.db"
    shutil.copyfile(sqlite_template, path)
    db = Database(f"sqlite:///{path}")
    try:
        asyncio.run(play(db, rules, acts, tally, told=told))
    finally:
        db.dispose()


async def play(db: Database, rules: Rules, acts: Any, tally: Tally, *, told: bool) -> None:
    """``told``: webhooks come as well."""
    async with town(db, rules, datetime(2026, 11, 3, 12, tzinfo=UTC)) as place:
        await place.join()
        await place.round()
        place.later(minutes=1)
        place.star("always")
        starred, counted, unstarred = {"always"}, set(), set()
        for act, name, faults, hours in acts:
            if act == "star" and name not in starred:
                place.star(name)
                starred.add(name)
                unstarred.discard(name)
                if told:
                    await place.told(name)
            elif act == "unstar" and name in starred:
                place.unstar(name)
                starred.discard(name)
                unstarred |= {name} & counted
                counted.discard(name)
                if told:
                    await place.told(name, deleted=True)
            elif act == "private":
                place.github.private.add(ADA)
            elif act == "public":
                place.github.private.clear()
            place.github.faults.extend(faults)
            waited = spoiling(place.github)
            await place.rounds(0.0001, hours=hours)
            tally.polled(waited, place.github)
            standing = set(await place.standing())
            tally.wrong(counted - standing)
            counted = standing & starred
        place.github.private.clear()
        place.github.faults.clear()
        await place.rounds(2)
        tally.ended(unstarred, await place.standing())
        assert set(await place.standing()) == starred
