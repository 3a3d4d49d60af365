"""A hub on a small X: the real presence, access keeper, client and books, a door for deliveries, a clock for tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web
from sqlmodel import Session, select

from bot.access import AccessKeeper, Signed
from bot.polling.engine import Polling
from bot.polling.parts import Polled
from bot.twitter.presence import TwitterPresence
from connectors.base import Asker, Delivery, Rejected
from connectors.client import Client
from connectors.linking import Grant
from connectors.twitter import connector
from core import likes
from core.access import grants
from core.database import Database
from core.events import AccountRef, Event, Messaged
from core.listings.tables import Feed
from core.mail import outbox
from core.mail.sealing import Seal, new_key
from core.mail.tables import OutboxNote
from core.people import linking, persons
from core.rules import Rules
from core.tables import Flattr, Like, Thing
from tests.platforms.misbehaving import Passing
from tests.platforms.twitter_api import BOT, LINK, FakeTwitter
from tests.scene import Scene

FAN, OTHER, MAKER, FLATTRBOT = "6002", "6003", "5001", "9001"


def account(number: str) -> AccountRef:
    return AccountRef(platform="twitter", account_id=number)


class Door:
    """Where X calls: what the hub's intake does, in a few lines."""

    def __init__(self, secrets: dict[str, tuple[bytes, ...]], clock: Callable[[], datetime]) -> None:
        self.address = ""
        self.heard: list[Event] = []
        self.open = True
        self._secrets = secrets
        self._clock = clock
        self._keys: set[str] = set()
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/webhooks/twitter", self._called)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.address = f"http://127.0.0.1:{self._runner.addresses[0][1]}/webhooks/twitter"

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _called(self, request: web.Request) -> web.StreamResponse:
        if not self.open:
            return web.Response(status=503)
        delivery = Delivery(
            method=request.method,
            path=request.path,
            query=dict(request.query),
            headers={name.lower(): (value,) for name, value in request.headers.items()},
            body=await request.read(),
            received_at=self._clock(),
        )
        try:
            answer = connector.challenge(delivery, self._secrets)
            if answer is not None:
                return web.Response(status=answer.status, body=answer.body, content_type=answer.content_type)
            key = connector.verify(delivery, self._secrets)
        except Rejected:
            return web.Response(status=401)
        if key not in self._keys:
            self._keys.add(key)
            self.heard += connector.translate(delivery)
        return web.Response(status=connector.card.success_status)


