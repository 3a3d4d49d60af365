"""A hub that reads a network with its members' own access: the real connector, sign-in, client, engine and books."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from hypothesis import strategies as st
from sqlmodel import select

from bot.access import AccessKeeper, Signed
from bot.polling.engine import Polling
from bot.polling.parts import Polled
from connectors.base import Asker
from connectors.client import Client
from core.access import grants
from core.database import Database
from core.events import AccountRef
from core.listings.tables import Listing
from core.mail.sealing import Seal, new_key
from core.mail.tables import OutboxNote
from core.money import currency
from core.people import linking
from core.people.tables import Account
from core.rules import Rules
from core.tables import Flattr, Like, Thing, ThingName
from tests.bot.faulted_polls import Tally, plays_of, spoiling
from tests.platforms.misbehaving import Passing
from tests.scene import Scene

BACK = "https://hub.example/link/back"


@dataclass
class Town:
    """ada, who is known on the pond and likes what cara makes on the network; ``hub`` reads her likes."""

    scene: Scene
    connector: Any
    fake: Any
    ada: str
    cara: str
    time: Passing
    client: Client
    seal: Seal = field(default_factory=lambda: Seal([new_key()]))
    hub: Polling = field(init=False)

    def __post_init__(self) -> None:
        self.hub = self.another()

    @property
    def platform(self) -> str:
        return str(self.connector.card.platform)

    @property
    def asker(self) -> Asker:
        secrets = {name: (value.encode(),) for name, value in self.fake.secrets.items()}
        return Asker(client=self.client, secrets=secrets, settings=self.fake.settings, clock=self.time.clock)

    def another(self) -> Polling:
        """The hub after a new start."""
        access = AccessKeeper(
            db=self.scene.db,
            seal=self.seal,
            platforms={self.platform: Signed(connector=self.connector, asker=self.asker)},
            clock=self.time.clock,
            holder="test",
            sleep=self.time.sleep,
        )
        return Polling(
            db=self.scene.db,
            rules=self.scene.rules,
            platforms={self.platform: Polled(connector=self.connector, asker=self.asker)},
            access=access,
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

    @property
    def content(self) -> Mapping[str, Any]:
        """What there is on the network."""
        return self.fake.videos if hasattr(self.fake, "videos") else self.fake.photos

    @property
    def likes(self) -> Mapping[str, datetime]:
        """What ada likes, in truth."""
        return self.fake.user(self.ada).likes

    def like(self, name: str) -> None:
        """Ada likes it now; Cara has made it, if nobody has yet."""
        if name not in self.content:
            self.fake.content(name, self.cara)
        self.fake.like(self.ada, name, self.at.replace(microsecond=0))

    def unlike(self, name: str) -> None:
        self.fake.unlike(self.ada, name)

    async def join(self) -> int:
        """Ada signs in as a person would, and her account is hers from now on."""

        def link() -> int:
            self.scene.at = self.at
            person = self.scene.patron("ada")
            account = AccountRef(platform=self.platform, account_id=self.ada)
            with self.scene.db.transaction() as tx:
                linking.bind(tx, account, person_id=person, since=self.at, actor="test", at=self.at)
            return person

        person = await asyncio.to_thread(link)
        await self.sign_in()
        return person

    async def sign_in(self) -> None:
        """Ada lets the hub in, for the first time or again."""
        asker = self.asker
        going = await self.connector.authorize(asker, state="state", callback=BACK, intent="link")
        query = dict(parse_qsl(urlsplit(await self.fake.consent(going.url, self.ada)).query))
        admission = await self.connector.exchange(asker, query=query, kept=going.kept, callback=BACK, intent="link")
        (grant,) = admission.grants
        sealed = self.seal.seal(grant.packed())

        def keep() -> None:
            with self.scene.db.transaction() as tx:
                grants.keep(tx, admission.account, sealed, expires_at=grant.expires_at, at=self.at)

        await asyncio.to_thread(keep)

    async def paused(self) -> bool:
        """Whether ada has to sign in again."""

        def look() -> bool:
            with self.scene.db.reading() as tx:
                query = select(Account).where(Account.platform == self.platform, Account.account_id == self.ada)
                return tx.exec(query).one().needs_relink_at is not None

        return await self.books(look)

    async def round(self, **step: float) -> None:
        self.later(**step)
        await self.hub.round()

    async def rounds(self, days: float, **step: float) -> None:
        """Time passes; whatever is due meanwhile is read."""
        end = self.at + timedelta(days=days)
        while self.at < end:
            await self.round(**(step or {"hours": 2}))

    async def books(self, look: Callable[..., Any], *arguments: Any) -> Any:
        self.scene.at = self.at
        return await asyncio.to_thread(look, *arguments)

    async def counting(self) -> set[str]:
        """The network's ids of what counts for ada."""
        return {name for name, standing, held in await self.books(self._likes) if standing and not held}

    async def taken_back(self) -> set[str]:
        """The ids of what the books say she has taken back."""
        return {name for name, standing, _ in await self.books(self._likes) if not standing}

    async def held(self) -> set[str]:
        return {name for name, standing, held in await self.books(self._likes) if standing and held}

    def _likes(self) -> list[tuple[str, bool, bool]]:
        with self.scene.db.reading() as tx:
            query = (
                select(ThingName.native_id, Like.standing, Flattr.held)
                .join(Thing, Thing.id == ThingName.thing_id)
                .join(Like, Like.thing_id == Thing.id)
                .join(Flattr, Flattr.id == Like.flattr_id)
                .where(ThingName.platform == self.platform)
            )
            return list(tx.exec(query).all())

    async def listing(self) -> Listing:
        def look() -> Listing:
            with self.scene.db.reading() as tx:
                query = select(Listing).join(Account, Account.id == Listing.account_id)
                return tx.exec(query.where(Account.platform == self.platform)).one()

        return await self.books(look)

    async def notes(self) -> list[str]:
        """What ada was told, by kind."""

        def look() -> list[str]:
            with self.scene.db.reading() as tx:
                return [note.kind for note in tx.exec(select(OutboxNote)).all()]

        return await self.books(look)

    async def states(self, person: int, month: int | None = None) -> list[str]:
        status = await self.books(self.scene.status, person, month)
        return [line.state for line in status.lines]


