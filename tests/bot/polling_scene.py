"""A hub that reads the toy network: the real engine, client and books, on a clock that tests move."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import select

from bot.polling.engine import Polling
from bot.polling.parts import Polled
from connectors.base import Asker
from connectors.client import Client
from connectors.linking import Grant, Withdrawn
from core.database import Database
from core.events import AccountRef, Revoked
from core.listings.tables import Listing
from core.months.tables import Month
from core.people import linking
from core.people.tables import Account
from core.rules import Rules
from core.tables import Flattr, Like, Thing
from tests.platforms.listed_api import NAME, Listed, Toy, account
from tests.platforms.misbehaving import Passing
from tests.scene import Scene


@dataclass
class Keys:
    """Members' access without sealing: what `bot.access` does, as far as the engine sees it."""

    scene: Scene
    tokens: dict[str, str] = field(default_factory=dict)
    fresh: dict[str, str] = field(default_factory=dict)
    """User to the token that refreshing brings."""
    ended: list[str] = field(default_factory=list)

    async def grant(self, account: AccountRef) -> Grant | None:
        token = self.tokens.get(account.account_id)
        return None if token is None else Grant(account=account, access_token=token)

    async def refreshed(self, account: AccountRef, stale: Grant) -> Grant:
        token = self.fresh.pop(account.account_id, None)
        if token is None:
            raise Withdrawn
        self.tokens[account.account_id] = token
        return Grant(account=account, access_token=token)

    async def withdrawn(self, account: AccountRef, grant: Grant | None = None) -> None:
        self.ended.append(account.account_id)
        self.tokens.pop(account.account_id, None)
        await asyncio.to_thread(self.scene.record, Revoked(by=account))


@dataclass
class Town:
    """ada, who is known on the pond and likes things on toy; ``hub`` reads them."""

    scene: Scene
    toy: Listed
    time: Passing
    client: Client
    connector: Toy
    keys: Keys
    hub: Polling = field(init=False)

    def __post_init__(self) -> None:
        self.hub = self.another()

    def another(self, **more: Any) -> Polling:
        """Another process, or the same one started anew."""
        asker = Asker(client=self.client, settings={"api": self.toy.base}, clock=self.time.clock)
        return Polling(
            db=self.scene.db,
            rules=self.scene.rules,
            platforms={NAME: Polled(connector=self.connector, asker=asker)},
            access=self.keys,
            clock=self.time.clock,
            sleep=self.time.sleep,
            chance=lambda: 0.5,
            **more,
        )

    @property
    def at(self) -> datetime:
        return self.time.clock()

    def later(self, **step: float) -> datetime:
        self.time.now += timedelta(**step).total_seconds()
        self.scene.at = self.at
        return self.at

    async def join(self, name: str = "ada", user: str | None = None) -> int:
        return await asyncio.to_thread(self._join, name, user or name)

    def _join(self, name: str, user: str) -> int:
        self.scene.at = self.at
        person = self.scene.patron(name)
        with self.scene.db.transaction() as tx:
            linking.bind(tx, account(user), person_id=person, since=self.at, actor="test", at=self.at)
        return person

    def like(self, name: str, user: str = "ada") -> None:
        self.toy.like(user, name, self.at)

    async def round(self, **step: float) -> None:
        if step:
            self.later(**step)
        await self.hub.round()

    async def rounds(self, days: float, **step: float) -> None:
        """Time passes; whatever is due meanwhile is read."""
        end = self.at + timedelta(days=days)
        while self.at < end:
            await self.round(**(step or {"hours": 1}))

    async def books(self, look: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.to_thread(look, *arguments)

    async def listing(self, user: str = "ada") -> Listing | None:
        return await self.books(self._listing, user)

    def _listing(self, user: str) -> Listing | None:
        with self.scene.db.reading() as tx:
            query = select(Listing).join(Account, Account.id == Listing.account_id)
            return tx.exec(query.where(Account.platform == NAME, Account.account_id == user)).one_or_none()

    async def standing(self, user: str = "ada") -> set[str]:
        """The names of what counts for a user of the toy network."""
        return await self.books(self._standing, user)

    def _standing(self, user: str) -> set[str]:
        with self.scene.db.reading() as tx:
            query = (
                select(Thing.url)
                .join(Flattr, Flattr.thing_id == Thing.id)
                .join(Like, Like.flattr_id == Flattr.id)
                .join(Account, Account.id == Like.account_id)
                .where(Flattr.standing, ~Flattr.held, Account.account_id == user)
            )
            return {url.rpartition("/")[2] for url in tx.exec(query).all()}

    async def states(self, person: int, month: int | None = None) -> dict[str, str]:
        """Things by name, with their state in the patron's list."""
        self.scene.at = self.at
        status = await self.books(self.scene.status, person, month)
        return {line.url.rpartition("/")[2]: line.state for line in status.lines}

    async def stage(self, month: int) -> str:
        def look() -> str:
            with self.scene.db.reading() as tx:
                return tx.get_one(Month, month).stage

        return await self.books(look)


@asynccontextmanager
async def town(db: Database, rules: Rules, at: datetime, connector: Toy | None = None, **listed: Any):
    """A town whose books are checked when the test leaves it; ``listed``: what kind of network it is."""
    scene, time = Scene(db, rules, at), Passing(at)
    async with Listed(**listed) as toy:
        chance = {"chance": lambda: 0.5}
        connector = connector or Toy()
        allowances = {} if connector.card.allowance is None else {NAME: connector.card.allowance}
        async with Client(hub="https://hub.example", allowances=allowances, **chance, **time.parts) as client:
            place = Town(scene, toy, time, client, connector, Keys(scene))
            yield place
            await place.hub.close()
    assert await asyncio.to_thread(scene.broken) == []
