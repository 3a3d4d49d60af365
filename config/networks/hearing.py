"""Whose deliveries this hub takes, and who records them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from config.networks.conversing import converse
from config.parts import Parts
from webhooks.intake import ConfiguredWebhook
from webhooks.metrics import Metrics
from webhooks.worker import Worker


def webhooks_of(parts: Parts) -> dict[str, ConfiguredWebhook]:
    """The connectors that are on and are called by their platform."""
    return {
        name: ConfiguredWebhook(connector=webhook, secrets=entry.secrets)
        for name, entry in parts.on.items()
        if (webhook := entry.webhook) is not None
    }


def worker_of(parts: Parts, *, metrics: Metrics | None = None, spoken: Callable[[], None] = lambda: None) -> Worker:
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
    )
