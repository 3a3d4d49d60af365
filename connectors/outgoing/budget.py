"""When the next request may be sent to one platform (or for one account there): numbers in, numbers out.

Two limits hold at once: our own allowance (never more than so many requests in any window of so many
seconds), and the platform's budget as its headers tell it.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from connectors.outgoing.rates import Told

SAME_WINDOW = 2.0
"""Seconds by which two answers of one window may differ about its end: headers are whole seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """At most ``requests`` in any ``seconds``: what the hub allows itself before a platform has said anything."""

    requests: int = 60
    seconds: float = 60.0

    def __post_init__(self) -> None:
        if self.requests < 1 or not 0 < self.seconds < math.inf:
            raise ValueError("an allowance is at least one request in more than 0 seconds")


class Budget:
    """The bookkeeping of one budget; times are monotonic seconds.

    A request counts from when it was sent until a whole window after it was over: it arrived at some time between,
    so that in no window of the platform's there are more than the allowance, however long some were on their way.

    As long as nothing is known (at first, and when a window ended whose renewal is unknown) one request is
    sent alone and the others wait for its answer.
    """

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self._over: deque[float] = deque()
        """When the requests ended that still count."""
        self._in_flight = 0
        self._known = False
        self._tells = False
        self._remaining: int | None = None
        self._resets = -math.inf
        self._paused_until = -math.inf

    def wait(self, now: float) -> float:
        """Seconds until a request may be sent; 0: now; infinity: as soon as an answer on its way is here."""
        self._renew(now)
        waits = [self._paused_until - now]
        while self._over and self._over[0] + self._allowance.seconds <= now:
            self._over.popleft()
        if len(self._over) + self._in_flight >= self._allowance.requests:
            waits.append(self._over[0] + self._allowance.seconds - now if self._over else math.inf)
        if self._known and self._remaining is not None and self._remaining <= 0:
            waits.append(self._resets - now)
        elif not self._known and self._in_flight:
            waits.append(math.inf)
        return max(0.0, *waits)

    def take(self, now: float) -> None:
        """Send one request now; ``wait`` has just said 0."""
        self._in_flight += 1
        if self._remaining is not None:
            self._remaining -= 1

    def answered(self, now: float, told: Told | None, *, sent: float) -> None:
        """A request that was taken at ``sent`` is over; ``told`` is None if there was no answer."""
        self._in_flight -= 1
        self._over.append(now)
        if told is None:
            return
        if told.retry_after is not None:
            self.pause(now, told.retry_after)
        self._renew(now)
        if told.remaining is None or told.resets_in is None:
            # An error page without headers, from a platform that has them, leaves what is known as it was.
            self._known = self._known or not self._tells
            return
        self._tells = True
        # Requests on their way may not be counted in what the platform said.
        left = told.remaining - self._in_flight
        # The answer was written at some time between sent and now, so its window ends between these two.
        earliest, latest = sent + told.resets_in, now + told.resets_in
        if not self._known or self._remaining is None or earliest > self._resets + SAME_WINDOW:
            self._remaining, self._resets = left, latest
        else:
            # Answers overtake each other: within one window the smaller number is the later one.
            self._remaining = min(self._remaining, left)
        self._known = True

    def pause(self, now: float, seconds: float) -> None:
        """Send nothing for so many seconds."""
        self._paused_until = max(self._paused_until, now + seconds)

    def _renew(self, now: float) -> None:
        """Forget a window that is over; how large the next one is, its first answer will tell."""
        if self._remaining is not None and now >= self._resets:
            self._known, self._remaining = False, None
