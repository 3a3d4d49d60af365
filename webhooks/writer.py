"""The one writer of the inbox: whatever is queued when it is free goes into the next commit."""

from __future__ import annotations

import asyncio
import logging
import queue
import shutil
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from core.database import Database, is_away
from core.mail import inbox
from core.mail.faults import place_of
from core.mail.inbox import Incoming
from webhooks.metrics import Metrics

log = logging.getLogger("flattr.webhooks")

LARGEST_BATCH = 500

LINGER = 0.001
"""Seconds between two commits at least: a lone delivery never waits, and under load more of them share a commit."""

_Work = tuple[Incoming | datetime, asyncio.Future[bool]]
"""A delivery to store, or the time of a probe; and who waits for it."""


class Unavailable(Exception):
    """Nothing can be stored at the moment; the sender is to come again. The message is for the log."""


class Writer:
    """Stores deliveries in a thread of its own, many in one commit.

    The thread takes the next batch by itself: were it handed out by the event loop, each of the two would wait for
    the other under load. ``queue_mark`` and ``bytes_mark`` bound what may wait; ``room_mark`` is the number of
    bytes that must stay free on SQLite's disk, so that the books still fit when deliveries no longer do;
    ``patience`` (seconds) bounds how long a delivery waits for its commit. ``stored`` is called on the loop after
    each commit.
    """

    def __init__(
        self,
        db: Database,
        metrics: Metrics,
        *,
        stored: Callable[[], None] = lambda: None,
        queue_mark: int = 2_000,
        bytes_mark: int = 64 * 2**20,
        room_mark: int = 64 * 2**20,
        patience: float = 8.0,
    ) -> None:
        self._db = db
        self._metrics = metrics
        self._stored = stored
        self._queue_mark = queue_mark
        self._bytes_mark = bytes_mark
        self._room_mark = room_mark
        self._patience = patience
        self._queue: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._unanswered: dict[asyncio.Future[bool], int] = {}
        self._bytes = 0
        self._since: float | None = None
        """When the batch was begun that is being written."""
        self._thread: threading.Thread | None = None
        self._watch: asyncio.Task[None] | None = None
        self._closing = False
        self._stuck = False
        self._room_seen: tuple[float, int] | None = None

    def start(self) -> None:
        """Begin to write, for the running loop."""
        loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, args=(loop,), name="inbox writer", daemon=True)
        self._thread.start()
        self._watch = loop.create_task(self._look_after(), name="inbox watch")

    async def close(self) -> None:
        """Take nothing more, write what is queued, then return; safe to call twice."""
        if self._closing or self._thread is None or self._watch is None:
            return
        self._closing = True
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        self._watch.cancel()
        await asyncio.wait((self._watch,))

    def trouble(self) -> str | None:
        """Why nothing can be stored now; None: all is well."""
        if self._closing or self._thread is None:
            return "shutting down"
        if self._stuck:
            return "the database does not answer"
        if len(self._unanswered) >= self._queue_mark or self._bytes >= self._bytes_mark:
            return "too much is queued"
        if self._db.is_sqlite and self._room() < self._room_mark:
            return "the disk is nearly full"
        return None

    @property
    def busy(self) -> bool:
        """Whether others wait already, so that time matters more than room."""
        return len(self._unanswered) > 2

    async def put(self, item: Incoming) -> bool:
        """Store one delivery; returns once it is committed: True if it was new.

        Unavailable if it was not stored (or not within the patience); any other exception is a bug.
        """
        return await self._enqueue(item, len(item.sealed))

    async def probe(self, at: datetime) -> None:
        """Commit a row that takes itself back, as a delivery would be; raises if that fails."""
        await self._enqueue(at, 0)

    def _enqueue(self, what: Incoming | datetime, size: int) -> asyncio.Future[bool]:
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._unanswered[future] = size
        self._bytes += size
        self._queue.put((what, future))
        return future

    def _room(self) -> int:
        """Bytes free on the database's disk, looked up at most once a second."""
        now = time.monotonic()
        if self._room_seen is None or now - self._room_seen[0] > 1:
            folder = Path(self._db.url.database or ".").absolute().parent
            self._room_seen = (now, shutil.disk_usage(folder).free)
        return self._room_seen[1]

    async def _look_after(self) -> None:
        """Tell who waits for a commit that does not come to come again later, rather than let them wait."""
        while True:
            await asyncio.sleep(self._patience / 4)
            since = self._since
            stuck = since is not None and time.monotonic() - since > self._patience
            if stuck and not self._stuck:
                log.error("the inbox has not committed within %s s; answering 503 until it does", self._patience)
            self._stuck = stuck
            if stuck:
                # It may still be committed: the platform then sends it again, and it counts as a repeat.
                waiting = list(self._unanswered)
                self._answer([(future, Unavailable("the database does not answer")) for future in waiting])

    def _answer(self, answers: list[tuple[asyncio.Future[bool], bool | Exception]]) -> None:
        """On the loop: let those who wait know."""
        for future, outcome in answers:
            self._bytes -= self._unanswered.pop(future, 0)
            if future.done():
                continue
            if isinstance(outcome, bool):
                future.set_result(outcome)
            else:
                future.set_exception(outcome)
                future.exception()  # the sender may have hung up: nobody has to look at it

    def _committed(self, answers: list[tuple[asyncio.Future[bool], bool | Exception]], deliveries: int) -> None:
        self._stuck = False
        self._answer(answers)
        if deliveries:
            self._metrics.batch.observe(deliveries)
            self._stored()

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        """The thread: whatever is queued when it is free is the next batch."""
        going = True
        committed_at = 0.0
        while going:
            batch = [self._queue.get()]
            if (pause := committed_at + LINGER - time.monotonic()) > 0:
                time.sleep(pause)
            while len(batch) < LARGEST_BATCH:
                try:
                    batch.append(self._queue.get_nowait())
                except queue.Empty:
                    break
            going = None not in batch
            self._since = time.monotonic()
            self._write([each for each in batch if each is not None], loop)
            self._since = None
            committed_at = time.monotonic()

    def _write(self, batch: list[_Work], loop: asyncio.AbstractEventLoop) -> None:
        if not batch:
            return
        items = [what for what, _ in batch if isinstance(what, Incoming)]
        answers: list[tuple[asyncio.Future[bool], bool | Exception]]
        try:
            with self._db.engine.begin() as tx:
                stored = iter(inbox.store(tx, items))
                for what, _ in batch:
                    if isinstance(what, datetime):
                        inbox.probe(tx, f"probe {what.isoformat()}", what)
            answers = [(future, isinstance(what, datetime) or next(stored)) for what, future in batch]
        except Exception as error:  # noqa: BLE001 - whatever it is, every sender gets an answer
            if not is_away(error) and len(batch) > 1:
                # One of them cannot be stored: find it, so that it spoils nobody else's.
                for each in batch:
                    self._write([each], loop)
                return
            log.error("the inbox could not store %d deliveries: %s", len(items), place_of(error))
            fault = Unavailable(place_of(error)) if is_away(error) else error
            answers = [(future, fault) for _, future in batch]
            items = []
        loop.call_soon_threadsafe(self._committed, answers, len(items))
