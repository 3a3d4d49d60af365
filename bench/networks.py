"""The networks that the benchmark of reading reads: the tests' fakes in a process of their own, full of fans."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from typing import Any

from connectors import dailymotion, flickr, soundcloud, vimeo
from connectors.linking import Grant
from core.events import AccountRef
from tests.platforms.dailymotion_api import FakeDailymotion
from tests.platforms.flickr_api import FakeFlickr
from tests.platforms.signing_in import Lent, Signer
from tests.platforms.soundcloud_api import FakeSoundCloud
from tests.platforms.vimeo_api import FakeVimeo

START = datetime(2026, 11, 10, 12, tzinfo=UTC)
CREATORS, CONTENT = 100, 3_000
FEW, LONG_LISTS = 30, 20
"""Likes of a fan from before the link; every twentieth has more than a page of them."""
BUSY = 20
"""Every twentieth likes something every twenty minutes and takes every third like back."""
EACH, QUIET, KEPT = timedelta(minutes=20), timedelta(minutes=50), timedelta(minutes=40)
"""Between two likes; before the first, so that every list has been read once; before one is taken back."""
PHOTO = timedelta(hours=1)
"""Every fan at Flickr faves a photo so often, and three of five another one that Flickr counts and does not show: such
a page is asked for twice. That is 4,000 questions an hour, more than the hub allows itself."""
TOKEN = timedelta(seconds=3599)


@dataclass
class Clock:
    """Time that passes ``scale`` times as fast for everybody, and stands until ``origin`` (shared) is set."""

    origin: Any
    scale: float

    def ticks(self) -> float:
        return (time.monotonic() - self.origin.value) * self.scale if self.origin.value else 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.ticks())

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.scale)


@dataclass(frozen=True, kw_only=True)
class Network:
    """A connector, its fake, and how things are called there."""

    connector: Any
    fake: Callable[..., Any]
    account: Callable[[int], str]
    thing: Callable[[int], str]
    many: int
    """Likes of whoever has more than a page."""
    lives: timedelta | None = None
    """How long an access token lasts."""
    signed: bool = False

    @property
    def name(self) -> str:
        return str(self.connector.card.platform)

    def grant(self, number: int) -> Grant:
        """What a fan lent the hub; tokens end all over the time that they last."""
        account = self.account(number)
        ends = None
        if self.lives is not None:
            ends = START + self.lives * ((number * 37 % 100 + 20) / 120)
        return Grant(
            account=AccountRef(platform=self.name, account_id=account),
            access_token=f"access-{number}",
            refresh_token=f"refresh-{number}" if self.lives else None,
            token_secret=f"secret-{number}" if self.signed else None,
            expires_at=ends,
        )


NETWORKS = (
    Network(
        connector=vimeo.connector,
        fake=FakeVimeo,
        account=lambda number: str(20_000_000 + number),
        thing=lambda number: str(900_000_000 + number),
        many=130,
    ),
    Network(
        connector=flickr.connector,
        fake=FakeFlickr,
        account=lambda number: f"{30_000_000 + number}@N00",
        thing=lambda number: str(50_000_000_000 + number),
        many=620,
        signed=True,
    ),
    Network(
        connector=dailymotion.connector,
        fake=FakeDailymotion,
        account=lambda number: f"x1{number:06d}",
        thing=lambda number: f"x8{number:06d}",
        many=130,
        lives=timedelta(hours=10),
    ),
    Network(
        connector=soundcloud.connector,
        fake=FakeSoundCloud,
        account=lambda number: f"soundcloud:users:{40_000_000 + number}",
        thing=lambda number: f"soundcloud:{'playlists' if number % 5 == 0 else 'tracks'}:{60_000_000 + number}",
        many=240,
        lives=TOKEN,
    ),
)


class Arrivals(list[Any]):
    """In place of the requests that a fake remembers: only when each of them came, in the platform's seconds."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self.at: list[float] = []

    def append(self, _: Any) -> None:
        self.at.append(self._clock.ticks())


@dataclass
class Given:
    """What fans have liked since the hub reads them: when, and since when no more."""

    likes: dict[tuple[str, str], tuple[datetime, datetime | None]] = field(default_factory=dict)
    next: Counter[int] = field(default_factory=Counter)


