"""One platform's turns in this process: a few at a time, and what becomes of those that fail."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from bot.polling.parts import Access, Polled
from bot.polling.quiet import Quiet
from bot.polling.storing import Storing
from bot.polling.turn import PATIENCE, Reader, Turn
from connectors.client import Garbled, Limited, Unanswered, Unreachable
from connectors.linking import Expired, Withdrawn
from connectors.polling import Page, PollingTogether
from core.database import is_away
from core.listings import keeping, leases
from core.listings.leases import Claimed, LeaseLost
from core.listings.reading import Reading
from core.mail.faults import place_of

_log = logging.getLogger(__name__)

AT_ONCE = 8
"""Turns under way on one platform."""
LOOK = 2.0
"""Seconds between two looks at what is due."""
MOST_ASIDE, ASIDE = 1_000, timedelta(hours=1)
"""How many readings wait half-done for a budget in memory, and for how long; then they begin anew."""
FIRST_WAIT, LONGEST_UNREACHABLE, LONGEST_OTHER = timedelta(seconds=30), timedelta(minutes=15), timedelta(hours=6)
"""Between two tries of an account that fails: doubling; a platform that is not there may be back soon."""
NO_ACCESS = timedelta(minutes=5)

Claim = Callable[["Lane", datetime, list[int]], list[Claimed]]
"""Takes what is due by a time, but for some accounts; runs in a thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What all lanes of a process share."""

    storing: Storing
    reader: Reader
    access: Access
    clock: Callable[[], datetime]
    chance: Callable[[], float]
    place: AbstractAsyncContextManager[object]
    """Held while a turn is under way: there are so many for all platforms."""
    stopped: asyncio.Event


class Lane:
    """The accounts claimed on one platform, and the tasks that read them."""

    def __init__(self, name: str, polled: Polled, means: Means) -> None:
        self.name, self.polled, self.terms = name, polled, polled.terms
        self._means = means
        self._quiet = Quiet(by_account=polled.connector.card.account_allowance is not None)
        self._backlog: deque[Claimed] = deque()
        self._running: dict[asyncio.Task[None], Sequence[int]] = {}
        self._aside: dict[int, Reading] = {}
        self._said = ""

    async def go_over(self, claim: Claim, at: datetime | None) -> None:
        """Give turns while somebody is due: by now, or (``at``) by a time, everybody once."""
        seen: set[int] = set()
        look = True
        while not self._means.stopped.is_set():
            if self._quiet.silent(self._means.clock()):
                await self.clear()
            else:
                if look and not self._backlog and len(self._running) < AT_ONCE:
                    but = sorted({*seen, *(each for group in self._running.values() for each in group)})
                    self._backlog.extend(await asyncio.to_thread(claim, self, at or self._means.clock(), but))
                    look = bool(self._backlog)
                while self._backlog and len(self._running) < self._quiet.slots(AT_ONCE):
                    group = self._start()
                    if at is not None:
                        seen.update(group)
            if self._running:
                done, _ = await asyncio.wait(self._running, timeout=LOOK, return_when=asyncio.FIRST_COMPLETED)
                look = look or not done
                for task in done:
                    self._running.pop(task, None)
                    if not task.cancelled():
                        task.result()
            elif not self._backlog:
                return

    async def close(self) -> None:
        """End what is under way and give back what was claimed."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        self._running.clear()
        await self.clear()

    async def clear(self) -> None:
        """Give back what was claimed and not begun."""
        if self._backlog:
            given, self._backlog = list(self._backlog), deque()
            await self._means.storing.store(partial(leases.release, claimed=given))

    def _start(self) -> Sequence[int]:
        """Begin the next turn, or several in one question where the platform can be asked so."""
        connector = self.polled.connector
        turns = [self._turn(self._backlog.popleft())]
        alone = turns[0].reading.whole or connector.plan.together < 2
        if not alone and isinstance(connector, PollingTogether):
            waiting, self._backlog = [self._turn(each) for each in self._backlog], deque()
            for turn in waiting:
                if turn.reading.whole or len(turns) >= connector.plan.together:
                    self._backlog.append(turn.claimed)
                    self._put_aside(turn)
                else:
                    turns.append(turn)
            work = self._all(connector, turns)
        else:
            work = self._one(turns[0])
        group = tuple(turn.claimed.listing.account_id for turn in turns)
        self._running[asyncio.create_task(self._placed(work))] = group
        return group

    def _turn(self, claimed: Claimed) -> Turn:
        now = self._means.clock()
        reading = self._aside.pop(claimed.listing.account_id, None)
        if reading is None or not reading.goes_on(claimed) or now - reading.began_at > ASIDE:
            reading = Reading.begin(claimed, self.terms, now)
        reading.claimed = claimed
        return Turn(polled=self.polled, claimed=claimed, reading=reading)

    def _put_aside(self, turn: Turn) -> None:
        if len(self._aside) < MOST_ASIDE and turn.pages:
            self._aside[turn.claimed.listing.account_id] = turn.reading

    async def _placed(self, work: Awaitable[None]) -> None:
        async with self._means.place:
            await work

    async def _one(self, turn: Turn) -> None:
        try:
            if await self._let_in(turn):
                await self._means.reader.read(turn, self._quiet)
        except asyncio.CancelledError:
            await asyncio.shield(self._means.storing.store(partial(leases.release, claimed=[turn.claimed])))
            raise
        except Exception as error:  # noqa: BLE001 - a stranger's connector may raise anything; the others go on
            await self._ended(turn, error)

    async def _all(self, connector: PollingTogether, turns: Sequence[Turn]) -> None:
        """Several accounts in one question, while any of them has another page; then each by itself."""
        alone: list[Turn] = []
        waiting = [turn for turn in turns if await self._admitted(turn)]
        while waiting:
            asked_at = self._means.clock()
            try:
                async with asyncio.timeout(PATIENCE):
                    pages = await connector.poll_together(self.polled.asker, [turn.wanted() for turn in waiting])
                if len(pages) != len(waiting):
                    raise Garbled(f"{self.name}: {len(pages)} pages for {len(waiting)} accounts")
                self._quiet.answered()
            except asyncio.CancelledError:
                given = [turn.claimed for turn in (*waiting, *alone)]
                await asyncio.shield(self._means.storing.store(partial(leases.release, claimed=given)))
                raise
            except Exception as error:  # noqa: BLE001
                waiting = await self._none_of(waiting, error)
                alone += waiting
                break
            alone += [turn for turn, page in zip(waiting, pages, strict=True) if isinstance(page, Expired)]
            outcomes = await asyncio.gather(
                *(self._took(turn, page, asked_at) for turn, page in zip(waiting, pages, strict=True))
            )
            alone += [turn for turn in waiting if turn.done and turn.asks]
            waiting = [turn for turn, more in zip(waiting, outcomes, strict=True) if more]
        for turn in alone:
            await self._one(turn)

    async def _admitted(self, turn: Turn) -> bool:
        try:
            return await self._let_in(turn)
        except Exception as error:  # noqa: BLE001
            await self._ended(turn, error)
            return False

    async def _took(self, turn: Turn, page: Page | Exception, asked_at: datetime) -> bool:
        """One account's part of an answer; whether it has another page."""
        try:
            if isinstance(page, Expired):
                return False  # asked again by itself, with access anew
            if isinstance(page, Exception):
                raise page
            await self._means.reader.take(turn, page, asked_at)
        except Exception as error:  # noqa: BLE001
            await self._ended(turn, error)
            return False
        return not turn.done

    async def _none_of(self, waiting: list[Turn], error: Exception) -> list[Turn]:
        """A question about several failed: the platform did, or (a bug, a bad answer) it is put for each by itself."""
        if isinstance(error, Limited | Unreachable | TimeoutError):
            for turn in waiting:
                await self._ended(turn, error)
            return []
        _log.warning("%s: a question about %d accounts failed: %r", self.name, len(waiting), type(error).__name__)
        return waiting

    async def _let_in(self, turn: Turn) -> bool:
        """Get the access that a turn needs; False if there is none."""
        if not self.terms.needs_grant or turn.grant is not None:
            return True
        turn.grant = await self._means.access.grant(turn.claimed.account)
        if turn.grant is None:
            until = self._means.clock() + NO_ACCESS
            await self._means.storing.store(partial(keeping.postpone, claimed=turn.claimed, until=until))
        return turn.grant is not None

    async def _ended(self, turn: Turn, error: Exception) -> None:
        """A turn came to nothing: say when the next one is."""
        try:
            try:
                await self._after(turn, error)
            except Exception as other:
                if isinstance(other, LeaseLost) or is_away(other):
                    raise
                _log.error("%s: the end of a turn cannot be noted: %s", self.name, place_of(other))
                await self._fail(turn, Garbled("what came of the last reading could not be noted"), LONGEST_OTHER)
        except LeaseLost:
            _log.debug("%s is read by another process", turn.claimed.account)

    async def _after(self, turn: Turn, error: Exception) -> None:
        now, store, claimed = self._means.clock(), self._means.storing.store, turn.claimed
        match error:
            case LeaseLost():
                raise error
            case Limited(retry_after=seconds):
                until = now + min(timedelta(seconds=max(seconds, 1.0)), timedelta(days=1))
                everybody = self._quiet.limited(now, seconds)
                if turn.done:
                    await store(partial(keeping.give_back, claimed=claimed, at=now, next_at=until))
                    return
                self._put_aside(turn)
                if everybody:
                    await store(partial(leases.release, claimed=[claimed]))
                else:
                    await store(partial(keeping.postpone, claimed=claimed, until=until))
            case Withdrawn() | Expired() if self.terms.needs_grant:
                await self._means.access.withdrawn(claimed.account, turn.grant)
                await store(partial(keeping.stop, claimed=claimed, at=now))
            case Unreachable() | TimeoutError():
                self._quiet.unreachable(now)
                await self._fail(turn, error, LONGEST_UNREACHABLE)
            case Unanswered() | Withdrawn() | Expired():
                _log.info("%s: %s", self.name, error)
                await self._fail(turn, error, LONGEST_OTHER)
            case _ if is_away(error):
                raise error
            case _:
                # Where, but not what about: its text may quote a token. Once, not for each of ten thousand accounts.
                said, self._said = self._said, place_of(error)
                if said != self._said:
                    _log.error("reading %s fails by a bug: %s", self.name, self._said)
                await self._fail(turn, Garbled("the connector has a fault"), LONGEST_OTHER)

    async def _fail(self, turn: Turn, error: Exception, longest: timedelta) -> None:
        now, claimed = self._means.clock(), turn.claimed
        wait = min(FIRST_WAIT * (1 << min(claimed.listing.failures, 12)), longest)
        wait = wait * (0.75 + 0.5 * self._means.chance())
        if isinstance(error, Unanswered) and error.retry_after is not None:
            wait = max(wait, min(timedelta(seconds=error.retry_after), timedelta(days=1)))
        if turn.done:  # only questions were left, and the books keep them
            work = partial(keeping.give_back, claimed=claimed, at=now, next_at=now + max(wait, keeping.SOON))
        else:
            work = partial(keeping.fail, claimed=claimed, error=str(error), wait=wait, at=now)
        await self._means.storing.store(work)