@asynccontextmanager
async def town(
    db: Database, rules: Rules, at: datetime, *, connector: Any, fake: Any, ada: str, cara: str
) -> AsyncIterator[Town]:
    """Its books are checked when the test leaves it. ``fake`` is made of a clock."""
    scene, time = Scene(db, rules, at), Passing(at)
    card = connector.card
    allowances = {card.platform: card.allowance}
    async with fake(clock=time.clock) as network:
        for number, name in ((ada, "ada"), (cara, "cara")):
            network.user(number, name)
        async with Client(hub="https://hub.example", chance=lambda: 0.5, allowances=allowances, **time.parts) as client:
            place = Town(scene, connector, network, ada, cara, time, client)
            yield place
            await place.hub.close()
    assert await asyncio.to_thread(scene.broken) == []


A_PLAY = 10
"""Polls in one play; about seven of them have a spoilt answer."""
PLAYS = plays_of(7)

Step = tuple[str, int, list[str], int]
"""What happens, to which thing, what goes wrong with the next answers, and the hours until the next round."""


def plays(faults: Sequence[str]) -> st.SearchStrategy[list[Step]]:
    step = st.tuples(
        st.sampled_from(["like", "like", "unlike", "remove", "hide", "nothing"]),
        st.integers(0, 7),
        st.lists(st.sampled_from(["", *faults]), max_size=6),
        st.sampled_from([1, 1, 5, 25]),
    )
    return st.lists(step, min_size=A_PLAY, max_size=A_PLAY)


async def play(place: Town, steps: Sequence[Step], hide: Callable[[Town, str], None], tally: Tally) -> None:
    """Whatever goes wrong, nothing is taken back that was not; once it stops, everything that was is."""
    await place.join()
    await place.round()
    steady, gone, unliked = {str(5_000 + number) for number in range(5)}, set[str](), set[str]()
    for name in sorted(steady):
        place.later(minutes=1)
        place.like(name)
    await place.round(hours=1)
    before = await place.counting() | await place.held()
    for act, number, faults, hours in steps:
        name = str(1_000 + number)
        match act:
            case "like" if name not in place.likes and name not in gone:
                place.like(name)
                unliked.discard(name)
            case "unlike" if name not in gone:
                place.unlike(name)
                unliked |= {name} & before
            case "remove" | "hide" if name in place.content:
                gone.add(name)
                hide(place, name) if act == "hide" else place.fake.remove(name)
        place.fake.faults.extend(faults)
        waited = spoiling(place.fake)
        await place.round(hours=hours)
        tally.polled(waited, place.fake)
        tally.wrong(await place.taken_back() & before & set(place.likes))
        before = await place.counting() | await place.held()
        if await place.paused():
            await place.sign_in()
    place.fake.faults.clear()
    await place.rounds(3, hours=6)
    tally.ended(unliked - gone, await place.counting())
    assert await place.counting() - gone == set(place.likes) - gone
    assert await place.counting() >= steady


def in_a_world_of_its_own(template: Path, run: Callable[[Database, Rules], Coroutine[Any, Any, None]]) -> None:
    """Run with a fresh database, as hypothesis needs one for every example."""
    rules = Rules(money=currency("EUR"), pseudonym_key=b"a key for tests only")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copyfile(template, Path(folder) / "hub.db")
        db = Database(f"sqlite:///{folder}/hub.db")
        try:
            asyncio.run(run(db, rules))
        finally:
            db.dispose()
