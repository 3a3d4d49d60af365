"""When the hub looks at the clock: APScheduler only ticks, and what is due is read from the database each time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from apscheduler.schedulers.asyncio import AsyncIOScheduler  # type: ignore[import-untyped]

log = logging.getLogger("flattr.schedule")

Task = Callable[[], Awaitable[None]]


class Schedule:
    """Runs each task at once and then every so many seconds, never twice at a time, never skipping a late one."""

    def __init__(self) -> None:
        self._under_way: set[asyncio.Task[None]] = set()
        self._scheduler = AsyncIOScheduler(
            timezone=UTC,
            # APScheduler drops a job that is a second late by default: a laptop's sleep would skip the month's end.
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        logging.getLogger("apscheduler").setLevel(logging.WARNING)

    def every(self, seconds: float, name: str, task: Task) -> None:
        """Add a task; its errors are logged and do not end it."""

        async def once() -> None:
            work = asyncio.create_task(_logged(name, task), name=name)
            self._under_way.add(work)
            work.add_done_callback(self._under_way.discard)
            # APScheduler cancels what runs when it stops; a thread of ours cannot be cancelled, only waited for.
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(work)

        self._scheduler.add_job(once, "interval", seconds=seconds, id=name, name=name, next_run_time=datetime.now(UTC))

    def start(self) -> None:
        """Begin; the first round of every task comes at once."""
        self._scheduler.start()

    async def stop(self) -> None:
        """Start nothing more, and return when what runs is finished."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        await asyncio.gather(*self._under_way)


async def _logged(name: str, task: Task) -> None:
    try:
        await task()
    except Exception:  # whatever it is, the next round may go well
        log.exception("%s failed and is tried again", name)
