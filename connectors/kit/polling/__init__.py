"""What the contract kit tries on a polling connector: recorded pages, and all that a platform may do instead."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path

from connectors.kit.polling import faults, meaning, secrecy
from connectors.kit.polling.subject import PollRule, PollSubject
from connectors.kit.polling.vectors import read_polls, said_page
from connectors.polling import PollingConnector

__all__ = ["poll_rules", "said_page"]


def poll_rules(connector: PollingConnector, folder: Path) -> list[tuple[str, Callable[[], None]]]:
    """Each rule by its name, to be called; BadVector for a folder that cannot be read."""
    if not isinstance(connector, PollingConnector):
        raise TypeError("not a polling connector: it lacks card, plan, poll or still")
    subject = PollSubject(connector=connector, vectors=read_polls(folder, connector.card.platform))
    rules = (*meaning.RULES, *faults.RULES, *secrecy.RULES)
    return [(name, partial(_run, rule, subject)) for name, rule in rules]


def _run(rule: PollRule, subject: PollSubject) -> None:
    async def run() -> None:
        await rule(subject)

    asyncio.run(run())
