"""Matches a dispute's lines as a whole: money may go and come back before the hub has looked even once."""

from __future__ import annotations

import sqlalchemy as sa
from sqlmodel import Session, col, select

from core.books.ledger import STRIPE
from core.books.tables import Posting
from core.money import Currency, show
from core.reconciling.kinds import ADJUSTED
from core.reconciling.tables import Movement

_KINDS = ("charge_back", "loss", "charge_again", "loss_again")


def match(tx: Session, money: Currency, dispute: str) -> bool:
    """Pair the dispute's lines with its postings; False, with the difference named, if their sums are not the same."""
    lines = tx.exec(
        select(Movement)
        .where(Movement.source == dispute, Movement.kind == ADJUSTED, Movement.currency == money.code)
        .order_by(col(Movement.at), col(Movement.reference))
    ).all()
    posted = postings(tx, dispute)
    paired = {line.posting_id for line in lines} - {None}
    free = [each for each in posted if each.id not in paired]
    for line in lines:
        line.difference = None
        if line.posting_id is not None:
            continue
        same = next((each for each in free if _effect(each) == line.amount_micros), None)
        if same is not None:
            line.posting_id = same.id
            free.remove(same)
    if agrees(tx, money, dispute):
        return True
    at_stripe, here = sum(line.amount_micros for line in lines), sum(_effect(each) for each in posted)
    for line in lines:
        if line.posting_id is None:
            line.difference = (
                f"dispute {dispute} moved {show(at_stripe, money)} at Stripe, {show(here, money)} in the books: compare"
                " it with Stripe's Dashboard"
            )
    tx.flush()
    return False


def agrees(tx: Session, money: Currency, dispute: str) -> bool:
    """Whether the dispute moved the same sum at the processor and in the books, both ways together."""
    tx.flush()
    lines = tx.execute(
        sa.select(sa.func.coalesce(sa.func.sum(col(Movement.amount_micros)), 0)).where(
            col(Movement.source) == dispute, col(Movement.kind) == ADJUSTED, col(Movement.currency) == money.code
        )
    ).scalar_one()
    return int(lines) == sum(_effect(each) for each in postings(tx, dispute))


def postings(tx: Session, dispute: str) -> list[Posting]:
    """What was posted for a dispute and touched the money at the processor, in its order."""
    query = (
        select(Posting)
        .where(
            col(Posting.kind).in_(_KINDS),
            col(Posting.source).startswith(f"{dispute}#", autoescape=True),
            sa.or_(col(Posting.debit) == STRIPE, col(Posting.credit) == STRIPE),
        )
        .order_by(col(Posting.id))
    )
    return list(tx.exec(query).all())


def _effect(posting: Posting) -> int:
    return posting.amount_micros if posting.debit == STRIPE else -posting.amount_micros
