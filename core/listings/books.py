"""Between a list's marks and the likes in the books: which like a mark stands for, and which of them are held."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session, col, select

from core import standing as flattrs
from core.database import to_micros
from core.events import AccountRef, ThingRef
from core.likes import BY_HAND
from core.listings.marks import mark
from core.people import persons
from core.people.tables import Account
from core.tables import Like, Thing, ThingName

CHUNK = 500
"""Rows that one statement names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlisted:
    """A like that stands in the books and is missing in its list: to be asked about."""

    mark: int
    number: int
    """Of the like in the books."""
    by: AccountRef
    thing: ThingRef
    reaction: str
    like_id: str | None
    since: datetime | None
    """If it stands, it is not older than this; None where the platform tells no times."""


def unlisted(tx: Session, account_id: int, marks: Collection[int]) -> list[Unlisted]:
    """The standing likes of an account for some marks, in their order; a mark may stand for none."""
    by = persons.ref(tx.get_one(Account, account_id))
    place = {each: number for number, each in enumerate(marks)}
    found = [
        Unlisted(
            mark=each,
            number=like.id or 0,
            by=by,
            thing=thing,
            reaction=like.reaction,
            like_id=like.fact[1:] if like.fact.startswith("#") else None,
            since=like.latest_at if like.timed else None,
        )
        for each, thing, like in _standing(tx, account_id, by.platform)
        if each in place
    ]
    return sorted(found, key=lambda each: place[each.mark])


def ended(tx: Session, account_id: int, before: datetime) -> frozenset[int]:
    """The marks of an account's likes whose end was heard of before a time."""
    account = tx.get_one(Account, account_id)
    return frozenset(
        each
        for each, _, like in _likes(tx, account_id, account.platform, standing=False)
        if like.unliked_position is not None and like.unliked_position < to_micros(before)
    )


def hold(tx: Session, account_id: int, marks: Collection[int], at: datetime) -> None:
    """Hold exactly the standing likes of an account for these marks; the others of it are held no longer.

    A flattr whose counting likes are all held is left out at closing, unless they are settled before.
    """
    account = tx.get_one(Account, account_id)
    if account.person_id is not None:
        persons.locked(tx, account.person_id)  # the person before their likes, as everybody does
    likes = {like.id: (like, each in marks) for each, _, like in _standing(tx, account_id, account.platform)}
    held = [like for like, wanted in likes.values() if wanted and like.held_at is None]
    freed = [like for like, wanted in likes.values() if not wanted and like.held_at is not None]
    for changed, since in ((held, at), (freed, None)):
        for first in range(0, len(changed), CHUNK):
            _set(tx, changed[first : first + CHUNK], since)


def free(tx: Session, number: int) -> None:
    """A like that was held is so no longer."""
    query = select(Like).where(Like.id == number, col(Like.held_at).is_not(None)).with_for_update()
    if (like := tx.exec(query.execution_options(populate_existing=True)).one_or_none()) is not None:
        _set(tx, [like], None)


def _set(tx: Session, likes: list[Like], since: datetime | None) -> None:
    for like in likes:
        like.held_at = since
    tx.flush()
    flattrs.restand(tx, {like.flattr_id for like in likes if like.flattr_id is not None})


def standing(tx: Session, account_id: int) -> list[int]:
    """The marks of what stands in the books, the newest like first."""
    return _newest_first(_standing(tx, account_id, tx.get_one(Account, account_id).platform))


def told(tx: Session, account_id: int, since: datetime) -> list[int]:
    """The same of what has a time of its own after another."""
    found = _standing(tx, account_id, tx.get_one(Account, account_id).platform)
    return _newest_first(each for each in found if each[2].timed and each[2].latest_at and each[2].latest_at > since)


def _newest_first(found: Iterable[tuple[int, ThingRef, Like]]) -> list[int]:
    return [each for each, _, _ in sorted(found, key=lambda each: each[2].liked_position or 0, reverse=True)]


def _standing(tx: Session, account_id: int, platform: str) -> Iterator[tuple[int, ThingRef, Like]]:
    return _likes(tx, account_id, platform, standing=True)


def _likes(tx: Session, account_id: int, platform: str, *, standing: bool) -> Iterator[tuple[int, ThingRef, Like]]:
    """What an account likes, or liked once, by the books.

    What was flattred by a message is in no list, so no list can take it back.
    """
    named = sa.and_(
        col(ThingName.thing_id) == col(Like.thing_id),
        col(ThingName.platform) == platform,
        col(Like.fact).startswith("#"),
    )
    query = (
        select(Like, Thing.url, ThingName.native_id)
        .join(Thing, col(Thing.id) == col(Like.thing_id))
        .join(ThingName, named, isouter=True)
        .where(Like.account_id == account_id, col(Like.standing) == standing, Like.reaction != BY_HAND)
        .order_by(col(Like.id))
        .execution_options(populate_existing=True)
    )
    for like, url, native_id in tx.exec(query).all():
        of, _, rest = like.fact.partition(":")
        if like.fact.startswith("#"):
            of, rest = platform, native_id
        else:
            rest = rest.rpartition("|")[0]
        if rest:
            yield mark(rest), ThingRef(platform=of, native_id=rest, url=url), like
