"""Rules of translation: recordings mean what the folder says, in words that the core can keep."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from connectors import addresses
from connectors.base import Card
from connectors.kit.subject import Rule, Standing, Subject, alike, broken
from connectors.kit.vectors import Vector, compact, said
from core.events import AccountRef, Event, Liked, Messaged, ThingRef, Unliked

_LARGEST = 2**63 - 1


def as_recorded(subject: Subject) -> None:
    """Each recording verifies, translates, is rejected or answered as it says."""
    for vector in subject.vectors:
        if vector.genuine:
            subject.accepted(vector)
            _translated(subject, vector)
        elif vector.outcome == "rejected" and subject.verdict(vector.delivery, vector.secrets, vector.name):
            broken(f"{vector.name} is accepted", "reject it, or correct the recording")
        _answered(subject, vector)


def _translated(subject: Subject, vector: Vector) -> None:
    events = subject.told(vector.delivery, vector.name)
    if vector.outcome == "unreadable":
        if events is not None:
            broken(f"{vector.name} is readable: {_shown(events)}", "raise Unreadable, or correct the recording")
        return
    if events is None:
        broken(f"{vector.name} is unreadable", "translate it, or say `unreadable` in the recording")
    if not alike(events, vector.events):
        broken(
            f"{vector.name} means\n{_shown(events)}\nand not\n{_shown(vector.events)}",
            "correct translate or the recording",
        )


def _answered(subject: Subject, vector: Vector) -> None:
    answer = subject.challenged(vector.delivery, vector.secrets, vector.name)
    if answer is not None and "html" in answer.content_type:
        broken(f"{vector.name} is answered as {answer.content_type}", "echo challenges as text/plain or JSON")
    told = None if answer is None else (answer.status, answer.body)
    wanted = None if vector.answer is None else (vector.answer.status, vector.answer.body)
    if told != wanted:
        broken(
            f"challenge answers {vector.name} with {told}, not {wanted}",
            "answer questions of the platform only; None for an ordinary delivery",
        )


def sound_events(subject: Subject) -> None:
    """Events name accounts and things of this platform, in text and numbers that every database keeps."""
    for vector, event in subject.events():
        sound(subject.card, event, vector.name)


def sound(card: Card, event: Event, what: str) -> None:
    """One event is fit for the core; AssertionError if not."""
    for name, value in _texts(dataclasses.asdict(event)):
        if "\x00" in value or any("\ud800" <= mark <= "\udfff" for mark in value):
            broken(f"{what}: {name} is {value[:40]!r}", "drop or refuse text that no database can keep")
    for field in ("by", "author", "thing", "room"):
        part = getattr(event, field, None)
        if part is not None and part.platform != card.platform:
            broken(f"{what}: {field} is on {part.platform!r}", f"say {card.platform!r}, as the card does")
        match part:
            case AccountRef():
                _identified(what, f"{field}.account_id", part.account_id)
                if part.handle is not None and part.account_id == part.handle:
                    broken(
                        f"{what}: {field}.account_id is the handle {part.handle!r}",
                        "use the platform's immutable id; handles change hands",
                    )
                _linked(card, what, f"{field}.url", part.url)
            case ThingRef():
                _identified(what, f"{field}.native_id", part.native_id)
                if not part.url:
                    broken(f"{what}: thing.url is {part.url!r}", "give the thing's canonical URL")
                _linked(card, what, f"{field}.url", part.url)
                if not isinstance(part.tags, tuple) or not all(isinstance(tag, str) and tag for tag in part.tags):
                    broken(f"{what}: tags are {part.tags!r}", "give a tuple of words")
    _timed(event, what)
    if isinstance(event, Unliked) and event.thing is None and event.like_id is None:
        broken(f"{what}: an unlike of nothing", "name the thing, or the platform's id of the like")
    if isinstance(event, Messaged):
        _identified(what, "message_id", event.message_id)


def _timed(event: Event, what: str) -> None:
    at = getattr(event, "at", None)
    if at is not None and at.utcoffset() != timedelta(0):
        broken(f"{what}: at is {at!r}", "give aware UTC times, or None where the platform gives none")
    order = getattr(event, "order", None)
    if order is not None and (isinstance(order, bool) or not isinstance(order, int) or abs(order) > _LARGEST):
        broken(f"{what}: order is {str(order)[:40]}", "give a whole number of 64 bits")


def _identified(what: str, field: str, value: Any) -> None:
    if not isinstance(value, str) or not value.strip() or len(value) > 500:
        broken(
            f"{what}: {field} is {str(value)[:40]!r}",
            "give the platform's id as a text of 1 to 500 characters",
        )


def _linked(card: Card, what: str, field: str, url: str | None) -> None:
    if url is None or card.pretend:
        return
    if not url.startswith("https://") or addresses.canonical(url) != url:
        broken(f"{what}: {field} is {url[:80]!r}", "give the https address as addresses.canonical() spells it")


def _texts(value: Any, name: str = "event") -> Iterator[tuple[str, str]]:
    match value:
        case str():
            yield name, value
        case dict():
            for key, inner in value.items():
                yield from _texts(inner, f"{name}.{key}")
        case tuple() | list():
            for inner in value:
                yield from _texts(inner, name)


def one_fact(subject: Subject) -> None:
    """An unlike takes back the like it means: same account, and same like id or same thing and reaction."""
    likes = {fact(event) for _, event in subject.events() if isinstance(event, Liked)}
    for vector, event in subject.events():
        if isinstance(event, Unliked) and fact(event) not in likes:
            broken(
                f"{vector.name} takes back {fact(event)}, which no recording likes",
                "give like and unlike the same account, reaction and thing id (or like id on both); "
                "record the like that this one takes back",
            )


def fact(event: Liked | Unliked) -> tuple[str, ...]:
    """What makes two reports the same like."""
    if event.like_id is not None:
        return str(event.by), event.like_id
    return str(event.by), event.thing.native_id if event.thing else "", event.reaction


def renamed(subject: Subject) -> None:
    """An account that changes its name is the same account, and its things are the same things."""
    for vector in subject.telling:
        events = subject.told(vector.delivery, vector.name) or ()
        people = [getattr(event, field, None) for event in events for field in ("by", "author")]
        for handle in {person.handle for person in people if person is not None and person.handle}:
            try:
                body = json.loads(vector.delivery.body)
            except ValueError:
                continue
            body = compact(_renamed(body, re.compile(rf"(?<![A-Za-z0-9]){re.escape(handle)}(?![A-Za-z0-9])")))
            what = f"{vector.name} after {handle!r} took another name"
            delivery = subject.signed(replace(vector.delivery, body=body.encode()), vector.secrets)
            now = subject.told(delivery, what)
            if now is None or list(map(_identity, now)) != list(map(_identity, events)):
                broken(
                    f"{what} names other accounts or things",
                    "identify by immutable ids, never by names or URLs",
                )


def _renamed(value: Any, name: re.Pattern[str]) -> Any:
    match value:
        case str():
            return name.sub("renamed9", value)
        case dict():
            return {key: _renamed(inner, name) for key, inner in value.items()}
        case list():
            return [_renamed(inner, name) for inner in value]
    return value


def _identity(event: Event) -> tuple[object, ...]:
    # AccountRef and ThingRef compare by platform and id alone.
    return type(event), *(getattr(event, field, None) for field in ("by", "author", "thing"))


def converging(subject: Subject) -> None:
    """With order keys any order and duplication of deliveries end alike; without, replays change nothing."""
    histories: dict[tuple[str, ...], dict[tuple[str, Event], Liked | Unliked]] = {}
    for vector, event in subject.events():
        if not isinstance(event, Liked | Unliked):
            continue
        if (event.order is not None) != subject.card.has_order:
            broken(
                f"{vector.name} gives order {event.order}, the card says has_order={subject.card.has_order}",
                "give every like and unlike an order key and say has_order, or neither",
            )
        histories.setdefault(fact(event), {})[subject.accepted(vector), event] = event
    for history in histories.values():
        events = list(history.values())
        orders = [event.order for event in events if event.order is not None]
        if len(set(orders)) < len(orders):
            broken(
                f"different acts on one like have the order keys {sorted(orders)}",
                "give a key that grows with every act, not the time in seconds or a constant",
            )
        if subject.standing is not None:
            _standing_alike(subject.card, subject.standing, events)


def _standing_alike(card: Card, standing: Standing, events: list[Liked | Unliked]) -> None:
    if card.has_order:
        runs: list[list[Event]] = [list(run) for run in itertools.permutations(events[:4])]
        runs += [run + run[:1] for run in runs]
        expected = standing(runs[0])
    elif card.knows_like_time:
        runs = [[*events, *events], [each for event in events for each in (event, event)]]
        expected = standing(list(events))
    else:
        return  # without time or order only the inbox can tell a replay, by the delivery's key
    for run in runs:
        if (found := standing(run)) != expected:
            broken(
                f"what stands depends on order or repetition: {expected} became {found} after\n{_shown(run)}",
                "check that order keys grow with every act, and that likes carry the platform's own time",
            )


def _shown(events: Any) -> str:
    return "\n".join(json.dumps(said(event), ensure_ascii=False) for event in events) or "nothing"


RULES: tuple[tuple[str, Rule], ...] = (
    ("each recorded request means what the folder says", as_recorded),
    ("events are fit for the core", sound_events),
    ("like and unlike meet in one fact", one_fact),
    ("a renamed account is the same account", renamed),
    ("deliveries converge", converging),
)
