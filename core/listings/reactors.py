"""Whose likes of a thing the list of its likers adds or misses, where the creator's side shows that list.

Elsewhere a member's own list is read; here one thing's, with strangers on it, of whom nothing is kept. What such a
list shows of a member counts only if it was surely given since the account was linked. What a complete list misses
is withdrawn once two in a row agree, and held first where too much is missing at once (money.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, select

from core import facts, likes, standing, things
from core.database import from_micros, to_micros
from core.events import AccountRef, Liked, ThingRef, Unliked
from core.likes import BY_HAND, Recorded
from core.listings.vanishing import APART, FEW, PART
from core.people import persons
from core.people.tables import Account
from core.rules import Rules
from core.tables import Like

BEHIND = timedelta(minutes=2)
"""How old the state may be that a platform's list shows: whatever was told of a later time knows better."""

AGREEING = 2
"""Complete lists in a row that must miss a like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the platform showed of one thing."""

    thing: ThingRef
    author: AccountRef
    likers: frozenset[str]
    """Account ids, strangers' too."""
    complete: bool
    """Everybody was listed, by the platform's own count."""
    made_at: datetime | None
    """When the thing appeared: nobody liked it before."""
    asked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """A standing like that complete lists miss."""

    times: int
    held_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What the lists of one thing have shown so far, of members only."""

    listed_at: datetime | None = None
    """When the last complete one was asked for."""
    likers: frozenset[str] = frozenset()
    missed: Mapping[str, Missed] = field(default_factory=dict)

    def dumped(self) -> dict[str, Any]:
        """As JSON can keep it."""
        missed = {
            each: [found.times, to_micros(found.held_at) if found.held_at else None]
            for each, found in sorted(self.missed.items())
        }
        listed = to_micros(self.listed_at) if self.listed_at else None
        return {"at": listed, "likers": sorted(self.likers), "missed": missed}

    @classmethod
    def loaded(cls, kept: Mapping[str, Any]) -> Remembered:
        """The inverse of `dumped`."""
        return cls(
            listed_at=from_micros(kept["at"]) if kept["at"] is not None else None,
            likers=frozenset(kept["likers"]),
            missed={
                each: Missed(times=times, held_at=from_micros(held) if held is not None else None)
                for each, (times, held) in kept["missed"].items()
            },
        )


@dataclass(slots=True, kw_only=True)
class Settled:
    """What came of one round of lists."""

    added: int = 0
    withdrawn: int = 0
    held: int = 0
    remembered: dict[str, Remembered] = field(default_factory=dict)
    """By the thing's native id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    account: Account
    shown: Shown
    like: Like | None


def members(tx: Session, platform: str, prefix: str) -> dict[str, Account]:
    """The members' accounts whose id begins so."""
    query = select(Account).where(
        Account.platform == platform,
        col(Account.account_id).startswith(prefix, autoescape=True),
        col(Account.person_id).is_not(None),
    )
    return {account.account_id: account for account in tx.exec(query).all()}


def settle(
    tx: Session,
    rules: Rules,
    here: Mapping[str, Account],
    shown: Sequence[Shown],
    before: Mapping[str, Remembered],
) -> Settled:
    """Record what the lists of some things, read in one round, say about the members that are ``here``."""
    settled = Settled()
    given: list[_Case] = []
    gone: list[_Case] = []
    back: list[_Case] = []
    known = 0
    for each in shown:
        was = before.get(each.thing.native_id, Remembered())
        missed = {name: found for name, found in was.missed.items() if name not in each.likers}
        for case in _cases(tx, here, each):
            stands = case.like is not None and case.like.standing
            known += stands
            name = case.account.account_id
            if name in each.likers:
                if stands:
                    back.append(case)
                elif _is_since_link(case, was):
                    given.append(case)
            elif not stands:
                missed.pop(name, None)
            elif each.complete:
                found = missed.get(name, Missed(times=0))
                missed[name] = Missed(times=found.times + 1, held_at=found.held_at)
                gone.append(case)
        listed = each.likers & here.keys()
        settled.remembered[each.thing.native_id] = Remembered(
            listed_at=each.asked_at if each.complete else was.listed_at,
            likers=listed if each.complete else listed | was.likers,
            missed=missed,
        )
    _hold(settled, gone, known)
    # By persons and their numbers, as everybody locks them.
    for case in sorted([*given, *gone, *back], key=lambda case: (case.account.person_id or 0, case.account.id or 0)):
        _record(tx, rules, settled, case)
    return settled


