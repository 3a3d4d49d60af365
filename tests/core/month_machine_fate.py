"""Kills the hub at any step of its work: around every commit, and around every request to Stripe."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from sqlmodel import Session

from core.database import Database
from core.payments.stripe import client
from core.payments.stripe.pace import endpoint

_CORE = f"{Path(__file__).parents[2] / 'core'}/"
_WAYS = (f"{_CORE}database.py", f"{_CORE}payments/calling.py", f"{_CORE}payments/stripe/client.py")
"""Through these everything goes; whoever called them is what tells one step from another."""


class Killed(BaseException):
    """As if by kill -9: no `except Exception` may see it."""


@dataclass
class Fate:
    """Counts the steps of a hub's work, and ends it at one of them; from then on nothing works until `revive`."""

    steps: list[str] = field(default_factory=list)
    """What was passed so far: the moment, and who was at work."""
    ends_at: int | None = None
    """The number of the step (from 0) at which it ends; None: it goes on."""
    dead: bool = False
    idle: bool = False
    """While it is, nothing counts: what people do, and what the test only looks up."""

    def passes(self, moment: str) -> None:
        """A step; Killed if it is the last one."""
        if self.idle and not self.dead:
            return
        if not self.dead:
            self.steps.append(f"{moment} in {_worker()}")
            self.dead = self.ends_at is not None and len(self.steps) > self.ends_at
        if self.dead:
            raise Killed

    def revive(self) -> None:
        """The hub is started again; it is not killed a second time."""
        self.dead, self.ends_at = False, None


def _worker() -> str:
    """The place in the core that is at work: ``charges.collecting._take, line 160``."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        path = frame.f_code.co_filename
        if path.startswith(_CORE) and path not in _WAYS:
            function = frame.f_code.co_qualname.removesuffix(".<locals>.<lambda>")
            module = path.removeprefix(_CORE).removesuffix(".py").replace("/", ".")
            return f"{module}.{function}, line {frame.f_lineno}"
        frame = frame.f_back
    return "somebody else"


class MortalDatabase(Database):
    """A database whose user may be killed before a commit, when nothing of it is kept, or right after it."""

    def __init__(self, url: str, fate: Fate) -> None:
        super().__init__(url)
        self._fate = fate

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Session]:
        with super().transaction() as tx:
            yield tx
            self._fate.passes("before the commit")
        self._fate.passes("after the commit")


@contextlib.contextmanager
def watched(fate: Fate) -> Iterator[None]:
    """Whoever asks Stripe meanwhile may be killed before the request, or after Stripe has done what it asked."""
    line = client._Line
    real = line.request

    def request(
        self: client._Line, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        fate.passes(f"before {endpoint(method, url)}")
        answer = real(self, method, url, headers, post_data)
        fate.passes(f"after {endpoint(method, url)}")
        return answer

    line.request = request  # type: ignore[method-assign]
    try:
        yield
    finally:
        line.request = real  # type: ignore[method-assign]
