"""Events on their way to the hub: signed, in order or not, once or more often, until they are accepted."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.platforms.stripe.looking import Looking
from tests.platforms.stripe.world import Object

Post = Callable[[bytes, Mapping[str, str]], int]


def signature(body: bytes, secret: str, at: int) -> str:
    """The Stripe-Signature header."""
    told = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={told}"


@dataclass(frozen=True)
class Delivery:
    """One event, as it is posted."""

    kind: str
    id: str
    body: bytes
    secret: str
    at: int

    @property
    def headers(self) -> dict[str, str]:
        """With the signature of the time it was made."""
        return self.signed(self.at)

    def signed(self, at: int, secret: str | None = None) -> dict[str, str]:
        """With the signature of another time (seconds since 1970), or by another secret."""
        return {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": signature(self.body, secret or self.secret, at),
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        }


class Delivering(Looking):
    """`take_events`, `shuffled`, `deliver`."""

    keeps_trying = 3 * 24 * 3600
    """Seconds after which an event that nobody accepts is given up."""
    enabled_events: frozenset[str] | None = None
    """Only these kinds are delivered; None: all."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self.webhook_secret = "whsec_fake_platform"
        self.connect_secret = "whsec_fake_connected"
        self.thin_secret = "whsec_fake_thin"
        self._undelivered: list[Object] = []

    def told(self, event: Object) -> None:
        """A new event waits to be delivered."""
        if self.enabled_events is None or event["type"] in self.enabled_events:
            self._undelivered.append(event)

    @property
    def undelivered(self) -> int:
        """How many events wait."""
        with self.lock:
            self.tick()
            return len(self._undelivered)

    def delivery(self, event: Object) -> Delivery:
        """An event as it is posted now."""
        secret = self.webhook_secret
        if event["object"] == "v2.core.event":
            secret = self.thin_secret
        elif "account" in event:
            secret = self.connect_secret
        body = json.dumps(self.shown(event), indent=2).encode()
        return Delivery(event["type"], event["id"], body, secret, self.now())

    def take_events(self) -> list[Delivery]:
        """All that wait, in the order in which they happened; they don't wait any more."""
        with self.lock:
            self.tick()
            taken, self._undelivered = self._undelivered, []
            return [self.delivery(each) for each in taken]

    def shuffled(
        self, chance: random.Random, *, lost: float = 0.0, doubled: float = 0.2, late: float = 0.2
    ) -> list[Delivery]:
        """Those that wait in any order: some never come, some come twice, some wait for the next time."""
        with self.lock:
            self.tick()
            taken, self._undelivered = self._undelivered, []
            chosen: list[Object] = []
            for each in taken:
                if chance.random() < lost:
                    continue
                if chance.random() < late:
                    self._undelivered.append(each)
                    continue
                chosen += [each, each] if chance.random() < doubled else [each]
            chance.shuffle(chosen)
            return [self.delivery(each) for each in chosen]

    def deliver(self, post: Post, chance: random.Random | None = None, **likely: float) -> int:
        """Post what waits; what isn't accepted (2xx) waits again, for three days. How many were accepted."""
        with self.lock:
            waiting = {each["id"]: each for each in self._undelivered}
        deliveries = self.take_events() if chance is None else self.shuffled(chance, **likely)
        accepted = 0
        for each in deliveries:
            if 200 <= post(each.body, each.headers) < 300:
                accepted += 1
                continue
            with self.lock:
                event = waiting.get(each.id) or self.objects[each.id]
                made = event["created"] if isinstance(event["created"], int) else self.now()
                if event not in self._undelivered and self.now() - made < self.keeps_trying:
                    self._undelivered.append(event)
        return accepted
