"""Tries the networks' set-up at the networks themselves, for `flattr doctor`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence

from config import clock as clocks
from config.commands.diagnosis.findings import Finding
from config.networks.askers import askers_of, client_of
from config.networks.roster import Entry
from config.parts import Parts
from connectors.base import Addresses, Asker, Checked, CheckingConnector
from connectors.client import Unanswered
from core.mail.faults import place_of

PATIENCE = 20.0
"""Seconds that one network has to answer."""


def networks(parts: Parts) -> list[Finding]:
    """What every network that is on says about its set-up; all are asked at once, and none is changed."""
    log = logging.getLogger("connectors")
    before = log.level
    log.setLevel(logging.ERROR)  # each attempt would be a line of its own; what came of them is in the findings
    try:
        return asyncio.run(_networks(parts))
    finally:
        log.setLevel(before)


async def _networks(parts: Parts) -> list[Finding]:
    tried = {name: entry for name, entry in parts.on.items() if isinstance(entry.connector, CheckingConnector)}
    async with client_of(parts.entries, clock=clocks.real, hub=parts.settings.hub.address) as client:
        askers = askers_of(tried, client, clocks.real)
        found = await asyncio.gather(*(_tried(entry, askers[name]) for name, entry in tried.items()))
    return [finding for each in found for finding in each]


async def _tried(entry: Entry, asker: Asker) -> list[Finding]:
    assert isinstance(entry.connector, CheckingConnector)
    name = entry.connector.card.platform
    addresses = Addresses(deliveries=entry.address, callback=entry.callback)
    try:
        async with asyncio.timeout(PATIENCE):
            checked = await entry.connector.check(asker, addresses)
    except (Unanswered, TimeoutError) as silent:
        title = entry.connector.card.title
        text = f"{title} did not answer: {silent}" if str(silent) else f"{title} did not answer in {PATIENCE:.0f} s"
        remedy = "see whether this machine may reach it, and try again later; --offline leaves this out"
        return [Finding(what=name, state="attention", text=text, remedy=remedy)]
    except Exception as bug:  # noqa: BLE001 - a stranger's connector may raise anything; the others are tried
        return [Finding(what=name, state="broken", text=f"its check failed by a bug: {place_of(bug)}")]
    return list(_findings(name, checked))


def _findings(name: str, checked: Sequence[Checked]) -> Iterator[Finding]:
    for each in checked:
        yield Finding(
            what=name,
            state="well" if each.ok else "attention",
            text=f"{each.what}: {each.text}",
            remedy="" if each.ok else each.remedy,
        )
