"""The log of what was done by hand, of takeovers and of daily lapsing; rows are only ever added."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session

from core.people.tables import Audit


def note(tx: Session, at: datetime, actor: str, action: str, detail: str) -> None:
    """Log one act: ``actor`` is who ("operator", "person 7", "hub"), ``action`` one word, ``detail`` a sentence."""
    tx.add(Audit(at=at, actor=actor, action=action, detail=detail))
    tx.flush()
