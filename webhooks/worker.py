"""Works off the inbox: each stored delivery becomes events in the books, exactly once."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from connectors.base import Unreadable
from core import likes
from core.database import Database, is_away
from core.errands import keeping
from core.errands.keeping import Notified
from core.events import Event, Messaged
from core.likes import Recorded
from core.mail import inbox
from core.mail.faults import hash_of, place_of
from core.mail.inbox import Done, Waiting
from core.mail.sealing import Seal, Unsealable
from core.rules import Rules
from webhooks.intake import Caller
from webhooks.metrics import Metrics
from webhooks.packing import unpack

log = logging.getLogger("flattr.webhooks")

Converse = Callable[[Session, Messaged, datetime], None]
"""Answers a direct message, in the transaction in which its delivery is marked done."""

BATCH = 50
"""Deliveries that share a transaction: few enough that the intake, which needs the same lock on SQLite, waits
for tens of milliseconds only."""

LOOK = 1.0
"""Seconds between two looks for work that nobody announced (another process's, or a replay's)."""

LONGEST_REASON = 300
"""Characters that are kept of why a delivery could not be read."""

LONGEST_PAUSE = 15.0
"""Seconds between two tries at most while the database is away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Translated:
    """A delivery and what it says, or why it says nothing."""

    item: Waiting
    events: Sequence[Event | Notified] = ()
    body_hash: str | None = None
    fault: Exception | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """How many deliveries were seen, how many were ours, whether one was a message, whether one was an errand."""

    seen: int = 0
    ours: int = 0
    spoke: bool = False
    noted: bool = False


class _Unknown(Exception):
    """The delivery's connector is not on here."""

    def __init__(self, platform: str) -> None:
        super().__init__(f"the connector {platform} is not on; switch it on and replay")


class Worker:
    """Records stored deliveries; several processes may each have one.

    A delivery that cannot be translated or recorded becomes a dead letter and blocks no other. While the database
    is away nothing is: the worker comes again. ``spoken`` is called after a direct message was answered, ``noted``
    after there were errands.
    """

    def __init__(
        self,
        db: Database,
        rules: Rules,
        connectors: Mapping[str, Caller],
        seal: Seal,
        converse: Converse,
        clock: Callable[[], datetime],
        *,
        metrics: Metrics | None = None,
        spoken: Callable[[], None] = lambda: None,
        noted: Callable[[], None] = lambda: None,
    ) -> None:
        self._db = db
        self._rules = rules
        self._connectors = connectors
        self._seal = seal
        self._converse = converse
        self._clock = clock
        self._metrics = metrics or Metrics()
        self._spoken = spoken
        self._noted = noted
        self._news = asyncio.Event()
        self._turn = asyncio.Lock()

    def poke(self) -> None:
        """Say that something waits; on the loop."""
        self._news.set()

    async def run(self) -> None:
        """Work until cancelled; a batch that is under way is finished first."""
        pause = LOOK
        while True:
            self._news.clear()
            try:
                await _finishing(asyncio.ensure_future(self.drain()))
                pause = LOOK
            except Exception as error:
                if not is_away(error):
                    raise
                log.warning("the database is away (%s); trying again in %.0f s", place_of(error), pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            try:
                async with asyncio.timeout(LOOK):
                    await self._news.wait()
            except TimeoutError:
                pass

    async def drain(self) -> None:
        """Return when nothing waits; raises what the database says if it is away."""
        while True:
            async with self._turn:
                batch = await asyncio.to_thread(self._batch)
            if batch.spoke:
                self._spoken()
            if batch.noted:
                self._noted()
            if not batch.seen:
                return
            if not batch.ours:
                await asyncio.sleep(0.05)  # another process is at these

    def _batch(self) -> _Batch:
        """Handle the oldest deliveries."""
        with self._db.reading() as tx:
            found = inbox.waiting(tx, BATCH)
        if not found:
            return _Batch()
        # Outside of the transaction: it is the connector's time, not the lock's.
        translated = [self._translate(item) for item in found]
        at = self._clock()
        results: list[tuple[str, str]] = []
        dead: list[str] = []
        told: set[type] = set()
        with self._db.transaction() as tx:
            ours = inbox.claim(tx, [item.id for item in found])
            done: list[Done] = []
            for each in translated:
                if each.item.id not in ours:
                    continue
                outcomes = self._record(tx, each, at)
                if outcomes is None:
                    dead.append(each.item.platform)
                    continue
                told.update(type(event) for event in each.events)
                results += [(each.item.platform, outcome) for outcome in outcomes]
                # Of an event whose liker is no member nothing stays but the hash and the counts.
                strangers = bool(outcomes) and all(outcome == Recorded.not_a_member for outcome in outcomes)
                done.append(Done(id=each.item.id, events=len(outcomes), keep=not strangers, body_hash=each.body_hash))
            inbox.mark_done(tx, at, done)
        for platform, outcome in results:
            self._metrics.events.labels(platform, outcome).inc()
        for platform in dead:
            self._metrics.dead_letters.labels(platform).inc()
        self._metrics.lag.set(max(0.0, (at - found[-1].received_at).total_seconds()))
        return _Batch(seen=len(found), ours=len(ours), spoke=Messaged in told, noted=Notified in told)

    def _translate(self, item: Waiting) -> _Translated:
        body_hash = None
        try:
            connector = self._connectors.get(item.platform)
            if connector is None:
                raise _Unknown(item.platform)
            if item.sealed is None:
                raise Unreadable("its body is purged")
            delivery = unpack(self._seal.open(item.sealed), item.received_at)
            body_hash = hashlib.sha256(delivery.body).hexdigest()
            return _Translated(item=item, events=tuple(connector.translate(delivery)), body_hash=body_hash)
        except Exception as fault:  # noqa: BLE001 - a connector's bug is a dead letter and stops no other delivery
            return _Translated(item=item, body_hash=body_hash, fault=fault)

    def _record(self, tx: Session, each: _Translated, at: datetime) -> list[str] | None:
        """Take a delivery's events into the books: what became of each; None if it is a dead letter now."""
        fault = each.fault
        if fault is None:
            savepoint = tx.begin_nested()
            try:
                outcomes = [self._take(tx, event, each.item.received_at) for event in each.events]
                savepoint.commit()
                return outcomes
            except Exception as error:
                if is_away(error):
                    raise  # the whole batch comes again
                savepoint.rollback()
                fault = error
        why = _why(fault)
        inbox.mark_dead(tx, each.item.id, error=why, error_hash=hash_of(fault), at=at, body_hash=each.body_hash)
        log.error("delivery %d from %s is a dead letter: %s", each.item.id, each.item.platform, why)
        return None

    def _take(self, tx: Session, event: Event | Notified, received_at: datetime) -> str:
        if isinstance(event, Notified):
            keeping.note(tx, event.kind, event.reference, received_at)
            return "noted"
        if isinstance(event, Messaged):
            self._converse(tx, event, received_at)
            return "answered"
        return likes.record(tx, self._rules, event, received_at).value


def _why(fault: Exception) -> str:
    """The sentence that we or the connector wrote for the operator; of a bug, which may quote anything, its place."""
    if isinstance(fault, Unreadable | Unsealable | _Unknown) and str(fault):
        return " ".join(str(fault).split())[:LONGEST_REASON]
    return place_of(fault)


async def _finishing(work: asyncio.Future[None]) -> None:
    """Await the work; cancelled, let the batch under way end first, so that its thread does not outlive the loop."""
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        if not work.done():
            await asyncio.wait((work,), timeout=10)
            work.cancel()
        raise
