"""Joins the real parts into one running hub: the only place that knows them all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import timedelta
from uuid import uuid4

from aiohttp import web
from sqlmodel import Session

from bot import announcements, picturing
from bot.access import AccessKeeper
from bot.asking import Asking
from bot.polling.engine import Polling
from bot.sender import Sender
from bot.talk import Reply
from config import clock as clocks
from config import closing
from config.listening import Listener
from config.networks.askers import asked_of, askers_of, client_of, polled_of, signed_of
from config.networks.hearing import webhooks_of, worker_of
from config.networks.presences import Means, Round, mouths_of, presences_of
from config.parts import Parts
from config.payments.rounds import Paying
from config.schedule import Schedule
from connectors.client import Client
from connectors.speaking import Mouth, Picture
from core.books import invariants
from core.database import Busy
from core.mail import inbox, outbox
from core.mail.tables import OutboxNote
from core.months.runner import Step
from pages.linking.routes import add_routes as add_linking
from pages.sandbox.books import Books
from pages.sandbox.network import SandboxNetwork
from pages.sandbox.routes import add_routes as add_sandbox
from webhooks import server
from webhooks.intake import Intake
from webhooks.linking import SigningIn
from webhooks.metrics import Metrics

log = logging.getLogger("flattr")

TICK = 30.0
"""Seconds between two looks at what is due; also done once at the start."""

CHECK = 3600.0
"""Seconds between two proofs of the books and purges of the inbox."""

ASK = 180.0
"""Seconds between two rounds of asking platforms about what is unclear; also done once at the start."""

KEEP = 60.0
"""Seconds between two looks at members' access that is to be given back."""

PATIENCE = 10.0
"""Seconds that requests under way have to finish when the hub stops."""


class _Stopping(Exception):
    """Ends a long advance between two of its steps; whoever runs next goes on there."""


