"""What members granted: kept sealed, refreshed by one process at a time, given back when it ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, SQLModel, col

from core.access.tables import Access, Visit
from core.database import insert_once
from core.events import AccountRef
from core.mail.sealing import Seal, Unsealable
from core.people import persons
from core.people.tables import Account

EARLY = timedelta(minutes=10)
"""How long before its end an access token is refreshed, or a tenth of its life where that is longer: the old one
still works then, whatever becomes of the refreshing. Never before half of its life is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An account's access as it is stored."""

    account: AccountRef
    row: int
    """The account's number in the database."""
    sealed: bytes = field(repr=False)
    expires_at: datetime | None
    given_at: datetime
    version: int
    refreshed_at: datetime | None
    refreshing_by: str | None
    refreshing_until: datetime | None
    retry_at: datetime | None
    ended_at: datetime | None
    needs_relink: bool
    """The platform refuses it; its owner was told."""

    def works(self, at: datetime) -> bool:
        """Whether the access token has not come to its end."""
        return self.expires_at is None or at < self.expires_at

    def is_due(self, at: datetime) -> bool:
        """Whether it is time to refresh it."""
        if self.expires_at is None or (self.retry_at is not None and at < self.retry_at):
            return False
        life = self.expires_at - (self.refreshed_at or self.given_at)
        return at >= self.expires_at - min(max(EARLY, life / 10), life / 2)

    def is_taken(self, at: datetime) -> bool:
        """Whether a process is refreshing it that is not given up yet."""
        return self.refreshing_by is not None and self.refreshing_until is not None and at < self.refreshing_until

    def is_same(self, other: Kept | None) -> bool:
        """Whether the other is this very grant, under whatever key it is sealed."""
        return other is not None and (self.row, self.given_at, self.version) == (
            other.row,
            other.given_at,
            other.version,
        )


def keep(tx: Session, account: AccountRef, sealed: bytes, *, expires_at: datetime | None, at: datetime) -> None:
    """Keep what an account has just granted, instead of what it granted before; its polling may go on."""
    row = persons.locked_account(tx, persons.key(persons.ensure_account(tx, account)))
    fresh: dict[str, Any] = {
        "sealed": sealed,
        "expires_at": expires_at,
        "given_at": at,
        "refreshed_at": None,
        "refreshing_by": None,
        "refreshing_until": None,
        "retry_at": None,
        "ended_at": None,
    }
    if not insert_once(tx, Access, {"account_id": row.id, "version": 1, **fresh}):
        change = sa.update(Access).where(col(Access.account_id) == row.id)
        _run(tx, change.values(version=Access.version + 1, **fresh))
    row.needs_relink_at = None
    tx.flush()


def load(tx: Session, account: AccountRef) -> Kept | None:
    """The account's access; None: there is none, or it has ended."""
    found = _kept(tx, *_named(account), col(Access.ended_at).is_(None))
    return found[0] if found else None


def take_turn(tx: Session, account: AccountRef, *, by: str, at: datetime, until: datetime) -> bool:
    """Note that ``by`` is about to refresh it; False: another one is (and is given up at its ``refreshing_until``).

    To be committed before the platform is asked: a refresh token may be usable only once.
    """
    free = sa.or_(col(Access.refreshing_by).is_(None), col(Access.refreshing_until) <= at)
    change = sa.update(Access).where(col(Access.account_id) == _id_of(account), col(Access.ended_at).is_(None), free)
    return _run(tx, change.values(refreshing_by=by, refreshing_until=until)) == 1


def put_refreshed(tx: Session, was: Kept, sealed: bytes, *, expires_at: datetime | None, at: datetime) -> bool:
    """Keep what ``was`` has been refreshed to, and end the turn; False: its owner signed in anew, or another was
    faster.

    It does not matter whether the turn is still one's own: the new token may be the only one that works.
    """
    change = sa.update(Access).where(*_exactly(was))
    return (
        _run(
            tx,
            change.values(
                sealed=sealed,
                expires_at=expires_at,
                version=Access.version + 1,
                refreshed_at=at,
                refreshing_by=None,
                refreshing_until=None,
                retry_at=None,
            ),
        )
        == 1
    )


def release(tx: Session, account: AccountRef, *, by: str, retry_at: datetime | None = None) -> None:
    """End a turn that came to nothing; ``retry_at``: before then nobody tries again without need."""
    change = sa.update(Access).where(col(Access.account_id) == _id_of(account), col(Access.refreshing_by) == by)
    _run(tx, change.values(refreshing_by=None, refreshing_until=None, retry_at=retry_at))


def drop(tx: Session, account: AccountRef) -> None:
    """Forget an account's access at once, without a word to the platform."""
    _run(tx, sa.delete(Access).where(col(Access.account_id) == _id_of(account)))


