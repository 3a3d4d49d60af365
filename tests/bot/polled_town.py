"""A hub that reads a platform's fake: the real connector, engine, client and books, on a clock that tests move."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import select

from bot.polling.engine import Polling
from bot.polling.parts import Polled
from connectors.base import Asker
from connectors.client import Client
from connectors.linking import Grant
from core.access import grants
from core.database import Database
from core.events import AccountRef, Revoked
from core.listings.tables import Listing
from core.people import linking
from core.people.tables import Account
from core.rules import Rules
from core.tables import Flattr, Like
from tests.platforms.misbehaving import Passing
from tests.scene import Scene


@dataclass
class Keys:
    """Members' access without sealing: what `bot.access` does, as far as the engine sees it."""

    scene: Scene
    connector: Any
    asker: Asker
    grants: dict[str, Grant] = field(default_factory=dict)
    refreshes: int = 0
    ended: list[str] = field(default_factory=list)

    async def grant(self, account: AccountRef) -> Grant | None:
        return self.grants.get(account.account_id)

    async def refreshed(self, account: AccountRef, stale: Grant) -> Grant:
        self.refreshes += 1
        self.grants[account.account_id] = await self.connector.refresh(self.asker, stale)
        return self.grants[account.account_id]

    async def withdrawn(self, account: AccountRef, grant: Grant | None = None) -> None:
        self.ended.append(account.account_id)
        self.grants.pop(account.account_id, None)
        await asyncio.to_thread(self.scene.record, Revoked(by=account))


@dataclass
class Town:
    """ada, who is known on the pond and likes things at a platform; ``hub`` reads them."""

    scene: Scene
    fake: Any
    time: Passing
    asker: Asker
    connector: Any
    me: AccountRef
    keys: Keys
    hub: Polling = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """The process is started anew."""
        self.hub = Polling(
            db=self.scene.db,
            rules=self.scene.rules,
            platforms={self.connector.card.platform: Polled(connector=self.connector, asker=self.asker)},
            access=self.keys,
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

    async def join(self) -> int:
        """ada signs in, and her likes are read from now on."""
        person = await asyncio.to_thread(self._join)
        await self.sign_in()
        return person

    def _join(self) -> int:
        self.scene.at = self.at
        person = self.scene.patron("ada")
        with self.scene.db.transaction() as tx:
            linking.bind(tx, self.me, person_id=person, since=self.at, actor="test", at=self.at)
        return person

    async def sign_in(self) -> None:
        """She lends her access, perhaps anew."""
        lent = self.fake.lend(self.me.account_id)
        self.keys.grants[self.me.account_id] = Grant(
            account=self.me, access_token=lent.access_token, refresh_token=lent.refresh_token
        )
        await asyncio.to_thread(self._keep)

    def _keep(self) -> None:
        with self.scene.db.transaction() as tx:
            grants.keep(tx, self.me, b"sealed", expires_at=None, at=self.at)

    def like(self, native_id: str) -> None:
        self.fake.like(self.me.account_id, native_id, self.at)

    def unlike(self, native_id: str) -> None:
        self.fake.unlike(self.me.account_id, native_id)

    async def round(self, **step: float) -> None:
        self.later(**step)
        await self.hub.round()

    async def rounds(self, times: int, **step: float) -> None:
        for _ in range(times):
            await self.round(**step)

    async def standing(self, *, held: bool = False) -> set[str]:
        """The native ids of what counts; ``held``: also of what is held."""
        return await asyncio.to_thread(self._standing, held)

    def _standing(self, held: bool) -> set[str]:
        with self.scene.db.reading() as tx:
            query = (
                select(Like.fact)
                .join(Flattr, Flattr.id == Like.flattr_id)
                .join(Account, Account.id == Like.account_id)
                .where(Like.standing, Account.platform == self.me.platform)
            )
            if not held:
                query = query.where(~Flattr.held)
            return {fact.partition(":")[2].rpartition("|")[0] for fact in tx.exec(query).all()}

    async def likes(self) -> list[Like]:
        """Every like in the books, standing or not."""
        return await asyncio.to_thread(self._likes)

    def _likes(self) -> list[Like]:
        with self.scene.db.reading() as tx:
            return list(tx.exec(select(Like).order_by(Like.id)).all())

    async def listing(self) -> Listing:
        return await asyncio.to_thread(self._listing)

    def _listing(self) -> Listing:
        with self.scene.db.reading() as tx:
            return tx.exec(select(Listing)).one()


@asynccontextmanager
async def town(
    db: Database, rules: Rules, at: datetime, connector: Any, make: Callable[..., Any], account_id: str
) -> AsyncIterator[Town]:
    """A town whose books are checked when the test leaves it; ``make`` makes the platform's fake."""
    scene, time = Scene(db, rules, at), Passing(at)
    me = AccountRef(platform=connector.card.platform, account_id=account_id)
    async with (
        make(clock=time.clock) as fake,
        Client(hub="https://hub.example", chance=lambda: 0.5, **time.parts) as client,
    ):
        asker = Asker(
            client=client,
            secrets={name: (value.encode(),) for name, value in fake.secrets.items()},
            settings=fake.settings,
            clock=time.clock,
        )
        place = Town(scene, fake, time, asker, connector, me, Keys(scene, connector, asker))
        yield place
        await place.hub.close()
    assert await asyncio.to_thread(scene.broken) == []
