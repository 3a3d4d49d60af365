"""A hub's Facebook parts over the fake, with a person who likes and one whose Page is liked; time stands still."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Thread
from typing import Any, TypeVar

from sqlmodel import select

from bot.access import AccessKeeper, Signed
from bot.facebook.presence import FacebookPresence
from bot.sender import Sender
from bot.talk import Reply
from connectors.base import Asker, Delivery
from connectors.client import Client
from connectors.facebook import FIELDS, connector, page, person, user
from connectors.linking import Grant
from core import likes
from core.access import grants
from core.events import AccountRef, Messaged
from core.mail import outbox
from core.mail.sealing import Seal, new_key
from core.mail.tables import OutboxNote
from core.people import linking, persons
from core.tables import Flattr, Like
from tests.platforms.facebook_api import FakeFacebook
from tests.platforms.misbehaving import Passing
from tests.scene import Scene

PAGE = "1056913"
T = TypeVar("T")


@dataclass
class FacebookWorld:
    scene: Scene
    fake: FakeFacebook
    time: Passing
    client: Client
    loop: asyncio.AbstractEventLoop
    seal: Seal = field(default_factory=lambda: Seal([new_key()]))
    heard: list[Messaged] = field(default_factory=list)
    poked: int = 0

    def __post_init__(self) -> None:
        self.asker = Asker(
            client=self.client,
            secrets={name: (value.encode(),) for name, value in self.fake.secrets.items()},
            settings=self.fake.settings,
            clock=self.time.clock,
        )
        self.access = AccessKeeper(
            db=self.scene.db,
            seal=self.seal,
            platforms={"facebook": Signed(connector=connector, asker=self.asker)},
            clock=self.time.clock,
            holder="test",
        )
        self.presence = self.another()
        self.sender = Sender(
            self.scene.db,
            {"facebook": self.presence},
            lambda _, note: Reply(note.text or "something"),
            self.time.clock,
            chance=lambda: 0.5,
        )

    def another(self, holder: str = "one", *, likes: bool = True) -> FacebookPresence:
        """The parts of another process over the same database."""

        def poke() -> None:
            self.poked += 1

        return FacebookPresence(
            db=self.scene.db,
            rules=self.scene.rules,
            connector=connector,
            asker=self.asker,
            access=self.access,
            clock=self.time.clock,
            holder=holder,
            poke=poke,
            likes=likes,
        )

    @property
    def at(self) -> datetime:
        return self.time.clock()

    def later(self, **step: float) -> None:
        self.time.now += timedelta(**step).total_seconds()
        self.scene.at = self.at

    # Who is here

    def creator(self, owner: str = "sowerby", page_id: str = PAGE, **more: object) -> None:
        """Somebody connects their Page."""
        self.fake.user(owner)
        self.fake.page(page_id, owner, **more)
        self.fake.pages[page_id].fields = set(FIELDS)
        person_id = self.scene.creator(owner)
        self.keep(person_id, Grant(account=page(page_id), access_token=self.fake.pages[page_id].token))

    def patron(self, name: str) -> int:
        self.fake.user(name)
        return self.scene.patron(name)

    def signs_in(self, name: str) -> None:
        """A patron links Facebook by signing in."""
        token = self.fake.long_lived(name)
        grant = Grant(
            account=user(self.fake.asid(name), name=self.fake.users[name]),
            access_token=token,
            expires_at=self.fake.lasting[token][1],
        )
        self.keep(self.scene.person(name), grant)

    def is_bound(self, name: str, page_id: str = PAGE) -> None:
        """A patron's id on the Page is known to be theirs."""
        with self.scene.db.transaction() as tx:
            owner = persons.person_of(tx, self.scene.account(name))
            assert owner is not None
            person_id = persons.key(owner)
            ref = person(page_id, self.fake.psid(page_id, name), name=name)
            linking.bind(tx, ref, person_id=person_id, since=self.at, actor="test", at=self.at)

    def keep(self, person_id: int, grant: Grant) -> None:
        with self.scene.db.transaction() as tx:
            linking.bind(tx, grant.account, person_id=person_id, since=self.at, actor="test", at=self.at)
            grants.keep(tx, grant.account, self.seal.seal(grant.packed()), expires_at=grant.expires_at, at=self.at)

    # What happens

    def deliver(self, *, batch: int = 1, shuffle: random.Random | None = None) -> None:
        """What Facebook has to tell, recorded as the hub's worker does."""
        for body in self.fake.bodies(batch=batch, shuffle=shuffle):
            headers = {name.lower(): (value,) for name, value in self.fake.signed(body).items()}
            delivery = Delivery(method="POST", path="/", headers=headers, body=body, received_at=self.at)
            connector.verify(delivery, self.asker.secrets)
            with self.scene.db.transaction() as tx:
                for event in connector.translate(delivery):
                    if isinstance(event, Messaged):
                        self.heard.append(event)
                        persons.mark_spoken(tx, event.by, self.at)
                    else:
                        likes.record(tx, self.scene.rules, event, self.at)

    def lose(self) -> None:
        """What Facebook had to tell never arrives."""
        self.fake.bodies()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Something on the loop, which the database must not be called from."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    def round(self) -> None:
        self.do(self.presence.round())

    def rounds(self, number: int, **step: float) -> None:
        for _ in range(number):
            self.round()
            self.later(**(step or {"hours": 6, "minutes": 1}))

    # What is in the books

    def standing(self) -> list[str]:
        """The things with standing flattrs."""
        with self.scene.db.reading() as tx:
            rows = tx.exec(select(Flattr).where(Flattr.standing).order_by(Flattr.id)).all()  # type: ignore[arg-type]
            return [str(row.thing_id) for row in rows]

    def likes(self) -> int:
        with self.scene.db.reading() as tx:
            return len(tx.exec(select(Like)).all())

    def account_of(self, account_id: str) -> int | None:
        """The person of an account."""
        with self.scene.db.reading() as tx:
            row = persons.account_of(tx, AccountRef(platform="facebook", account_id=account_id))
            return row.person_id if row is not None else None

    def notes(self, kind: str | None = None) -> list[OutboxNote]:
        with self.scene.db.reading() as tx:
            return [note for note in outbox.listing(tx) if kind in (None, note.kind)]

    def say(self, name: str, text: str, *, page_id: str = PAGE) -> None:
        """The hub has something to say to somebody on the Page."""
        with self.scene.db.transaction() as tx:
            to = person(page_id, self.fake.psid(page_id, name))
            outbox.put(tx, kind="answer", source=f"{name}:{text}", at=self.at, to=to, text=text)


@contextmanager
def world(scene: Scene) -> Iterator[FacebookWorld]:
    """With a loop of its own, on a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, daemon=True)
    thread.start()
    time = Passing(scene.at)
    fake = FakeFacebook(clock=time.clock)

    async def begin() -> Client:
        await fake.start()
        return Client(hub="https://hub.example", **time.parts)

    async def end() -> None:
        await client.close()
        await fake.close()

    client = asyncio.run_coroutine_threadsafe(begin(), loop).result(10)
    try:
        yield FacebookWorld(scene, fake, time, client, loop)
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
