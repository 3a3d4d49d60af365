"""What the hub does on a network beside taking its deliveries and reading its lists: streams, mouths, rounds."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from bot.access import AccessKeeper
from bot.discord.presence import DiscordPresence, DiscordRefused
from bot.facebook.presence import FacebookPresence
from bot.twitter.presence import TwitterPresence
from config.networks.conversing import answer, converse
from config.networks.roster import Entry
from config.parts import Parts
from connectors.base import Asker
from connectors.facebook import Facebook
from connectors.speaking import Mouth
from webhooks import facebook_deletion

log = logging.getLogger("flattr")

MINUTE = 60.0

Work = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Something to be done again and again, every so many seconds; it finds by itself what is due."""

    name: str
    seconds: float
    work: Work


async def _nothing() -> None:
    """There is nothing to end."""


def _no_routes(app: web.Application) -> None:
    """There is nothing to serve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """One network's part of a running hub."""

    platform: str
    mouth: Mouth | None = None
    runs: Work | None = None
    """What runs as long as the hub does."""
    rounds: tuple[Round, ...] = ()
    close: Work = _nothing
    add_routes: Callable[[web.Application], None] = _no_routes


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a presence is made of; ``holder`` names this process, ``poke`` wakes the outbox's sender."""

    parts: Parts
    askers: Mapping[str, Asker]
    access: AccessKeeper
    holder: str
    poke: Callable[[], None]


def presences_of(means: Means) -> tuple[Presence, ...]:
    """The networks that are on and on which there is more to do than to listen."""
    on = means.parts.on
    return tuple(make(means, on[name]) for name, make in _MAKERS.items() if name in on)


def mouths_of(presences: Iterable[Presence]) -> Mapping[str, Mouth]:
    """How to speak, by platform."""
    return {each.platform: each.mouth for each in presences if each.mouth is not None}


def _discord(means: Means, entry: Entry) -> Presence:
    parts = means.parts
    there = DiscordPresence(
        entry.secrets["token"][0].decode(),
        parts.db,
        parts.rules,
        converse=partial(converse, parts),
        answer=partial(answer, parts),
        clock=parts.clock,
        poke=means.poke,
    )

    async def run() -> None:
        try:
            await there.start()
        except DiscordRefused as refused:
            log.error("%s; everything else goes on", refused)

    return Presence(platform="discord", mouth=there, runs=run, close=there.close)


def _twitter(means: Means, entry: Entry) -> Presence:
    parts = means.parts
    there = TwitterPresence(
        asker=means.askers["twitter"],
        accesses=means.access,
        db=parts.db,
        rules=parts.rules,
        converse=partial(converse, parts),
        clock=parts.clock,
        poke=means.poke,
        address=entry.address,
        likes=entry.counts_likes,
    )
    rounds = (Round(name="twitter", seconds=MINUTE, work=there.round),)
    return Presence(platform="twitter", mouth=there, rounds=rounds, close=there.close)


def _facebook(means: Means, entry: Entry) -> Presence:
    parts = means.parts
    assert isinstance(entry.connector, Facebook)
    there = FacebookPresence(
        db=parts.db,
        rules=parts.rules,
        connector=entry.connector,
        asker=means.askers["facebook"],
        access=means.access,
        clock=parts.clock,
        holder=means.holder,
        poke=means.poke,
        likes=entry.counts_likes,
    )

    async def close() -> None:
        there.close()

    routes = partial(
        facebook_deletion.add_routes,
        db=parts.db,
        rules=parts.rules,
        secrets=entry.secrets,
        address=parts.settings.hub.address,
        clock=parts.clock,
    )
    rounds = (Round(name="facebook", seconds=MINUTE, work=there.round),)
    return Presence(platform="facebook", mouth=there, rounds=rounds, close=close, add_routes=routes)


_MAKERS: Mapping[str, Callable[[Means, Entry], Presence]] = {
    "discord": _discord,
    "twitter": _twitter,
    "facebook": _facebook,
}
"""A presence takes more than a connector: a network that has one is joined here, and only here."""
