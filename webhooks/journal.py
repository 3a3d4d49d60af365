"""The log of deliveries: one JSON object a line, of allow-listed fields only.

Never a body, a header, a secret or an account: platform, outcome, status, the key's hash, milliseconds.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections import Counter
from functools import lru_cache
from typing import TextIO

from webhooks.metrics import Metrics

log = logging.getLogger("flattr.deliveries")


def write_to(stream: TextIO) -> None:
    """Send the log of deliveries to a stream as bare lines, past the handlers of the other logs."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log.handlers = [handler]
    log.propagate = False
    log.setLevel(logging.INFO)


class Journal:
    """Collects the deliveries of one turn of the event loop, and tells log and metrics of them at once.

    A commit answers many deliveries in one turn; a write for each would cost more than the delivery itself.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._turn: list[tuple[str, str, int, str | None, float]] = []

    def note(self, platform: str, outcome: str, status: int, key: str | None, seconds: float) -> None:
        """One delivery; ``platform`` and ``outcome`` are words of ours, not of who sent it."""
        if not self._turn:
            asyncio.get_running_loop().call_soon(self._tell)
        self._turn.append((platform, outcome, status, key, seconds))

    def _tell(self) -> None:
        turn, self._turn = self._turn, []
        for (platform, outcome), number in Counter((each[0], each[1]) for each in turn).items():
            self._metrics.deliveries.labels(platform, outcome).inc(number)
        for *_, seconds in turn:
            self._metrics.seconds.observe(seconds)
        if log.isEnabledFor(logging.INFO):
            log.info("\n".join([_line(*each) for each in turn]))


@lru_cache(maxsize=256)
def _head(platform: str, outcome: str, status: int) -> str:
    return json.dumps({"platform": platform, "outcome": outcome, "status": status})[:-1]


def _line(platform: str, outcome: str, status: int, key: str | None, seconds: float) -> str:
    hashed = "null" if key is None else f'"{hashlib.sha256(key.encode(errors="replace")).hexdigest()[:16]}"'
    return f'{_head(platform, outcome, status)}, "key": {hashed}, "ms": {seconds * 1000:.1f}}}'
