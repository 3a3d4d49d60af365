"""Takes deliveries in: verified, stored under their key, and only then acknowledged."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from connectors.base import Answer, Card, Delivery, Rejected, Secrets
from core.database import Database
from core.errands.keeping import Notified
from core.events import Event
from core.mail.faults import place_of
from core.mail.inbox import Incoming
from core.mail.sealing import Seal
from webhooks.journal import Journal
from webhooks.metrics import Metrics
from webhooks.packing import pack
from webhooks.writer import Unavailable, Writer

log = logging.getLogger("flattr.webhooks")


class Caller(Protocol):
    """Who calls on the hub: a webhook connector, or the payment processor, which has errands for us instead."""

    @property
    def card(self) -> Card:
        """The facts about it."""

    def challenge(self, delivery: Delivery, secrets: Secrets) -> Answer | None:
        """As `connectors.base.WebhookConnector` has it."""

    def verify(self, delivery: Delivery, secrets: Secrets) -> str:
        """As `connectors.base.WebhookConnector` has it."""

    def translate(self, delivery: Delivery) -> Sequence[Event | Notified]:
        """As `connectors.base.WebhookConnector` has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguredWebhook:
    """A connector that is on, with the secrets it verifies by."""

    connector: Caller
    secrets: Secrets = field(repr=False)


class Intake:
    """The door for deliveries of every platform, whatever brought them (HTTP, or the sandbox's page).

    ``off`` names connectors that exist but are switched off, so that their platform hears which it is; ``poke`` is
    called after new deliveries are committed. `start` it on the loop, `close` it before the loop ends.
    """

    def __init__(
        self,
        db: Database,
        connectors: Mapping[str, ConfiguredWebhook],
        seal: Seal,
        clock: Callable[[], datetime],
        *,
        metrics: Metrics | None = None,
        poke: Callable[[], None] = lambda: None,
        off: Collection[str] = (),
        writer: Writer | None = None,
    ) -> None:
        self.connectors = connectors
        self.clock = clock
        self.metrics = metrics or Metrics()
        self.writer = writer or Writer(db, self.metrics, stored=poke)
        self._journal = Journal(self.metrics)
        self._seal = seal
        self._off = frozenset(off)

    def start(self) -> None:
        """Begin to take deliveries."""
        self.writer.start()

    async def close(self) -> None:
        """Answer 503 from now on, and return when everything taken is committed."""
        await self.writer.close()

    def refuse(self, platform: str, size: int) -> Answer | None:
        """The answer to a delivery that need not be read: unknown, too large, or no room for it."""
        started = time.perf_counter()
        webhook = self.connectors.get(platform)
        if webhook is None:
            if platform in self._off:
                text = f"the connector {platform} is switched off here"
            else:
                known = ", ".join(sorted(self.connectors)) or "none"
                text = f"no connector of that name; known: {known}"
            return self._answer("unknown", "unknown", 404, started, text)
        if size > webhook.connector.card.largest_body:
            return self.too_large(platform, started)
        if trouble := self.writer.trouble():
            return self._answer(platform, "unavailable", 503, started, f"come again later: {trouble}")
        return None

    def too_large(self, platform: str, started: float) -> Answer:
        """The answer to a body larger than the connector's card says."""
        largest = self.connectors[platform].connector.card.largest_body
        return self._answer(platform, "too large", 413, started, f"larger than {largest} bytes")

    def too_slow(self, platform: str, started: float) -> Answer:
        """The answer to a body that did not come in time, or not as a whole."""
        return self._answer(platform, "too slow", 408, started, "the body did not arrive in time")

    def encoded(self, platform: str, started: float) -> Answer:
        """The answer to a compressed body: platforms sign and send theirs plain, and we unpack nothing unverified."""
        return self._answer(platform, "encoded", 415, started, "send the body without a Content-Encoding")

    async def receive(self, platform: str, delivery: Delivery) -> Answer:
        """Take one delivery and say what the platform is to hear; never raises for what a delivery contains.

        202 (or what the card says) new and committed, 200 a repeat, 401 not believed, 404 unknown, 413 too large,
        503 not stored, 500 a bug of ours: nothing was stored.
        """
        refused = self.refuse(platform, len(delivery.body))
        return await self.take(platform, delivery) if refused is None else refused

    async def take(self, platform: str, delivery: Delivery) -> Answer:
        """What `receive` does with a delivery that `refuse` has nothing against."""
        started = time.perf_counter()
        webhook = self.connectors[platform]
        try:
            answer = webhook.connector.challenge(delivery, webhook.secrets)
            if answer is not None:
                self._note(platform, "challenge", answer.status, started)
                return answer
            key = webhook.connector.verify(delivery, webhook.secrets)
        except Rejected as rejected:
            return self._answer(platform, "rejected", 401, started, f"not believed: {_plain(rejected)}")
        except Exception as error:  # noqa: BLE001 - a connector's bug must not end the connection without an answer
            return self._bug(platform, error, started)
        item = Incoming(
            platform=platform,
            key=key,
            received_at=delivery.received_at,
            sealed=self._seal.seal(pack(delivery, hurry=self.writer.busy)),
        )
        try:
            new = await self.writer.put(item)
        except Unavailable:
            text = "come again later: it could not be stored"
            return self._answer(platform, "unavailable", 503, started, text, key)
        except Exception as error:  # noqa: BLE001 - as above
            return self._bug(platform, error, started, key)
        if new:
            return self._answer(platform, "stored", webhook.connector.card.success_status, started, "", key)
        return self._answer(platform, "repeated", 200, started, "", key)

    def _bug(self, platform: str, error: Exception, started: float, key: str | None = None) -> Answer:
        log.error("a bug in taking a delivery from %s: %s; nothing was stored", platform, place_of(error))
        return self._answer(platform, "bug", 500, started, "our mistake; nothing was stored", key)

    def _answer(
        self, platform: str, outcome: str, status: int, started: float, text: str, key: str | None = None
    ) -> Answer:
        self._note(platform, outcome, status, started, key)
        return Answer(status, text.encode())

    def _note(self, platform: str, outcome: str, status: int, started: float, key: str | None = None) -> None:
        self._journal.note(platform, outcome, status, key, time.perf_counter() - started)


def _plain(rejected: Rejected) -> str:
    return str(rejected).encode("ascii", "backslashreplace").decode()[:200]
