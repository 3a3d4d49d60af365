"""The HTTP side of the intake: bytes and headers become a delivery, within limits of size and time."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from aiohttp import hdrs, web

from connectors.base import Answer, Delivery
from core.database import Database
from webhooks.intake import Intake

RETRY_AFTER = "10"
"""Seconds after which a platform that heard 503 may come again."""

KEEP_ALIVE = 15.0
"""Seconds that a connection may idle."""


def runner_options() -> dict[str, Any]:
    """What `aiohttp.web.AppRunner` must be given for the limits to hold.

    No automatic decompression: a small body must not become a large one before it is verified. Lingering lets a
    sender that was refused early read the answer, but not keep the connection by sending on.
    """
    return {
        "keepalive_timeout": KEEP_ALIVE,
        "lingering_time": 2.0,
        "auto_decompress": False,
        "access_log": None,
        "handler_cancellation": False,
    }


def add_routes(app: web.Application, intake: Intake, *, db: Database, deadline: float = 15.0) -> None:
    """Serve /webhooks/{platform}, /livez, /readyz and /metrics.

    ``deadline`` is the number of seconds in which a delivery's body must have come.
    """
    door = _Door(intake, db, deadline)
    # A route for each connector that is on, since plain paths are found faster; the last one is for all others.
    for path in (*(f"/webhooks/{name}" for name in intake.connectors), "/webhooks/{platform}"):
        webhook = app.router.add_resource(path)
        for method in ("GET", "POST"):
            webhook.add_route(method, door.take, expect_handler=door.expect)
    app.router.add_get("/livez", door.live)
    app.router.add_get("/readyz", door.ready)
    app.router.add_get("/metrics", door.metrics)


class _Door:
    def __init__(self, intake: Intake, db: Database, deadline: float) -> None:
        self._intake = intake
        self._db = db
        self._deadline = deadline
        self._probe: asyncio.Task[None] | None = None

    async def expect(self, request: web.Request) -> web.StreamResponse | None:
        """Who asks before sending a body (Expect: 100-continue) is told at once if it will not be read."""
        refused = self._intake.refuse(_platform(request), request.content_length or 0)
        if refused is not None:
            return _response(refused, close=True)
        if request.transport is not None and request.headers.get(hdrs.EXPECT, "").lower() == "100-continue":
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return None

    async def take(self, request: web.Request) -> web.StreamResponse:
        platform = _platform(request)
        started = time.perf_counter()
        refused = self._intake.refuse(platform, request.content_length or 0)
        if refused is not None:
            return _response(refused, close=True)
        if request.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
            return _response(self._intake.encoded(platform, started), close=True)
        largest = self._intake.connectors[platform].connector.card.largest_body
        try:
            body = await self._read(request, largest)
        except (TimeoutError, web.RequestPayloadError, ConnectionError):
            return _response(self._intake.too_slow(platform, started), close=True)
        if body is None:
            return _response(self._intake.too_large(platform, started), close=True)
        headers: dict[str, tuple[str, ...]] = {}
        for name, value in request.headers.items():
            name = name.lower()
            headers[name] = (*headers[name], value) if name in headers else (value,)
        delivery = Delivery(
            method=request.method,
            path=request.path,
            query=dict(request.query) if request.query_string else {},
            headers=headers,
            body=body,
            received_at=self._intake.clock(),
        )
        return _response(await self._intake.take(platform, delivery))

    async def _read(self, request: web.Request, largest: int) -> bytes | None:
        """The whole body; None if it is larger than that, TimeoutError if it does not come in time."""
        content = request.content
        if content.is_eof():  # it came with its headers, as most do: no need for a clock
            body = content.read_nowait()
            return body if len(body) <= largest else None
        chunks = []
        size = 0
        async with asyncio.timeout(self._deadline):
            while chunk := await content.readany():
                size += len(chunk)
                if size > largest:
                    return None
                chunks.append(chunk)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def live(self, request: web.Request) -> web.StreamResponse:
        """The process answers."""
        return web.Response(text="alive\n")

    async def ready(self, request: web.Request) -> web.StreamResponse:
        """A row was committed just now, so that a delivery would be too."""
        if trouble := self._intake.writer.trouble():
            return web.Response(status=503, text=f"{trouble}\n", headers={"Retry-After": RETRY_AFTER})
        # All who ask share one probe: asking often must neither cost a commit each nor pile up behind a lock.
        if self._probe is None or self._probe.done():
            self._probe = asyncio.create_task(self._intake.writer.probe(self._intake.clock()))
        try:
            await asyncio.wait_for(asyncio.shield(self._probe), 3)
        except Exception as error:  # noqa: BLE001 - whatever the reason is, we are not ready
            text = f"not ready: {type(error).__name__}\n"
            return web.Response(status=503, text=text, headers={"Retry-After": RETRY_AFTER})
        return web.Response(text="ready\n")

    async def metrics(self, request: web.Request) -> web.StreamResponse:
        """The figures for Prometheus."""
        body = await asyncio.to_thread(self._intake.metrics.measure, self._db, self._intake.clock())
        return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


def _platform(request: web.Request) -> str:
    return request.match_info.get("platform") or request.path.removeprefix("/webhooks/")


def _response(answer: Answer, *, close: bool = False) -> web.Response:
    if not answer.body:
        response = web.Response(status=answer.status)
    else:
        response = web.Response(status=answer.status, body=answer.body, content_type=answer.content_type)
    if answer.status == 503:
        response.headers["Retry-After"] = RETRY_AFTER
    if close:
        response.force_close()  # what is left of the body is not worth reading
    return response
