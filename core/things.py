"""Things and their names: one piece of content is one thing, under whatever name a platform knows it."""

from __future__ import annotations

import sqlalchemy as sa
from sqlmodel import Session, col, select

from core.database import insert_once, take_turns
from core.events import AccountRef, ThingRef
from core.months.tables import Month, Payable
from core.people import persons
from core.people.tables import Account, Person
from core.tables import Flattr, Thing, ThingName


def find(tx: Session, ref: ThingRef) -> Thing | None:
    """The thing that a platform knows under this id, if the hub has heard of it."""
    name = tx.get(ThingName, (ref.platform, ref.native_id))
    return tx.get_one(Thing, name.thing_id) if name else None


def ensure(tx: Session, ref: ThingRef, author: AccountRef | None) -> Thing:
    """The thing, made on first sight.

    The same canonical URL under another platform's name is the same thing (cross-posts). Within one platform the
    native id alone decides: an address that was given to somebody else's content must not inherit the thing.
    """
    thing = find(tx, ref)
    if thing is None:
        take_turns(tx, ref.url)
        thing = _same_address(tx, ref) or _new(tx, ref)
        wanted = {"platform": ref.platform, "native_id": ref.native_id, "thing_id": thing.id}
        insert_once(tx, ThingName, wanted)
        thing = find(tx, ref)
        assert thing is not None
    if author is not None and thing.author_id is None:
        _set_author(tx, thing, author)
    _describe(tx, thing, ref)
    return thing


def tell_author(tx: Session, ref: ThingRef, author: AccountRef) -> None:
    """The author of a thing became known; flattrs that waited for one have it from now on."""
    thing = ensure(tx, ref, None)
    if thing.author_id is None:
        _set_author(tx, thing, author)


def _set_author(tx: Session, thing: Thing, author: AccountRef) -> None:
    thing.author_id = persons.ensure_account(tx, author).id
    # Of a month past its review only where they could not have been paid then: so it stays pending, for its 90 days.
    still_open = sa.select(col(Month.id)).where(col(Month.stage) == "open")
    payable_then = sa.exists().where(
        col(Payable.month) == col(Flattr.month), col(Payable.account_id) == thing.author_id
    )
    tx.execute(
        sa.update(Flattr)
        .where(col(Flattr.thing_id) == thing.id, col(Flattr.author_id).is_(None))
        .where(col(Flattr.month).in_(still_open) | ~payable_then)
        .values(author_id=thing.author_id)
    )
    tx.flush()


def _same_address(tx: Session, ref: ThingRef) -> Thing | None:
    taken = sa.exists().where(col(ThingName.thing_id) == col(Thing.id), col(ThingName.platform) == ref.platform)
    query = select(Thing).where(Thing.url == ref.url, ~taken).order_by(col(Thing.id)).limit(1)
    return tx.exec(query).first()


def _new(tx: Session, ref: ThingRef) -> Thing:
    thing = Thing(url=ref.url)
    tx.add(thing)
    tx.flush()
    return thing


def _describe(tx: Session, thing: Thing, ref: ThingRef) -> None:
    """Follow a rename; keep a title only of creators who have joined (money.md: of others, no text)."""
    if thing.url != ref.url and ref.platform != "web":
        thing.url = ref.url
    if ref.title is None or thing.title == ref.title or thing.author_id is None:
        return
    author = tx.get_one(Account, thing.author_id)
    person = tx.get(Person, author.person_id) if author.person_id else None
    if person is not None and person.receives_since is not None:
        thing.title = ref.title
