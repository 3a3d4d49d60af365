"""The table of holds."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from core.database import Id, Instant


class Hold(SQLModel, table=True):
    """What one patron's month brings one creator, kept from payouts until the operator has looked."""

    __table_args__ = (
        sa.UniqueConstraint("month", "patron_id", "creator_id"),
        sa.Index("hold_by_creator", "creator_id"),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    month: int = Field(foreign_key="month.id", sa_type=sa.Integer)
    patron_id: int = Field(foreign_key="person.id", sa_type=Id)
    creator_id: int = Field(foreign_key="person.id", sa_type=Id)
    micros: int = Field(sa_type=sa.BigInteger)
    """The sum of the shares concerned."""
    reasons: str
    """One or more of one_patron, mutual, new_pair; separated by spaces."""
    state: str = "held"
    """held, released, voided (the shares go back to the patron)."""
    made_at: datetime = Field(sa_type=Instant)
    decided_at: datetime | None = Field(default=None, sa_type=Instant)
    decided_by: str | None = None
    note: str = ""
    """What the operator wrote with the decision; both sides read it."""
