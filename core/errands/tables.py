"""The table of errands to the payment processor."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from core.database import Id, Instant

_WAITING = sa.text("state = 'waiting'")


class Errand(SQLModel, table=True):
    """Go and look at one object of the processor (or do one thing there); many events about it are one errand."""

    __table_args__ = (
        sa.UniqueConstraint("kind", "reference"),
        sa.Index("errand_due", "due_at", sqlite_where=_WAITING, postgresql_where=_WAITING),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    kind: str
    """intent, setup, card, account, refund, dispute, warning, transfer, bank_payout, forget_card, balance."""
    reference: str
    """The processor's id; for bank_payout ``ACCOUNT/PAYOUT``."""
    state: str = "waiting"
    """waiting, done, failed (a bug, or given up after many tries: listed by `flattr doctor`)."""
    version: int = 0
    """Grows with every event, so that one that arrives while we look is not taken for seen."""
    tries: int = 0
    reason: str | None = None
    made_at: datetime = Field(sa_type=Instant)
    due_at: datetime = Field(sa_type=Instant)
    done_at: datetime | None = Field(default=None, sa_type=Instant)
