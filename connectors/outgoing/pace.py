"""Waiting one's turn: every request passes the budgets that it uses, and waits no longer than its caller would."""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

from connectors.outgoing.budget import Budget
from connectors.outgoing.failures import Limited
from connectors.outgoing.rates import Told

Key = TypeVar("Key", bound=Hashable)
Kept = TypeVar("Kept")


class Shelf(Generic[Key, Kept]):
    """Things made on demand, the ones used last kept: strangers' hosts must not fill the memory."""

    def __init__(self, make: Callable[[Key], Kept], *, most: int = 10_000) -> None:
        self._make, self._most = make, most
        self._kept: OrderedDict[Key, Kept] = OrderedDict()

    def __getitem__(self, key: Key) -> Kept:
        if key not in self._kept:
            self._kept[key] = self._make(key)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def __len__(self) -> int:
        return len(self._kept)


class Pace:
    """Waits on ``sleep`` by the monotonic ``ticks``, so that tests need not."""

    def __init__(self, *, sleep: Callable[[float], Awaitable[None]], ticks: Callable[[], float]) -> None:
        self._sleep, self._ticks = sleep, ticks
        self._news = asyncio.Event()

    async def turn(self, budgets: Sequence[Budget], until: float) -> float:
        """Take a request from all budgets as soon as they allow it and say when; Limited if after ``until``."""
        while True:
            now = self._ticks()
            wait = max(budget.wait(now) for budget in budgets)
            if wait == 0:
                break
            if math.isinf(wait):
                await self._hear(until - now)
            elif now + wait > until:
                raise Limited(f"the platform's budget is used up for {wait:.0f} s; ask again then", retry_after=wait)
            else:
                await self._sleep(wait)
        for budget in budgets:
            budget.take(now)
        return now

    def answered(self, budgets: Sequence[Budget], told: Sequence[Told | None], *, sent: float) -> None:
        """The request that went out at ``sent`` is over; what each of its budgets was told."""
        now = self._ticks()
        for budget, word in zip(budgets, told, strict=True):
            budget.answered(now, word, sent=sent)
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def _hear(self, seconds: float) -> None:
        """Wait until some request is over."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            raise Limited("requests before this one are still unanswered; ask again later", retry_after=1.0) from None
