"""Lets every account have its turn: those due longest first, a few at a time, one process an account."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from uuid import uuid4

from bot.polling.lane import LOOK, Lane, Means
from bot.polling.parts import Access, Polled
from bot.polling.storing import Storing
from bot.polling.turn import LEASE, Reader
from core.database import Database, is_away
from core.listings import books, leases
from core.listings.leases import Claimed
from core.rules import Rules

_log = logging.getLogger(__name__)

AT_ONCE_IN_ALL = 32
"""Turns under way on all platforms."""
BACKLOG = 32
"""Questions' worth of accounts claimed at a time, so that claiming is one transaction for many."""
SYNC = 20.0
"""Seconds between two looks at who was linked and unlinked."""
OUT_OF_DATE = timedelta(minutes=10)
"""How old a list may be that a platform gives: until then an unlike that was heard of is newer."""
AWAY = 10.0
"""Seconds until the next try while the database is away."""


class Polling:
    """One for a process: ``await run()`` until ``await close()``, or ``await round()`` for everything due once.

    ``sleep`` and ``chance`` (0 <= x < 1) are for tests.
    """

    def __init__(
        self,
        *,
        db: Database,
        rules: Rules,
        platforms: Mapping[str, Polled],
        access: Access,
        clock: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._db, self._clock = db, clock
        self._storing = Storing(db)
        reader = Reader(rules=rules, storing=self._storing, access=access, clock=clock, sleep=sleep, chance=chance)
        self._stopped, self._poked = asyncio.Event(), asyncio.Event()
        means = Means(
            storing=self._storing,
            reader=reader,
            access=access,
            clock=clock,
            chance=chance,
            place=asyncio.Semaphore(AT_ONCE_IN_ALL),
            stopped=self._stopped,
        )
        self._lanes = [Lane(name, polled, means) for name, polled in platforms.items()]
        self._holder, self._leases = uuid4().hex[:12], count(1)

    def poke(self) -> None:
        """Somebody was linked: look at once."""
        self._poked.set()

    async def run(self) -> None:
        """Give turns until `close`; a database that is away is waited for."""
        await asyncio.gather(
            self._again_and_again(self._sync, SYNC),
            *(self._again_and_again(partial(lane.go_over, self._claim, None), LOOK) for lane in self._lanes),
        )

    async def round(self) -> None:
        """Give everybody who is due one turn."""
        try:
            await self._sync()
            at = self._clock()
            await asyncio.gather(*(lane.go_over(self._claim, at) for lane in self._lanes))
        except Exception as error:
            if not is_away(error):
                raise
            _log.warning("the database is away; reading waits")

    async def close(self) -> None:
        """Begin nothing more, end what is under way, and give back what was claimed."""
        self._stopped.set()
        self._poked.set()
        try:
            await asyncio.gather(*(lane.close() for lane in self._lanes))
        except Exception as error:
            if not is_away(error):
                raise
        await self._storing.close()

    async def _again_and_again(self, work: Callable[[], Awaitable[None]], seconds: float) -> None:
        while not self._stopped.is_set():
            wait = seconds
            try:
                await work()
            except Exception as error:
                if not is_away(error):
                    raise
                _log.warning("the database is away; reading waits")
                wait = AWAY
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._poked.wait()

    async def _sync(self) -> None:
        if not self._stopped.is_set():
            self._poked.clear()
        await asyncio.to_thread(self._in_step, self._clock())

    def _in_step(self, at: datetime) -> None:
        terms = {lane.name: lane.terms for lane in self._lanes}
        with self._db.reading() as tx:
            wanted = leases.out_of_step(tx, terms)
        if wanted:
            with self._db.transaction() as tx:
                leases.sync(tx, terms, at)

    def _claim(self, lane: Lane, at: datetime, but: list[int]) -> list[Claimed]:
        with self._db.reading() as tx:
            if not leases.any_due(tx, lane.name, lane.terms, at):
                return []
        with self._db.transaction() as tx:
            claimed = leases.claim(
                tx,
                lane.name,
                lane.terms,
                lease=f"{self._holder}:{next(self._leases)}",
                at=at,
                until=self._clock() + LEASE,
                limit=BACKLOG * lane.polled.connector.plan.together,
                but=but,
            )
        if not lane.polled.hears:
            return claimed
        with self._db.reading() as tx:
            before = self._clock() - OUT_OF_DATE
            return [replace(each, ended=books.ended(tx, each.listing.account_id, before)) for each in claimed]
