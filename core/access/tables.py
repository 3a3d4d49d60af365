"""Tables of members' access: what was granted, and the visits to sign in that are under way."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from core.database import Id, Instant

_ENDED = sa.text("ended_at is not null")


class Access(SQLModel, table=True):
    """What one account granted; sealed, so that a stolen database opens nobody's account."""

    __table_args__ = (sa.Index("access_ended", "ended_at", sqlite_where=_ENDED, postgresql_where=_ENDED),)
    account_id: int = Field(primary_key=True, foreign_key="account.id", sa_type=Id)
    sealed: bytes
    expires_at: datetime | None = Field(default=None, sa_type=Instant)
    """When the access token ends; None: never, or unknown."""
    given_at: datetime = Field(sa_type=Instant)
    """When its owner signed in."""
    version: int = 0
    """Grows with every new grant; not when the same one is sealed with another key."""
    refreshed_at: datetime | None = Field(default=None, sa_type=Instant)
    refreshing_by: str | None = None
    """Which process refreshes it: a refresh token may be usable only once."""
    refreshing_until: datetime | None = Field(default=None, sa_type=Instant)
    """When that process is given up."""
    retry_at: datetime | None = Field(default=None, sa_type=Instant)
    """After a refreshing that came to nothing: when the next one makes sense, while the access token still works."""
    ended_at: datetime | None = Field(default=None, sa_type=Instant)
    """Since when the hub uses it no more; the row goes once the platform was told so."""


class Visit(SQLModel, table=True):
    """One way to a platform's sign-in page and back: asked for by an account, usable once, ten minutes long."""

    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    token_hash: str = Field(unique=True)
    """Of the address that the person got; the state that the platform sends back has a hash of its own."""
    state_hash: str | None = Field(default=None, unique=True)
    session_hash: str | None = None
    """Of the browser that set out: only it may come back."""
    account_id: int | None = Field(default=None, foreign_key="account.id", sa_type=Id, index=True)
    """Who asked, and to whose person the account will be linked; None: the operator."""
    platform: str
    intent: str
    kept: bytes | None = None
    """What the connector needs when they come back; sealed."""
    created_at: datetime = Field(sa_type=Instant)
    expires_at: datetime = Field(sa_type=Instant, index=True)
    used_at: datetime | None = Field(default=None, sa_type=Instant)
