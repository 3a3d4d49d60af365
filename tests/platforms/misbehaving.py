"""A platform on loopback that answers as told, and misbehaves on request: the base of the platforms' fakes.

A fake of a platform derives from `Misbehaving`, adds its routes and its state, and gets for nothing that
every request is remembered and that ``suffer(...)`` spoils the next ones.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One request as it arrived; header names in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    port: int


@dataclass(frozen=True, slots=True)
class Says:
    """A fault that is an answer: a status, perhaps with headers."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"a fault"


DROPS = "drops"
"""The connection ends without an answer."""
CUTS = "cuts"
"""The connection ends in the middle of a body whose length was told."""
CUTS_CHUNKED = "cuts chunked"
"""The connection ends between two chunks."""
STALLS = "stalls"
"""Nothing comes until the platform closes."""
STALLS_LATE = "stalls late"
"""Headers and the first bytes come, then nothing."""
Fault = Says | str


class Misbehaving:
    """Started by ``async with``; ``base`` is its address, ``heard`` what it was asked."""

    def __init__(self) -> None:
        self.base = ""
        self.port = 0
        self.heard: list[Heard] = []
        self.answers: dict[str, Handler] = {}
        """Path to what it answers; every other path answers {"ok": true}."""
        self._faults: deque[Fault] = deque()
        self._closing = asyncio.Event()
        self._changed = asyncio.Condition()
        self._runner: web.AppRunner | None = None

    def add_routes(self, app: web.Application) -> None:
        """What a fake platform serves; this one serves `answers`."""
        app.router.add_route("*", "/{path:.*}", self._answer)

    def suffer(self, *faults: Fault) -> None:
        """Spoil the next requests, one fault each."""
        self._faults.extend(faults)

    async def was_asked(self, times: int) -> None:
        """Wait until so many requests have come."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.heard) >= times)

    async def start(self) -> None:
        app = web.Application(middlewares=[self._spoiled])
        self.add_routes(app)
        # Handlers are not waited for: a stalled one would hold up the end of the test.
        self._runner = web.AppRunner(app, shutdown_timeout=0.01, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self.base = f"http://127.0.0.1:{self.port}"

    async def close(self) -> None:
        self._closing.set()
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @web.middleware
    async def _spoiled(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        peer = request.transport.get_extra_info("peername") if request.transport else None
        self.heard.append(
            Heard(
                method=request.method,
                path=request.path,
                query=dict(request.query),
                headers={name.lower(): value for name, value in request.headers.items()},
                body=await request.read(),
                port=peer[1] if peer else 0,
            )
        )
        async with self._changed:
            self._changed.notify_all()
        if not self._faults:
            return await handler(request)
        return await self._fail(request, self._faults.popleft())

    async def _fail(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if isinstance(fault, Says):
            return web.Response(status=fault.status, headers=fault.headers, body=fault.body)
        if fault in (CUTS, CUTS_CHUNKED, STALLS_LATE):
            answer = web.StreamResponse(headers={} if fault == CUTS_CHUNKED else {"Content-Length": "1000"})
            if fault == CUTS_CHUNKED:
                answer.enable_chunked_encoding()
            await answer.prepare(request)
            await answer.write(b'{"ok": true}')
        if fault in (STALLS, STALLS_LATE):
            await self._closing.wait()
        assert request.transport is not None
        # Closed, not aborted: what was written is sent first.
        request.transport.close()
        raise asyncio.CancelledError

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        handler = self.answers.get(request.path)
        return web.json_response({"ok": True}) if handler is None else await handler(request)


def always(status: int = 200, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Handler:
    """A handler that answers the same to everybody."""

    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, body=body, headers=headers)

    return handler


class Passing:
    """Time that passes only while somebody sleeps: a wall clock, a monotonic one, and the sleep itself."""

    def __init__(self, at: datetime = datetime(2026, 11, 10, 12, tzinfo=UTC)) -> None:
        self._began = at
        self.now = 0.0
        self.slept: list[float] = []

    def clock(self) -> datetime:
        return self._began + timedelta(seconds=self.now)

    def ticks(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        wakes = self.now + seconds
        await asyncio.sleep(0)
        self.now = max(self.now, wakes)

    @property
    def parts(self) -> dict[str, Any]:
        """What the client wants of it."""
        return {"clock": self.clock, "ticks": self.ticks, "sleep": self.sleep}
