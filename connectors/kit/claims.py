"""Rules of the card: complete in itself, and true of the recordings."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from string import Formatter
from typing import get_args

from connectors.base import Ability, Card, Colour, ResolvingConnector
from connectors.kit.subject import Rule, Subject, broken
from connectors.linking import LinkingConnector
from connectors.polling import PollingConnector
from core.events import Liked, Messaged, Unliked

_PLATFORM = re.compile(r"[a-z][a-z0-9_]*")
_HOST = re.compile(r"[a-z0-9*-]+(\.[a-z0-9-]+)+(:[0-9]+)?")
_LARGEST_BODY = 26_214_400
"""25 MiB, the most that any known platform sends."""


def complete(card: Card) -> None:
    """Whoever reads the card can set the platform up."""
    if not _PLATFORM.fullmatch(card.platform) or card.platform == "web":
        broken(f"the platform is {card.platform!r}", "use a to z, 0 to 9 and _, and not web")
    for field in ("title", "what_counts", "creator", "retries", "documentation", "abilities"):
        if not getattr(card, field):
            broken(f"the card's {field} is empty", "say it: `flattr connectors` and the README print the card")
    if unknown := card.abilities - set(get_args(Ability)):
        broken(f"unknown abilities {sorted(unknown)}", f"choose from {', '.join(get_args(Ability))}")
    if not card.documentation.startswith("https://"):
        broken(f"the documentation is at {card.documentation!r}", "give an https address")
    if not card.setup:
        broken("there are no setup steps", "say what an operator creates where, step by step")
    if card.route == "webhook" and not card.pretend and not any("{address}" in step for step in card.setup):
        broken("no setup step names {address}", "say where the hub's address is entered, as {address}")
    for step in card.setup:
        _filled_in(step)
    for host in card.hosts:
        if not _HOST.fullmatch(host):
            broken(
                f"{host!r} is not a host name",
                "name the hosts that the connector calls, without scheme or path",
            )


def _filled_in(step: str) -> None:
    try:
        names = {name for _, name, _, _ in Formatter().parse(step) if name is not None}
    except ValueError:
        names = {"?"}
    if names - {"address", "callback"}:
        broken(
            f"the setup step {step!r} cannot be filled in",
            "use {address} and {callback} alone; write {{ for a brace",
        )


def numbers(card: Card) -> None:
    """Sizes and status codes are possible ones."""
    if not 0 < card.largest_body <= _LARGEST_BODY:
        broken(
            f"largest_body is {card.largest_body}",
            f"say the platform's limit in bytes, at most {_LARGEST_BODY}",
        )
    if not 200 <= card.success_status <= 299:
        broken(
            f"success_status is {card.success_status}",
            "only what was stored is answered, and with 200 to 299",
        )


def named_secrets(card: Card) -> None:
    """Every secret says where to get it."""
    names = [secret.name for secret in card.secrets]
    if len(set(names)) < len(names):
        broken(f"secrets of one name: {sorted(names)}", "give each its own name")
    for secret in card.secrets:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", secret.name) or not secret.how.strip():
            broken(
                f"the secret {secret.name!r} does not say where to get it",
                "fill in `how`, and name it like_this",
            )
    optional = {secret.name for secret in card.secrets if not secret.required}
    for ability, needed in card.needs.items():
        if not needed or set(needed) - optional:
            broken(f"{ability} needs {sorted(needed)}", "name optional secrets of the card; required ones are there")
    if overlap := set(names) & set(card.settings):
        broken(f"{sorted(overlap)} are secrets and settings at once", "say each once")


def lit(card: Card) -> None:
    """Policy lights give the clause, its address, and when it was read."""
    if not card.lights:
        broken("there is no policy light", "read the platform's terms and say what they mean for likes")
    for light in card.lights:
        if light.colour not in get_args(Colour):
            broken(f"the light of {light.action} is {light.colour!r}", "green, amber or red")
        if not light.action.strip() or len(light.clause.split()) < 4:
            broken(f"the light of {light.action!r} has no clause", "say in your own words what the terms demand")
        if not light.url.startswith("https://"):
            broken(f"the light of {light.action} has no address", "give the https address of the terms")
        if not isinstance(light.read_on, date) or light.read_on.year < 2000:
            broken(f"the light of {light.action} has no date", "say when the terms were read")
    if "likes" in card.abilities and not any(light.action == "likes" for light in card.lights):
        broken("no light is about likes", "say what the terms mean for money that follows likes")


def abilities(subject: Subject) -> None:
    """What the card promises is recorded, and what is recorded is promised."""
    told = [event for _, event in subject.events()]
    shown = {
        "likes": any(isinstance(event, Liked) for event in told),
        # Where likes are asked for too, the recorded polls show whether these find what was taken back.
        "unlikes": any(isinstance(event, Unliked) for event in told)
        or ("unlikes" in subject.card.abilities and isinstance(subject.connector, PollingConnector)),
        "messages": any(isinstance(event, Messaged) for event in told),
        "resolves": isinstance(subject.connector, ResolvingConnector),
        "linking": isinstance(subject.connector, LinkingConnector),
        # A connector that can look an address up has the method too, and need not be able to say anything by it.
        "current": "current" in subject.card.abilities and hasattr(subject.connector, "current"),
    }
    for ability, proof in shown.items():
        if proof != (ability in subject.card.abilities):
            broken(
                f"the connector shows {ability!r}, the card does not say it"
                if proof
                else f"the card says {ability!r}, nothing shows it",
                "record a request that shows it (or give the connector the method), or correct the abilities",
            )


def like_times(subject: Subject) -> None:
    """`knows_like_time` is what the likes show."""
    for vector, event in subject.events():
        if isinstance(event, Liked) and (event.at is not None) != subject.card.knows_like_time:
            broken(
                f"{vector.name} gives the like's time as {event.at}, the card says "
                f"knows_like_time={subject.card.knows_like_time}",
                "give the platform's own time (never the time of receipt), or correct the card",
            )


def secrets_used(subject: Subject) -> None:
    """The secrets that signatures are made with are on the card, and required there."""
    required = {secret.name for secret in subject.card.secrets if secret.required}
    for vector in subject.genuine:
        if unnamed := set(vector.secrets) - {secret.name for secret in subject.card.secrets}:
            broken(
                f"{vector.name} uses the secrets {sorted(unnamed)}, which are not on the card",
                "name them there",
            )
        for name in vector.secrets:
            only = {**vector.secrets, name: (subject.fresh(9),)}
            if name not in required and subject.verdict(vector.delivery, only, vector.name) is None:
                broken(f"nothing verifies without the secret {name}", "mark it required on the card")


def sizes(subject: Subject) -> None:
    """Every recorded request is small enough to be taken."""
    for vector in subject.genuine:
        size, largest = len(vector.delivery.body), subject.card.largest_body
        if size > largest:
            broken(f"{vector.name} has {size} bytes, largest_body is {largest}", "raise largest_body")


def ids_signed(subject: Subject) -> None:
    """`ids_signed` is said only where nothing of a delivery's content can be exchanged."""
    if not subject.card.ids_signed:
        return
    for vector in subject.genuine:
        other = replace(vector.delivery, body=vector.delivery.body + b" ")
        if subject.verdict(other, vector.secrets, vector.name) is not None:
            broken(f"the card says ids_signed, but the body of {vector.name} can be changed", "correct the card")


CARD_RULES: tuple[tuple[str, Callable[[Card], None]], ...] = (
    ("the card is complete", complete),
    ("the card's numbers are possible", numbers),
    ("each secret says where to get it", named_secrets),
    ("policy lights give clause, address and date", lit),
)

RULES: tuple[tuple[str, Rule], ...] = (
    ("abilities are as shown", abilities),
    ("the like's time is as claimed", like_times),
    ("the secrets in use are on the card", secrets_used),
    ("the largest body is large enough", sizes),
    ("signed ids are signed", ids_signed),
)