class Hub:
    """One hub: takes deliveries, answers, closes months, serves pages. `start` it, `close` it."""

    def __init__(self, parts: Parts, *, pages: bool = True, ticking: bool = True, client: Client | None = None) -> None:
        """``pages``: whether to serve the sandbox's page where the sandbox is on. Tests do by hand what the clock
        would bring (``ticking``), and give a ``client`` that does not wait.
        """
        self._pages = pages
        self._ticking = ticking
        self.parts = parts
        self.metrics = Metrics()
        self.metrics.pretend.set(parts.gateway.pretend)
        self._months = asyncio.Lock()
        self._closing = False
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._runner: web.AppRunner | None = None
        self.ended = asyncio.Event()
        """Set when a task ended that should not have."""
        self.network = self._network() if parts.sandbox else None
        self.client = client or client_of(parts.entries, clock=clocks.real, hub=parts.settings.hub.address)
        askers = askers_of(parts.on, self.client, parts.clock)
        signed = signed_of(parts.on, askers)
        holder = uuid4().hex[:12]
        self.access = AccessKeeper(db=parts.db, seal=parts.seal, platforms=signed, clock=parts.clock, holder=holder)
        self.presences = presences_of(
            Means(
                parts=parts,
                askers=askers,
                access=self.access,
                holder=holder,
                poke=lambda: self.sender.poke(),  # made after the presences, which have its mouths
            )
        )
        self.sender = Sender(parts.db, self._mouths(), self._render, parts.clock, picture=self._picture)
        self.paying = Paying(parts, told=self.sender.poke)
        self.worker = worker_of(parts, metrics=self.metrics, spoken=self.sender.poke, noted=self._noted)
        self.intake = Intake(
            parts.db,
            webhooks_of(parts),
            parts.seal,
            parts.clock,
            metrics=self.metrics,
            poke=self.worker.poke,
            off=[name for name in parts.entries if name not in parts.on],
        )
        asked, polled = asked_of(parts.on, askers), polled_of(parts.on, askers)
        self.asking = Asking(db=parts.db, rules=parts.rules, platforms=asked, clock=parts.clock) if asked else None
        self.polling = (
            Polling(db=parts.db, rules=parts.rules, platforms=polled, access=self.access, clock=parts.clock)
            if polled
            else None
        )
        self.signing_in = SigningIn(
            db=parts.db,
            seal=parts.seal,
            rules=parts.rules,
            platforms=signed,
            titles={name: entry.connector.card.title for name, entry in parts.entries.items()},
            clock=parts.clock,
            address=parts.settings.hub.address,
            likeless=[name for name, entry in parts.on.items() if not entry.counts_likes],
            told=self._linked,
        )
        self.schedule = Schedule()

    def _network(self) -> SandboxNetwork:
        pretend = {name: entry for name, entry in self.parts.on.items() if entry.connector.card.pretend}
        return SandboxNetwork(
            self.parts.settings.hub.data_dir / "sandbox.db",
            secrets={name: entry.secrets["secret"][0] for name, entry in pretend.items()},
            clock=self.parts.clock,
        )

    def _mouths(self) -> Mapping[str, Mouth]:
        mouths = dict(mouths_of(self.presences))
        if self.network is not None:
            mouths |= {name: self.network.mouth(name) for name, e in self.parts.on.items() if e.connector.card.pretend}
        return mouths

    def _linked(self) -> None:
        """Somebody signed in: their lists are read at once, and they are told."""
        self.sender.poke()
        if self.polling is not None:
            self.polling.poke()

    def _render(self, tx: Session, note: OutboxNote) -> Reply:
        return announcements.render(tx, self.parts.talk, note, self.parts.clock())

    def _picture(self, tx: Session, note: OutboxNote) -> Picture | None:
        return picturing.picture(tx, self.parts.talk, note)

    def _noted(self) -> None:
        if self._ticking:
            self.paying.poke()

    async def start(self, listener: Listener) -> None:
        """Take deliveries on the listener from now on; what is due is begun at once."""
        self.intake.start()
        self._keep("worker", self.worker.run)
        self._keep("sender", self.sender.run)
        self._runner = web.AppRunner(self._application(), shutdown_timeout=PATIENCE, **server.runner_options())
        await self._runner.setup()
        await web.SockSite(self._runner, listener.socket).start()
        for presence in self.presences:
            if presence.runs is not None:
                self._keep(presence.platform, presence.runs)
        if not self._ticking:
            return
        if self.polling is not None:
            self._keep("polling", self.polling.run)
        for each in self._rounds():
            self.schedule.every(each.seconds, each.name, each.work)
        self.schedule.start()

    def _rounds(self) -> Iterator[Round]:
        yield Round(name="months", seconds=TICK, work=self.advance)
        yield Round(name="books", seconds=CHECK, work=self.look_after)
        yield Round(name="access", seconds=KEEP, work=self.access.round)
        yield from self.paying.rounds()
        if self.asking is not None:
            yield Round(name="asking", seconds=ASK, work=self.asking.round)
        for presence in self.presences:
            yield from presence.rounds

    def _application(self) -> web.Application:
        app, parts = web.Application(), self.parts
        server.add_routes(app, self.intake, db=parts.db)
        for presence in self.presences:
            presence.add_routes(app)
        if self.network is not None and self._pages:
            add_sandbox(
                app,
                network=self.network,
                deliver=self.intake.receive,
                settle=self.settle,
                books=Books(parts.db, parts.rules, hosted=not parts.gateway.cards(), skips=parts.skips),
                month_end=self.play_month,
                clock=parts.clock,
            )
        else:
            app.router.add_get("/", _front_door)
        add_linking(app, self.signing_in, address=self.parts.settings.hub.address)
        self.paying.add_routes(app)
        return app

    def _keep(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        async def kept() -> None:
            try:
                await work()
            except Exception:
                log.exception("%s ended by a bug; the hub stops", name)
                self.ended.set()

        self._tasks[name] = asyncio.create_task(kept(), name=name)

    async def advance(self) -> None:
        """Do what the database says is due, unless another process is at it."""
        async with self._months:
            if self._closing:
                return
            try:
                await asyncio.to_thread(closing.advance, self.parts, self.parts.clock(), self._told)
            except Busy as busy:
                log.debug("%s", busy)
            except _Stopping:
                log.info("what is due goes on at the next start")
        self.sender.poke()

    async def play_month(self) -> list[Step]:
        """Skip the sandbox's time past the month's end and do all that is due until its payouts."""
        loop = asyncio.get_running_loop()

        def settle() -> None:
            asyncio.run_coroutine_threadsafe(self.settle(), loop).result()

        async with self._months:
            return await asyncio.to_thread(closing.play, self.parts, self._told, settle)

    def _told(self, step: Step) -> None:
        log.info("%s", step)
        if self._closing:
            raise _Stopping

    async def look_after(self) -> None:
        """Prove the books, and forget what deliveries said once that has been kept long enough."""
        violations = await asyncio.to_thread(self._look_after)
        for violation in violations:
            log.error("the books are broken: %s; see `flattr check`", violation)

    def _look_after(self) -> list[invariants.Violation]:
        before = self.parts.clock() - timedelta(days=self.parts.settings.inbox.keep_days)
        with self.parts.db.transaction() as tx:
            inbox.purge(tx, before)
            outbox.purge(tx, before)
        with self.parts.db.reading() as tx:
            return invariants.broken(tx)

    async def settle(self) -> None:
        """Return when everything taken so far is recorded and answered."""
        await self.worker.drain()
        await self.paying.errands()
        await self.sender.drain()

    async def close(self) -> None:
        """Stop accepting, finish what was taken, and leave the database in peace; safe to call twice."""
        self._closing = True
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        if self.asking is not None:
            self.asking.close()
        if self.polling is not None:
            await self.polling.close()
        for presence in self.presences:
            await presence.close()
        await self.schedule.stop()
        await self.paying.close()
        await self.access.close()
        await self.client.close()
        await self.intake.close()
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        async with self._months:
            pass  # a thread that advances months ends after its step
        if self.network is not None:
            await asyncio.to_thread(self.network.close)
        await asyncio.to_thread(self.parts.close)


async def _front_door(request: web.Request) -> web.Response:
    return web.Response(text="This is a Flattr Hub. Talk to its bot on the networks that it is on.\n")
