"""Tables of the processor's own account with the hub, and of the runs that hold it against the postings."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from core.database import Id, Instant

_OPEN = sa.text("difference is not null")


class Movement(SQLModel, table=True):
    """One balance transaction as the processor tells it, and the posting that it belongs to."""

    __table_args__ = (sa.Index("movement_open", "reference", sqlite_where=_OPEN, postgresql_where=_OPEN),)
    reference: str = Field(primary_key=True)
    kind: str
    source: str | None = None
    intent: str | None = None
    payout_id: int | None = Field(default=None, sa_type=sa.BigInteger)
    amount_micros: int = Field(sa_type=sa.BigInteger)
    """Before the fee; negative: went out."""
    fee_micros: int = Field(sa_type=sa.BigInteger)
    currency: str
    about: str = ""
    at: datetime = Field(sa_type=Instant, index=True)
    posting_id: int | None = Field(default=None, foreign_key="posting.id", sa_type=Id, unique=True)
    """The movement of the hub's books that is the same money; None: none, or only costs."""
    difference: str | None = None
    """Why it matches nothing, in a sentence; None: all is well."""


class Reconciliation(SQLModel, table=True):
    """One run."""

    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    began_at: datetime = Field(sa_type=Instant)
    finished_at: datetime | None = Field(default=None, sa_type=Instant)
    """None: under way, or it broke off."""
    seen: int = 0
    differences: int = 0
