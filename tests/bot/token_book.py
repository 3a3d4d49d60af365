"""A platform that lends access: refresh tokens are good for one use, and what happened is kept in a file."""

from __future__ import annotations

import asyncio
import fcntl
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from connectors.base import Asker
from connectors.linking import Grant, Withdrawn
from core.events import AccountRef

ADA = AccountRef(platform="lake", account_id="7")
HOUR = timedelta(hours=1)


class TokenBook:
    """A linking connector and its platform in one; processes that know the file share the platform."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.faults: list[Exception] = []
        """What the next calls raise, before they do anything."""
        self.before: Callable[[], object] = lambda: None
        self.after: Callable[[], object] = lambda: None
        """Called beside the platform's own part; where a process is killed."""
        self.hold: asyncio.Event | None = None
        """What an answer waits for, on its way back; ``holding``: it does."""
        self.holding = asyncio.Event()

    def lends(self, account: AccountRef = ADA) -> Grant:
        """A first grant, as signing in would bring it."""
        with self._state() as state:
            number = state["number"] = state["number"] + 1
            state["usable"] = f"refresh-canary-{number}"
        return Grant(account=account, access_token=f"access-canary-{number}", refresh_token=f"refresh-canary-{number}")

    @property
    def refreshes(self) -> int:
        with self._state() as state:
            return int(state["refreshes"])

    @property
    def refusals(self) -> int:
        with self._state() as state:
            return int(state["refusals"])

    @property
    def revoked(self) -> list[str]:
        with self._state() as state:
            return list(state["revoked"])

    def refuse_all(self) -> None:
        """The member took it back there."""
        with self._state() as state:
            state["usable"] = None

    async def refresh(self, asker: Asker, grant: Grant) -> Grant:
        self._fail()
        self.before()
        with self._state() as state:
            refused = grant.refresh_token != state["usable"]
            state["refusals" if refused else "refreshes"] += 1
            if not refused:
                number = state["number"] = state["number"] + 1
                state["usable"] = f"refresh-canary-{number}"
        if refused:
            raise Withdrawn("invalid_grant")
        self.after()
        if self.hold is not None:
            self.holding.set()
            await self.hold.wait()
        return replace(
            grant,
            access_token=f"access-canary-{number}",
            refresh_token=f"refresh-canary-{number}",
            expires_at=asker.clock() + HOUR,
        )

    async def revoke(self, asker: Asker, grant: Grant) -> None:
        self._fail()
        with self._state() as state:
            state["revoked"].append(grant.access_token)

    def _fail(self) -> None:
        if self.faults:
            raise self.faults.pop(0)

    @contextmanager
    def _state(self) -> Iterator[dict[str, Any]]:
        with self.file.open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            text = file.read()
            state = json.loads(text) if text else {"number": 0, "refreshes": 0, "refusals": 0, "revoked": []}
            yield state
            file.seek(0)
            file.truncate()
            json.dump(state, file)
