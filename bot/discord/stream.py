"""Takes what the gateway says and records it in the order it came, however long the database is away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session

from core import likes
from core.database import Database, is_away
from core.events import Event, Messaged
from core.mail import faults
from core.rules import Rules

_log = logging.getLogger(__name__)

Converse = Callable[[Session, Messaged, datetime], object]
"""Answers a direct message once: the answer is in the outbox when the transaction commits."""

_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class _Taken:
    event: Event
    received_at: datetime


def backoff(attempt: int) -> float:
    """Seconds to wait before the attempt with this number (from 0): doubling, a minute at most."""
    return min(60.0, 0.5 * 2.0 ** min(attempt, 10))


class Recorder:
    """A queue in memory between the socket and the books.

    Discord's events carry no time, so the time of receipt orders them: it is stamped here, each later than
    the one before, even if the clock steps back.
    """

    def __init__(
        self,
        *,
        db: Database,
        rules: Rules,
        converse: Converse,
        clock: Callable[[], datetime],
        on_messages: Callable[[], None],
        room: int = 100_000,
        batch: int = 500,
        pause: Callable[[int], float] = backoff,
    ) -> None:
        """``on_messages`` is called on the loop once answers are in the outbox; ``room`` is in events."""
        self._db = db
        self._rules = rules
        self._converse = converse
        self._clock = clock
        self._on_messages = on_messages
        self._queue: asyncio.Queue[_Taken] = asyncio.Queue(room)
        self._batch = batch
        self._pause = pause
        self._last: datetime | None = None
        self._unfinished = 0
        self.dropped = 0
        """Events lost because the database was away for too long."""

    @property
    def waiting(self) -> int:
        """How many events are not in the books yet."""
        return self._unfinished

    def now(self) -> datetime:
        """A time of receipt, later than every one before it."""
        at = self._clock()
        if self._last is not None and at <= self._last:
            at = self._last + _TICK
        self._last = at
        return at

    def take(self, event: Event, received_at: datetime | None = None) -> bool:
        """Take an event on the loop, without waiting, so that the order is kept; False: there was no room."""
        try:
            self._queue.put_nowait(_Taken(event, received_at or self.now()))
        except asyncio.QueueFull:
            self.dropped += 1
            if self.dropped.bit_count() == 1:  # at 1, 2, 4, 8, ...: a full queue must not fill the log too
                _log.error(
                    "Discord: %d events lost: the database has been away too long and %d wait already;"
                    " bring it back, the hub asks Discord again about likes at the next start",
                    self.dropped,
                    self._unfinished,
                )
            return False
        self._unfinished += 1
        return True

    async def run(self) -> None:
        """Record for ever; cancelled, it leaves no half of a batch behind."""
        while True:
            batch = [await self._queue.get()]
            while len(batch) < self._batch and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            await self._keep(batch)
            self._unfinished -= len(batch)
            for _ in batch:
                self._queue.task_done()

    async def drain(self) -> None:
        """Wait until everything taken so far is in the books."""
        await self._queue.join()

    async def _keep(self, batch: Sequence[_Taken]) -> None:
        attempt = 0
        while True:
            try:
                await asyncio.to_thread(self._record, batch)
                break
            except Exception as error:  # noqa: BLE001 (one event that nothing can be made of must not stop the rest)
                if not is_away(error):
                    await self._one_by_one(batch, error)
                    return
                _log.warning(
                    "Discord: the database is away (%s); %d events wait and are tried again",
                    faults.place_of(error),
                    self._unfinished,
                )
                await asyncio.sleep(self._pause(attempt))
                attempt += 1
        if any(isinstance(taken.event, Messaged) for taken in batch):
            self._on_messages()

    async def _one_by_one(self, batch: Sequence[_Taken], error: Exception) -> None:
        """Record what can be recorded of a batch that failed as a whole."""
        if len(batch) == 1:
            self._give_up(batch[0].event, error)
            return
        for each in batch:
            await self._keep([each])

    def _record(self, batch: Sequence[_Taken]) -> None:
        with self._db.transaction() as tx:
            for taken in batch:
                if isinstance(taken.event, Messaged):
                    self._converse(tx, taken.event, taken.received_at)
                else:
                    likes.record(tx, self._rules, taken.event, taken.received_at)

    def _give_up(self, event: Event, error: Exception) -> None:
        # Where it went wrong, not what it said: the text of a message is not for the log.
        _log.error(
            "Discord: an event of kind %s cannot be recorded and is left out: %s",
            type(event).__name__,
            faults.place_of(error),
        )
