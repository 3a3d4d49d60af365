"""Disputes: a patron's bank takes a charge back, gives it again, or takes it once more.

What a dispute took so far is all that counts: the difference to what the books have is posted, whatever the order
and number of the events. Each movement has a source of its own, ``DP_ID#N``.
"""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session

from core.books import reversals
from core.database import insert_once
from core.months.tables import Statement
from core.payments.states import DisputeState
from core.people import audit
from core.returns import finding
from core.returns.tables import Dispute
from core.rules import Rules


def learn(tx: Session, rules: Rules, state: DisputeState, at: datetime) -> None:
    """Take in how a dispute stands; the same again changes nothing. One that is none of this hub's is passed over.

    The operator finds its beginning and its end in the log of `flattr`.
    """
    statement = finding.collected(tx, rules, state.intent, kind="dispute", reference=state.reference, at=at)
    if statement is None or statement.id is None:
        return
    new = insert_once(
        tx,
        Dispute,
        {
            "reference": state.reference,
            "statement_id": statement.id,
            "amount_micros": state.amount_minor * rules.money.minor_micros,
            "taken_micros": 0,
            "status": state.status,
            "reason": state.reason,
            "rounds": 0,
            "opened_at": at,
        },
    )
    dispute = tx.get_one(Dispute, state.reference, with_for_update=True, populate_existing=True)
    dispute.status, dispute.reason, dispute.answer_by = state.status, state.reason, state.answer_by
    dispute.amount_micros = state.amount_minor * rules.money.minor_micros
    _move(tx, statement, dispute, state.taken_minor * rules.money.minor_micros, at)
    was_closed, dispute.closed_at = dispute.closed_at, (dispute.closed_at or at) if state.closed else None
    if new or was_closed != dispute.closed_at:
        what = f"{state.status}, {state.reason}" if state.reason else state.status
        audit.note(tx, at, "hub", "dispute", f"{state.reference} of statement {statement.id}: {what}")
    tx.flush()


def _move(tx: Session, statement: Statement, dispute: Dispute, taken_micros: int, at: datetime) -> None:
    """Post what the dispute took, or gave again, since the books last heard."""
    assert statement.id is not None
    more = taken_micros - dispute.taken_micros
    if more == 0:
        return
    dispute.rounds, dispute.taken_micros = dispute.rounds + 1, taken_micros
    tx.flush()
    source = f"{dispute.reference}#{dispute.rounds}"
    if more > 0:
        reversals.take_back(tx, statement_id=statement.id, amount_micros=more, source=source, at=at)
    else:
        of = f"{dispute.reference}#"
        reversals.give_again(tx, statement_id=statement.id, amount_micros=-more, of=of, source=source, at=at)
