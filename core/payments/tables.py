"""What the pretend payment processor remembers, apart from the hub's own books."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from core.database import Instant


class SandboxMovement(SQLModel, table=True):
    """A request as the pretend processor answered it; its idempotency key makes it answer once."""

    __tablename__ = "sandbox_movement"
    key: str = Field(primary_key=True)
    kind: str
    """charge, transfer or refund."""
    amount_minor: int = Field(sa_type=sa.BigInteger)
    currency: str
    outcome: str
    """done, or the reason of a refusal."""
    at: datetime = Field(sa_type=Instant)


class Counterpart(SQLModel, table=True):
    """What the processor calls a row of ours: a patron's customer, a statement's intent, a creator's account."""

    kind: str = Field(primary_key=True)
    """customer and account (of a person), intent (of a statement)."""
    own_id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    reference: str = Field(unique=True)
    made_at: datetime = Field(sa_type=Instant)
