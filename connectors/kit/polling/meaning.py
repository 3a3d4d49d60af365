"""Rules of pages: recordings give what the folder says, by the member's own access, again and again the same."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.base import ResolvingConnector, WebhookConnector
from connectors.kit.polling.recorded import Recorded
from connectors.kit.polling.subject import PollRule, PollSubject, Told
from connectors.kit.polling.vectors import FAILURES, PollVector, said_page
from connectors.kit.purity import watched
from connectors.kit.subject import alike, broken
from connectors.linking import LinkingConnector
from connectors.polling import Page, PollingTogether

_READING = {"GET", "HEAD", "POST"}
_EPOCHS = (10**9, 10**10)
"""Seconds since 1970 that look like a time of our days."""


async def planned(subject: PollSubject) -> None:
    """The plan can be carried out."""
    plan, zero = subject.connector.plan, timedelta(0)
    if not zero < plan.often <= plan.seldom or plan.whole <= zero:
        broken(f"the plan's intervals are {plan}", "give 0 < often <= seldom, and a positive whole")
    if plan.agreeing < 1 or plan.agreeing_for < zero or plan.together < 1:
        broken(f"the plan's numbers are {plan}", "at least one listing agrees, and one account is read together")
    if plan.together > 1 and not isinstance(subject.connector, PollingTogether):
        broken(f"the plan reads {plan.together} accounts together", "give the connector poll_together")
    for vector in subject.polls:
        if any((wanted.grant is not None) != plan.needs_grant for wanted in vector.wanted):
            broken(
                f"{vector.name} and needs_grant={plan.needs_grant} contradict each other",
                "record polls as the hub makes them: with a grant where the plan says so, else with null",
            )
        for _, page in vector.pages:
            times = [like.at for like in page.likes if like.at is not None]
            if plan.newest_first and times != sorted(times, reverse=True):
                broken(f"the likes of {vector.name} are not the newest first", "correct plan.newest_first")


async def as_recorded(subject: PollSubject) -> None:
    """Each recording gives its page or failure."""
    for vector in subject.polls:
        told = await subject.read(vector, vector.name)
        _expected(vector, told, vector.name)
    for vector in subject.stills:
        assert vector.like is not None
        client = subject.client(vector)
        word = await subject.ask_still(vector, vector.like, vector.name, client)
        if _failed(word) != vector.still and word != vector.still:
            broken(f"still says {word!r} of {vector.name}, not {vector.still}", "correct still or the recording")
        _all_asked(vector, client)


def _expected(vector: PollVector, told: Told, what: str) -> None:
    for result, expected in zip(told.results, vector.results, strict=True):
        if isinstance(expected, str):
            if not isinstance(result, FAILURES[expected]):
                broken(f"{what} gives {_shown(result)}, not {expected}", "correct poll or the recording")
        elif not isinstance(result, Page) or not _same(result, expected):
            broken(f"{what} gives\n{_shown(result)}\nand not\n{_shown(expected)}", "correct poll or the recording")


def _same(one: Page, other: Page) -> bool:
    return alike(one.likes, other.likes) and replace(one, likes=()) == replace(other, likes=())


def _shown(result: Page | Exception) -> str:
    if isinstance(result, Page):
        return json.dumps(said_page(result), ensure_ascii=False)
    return f"{type(result).__name__} ({result})"


def _failed(word: object) -> str | None:
    return next((name for name, kind in FAILURES.items() if isinstance(word, kind)), None)


def _all_asked(vector: PollVector, client: Recorded) -> None:
    door = client.door
    if door.strays:
        broken(
            f"{vector.name}: {door.strays[0]} was asked, which is not recorded (or not with this query)",
            "record every exchange in full, or ask no more than is needed",
        )
    if missing := set(range(len(vector.exchanges))) - set(door.used):
        path = vector.exchanges[min(missing)].path
        broken(f"{vector.name}: {path} was recorded, but not asked", "leave it out of the recording")
    if changing := door.methods - _READING:
        broken(f"{vector.name}: {changing.pop()} was sent", "reading changes nothing at the platform")


async def only_recorded(subject: PollSubject) -> None:
    """No more is asked than was recorded, nothing is changed, and the member's own access is used."""
    for vector in subject.polls:
        told = await subject.read(vector, vector.name)
        _all_asked(vector, told.client)
        for wanted in vector.wanted:
            if wanted.grant is None:
                continue
            token = wanted.grant.access_token
            asked = told.client.door.used.values()
            if not any(token in f"{each.url} {dict(each.headers)} {each.content!r}" for each in asked):
                broken(f"{vector.name}: nothing was asked with the member's access", "send wanted.grant.access_token")


async def repeatable(subject: PollSubject) -> None:
    """The same answers give the same page, whatever was read or remembered in between."""
    for order in (subject.polls, subject.polls[::-1]):
        for vector in order:
            told = await subject.read(vector, f"{vector.name}, read again")
            _expected(vector, told, f"{vector.name}, read again,")
            again = await subject.read(vector, f"{vector.name} with what was remembered", memory=told.memory)
            if not again.client.door.strays:
                _expected(vector, again, f"{vector.name} with what was remembered")
    for vector in subject.polls:
        later = replace(vector, at=vector.at + timedelta(days=9))
        if any(wanted.grant is not None and wanted.grant.expires_at for wanted in vector.wanted):
            continue
        _expected(vector, await subject.read(later, f"{vector.name} nine days later"), f"{vector.name} nine days later")


