"""Puts what readings showed into the books: each in the caller's transaction, and only under the account's lease.

New likes are recorded page by page; that they are known, and where to read on, is stored only with the last page. So
a reading that breaks off at any point is read again, and the books absorb what they have heard before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlmodel import Session

from core import likes
from core.database import to_micros
from core.events import Gone, Liked, Unliked
from core.likes import Recorded
from core.listings import books, leases, marks, vanishing
from core.listings.books import Unlisted
from core.listings.leases import Claimed
from core.listings.marks import Known
from core.listings.reading import Reading
from core.listings.tables import Listing
from core.listings.vanishing import Missed, Shown
from core.periods import month_end, month_of
from core.rules import Rules

Still = Literal["liked", "unliked", "gone", "unknown"]
"""A platform's word about one like; `connectors.polling.Still` says what each means."""

ASKS = 50
"""Questions about missing likes in one turn of an account, so that thousands do not keep the others waiting."""
SOON = timedelta(minutes=5)
"""Until the next turn of an account about which there is more to ask, or whose first listing is in doubt."""
BLIND = timedelta(hours=1)
"""A reading that comes so much too late is worth mentioning to the account's owner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A reading in the books; ``ask``: likes to ask the platform about, under the same lease."""

    ask: tuple[Unlisted, ...] = ()


def record(
    tx: Session, rules: Rules, claimed: Claimed, events: Sequence[Liked], *, asked_at: datetime, until: datetime
) -> int:
    """Record the new likes of a page that was asked for at ``asked_at``; how many count. Our lease goes on."""
    row = leases.held(tx, claimed)
    row.leased_until = until
    row.begun += marks.pack(Known(tuple(marks.mark(each.thing.native_id) for each in events)))
    return _record(tx, rules, events, asked_at)


def _record(tx: Session, rules: Rules, events: Sequence[Liked], asked_at: datetime) -> int:
    outcomes = [likes.record(tx, rules, event, asked_at) for event in events]
    return outcomes.count(Recorded.counted)


def finish(
    tx: Session,
    rules: Rules,
    reading: Reading,
    events: Sequence[Liked],
    *,
    asked_at: datetime,
    at: datetime,
    until: datetime,
    counted: int = 0,
    jitter: float = 0.5,
) -> Finished:
    """The last page's new likes, and with them all that the reading showed; LeaseLost leaves everything as it was.

    ``counted``: of the pages before. ``jitter``: from 0 to 1, spreads the next turns. Without a question the account
    is given back; with one it stays ours ``until`` then.
    """
    claimed, shown = reading.claimed, reading.shown
    if shown is None:
        raise ValueError("the reading has not come to its end")
    row = leases.held(tx, claimed)
    counted += _record(tx, rules, events, asked_at)
    if reading.first and not _settled_at_first(row, reading, shown):
        _give_back(row, at + SOON, at)
        tx.flush()
        return Finished()
    stood = _know_what_stands(tx, row, reading, shown)
    before = _with_begun(row, reading)
    old = before.old.union(reading.old, shown.besides if reading.first and not reading.terms.timed else ())
    known = Known(marks.merged(before.order, shown.listed), old.difference(stood))
    if reading.first:
        known = Known((*known.order, *shown.besides.difference(known.order)), known.old)
        if stood:
            books.hold(tx, row.account_id, (), at)  # what an earlier link's readings held begins anew too
    known, ask = _look_for_missing(tx, row, reading, before, known, at)
    _mark_blind_spell(row, reading, counted)
    _keep(row, marks.pack(known), reading)
    row.interval_seconds = _interval(row, reading)
    next_at = at + timedelta(seconds=row.interval_seconds) * (0.9 + 0.2 * jitter)
    if len(ask) >= ASKS:
        next_at = min(next_at, at + SOON)
    if row.missing and (wanted := vanishing.whole_wanted(vanishing.loaded(row.missing), known.old, reading.terms)):
        next_at = min(next_at, max(wanted, at + SOON))
    _give_back(row, next_at, at)
    if ask:
        row.leased_by, row.leased_until = claimed.lease, until
    tx.flush()
    return Finished(ask=tuple(ask))


