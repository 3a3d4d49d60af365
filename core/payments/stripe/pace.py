"""How fast Stripe may be asked: never more than so many requests a second for each endpoint."""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from urllib.parse import urlsplit

PER_SECOND = 20
"""Stripe's own limit is 25 a second and endpoint (docs.stripe.com/rate-limits); the rest is left to people."""

_NAMESPACES = frozenset({"checkout", "core", "radar"})
"""First parts of a path that only group resources, so that no id follows them."""


def endpoint(method: str, address: str) -> str:
    """The endpoint that a request goes to: its method and path without the ids (``post payment_intents confirm``)."""
    parts = urlsplit(address).path.strip("/").split("/")
    first = 3 if len(parts) > 1 and parts[1] in _NAMESPACES else 2
    # After the version (and the group) names and ids take turns: payment_intents / pi_1 / confirm.
    return " ".join([method.lower(), *parts[1:first], *parts[first + 1 :: 2]])


class Pace:
    """Lets at most ``per_second`` requests of an endpoint pass in any second, whatever number of threads asks.

    A window rather than a rate: twenty may go at once, and the next waits until the first is a second old.
    """

    def __init__(
        self,
        per_second: int = PER_SECOND,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._starts: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=per_second))

    def wait(self, name: str) -> None:
        """Return when a request to this endpoint may start."""
        with self._lock:
            starts = self._starts[name]
            now = self._clock()
            turn = now if len(starts) < (starts.maxlen or 1) else max(now, starts[0] + 1.0)
            starts.append(turn)  # the place is taken before it comes, so that two threads never get the same one
        if turn > now:
            self._sleep(turn - now)
