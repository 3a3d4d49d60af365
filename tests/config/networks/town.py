"""A whole hub beside fakes of real networks: people talk to its bot on the sandbox's square and sign in elsewhere."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from config.clock import SandboxClock
from config.compose import Hub
from config.listening import Listener, listen
from config.networks.askers import client_of
from config.parts import assemble
from config.settings import ConnectorSection, HubSection, SandboxSection, Settings
from connectors.client import Asked
from core.access import visits
from core.books import invariants
from core.events import AccountRef
from core.months import worth
from core.people import persons

SQUARE = "sandbox"


class Network(Protocol):
    """What a fake of a network has, for the hub to be pointed at it and for its users to sign in."""

    @property
    def secrets(self) -> Any: ...

    @property
    def settings(self) -> Any: ...

    async def consent(self, url: str, user: str, session: aiohttp.ClientSession | None = None) -> str: ...


@dataclass
class Town:
    folder: Path
    now: datetime = datetime(2026, 11, 10, 12, tzinfo=UTC)
    hubs: list[Hub] = field(default_factory=list)
    listeners: list[Listener] = field(default_factory=list)
    sections: dict[str, ConnectorSection] = field(default_factory=dict)
    accepted: tuple[str, ...] = ()
    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    """What the hub asked of networks."""

    def clock(self) -> datetime:
        return self.now

    def later(self, **passed: float) -> datetime:
        self.now += timedelta(**passed)
        return self.now

    def ticks(self) -> float:
        return self.now.timestamp()

    async def sleep(self, seconds: float) -> None:
        """Time passes only while somebody sleeps."""
        wakes = self.now + timedelta(seconds=seconds)
        await asyncio.sleep(0)
        self.now = max(self.now, wakes)

    def has(self, name: str, network: Network, **more: str) -> None:
        """Set the hub up for a network, before it starts."""
        self.sections[name] = ConnectorSection.model_validate({**network.secrets, **network.settings, **more})

    @property
    def hub(self) -> Hub:
        return self.hubs[-1]

    @property
    def address(self) -> str:
        return self.hub.parts.settings.hub.address

    async def opens(self) -> Hub:
        """Start the hub, for the first time or again."""
        settings = Settings.model_construct(
            hub=HubSection(port=self.port, data_dir=self.folder),
            sandbox=SandboxSection(enabled="true"),
            connectors=self.sections,
            accept_policy_risk=self.accepted,
        )
        self.listeners.append(listen(settings))
        self.port = self.listeners[-1].settings.hub.port
        clock = SandboxClock(self.folder / "clock.json", source=self.clock)
        parts = await asyncio.to_thread(assemble, self.listeners[-1].settings, clock=clock)
        client = client_of(
            parts.entries,
            clock=self.clock,
            hub=parts.settings.hub.address,
            ticks=self.ticks,
            sleep=self.sleep,
            observe=self.asked.append,
        )
        hub = Hub(parts, ticking=False, client=client)
        self.hubs.append(hub)
        await hub.start(self.listeners[-1])
        await self.hub.settle()
        return hub

    async def closes(self) -> None:
        await self.hub.close()
        self.listeners[-1].socket.close()

    async def says(self, text: str, who: str = "ada") -> str:
        """What the bot answers to somebody on the square."""
        assert self.hub.network is not None
        await asyncio.to_thread(self.hub.network.write, SQUARE, who, text)
        await self.hub.network.send(self.hub.intake.receive)
        await self.hub.settle()
        return self.heard(who)[-1]

    def heard(self, who: str = "ada") -> list[str]:
        """All that the bot has said to somebody on the square."""
        assert self.hub.network is not None
        return [each.text for each in self.hub.network.memory.messages(SQUARE, who) if each.from_bot]

    async def signs_in(self, name: str, network: Network, user: str, who: str = "ada", words: str = "") -> str:
        """Somebody asks for an address by message and signs in there; the page at the end."""
        answer = await self.says(words or f"link {name}", who)
        found = re.search(r"https?://\S+/link/[\w-]{43}", answer)
        assert found is not None, answer
        return await self.walks(found[0], network, user)

    async def lends(self, name: str, network: Network, user: str) -> str:
        """The operator lends the hub its bot's account; the page at the end."""

        def begin() -> str:
            with self.hub.parts.db.transaction() as tx:
                return visits.begin(tx, by=None, platform=name, intent="bot", at=self.hub.parts.clock())

        return await self.walks(f"{self.address}/link/{await asyncio.to_thread(begin)}", network, user)

    async def walks(self, address: str, network: Network, user: str) -> str:
        """From a personal address to the platform and back, as a browser does."""
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
            async with browser.get(address) as page:
                text = await page.text()
                assert page.status == 200, text
            token = re.search(r'name="token" value="([^"]+)"', text)
            assert token is not None, text
            form = {"token": token[1]}
            async with browser.post(address, data=form, allow_redirects=False) as gone:
                assert gone.status == 303, await gone.text()
                there = gone.headers["location"]
            back = await network.consent(there, user)
            async with browser.get(back) as page:
                text = await page.text()
                assert page.status == 200, text
        await self.hub.settle()
        return text

    async def looks_round(self, seconds: float = 60) -> None:
        """A minute passes, and every network on which there is more to do than to listen does it."""
        self.later(seconds=seconds)
        for presence in self.hub.presences:
            for each in presence.rounds:
                await each.work()
        await self.hub.settle()

    async def reads(self) -> None:
        """Everybody whose list is due is read."""
        if self.hub.polling is not None:
            await self.hub.polling.round()
        await self.hub.settle()

    async def days(self, number: int) -> None:
        """Time passes and is looked at every hour."""
        for _ in range(24 * number):
            self.later(hours=1)
            await self.reads()

    async def states(self, who: str = "ada") -> list[str]:
        """What the likes of somebody's month come to."""

        def look() -> list[str]:
            with self.hub.parts.db.reading() as tx:
                person = persons.person_of(tx, AccountRef(platform=SQUARE, account_id=who))
                assert person is not None
                assert invariants.broken(tx) == []
                status = worth.status(tx, self.hub.parts.rules, persons.key(person), self.hub.parts.clock())
                return [line.state for line in status.lines]

        return await asyncio.to_thread(look)
