"""Which flattrs stand: what withdrawing a like and striking out by hand do to them, while their month takes that."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session, col

from core.months.tables import Month, Statement
from core.people import persons
from core.tables import Flattr, Like


def restand(tx: Session, flattr_ids: Iterable[int]) -> None:
    """Let flattrs that can still be withdrawn stand exactly while a counting like does, held if all of these are."""

    def any_like(*conditions: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
        counting = (col(Like.flattr_id) == col(Flattr.id), col(Like.standing), col(Like.uncounted).is_(None))
        return sa.exists().where(*counting, *conditions).correlate(Flattr)

    held = any_like(col(Like.held_at).is_not(None)) & ~any_like(col(Like.held_at).is_(None))
    numbers = list(flattr_ids)
    changeable = sa.select(col(Month.id)).where(col(Month.stage).in_(("open", "review")))
    # PostgreSQL lets a closing share what is withdrawn or held beside it, unless the month is ours meanwhile.
    theirs = sa.select(col(Flattr.month)).where(col(Flattr.id).in_(numbers))
    tx.execute(changeable.where(col(Month.id).in_(theirs)).order_by(col(Month.id)).with_for_update(read=True))
    # A month closes patron by patron: whose statement is fixed has a month that is over.
    fixed = (
        sa.exists()
        .where(
            col(Statement.patron_id) == col(Flattr.patron_id),
            col(Statement.month) == col(Flattr.month),
            col(Statement.state) != "review",
        )
        .correlate(Flattr)
    )
    tx.execute(
        sa.update(Flattr)
        .where(
            col(Flattr.id).in_(numbers),
            col(Flattr.origin) != "subscription",
            col(Flattr.month).in_(changeable),
            ~fixed,
        )
        .values(standing=any_like(), held=held)
        .execution_options(synchronize_session="fetch")
    )


def held_together(*flattrs: Flattr) -> bool:
    """Whether flattrs that become one are held: at least one of them is, and none stands surely."""
    sure = any(each.standing and not each.held for each in flattrs)
    return any(each.held for each in flattrs) and not sure


def changeable(tx: Session, person_id: int, month: int) -> bool:
    """Whether a patron's month still takes withdrawals, strike-outs and skips; it does until the transaction ends."""
    row = tx.get(Month, month, with_for_update={"read": True}, populate_existing=True)
    if row is None or row.stage not in ("open", "review"):
        return False
    fixed = sa.select(sa.func.count()).where(
        col(Statement.patron_id) == person_id, col(Statement.month) == month, col(Statement.state) != "review"
    )
    return not tx.execute(fixed).scalar_one()


def strike(tx: Session, *, person_id: int, flattr_id: int, at: datetime) -> bool:
    """Strike out a flattr by hand; False if it is not theirs or its month is closed."""
    flattr = tx.get(Flattr, flattr_id)
    if flattr is None or flattr.patron_id != person_id:
        return False
    persons.locked(tx, person_id)
    if not changeable(tx, person_id, flattr.month):
        return False
    tx.refresh(flattr)
    flattr.struck_at = at
    tx.flush()
    return True
