"""The ledger's one table."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from core.database import Id, Instant

_NOT_CLEARING_D, _NOT_CLEARING_C = sa.text("debit % 8 <> 2"), sa.text("credit % 8 <> 2")


class Posting(SQLModel, table=True):
    """One movement of money: from the credited account to the debited one. Never edited, never deleted.

    UNIQUE(kind, source) is the idempotency key and its meaning: "the share of flattr 77" can exist once.
    """

    __table_args__ = (
        sa.UniqueConstraint("kind", "source"),
        sa.CheckConstraint("amount_micros > 0", name="posting_amount_positive"),
        # Patrons' clearing accounts, which are in half of all movements, are only ever read all at once.
        sa.Index("posting_by_debit", "debit", sqlite_where=_NOT_CLEARING_D, postgresql_where=_NOT_CLEARING_D),
        sa.Index("posting_by_credit", "credit", sqlite_where=_NOT_CLEARING_C, postgresql_where=_NOT_CLEARING_C),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    at: datetime = Field(sa_type=Instant)
    kind: str
    source: str
    debit: int = Field(sa_type=sa.BigInteger)
    """The ledger account's number, see `core.books.ledger`."""
    credit: int = Field(sa_type=sa.BigInteger)
    amount_micros: int = Field(sa_type=sa.BigInteger)
