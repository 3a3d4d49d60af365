"""The hub's only door out: how a connector asks its platform over HTTP.

`Client.request` waits its turn in the platform's budget, repeats what may be repeated, gives up on a platform
that is down, reads no more than it was told to, and goes nowhere that a user must not send the hub.
"""

from __future__ import annotations

import asyncio
import json as json_format
import random
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Self
from urllib.parse import urlencode

from aiohttp import AddrInfoType
from aiohttp.abc import AbstractResolver
from yarl import URL

from connectors.outgoing import places
from connectors.outgoing.breaker import Breaker
from connectors.outgoing.budget import Allowance, Budget
from connectors.outgoing.door import Door, Question
from connectors.outgoing.errand import Asked, Errand, Runner
from connectors.outgoing.failures import Forbidden, Garbled, Limited, TooLarge, Unanswered, Unreachable
from connectors.outgoing.hiding import shown
from connectors.outgoing.pace import Shelf
from connectors.outgoing.patience import REPEATABLE, Patience
from connectors.outgoing.response import Response

__all__ = [
    "Allowance",
    "Asked",
    "Client",
    "Forbidden",
    "Garbled",
    "Limited",
    "Patience",
    "Response",
    "TooLarge",
    "Unanswered",
    "Unreachable",
]

MIB = 1_048_576
"""Bytes; the largest answer unless the caller says otherwise."""

OWN_SECONDS, FOREIGN_SECONDS = 60.0, 10.0
"""How long a caller waits in all, unless it says otherwise."""

MOST_HOPS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_PLATFORM = Allowance(requests=300, seconds=60)
_STRANGER = Allowance(requests=30, seconds=60)


