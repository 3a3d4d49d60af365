"""Hands out members' access to what asks platforms, and keeps it fresh: one refresh at a time for an account.

A refresh token may be usable only once. So the intent is noted before the platform is asked, a new token is stored
before anybody uses it, and refreshing begins while the old access token still works: whatever a crash destroys, the
account goes on until that one ends, and only then is its owner asked to sign in again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ParamSpec, TypeVar
from uuid import uuid4

from bot.access_rows import AccessRows, Held
from connectors.base import Asker
from connectors.client import Unanswered, Unreachable
from connectors.linking import Grant, LinkingConnector, Withdrawn
from core.access.grants import Kept
from core.database import Database, is_away
from core.events import AccountRef
from core.mail.faults import place_of
from core.mail.sealing import Seal

_log = logging.getLogger(__name__)
_P = ParamSpec("_P")
_T = TypeVar("_T")

TURN = timedelta(seconds=90)
"""After this a process that began to refresh is taken for dead. The client gives up on a platform after 60 s."""
_PATIENCE = 75.0
"""Seconds for one refresh in all; below `TURN`, above the client's own limit, which knows more about why."""
_WHILE_IT_WORKS, _WHEN_IT_ENDED = 5.0, 15.0
"""Seconds to wait for another process's refresh, where the old token will do and where it will not."""
_FIRST_LOOK, _LAST_LOOK = 0.05, 1.0
"""Seconds between two looks at whether another process is done: doubling from one to the other."""
_AGAIN, _AGAIN_AT_MOST = timedelta(minutes=1), timedelta(hours=1)
"""When to try again after no answer."""
_STORING = (0.1, 0.2, 0.5, 1.0, 2.0)
"""Seconds between tries to store a new token while the database is away."""
GIVE_BACK_FOR = timedelta(days=7)
"""How long a platform is asked to take an ended access back; then the hub forgets it all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A connector at whose platform people sign in, and what it asks with."""

    connector: LinkingConnector
    asker: Asker


class _Ended(Withdrawn):
    """Somebody has noted already that the access has ended."""


