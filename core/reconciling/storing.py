"""Keeps the processor's lines as it tells them, and posts what they bring by themselves: costs, the operator's bank."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session, col, select

from core.books import costs, ledger
from core.books.costs import Cost
from core.books.tables import Posting
from core.database import execute_many, to_micros
from core.money import Currency
from core.payments.states import MovementSeen
from core.reconciling import kinds
from core.reconciling.tables import Movement

_KEEP = """
insert into movement (reference, kind, source, intent, payout_id, amount_micros, fee_micros, currency, about, at)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
on conflict (reference) do update set
  intent = coalesce(excluded.intent, movement.intent),
  payout_id = coalesce(excluded.payout_id, movement.payout_id),
  about = excluded.about
"""


def store(tx: Session, money: Currency, seen: Sequence[MovementSeen], at: datetime) -> int:
    """Keep lines (in the hub's currency or not) and post what they bring by themselves; how many costs were posted."""
    execute_many(
        tx,
        _KEEP,
        [
            (
                each.reference, each.kind, each.source, each.intent, each.payout_id,
                each.amount_minor * money.minor_micros, each.fee_minor * money.minor_micros,
                each.currency.upper(), each.about, to_micros(each.at),
            )
            for each in {each.reference: each for each in seen}.values()
        ],
    )  # fmt: skip
    ours = [each for each in seen if each.currency.upper() == money.code]
    for each in ours:
        _own(tx, money, each, at)
    return costs.post(tx, [Cost(each.reference, cost_minor(each) * money.minor_micros) for each in ours], at)


def cost_minor(seen: MovementSeen) -> int:
    """What the processor took for a line, in minor units; negative: it gave back."""
    return seen.fee_minor - seen.amount_minor if seen.kind in kinds.COSTS else seen.fee_minor


def _own(tx: Session, money: Currency, seen: MovementSeen, at: datetime) -> None:
    """Post a line that no call of the hub brought about: its own money to or from the bank, and what was lost."""
    if seen.kind in kinds.BANK:
        kind, other = ("topped_up" if seen.amount_minor > 0 else "withdrawn"), ledger.BANK
    elif seen.kind in kinds.LOST:
        kind, other = ("lost_back" if seen.amount_minor > 0 else "lost"), ledger.LOSS
    else:
        return
    came = seen.amount_minor > 0
    ledger.post(
        tx, kind=kind, source=seen.reference, at=at,
        debit=ledger.STRIPE if came else other, credit=other if came else ledger.STRIPE,
        amount_micros=abs(seen.amount_minor) * money.minor_micros,
    )  # fmt: skip
    posted = tx.exec(select(Posting.id).where(Posting.kind == kind, Posting.source == seen.reference)).first()
    tx.execute(
        sa.update(Movement)
        .where(col(Movement.reference) == seen.reference)
        .values(posting_id=posted)
        .execution_options(synchronize_session=False)
    )
