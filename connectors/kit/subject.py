"""The connector under test: what it makes of a delivery; exceptions but the allowed ones break a rule."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from connectors.base import Answer, Card, Delivery, Rejected, Secrets, Unreadable, WebhookConnector
from connectors.kit.vectors import Vector
from core.events import Event

Signer = Callable[[Delivery, Secrets], Delivery]
"""The delivery as the platform would have signed it, under the first value of each secret."""

Standing = Callable[[Sequence[Event]], object]
"""What stands after events were received in this order, in any form that can be compared."""

Rule = Callable[["Subject"], None]


def fresh_secret(number: int) -> bytes:
    """The n-th secret that nobody else uses."""
    return b"canary-" + hashlib.sha256(b"%d" % number).hexdigest().encode()


def broken(what: str, remedy: str) -> NoReturn:
    """The rule does not hold: say what happened and what to do."""
    raise AssertionError(f"{what}\nremedy: {remedy}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A webhook connector, its recordings, and its author's signer."""

    connector: WebhookConnector
    vectors: tuple[Vector, ...]
    sign: Signer
    fresh: Callable[[int], bytes] = fresh_secret
    standing: Standing | None = None

    @property
    def card(self) -> Card:
        """The connector's claims."""
        return self.connector.card

    @property
    def genuine(self) -> tuple[Vector, ...]:
        """The recordings that must verify; a folder without any shows nothing."""
        vectors = tuple(vector for vector in self.vectors if vector.genuine)
        if not vectors:
            broken("no recording says events or unreadable", "record a genuine request of the platform")
        return vectors

    @property
    def telling(self) -> tuple[Vector, ...]:
        """The recordings that mean at least one event."""
        return tuple(vector for vector in self.vectors if vector.events)

    def events(self) -> Iterator[tuple[Vector, Event]]:
        """Every event that the recordings are translated to."""
        for vector in self.genuine:
            for event in self.told(vector.delivery, vector.name) or ():
                yield vector, event

    def verdict(self, delivery: Delivery, secrets: Secrets, what: str) -> str | None:
        """The key that verify gives, or None for a rejection."""
        try:
            return self.connector.verify(handed(delivery), dict(secrets))
        except Rejected:
            return None
        except Exception as error:  # noqa: BLE001 - that nothing else leaves it is the rule
            broken(
                f"verify raised {error!r} for {what}",
                "turn every malformed input into Rejected; read headers with delivery.header()",
            )

    def accepted(self, vector: Vector, delivery: Delivery | None = None, secrets: Secrets | None = None) -> str:
        """The key of a delivery that must verify."""
        key = self.verdict(delivery or vector.delivery, vector.secrets if secrets is None else secrets, vector.name)
        if key is None:
            broken(
                f"{vector.name} is rejected",
                "check the signature over the raw body, and that the recording's bytes, headers, secrets and "
                "received_at are those of the request",
            )
        return key

    def told(self, delivery: Delivery, what: str) -> tuple[Event, ...] | None:
        """The events of a delivery, or None if it cannot be read."""
        try:
            events = self.connector.translate(handed(delivery))
        except Unreadable:
            return None
        except Exception as error:  # noqa: BLE001 - that nothing else leaves it is the rule
            broken(
                f"translate raised {error!r} for {what}",
                "read the body with read_json() and turn whatever is not as documented into Unreadable",
            )
        if not isinstance(events, Sequence):
            broken(f"translate gave {type(events).__name__} for {what}", "return a tuple of events")
        for event in events:
            if not isinstance(event, Event):
                broken(f"translate gave {event!r} for {what}", "return only events of core.events")
        return tuple(events)

    def challenged(self, delivery: Delivery, secrets: Secrets, what: str) -> Answer | None:
        """The answer to a challenge; None for an ordinary delivery or a rejection."""
        try:
            return self.connector.challenge(handed(delivery), dict(secrets))
        except Rejected:
            return None
        except Exception as error:  # noqa: BLE001 - that nothing else leaves it is the rule
            broken(f"challenge raised {error!r} for {what}", "turn every malformed question into Rejected")

    def signed(self, delivery: Delivery, secrets: Secrets) -> Delivery:
        """The delivery with a fresh signature by the author's signer."""
        try:
            return self.sign(delivery, secrets)
        except Exception as error:  # noqa: BLE001 - the author's own function
            broken(f"sign raised {error!r} for a body of {len(delivery.body)} bytes", "sign any bytes")

    def with_secrets(self, vector: Vector, number: int) -> dict[str, tuple[bytes, ...]]:
        """A recording's secrets, each replaced by a fresh one."""
        return {name: (self.fresh(number),) for name in vector.secrets}

    def credentials(self, vector: Vector) -> frozenset[str]:
        """The headers that depend on a secret: what proves that the delivery is the platform's."""
        here = self.signed(vector.delivery, self.with_secrets(vector, 1)).headers
        there = self.signed(vector.delivery, self.with_secrets(vector, 2)).headers
        names = frozenset(name for name in here if here[name] != there.get(name))
        if not names:
            broken(
                f"no header depends on a secret when {vector.name} is signed",
                "let sign() put the signature into delivery.headers, and name the secrets in the recording",
            )
        return names

    def covers_body(self, vector: Vector) -> bool:
        """Whether the platform signs the body at all (some send a bare token)."""
        secrets = self.with_secrets(vector, 1)
        other = replace(vector.delivery, body=vector.delivery.body + b" ")
        here, there = self.signed(vector.delivery, secrets), self.signed(other, secrets)
        return any(here.headers[name] != there.headers.get(name) for name in self.credentials(vector))


def handed(delivery: Delivery) -> Delivery:
    """A copy to hand over, so that a connector that alters it does not alter the recording."""
    return replace(delivery, headers=dict(delivery.headers), query=dict(delivery.query))


def full(event: Event) -> tuple[str, dict[str, Any]]:
    """Everything that an event says, decoration included, for comparison."""
    return type(event).__name__, dataclasses.asdict(event)


def alike(one: Sequence[Event] | None, other: Sequence[Event] | None) -> bool:
    """Whether two translations say the same, to the last word of decoration."""
    if one is None or other is None:
        return one is other
    return [full(each) for each in one] == [full(each) for each in other]


def with_header(delivery: Delivery, name: str, *values: str) -> Delivery:
    """The delivery with one header set to these values; none: without it."""
    headers: dict[str, tuple[str, ...]] = {each: kept for each, kept in delivery.headers.items() if each != name}
    if values:
        headers[name] = values
    return replace(delivery, headers=headers)


def places(length: int, most: int = 16_384) -> Iterator[int]:
    """Every position of a short text, evenly spread ones (with both ends) of a long one."""
    if length <= most:
        yield from range(length)
        return
    yield from (position * (length - 1) // (most - 1) for position in range(most))


def named(headers: Mapping[str, tuple[str, ...]]) -> str:
    """Header names for a message (values may be secret)."""
    return ", ".join(sorted(headers)) or "none"