def _know_what_stands(tx: Session, row: Listing, reading: Reading, shown: Shown) -> list[int]:
    """The marks of likes that are known by the books, though no list may ever show them; none of them is old.

    At first that is all that stands there: from an earlier link, or told since this one. Later it is what the platform
    told since the last reading, which is newer than all that was listed before.
    """
    if reading.first:
        stood = books.standing(tx, row.account_id)
    elif reading.terms.told and row.read_at is not None:
        stood = books.told(tx, row.account_id, row.read_at)
    else:
        return []
    reading.old.difference_update(stood)
    known, there = reading.known, shown.there.union(reading.known.order)
    order = (*(each for each in stood if each not in there), *known.order)
    reading.known = Known(order, known.old.difference(stood))
    return stood


def _with_begun(row: Listing, reading: Reading) -> Known:
    """What was known before a reading, with what earlier ones recorded that broke off: it may be unliked by now."""
    there = set(reading.known.order).union(reading.listed)
    begun = dict.fromkeys(each for each in marks.unpack(row.begun).order if each not in there)
    row.begun = b""
    return Known((*begun, *reading.known.order), reading.known.old)


def _settled_at_first(row: Listing, reading: Reading, shown: Shown) -> bool:
    """Whether the first listing can be the base on which later likes are new; else it is read again.

    Only networks without times need one. If the platform counts more likes than it lists, a second listing with
    nothing more in it decides.
    """
    if reading.terms.timed or shown.complete or shown.proves != "everything":
        return True
    if reading.known.order and shown.there <= set(reading.known.order):
        return True
    seen = tuple(dict.fromkeys((*reading.known.order, *shown.listed, *shown.besides)))
    row.known = marks.pack(Known(seen, frozenset(seen)))
    return False


def _look_for_missing(
    tx: Session, row: Listing, reading: Reading, was: Known, known: Known, at: datetime
) -> tuple[Known, list[Unlisted]]:
    """Work out what is missing after a reading: the likes to ask about; what never counted is forgotten silently."""
    shown, before = reading.shown, reading.missing
    assert shown is not None
    missing: dict[int, Missed] = {}
    if not reading.first:
        missing = vanishing.after(before, was, shown, reading.terms)
    forgotten = {each for each, found in missing.items() if found.ripe and each in known.old}
    wanted = vanishing.to_ask({each: found for each, found in missing.items() if each not in forgotten}, at, ASKS)
    ask = books.unlisted(tx, row.account_id, wanted) if wanted else []
    # What does not stand in the books (any more) needs no question.
    forgotten |= set(wanted).difference(each.mark for each in ask)
    missing = {each: found for each, found in missing.items() if each not in forgotten}
    if vanishing.held(before) != vanishing.held(missing):
        books.hold(tx, row.account_id, vanishing.held(missing), at)
    row.missing = vanishing.dumped(missing)
    return known.without(forgotten), ask


def _mark_blind_spell(row: Listing, reading: Reading, counted: int) -> None:
    if row.read_at is None:
        return
    expected = row.read_at + timedelta(seconds=row.interval_seconds)
    if reading.began_at - expected >= BLIND:
        row.blind_from, row.blind_until, row.caught_up = row.read_at, reading.began_at, counted


def _keep(row: Listing, known: bytes, reading: Reading) -> None:
    if row.known != known:
        row.known = known
    row.cursor = row.cursor if reading.cursor is None else reading.cursor
    row.latest_at = reading.latest_at
    row.marked_at = row.marked_at or reading.began_at
    row.read_at = reading.began_at
    if reading.whole or (reading.shown is not None and reading.shown.complete):
        row.whole_at = reading.began_at
    if reading.again:
        row.whole_at = reading.began_at - reading.terms.whole
    row.failing_since, row.failures, row.error = None, 0, None


