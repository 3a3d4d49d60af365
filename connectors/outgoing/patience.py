"""How often and how long a request is tried: full jitter, so that hubs and workers do not come back together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""Methods that mean the same when they arrive twice (RFC 9110, 9.2.2)."""

PASSING = frozenset({429, 500, 502, 503, 504})
"""Statuses that may be different a moment later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """At most ``attempts`` of ``each`` seconds at most; pauses of up to ``base`` seconds, doubling to ``cap``."""

    attempts: int = 4
    each: float = 20.0
    base: float = 0.5
    cap: float = 20.0

    def pause(self, attempt: int, chance: Callable[[], float]) -> float:
        """Seconds after the failed ``attempt`` (1, 2, ...): from 0 to base * 2 ** (attempt - 1), at most cap."""
        return chance() * min(self.cap, self.base * 2.0 ** min(attempt - 1, 30))