@dataclass
class Hub:
    """fan and other are members, maker is not; the bot's account is signed in."""

    scene: Scene
    fake: FakeTwitter
    time: Passing
    client: Client
    door: Door
    settings: dict[str, str] = field(default_factory=dict)
    likes: bool = True
    poked: int = 0
    broken: Exception | None = None
    seal: Seal = field(default_factory=lambda: Seal([new_key()]))
    keeper: AccessKeeper = field(init=False)
    presence: TwitterPresence = field(init=False)

    def __post_init__(self) -> None:
        self.keeper = AccessKeeper(
            db=self.scene.db,
            seal=self.seal,
            platforms={"twitter": Signed(connector=connector, asker=self.asker)},
            clock=self.time.clock,
            holder="test",
        )
        self.presence = self.another()

    @property
    def asker(self) -> Asker:
        secrets = {name: (value.encode(),) for name, value in self.fake.secrets.items()}
        settings = {**self.fake.settings, "bot": FLATTRBOT, **self.settings}
        return Asker(client=self.client, secrets=secrets, settings=settings, clock=self.time.clock)

    def another(self, **settings: str) -> TwitterPresence:
        """The presence after a new start, perhaps with other settings."""
        self.settings |= settings
        self.presence = TwitterPresence(
            asker=self.asker,
            accesses=self.keeper,
            db=self.scene.db,
            rules=self.scene.rules,
            converse=self.converse,
            clock=self.time.clock,
            poke=self.poke,
            address=self.door.address,
            likes=self.likes,
        )
        return self.presence

    def polling(self) -> Polling:
        """What reads the members' likes once a day."""
        return Polling(
            db=self.scene.db,
            rules=self.scene.rules,
            platforms={"twitter": Polled(connector=connector, asker=self.asker)},
            access=self.keeper,
            clock=self.time.clock,
            sleep=self.time.sleep,
            chance=lambda: 0.5,
        )

    @property
    def at(self) -> datetime:
        return self.time.clock()

    def poke(self) -> None:
        self.poked += 1

    def converse(self, tx: Session, event: Messaged, at: datetime) -> None:
        if self.broken is not None and "broken" in event.text:
            raise self.broken
        source = f"twitter:{event.message_id}"
        outbox.put(tx, kind="answer", source=source, at=at, to=event.by, text=f"You said: {event.text}")

    async def later(self, **step: float) -> None:
        self.time.now += timedelta(**step).total_seconds()
        self.scene.at = self.at

    async def round(self, **step: float) -> None:
        await self.later(**step)
        await self.presence.round()

    async def join(self, number: str, scopes: tuple[str, ...] = LINK) -> None:
        """Somebody becomes a member by signing in on X."""
        await asyncio.to_thread(self._join, number, scopes)

    def _join(self, number: str, scopes: tuple[str, ...]) -> None:
        self.scene.at = self.at
        person = self.scene.patron(f"person-{number}")
        with self.scene.db.transaction() as tx:
            linking.bind(tx, account(number), person_id=person, since=self.at, actor="test", at=self.at)
        self.lends(number, scopes)

    def lends(self, number: str, scopes: tuple[str, ...] = LINK) -> None:
        lent = self.fake.lend(number, scopes=scopes)
        grant = Grant(
            account=account(number),
            access_token=lent.access_token,
            refresh_token=lent.refresh_token,
            expires_at=lent.expires_at,
            scopes=scopes,
        )
        with self.scene.db.transaction() as tx:
            grants.keep(tx, account(number), self.seal.seal(grant.packed()), expires_at=lent.expires_at, at=self.at)

    async def leave(self, number: str) -> None:
        await asyncio.to_thread(self._leave, number)

    def _leave(self, number: str) -> None:
        with self.scene.db.transaction() as tx:
            row = persons.account_of(tx, account(number))
            assert row is not None
            linking.unlink(tx, row, self.at)

    async def record(self, *events: Event) -> None:
        def record() -> None:
            with self.scene.db.transaction() as tx:
                for event in events:
                    likes.record(tx, self.scene.rules, event, self.at)

        await asyncio.to_thread(record)

    async def deliver(self) -> None:
        """X calls, and what it says is recorded."""
        await self.fake.deliver()
        heard, self.door.heard = self.door.heard, []
        await self.record(*(event for event in heard if not isinstance(event, Messaged)))

    async def books(self, look: Callable[[Session], Any]) -> Any:
        def read() -> Any:
            with self.scene.db.reading() as tx:
                return look(tx)

        return await asyncio.to_thread(read)

    async def standing(self, number: str = FAN) -> set[str]:
        """The posts that somebody's flattrs stand for."""

        def look(tx: Session) -> set[str]:
            row = persons.account_of(tx, account(number))
            assert row is not None
            query = (
                select(Thing.url)
                .join(Flattr, Flattr.thing_id == Thing.id)
                .join(Like, Like.flattr_id == Flattr.id)
                .where(Like.account_id == row.id, Like.standing, Flattr.standing, ~Flattr.held)
            )
            return {url.rpartition("/")[2] for url in tx.exec(query).all()}

        return await self.books(look)

    async def said(self) -> list[str]:
        """What waits in the outbox, as text."""
        return await self.books(lambda tx: [note.text or note.kind for note in tx.exec(select(OutboxNote)).all()])

    async def feed(self, name: str) -> Feed | None:
        return await self.books(lambda tx: tx.get(Feed, ("twitter", name)))

    @property
    def subscribed(self) -> set[str]:
        """What X tells the hub about, as the tags say it."""
        return {each["tag"] for each in self.fake.subscriptions.values()}


@asynccontextmanager
async def hub_on_x(db: Database, rules: Rules, at: datetime, **more: Any) -> AsyncIterator[Hub]:
    """A hub whose books are checked when the test leaves it."""
    time, scene = Passing(at), Scene(db, rules, at)
    async with (
        FakeTwitter(clock=time.clock) as fake,
        Client(hub="https://hub.example", chance=lambda: 0.5, **time.parts) as client,
    ):
        for number, name in ((FAN, "fan"), (OTHER, "other"), (MAKER, "maker"), (FLATTRBOT, "flattrbot")):
            fake.user(number, name)
        door = Door({"consumer_secret": (fake.consumer_secret.encode(),)}, time.clock)
        await door.start()
        hub = Hub(scene, fake, time, client, door, **more)
        await asyncio.to_thread(hub.lends, FLATTRBOT, BOT)
        try:
            yield hub
        finally:
            await hub.presence.close()
            await hub.keeper.close()
            await door.close()
    assert await asyncio.to_thread(scene.broken) == []
