"""A whole hub that plays a real month: people write and like through its intake, Stripe calls, tests move time."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import click
import sqlalchemy as sa
from click.testing import CliRunner, Result

from config.clock import SandboxClock
from config.commands.desk import Desk
from config.compose import Hub
from config.listening import Listener, listen
from config.parts import Parts, assemble
from config.settings import HubSection, MoneySection, SandboxSection, Settings, StripeSection
from connectors.base import Delivery
from connectors.sandbox import SIGNATURE, body_of, square
from core.payments.stripe.gateway import StripeGateway
from core.payments.stripe.pace import Pace
from tests.config.test_stripe_journey import SECRETS, Journey
from tests.platforms.stripe.delivering import Delivery as EventDelivery
from tests.platforms.stripe.fake import FakeStripe
from webhooks.stripe import ACCOUNT_EVENTS, CONNECTED_EVENTS, OWN_EVENTS

SQUARE = "sandbox"
BEGIN = datetime(2026, 11, 4, 9, tzinfo=UTC)
PAYOUT_DAY = 20
AT_ONCE = 40
"""What people do, in one delivery."""

LOST = {
    "checkout.": 0.9, "setup_intent.": 0.9, "payment_intent.": 0.2, "refund.": 0.2, "charge.dispute.": 0.2,
    "transfer.": 0.2, "balance.": 0.2,
}  # fmt: skip
"""How likely events get lost whose news the hub comes by in another way, too; nothing else tells it of the others."""

_TOKEN = re.compile(r'name="token" value="([0-9a-f]{64})"')


class _OpenDesk(Desk):
    """The operator's desk on the parts of the running hub, so that commands have the test's time."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(None)
        self._parts, self._settings = parts, parts.settings


@dataclass
class Time:
    """It stands still until somebody moves it."""

    now: datetime = BEGIN

    def __call__(self) -> datetime:
        return self.now


