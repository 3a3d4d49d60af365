"""Makes two things one, once a platform tells that an address somebody gave is a thing it knows by its own id."""

from __future__ import annotations

import sqlalchemy as sa
from sqlmodel import Session, col, select

from core import standing, things
from core.database import insert_once
from core.events import AccountRef, ThingRef
from core.months.tables import Month, Payable
from core.people import claims, persons
from core.rules import Rules
from core.tables import Flattr, Like, Thing, ThingName

WEB = "web"
"""The platform of things that are known by their address alone."""


def unowned(tx: Session, platform: str, *, limit: int = 5_000) -> list[ThingRef]:
    """A platform's things, and addresses that may be its things, whose flattrs wait for an author; newest first."""
    wanted = (
        sa.exists()
        .where(col(Flattr.thing_id) == col(Thing.id), col(Flattr.author_id).is_(None))
        .where(col(Flattr.voided).is_(None), col(Flattr.standing))
    )
    query = (
        select(ThingName, Thing)
        .join(Thing, col(Thing.id) == col(ThingName.thing_id))
        .where(col(ThingName.platform).in_((WEB, platform)), col(Thing.author_id).is_(None), wanted)
        .order_by(col(Thing.id).desc())
        .limit(limit)
    )
    return [
        ThingRef(
            platform=name.platform,
            native_id=name.native_id,
            url=name.native_id if name.platform == WEB else thing.url,
        )
        for name, thing in tx.exec(query).all()
    ]


def unite(tx: Session, rules: Rules, address: ThingRef, found: ThingRef, author: AccountRef | None) -> None:
    """What was flattred as ``address`` is ``found``, made by ``author``: one thing, one flattr per patron and month.

    ``address`` may be a thing by its own id too, whose author is told by this (or that turns out to repeat another
    thing). Said twice it changes nothing more. Of an author who declined nothing is kept; what waited for them is void.
    """
    alias = things.find(tx, address)
    if alias is None:
        return
    if author is not None and claims.is_declined(tx, rules, author):
        _void(tx, alias)
        return
    _lock(tx, alias, things.find(tx, found))
    known = things.find(tx, found)
    if known is None or known.id != alias.id:
        if address.platform == WEB and _name_on(tx, alias, found.platform):
            return  # the address was another of this platform's things before, and that one keeps its likes
        if known is None:
            insert_once(tx, ThingName, {**_key(found), "thing_id": alias.id})
            known = things.find(tx, found)
            assert known is not None
        if known.id != alias.id:
            _move(tx, alias, known)
    if author is None:
        things.ensure(tx, found, None)  # by its present address from now on
    else:
        things.tell_author(tx, found, author)


def _key(ref: ThingRef) -> dict[str, str]:
    return {"platform": ref.platform, "native_id": ref.native_id}


def _lock(tx: Session, alias: Thing, known: Thing | None) -> None:
    """The patrons before the things, and all in the order of their numbers, so that nobody waits in a circle."""
    patrons = select(Flattr.patron_id).where(Flattr.thing_id == alias.id).distinct().order_by(col(Flattr.patron_id))
    for patron_id in tx.exec(patrons).all():
        persons.locked(tx, patron_id)
    both = sorted(each.id for each in (alias, known) if each is not None and each.id is not None)
    tx.exec(select(Thing.id).where(col(Thing.id).in_(both)).order_by(col(Thing.id)).with_for_update()).all()


def _name_on(tx: Session, thing: Thing, platform: str) -> bool:
    query = select(ThingName).where(ThingName.thing_id == thing.id, ThingName.platform == platform)
    return tx.exec(query.limit(1)).first() is not None


def _void(tx: Session, thing: Thing) -> None:
    _run(
        tx,
        sa.update(Flattr)
        .where(col(Flattr.thing_id) == thing.id, col(Flattr.author_id).is_(None), col(Flattr.voided).is_(None))
        .values(voided="declined"),
    )


def _move(tx: Session, alias: Thing, known: Thing) -> None:
    """Everything of the alias becomes the known thing's; where a patron has both, one of them is left.

    Only an open month's two are made one. A later month is as its patrons were told: the second one stays under
    the alias, pending and without an author, and lapses.
    """
    open_months = _open(tx)
    rows = tx.exec(select(Flattr).where(Flattr.thing_id == alias.id).order_by(col(Flattr.id)).with_for_update()).all()
    twins = {
        (twin.patron_id, twin.month): twin
        for twin in tx.exec(select(Flattr).where(Flattr.thing_id == known.id).with_for_update()).all()
    }
    for row in rows:
        twin = twins.get((row.patron_id, row.month))
        if twin is not None and row.month not in open_months:
            continue
        if twin is not None:
            _fold(tx, twin, row)
        else:
            row.thing_id = known.id or 0
            if row.author_id is None and known.author_id is not None and not _was_payable(tx, row, known.author_id):
                row.author_id = known.author_id
            tx.flush()
        kept = twin or row
        _run(
            tx,
            sa.update(Like)
            .where(col(Like.flattr_id).in_((row.id, kept.id)))
            .values(flattr_id=kept.id, thing_id=known.id),
        )
        if twin is not None:
            tx.delete(row)
            tx.flush()
    _run(
        tx,
        sa.update(Like).where(col(Like.thing_id) == alias.id, col(Like.flattr_id).is_(None)).values(thing_id=known.id),
    )
    _run(tx, sa.update(ThingName).where(col(ThingName.thing_id) == alias.id).values(thing_id=known.id))


def _fold(tx: Session, kept: Flattr, other: Flattr) -> None:
    """One of a patron's two flattrs of the same thing; it counts if either of them did.

    Who strikes out one of two lines that turn out to be the same has left the other one in.
    """
    if other.standing and other.struck_at is None and not (kept.standing and kept.struck_at is None):
        kept.struck_at = None
    elif not kept.standing:
        kept.struck_at = kept.struck_at or other.struck_at
    kept.held = standing.held_together(kept, other)
    kept.standing = kept.standing or other.standing
    kept.author_id = kept.author_id or other.author_id
    kept.created_at = min(kept.created_at, other.created_at)
    tx.flush()
    _run(tx, sa.update(Flattr).where(col(Flattr.moved_to_id) == other.id).values(moved_to_id=kept.id))


def _was_payable(tx: Session, row: Flattr, author_id: int) -> bool:
    """Whether the author could have been paid for a month that is past its review; then it is too late for it."""
    return tx.get(Payable, (row.month, author_id)) is not None


def _open(tx: Session) -> list[int]:
    """The open months, which cannot go into review before this transaction is done."""
    return list(tx.exec(select(Month.id).where(Month.stage == "open").with_for_update(read=True)).all())


def _run(tx: Session, statement: sa.Update) -> None:
    tx.flush()
    tx.execute(statement.execution_options(synchronize_session="fetch"))
