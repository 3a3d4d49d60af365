"""Joins the real parts into one running hub: the only place that knows them all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from functools import partial

from aiohttp import web
from sqlmodel import Session

from bot import announcements, dialogue
from bot.asking import Asked, Asking
from bot.discord import DiscordPresence, DiscordRefused
from bot.sender import Sender
from bot.talk import Reply
from config import clock as clocks
from config import closing
from config.listening import Listener
from config.parts import Parts
from config.schedule import Schedule
from connectors.base import Asker, AskingConnector, Mouth
from connectors.client import Client
from core.books import invariants
from core.database import Busy
from core.events import AccountRef, Messaged
from core.mail import inbox, outbox
from core.mail.tables import OutboxNote
from core.months.runner import Step
from pages.sandbox.books import Books
from pages.sandbox.network import SandboxNetwork
from pages.sandbox.routes import add_routes as add_sandbox
from webhooks import server
from webhooks.intake import ConfiguredWebhook, Intake
from webhooks.metrics import Metrics
from webhooks.worker import Worker

log = logging.getLogger("flattr")

TICK = 30.0
"""Seconds between two looks at what is due; also done once at the start."""

CHECK = 3600.0
"""Seconds between two proofs of the books and purges of the inbox."""

ASK = 180.0
"""Seconds between two rounds of asking platforms about what is unclear; also done once at the start."""

PATIENCE = 10.0
"""Seconds that requests under way have to finish when the hub stops."""


class _Stopping(Exception):
    """Ends a long advance between two of its steps; whoever runs next goes on there."""


def _answer(parts: Parts, tx: Session, by: AccountRef, text: str, at: datetime) -> Reply:
    return dialogue.answer(tx, parts.talk, by, text, at)


def converse(parts: Parts, tx: Session, event: Messaged, received_at: datetime) -> None:
    """Answer a direct message: what it changes and the answer in the outbox are one transaction."""
    answer = _answer(parts, tx, event.by, event.text, received_at)
    outbox.put(
        tx,
        kind="answer",
        source=f"{event.by.platform}:{event.message_id}",
        at=received_at,
        to=event.by,
        text=answer.text,
        buttons=[(button.label, button.text) for button in answer.buttons],
    )


def webhooks_of(parts: Parts) -> dict[str, ConfiguredWebhook]:
    """The connectors that are on and are called by their platform."""
    return {
        name: ConfiguredWebhook(connector=webhook, secrets=entry.secrets)
        for name, entry in parts.on.items()
        if (webhook := entry.webhook) is not None
    }


def asked_of(parts: Parts, client: Client) -> dict[str, Asked]:
    """The connectors that are on and can ask their platform."""
    return {
        name: Asked(
            connector=entry.connector,
            asker=Asker(client=client, secrets=entry.secrets),
            likes="likes" not in entry.off_actions,
        )
        for name, entry in parts.on.items()
        if isinstance(entry.connector, AskingConnector)
    }


def worker_of(parts: Parts, *, metrics: Metrics | None = None, spoken: Callable[[], None] = lambda: None) -> Worker:
    """What records stored deliveries, in a running hub or for `flattr inbox replay`; see Worker for the arguments."""
    connectors = {name: webhook.connector for name, webhook in webhooks_of(parts).items()}
    return Worker(
        parts.db,
        parts.rules,
        connectors,
        parts.seal,
        partial(converse, parts),
        parts.clock,
        metrics=metrics,
        spoken=spoken,
    )


class Hub:
    """One hub: takes deliveries, answers, closes months, serves pages. `start` it, `close` it."""

    def __init__(self, parts: Parts, *, pages: bool = True) -> None:
        """``pages``: whether to serve the sandbox's page where the sandbox is on."""
        self._pages = pages
        self.parts = parts
        self.metrics = Metrics()
        self._months = asyncio.Lock()
        self._closing = False
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._runner: web.AppRunner | None = None
        self.ended = asyncio.Event()
        """Set when a task ended that should not have."""
        self.network = self._network() if parts.sandbox else None
        self.presence = self._presence()
        self.sender = Sender(parts.db, self._mouths(), self._render, parts.clock)
        self.worker = worker_of(parts, metrics=self.metrics, spoken=self.sender.poke)
        self.intake = Intake(
            parts.db,
            webhooks_of(parts),
            parts.seal,
            parts.clock,
            metrics=self.metrics,
            poke=self.worker.poke,
            off=[name for name in parts.entries if name not in parts.on],
        )
        self.client = Client(clock=clocks.real, hub=parts.settings.hub.address)
        asked = asked_of(parts, self.client)
        self.asking = Asking(db=parts.db, rules=parts.rules, platforms=asked, clock=parts.clock) if asked else None
        self.schedule = Schedule()

    def _network(self) -> SandboxNetwork:
        pretend = {name: entry for name, entry in self.parts.on.items() if entry.connector.card.pretend}
        return SandboxNetwork(
            self.parts.settings.hub.data_dir / "sandbox.db",
            secrets={name: entry.secrets["secret"][0] for name, entry in pretend.items()},
            clock=self.parts.clock,
        )

    def _presence(self) -> DiscordPresence | None:
        entry = self.parts.on.get("discord")
        if entry is None:
            return None
        return DiscordPresence(
            entry.secrets["token"][0].decode(),
            self.parts.db,
            self.parts.rules,
            converse=partial(converse, self.parts),
            answer=partial(_answer, self.parts),
            clock=self.parts.clock,
            poke=lambda: self.sender.poke(),  # made after the presence, which is one of its mouths
        )

    def _mouths(self) -> Mapping[str, Mouth]:
        mouths: dict[str, Mouth] = {}
        if self.network is not None:
            mouths |= {name: self.network.mouth(name) for name, e in self.parts.on.items() if e.connector.card.pretend}
        if self.presence is not None:
            mouths["discord"] = self.presence
        return mouths

    def _render(self, tx: Session, note: OutboxNote) -> Reply:
        return announcements.render(tx, self.parts.talk, note)

    async def start(self, listener: Listener) -> None:
        """Take deliveries on the listener from now on; what is due is begun at once."""
        self.intake.start()
        self._keep("worker", self.worker.run)
        self._keep("sender", self.sender.run)
        self._runner = web.AppRunner(self._application(), shutdown_timeout=PATIENCE, **server.runner_options())
        await self._runner.setup()
        await web.SockSite(self._runner, listener.socket).start()
        if self.presence is not None:
            self._keep("discord", self._be_on_discord)
        self.schedule.every(TICK, "months", self.advance)
        self.schedule.every(CHECK, "books", self.look_after)
        if self.asking is not None:
            self.schedule.every(ASK, "asking", self.asking.round)
        self.schedule.start()

    def _application(self) -> web.Application:
        app = web.Application()
        server.add_routes(app, self.intake, db=self.parts.db)
        if self.network is not None and self._pages:
            add_sandbox(
                app,
                network=self.network,
                deliver=self.intake.receive,
                settle=self.settle,
                books=Books(self.parts.db, self.parts.rules),
                month_end=self.play_month,
                clock=self.parts.clock,
            )
        else:
            app.router.add_get("/", _front_door)
        return app

    def _keep(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        async def kept() -> None:
            try:
                await work()
            except Exception:
                log.exception("%s ended by a bug; the hub stops", name)
                self.ended.set()

        self._tasks[name] = asyncio.create_task(kept(), name=name)

    async def _be_on_discord(self) -> None:
        assert self.presence is not None
        try:
            await self.presence.start()
        except DiscordRefused as refused:
            log.error("%s; everything else goes on", refused)

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
        await self.sender.drain()

    async def close(self) -> None:
        """Stop accepting, finish what was taken, and leave the database in peace; safe to call twice."""
        self._closing = True
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        if self.asking is not None:
            self.asking.close()
        await self.schedule.stop()
        await self.client.close()
        if self.presence is not None:
            await self.presence.close()
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
