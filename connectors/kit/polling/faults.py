"""Rules of answers that are not sound: no page comes of them, or one that concludes no more than was said."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from connectors.base import KnownLike
from connectors.kit.hostile import BODIES, VALUES
from connectors.kit.polling.subject import PollRule, PollSubject, listed
from connectors.kit.polling.vectors import PollVector, Says
from connectors.kit.subject import broken
from connectors.kit.subject import places as positions
from connectors.kit.vectors import compact
from connectors.linking import Expired, Withdrawn
from connectors.polling import Page

_MOST_CUTS = 300
_MOST_PLACES = 150
_MOST_ENTRIES = 30
_ENDS = (None, ...)
"""What a platform may say where no further page follows; ...: the field is left out."""

HTML = Says(headers={"content-type": "text/html"}, body=b"<html><h1>We will be back soon</h1></html>")
UNWELL: tuple[tuple[str, Says], ...] = (
    ("429", Says(status=429, headers={"retry-after": "90"}, body=b"{}")),
    ("500", Says(status=500, body=b"{}")),
    ("502", Says(status=502, body=HTML.body)),
    ("503", Says(status=503)),
    ("a page of HTML", HTML),
    ("nothing", Says()),
    ("a dropped connection", Says(drops=True)),
)
REFUSED: tuple[tuple[str, Says], ...] = (
    ("302", Says(status=302, headers={"location": "https://evil.example/"})),
    *((str(status), Says(status=status, body=b"{}")) for status in (204, 304, 400, 403, 404, 410, 418, 451)),
)
GONE: tuple[tuple[str, Says], ...] = (
    ("401", Says(status=401, headers={"content-type": "application/json"}, body=b"{}")),
    *UNWELL,
    *REFUSED,
    ("null", Says(headers={"content-type": "application/json"}, body=b"null")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """An altered answer: what it is called, what stands in its place, and whether a platform may end a list so."""

    what: str
    says: Says
    may_end: bool = False
    emptied: bool = False
    value: object = None
    """What was put there; None, where the change is another."""


async def unwell(subject: PollSubject) -> None:
    """429, 5xx, HTML, empty and lost answers: Unanswered."""
    for vector in subject.giving:
        for number, exchange in enumerate(vector.exchanges):
            for name, says in UNWELL:
                what = f"{vector.name} with {name} for {exchange.path}"
                told = await subject.read(vector, what, answers={number: says})
                for result in told.results:
                    if isinstance(result, Page):
                        broken(f"{what} gives a page", "raise Unanswered: a page in doubt is no page")
                    if isinstance(result, Expired | Withdrawn):
                        broken(
                            f"{what} gives {type(result).__name__}",
                            "raise Unanswered: nothing is said about the access",
                        )


async def refused(subject: PollSubject) -> None:
    """401 ends or renews an access, other refusals prove nothing."""
    for vector in subject.giving:
        for number, exchange in enumerate(vector.exchanges):
            for name, says in REFUSED:
                what = f"{vector.name} with {name} for {exchange.path}"
                for result in (await subject.read(vector, what, answers={number: says})).results:
                    if isinstance(result, Page) and (result.likes or result.proves != "nothing"):
                        broken(f"{what} gives a page", "take 200 for an answer, and nothing else")
            says = dict(GONE)["401"]
            what = f"{vector.name} with 401 for {exchange.path}"
            told = await subject.read(vector, what, answers={number: says})
            question = told.client.door.used.get(number)
            sent = f"{question.url} {dict(question.headers)} {question.content!r}" if question else ""
            for wanted, result in zip(vector.wanted, told.results, strict=True):
                if isinstance(result, Page):
                    broken(f"{what} gives a page", "raise Expired (or Withdrawn where nothing can be refreshed)")
                theirs = wanted.grant is not None and wanted.grant.access_token in sent
                if theirs != isinstance(result, Expired | Withdrawn):
                    broken(
                        f"{what} gives {type(result).__name__}",
                        "raise Expired or Withdrawn for the member's access, Unanswered for the operator's",
                    )


async def truncated(subject: PollSubject) -> None:
    """An answer that ends too soon is no answer."""
    for vector in subject.giving:
        for number, exchange in enumerate(vector.exchanges):
            if exchange.answer.json() is None:
                continue
            for change in _cuts(exchange.answer):
                what = f"{vector.name} with {exchange.path} {change.what}"
                for result in (await subject.read(vector, what, answers={number: change.says})).results:
                    if not isinstance(result, Exception):
                        broken(f"{what} gives a page", "read answers with Response.json(), which refuses half of one")


def _cuts(answer: Says) -> Iterator[_Change]:
    text = answer.body.decode().rstrip()
    whole = len(text)
    ends = [place + 1 for place, mark in enumerate(text[:-1]) if mark in "{}[],:"]
    for index in positions(len(ends), _MOST_CUTS):
        cut = text[: ends[index]]
        yield _Change(what=f"cut off after {len(cut)} of {whole}", says=replace(answer, body=cut.encode()))


async def dropped_entries(subject: PollSubject) -> None:
    """Where the platform tells how many there are, a list with fewer is not the whole list."""
    for vector in subject.giving:
        for number, exchange in enumerate(vector.exchanges):
            for change in _shortened(exchange.answer):
                what = f"{vector.name} with {exchange.path} {change.what}"
                await _try(subject, vector, number, change, what, only_if_counted=True)


def _shortened(answer: Says) -> Iterator[_Change]:
    value = answer.json()
    for holder, step, name in list(_places([value], "")):
        entries = holder[step]
        if not isinstance(entries, list) or not any(isinstance(entry, dict) for entry in entries):
            continue
        for index in positions(len(entries), _MOST_ENTRIES):
            entry = entries.pop(index)
            says = replace(answer, body=compact(value).encode())
            yield _Change(what=f"without entry {index} of {name.strip() or 'the list'}", says=says, emptied=not entries)
            entries.insert(index, entry)


async def hostile(subject: PollSubject) -> None:
    """Bodies of every kind, and each recorded value replaced: Unanswered or a sound page, nothing else."""
    for vector in subject.polls:
        for number, exchange in enumerate(vector.exchanges):
            for body in BODIES:
                says = Says(headers=exchange.answer.headers, body=body)
                what = f"{vector.name} with {body[:40]!r} ({len(body)} bytes) for {exchange.path}"
                for result in (await subject.read(vector, what, answers={number: says})).results:
                    if isinstance(result, Page) and result.proves == "everything" and vector.pages:
                        broken(f"{what} gives a page", "refuse what is not as documented as Garbled")
            for change in _replaced(exchange.answer):
                what = f"{vector.name} with {exchange.path}{change.what}"
                await _try(subject, vector, number, change, what)


def _replaced(answer: Says) -> Iterator[_Change]:
    value = answer.json()
    if value is None:
        return
    for holder, step, name in list(_places(value, ""))[:_MOST_PLACES]:
        kept = holder[step]
        for other in (*VALUES, ...):
            if other is ...:
                if not isinstance(holder, dict):
                    continue
                del holder[step]
            else:
                holder[step] = other
            # In ASCII, because half a surrogate pair can be escaped in JSON but not written in UTF-8.
            spelled = json.dumps(value, separators=(",", ":")).encode()
            yield _Change(
                what=f"{name} {'left out' if other is ... else '= ' + repr(other)[:40]}",
                says=replace(answer, body=spelled),
                may_end=other in _ENDS,
                emptied=isinstance(kept, list) and other == [],
                value=other,
            )
        holder[step] = kept


def _places(value: Any, name: str) -> Iterator[tuple[Any, Any, str]]:
    """Every place in a JSON value but the middle of lists, whose first and last entries stand for all."""
    steps: Sequence[Any] = ()
    if isinstance(value, dict):
        steps = list(value)
    elif isinstance(value, list):
        steps = sorted({0, len(value) - 1}) if value else ()
    for step in steps:
        yield value, step, f"{name} {step}"
        yield from _places(value[step], f"{name} {step}")


async def _try(
    subject: PollSubject, vector: PollVector, number: int, change: _Change, what: str, *, only_if_counted: bool = False
) -> None:
    told = await subject.read(vector, what, answers={number: change.says})
    for wanted, before, after in zip(vector.wanted, vector.results, told.results, strict=True):
        if isinstance(after, Expired | Withdrawn) and not isinstance(before, str):
            broken(f"{what} gives {type(after).__name__}", "raise Unanswered: nothing is said about the access")
        if isinstance(before, str) or isinstance(after, Exception):
            continue
        told_by_total = before.total is not None and after.total == before.total
        if told_by_total or (before.total is None and (only_if_counted or change.emptied)):
            continue  # the hub sees by the total that a listing is not whole; without one nobody can
        concludes = after.proves == "everything" or (after.more is not None and wanted.mark.whole)
        if listed(after) < listed(before) and concludes:
            broken(
                f"{what} gives a page that proves {after.proves} with {listed(after)} entries instead of "
                f"{listed(before)}",
                "refuse a page of which one entry cannot be read, or which has fewer entries than it says",
            )
        ended = before.more is not None and after.more is None and after.proves == "everything"
        if ended and not (change.may_end and before.total is None):
            broken(f"{what} ends the list", "refuse a next page that cannot be read; only what ends a list ends it")


async def never_unliked(subject: PollSubject) -> None:
    """What cannot be seen was not taken back."""
    vector = next((each for each in subject.giving if any(page.likes for _, page in each.pages)), None)
    if vector is None:
        broken("no recording gives a like", "record a page with likes")
    wanted, page = next(pair for pair in vector.pages if pair[1].likes)
    like = page.likes[0]
    known = KnownLike(by=wanted.account, thing=like.thing, reaction=like.reaction, like_id=like.like_id, since=like.at)
    asked = replace(vector, wanted=(wanted,))
    for name, says in GONE:
        what = f"still with {name} for every question"
        if await subject.ask_still(asked, known, what, subject.client(asked, always=says)) == "unliked":
            broken(
                f"{what} says unliked", "say gone or unknown, or raise Unanswered; unliked is the platform's own word"
            )
    for recorded in subject.stills:
        assert recorded.like is not None
        for number in range(len(recorded.exchanges)):
            for name, says in UNWELL:
                what = f"{recorded.name} with {name} for question {number + 1}"
                client = subject.client(recorded, answers={number: says})
                if await subject.ask_still(recorded, recorded.like, what, client) == "unliked":
                    broken(f"{what} says unliked", "say unliked only if every answer that it takes has come")


async def doubtful(subject: PollSubject) -> None:
    """A spoilt answer about a like makes no unlike of it, and no accident."""
    for recorded in subject.stills:
        assert recorded.like is not None
        for number, exchange in enumerate(recorded.exchanges):
            if exchange.answer.json() is None:
                continue
            spoilt = [_Change(what=f"is {body[:40]!r}", says=replace(exchange.answer, body=body)) for body in BODIES]
            spoilt += _cuts(exchange.answer)
            changes = [*((each, False) for each in spoilt), *((each, True) for each in _replaced(exchange.answer))]
            for change, sound in changes:
                what = f"{recorded.name} with {exchange.path} {change.what}"
                client = subject.client(recorded, answers={number: change.says})
                word = await subject.ask_still(recorded, recorded.like, what, client)
                if word == "unliked" and not _may_be(recorded.still, change, sound=sound):
                    broken(f"{what} says unliked", "refuse an answer that is not as documented as Garbled")


def _may_be(still: str | None, change: _Change, *, sound: bool) -> bool:
    """Whether an altered answer may mean an unlike: a 0 or an empty list may be the platform's own no."""
    if still == "unliked":
        return True
    return sound and (still != "liked" or change.emptied or change.value == 0)


RULES: tuple[tuple[str, PollRule], ...] = (
    ("an unwell platform is Unanswered", unwell),
    ("a refusal proves nothing", refused),
    ("a truncated answer is no page", truncated),
    ("a listing with fewer entries is not everything", dropped_entries),
    ("a hostile answer is Unanswered or a sound page", hostile),
    ("what cannot be seen was not taken back", never_unliked),
    ("a spoilt answer takes nothing back", doubtful),
)
