"""What the Stripe gateway never tells, whatever it hears."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from core.payments.gateway import Unknown
from core.payments.hosted import Unanswered
from tests.core.payments.at_stripe import Hub
from tests.platforms.stripe import cards

CANARY = "sk_test_CANARY51aB9"


class Parrot(BaseHTTPRequestHandler):
    """A server that repeats every secret it hears, in whatever it answers."""

    status = 400

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        heard = self.headers["authorization"].removeprefix("Bearer ")
        said = f"you said {heard} and whsec_CANARY and pi_1_secret_CANARY"
        error = {"message": said, "type": "invalid_request_error", "code": heard, "param": heard, "charge": heard}
        body = json.dumps({"error": error}).encode()
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Request-Id", "req_1")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""

    do_GET = do_POST = do_DELETE = _answer  # noqa: N815


@pytest.fixture
def parrot() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Parrot)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("status", [200, 301, 400, 401, 402, 403, 404, 409, 418, 429, 500, 503])
def test_the_key_is_in_no_reason_no_log_and_no_repr(
    hub: Hub, parrot: str, status: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Parrot, "status", status)
    caplog.set_level(logging.DEBUG)
    gateway = hub.new_gateway(key=CANARY, api=parrot)
    told: list[object] = [gateway, vars(gateway), gateway._desk, gateway._desk.stripe]
    request, known = hub.owed(), hub.owed(cards.INSUFFICIENT)
    hub.gateway.charge(known, hub.at)
    told += [
        gateway.charge(request, hub.at) if status != 200 else None,
        gateway.charge(known, hub.at),
        gateway.give_up(known.statement_id, hub.at),
        gateway.authenticate(known, done="https://hub.example/pay", at=hub.at),
        gateway.transfer(hub.payout("acct_1", asked_before=True), hub.at) if status != 200 else None,
        gateway.refund(hub.back(known), hub.at) if status != 200 else None,
        gateway.available_minor("EUR"),
    ]
    for question in (gateway.check, lambda: gateway.look_at_account("acct_1"), lambda: gateway.look_at_card("pm_1")):
        try:
            told.append(question())
        except Unanswered as error:
            told += [error, error.__cause__, error.args]
    everything = "\n".join([*map(repr, told), *map(str, told), caplog.text])
    assert "CANARY" not in everything


def test_a_proxys_page_is_no_answer(hub: Hub):
    class Page(Parrot):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            body = b"<html>Forbidden by the office</html>"
            self.send_response(403)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _answer  # noqa: N815

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        gateway = hub.new_gateway(api=f"http://127.0.0.1:{server.server_port}")
        assert isinstance(gateway.charge(hub.owed(), hub.at), Unknown)
        with pytest.raises(Unanswered):
            gateway.check()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
