"""One star's whole way through the running hub, with GitHub's published payloads posted from outside."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from tests.config.hub_process import Process, data, request, wait_until

SECRET = "It's a Secret to Everybody"
OWNER = "github:21031067"
PATRON_ON_DISCORD = "discord:1033044521375764530"
LARGEST = 1_048_576


def signature(body: bytes) -> str:
    return "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()


@dataclass
class Desk:
    """What an outsider can do to a running hub: post to it, and ask its operator's command."""

    hub: Process
    flattr: Callable[..., Result]

    def post(self, body: bytes, signed: str | None = None, delivery: str = "1", event: str = "star") -> int:
        status, _ = request(
            f"{self.hub.address}/webhooks/github",
            body,
            {
                "X-Hub-Signature-256": signature(body) if signed is None else signed,
                "X-GitHub-Delivery": delivery,
                "X-GitHub-Event": event,
                "Content-Type": "application/json",
            },
        )
        return status

    def flattrs(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = data(self.flattr("flattrs", "--json"))["flattrs"]
        return found

    def letters(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = data(self.flattr("inbox", "list", "--json"))["deliveries"]
        return found

    def settled(self) -> None:
        wait_until(lambda: all(letter["state"] != "waiting" for letter in self.letters()))


@pytest.fixture
def desk(start: Callable[..., Process], flattr: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("FLATTR__CONNECTORS__GITHUB__WEBHOOK_SECRET", SECRET)
    desk = Desk(start(FLATTR__CONNECTORS__GITHUB__WEBHOOK_SECRET=SECRET), flattr)
    assert desk.hub.address
    assert flattr("say", PATRON_ON_DISCORD, "budget 35").exit_code == 0
    assert flattr("link", OWNER, PATRON_ON_DISCORD, "--since", "2019-01-01").exit_code == 0
    return desk


def test_created_replayed_deleted_and_created_again(desk: Desk, payloads: Path) -> None:
    created = (payloads / "github" / "star.created.json").read_bytes()
    deleted = (payloads / "github" / "star.deleted.json").read_bytes()
    again = json.dumps(json.loads(created) | {"starred_at": "2019-05-15T15:21:00Z"}).encode()

    assert desk.post(created) == 202
    desk.settled()
    [flattr] = desk.flattrs()
    assert (flattr["standing"], flattr["creator"]) == (True, OWNER)
    assert flattr["url"] == "https://github.com/Codertocat/Hello-World"

    assert desk.post(created) == 200
    assert desk.post(created, delivery="another", event="watch") == 200
    desk.settled()
    assert desk.flattrs() == [flattr]

    assert desk.post(deleted) == 202
    desk.settled()
    assert [each["standing"] for each in desk.flattrs()] == [False]
    assert desk.post(created, delivery="replayed after the unstar") == 200
    desk.settled()
    assert [each["standing"] for each in desk.flattrs()] == [False]

    assert desk.post(again) == 202
    desk.settled()
    assert desk.flattrs() == [flattr]
    assert desk.hub.stop() == 0


def test_what_github_did_not_sign_is_turned_away_and_nothing_of_it_is_stored(desk: Desk, payloads: Path) -> None:
    created = (payloads / "github" / "star.created.json").read_bytes()
    turned_away = {
        "forged": desk.post(created, "sha256=" + "0" * 64),
        "truncated": desk.post(created[:-100], signature(created)),
        "unsigned": desk.post(created, ""),
        "not UTF-8": desk.post(b"\xff\xfe" + created, signature(created)),
    }
    assert set(turned_away.values()) == {401}, turned_away
    assert desk.letters() == []
    assert desk.flattrs() == []


def test_an_oversized_delivery_is_refused_before_it_is_sent(desk: Desk) -> None:
    host, port = desk.hub.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(
            f"POST /webhooks/github HTTP/1.1\r\nHost: {host}\r\nContent-Length: {LARGEST + 1}\r\n\r\n".encode()
        )
        assert connection.recv(64).startswith(b"HTTP/1.1 413 ")
    assert desk.letters() == []


def test_what_is_signed_but_unreadable_is_kept_and_can_be_replayed(desk: Desk) -> None:
    assert desk.post(b'{"action": "created", "starred_at": \xff') == 202
    desk.settled()
    [letter] = desk.letters()
    assert letter["state"] == "dead"
    assert desk.flattr("inbox", "replay", str(letter["id"])).exit_code == 0
    desk.settled()
    assert [each["state"] for each in desk.letters()] == ["dead"], "it is still unreadable, and still kept"
    assert desk.flattrs() == []


def test_what_the_hub_does_not_need_is_taken_and_changes_nothing(desk: Desk, payloads: Path) -> None:
    for name in ("ping.with-app_id", "fork", "issues.opened", "watch.started"):
        assert desk.post((payloads / "github" / f"{name}.json").read_bytes()) == 202
    desk.settled()
    assert {each["state"] for each in desk.letters()} == {"done"}
    assert desk.flattrs() == []
