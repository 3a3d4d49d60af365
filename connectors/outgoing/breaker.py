"""The circuit breaker of one host: a platform that is down is asked now and then, not by everybody."""

from __future__ import annotations

import math


class Breaker:
    """Opens after ``most`` failures in a row, for ``rest`` seconds (doubled each time, up to ``longest``).

    Then one request is let through as a probe; its success closes the breaker. Times are monotonic seconds.
    """

    def __init__(self, *, most: int = 5, rest: float = 15.0, longest: float = 300.0) -> None:
        self._most, self._first_rest, self._longest = most, rest, longest
        self._failures = 0
        self._rest = rest
        self._open_until = -math.inf
        self._probing = False

    @property
    def open(self) -> bool:
        """Whether ordinary requests are turned away."""
        return self._failures >= self._most

    def wait(self, now: float) -> float:
        """Seconds until it makes sense to ask; 0: now."""
        if not self.open:
            return 0.0
        if self._probing:
            return self._rest
        return max(0.0, self._open_until - now)

    def take(self) -> bool:
        """A request goes out, ``wait`` having said 0; True: it is the probe and must be told how it ended."""
        self._probing = self.open
        return self._probing

    def answered(self) -> None:
        """The host answered: everything is as it was at first."""
        self._failures, self._rest, self._probing = 0, self._first_rest, False

    def failed(self, now: float, *, probe: bool) -> None:
        """No answer, or 5xx. Stragglers sent before the breaker opened do not prolong its rest."""
        if probe:
            self._rest = min(self._rest * 2, self._longest)
            self._probing = False
        elif self.open:
            return
        self._failures += 1
        if self.open:
            self._open_until = now + self._rest

    def forget(self, *, probe: bool) -> None:
        """A request ended without telling anything about the host (it was cancelled)."""
        if probe:
            self._probing = False
