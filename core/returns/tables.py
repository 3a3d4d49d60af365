"""Tables of money that goes back: refunds that the hub asks for, disputes that it hears of."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from core.database import Id, Instant

_ASKED = sa.text("state = 'asked'")


class Refund(SQLModel, table=True):
    """Money of a collected statement on its way back; refunds made by hand at the processor have postings only."""

    __table_args__ = (
        sa.UniqueConstraint("statement_id", "number"),
        sa.Index("refund_asked", "asked_at", sqlite_where=_ASKED, postgresql_where=_ASKED),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    statement_id: int = Field(foreign_key="statement.id", sa_type=Id)
    number: int
    """From 1, per statement; part of the idempotency key."""
    amount_micros: int = Field(sa_type=sa.BigInteger)
    """Whole minor units."""
    reason: str
    """fraud (an early warning), hold (voided by the operator), operator."""
    hold_id: int | None = Field(default=None, foreign_key="hold.id", sa_type=Id, unique=True)
    """The voided hold whose shares it takes back; None: all shares in proportion."""
    state: str = "asked"
    """asked (no answer known: same key again), sent, refused, failed (sent, but the money came back)."""
    calls: int = 0
    """How often the processor was asked; counted before it is."""
    reference: str | None = Field(default=None, unique=True)
    why_not: str | None = None
    asked_at: datetime = Field(sa_type=Instant)
    """When to ask (again)."""
    answered_at: datetime | None = Field(default=None, sa_type=Instant)


class Dispute(SQLModel, table=True):
    """A patron's bank took a charge back, or wants to; the processor's own id is its key."""

    reference: str = Field(primary_key=True)
    statement_id: int | None = Field(default=None, foreign_key="statement.id", sa_type=Id)
    amount_micros: int = Field(sa_type=sa.BigInteger)
    taken_micros: int = Field(default=0, sa_type=sa.BigInteger)
    """What it took so far, less what came back."""
    status: str
    reason: str = ""
    rounds: int = 0
    """How often money moved for it: each movement's postings have a source of their own."""
    answer_by: datetime | None = Field(default=None, sa_type=Instant)
    """Until when the processor takes the operator's evidence."""
    opened_at: datetime = Field(sa_type=Instant)
    closed_at: datetime | None = Field(default=None, sa_type=Instant)
