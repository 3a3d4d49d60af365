"""Finds the statement that money at the processor belongs to, whatever the order in which the news arrives."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session

from core.errands import keeping
from core.months.tables import Statement
from core.payments import counterparts
from core.rules import Rules


def collected(
    tx: Session, rules: Rules, intent: str | None, *, kind: str, reference: str, at: datetime
) -> Statement | None:
    """The collected statement behind an intent; None: it is none of this hub's, or not known to be collected yet.

    In the latter case the news overtook that of the charge: the charge is looked up now, and ``reference`` (of an
    errand's ``kind``) again after it. The statement is locked, and always before what refers to it.
    """
    statement_id = counterparts.owner(tx, "intent", intent) if intent is not None else None
    if statement_id is None:
        return None
    statement = tx.get(Statement, statement_id, with_for_update=True, populate_existing=True)
    if statement is None or intent is None or statement.state == "collected":
        return statement
    if statement.state != "due":
        return None  # given up for good: waiting for its charge would never end, and reconciling names such money
    keeping.note(tx, "intent", intent, at)
    keeping.note(tx, kind, reference, at + rules.retry_unknown)
    return None
