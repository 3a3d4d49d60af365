"""Whose deliveries this hub takes, and who records them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from config.networks.conversing import converse
from config.parts import Parts
from config.payments.processor import hosted
from webhooks.intake import ConfiguredWebhook
from webhooks.metrics import Metrics
from webhooks.stripe import SECRET, StripeEvents
from webhooks.worker import Worker


def webhooks_of(parts: Parts) -> dict[str, ConfiguredWebhook]:
    """The connectors that are on and are called by their platform; Stripe, where it moves the money."""
    called = {
        name: ConfiguredWebhook(connector=webhook, secrets=entry.secrets)
        for name, entry in parts.on.items()
        if (webhook := entry.webhook) is not None
    }
    return called | _processor(parts)


def _processor(parts: Parts) -> dict[str, ConfiguredWebhook]:
    if hosted(parts.gateway) is None:
        return {}
    secrets = tuple(each.get_secret_value().encode() for each in parts.settings.stripe.webhook_secret)
    given = {SECRET: tuple(secret for secret in secrets if secret)}
    return {"stripe": ConfiguredWebhook(connector=StripeEvents(), secrets=given)}


def worker_of(
    parts: Parts,
    *,
    metrics: Metrics | None = None,
    spoken: Callable[[], None] = lambda: None,
    noted: Callable[[], None] = lambda: None,
) -> Worker:
    """What records stored deliveries, in a running hub or for `flattr inbox replay`; see Worker for the arguments."""
    connectors = {name: webhook.connector for name, webhook in webhooks_of(parts).items()}
    return Worker(
        parts.db,
        parts.rules,
        connectors,
        parts.seal,
        partial(converse, parts),
        parts.clock,
        metrics=metrics,
        spoken=spoken,
        noted=noted,
    )