class Place:
    """One network with its fans."""

    def __init__(self, network: Network, fans: int, clock: Clock) -> None:
        self.network, self.fans, self.clock = network, fans, clock
        self.fake = network.fake(clock=clock.now)
        self.arrivals = self.fake.heard = Arrivals(clock)
        self.given = Given()
        if network.name == "vimeo":
            self.fake.limit = 50
        for number in range(CREATORS):
            self.fake.user(network.account(9_000_000 + number), f"creator{number}")
        for number in range(CONTENT):
            self._made(number)
        for number in range(fans):
            self._settle(number)

    def _made(self, number: int) -> str:
        thing = self.network.thing(number)
        self.fake.content(thing, self.network.account(9_000_000 + number % CREATORS))
        return thing

    def _settle(self, number: int) -> None:
        network, account = self.network, self.network.account(number)
        self.fake.user(account, f"fan{number}")
        for each in range(network.many if number % LONG_LISTS == 0 else FEW):
            thing = network.thing((number * 31 + each * 4) % CONTENT)
            self.fake.like(account, thing, START - timedelta(hours=2 + each, seconds=number % 3_600))
        grant = network.grant(number)
        if network.signed:
            signer = Signer(token=grant.access_token, secret=grant.token_secret or "", user=account)
            self.fake.lent[signer.token] = signer
            return
        self.fake.lent.append(
            Lent(
                user=account,
                access_token=grant.access_token,
                refresh_token=grant.refresh_token,
                expires_at=grant.expires_at,
            )
        )

    async def live(self) -> None:
        """People like and unlike, a little at a time."""
        every, first, busy = (PHOTO, timedelta(0), 1) if self.network.name == "flickr" else (EACH, QUIET, BUSY)
        before = self.clock.now()
        while True:
            await self.clock.sleep(20)
            now = self.clock.now()
            for number in range(0, self.fans, busy):
                phase = START + first + every * (number / self.fans)
                if now >= phase and (before - phase) // every != (now - phase) // every:
                    self._act(number, now)
            before = now

    def _act(self, number: int, now: datetime) -> None:
        account, times = self.network.account(number), self.given.next[number]
        self.given.next[number] += 1
        now = now.replace(microsecond=0)
        thing = self._made(CONTENT + number + self.fans * times)
        self.fake.like(account, thing, now)
        self.given.likes[account, thing] = (now, None)
        if self.network.name == "flickr" and number % 5 < 3:
            hidden = self._made(CONTENT + number + self.fans * (1_000 + times))
            self.fake.withheld.add(hidden)
            self.fake.like(account, hidden, now)
        if number % BUSY == 0 and times % 3 == 2:
            self._take_back(number, account, now)

    def _take_back(self, number: int, account: str, now: datetime) -> None:
        for times in range(self.given.next[number]):
            thing = self.network.thing(CONTENT + number + self.fans * times)
            liked_at, gone_at = self.given.likes[account, thing]
            if gone_at is None and liked_at <= now - KEPT:
                self.fake.unlike(account, thing)
                self.given.likes[account, thing] = (liked_at, now)
                return


def chosen(names: Sequence[str]) -> list[Network]:
    """The networks of these names."""
    return [network for network in NETWORKS if network.name in names]


def serve(ready: Connection, origin: Any, scale: float, fans: int, names: Sequence[str]) -> None:
    """The process: fills the networks, tells their addresses, and at its end what was asked and what was liked."""

    async def main() -> None:
        places = [Place(network, fans, Clock(origin, scale)) for network in chosen(names)]
        for place in places:
            await place.fake.start()
        ready.send({place.network.name: (place.fake.settings, place.fake.secrets) for place in places})
        await asyncio.to_thread(ready.recv)  # the hub begins
        living = [asyncio.create_task(place.live()) for place in places]
        await asyncio.to_thread(ready.recv)  # the hub has ended
        for task in living:
            task.cancel()
        await asyncio.gather(*living, return_exceptions=True)
        told = {place.network.name: (place.arrivals.at, place.given.likes) for place in places}
        for place in places:
            await place.fake.close()
        ready.send(told)

    asyncio.run(main())
