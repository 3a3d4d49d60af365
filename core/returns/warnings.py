"""Early fraud warnings: the cardholder's bank says that a charge was not theirs, before there is a dispute.

Refunded at once while nothing of it was paid out, since a dispute would cost more; else only the operator is told.
"""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session, col, select

from core.books import reversals
from core.payments.states import WarningState
from core.people import audit
from core.people.tables import Audit
from core.returns import finding, refunds
from core.rules import Rules

ACTION = "warning"
"""Under what the operator finds them in the log."""


def learn(tx: Session, rules: Rules, state: WarningState, at: datetime) -> None:
    """Do what a warning calls for, once; one that comes too late, or is none of this hub's, is passed over."""
    if not state.actionable:
        return
    statement = finding.collected(tx, rules, state.intent, kind="warning", reference=state.reference, at=at)
    if statement is None or statement.id is None:
        return
    heard = select(Audit.id).where(
        Audit.action == ACTION, col(Audit.detail).startswith(f"{state.reference} ", autoescape=True)
    )
    if tx.exec(heard).first() is not None:
        return
    there = refunds.left(tx, statement)
    if there == 0:
        done = "nothing is left to give back"
    elif reversals.paid_out(tx, statement):
        done = "creators were paid of it already, so it was not refunded; a dispute may follow"
    else:
        refunds.ask(tx, rules, statement_id=statement.id, amount_micros=there, reason="fraud", at=at)
        done = "all that is left is refunded"
    audit.note(tx, at, "hub", ACTION, f"{state.reference} on statement {statement.id}: {done}")
