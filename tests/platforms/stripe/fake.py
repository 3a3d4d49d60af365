"""A Stripe on loopback: the real client talks to it by HTTP, tests move its levers and read its sums."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.platforms.stripe.answering import Answering, Lost
from tests.platforms.stripe.world import Clock


class FakeStripe(Answering):
    """See the modules below for what it can do: `Answering` and up its line of ancestors."""

    @classmethod
    @contextlib.contextmanager
    def serve(
        cls,
        clock: Clock = lambda: datetime.now(UTC),
        *,
        currency: str = "eur",
        secrets: Sequence[str] = (),
        honest: bool = True,
    ) -> Iterator[FakeStripe]:
        """A fake that listens, in a thread of its own; leaving without an exception asserts that all was honest.

        ``secrets``: of the platform's events, of connected accounts' events, of thin events.
        """
        fake = cls(clock=clock, currency=currency)
        if secrets:
            fake.webhook_secret, fake.connect_secret, fake.thin_secret = secrets
        server = _Server(fake)
        fake.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield fake
        finally:
            fake.closing.set()
            fake.release()
            server.shutdown()
            server.server_close()
            server.hang_up()
            thread.join()
        if honest:
            fake.assert_honest()

    @property
    def base_addresses(self) -> Any:
        """What `StripeClient(base_addresses=...)` wants."""
        at = self.address
        return {"api": at, "connect": at, "files": at, "meter_events": at}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, fake: FakeStripe) -> None:
        self.fake = fake
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Handler)

    def opened(self, connection: socket.socket) -> None:
        self._open.add(connection)

    def closed(self, connection: socket.socket) -> None:
        self._open.discard(connection)

    def hang_up(self) -> None:
        """Close what clients keep open."""
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that has gone is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.opened(self.connection)

    def finish(self) -> None:
        self.server.closed(self.connection)
        super().finish()

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""

    def _serve(self) -> None:
        fake = self.server.fake
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if not parts.path.startswith(("/v1/", "/v2/")):
            shown = fake.browse(self.command, parts.path, dict(parse_qsl(body.decode())))
            status, headers, told = shown or (404, {}, b"There is no such page.")
            self._write(status, headers, told)
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            answer = fake.answer(self.command, parts.path, parts.query, headers, body)
        except Lost:
            self._hang_up()
            return
        headers = {"Content-Type": "application/json", **answer.headers}
        if answer.cut:
            self._write(answer.status, headers, answer.whole, part=len(answer.whole) // 2)
            self._hang_up()
            return
        self._write(answer.status, headers, answer.whole)

    def _write(self, status: int, headers: dict[str, str], body: bytes, *, part: int | None = None) -> None:
        head = [f"HTTP/1.1 {status} {self.responses.get(status, ('',))[0]}", f"Content-Length: {len(body)}"]
        head += [f"{name}: {value}" for name, value in headers.items()]
        # In one piece: two would wait for each other (Nagle's algorithm and delayed acknowledgements).
        self.wfile.write("\r\n".join([*head, "", ""]).encode() + body[:part])

    def _hang_up(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_POST = do_DELETE = _serve  # noqa: N815
