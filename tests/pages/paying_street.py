"""A hub's paying pages on loopback, the people who have addresses for them, and browsers that come and go."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import aiohttp
from aiohttp import web
from sqlmodel import Session, select

from core.access import visits
from core.events import AccountRef
from core.months.tables import Statement
from core.people import cards, persons
from core.recipients import onboarding
from pages.paying.routes import add_routes
from tests.platforms.hosted_processor import VISA, HostedProcessor
from tests.scene import Scene

_T = TypeVar("_T")
_FORM = re.compile(r'name="token" value="(\w+)"')


@dataclass
class Browser:
    """One browser: what it was sent to and shown."""

    url: str
    session: aiohttp.ClientSession

    async def get(self, path: str, method: str = "GET", **headers: str) -> tuple[aiohttp.ClientResponse, str]:
        async with self.session.request(method, self.url + path, headers=headers, allow_redirects=False) as answer:
            return answer, await answer.text()

    async def press(
        self, page: str, path: str, *, token: str | None = None, **headers: str
    ) -> tuple[aiohttp.ClientResponse, str]:
        """The button of a page that was shown, which leads to ``path``."""
        found = _FORM.search(page)
        data = {"token": token if token is not None else found[1] if found else ""}
        given = {"Origin": self.url} | {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.post(self.url + path, data=data, headers=given, allow_redirects=False) as answer:
            return answer, await answer.text()

    async def go(self, path: str) -> tuple[aiohttp.ClientResponse, str]:
        """Look at an address and press its button."""
        _, page = await self.get(path)
        return await self.press(page, path)


@dataclass
class Street:
    """The hub behind the pages."""

    scene: Scene
    house: HostedProcessor
    url: str = ""
    told: list[None] = field(default_factory=list)

    async def do(self, work: Callable[[Session], _T]) -> _T:
        def done() -> _T:
            with self.scene.db.transaction() as tx:
                return work(tx)

        return await asyncio.to_thread(done)

    async def address(self, name: str = "ann", page: str = "card", intent: str = "", door: str = "") -> str:
        def begin(tx: Session) -> str:
            persons.ensure_person(tx, self.account(name), self.scene.at)
            return visits.begin(tx, by=self.account(name), platform=f"hub:{page}", intent=intent, at=self.scene.at)

        return f"/{door or page}/{await self.do(begin)}"

    def account(self, name: str) -> AccountRef:
        return self.scene.account(name)

    async def person(self, name: str = "ann") -> int:
        def read(tx: Session) -> int:
            return persons.key(persons.ensure_person(tx, self.account(name), self.scene.at))

        return await self.do(read)

    async def enters(self, name: str = "ann") -> None:
        state = self.house.setups[self.house.entered(await self.person(name))]
        await self.do(lambda tx: cards.learn_setup(tx, self.scene.rules, state, self.scene.at))

    async def card(self, name: str = "ann") -> str | None:
        person = await self.person(name)

        def read(tx: Session) -> str | None:
            row = cards.card_of(tx, person)
            return row.reference if row else None

        return await self.do(read)

    async def can_pay(self, name: str) -> bool:
        person = await self.person(name)
        return await self.do(lambda tx: onboarding.can_pay(tx, self.house, person))

    async def unpaid(self, name: str = "ann") -> int:
        """A statement of 10.00 that a try did not collect."""

        def play() -> int:
            patron = self.scene.patron(name, 10, VISA)
            self.scene.creator("maker")
            self.scene.like(name, "song")
            month = self.scene.close_month()
            row = self.scene.statement(patron, month)
            assert row.id is not None
            assert (row.state, row.attempts) == ("due", 1), row
            return row.id

        return await asyncio.to_thread(play)

    async def statement(self, statement_id: int) -> Statement:
        return await self.do(lambda tx: tx.exec(select(Statement).where(Statement.id == statement_id)).one())

    @asynccontextmanager
    async def browser(self) -> AsyncIterator[Browser]:
        jar = aiohttp.CookieJar(unsafe=True, treat_as_secure_origin=self.url)
        async with aiohttp.ClientSession(cookie_jar=jar) as session:
            yield Browser(self.url, session)


@asynccontextmanager
async def street(scene: Scene, address: str = "http://127.0.0.1") -> AsyncIterator[Street]:
    """Serve the pages; the hub believes that it is reached at ``address``."""
    house = HostedProcessor(scene.db)
    scene.gateway = house
    here = Street(scene, house)
    async with served(scene, address=address, told=lambda: here.told.append(None)) as here.url:
        yield here


@asynccontextmanager
async def served(scene: Scene, *, address: str = "", told: Callable[[], None] = lambda: None) -> AsyncIterator[str]:
    """The pages of a hub with the scene's processor, by whatever port there is; '' as address: just that."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    app = web.Application()
    add_routes(
        app,
        db=scene.db,
        rules=scene.rules,
        gateway=scene.gateway,
        clock=lambda: scene.at,
        address=address.format(port=listener.getsockname()[1]) or url,
        titles={"pond": "Pond"},
        told=told,
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    yield url
    await runner.cleanup()