def _cases(tx: Session, here: Mapping[str, Account], shown: Shown) -> Iterator[_Case]:
    """Every member who is on the list, or who likes the thing by what the books say."""
    fact = facts.fact(Liked(by=shown.author, thing=shown.thing, author=None))
    thing = things.find(tx, shown.thing)
    rows: dict[int, Like] = {}
    if thing is not None:
        query = select(Like).where(Like.thing_id == thing.id, Like.fact == fact, Like.reaction != BY_HAND)
        rows = {like.account_id: like for like in tx.exec(query).all()}
    for name, account in here.items():
        like = rows.get(persons.key(account))
        if like is not None or name in shown.likers:
            yield _Case(account=account, shown=shown, like=like)


def _is_since_link(case: _Case, was: Remembered) -> bool:
    """Whether a like that a list shows was surely given since its account was linked."""
    linked = case.account.linked_at
    if linked is None:
        return False
    if case.shown.made_at is not None and case.shown.made_at >= linked:
        return True
    if was.listed_at is not None and was.listed_at - BEHIND >= linked and case.account.account_id not in was.likers:
        return True
    ended = case.like.unliked_position if case.like is not None else None
    return ended is not None and ended >= to_micros(linked.replace(microsecond=0))


def _hold(settled: Settled, gone: Sequence[_Case], known: int) -> None:
    """Of too many at once none is believed: they are held until a list of another day misses them too."""
    if not (len(gone) > FEW and len(gone) * PART > known):
        return
    for case in gone:
        thing, name = case.shown.thing.native_id, case.account.account_id
        was = settled.remembered[thing]
        found = was.missed[name]
        held = Missed(times=found.times, held_at=found.held_at or case.shown.asked_at)
        settled.remembered[thing] = Remembered(
            listed_at=was.listed_at, likers=was.likers, missed={**was.missed, name: held}
        )


def _record(tx: Session, rules: Rules, settled: Settled, case: _Case) -> None:
    shown, name = case.shown, case.account.account_id
    by = persons.ref(case.account)
    order = to_micros(shown.asked_at - BEHIND)
    if name in shown.likers:
        _hold_row(tx, case, None)
        if case.like is None or not case.like.standing:
            liked = Liked(by=by, thing=shown.thing, author=shown.author, order=order)
            settled.added += likes.record(tx, rules, liked, shown.asked_at) is Recorded.counted
        return
    found = settled.remembered[shown.thing.native_id].missed[name]
    if found.held_at is not None and shown.asked_at - found.held_at < APART:
        _hold_row(tx, case, found.held_at)
        settled.held += 1
    elif found.times >= AGREEING:
        _hold_row(tx, case, None)
        unliked = Unliked(by=by, thing=shown.thing, order=order)
        settled.withdrawn += likes.record(tx, rules, unliked, shown.asked_at) is Recorded.withdrawn


def _hold_row(tx: Session, case: _Case, at: datetime | None) -> None:
    """Hold a like, or let it go: a flattr whose counting likes are all held is left out at closing."""
    like = case.like
    if like is None or like.held_at == at:
        return
    assert case.account.person_id is not None
    persons.locked(tx, case.account.person_id)
    tx.refresh(like)
    like.held_at = at
    tx.flush()
    if like.flattr_id is not None:
        standing.restand(tx, [like.flattr_id])
