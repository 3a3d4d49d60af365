"""Stores what readings found: many small pieces in one transaction where they come together.

SQLite syncs its disk with every commit and has one writer, whom deliveries need too: ten commits in one cost a tenth.
PostgreSQL commits side by side, and there transactions that lock several people could wait for each other.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, TypeVar

from sqlmodel import Session

from core.database import Database

_T = TypeVar("_T")
_Work = Callable[[Session], Any]

TOGETHER = 16
"""Pieces in one transaction, so that it stays short."""
LONGEST_PAUSE = 0.05
"""Seconds between two transactions at most."""


class Storing:
    """One for a process. What is stored must bear being done again: a transaction that fails is taken apart."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._waiting: list[tuple[_Work, asyncio.Future[Any]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def store(self, work: Callable[[Session], _T]) -> _T:
        """What the work returns or raises, once it is committed or taken back."""
        if not self._db.is_sqlite:
            return await asyncio.to_thread(self._alone, work)
        future: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, future))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        return await future

    async def close(self) -> None:
        """Return when nothing is left to be stored."""
        while self._writer is not None and not self._writer.done():
            await asyncio.wait([self._writer])

    async def _write(self) -> None:
        while self._waiting:
            pieces, self._waiting = self._waiting[:TOGETHER], self._waiting[TOGETHER:]
            began = time.monotonic()
            outcomes = await asyncio.to_thread(self._together, [work for work, _ in pieces])
            took = time.monotonic() - began
            for (_, future), outcome in zip(pieces, outcomes, strict=True):
                if future.cancelled():
                    continue
                if isinstance(outcome, BaseException):
                    future.set_exception(outcome)
                else:
                    future.set_result(outcome)
            # Half of the time is for others: who waits for SQLite's lock only looks now and then.
            await asyncio.sleep(min(took, LONGEST_PAUSE))

    def _together(self, pieces: list[_Work]) -> list[Any]:
        if len(pieces) > 1:
            try:
                with self._db.transaction() as tx:
                    return [work(tx) for work in pieces]
            except Exception:  # noqa: BLE001, S110 - one by one it shows whose it is
                pass
        return [self._outcome(work) for work in pieces]

    def _outcome(self, work: _Work) -> Any:
        try:
            return self._alone(work)
        except Exception as error:  # noqa: BLE001 - whoever waits for it gets it
            return error

    def _alone(self, work: Callable[[Session], _T]) -> _T:
        with self._db.transaction() as tx:
            return work(tx)
