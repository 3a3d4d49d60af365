"""What it means that a list no longer shows a like: from how many listings on it is asked about, or held.

Pure. A like that a sound reading proves missing is a candidate. It becomes a question to the platform (`ripe`) once
enough listings agree; if too many are missing at once they are held first, since no list is to be believed then.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from core.database import from_micros, to_micros
from core.listings.marks import Known, in_order
from core.listings.terms import Terms

Proof = Literal["nothing", "newest", "everything"]
"""What a reading proves about what it does not show; `connectors.polling.Proof` says it at length."""

FEW, PART = 20, 10
"""More than 20, and more than a tenth of what is known: too many at once to be believed (money.md)."""

APART = timedelta(hours=24)
"""Between two complete listings that must agree on what is held where the platform cannot be asked directly."""
APART_UNCOUNTED = timedelta(hours=72)
"""The same where the platform does not even tell how many likes there are."""

LOOK_AGAIN, SELDOM = timedelta(minutes=30), timedelta(hours=6)
"""From the listing that made hold likes to the next complete one, and between those that follow."""
OLD_TIMES, OLD_APART = 3, timedelta(days=7)
"""So often and so long what is from before the link must be missing to be forgotten, so that it would count if it
were listed again. Nobody is asked about it, and a list may lose it for a while."""

FIRST_WAIT, LONGEST_WAIT = timedelta(hours=1), timedelta(days=1)
"""Between two questions about a like that got no answer, doubling."""
LONGEST_TRUST = timedelta(days=7)
"""After this time a like that stands by the platform's word, though no list shows it, is asked about again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """A known like that readings prove missing, and what came of it so far."""

    times: int
    first_at: datetime
    last_at: datetime
    held_at: datetime | None = None
    ripe: bool = False
    """To be asked about."""
    asked: int = 0
    asked_at: datetime | None = None
    stands: bool = False
    """The platform said that it stands all the same."""
    gone: bool = False
    """The platform said once that what was liked is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What one reading that was carried to its end showed."""

    listed: Sequence[int]
    """Marks of its likes, in the platform's order, each once."""
    besides: frozenset[int] = frozenset()
    """Marks of what is there but makes no like; their place is not known."""
    proves: Proof
    total: int | None
    at: datetime
    """When it began."""
    whole: bool = False
    """A complete listing was asked for."""

    @property
    def complete(self) -> bool:
        """Whether it is a complete listing, also by the platform's own count."""
        return self.proves == "everything" and self.total in (None, len(self.there))

    @property
    def utmost(self) -> bool:
        """Whether it is as complete a listing as the platform gives: some show only the newest likes."""
        return self.complete or (self.whole and self.proves == "newest")

    @property
    def there(self) -> frozenset[int]:
        """All that it showed."""
        return self.besides.union(self.listed)


def proved_missing(known: Sequence[int], shown: Shown) -> frozenset[int]:
    """The known marks of which a reading proves that they are not in the list."""
    there = shown.there
    if shown.complete:
        return frozenset(known) - there
    if shown.proves != "newest" or not in_order(known, shown.listed):
        return frozenset()
    listed = set(shown.listed)
    last = max((place for place, each in enumerate(known) if each in listed), default=0)
    return frozenset(known[:last]) - there


def after(before: Mapping[int, Missed], known: Known, shown: Shown, terms: Terms) -> dict[int, Missed]:
    """What is missing after a reading; ``known`` is the list as it was before."""
    there = shown.there
    missed = {each: found for each, found in before.items() if each not in there}
    for each in proved_missing(known.order, shown):
        missed[each] = _once_more(missed.get(each), shown)
    missed = {each: missed[each] for each in known.order if each in missed}
    doubted = [each for each, found in missed.items() if not found.stands]
    if len(doubted) > FEW and len(doubted) * PART > len(known):
        for each in doubted:
            if missed[each].held_at is None:
                missed[each] = replace(missed[each], held_at=shown.at, ripe=False)
    return {
        each: replace(found, ripe=found.ripe or _is_ripe(found, shown, terms, old=each in known.old))
        for each, found in missed.items()
    }


def _once_more(found: Missed | None, shown: Shown) -> Missed:
    if found is None:
        return Missed(times=1, first_at=shown.at, last_at=shown.at)
    if found.held_at is not None and not shown.utmost:
        return found  # of what is held only complete listings say more
    return replace(found, times=found.times + 1, last_at=shown.at)


