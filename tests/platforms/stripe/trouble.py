"""What goes wrong between the hub and Stripe, on request: once, or as weather."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

LOSE_REQUEST = "the request is lost"
"""The connection is closed before anything happened."""
LOSE_ANSWER = "the answer is lost"
"""It happened; then the connection is closed."""
FAIL_UNSTORED = "500 at the door"
"""500; nothing happened, nothing is stored."""
FAIL_BEFORE = "500 before"
"""500; nothing happened, but the 500 is stored under the key and comes again."""
FAIL_AFTER = "500 after"
"""500 though it happened; stored under the key and comes again."""
TOO_MANY = "429"
"""Too many requests, with Retry-After; nothing is stored."""
LOCKED = "429 lock_timeout"
"""The object is in use; nothing is stored."""
CONFLICT = "409"
"""The key is in use; nothing is stored."""
CUT = "the answer is cut"
"""It happened; the connection is closed in the middle of the answer."""
GARBLED = "the answer is half"
"""It happened; the answer is half a JSON document, said to be whole."""
HANG = "no answer"
"""It happened; nothing comes until the fake closes."""
HELD = "held"
"""It happens, but is answered (and its key in use) until `release`."""
SLOW = "slow"
"""It happens, and is answered a little later (`Troubles.slowness` seconds)."""

ALL = (LOSE_REQUEST, LOSE_ANSWER, FAIL_UNSTORED, FAIL_BEFORE, FAIL_AFTER, TOO_MANY, LOCKED, CONFLICT, CUT, GARBLED)
"""What weather is made of: all but what makes a test wait."""
PASSING = tuple(each for each in ALL if each not in (FAIL_BEFORE, FAIL_AFTER))
"""Those after which the same key gives an answer at once; the others need a day, or somebody who looks."""


@dataclass
class _Wanted:
    what: str
    path: str
    method: str
    times: int


class Troubles:
    """Decides what each request suffers."""

    slowness = 0.05

    def __init__(self) -> None:
        self._wanted: list[_Wanted] = []
        self._weather: tuple[object, float, Sequence[str]] | None = None
        self._counted: Counter[tuple[str, str]] = Counter()
        self.released = threading.Event()
        self.held = threading.Semaphore(0)
        """Raised by every request that begins to be HELD: ``held.acquire(timeout=10)`` waits for one."""
        self.suffered: list[tuple[str, str, str]] = []
        """(what, method, path) of every request that suffered."""

    def want(self, what: str, path: str, method: str, times: int) -> None:
        """The next requests whose path has ``path`` in it."""
        self._wanted.append(_Wanted(what, path, method, times))

    def weather(self, seed: object, rate: float, kinds: Sequence[str]) -> None:
        """Any request, by chance; the same for the same seed, however requests are interleaved. None: fair."""
        self._weather = None if seed is None else (seed, rate, kinds)

    def fair(self) -> None:
        """Nothing goes wrong any more."""
        self._wanted.clear()
        self._weather = None

    def next(self, method: str, path: str) -> str | None:
        """What this request suffers."""
        chosen = self._choose(method, path)
        if chosen is not None:
            self.suffered.append((chosen, method, path))
        return chosen

    def _choose(self, method: str, path: str) -> str | None:
        self._counted[method, path] += 1
        for each in self._wanted:
            if each.path in path and each.method in ("", method):
                each.times -= 1
                if not each.times:
                    self._wanted.remove(each)
                return each.what
        if self._weather is None:
            return None
        seed, rate, kinds = self._weather
        chance = random.Random(f"{seed} {method} {path} {self._counted[method, path]}")
        return chance.choice(kinds) if chance.random() < rate else None
