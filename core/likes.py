"""Records what platforms say about likes, and keeps the flattrs that they count for.

The rules are money.md's "Likes and flattrs". Everything may happen twice and in any order: a like's row keeps the
latest position at which it was given and taken, and stands while the former is the later one. A position is the
platform's order key or, where it has none, the time of first receipt.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import assert_never

from sqlmodel import Session, col, select

from core import counting, facts, reactions, standing, things
from core.database import to_micros
from core.events import (
    AccountRef,
    Cleared,
    Event,
    Gone,
    Liked,
    Messaged,
    Revoked,
    Seen,
    ThingRef,
    Unliked,
)
from core.mail import outbox
from core.months import stages
from core.people import claims, persons
from core.people.tables import Account
from core.periods import month_name, month_of
from core.rules import Rules
from core.tables import Flattr, Like, Thing

BY_HAND = "by hand"
"""The reaction of a `flattr <url>` sent to the bot."""


class Recorded(StrEnum):
    """What became of an event."""

    counted = "counted"
    standing = "standing"
    """There already; nothing changed."""
    withdrawn = "withdrawn"
    unchanged = "unchanged"
    """Older than what is known, or about something unknown."""
    not_a_member = "not a member"
    not_counted = "not counted"
    stored = "stored"
    """News that are not about one like."""


def record(tx: Session, rules: Rules, event: Event, received_at: datetime) -> Recorded:
    """Take one event into the books; the same event again changes nothing.

    Direct messages are the conversation's, not ours: TypeError.
    """
    match event:
        case Liked():
            return _liked(tx, rules, event, received_at)
        case Unliked():
            return _unliked(tx, rules, event, received_at)
        case Cleared():
            return _cleared(tx, rules, event, received_at)
        case Gone():
            if thing := things.find(tx, event.thing):
                thing.gone_at = thing.gone_at or received_at
            return Recorded.stored
        case Seen():
            if not claims.is_declined(tx, rules, event.author):
                things.tell_author(tx, event.thing, event.author)
            return Recorded.stored
        case Revoked():
            return revoked(tx, event, received_at)
        case Messaged():
            raise TypeError("a direct message is answered by the conversation, it is not recorded as a like")
        case _:
            assert_never(event)


def record_by_hand(
    tx: Session, rules: Rules, by: AccountRef, thing: ThingRef, author: AccountRef | None, at: datetime
) -> Recorded:
    """A `flattr <url>` said to the bot: a like, and said again a new one (it brings back what was struck out)."""
    month = month_name(month_of(at))
    said = f"{BY_HAND} {month}:{thing.platform}:{thing.native_id}"
    event = Liked(by=by, thing=thing, author=author, reaction=BY_HAND, like_id=said)
    outcome = _liked(tx, rules, event, at)
    account = persons.account_of(tx, by)
    like = facts.find(tx, account, event) if account else None
    if outcome is not Recorded.standing or account is None or like is None:
        return outcome
    if like.uncounted:
        return _begin(tx, rules, like, at, at, to_micros(at))
    flattr = tx.get(Flattr, like.flattr_id) if like.flattr_id else None
    if flattr is not None and flattr.patron_id != account.person_id:
        return _begin(tx, rules, like, at, at, to_micros(at))
    if flattr is None or flattr.struck_at is None or counting.why_not(tx, account, at, flattr.author_id):
        return outcome
    flattr.struck_at = None
    return Recorded.counted


def _member(tx: Session, ref: AccountRef) -> Account | None:
    """The account of a member, whose likes and flattrs are this transaction's alone from here on.

    PostgreSQL lets two processes work on the likes of one person otherwise: each would miss what the other changes.
    """
    account = persons.account_of(tx, ref)
    if account is None or account.person_id is None:
        return None
    persons.locked(tx, account.person_id)
    tx.refresh(account)  # a merge may have moved it while we waited
    return account if account.person_id is not None else None


def _liked(tx: Session, rules: Rules, event: Liked, received_at: datetime) -> Recorded:
    if event.by.is_bot:
        return Recorded.not_counted
    account = _member(tx, event.by)
    if account is None:
        return Recorded.not_a_member
    if event.reaction != BY_HAND and not counting.in_room(tx, event.room, event.reaction):
        return Recorded.not_counted
    # Of those who declined the hub keeps a hash and nothing else, so no account is made for them here.
    declined = event.author is not None and claims.is_declined(tx, rules, event.author)
    author = None if declined else event.author
    at = min(event.at or received_at, received_at)
    position = to_micros(received_at) if event.order is None else event.order
    like = facts.find(tx, account, event) or facts.insert(tx, account, event)
    if facts.heard_before(like, event, at):
        return Recorded.standing if like.standing else Recorded.unchanged
    like.doubtful = like.doubtful or facts.in_doubt(like, event, at)
    like.timed = like.timed or event.at is not None
    if like.thing_id is None:
        like.thing_id = things.ensure(tx, event.thing, author).id
    if like.standing and like.liked_position is not None and not _proves_another(tx, like, account, event, at):
        if position > like.liked_position and (event.order is not None or event.at is not None):
            like.liked_position, like.latest_at = position, at
        return Recorded.standing
    if like.unliked_position is not None and position <= like.unliked_position:
        like.liked_position = max(position, like.liked_position or position)
        return Recorded.unchanged
    like.thing_id = things.ensure(tx, event.thing, author).id
    author_id = persons.ensure_account(tx, author).id if author else None
    return _begin(tx, rules, like, at, received_at, position, author_id, why_not="declined" if declined else None)


def _proves_another(tx: Session, like: Like, account: Account, event: Liked, at: datetime) -> bool:
    """Whether a like that stands was given anew, though nobody told that it was taken back in between.

    A platform that times its likes says so by a later time; it matters where it does not count so far, counts for
    another month, was struck out, or where the account has become somebody else's since. (An order key may grow by an
    edit, so it proves nothing.)
    """
    if event.at is None or event.order is not None:
        return False
    if like.flattr_id is None:
        return like.timed and like.latest_at is not None and at > like.latest_at
    flattr = tx.get_one(Flattr, like.flattr_id)
    if flattr.struck_at is not None and flattr.struck_at < at:
        return True
    return flattr.patron_id != account.person_id or flattr.month < month_of(at)


def _begin(
    tx: Session,
    rules: Rules,
    like: Like,
    at: datetime,
    received_at: datetime,
    position: int,
    author_id: int | None = None,
    *,
    why_not: str | None = None,
) -> Recorded:
    """A new episode: it counts for a flattr, or it is kept with the reason why it does not."""
    account = tx.get_one(Account, like.account_id)
    patron_id = account.person_id
    if patron_id is None:
        return Recorded.not_a_member
    thing = tx.get_one(Thing, like.thing_id)
    assert thing.id is not None
    author_id = author_id or thing.author_id
    like.standing = True
    like.liked_at = like.latest_at = at
    like.began_position = like.liked_position = position
    like.held_at = None
    like.uncounted = why_not or counting.why_not(tx, account, at, author_id)
    ended, like.flattr_id = like.flattr_id, None
    tx.flush()
    if ended is not None:
        standing.restand(tx, [ended])
    if like.uncounted:
        return Recorded.not_counted
    month = stages.month_taking(tx, at, received_at)
    flattr = tx.exec(
        select(Flattr)
        .where(Flattr.month == month, Flattr.patron_id == patron_id, Flattr.thing_id == thing.id)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if flattr is None:
        flattr = Flattr(patron_id=patron_id, thing_id=thing.id, month=month, author_id=author_id, created_at=at)
        tx.add(flattr)
    else:
        flattr.standing, flattr.held = True, False
        flattr.author_id = flattr.author_id or author_id
        if flattr.voided == "declined":
            flattr.voided = None  # the refusal was taken back, or this would not count
        if flattr.struck_at and at > flattr.struck_at:
            flattr.struck_at = None
    flattr.own = flattr.own or counting.is_own(tx, account, flattr.author_id)
    tx.flush()
    like.flattr_id = flattr.id
    tx.flush()
    return Recorded.counted


def _unliked(tx: Session, rules: Rules, event: Unliked, received_at: datetime) -> Recorded:
    account = _member(tx, event.by) or persons.account_of(tx, event.by)
    if account is None:
        return Recorded.not_a_member
    position = to_micros(received_at) if event.order is None else event.order
    like = facts.find(tx, account, event)
    if like is None and account.person_id is None:
        return Recorded.not_a_member
    if like is None:
        like = facts.insert(tx, account, event)  # the like itself may be on its way still
    like.doubtful = like.doubtful or facts.in_doubt(like, event, received_at)
    return _end(tx, rules, like, position, received_at)


def _end(tx: Session, rules: Rules, like: Like, position: int, received_at: datetime) -> Recorded:
    if like.unliked_position is not None and position <= like.unliked_position:
        return Recorded.unchanged
    like.unliked_position = position
    if not like.standing or like.began_position is None or position < like.began_position:
        return Recorded.unchanged
    ended = like.flattr_id
    like.standing, like.held_at = False, None
    tx.flush()
    if ended is not None:
        standing.restand(tx, [ended])
    if like.latest_at is not None and like.liked_position is not None and like.liked_position > position:
        # It was given again before this end was heard of: that is an episode of its own.
        return _begin(tx, rules, like, like.latest_at, received_at, like.liked_position)
    return Recorded.withdrawn


def revoked(tx: Session, event: Revoked, received_at: datetime) -> Recorded:
    """The platform refuses the hub's access to an account: it is paused, and its owner is told once."""
    account = _member(tx, event.by)
    if account is None:
        return Recorded.not_a_member
    if account.needs_relink_at is None:
        account.needs_relink_at = received_at
        source = f"relink:{account.id}:{to_micros(received_at)}"
        outbox.put(tx, kind="relink", source=source, at=received_at, person_id=account.person_id)
    return Recorded.stored


def _cleared(tx: Session, rules: Rules, event: Cleared, received_at: datetime) -> Recorded:
    thing = things.find(tx, event.thing)
    if thing is None:
        return Recorded.unchanged
    query = (
        select(Like)
        .where(Like.thing_id == thing.id, col(Like.standing), Like.reaction != BY_HAND)
        .order_by(col(Like.account_id), col(Like.id))
    )
    if event.reaction is not None:
        query = query.where(Like.reaction == reactions.plain(event.reaction))
    outcomes = []
    for like in tx.exec(query).all():
        person_id = tx.get_one(Account, like.account_id).person_id
        if person_id is not None:
            persons.locked(tx, person_id)
            tx.refresh(like)
        # Its own position, for a clearing has none that would fit every platform's order keys.
        outcomes.append(_end(tx, rules, like, like.liked_position or 0, received_at))
    return Recorded.withdrawn if Recorded.withdrawn in outcomes else Recorded.unchanged
