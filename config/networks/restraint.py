"""Keeps forbidden actions off: a webhook connector that says nothing about what its operator did not accept."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from connectors.base import Answer, Card, Delivery, Secrets, WebhookConnector
from core.events import Cleared, Event, Liked, Messaged, Unliked

ENFORCED: Mapping[str, tuple[type[Event], ...]] = {"likes": (Liked, Unliked, Cleared), "messages": (Messaged,)}
"""Actions that can be kept off one by one, and the events they come as; others keep the whole connector off."""


@dataclass(frozen=True, slots=True)
class Restrained:
    """The connector, less the events of some actions."""

    connector: WebhookConnector
    off: Collection[str]

    @property
    def card(self) -> Card:
        """The connector's own."""
        return self.connector.card

    def challenge(self, delivery: Delivery, secrets: Secrets) -> Answer | None:
        """The connector's own."""
        return self.connector.challenge(delivery, secrets)

    def verify(self, delivery: Delivery, secrets: Secrets) -> str:
        """The connector's own."""
        return self.connector.verify(delivery, secrets)

    def translate(self, delivery: Delivery) -> Sequence[Event]:
        """What the delivery says, as far as it may be listened to."""
        unheard = tuple(kind for action in self.off for kind in ENFORCED[action])
        return [event for event in self.connector.translate(delivery) if not isinstance(event, unheard)]
