"""Asks platforms what their deliveries could not tell: which likes in doubt stand, and who made what."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Any, TypeVar

from connectors.base import Asker, AskingConnector, Currently, KnownLike, ResolvingConnector
from connectors.client import Forbidden, Garbled, Limited, TooLarge, Unanswered
from core import doubts, uniting
from core.database import Database, is_away
from core.doubts import Doubt
from core.events import AccountRef, ThingRef
from core.mail.faults import place_of
from core.rules import Rules

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_Key = tuple[str, str]
"""A platform, and our number of a like or an address."""

FIRST_WAIT = timedelta(minutes=5)
LONGEST_WAIT = timedelta(days=1)
"""Between two questions about the same like or address that could not be answered: doubling from one to the other."""

Question = Doubt | ThingRef
"""A like in doubt, or a thing (perhaps known by its address alone) whose author is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A connector that is on and can be asked, and with what; ``likes``: also about likes."""

    connector: AskingConnector
    asker: Asker
    likes: bool = True


class Asking:
    """Goes over everything unclear, one question at a time a platform; nothing is remembered that must last."""

    def __init__(
        self, *, db: Database, rules: Rules, platforms: Mapping[str, Asked], clock: Callable[[], datetime]
    ) -> None:
        self._db = db
        self._rules = rules
        self._platforms = platforms
        self._clock = clock
        self._unheard: dict[_Key, tuple[int, datetime]] = {}
        """What could not be answered: how often, and when to ask again."""
        self._silent: dict[str, datetime] = {}
        """Until when a platform wants to be left alone."""
        self._said: dict[str, str] = {}
        self._stopped = asyncio.Event()

    def close(self) -> None:
        """Ask nothing more; a round under way ends at once, and loses nothing."""
        self._stopped.set()

    async def round(self) -> None:
        """Ask once about everything that is due; what fails stays as it is until a later round."""
        try:
            await asyncio.gather(*(self._go_over(platform) for platform in self._platforms))
        except Exception as error:
            if not is_away(error):
                raise
            _log.warning("the database is away; what platforms are to be asked waits")

    async def _go_over(self, platform: str) -> None:
        silent = self._silent.get(platform)
        if self._stopped.is_set() or (silent is not None and self._clock() < silent):
            return
        for question in await asyncio.to_thread(self._questions, platform):
            try:
                await self._ask(platform, question)
            except _Stopped:
                return
            except Limited as limited:
                self._leave_alone(platform, limited)
                return
            except (Forbidden, Garbled, TooLarge) as unusable:
                _log.info("%s: %s", platform, unusable)
                self._wait(platform, question)
            except Unanswered as unanswered:
                self._wait(platform, question)  # so that the next round does not begin with this one again
                self._leave_alone(platform, unanswered)
                return
        self._said.pop(platform, None)

    def _leave_alone(self, platform: str, unanswered: Unanswered) -> None:
        if unanswered.retry_after is not None:
            self._silent[platform] = self._clock() + timedelta(seconds=min(unanswered.retry_after, 86_400))
        said = type(unanswered).__name__
        if self._said.get(platform) != said:  # not the same words every few minutes
            _log.warning("%s; what is to be asked there waits", unanswered)
        self._said[platform] = said

    def _questions(self, platform: str) -> Sequence[Question]:
        asked = self._platforms[platform]
        with self._db.reading() as tx:
            likes = doubts.waiting(tx, platform, self._clock()) if asked.likes else []
            addresses = [ref for ref in uniting.unowned(tx, platform) if _is_one_of(asked.connector, ref)]
        taking_turns: list[Question] = []
        for like, address in zip_longest(likes, addresses):
            taking_turns += [each for each in (like, address) if each is not None]
        self._forget(platform, {_key(platform, each) for each in taking_turns})
        now = self._clock()
        return [each for each in taking_turns if self._unheard.get(_key(platform, each), (0, now))[1] <= now]

    def _forget(self, platform: str, wanted: set[_Key]) -> None:
        self._unheard = {key: kept for key, kept in self._unheard.items() if key[0] != platform or key in wanted}

    async def _ask(self, platform: str, question: Question) -> None:
        asked = self._platforms[platform]
        at = self._clock()  # before the question, since the answer may be as old as that
        match question:
            case Doubt():
                answer = await self._heard(platform, asked.connector.current(asked.asker, _known(question)))
                if answer is not None:
                    await asyncio.to_thread(self._settle, question, answer, at)
            case ThingRef():
                found = await self._heard(platform, asked.connector.look_up(asked.asker, question.url))
                if found is not None:
                    await asyncio.to_thread(self._unite, question, *found)
        self._wait(platform, question)  # what an answer has settled is not asked again, and this is forgotten

    def _wait(self, platform: str, question: Question) -> None:
        key = _key(platform, question)
        times, _ = self._unheard.get(key, (0, None))
        self._unheard[key] = times + 1, self._clock() + min(FIRST_WAIT * 2 ** min(times, 10), LONGEST_WAIT)

    async def _heard(self, platform: str, asking: Coroutine[Any, Any, _T]) -> _T | None:
        """What the connector says, unless the hub stops meanwhile."""
        answer = asyncio.create_task(asking)
        stop = asyncio.create_task(self._stopped.wait())
        try:
            await asyncio.wait((answer, stop), return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise _Stopped
            return answer.result()
        except (Unanswered, _Stopped):
            raise
        except Exception as error:  # noqa: BLE001 - a stranger's connector may raise anything; the others go on
            _log.error("the connector %s cannot ask: %s", platform, place_of(error))
            return None
        finally:
            answer.cancel()
            stop.cancel()
            await asyncio.gather(answer, stop, return_exceptions=True)

    def _settle(self, doubt: Doubt, answer: Currently, at: datetime) -> None:
        with self._db.transaction() as tx:
            doubts.settle(tx, self._rules, doubt, liked=answer.liked, since=answer.since, asked_at=at)

    def _unite(self, address: ThingRef, found: ThingRef, author: AccountRef | None) -> None:
        with self._db.transaction() as tx:
            uniting.unite(tx, self._rules, address, found, author)


class _Stopped(Exception):
    """The hub stops; the question is put again after the next start."""


def _known(doubt: Doubt) -> KnownLike:
    return KnownLike(
        by=doubt.by, thing=doubt.thing, reaction=doubt.reaction, like_id=doubt.platform_id, since=doubt.since
    )


def _key(platform: str, question: Question) -> _Key:
    match question:
        case Doubt():
            return platform, str(question.like_id)
        case ThingRef():
            return platform, f"{question.platform}:{question.native_id}"


def _is_one_of(connector: AskingConnector, ref: ThingRef) -> bool:
    if ref.platform == connector.card.platform:
        return True
    return isinstance(connector, ResolvingConnector) and connector.resolve(ref.url) is not None
