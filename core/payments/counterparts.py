"""What the payment processor calls our rows: a person's customer and account, a statement's intent."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sqlmodel import Session, select

from core.database import insert_once
from core.payments.tables import Counterpart

Kind = Literal["customer", "account", "intent"]
"""customer and account: of a person; intent: of a statement."""


def name(tx: Session, kind: Kind, own_id: int) -> str | None:
    """The processor's name for a row of ours; None: it has none yet."""
    return tx.exec(select(Counterpart.reference).where(Counterpart.kind == kind, Counterpart.own_id == own_id)).first()


def keep(tx: Session, kind: Kind, own_id: int, reference: str, at: datetime) -> str:
    """Keep a name unless the row has one already; the one that is kept, which is the one to use.

    ValueError if the name belongs to another row: names are the processor's and never given twice.
    """
    insert_once(tx, Counterpart, {"kind": kind, "own_id": own_id, "reference": reference, "made_at": at})
    kept = name(tx, kind, own_id)
    if kept is None:
        raise ValueError(
            f"{reference} is already the name of another row than {kind} {own_id}; look which one is meant"
        )
    return kept


def let_go(tx: Session, kind: Kind, own_id: int, reference: str) -> None:
    """Forget this name of a row, which the processor has ended; another name that it has by now stays."""
    row = tx.get(Counterpart, (kind, own_id), with_for_update=True, populate_existing=True)
    if row is not None and row.reference == reference:
        tx.delete(row)
        tx.flush()


def owner(tx: Session, kind: Kind, reference: str) -> int | None:
    """The row of ours that the processor calls by this name; None: none of this hub's."""
    return tx.exec(
        select(Counterpart.own_id).where(Counterpart.kind == kind, Counterpart.reference == reference)
    ).first()