class AccessKeeper:
    """One for a process; ``holder`` names it among the processes that share the database.

    Its methods raise what the database says where that is away.
    """

    def __init__(
        self,
        *,
        db: Database,
        seal: Seal,
        platforms: Mapping[str, Signed],
        clock: Callable[[], datetime],
        holder: str,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._rows = AccessRows(db, seal, clock)
        self._platforms = platforms
        self._clock = clock
        self._holder = holder
        self._sleep = sleep
        self._turns: dict[tuple[AccountRef, bool], asyncio.Task[Grant]] = {}
        # Who waits for the database's one writer keeps a thread, of which everybody else needs one too.
        self._writing = asyncio.Lock()

    async def grant(self, account: AccountRef) -> Grant | None:
        """What to ask the platform with now; None: nothing was granted, or its owner has to sign in again.

        Refreshed if it ends soon. Raises Unanswered if it has ended and the platform does not refresh it just now.
        """
        held = await asyncio.to_thread(self._rows.load, account)
        if held is None or held.kept.needs_relink:
            return None
        if not held.kept.is_due(self._clock()):
            if held.kept.works(self._clock()):
                return held.grant
            raise _silent(held.kept, self._clock())
        try:
            return await self._in_turn(held, forced=False)
        except Unanswered:
            if held.kept.works(self._clock()):
                return held.grant
            raise
        except _Ended:
            return None
        except Withdrawn:
            if held.kept.works(self._clock()):
                _log.warning("%s does not refresh the access to %s; it serves until its end", account.platform, account)
                return held.grant
            await self.withdrawn(account, held.grant)
            return None

    async def refreshed(self, account: AccountRef, stale: Grant) -> Grant:
        """The access anew, since the platform does not take the stale one (`connectors.linking.Expired`).

        Raises Withdrawn if its owner has to sign in again (and has been told so), Unanswered to be asked later.
        """
        held = await asyncio.to_thread(self._rows.load, account)
        if held is None or held.kept.needs_relink:
            raise Withdrawn(f"{account} has no access any more")
        if held.grant.access_token != stale.access_token:
            return held.grant
        try:
            return await self._in_turn(held, forced=True)
        except Withdrawn:
            await self.withdrawn(account, held.grant)
            raise

    async def withdrawn(self, account: AccountRef, grant: Grant | None = None) -> None:
        """Pause an account whose access has ended for good, and let its owner know; nothing it has liked is lost.

        ``grant``: which access the platform has refused. If another is there by now, nothing happens.
        """
        await asyncio.to_thread(self._rows.pause, account, grant)

    async def give_back(self, account: AccountRef) -> None:
        """Tell the platform that an access has ended (`core.access.grants.end`), and forget it. Safe to repeat.

        Call it once the end is committed; what fails is left for `round`.
        """
        for kept in await asyncio.to_thread(self._rows.ended, account):
            await self._revoke(kept)

    async def round(self) -> None:
        """Give back whatever has ended and is still here: what failed before, or was interrupted by a crash."""
        try:
            for kept in await asyncio.to_thread(self._rows.ended):
                await self._revoke(kept)
        except Exception as error:
            if not is_away(error):
                raise
            _log.warning("the database is away; what members took back is given back later")

    async def close(self) -> None:
        """Wait for refreshes under way: a new token that is not stored may be lost for good."""
        await asyncio.gather(*self._turns.values(), return_exceptions=True)
        for account in list(self._rows.unstored):
            try:
                await asyncio.to_thread(self._rows.load, account)
            except Exception as error:
                if not is_away(error):
                    raise
                _log.warning("%s: the database is away, its new access token is lost", account)

    async def _in_turn(self, held: Held, *, forced: bool) -> Grant:
        """A refresh that all of this process share, and that goes on when who asked for it is cancelled."""
        key = (held.kept.account, forced)
        task = self._turns.get(key)
        if task is None:
            task = asyncio.create_task(self._refresh(held, forced=forced))
            self._turns[key] = task
            task.add_done_callback(lambda done: self._over(key, done))
        return await asyncio.shield(task)

    def _over(self, key: tuple[AccountRef, bool], task: asyncio.Task[Grant]) -> None:
        del self._turns[key]
        if not task.cancelled():
            task.exception()  # looked at, though nobody may be waiting any more

    async def _refresh(self, held: Held, *, forced: bool) -> Grant:
        account, by = held.kept.account, f"{self._holder}:{uuid4().hex}"
        mine = await self._turn_of(held, by, forced=forced)
        if isinstance(mine, Grant):
            return mine
        signed = self._platforms.get(account.platform)
        try:
            if signed is None:
                raise Unanswered(f"{account.platform} is off; switch it on to refresh the access to {account}")
            fresh = await _asked(signed, mine.grant)
        except Withdrawn:
            newer = await asyncio.to_thread(self._rows.load, account)
            if newer is not None and not newer.kept.is_same(mine.kept):
                return newer.grant  # somebody whom we had given up, or the owner, was here
            await self._written(self._rows.release, account, by, self._after_refusal(mine.kept))
            raise
        except Unanswered as unanswered:
            wait = max(_AGAIN, min(timedelta(seconds=unanswered.retry_after or 0), _AGAIN_AT_MOST))
            await self._written(self._rows.release, account, by, self._clock() + wait)
            raise
        self._rows.unstored[account] = Held(kept=mine.kept, grant=fresh)
        return await self._stored(account, fresh)

    async def _turn_of(self, held: Held, by: str, *, forced: bool) -> Held | Grant:
        """What to refresh, the turn being ours; or the Grant that came of another process's turn."""
        account = held.kept.account
        most = _WHEN_IT_ENDED if forced or not held.kept.works(self._clock()) else _WHILE_IT_WORKS
        waited, pause = 0.0, _FIRST_LOOK
        while True:
            now = await asyncio.to_thread(self._rows.load, account)
            if now is not None and not now.kept.is_taken(self._clock()):
                now = await self._written(self._rows.take_turn, account, by, TURN)
                if now is None:
                    continue  # another process was faster
                if now.kept.is_same(held.kept) and self._is_wanted(now.kept, held.kept, forced=forced):
                    return now
                await self._written(self._rows.release, account, by, now.kept.retry_at)
                waited = most
            if now is None or now.kept.needs_relink:
                raise _Ended(f"{account} has no access any more")
            if not now.kept.is_same(held.kept):
                return now.grant
            if waited >= most:
                raise _silent(now.kept, self._clock(), by)
            await self._sleep(pause)
            waited, pause = waited + pause, min(2 * pause, _LAST_LOOK)

    def _is_wanted(self, now: Kept, before: Kept, *, forced: bool) -> bool:
        """Whether refreshing makes sense still, after another process may have tried in vain."""
        if now.needs_relink:
            return False
        return now.retry_at == before.retry_at if forced else now.is_due(self._clock())

    def _after_refusal(self, kept: Kept) -> datetime | None:
        """The platform said no, perhaps because an answer of its was lost: ask again before, and at, the end."""
        now = self._clock()
        if kept.expires_at is None or not kept.works(now):
            return None
        return min(now + max((kept.expires_at - now) / 2, _AGAIN), kept.expires_at)

    async def _stored(self, account: AccountRef, fresh: Grant) -> Grant:
        """The new access once it is in the database; after some tries also without, as long as this process lives."""
        for wait in (*_STORING, None):
            try:
                held = await self._written(self._rows.load, account)
                return fresh if held is None else held.grant
            except Exception as error:
                if not is_away(error):
                    raise
                if wait is None:
                    _log.warning("%s: the database is away (%s); its new access waits", account, place_of(error))
                    return fresh
                await self._sleep(wait)
        raise AssertionError("the last try returns or raises")

    async def _written(self, work: Callable[_P, _T], *given: _P.args, **named: _P.kwargs) -> _T:
        """What a step that writes returns; one at a time."""
        async with self._writing:
            return await asyncio.to_thread(work, *given, **named)

    async def _revoke(self, kept: Kept) -> None:
        signed = self._platforms.get(kept.account.platform)
        try:
            if signed is None:
                raise Unanswered(f"{kept.account.platform} is off; switch it on to give it back")
            await signed.connector.revoke(signed.asker, await asyncio.to_thread(self._rows.opened, kept))
        except Withdrawn:
            pass  # it had ended there already
        except Exception as error:  # noqa: BLE001 - a stranger's connector may raise anything; the others go on
            reason = str(error) if isinstance(error, Unanswered) else place_of(error)
            if kept.ended_at is not None and self._clock() < kept.ended_at + GIVE_BACK_FOR:
                _log.info("the access to %s is given back later: %s", kept.account, reason)
                return
            _log.warning("the access to %s could not be given back: %s; it is forgotten", kept.account, reason)
        await asyncio.to_thread(self._rows.forget, kept)


async def _asked(signed: Signed, grant: Grant) -> Grant:
    """The platform's new access; of a connector that fails in any other way it is taken for no answer."""
    platform = grant.account.platform
    try:
        async with asyncio.timeout(_PATIENCE):
            fresh = await signed.connector.refresh(signed.asker, grant)
    except (Withdrawn, Unanswered):
        raise
    except TimeoutError:
        raise Unreachable(
            f"{platform} did not refresh an access in time; it is tried again", perhaps_done=True
        ) from None
    except Exception as error:  # noqa: BLE001 - a stranger's connector may raise anything; the old token goes on
        _log.error("the connector %s cannot refresh: %s", platform, place_of(error))
        raise Unanswered(f"the connector {platform} cannot refresh; see the log") from None
    # A platform that gives no new refresh token means that the old one stays (RFC 6749, section 6).
    return replace(fresh, account=grant.account, refresh_token=fresh.refresh_token or grant.refresh_token)


def _silent(kept: Kept, at: datetime, by: str = "") -> Unanswered:
    """Nobody could refresh it; when to come again (``by``: whose turn does not count, it is over)."""
    until = kept.refreshing_until if kept.is_taken(at) and kept.refreshing_by != by else kept.retry_at
    wait = max((until - at).total_seconds(), 1.0) if until is not None else None
    return Unanswered(f"the access to {kept.account} is not refreshed yet; it is tried again", retry_after=wait)
