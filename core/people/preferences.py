"""What a patron wants left out: pauses, ignored creators, skipped months, caps."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session, col, select

from core import standing
from core.database import insert_once
from core.months.tables import Month
from core.people import persons
from core.people.tables import Account, Ignore, Pause, Skip

IGNORED = """exists (
  select 1 from ignore i join account ia on ia.id = i.account_id
   where i.person_id = {patron} and (i.account_id = {account}.id or ia.person_id = {account}.person_id))"""
"""`ignored` in SQL, for a patron's number and the alias of an account."""


def pause(tx: Session, person_id: int, platform: str = "", *, at: datetime) -> bool:
    """Let new likes (on one network, or with '' on all) not count until resumed; False: it was so before."""
    root = persons.root_id(tx, person_id)
    return insert_once(tx, Pause, {"person_id": root, "platform": platform, "since": at})


def resume(tx: Session, person_id: int, platform: str = "") -> bool:
    """End the pause of one network, or with '' every pause; False if there was none to end."""
    mine = sa.delete(Pause).where(col(Pause.person_id) == persons.root_id(tx, person_id))
    if platform:
        mine = mine.where(col(Pause.platform) == platform)
    return tx.exec(mine.execution_options(synchronize_session="fetch")).rowcount > 0


def paused(tx: Session, person_id: int, platform: str = "") -> bool:
    """Whether new likes on a network do not count (with '': whether all networks are paused)."""
    root = persons.root_id(tx, person_id)
    query = select(Pause.platform).where(Pause.person_id == root, col(Pause.platform).in_(("", platform)))
    return tx.exec(query.limit(1)).first() is not None


def pauses(tx: Session, person_id: int) -> list[str]:
    """The networks that are paused; '' stands for all."""
    query = select(Pause.platform).where(Pause.person_id == persons.root_id(tx, person_id))
    return sorted(tx.exec(query).all())


def ignore(tx: Session, person_id: int, account_id: int, at: datetime) -> bool:
    """Never pay the creator behind an account, from the months not yet closed on; False: ignored before.

    It holds for whatever accounts are the creator's: for this one alone while it is nobody's.
    """
    new = not ignored(tx, person_id, account_id)
    for each in persons.merged_ids(tx, person_id):  # statements in review may be under an old number
        insert_once(tx, Ignore, {"person_id": each, "account_id": account_id, "since": at})
    return new


def unignore(tx: Session, person_id: int, account_id: int) -> bool:
    """Let an ignored creator be paid again, whichever account is named; False if they were not ignored."""
    mine = sa.delete(Ignore).where(
        col(Ignore.person_id).in_(persons.merged_ids(tx, person_id)),
        col(Ignore.account_id).in_(sa.select(col(Account.id)).where(_same_creator(account_id))),
    )
    return tx.exec(mine.execution_options(synchronize_session="fetch")).rowcount > 0


def ignored(tx: Session, person_id: int, account_id: int) -> bool:
    """Whether this patron ignores an account, or another one of the same creator's."""
    query = (
        select(Ignore.account_id)
        .join(Account, col(Account.id) == col(Ignore.account_id))
        .where(Ignore.person_id == persons.root_id(tx, person_id), _same_creator(account_id))
    )
    return tx.exec(query.limit(1)).first() is not None


def _same_creator(account_id: int) -> sa.ColumnElement[bool]:
    """The account itself, and the other accounts of its person, if it has one."""
    owner = sa.select(col(Account.person_id)).where(col(Account.id) == account_id)
    owner_id = owner.correlate(None).scalar_subquery()
    return sa.or_(col(Account.id) == account_id, col(Account.person_id) == owner_id)


def ignored_accounts(tx: Session, person_id: int) -> list[Account]:
    """The accounts that this patron ignores."""
    query = (
        select(Account)
        .join(Ignore, col(Ignore.account_id) == col(Account.id))
        .where(Ignore.person_id == persons.root_id(tx, person_id))
        .order_by(col(Account.id))
    )
    return list(tx.exec(query).all())


def set_caps(tx: Session, person_id: int, *, per_flattr_micros: int | None, per_creator_micros: int | None) -> None:
    """The most that one flattr, and one creator, may get of a month, in micros; None: no cap.

    ValueError for a cap of nothing or less.
    """
    for cap in (per_flattr_micros, per_creator_micros):
        if cap is not None and cap <= 0:
            raise ValueError("a cap is more than 0; to give a creator nothing, ignore them")
    person = persons.locked(tx, person_id)
    person.cap_per_flattr_micros = per_flattr_micros
    person.cap_per_creator_micros = per_creator_micros
    tx.flush()


def bear_cost(tx: Session, person_id: int, *, agreed: bool) -> None:
    """Note whether the patron bears the card's cost as a line of the statement."""
    persons.locked(tx, person_id).bears_cost = agreed
    tx.flush()


def skip(tx: Session, person_id: int, month: int, at: datetime) -> bool:
    """Pay nothing for a month; False if it is closed, when it is too late."""
    if not _changeable(tx, person_id, month):
        return False
    for each in persons.merged_ids(tx, person_id):
        insert_once(tx, Skip, {"person_id": each, "month": month, "at": at})
    return True


def unskip(tx: Session, person_id: int, month: int) -> bool:
    """Pay for a month after all; False if it was not skipped or is closed."""
    if not _changeable(tx, person_id, month):
        return False
    mine = sa.delete(Skip).where(col(Skip.person_id).in_(persons.merged_ids(tx, person_id)), col(Skip.month) == month)
    return tx.exec(mine.execution_options(synchronize_session="fetch")).rowcount > 0


def skipped(tx: Session, person_id: int, month: int) -> bool:
    """Whether the patron chose not to pay for a month."""
    query = select(Skip.month).where(col(Skip.person_id).in_(persons.merged_ids(tx, person_id)), Skip.month == month)
    return tx.exec(query.limit(1)).first() is not None


def _changeable(tx: Session, person_id: int, month: int) -> bool:
    if tx.get(Month, month) is None:
        return True  # not begun yet
    return all(standing.changeable(tx, each, month) for each in persons.merged_ids(tx, person_id))
