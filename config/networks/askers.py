"""How this hub asks its networks: the one client, and for each network what asking there takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from bot.access import Signed
from bot.asking import Asked
from bot.polling.parts import Polled
from config.networks.roster import Entry
from connectors.base import Asker, AskingConnector
from connectors.client import Client
from connectors.linking import LinkingConnector
from connectors.polling import PollingConnector


def client_of(entries: Mapping[str, Entry], *, clock: Callable[[], datetime], hub: str, **more: Any) -> Client:
    """The hub's only door out, which allows itself what the connectors' cards say; ``more``: as `Client` takes it."""
    cards = {name: entry.connector.card for name, entry in entries.items()}
    return Client(
        clock=clock,
        hub=hub,
        allowances={name: card.allowance for name, card in cards.items() if card.allowance},
        account_allowances={name: card.account_allowance for name, card in cards.items() if card.account_allowance},
        **more,
    )


def askers_of(on: Mapping[str, Entry], client: Client, clock: Callable[[], datetime]) -> dict[str, Asker]:
    """One asker a network: whoever asks there shares what was learnt."""
    return {
        name: Asker(
            client=client,
            secrets=entry.secrets,
            settings=entry.settings,
            off=frozenset(entry.off_actions),
            clock=clock,
        )
        for name, entry in on.items()
    }


def asked_of(on: Mapping[str, Entry], askers: Mapping[str, Asker]) -> dict[str, Asked]:
    """The networks where what is unclear can be asked about."""
    return {
        name: Asked(connector=entry.connector, asker=askers[name], likes=entry.counts_likes)
        for name, entry in on.items()
        if isinstance(entry.connector, AskingConnector)
    }


def signed_of(on: Mapping[str, Entry], askers: Mapping[str, Asker]) -> dict[str, Signed]:
    """The networks where members sign in."""
    return {
        name: Signed(connector=entry.connector, asker=askers[name])
        for name, entry in on.items()
        if isinstance(entry.connector, LinkingConnector) and entry.can("linking")
    }


def polled_of(on: Mapping[str, Entry], askers: Mapping[str, Asker]) -> dict[str, Polled]:
    """The networks whose lists of likes are read: those that can be, and where likes may be listened to."""
    return {
        name: Polled(connector=entry.connector, asker=askers[name])
        for name, entry in on.items()
        if isinstance(entry.connector, PollingConnector) and entry.polls
    }
