"""A small platform for tests of the intake: it signs its bodies, asks whether we are there, and can be told to err."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiohttp import ClientSession, web

from connectors.base import Answer, Card, Delivery, Rejected, Secrets, Unreadable, read_json
from core.database import Database
from core.events import AccountRef, Event, Liked, Messaged, ThingRef, Unliked
from core.mail.sealing import Seal, new_key
from webhooks.intake import ConfiguredWebhook, Intake
from webhooks.metrics import Metrics
from webhooks.server import add_routes, runner_options
from webhooks.writer import Writer

SECRET = b"the post's secret"
LARGEST = 1000
SEAL = Seal([new_key()])


class Post:
    """The connector."""

    def __init__(self, platform: str = "post") -> None:
        self.card = Card(
            platform=platform,
            title="Post",
            route="webhook",
            abilities=frozenset(),
            what_counts="",
            creator="",
            largest_body=LARGEST,
            success_status=202,
        )

    def challenge(self, delivery: Delivery, secrets: Secrets) -> Answer | None:
        if "challenge" not in delivery.query:
            return None
        if delivery.query.get("token") != "right":
            raise Rejected("the token is wrong")
        return Answer(200, delivery.query["challenge"].encode())

    def verify(self, delivery: Delivery, secrets: Secrets) -> str:
        given = delivery.header("x-signature").encode(errors="replace")
        wanted = [hmac.new(secret, delivery.body, hashlib.sha256).hexdigest().encode() for secret in secrets["secret"]]
        if not any(hmac.compare_digest(given, each) for each in wanted):
            raise Rejected("the signature does not fit the body")
        if b"bug in verify" in delivery.body:
            raise KeyError("canary: " + delivery.body.decode())
        return hashlib.sha256(delivery.body).hexdigest()

    def translate(self, delivery: Delivery) -> Sequence[Event]:
        content = read_json(delivery.body)
        if "bug" in content:
            raise KeyError("canary: " + str(content["bug"]))
        if not isinstance(content.get("events"), list):
            raise Unreadable("there are\nno events in it")
        return [self._event(each) for each in content["events"]]

    def _event(self, said: dict[str, Any]) -> Event:
        by = AccountRef(platform="post", account_id=said["by"])
        if "text" in said:
            return Messaged(by=by, text=said["text"], message_id=said["id"])
        thing = ThingRef(platform="post", native_id=said["thing"], url=f"https://post.example/{said['thing']}")
        at = datetime.fromisoformat(said["at"])
        if "unlike" in said:
            return Unliked(by=by, thing=thing, at=at)
        return Liked(by=by, thing=thing, author=AccountRef(platform="post", account_id="author"), at=at)


def body_of(*events: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"events": events, **more}).encode()


def signed(body: bytes, secret: bytes = SECRET) -> dict[str, str]:
    return {"X-Signature": hmac.new(secret, body, hashlib.sha256).hexdigest()}


def delivery_of(body: bytes, at: datetime) -> Delivery:
    headers = {name.lower(): (value,) for name, value in signed(body).items()}
    return Delivery(method="POST", path="/webhooks/post", headers=headers, body=body, received_at=at)


@dataclass
class Office:
    """A running server with the post's connector, and a client that talks to it."""

    db: Database
    at: datetime
    intake: Intake = field(init=False)
    client: ClientSession = field(init=False)
    port: int = field(init=False)
    pokes: int = 0

    @contextlib.asynccontextmanager
    async def open(self, *, deadline: float = 15.0, **options: Any) -> AsyncIterator[Office]:
        metrics = Metrics()
        webhooks = {"post": ConfiguredWebhook(connector=Post(), secrets={"secret": (b"a newer secret", SECRET)})}
        writer = Writer(self.db, metrics, stored=self._poke, **options)
        self.intake = Intake(self.db, webhooks, SEAL, lambda: self.at, metrics=metrics, off=["asleep"], writer=writer)
        self.intake.start()
        app = web.Application()
        add_routes(app, self.intake, db=self.db, deadline=deadline)
        runner = web.AppRunner(app, **runner_options())
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.port = runner.addresses[0][1]
        async with ClientSession(f"http://127.0.0.1:{self.port}") as self.client:
            try:
                yield self
            finally:
                await runner.cleanup()
                await self.intake.close()

    def _poke(self) -> None:
        self.pokes += 1

    async def send(self, body: bytes, headers: dict[str, str] | None = None, to: str = "post") -> int:
        headers = signed(body) if headers is None else headers
        async with self.client.post(f"/webhooks/{to}", data=body, headers=headers) as response:
            return response.status

    async def figure(self, name: str) -> float:
        async with self.client.get("/metrics") as response:
            for line in (await response.text()).splitlines():
                if line.startswith(name + " "):
                    return float(line.rpartition(" ")[2])
        return 0.0