@dataclass
class RealMonth(Journey):
    """Somebody's seat over hub, people and Stripe."""

    folder: Path
    time: Time
    listener: Listener
    chance: random.Random
    told: int = 0
    """Events that people's doings made."""
    events_seen: Counter[str] = field(default_factory=Counter)
    """What became of Stripe's events: taken, lost, refused."""
    kept: list[EventDelivery] = field(default_factory=list)
    """Events that were not taken, which Stripe sends again."""

    @property
    def now(self) -> datetime:
        return self.time.now

    # The hub

    async def closes(self) -> None:
        await self.hub.close()
        self.listener.socket.close()

    async def reopens(self) -> None:
        """The hub goes away while Stripe has something to say, and comes back."""
        await self.closes()
        await self.events()
        port = self.listener.settings.hub.port
        self.hub, self.listener = await _opened(self.folder, self.stripe, self.time, port)
        await self.hub.settle()

    async def rounds(self) -> None:
        """Everything that its schedule brings, once."""
        for each in self.hub._rounds():
            if each.name != "books" or self.now.hour < 8:  # the proof of the books is long, and once a day will do
                await each.work()
        await self.hub.settle()

    async def later(self, hours: float = 6, *, until: datetime | None = None) -> None:
        """Time passes in steps of hours; in each Stripe says what it has to say, and the hub does its rounds."""
        end = until or self.now + timedelta(hours=hours)
        while self.now < end:
            self.time.now = min(end, self.now + timedelta(hours=hours))
            await self.events()
            await self.rounds()

    # People

    def settle_in(self, names: Iterable[str]) -> None:
        """Let these people live on the square."""
        assert self.hub.network is not None
        with self.hub.network.memory.transaction() as tx:
            people = [(SQUARE, name, name.capitalize(), "", 100 + place) for place, name in enumerate(names)]
            tx.executemany("insert into person values (?, ?, ?, ?, ?)", people)

    async def do(self, doings: Iterable[Mapping[str, Any]]) -> None:
        """Signed deliveries with what people did, through the hub's intake; returns when it has answered."""
        events = []
        for each in doings:
            self.told += 1
            events.append({"id": f"m{self.told}", "at": self.now.isoformat(), "order": self.told, **each})
        secret = self.hub.parts.on[SQUARE].secrets["secret"][0]
        for first in range(0, len(events), AT_ONCE):
            body = body_of(SQUARE, events[first : first + AT_ONCE])
            headers = {"content-type": ("application/json",), SIGNATURE: (square.sign(body, secret, self.now),)}
            path = f"/webhooks/{SQUARE}"
            for wanted in (202, 200):  # twice, as networks do
                delivery = Delivery(method="POST", path=path, headers=headers, body=body, received_at=self.now)
                answer = await self.hub.intake.receive(SQUARE, delivery)
                assert answer.status == wanted, answer
                await self.hub.worker.drain()
        await self.hub.settle()

    async def say(self, *said: tuple[str, str]) -> None:
        """People write to the bot."""
        await self.do({"type": "messaged", "by": account(who), "text": text} for who, text in said)

    def heard(self, who: str) -> list[str]:
        """The latest that the bot said to somebody."""
        assert self.hub.network is not None
        return [each.text for each in self.hub.network.memory.messages(SQUARE, who, 20) if each.from_bot]

    async def goes(self, who: str, door: str) -> str | None:
        """Open the latest personal address behind a door and press its button: where it leads; None: nowhere."""
        ways = re.findall(rf"http://127\.0\.0\.1:\d+(/{door}/[A-Za-z0-9_-]{{43}})", "\n".join(self.heard(who)))
        if not ways:
            return None
        self.browser.cookie_jar.clear()  # another browser than the last one's
        for _ in range(4):  # where Stripe is silent, they press it again
            async with self.browser.get(f"{self.address}{ways[-1]}") as page:
                token = _TOKEN.search(await page.text())
            if token is None:
                return None
            form = {"token": token[1]}
            async with self.browser.post(f"{self.address}{ways[-1]}", data=form, allow_redirects=False) as button:
                if button.status == 303:
                    return button.headers["Location"]
        return None

    async def returns(self, there: str) -> None:
        """Come back from Stripe, whatever the page can say at that moment."""
        async with self.browser.get(there) as page:
            assert page.status < 600, await page.text()

    # Stripe

    async def events(self, *, fair: bool = False) -> None:
        """Post what Stripe has to say: shuffled, doubled, late, some of it lost; ``fair``: all of it, to the end."""
        odds = {"lost": 0.0, "late": 0.0, "doubled": 0.0} if fair else {"late": 0.25, "doubled": 0.2}
        again = [dataclasses.replace(each, at=int(self.now.timestamp())) for each in self.kept]
        self.kept = []
        for each in [*again, *self.stripe.shuffled(self.chance, **odds)]:
            if not fair and self.chance.random() < _lost(each.kind):
                self.events_seen["lost"] += 1
                continue
            try:
                address = f"{self.address}/webhooks/stripe"
                async with self.browser.post(address, data=each.body, headers=each.headers) as answer:
                    status = answer.status
            except aiohttp.ClientConnectionError:
                status = 0
            self.events_seen["taken" if 200 <= status < 300 else "refused"] += 1
            if not 200 <= status < 300:
                self.kept.append(each)

    # The operator

    async def flattr(self, command: click.Command, *words: str) -> Result:
        """Run a real command of the operator's."""

        def run() -> Result:
            return CliRunner().invoke(command, words, obj=_OpenDesk(self.hub.parts), catch_exceptions=False)

        return await asyncio.to_thread(run)

    async def asked(self, command: click.Command, *words: str) -> Any:
        """What a command says in JSON."""
        result = await self.flattr(command, *words, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    async def rows(self, query: str) -> list[Any]:
        """Rows of the hub's database."""

        def read() -> list[Any]:
            with self.hub.parts.db.reading() as tx:
                return list(tx.execute(sa.text(query)).all())

        return await asyncio.to_thread(read)


def account(name: str) -> dict[str, str]:
    """Somebody on the square, as it tells of them."""
    return {"id": name, "name": name.capitalize()}


def like(who: str, thing: str, *, liked: bool = True) -> dict[str, Any]:
    """Somebody likes a thing, or takes that back."""
    by, author = account(who), account(thing.split("/")[0])
    return {"type": "liked" if liked else "unliked", "by": by, "author": author, "thing": {"id": thing}}


def _lost(kind: str) -> float:
    return next((odds for start, odds in LOST.items() if kind.startswith(start)), 0.0)


def _hastened(parts: Parts) -> Parts:
    """Without the limit on speed that Stripe has and the fake has not, and one call after the other, so that the same
    seed is the same month; without pictures, and without fsync, since nobody pulls a plug."""
    stripe = parts.settings.stripe
    gateway = StripeGateway(
        parts.db,
        key=stripe.secret_key.get_secret_value(),
        api=stripe.api,
        address=parts.settings.hub.address,
        pace=Pace(1_000_000),
    )
    gateway.at_once = 1
    sa.event.listen(parts.db.engine, "connect", lambda connection, _: connection.execute("pragma synchronous = off"))
    parts.db.dispose()
    return dataclasses.replace(
        parts, gateway=gateway, talk=dataclasses.replace(parts.talk, gateway=gateway, picture=None)
    )


async def _opened(folder: Path, stripe: FakeStripe, time: Time, port: int = 0) -> tuple[Hub, Listener]:
    settings = Settings.model_construct(
        hub=HubSection(port=port, data_dir=folder),
        money=MoneySection(payments="stripe", cost_percent="2.9", cost_fixed="0.30", payout_day=PAYOUT_DAY),
        stripe=StripeSection(secret_key=stripe.key, webhook_secret=SECRETS, api=stripe.address, countries=("DE", "AT")),
        sandbox=SandboxSection(enabled="true"),
    )
    listener = listen(settings)
    clock = SandboxClock(folder / "clock.json", source=time)
    parts = await asyncio.to_thread(assemble, listener.settings, clock=clock)
    hub = Hub(_hastened(parts), ticking=False)
    await hub.start(listener)
    return hub, listener


@contextlib.asynccontextmanager
async def playing(folder: Path, seed: int) -> AsyncIterator[RealMonth]:
    """A hub that has just been started beside an honest Stripe; closed in the end."""
    time = Time()
    with FakeStripe.serve(clock=time, secrets=SECRETS) as stripe:
        stripe.enabled_events = frozenset((*OWN_EVENTS, *CONNECTED_EVENTS, *ACCOUNT_EVENTS))
        hub, listener = await _opened(folder, stripe, time)
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
            month = RealMonth(hub, stripe, browser, folder, time, listener, random.Random(seed))
            try:
                yield month
            finally:
                await month.closes()