async def through_the_client(subject: PollSubject) -> None:
    """No socket, file or process but the client's."""
    for vector in subject.polls:
        await subject.read(vector, vector.name)  # once before, since Python itself opens files when it imports lazily
        with watched() as touched, suppress(AssertionError):
            await subject.read(vector, vector.name)
        if touched:
            broken(f"{vector.name}: {touched[0]}", "ask through asker.client and nothing else")


async def old_marks(subject: PollSubject) -> None:
    """A mark that cannot be read (of an older version, damaged) is no accident."""
    vector = subject.polls[0]
    for text in ("", " ", "x", "\x00", "9" * 400, "-1", "1e999", "null", "[]", "{}", "\uff11", "https://evil.example/"):
        for name in ("cursor", "page"):
            for whole in (False, True):
                wanted = [replace(each, mark=replace(each.mark, whole=whole, **{name: text})) for each in vector.wanted]
                if vector.together and whole:
                    continue
                await subject.read(vector, f"{vector.name} with the {name} {text[:40]!r}", wanted=wanted)


async def like_times(subject: PollSubject) -> None:
    """`knows_like_time` is what the likes show, and the like's time is not the content's."""
    entries: list[tuple[str, set[datetime]]] = []
    for vector in subject.giving:
        told: set[datetime] = set()
        for _, page in vector.pages:
            for like in page.likes:
                if like.at is None and isinstance(subject.connector, WebhookConnector):
                    continue  # the card speaks of its deliveries; a list may know less
                if (like.at is not None) != subject.card.knows_like_time:
                    broken(
                        f"{vector.name} gives the like's time as {like.at}, the card says "
                        f"knows_like_time={subject.card.knows_like_time}",
                        "give the time of the like (never the content's, never that of asking), or correct the card",
                    )
                if like.at is not None:
                    told.add(like.at)
        for exchange in vector.exchanges:
            for entry in _entries(exchange.answer.json()):
                times = set(_times(entry))
                if times & told:
                    entries.append((vector.name, times))
        if told and not any(name == vector.name for name, _ in entries):
            broken(f"the likes' times of {vector.name} are in no answer", "give the platform's own time of the like")
    if entries and all(len(times) == 1 for _, times in entries) and any(_many(subject)):
        broken(
            "in every recording the like and its content have one time",
            "record an entry where they differ, so that they cannot be mixed up",
        )


def _many(subject: PollSubject) -> Iterator[bool]:
    """Whether entries hold several times."""
    for vector in subject.giving:
        for exchange in vector.exchanges:
            yield from (len(list(_times(entry))) > 1 for entry in _entries(exchange.answer.json()))


def _entries(value: Any) -> Iterator[Any]:
    """What stands in lists, outermost first; without any list the whole."""
    match value:
        case list():
            yield from value
        case dict():
            for inner in value.values():
                yield from _entries(inner)


def _times(value: Any) -> Iterator[datetime]:
    match value:
        case bool():
            return
        case int() if _EPOCHS[0] <= value < _EPOCHS[1]:
            yield datetime.fromtimestamp(value, UTC)
        case str() if re.fullmatch(r"[0-9]{10}", value):
            yield from _times(int(value))
        case str() if re.match(r"[0-9]{4}[-/][0-9]{2}[-/][0-9]{2}[T ]", value):
            with suppress(ValueError):
                at = datetime.fromisoformat(value.replace("/", "-").replace(" +", "+"))
                yield (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
        case dict() | list():
            for inner in value.values() if isinstance(value, dict) else value:
                yield from _times(inner)


async def abilities(subject: PollSubject) -> None:
    """What the card promises is recorded, and what is recorded is promised."""
    pages = [(wanted, page) for vector in subject.giving for wanted, page in vector.pages]
    whole = any(page.proves != "nothing" and page.more is None and page.likes for _, page in pages)
    shown = {
        "likes": any(page.likes for _, page in pages),
        "unlikes": whole,
        "resolves": isinstance(subject.connector, ResolvingConnector),
        "linking": isinstance(subject.connector, LinkingConnector),
        # A connector that can look an address up has the method too, and need not be able to say anything by it.
        "current": "current" in subject.card.abilities and hasattr(subject.connector, "current"),
    }
    for ability, proof in shown.items():
        if proof != (ability in subject.card.abilities):
            broken(
                f"the recordings show {ability!r}, the card does not say it"
                if proof
                else f"the card says {ability!r}, no recording shows it",
                "record a page that shows it (unlikes: the last page of a complete listing), give the connector the "
                "method, or correct the abilities",
            )
    if unnamed := {name for vector in subject.vectors for name in vector.secrets} - {
        secret.name for secret in subject.card.secrets
    }:
        broken(f"the recordings use the secrets {sorted(unnamed)}, which are not on the card", "name them there")


RULES: tuple[tuple[str, PollRule], ...] = (
    ("the plan can be carried out", planned),
    ("each recorded poll gives its page", as_recorded),
    ("only what was recorded is asked", only_recorded),
    ("the same answers give the same page", repeatable),
    ("nothing is asked but through the client", through_the_client),
    ("an unreadable mark is no accident", old_marks),
    ("the like's time is the like's", like_times),
    ("the polling abilities are as shown", abilities),
)
