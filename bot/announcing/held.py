"""Notes about holds: each side learns what concerns it, and nothing of the other's that it did not know."""

from __future__ import annotations

import sqlalchemy as sa
from sqlmodel import col, select

from bot.announcing.telling import OVER
from bot.answers import receiving
from bot.talk import Reply, Turn, reply
from bot.wording import about, account, listed, month, short, unreal
from core.holds.held import Side, words
from core.holds.tables import Hold
from core.months.tables import Share, Statement
from core.people.tables import Account
from core.tables import Flattr

NEXT = "The operator of this hub looks at it and decides; I write to you then. You need not do anything."


def patron(turn: Turn, hold_id: int) -> Reply:
    """What a patron gave a creator is held."""
    row = turn.tx.get(Hold, hold_id)
    if row is None or row.state != "held":
        return OVER
    return reply(
        f"{about(row.micros, turn.money)} that you give {_creators(turn, row)} for {month(row.month)}"
        " is kept back from them for now.",
        _why(row, "patron"),
        f"It is charged like the rest. {NEXT} If it is not paid out, you get it back.",
        unreal(turn.talk),
    )


def creator(turn: Turn, hold_id: int) -> Reply:
    """What a creator was given is held; from whom it is stays the patron's own."""
    row = turn.tx.get(Hold, hold_id)
    if row is None or row.state != "held":
        return OVER
    return reply(
        f"{receiving.whole(row.micros, turn.money)} for your things in {month(row.month)} is kept back for now.",
        _why(row, "creator"),
        f"Everything else is paid out as always. {NEXT}",
        unreal(turn.talk),
    )


def decided_patron(turn: Turn, hold_id: int) -> Reply:
    """The operator has decided about what a patron gave."""
    row = turn.tx.get(Hold, hold_id)
    if row is None or row.state == "held":
        return OVER
    what = f"{about(row.micros, turn.money)} that you gave {_creators(turn, row)} for {month(row.month)}"
    if row.state == "released":
        return reply(f"{what}: the operator has looked, and all is well. It goes to them.", _said(row))
    return reply(
        f"{what}: the operator has decided that it is not paid out. What was collected of it goes back to your card.",
        _said(row),
        unreal(turn.talk),
    )


def decided_creator(turn: Turn, hold_id: int) -> Reply:
    """The operator has decided about what a creator was given."""
    row = turn.tx.get(Hold, hold_id)
    if row is None or row.state == "held":
        return OVER
    what = f"{receiving.whole(row.micros, turn.money)} for your things in {month(row.month)}"
    if row.state == "released":
        return reply(f"{what}: the operator has looked, and all is well. It is due to you like the rest.", _said(row))
    return reply(
        f"{what}: the operator has decided that it is not paid out, and it goes back to who gave it.", _said(row)
    )


def _said(row: Hold) -> str:
    """What the operator wrote; it is theirs, and stays on one line."""
    return f"The operator writes: {short(row.note, 500)}" if row.note.strip() else ""


def _why(row: Hold, side: Side) -> str:
    return f"Why: {'; '.join(words(row.reasons, side))}."


def _creators(turn: Turn, row: Hold) -> str:
    """The creator by the accounts whose things this patron liked; of others of theirs the patron may not know."""
    liked = (
        sa.select(col(Flattr.author_id))
        .select_from(Share)
        .join(Flattr, col(Flattr.id) == col(Share.flattr_id))
        .join(Statement, col(Statement.id) == col(Share.statement_id))
        .where(
            col(Statement.month) == row.month,
            col(Statement.patron_id) == row.patron_id,
            col(Share.creator_id) == row.creator_id,
        )
    )
    rows = turn.tx.exec(select(Account).where(col(Account.id).in_(liked)).order_by(col(Account.id))).all()
    return listed(account(turn.talk, each) for each in rows) or "a creator"