def _is_ripe(found: Missed, shown: Shown, terms: Terms, *, old: bool) -> bool:
    if found.last_at != shown.at:
        return False  # this reading says nothing of it
    if found.stands:
        trust = min(terms.whole * (1 << min(found.asked, 10)), LONGEST_TRUST)
        return found.asked_at is not None and shown.at - found.asked_at >= trust
    if old:
        return found.times >= OLD_TIMES and found.last_at - found.first_at >= OLD_APART
    if found.held_at is not None:
        if terms.direct:
            return True
        apart = APART if shown.total is not None else APART_UNCOUNTED
        return shown.utmost and shown.at - found.held_at >= apart
    return found.times >= terms.agreeing and found.last_at - found.first_at >= terms.agreeing_for


def to_ask(missed: Mapping[int, Missed], at: datetime, most: int) -> list[int]:
    """The likes to ask about now, those that waited longest first."""
    due = [
        (found.asked_at or found.first_at, each)
        for each, found in missed.items()
        if found.ripe and (found.stands or found.asked_at is None or found.asked_at + _wait(found) <= at)
    ]
    return [each for _, each in sorted(due)[:most]]


def _wait(found: Missed) -> timedelta:
    return min(FIRST_WAIT * (1 << min(max(found.asked - 1, 0), 10)), LONGEST_WAIT)


def stands(found: Missed, at: datetime) -> Missed:
    """The platform says that the like stands, at a time, though the list does not show it."""
    asked = found.asked + 1 if found.stands else 1
    return replace(found, stands=True, gone=False, ripe=False, held_at=None, asked=asked, asked_at=at)


def unanswered(found: Missed, at: datetime) -> Missed:
    """The platform could not say."""
    return replace(found, asked=found.asked + 1, asked_at=at)


def gone(found: Missed, at: datetime) -> Missed | None:
    """The platform says that what was liked is gone; None once it has said so twice, which ends the questions.

    A passing refusal looks just like content that is out of sight, and an unlike must not be lost to it.
    """
    return None if found.gone else replace(found, gone=True, asked=found.asked + 1, asked_at=at)


def held(missed: Mapping[int, Missed]) -> frozenset[int]:
    """The marks of what is held."""
    return frozenset(each for each, found in missed.items() if found.held_at is not None)


def whole_wanted(missed: Mapping[int, Missed], old: Collection[int], terms: Terms) -> datetime | None:
    """From when on a complete listing more would help to settle what is missing; None: the plan's own pace will do."""
    soonest = None
    for each, found in missed.items():
        if found.stands or (found.ripe and found.held_at is None):
            continue
        if found.held_at is not None:
            # Within the hour once, to undo a passing fault; then a few times a day.
            wanted = found.last_at + (LOOK_AGAIN if found.last_at <= found.held_at else SELDOM)
        elif each in old:
            continue
        elif terms.agreeing > 1:
            wanted = found.last_at + terms.agreeing_for / (terms.agreeing - 1)
        else:
            wanted = found.first_at + terms.agreeing_for
        soonest = wanted if soonest is None else min(soonest, wanted)
    return soonest


def dumped(missed: Mapping[int, Missed]) -> str | None:
    """All of it as JSON, None if nothing is missing."""
    if not missed:
        return None
    return json.dumps({f"{each:x}": _dumped(found) for each, found in missed.items()}, separators=(",", ":"))


def loaded(stored: str | None) -> dict[int, Missed]:
    """The inverse of `dumped`."""
    return {int(each, 16): _loaded(found) for each, found in json.loads(stored or "{}").items()}


def _dumped(found: Missed) -> dict[str, Any]:
    times = {"first": found.first_at, "last": found.last_at, "held": found.held_at, "asked_at": found.asked_at}
    marks = {"ripe": int(found.ripe), "stands": int(found.stands), "gone": int(found.gone)}
    numbers = {"times": found.times, "asked": found.asked} | marks
    kept = {name: to_micros(at) for name, at in times.items() if at is not None}
    return kept | {name: number for name, number in numbers.items() if number}


def _loaded(found: dict[str, Any]) -> Missed:
    def at(name: str) -> datetime | None:
        return from_micros(found[name]) if name in found else None

    return Missed(
        times=found.get("times", 0),
        first_at=from_micros(found["first"]),
        last_at=from_micros(found["last"]),
        held_at=at("held"),
        ripe=bool(found.get("ripe")),
        asked=found.get("asked", 0),
        asked_at=at("asked_at"),
        stands=bool(found.get("stands")),
        gone=bool(found.get("gone")),
    )
