"""One question asked patiently: its turn awaited, its failures told apart, repeated where that can help."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from connectors.outgoing import rates
from connectors.outgoing.breaker import Breaker
from connectors.outgoing.budget import Budget
from connectors.outgoing.door import Door, Question, Trouble
from connectors.outgoing.failures import Limited, Unreachable
from connectors.outgoing.hiding import shown
from connectors.outgoing.pace import Pace
from connectors.outgoing.patience import PASSING, Patience
from connectors.outgoing.rates import Told
from connectors.outgoing.response import Response

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One attempt as metrics may know it: no path, no query, no account.

    ``outcome`` is "answered" or the lower-case name of the failure; ``host`` is empty for strangers' pages.
    """

    platform: str
    host: str
    method: str
    outcome: str
    status: int | None
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """A question with all that it has to respect; the last of ``budgets`` is the one that the answer is about."""

    platform: str
    host: str
    question: Question
    door: Door
    breaker: Breaker
    budgets: Sequence[Budget]
    repeatable: bool
    until: float


class Runner:
    """Runs errands; what it waits on, and by which clocks, is handed in."""

    def __init__(
        self,
        *,
        clock: Callable[[], datetime],
        patience: Patience,
        observe: Callable[[Asked], None],
        sleep: Callable[[float], Awaitable[None]],
        ticks: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        self._clock, self._ticks, self._sleep, self._chance = clock, ticks, sleep, chance
        self._patience, self._observe = patience, observe
        self._pace = Pace(sleep=sleep, ticks=ticks)

    async def run(self, errand: Errand) -> Response:
        """The answer, or an `Unanswered` once attempts or time are used up."""
        perhaps_done = False
        attempt = 0
        while True:
            attempt += 1
            outcome = await self._attempt(errand)
            if isinstance(outcome, Response):
                return outcome
            trouble = outcome
            perhaps_done = perhaps_done or trouble.sent
            pause = (trouble.failure.retry_after or 0.0) + self._patience.pause(attempt, self._chance)
            again = trouble.passing and (errand.repeatable or not trouble.sent)
            if not again or attempt >= self._patience.attempts or self._ticks() + pause >= errand.until:
                if isinstance(trouble.failure, Unreachable) and not errand.repeatable:
                    trouble.failure.perhaps_done = perhaps_done
                raise trouble.failure
            _log.info("attempt %d: %s; again in %.1f s", attempt, trouble.failure, pause)
            await self._sleep(pause)

    async def _attempt(self, errand: Errand) -> Response | Trouble:
        """One attempt in its turn; budgets and breaker hear how it ended, even if it is cancelled."""
        self._refuse_if_down(errand)
        sent = await self._pace.turn(errand.budgets, errand.until)
        told: list[Told | None] = [None] * len(errand.budgets)
        try:
            # The host may have failed while this request waited.
            self._refuse_if_down(errand)
            outcome = await self._once(errand)
            if isinstance(outcome, Response):
                word = rates.read(outcome.headers, self._clock())
                told = _for_each(errand.budgets, word, outcome.status)
                failure = _failure(errand.question, outcome, word)
                return outcome if failure is None else failure
            return outcome
        finally:
            self._pace.answered(errand.budgets, told, sent=sent)

    async def _once(self, errand: Errand) -> Response | Trouble:
        began = self._ticks()
        probe = errand.breaker.take()
        outcome: Response | Trouble | None = None
        try:
            # Never 0, which aiohttp would take for "no limit".
            seconds = max(0.001, min(self._patience.each, errand.until - began))
            outcome = await errand.door.attempt(errand.question, seconds)
        finally:
            now = self._ticks()
            match outcome:
                case None:
                    errand.breaker.forget(probe=probe)
                case Response(status=status) if status >= 500:
                    errand.breaker.failed(now, probe=probe)
                case Trouble(failure=Unreachable()):
                    errand.breaker.failed(now, probe=probe)
                case _:
                    # Too large and garbled are answers too.
                    errand.breaker.answered()
        self._tell(errand, outcome, now - began)
        return outcome

    def _refuse_if_down(self, errand: Errand) -> None:
        if (wait := errand.breaker.wait(self._ticks())) > 0:
            raise Unreachable(
                f"{errand.host} failed too often and is left alone for {wait:.0f} s; ask again then",
                retry_after=wait,
            )

    def _tell(self, errand: Errand, outcome: Response | Trouble, seconds: float) -> None:
        self._observe(
            Asked(
                platform=errand.platform,
                host=errand.host,
                method=errand.question.method,
                outcome="answered" if isinstance(outcome, Response) else type(outcome.failure).__name__.lower(),
                status=outcome.status if isinstance(outcome, Response) else None,
                seconds=seconds,
            )
        )


def _failure(question: Question, response: Response, told: Told) -> Trouble | None:
    """What is wrong with a complete answer; None: nothing, it is the caller's."""
    where = f"{question.method} {shown(question.url)}"
    # GitHub says 403 where others say 429.
    spent = response.status == 403 and (told.retry_after is not None or told.remaining == 0)
    if response.status == 429 or spent:
        wait = told.retry_after
        if wait is None:
            wait = told.resets_in if told.remaining == 0 and told.resets_in is not None else 0.0
        limited = Limited(f"{where}: too many requests; ask again in {wait:.0f} s", retry_after=wait)
        return Trouble(limited, passing=True)
    if response.status >= 500:
        reason = f"{where}: the platform fails ({response.status}); ask again later"
        unwell = Unreachable(reason, retry_after=told.retry_after, status=response.status)
        return Trouble(unwell, passing=response.status in PASSING)
    return None


def _for_each(budgets: Sequence[Budget], told: Told, status: int) -> list[Told | None]:
    """Limits concern the account asked for, else the platform; a platform's 503 concerns all its accounts."""
    shared = Told(retry_after=told.retry_after if status == 503 else None)
    return [*([shared] * (len(budgets) - 1)), told]
