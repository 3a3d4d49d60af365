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
    """charge or transfer."""
    amount_minor: int = Field(sa_type=sa.BigInteger)
    currency: str
    outcome: str
    """done, or the reason of a refusal."""
    at: datetime = Field(sa_type=Instant)
