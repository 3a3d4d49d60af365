"""What a running hub does about money beside its months: errands, the daily reconciliation, pages, the sealed book."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta

from aiohttp import web

from config.networks.presences import Round
from config.parts import Parts
from config.payments.processor import hosted
from core.books import batches
from core.database import Busy
from core.errands import running as errands
from core.payments.hosted import Unanswered
from core.reconciling import last
from core.reconciling import running as reconciling
from pages.book import add_routes as add_book
from pages.paying.routes import add_routes as add_paying
from pages.statements.routes import add_routes as add_statements

log = logging.getLogger("flattr.paying")

ERRANDS = 5.0
"""Seconds between two looks for errands; events hurry them."""

RECONCILE = 3600.0
"""Seconds between two looks whether a reconciliation is due."""

DAY = timedelta(hours=23)
"""How old the last reconciliation is when the next one is due."""

SEAL = 600.0
"""Seconds between two sealings of the month's book."""


class Paying:
    """One for the hub. ``told`` is called on the loop when there may be something in the outbox."""

    def __init__(self, parts: Parts, *, told: Callable[[], None]) -> None:
        self._parts = parts
        self._told = told
        self._gateway = hosted(parts.gateway)
        self._turn = asyncio.Lock()
        self._closing = False
        self._hurried: asyncio.Task[None] | None = None

    def rounds(self) -> Iterator[Round]:
        """What is to be done again and again."""
        yield Round(name="book", seconds=SEAL, work=self.seal)
        if self._gateway is not None:
            yield Round(name="errands", seconds=ERRANDS, work=self.errands)
            yield Round(name="reconciliation", seconds=RECONCILE, work=self.reconcile_daily)

    def add_routes(self, app: web.Application) -> None:
        """Serve the pages about money; after those that serve /static themselves."""
        parts = self._parts
        titles = {name: entry.connector.card.title for name, entry in parts.entries.items()}
        add_paying(
            app,
            db=parts.db,
            rules=parts.rules,
            gateway=parts.gateway,
            clock=parts.clock,
            address=parts.settings.hub.address,
            titles=titles,
            told=self._told,
        )
        add_statements(
            app,
            db=parts.db,
            rules=parts.rules,
            clock=parts.clock,
            address=parts.settings.hub.address,
            pretend=parts.gateway.pretend,
            titles=titles,
            book_key=parts.keys.book,
        )
        add_book(app, parts.db, parts.rules.money)

    def poke(self) -> None:
        """Say that there are errands; on the loop."""
        if self._closing or (self._hurried is not None and not self._hurried.done()):
            return  # the round finds what came meanwhile
        self._hurried = asyncio.create_task(self._hurry(), name="errands at once")

    async def _hurry(self) -> None:
        try:
            await self.errands()
        except Exception:  # whatever it is, the next round may go well
            log.exception("errands failed and are tried again")

    async def errands(self) -> None:
        """Run the errands that are due, unless another process is at them."""
        if self._gateway is None:
            return
        async with self._turn:
            if self._closing:
                return
            parts = self._parts
            try:
                done = await asyncio.to_thread(errands.run, parts.db, parts.rules, parts.gateway, parts.clock())
            except Busy as busy:
                log.debug("%s", busy)
                return
        if done:
            self._told()

    async def reconcile_daily(self) -> None:
        """Reconcile if that was last done a day ago."""
        if self._gateway is not None and await asyncio.to_thread(self._is_due):
            await self.reconcile()

    async def reconcile(self) -> None:
        """Hold the books against the processor's own account, and say what differs."""
        gateway, parts = self._gateway, self._parts
        if gateway is None:
            return
        async with self._turn:
            if self._closing:
                return
            try:
                result = await asyncio.to_thread(reconciling.run, parts.db, parts.rules, gateway, parts.clock())
            except (Busy, Unanswered) as reason:
                log.warning("the reconciliation is tried again in an hour: %s", reason)
                return
        self._told()
        for difference in result.differences[:20]:
            log.error("reconciliation: %s", f"{difference.name} {difference.text}".strip())
        if len(result.differences) > 20:
            log.error("reconciliation: %d differences; `flattr reconcile` lists them", len(result.differences))

    def _is_due(self) -> bool:
        with self._parts.db.reading() as tx:
            before = last.finished(tx)
        return before is None or before.began_at <= self._parts.clock() - DAY

    async def seal(self) -> None:
        """Put what was posted since the last time into the sealed book."""
        await asyncio.to_thread(self._seal)

    def _seal(self) -> None:
        parts, sealed = self._parts, 1
        while sealed and not self._closing:
            with parts.db.transaction() as tx:
                sealed = batches.seal(tx, parts.keys.book, parts.rules.money, parts.clock())

    async def close(self) -> None:
        """Begin nothing more, and return when what runs is finished."""
        self._closing = True
        if self._hurried is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._hurried
        async with self._turn:
            pass
