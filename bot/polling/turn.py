"""One account's turn: the pages of its list, what they show put into the books, and questions about what is missing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from bot.polling.parts import Access, Polled
from bot.polling.quiet import Quiet
from bot.polling.storing import Storing
from connectors.base import KnownLike
from connectors.client import Forbidden, Garbled, Limited, TooLarge, Unanswered, Unreachable
from connectors.linking import Expired, Grant, Withdrawn
from connectors.polling import Mark, Page, Still, Wanted
from core.events import Liked
from core.listings import keeping
from core.listings.books import Unlisted
from core.listings.keeping import Answered
from core.listings.leases import Claimed
from core.listings.reading import Reading
from core.rules import Rules

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

LEASE = timedelta(minutes=5)
"""After this a process that reads an account is taken for dead."""
PATIENCE = 120.0
"""Seconds for one page in all; well below `LEASE`, so that nobody else begins meanwhile."""
SHORT, IN_ALL = 5.0, 30.0
"""Seconds that a turn waits for a budget: at once, and in all. For longer its place is given to others."""
EVENTS = 100
"""Likes recorded in one transaction, since deliveries wait for it."""
ANSWERS = 10
PAGES = 5_000
"""No list is longer."""


@dataclass(slots=True, kw_only=True)
class Turn:
    """What one turn needs; ``reading`` may go on where a budget ended an earlier turn."""

    polled: Polled
    claimed: Claimed
    reading: Reading
    grant: Grant | None = None
    refreshed: bool = False
    waited: float = 0.0
    counted: int = 0
    asks: tuple[Unlisted, ...] = ()
    done: bool = False
    """The reading is in the books."""
    pages: int = field(default=0)

    def wanted(self) -> Wanted:
        """The page to ask for now."""
        mark = Mark(cursor=self.claimed.listing.cursor, page=self.reading.page, whole=self.reading.whole)
        return Wanted(account=self.claimed.account, grant=self.grant, mark=mark)


class Reader:
    """Carries turns out; what goes wrong is raised, and a later turn begins where the books say."""

    def __init__(
        self,
        *,
        rules: Rules,
        storing: Storing,
        access: Access,
        clock: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]],
        chance: Callable[[], float],
    ) -> None:
        self._rules, self._storing, self._access = rules, storing, access
        self._clock, self._sleep, self._chance = clock, sleep, chance

    async def read(self, turn: Turn, quiet: Quiet) -> None:
        """All pages that are still to be read, and then the questions."""
        while not turn.done:
            asked_at = self._clock()
            page = await self._ask(turn, quiet, lambda: turn.polled.connector.poll(turn.polled.asker, turn.wanted()))
            await self.take(turn, page, asked_at)
        await self.ask_about_missing(turn, quiet)

    async def take(self, turn: Turn, page: Page, asked_at: datetime) -> None:
        """Record what a page shows; with the last one the reading is in the books."""
        reading, turn.pages = turn.reading, turn.pages + 1
        events, familiar = reading.take(page.likes, page.besides, asked_at)
        early = page.more is not None and familiar and not reading.whole and turn.polled.connector.plan.newest_first
        if not reading.turn_page(page.more, page.cursor) and not early and page.more is not None:
            raise Garbled(f"the pages of {turn.claimed.account.platform}'s list go round in a circle; read it again")
        if turn.pages > PAGES:
            raise Garbled(f"{turn.claimed.account.platform}'s list has no end; read it again")
        if page.more is not None and not early:
            for piece in _pieces(events):
                await self._record(turn, piece, asked_at)
            return
        events = [*events, *reading.end(page.proves, page.total, early=early)]
        *before, last = _pieces(events) or [[]]
        for piece in before:
            await self._record(turn, piece, asked_at)
        now = self._clock()
        finish = partial(
            keeping.finish,
            rules=self._rules,
            reading=reading,
            events=last,
            asked_at=asked_at,
            at=now,
            until=now + LEASE,
            counted=turn.counted,
            jitter=self._chance(),
        )
        finished = await self._storing.store(finish)
        turn.asks, turn.done = finished.ask, True

    async def _record(self, turn: Turn, events: Sequence[Liked], asked_at: datetime) -> None:
        record = partial(
            keeping.record,
            rules=self._rules,
            claimed=turn.claimed,
            events=events,
            asked_at=asked_at,
            until=self._clock() + LEASE,
        )
        turn.counted += await self._storing.store(record)

    async def ask_about_missing(self, turn: Turn, quiet: Quiet) -> None:
        """Ask about each like that the list does not show; what gets no answer is asked about in a later turn."""
        if not turn.asks:
            return
        answers: list[Answered] = []
        try:
            for about in turn.asks:
                asked_at = self._clock()
                answer = await self._about(turn, quiet, about)
                answers.append(Answered(about=about, answer=answer, asked_at=asked_at))
                if len(answers) >= ANSWERS:
                    answers, heard = [], answers
                    await self._settle(turn, heard)
        finally:
            if answers:
                await asyncio.shield(self._settle(turn, answers))
        now = self._clock()
        await self._storing.store(partial(keeping.give_back, claimed=turn.claimed, at=now))

    async def _about(self, turn: Turn, quiet: Quiet, about: Unlisted) -> Still:
        like = KnownLike(
            by=about.by, thing=about.thing, reaction=about.reaction, like_id=about.like_id, since=about.since
        )
        still = turn.polled.connector.still
        try:
            return await self._ask(turn, quiet, lambda: still(turn.polled.asker, turn.grant, like))
        except (Garbled, TooLarge, Forbidden) as unusable:
            _log.info("%s: %s", turn.claimed.account.platform, unusable)
            return "unknown"

    async def _settle(self, turn: Turn, answers: Sequence[Answered]) -> None:
        until = self._clock() + LEASE
        settle = partial(keeping.settle, rules=self._rules, claimed=turn.claimed, answers=answers, until=until)
        await self._storing.store(settle)

    async def _ask(self, turn: Turn, quiet: Quiet, question: Callable[[], Awaitable[_T]]) -> _T:
        """An answer, with refreshed access if need be, and after a short wait for the budget."""
        while True:
            try:
                async with asyncio.timeout(PATIENCE):
                    answer = await question()
            except Expired:
                await self._refresh(turn)
            except Limited as limited:
                wait = max(limited.retry_after, 0.1)
                if wait > SHORT or turn.waited + wait > IN_ALL:
                    raise
                turn.waited += wait
                await self._sleep(wait)
            except TimeoutError:
                name = turn.claimed.account.platform
                raise Unreachable(f"{name} took longer than {PATIENCE:.0f} s; ask again later") from None
            else:
                turn.refreshed = False  # a long list may outlast more than one token
                quiet.answered()
                return answer

    async def _refresh(self, turn: Turn) -> None:
        if turn.grant is None:
            raise Unanswered(f"{turn.claimed.account.platform} wants access for what is public; check its settings")
        if turn.refreshed:
            raise Withdrawn("the access was refreshed and is not taken all the same")
        turn.refreshed = True
        turn.grant = await self._access.refreshed(turn.claimed.account, turn.grant)


def _pieces(events: Sequence[Liked]) -> list[Sequence[Liked]]:
    return [events[first : first + EVENTS] for first in range(0, len(events), EVENTS)]
