"""The hub's real client over recorded answers: its patience, budgets and failures, without a socket or a pause."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from yarl import URL

from connectors.client import Client, Response, TooLarge, Unreachable
from connectors.kit.polling.vectors import Exchange, PollVector, Says
from connectors.outgoing.door import Door, Question, Trouble


class Recorded(Client):
    """Answers what was recorded, each exchange once; notes what else was asked.

    ``answers``: what to say instead, by the exchange's number; ``always``: the one answer to everything.
    """

    def __init__(
        self,
        vector: PollVector,
        hosts: Sequence[str],
        *,
        answers: Mapping[int, Says] | None = None,
        always: Says | None = None,
    ) -> None:
        time = _Passing(vector.at)
        super().__init__(
            clock=time.clock, hub="https://hub.example", sleep=time.sleep, ticks=time.ticks, chance=lambda: 0.0
        )
        self.door = _Recording(vector.exchanges, hosts, answers or {}, always)
        self._own = self._abroad = self.door


class _Recording(Door):
    """Where requests end."""

    def __init__(
        self, exchanges: Sequence[Exchange], hosts: Sequence[str], answers: Mapping[int, Says], always: Says | None
    ) -> None:
        super().__init__()
        self._exchanges, self._hosts, self._answers, self._always = exchanges, hosts, answers, always
        self._given: dict[tuple[str, str, bytes | None], Says] = {}
        self.used: dict[int, Question] = {}
        """Which exchanges were asked for, and how."""
        self.strays: list[str] = []
        """Requests that no recording answers."""
        self.elsewhere: list[str] = []
        """Hosts that are not on the card."""
        self.methods: set[str] = set()

    async def attempt(self, question: Question, seconds: float) -> Response | Trouble:
        """The recorded answer, as if it had come over the network."""
        self.methods.add(question.method)
        host = question.url.host or ""
        if not any(_fits(host, pattern) for pattern in self._hosts):
            self.elsewhere.append(host)
            return Trouble(Unreachable("another host"))
        says = self._says(question)
        if says is None:
            self.strays.append(f"{question.method} {question.url.path}")
            return Trouble(Unreachable("not recorded"))
        if says.drops:
            return Trouble(Unreachable("cut off"), passing=True)
        if len(says.body) > question.largest:
            return Trouble(TooLarge("too large"))
        return Response(status=says.status, headers=says.headers, body=says.body, url=str(question.url))

    def _says(self, question: Question) -> Says | None:
        if self._always is not None:
            return self._always
        same = (question.method, str(question.url), question.content)
        before = self._given.get(same)
        if before is not None and (before.drops or before.status == 429 or before.status >= 500):
            return before  # the client tries again; the platform is still unwell
        for number, exchange in enumerate(self._exchanges):
            if number not in self.used and asks(exchange, question):
                self.used[number] = question
                self._given[same] = self._answers.get(number, exchange.answer)
                return self._given[same]
        return None


class _Passing:
    """Time that passes only while somebody sleeps."""

    def __init__(self, at: datetime) -> None:
        self._at, self._now = at, 0.0

    def clock(self) -> datetime:
        return self._at

    def ticks(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self._now += seconds


def asks(exchange: Exchange, question: Question) -> bool:
    """Whether a request is the recorded one, in all that the recording names."""
    url: URL = question.url
    if (question.method, url.path) != (exchange.method, exchange.path):
        return False
    if any(url.query.get(name) != value for name, value in exchange.query.items()):
        return False
    content = (question.content or b"").decode("utf-8", errors="replace")
    if exchange.form and not set(exchange.form.items()) <= set(parse_qsl(content, keep_blank_values=True)):
        return False
    return exchange.json is None or _holds(_parsed(content), exchange.json)


def _holds(value: Any, part: Any) -> bool:
    """Whether all that ``part`` names is in ``value``; lists must be the same."""
    if isinstance(part, dict):
        return isinstance(value, dict) and all(name in value and _holds(value[name], part[name]) for name in part)
    return bool(value == part)


def _parsed(content: str) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None


def _fits(host: str, pattern: str) -> bool:
    return host == pattern or (pattern.startswith("*.") and host.endswith(pattern[1:]))