def end(tx: Session, account: Account, at: datetime) -> None:
    """Use an account's access no more, and end the visits that it asked for: it is unlinked, or its person leaves.

    The access stays, sealed, until the platform was told (`ended`, `forget`), so that a crash leaves none behind.
    """
    number = persons.key(account)
    _run(
        tx,
        sa.update(Access).where(col(Access.account_id) == number, col(Access.ended_at).is_(None)).values(ended_at=at),
    )
    _run(tx, sa.delete(Visit).where(col(Visit.account_id) == number))


def ended(tx: Session, account: AccountRef | None = None) -> list[Kept]:
    """What is still to be given back, of one account or of all, oldest first."""
    return _kept(tx, *(_named(account) if account else ()), col(Access.ended_at).is_not(None))


def forget(tx: Session, was: Kept) -> bool:
    """Remove an ended access for good; False: its owner has signed in again meanwhile."""
    return _run(tx, sa.delete(Access).where(*_exactly(was), col(Access.ended_at).is_not(None))) == 1


def unreadable(tx: Session, seal: Seal) -> list[Kept]:
    """What no key opens."""
    return [kept for kept in _kept(tx) if not _opens(seal, kept.sealed)]


def mark_lost(tx: Session, account: AccountRef, at: datetime) -> None:
    """Note that an account which is no member's (the bot's own) refuses the hub; the operator sees it."""
    row = persons.account_of(tx, account)
    if row is not None and row.needs_relink_at is None and load(tx, account) is not None:
        row.needs_relink_at = at
        tx.flush()


def sealed_rows(tx: Session) -> int:
    """How many rows of access and visits are sealed."""
    visits = sa.select(sa.func.count()).select_from(Visit).where(col(Visit.kept).is_not(None))
    return int(tx.execute(sa.select(sa.func.count()).select_from(Access)).scalar_one()) + int(
        tx.execute(visits).scalar_one()
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Resealed:
    """How far sealing anew has come: `reseal` goes on ``after``; None: it is done."""

    seen: int
    changed: int
    unreadable: int
    after: tuple[int, int] | None


def reseal(tx: Session, seal: Seal, after: tuple[int, int] = (0, 0), *, limit: int = 200) -> Resealed:
    """Seal the next rows of access and of visits under the newest key. Safe to repeat, and while a hub runs.

    A row that changes meanwhile is left alone: what a hub has just written opens with the keys that it has.
    """
    seen = changed = unreadable = 0
    following = list(after)
    for place, (number, content) in enumerate(
        ((col(Access.account_id), col(Access.sealed)), (col(Visit.id), col(Visit.kept)))
    ):
        query = sa.select(number, content).where(number > after[place], content.is_not(None))
        for row, sealed in tx.execute(query.order_by(number).limit(limit)).all():
            seen, following[place] = seen + 1, row
            try:
                fresh = seal.resealed(sealed)
            except Unsealable:
                unreadable += 1
                continue
            if fresh is not None:
                table = Access if place == 0 else Visit
                change = sa.update(table).where(number == row, content == sealed)
                changed += _run(tx, change.values({content: fresh}))
    return Resealed(
        seen=seen, changed=changed, unreadable=unreadable, after=(following[0], following[1]) if seen else None
    )


def _opens(seal: Seal, sealed: bytes) -> bool:
    try:
        seal.open(sealed)
    except Unsealable:
        return False
    return True


_COLUMNS = (
    "sealed",
    "expires_at",
    "given_at",
    "version",
    "refreshed_at",
    "refreshing_by",
    "refreshing_until",
    "retry_at",
    "ended_at",
)


def _kept(tx: Session, *where: sa.ColumnElement[bool]) -> list[Kept]:
    access: sa.Table = SQLModel.metadata.tables["access"]
    query = (
        sa.select(
            col(Account.id),
            col(Account.platform),
            col(Account.account_id),
            col(Account.handle),
            col(Account.needs_relink_at),
            *(access.c[name] for name in _COLUMNS),
        )
        .join(access, access.c.account_id == col(Account.id))
        .where(*where)
        .order_by(access.c.ended_at, access.c.account_id)
    )
    return [
        Kept(
            account=AccountRef(platform=platform, account_id=account_id, handle=handle),
            row=number,
            needs_relink=needs_relink_at is not None,
            **dict(zip(_COLUMNS, rest, strict=True)),
        )
        for number, platform, account_id, handle, needs_relink_at, *rest in tx.execute(query).all()
    ]


def _named(account: AccountRef) -> Sequence[sa.ColumnElement[bool]]:
    return col(Account.platform) == account.platform, col(Account.account_id) == account.account_id


def _id_of(account: AccountRef) -> sa.ScalarSelect[Any]:
    return sa.select(col(Account.id)).where(*_named(account)).scalar_subquery()


def _exactly(was: Kept) -> Sequence[sa.ColumnElement[bool]]:
    return (
        col(Access.account_id) == was.row,
        col(Access.given_at) == was.given_at,
        col(Access.version) == was.version,
    )


def _run(tx: Session, change: sa.Update | sa.Delete) -> int:
    """How many rows a change concerned; rows that the session holds are not looked after."""
    tx.flush()
    return tx.connection().execute(change).rowcount
