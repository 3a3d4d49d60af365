"""The table of creators' accounts at the payment processor."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from core.database import Id, Instant


class Recipient(SQLModel, table=True):
    """How far a creator is with the processor; a row exists from the first wish to be paid on."""

    person_id: int = Field(primary_key=True, foreign_key="person.id", sa_type=Id)
    account: str | None = Field(default=None, unique=True)
    """The processor's id; None: not made yet."""
    state: str = "unfinished"
    """unfinished, active (money can be sent), restricted (it could once, and cannot now, or its country is not on the
    operator's list), closed."""
    needs: str = ""
    """What the processor still wants to know, separated by commas; `country` alone: it is not on the list."""
    country: str | None = None
    began_at: datetime = Field(sa_type=Instant)
    """From here the reminders count."""
    reminded: int = 0
    """How many of the reminders were put out."""
    active_at: datetime | None = Field(default=None, sa_type=Instant)
    seen_at: datetime | None = Field(default=None, sa_type=Instant)
    """When the processor was last heard."""
