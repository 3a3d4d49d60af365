"""Tables of the inbox and the outbox."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from core.database import Id, Instant


class InboxItem(SQLModel, table=True):
    """One delivery as received; what it says is encrypted at rest and purged some days after it is done."""

    __tablename__ = "inbox"
    __table_args__ = (
        sa.UniqueConstraint("platform", "key"),
        sa.Index("inbox_by_state", "state", "id"),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    platform: str
    key: str
    """What the connector says makes two deliveries the same; made of signed content only."""
    received_at: datetime = Field(sa_type=Instant)
    sealed: bytes | None = None
    """The encrypted delivery; None once purged."""
    body_hash: str
    """SHA-256 of the body, noted when it is done and kept after the body is gone."""
    state: str = "waiting"
    """waiting, done, dead (cannot be translated or recorded; replayable)."""
    repeats: int = 0
    """How often the same delivery came again."""
    events: int = 0
    done_at: datetime | None = Field(default=None, sa_type=Instant)
    error: str | None = None
    error_hash: str | None = None
    """A hash of the traceback, so that one bug's dead letters can be told from another's."""


class OutboxNote(SQLModel, table=True):
    """Something the hub has to say to one account; UNIQUE(kind, source) keeps it from being said twice."""

    __tablename__ = "outbox"
    __table_args__ = (
        sa.UniqueConstraint("kind", "source"),
        sa.Index("outbox_by_state", "state", "next_at"),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    kind: str
    """answer (to a message), review, statement, declined, claimed, relink, ..."""
    source: str
    person_id: int | None = Field(default=None, foreign_key="person.id", sa_type=Id)
    """For whom; where this person last spoke is decided when it is sent."""
    platform: str | None = None
    account_id: str | None = None
    """For which account, where that is fixed (an answer goes where the question came from)."""
    text: str | None = None
    """What to say; None: rendered from kind and source when it is first sent, and kept here from then on."""
    buttons: str | None = None
    """The choices under it: a JSON list of [label, text]."""
    picture: str | None = None
    """What picture goes with it, as in statement:77; it is made when the note is sent and never kept."""
    state: str = "waiting"
    """waiting, sending (the platform is being asked), sent, failed (given up; the operator sees it)."""
    attempts: int = 0
    next_at: datetime = Field(sa_type=Instant)
    created_at: datetime = Field(sa_type=Instant)
    first_at: datetime | None = Field(default=None, sa_type=Instant)
    """When it was first tried; from then on the days count after which it is given up."""
    sent_to: str | None = None
    """The platform and account id, joined by a colon, that were asked last."""
    parts_sent: int = 0
    """How many messages of a long note arrived: a retry repeats none of them."""
    sent_at: datetime | None = Field(default=None, sa_type=Instant)
    error: str | None = None
