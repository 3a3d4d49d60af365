"""The operator's word on a line of the processor's that the hub cannot explain: it is the hub's own loss, or gain."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session, select

from core.books import ledger
from core.books.tables import Posting
from core.money import show
from core.people import audit
from core.reconciling.tables import Movement
from core.rules import Rules


class Unacceptable(Exception):
    """This line cannot be settled like that; the message names what to do instead."""


def accept(tx: Session, rules: Rules, reference: str, *, by: str, note: str, at: datetime) -> Movement:
    """Post a line that differs as the hub's own: what came in lessens its losses, what went out adds to them.

    Nobody else's money is touched. Logged with the note. LookupError for an unknown line, Unacceptable for one that
    matches, or that is in another currency, which the books cannot hold.
    """
    row = tx.get(Movement, reference, with_for_update=True, populate_existing=True)
    if row is None:
        raise LookupError(f"there is no line {reference}; `flattr reconcile` lists those that differ")
    if row.difference is None:
        raise Unacceptable(f"{reference} is no difference; there is nothing to settle")
    if row.currency != rules.money.code:
        raise Unacceptable(
            f"{reference} is in {row.currency}, and these books are in {rules.money.code}: have Stripe settle it in"
            f" {rules.money.code}"
        )
    came = row.amount_micros > 0
    kind = "lost_back" if came else "lost"
    ledger.post(
        tx, kind=kind, source=reference, at=at,
        debit=ledger.STRIPE if came else ledger.LOSS, credit=ledger.LOSS if came else ledger.STRIPE,
        amount_micros=abs(row.amount_micros),
    )  # fmt: skip
    row.posting_id = tx.exec(select(Posting.id).where(Posting.kind == kind, Posting.source == reference)).first()
    row.difference = None
    audit.note(tx, at, by, "settle", f"{reference}, {show(row.amount_micros, rules.money)}: {note}")
    tx.flush()
    return row
