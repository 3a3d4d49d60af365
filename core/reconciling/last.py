"""What is known of the reconciliations so far."""

from __future__ import annotations

from sqlmodel import Session, col, select

from core.reconciling.tables import Movement, Reconciliation


def finished(tx: Session) -> Reconciliation | None:
    """The latest run that was finished."""
    query = select(Reconciliation).where(col(Reconciliation.finished_at).is_not(None))
    return tx.exec(query.order_by(col(Reconciliation.id).desc()).limit(1)).first()


def latest(tx: Session, limit: int) -> list[Movement]:
    """The processor's latest lines."""
    query = select(Movement).order_by(col(Movement.at).desc(), col(Movement.reference).desc())
    return list(tx.exec(query.limit(limit)).all())