def _interval(row: Listing, reading: Reading) -> int:
    often = reading.terms.often.total_seconds()
    if reading.new or reading.first or reading.again:
        return round(often)
    return round(min(max(row.interval_seconds, often) * 2, reading.terms.seldom.total_seconds()))


def _give_back(row: Listing, next_at: datetime, at: datetime) -> None:
    """Whoever was not read since a month's end is due then, before others have their second turns."""
    row.next_at = min(next_at, month_end(month_of(row.read_at or at)))
    row.leased_by = row.leased_until = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A platform's word about a like that its list does not show; ``asked_at``: before the question."""

    about: Unlisted
    answer: Still
    asked_at: datetime


def settle(tx: Session, rules: Rules, claimed: Claimed, answers: Sequence[Answered], *, until: datetime) -> None:
    """The platform has answered about likes that its list does not show. Our lease goes on."""
    row = leases.held(tx, claimed)
    row.leased_until = until
    missing = vanishing.loaded(row.missing)
    forgotten = set()
    for each in answers:
        found = missing.pop(each.about.mark, None)
        match each.answer:
            case "liked" | "gone":
                books.free(tx, each.about.number)
            case "unliked":
                likes.record(tx, rules, _unliked(each), each.asked_at)
        match each.answer:
            case "liked" if found is not None:
                missing[each.about.mark] = vanishing.stands(found, each.asked_at)
            case "unknown" if found is not None:
                missing[each.about.mark] = vanishing.unanswered(found, each.asked_at)
            case "gone" if found is not None and (again := vanishing.gone(found, each.asked_at)) is not None:
                missing[each.about.mark] = again
            case "gone":
                likes.record(tx, rules, Gone(thing=each.about.thing), each.asked_at)
                forgotten.add(each.about.mark)
            case "unliked":
                forgotten.add(each.about.mark)
    if forgotten:
        row.known = marks.pack(marks.unpack(row.known).without(forgotten))
    row.missing = vanishing.dumped(missing)
    tx.flush()


def _unliked(said: Answered) -> Unliked:
    # The time of the question is the answer's place in the order, so that nothing is in doubt.
    return Unliked(
        by=said.about.by,
        thing=said.about.thing,
        reaction=said.about.reaction,
        like_id=said.about.like_id,
        order=to_micros(said.asked_at),
    )


def give_back(tx: Session, claimed: Claimed, *, at: datetime, next_at: datetime | None = None) -> None:
    """The turn is over; ``next_at``: the next one is not later than that."""
    row = leases.held(tx, claimed)
    _give_back(row, row.next_at if next_at is None else min(row.next_at, next_at), at)
    tx.flush()


def postpone(tx: Session, claimed: Claimed, *, until: datetime) -> None:
    """The platform wants nobody to ask about this account before a time; that is no failure."""
    row = leases.held(tx, claimed)
    _give_back(row, until, until)
    row.next_at = until
    tx.flush()


def fail(tx: Session, claimed: Claimed, *, error: str, wait: timedelta, at: datetime) -> None:
    """The account could not be read: again after ``wait``, from where it was."""
    row = leases.held(tx, claimed)
    row.failing_since = row.failing_since or at
    row.failures += 1
    row.error = error[:300]
    end = month_end(month_of(at))
    row.next_at = min(at + wait, end) if at < end else at + wait
    row.leased_by = row.leased_until = None
    tx.flush()


def stop(tx: Session, claimed: Claimed, *, at: datetime) -> None:
    """Its access has ended. It is due soon, so that it is read as soon as its owner has linked it again."""
    row = leases.held(tx, claimed)
    row.failing_since, row.failures, row.error = None, 0, None
    row.next_at = at + timedelta(minutes=1)
    row.leased_by = row.leased_until = None
    tx.flush()
