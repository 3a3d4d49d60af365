"""A server that answers what a test has written down, for answers of Stripe's that are too odd for the fake."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answers = Mapping[str, tuple[int, Any] | list[tuple[int, Any]]]
"""By ``METHOD /path``; of several answers each is given once, the last from then on. Everything else: 404."""


def error(**fields: Any) -> dict[str, Any]:
    return {"error": {"message": "a message", "type": "invalid_request_error", **fields}}


@contextlib.contextmanager
def canned(answers: Answers) -> Iterator[str]:
    """The server's address."""
    left = {name: list(each) if isinstance(each, list) else [each] for name, each in answers.items()}

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            waiting = left.get(f"{self.command} {self.path.partition('?')[0]}", [(404, error(code="resource_missing"))])
            status, answer = waiting[0] if len(waiting) == 1 else waiting.pop(0)
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

        do_GET = do_POST = _answer  # noqa: N815

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