class Client:
    """One for the whole process; use as ``async with Client(clock=..., hub=...) as client``.

    ``clock`` tells the wall time (for limits given as dates), ``hub`` is the hub's public address, for the
    User-Agent. ``allowances``: what the hub allows itself per platform, and ``account_allowances`` per account there
    (default: the same; else 300 requests a minute), below the platform's own limits. ``observe`` hears of every
    attempt.

    Tests give ``sleep``, ``ticks`` (monotonic seconds), ``chance`` (0 <= x < 1), and for foreign URLs the
    ``resolver`` and ``connect`` (makes the socket for an address that was found fit).
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime],
        hub: str,
        allowances: Mapping[str, Allowance] | None = None,
        account_allowances: Mapping[str, Allowance] | None = None,
        patience: Patience | None = None,
        observe: Callable[[Asked], None] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        ticks: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
        resolver: AbstractResolver | None = None,
        connect: Callable[[AddrInfoType], socket.socket] = places.plain,
    ) -> None:
        self._ticks = ticks
        self._name = f"flattr-hub (+{hub})"
        self._runner = Runner(
            clock=clock,
            patience=patience or Patience(),
            observe=observe or (lambda _: None),
            sleep=sleep,
            ticks=ticks,
            chance=chance,
        )
        allowed, each = dict(allowances or {}), dict(account_allowances or {})

        def budget(key: tuple[str, str]) -> Budget:
            platform, account = key
            shared = allowed.get(platform, _PLATFORM)
            return Budget(each.get(platform, shared) if account else shared)

        # As many as a hub has accounts: what is pushed out is learnt anew, by asking once.
        self._budgets: Shelf[tuple[str, str], Budget] = Shelf(budget, most=100_000)
        self._breakers: Shelf[tuple[str, str], Breaker] = Shelf(lambda _: Breaker())
        # Strangers' hosts are kept apart: however many come, they push none of our platforms' limits out.
        self._strangers: Shelf[str, Budget] = Shelf(lambda _: Budget(_STRANGER))
        self._stranger_breakers: Shelf[str, Breaker] = Shelf(lambda _: Breaker())
        self._own = Door()
        self._abroad = Door(resolver=resolver, connect=places.guarded(connect), pooled=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections; the client cannot be used afterwards."""
        await self._own.close()
        await self._abroad.close()

    async def request(
        self,
        method: str,
        url: str,
        *,
        platform: str,
        account: str | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        json: object = None,
        form: Mapping[str, str] | None = None,
        body: bytes | None = None,
        largest: int = MIB,
        foreign: bool = False,
        repeatable: bool | None = None,
        within: float | None = None,
    ) -> Response:
        """Ask once, patiently; the answer of any status but 429 and 5xx (and 403 with Retry-After).

        ``account``: whose budget at the platform is used, where it counts by token (each value has its own
        pace). ``params`` are added to the URL's own. At most one of ``json``, ``form`` and ``body``.
        ``largest``: bytes of the body, unpacked. ``foreign``: the URL (or its host) comes from a user or a
        page: only public addresses on ports 80 and 443, no user info, each redirect (at most 5) checked again.
        Without it redirects are followed within the same origin only; another's 3xx is returned as it is.
        ``repeatable``: may be sent twice (default: by the method; say True for a GraphQL query by POST).
        ``within``: seconds for everything, waiting included (default 60; 10 when foreign).

        Raises only `Unanswered`: Unreachable, Limited, TooLarge, Forbidden, Garbled.
        """
        seconds = (FOREIGN_SECONDS if foreign else OWN_SECONDS) if within is None else within
        until = self._ticks() + seconds
        target = places.checked(url) if foreign else _own(url)
        content, kind = _content(json, form, body)
        question = Question(
            method=method.upper(),
            url=target.extend_query(params or {}),
            headers=self._headers(headers or {}, kind),
            content=content,
            largest=largest,
        )
        if repeatable is None:
            repeatable = question.method in REPEATABLE
        hops = 0
        while True:
            response = await self._runner.run(
                self._errand(question, platform, account, foreign=foreign, repeatable=repeatable, until=until)
            )
            following = _next_hop(question, response, foreign=foreign)
            if following is None:
                return response
            hops += 1
            if hops > MOST_HOPS:
                raise Forbidden(f"{shown(url)}: more than {MOST_HOPS} redirects; give the address they end at")
            question = question.at(following)

    def _errand(
        self, question: Question, platform: str, account: str | None, *, foreign: bool, repeatable: bool, until: float
    ) -> Errand:
        host = f"{question.url.raw_host}:{question.url.port}"
        if foreign:
            breaker, budgets = self._stranger_breakers[host], [self._strangers[host]]
        else:
            breaker, budgets = self._breakers[platform, host], [self._budgets[platform, ""]]
            if account is not None:
                budgets.append(self._budgets[platform, f"@{account}"])
        return Errand(
            platform=platform,
            host="" if foreign else host,
            question=question,
            door=self._abroad if foreign else self._own,
            breaker=breaker,
            budgets=budgets,
            repeatable=repeatable,
            until=until,
        )

    def _headers(self, given: Mapping[str, str], kind: str | None) -> dict[str, str]:
        """Lower-case names, so that a caller's own header replaces ours; who we are is not the caller's choice."""
        ours = {"accept": "*/*"} | ({"content-type": kind} if kind else {})
        fixed = {"user-agent": self._name, "accept-encoding": "gzip"}
        return ours | {name.lower(): value for name, value in given.items()} | fixed


def _own(url: str) -> URL:
    """A configured address with what the connector appended to it."""
    try:
        parsed = URL(url)
        sound = parsed.scheme in ("http", "https") and bool(parsed.raw_host) and parsed.port is not None
    except ValueError:
        sound = False
    if not sound:
        raise Forbidden("the platform's base address is not an http address; check the settings")
    return parsed


def _content(json: object, form: Mapping[str, str] | None, body: bytes | None) -> tuple[bytes | None, str | None]:
    """The bytes to send and their type."""
    if sum(each is not None for each in (json, form, body)) > 1:
        raise TypeError("give only one of json, form and body")
    if json is not None:
        return json_format.dumps(json, separators=(",", ":")).encode(), "application/json"
    if form is not None:
        return urlencode(form).encode(), "application/x-www-form-urlencoded"
    return body, None


def _next_hop(question: Question, response: Response, *, foreign: bool) -> URL | None:
    """Where a redirect leads, if it is to be followed: anywhere that is fit, or within our platform's origin."""
    location = response.headers.get("location")
    if response.status not in _REDIRECTS or not location or question.method not in ("GET", "HEAD"):
        return None
    if foreign:
        return places.checked(places.joined(question.url, location))
    try:
        target = question.url.join(URL(location)).with_fragment(None)
        return target if target.origin() == question.url.origin() else None
    except ValueError:
        return None
