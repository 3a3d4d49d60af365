"""Tables of what was liked (things, likes, flattrs), and of what was decided once for this database."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from core.database import Id, Instant


class Setting(SQLModel, table=True):
    """What was decided once for this database, whatever the settings' file says later: its currency."""

    name: str = Field(primary_key=True)
    value: str


class Thing(SQLModel, table=True):
    """One piece of content with one canonical URL; it may carry names on several platforms."""

    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    url: str = Field(index=True)
    title: str | None = None
    """Kept only once its author receives: of people who have not joined the hub stores no text."""
    author_id: int | None = Field(default=None, foreign_key="account.id", sa_type=Id)
    """The author as last told; a like keeps the author it was recorded with."""
    gone_at: datetime | None = Field(default=None, sa_type=Instant)


class ThingName(SQLModel, table=True):
    """A platform's own id of a thing."""

    __tablename__ = "thing_name"
    platform: str = Field(primary_key=True)
    native_id: str = Field(primary_key=True)
    thing_id: int = Field(foreign_key="thing.id", sa_type=Id, index=True)


class Flattr(SQLModel, table=True):
    """What one patron's likes of one thing count for in one month."""

    __table_args__ = (
        # The order serves the closing, which reads a month patron by patron.
        sa.UniqueConstraint("month", "patron_id", "thing_id"),
        sa.Index("flattr_by_author", "author_id", "month"),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    patron_id: int = Field(foreign_key="person.id", sa_type=Id)
    thing_id: int = Field(foreign_key="thing.id", sa_type=Id)
    month: int
    author_id: int | None = Field(default=None, foreign_key="account.id", sa_type=Id)
    """The creator's account, fixed when the like was recorded; None: not known yet, so pending."""
    own: bool = Field(default=False, sa_column_kwargs={"server_default": sa.text("false")})
    """Recorded while the thing's author and the patron were one person: never paid, whoever has the accounts later."""
    held: bool = Field(default=False, sa_column_kwargs={"server_default": sa.text("false")})
    """Stands only by likes that their platform lists no more, too many at once to be believed: left out at closing."""
    standing: bool = True
    """Whether at least one counting like stands, or a subscription or an older pending flattr put it here."""
    struck_at: datetime | None = Field(default=None, sa_type=Instant)
    """Struck out by hand; only a new episode brings it back."""
    origin: str = "like"
    """like, subscription, or claimed (an older pending flattr that counts here since its creator joined)."""
    moved_to_id: int | None = Field(default=None, foreign_key="flattr.id", sa_type=Id)
    """The flattr of a later month in which this pending one counts; it never counts twice."""
    voided: str | None = None
    """Why it can never be paid: declined, lapsed, left (its patron), same_card (patron's and creator's)."""
    created_at: datetime = Field(sa_type=Instant)


_DOUBTFUL = sa.text("doubtful")


class Like(SQLModel, table=True):
    """One act on a platform, told apart by its fact key; its latest episode decides.

    Positions are the platform's order keys or, without one, times of first receipt in microseconds. The latest of
    each kind that was ever heard of is kept, so that any order and any duplication of deliveries end in the same row.
    """

    __tablename__ = "likes"  # LIKE is a word of SQL's own
    __table_args__ = (
        sa.UniqueConstraint("account_id", "fact"),
        sa.Index("like_by_flattr", "flattr_id"),
        sa.Index("like_by_thing", "thing_id"),
        sa.Index("like_in_doubt", "id", sqlite_where=_DOUBTFUL, postgresql_where=_DOUBTFUL),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    account_id: int = Field(foreign_key="account.id", sa_type=Id)
    fact: str
    thing_id: int | None = Field(default=None, foreign_key="thing.id", sa_type=Id)
    reaction: str
    liked_at: datetime | None = Field(default=None, sa_type=Instant)
    """When the present episode began; None: only its end was heard of so far."""
    began_position: int | None = Field(default=None, sa_type=sa.BigInteger)
    latest_at: datetime | None = Field(default=None, sa_type=Instant)
    liked_position: int | None = Field(default=None, sa_type=sa.BigInteger)
    unliked_position: int | None = Field(default=None, sa_type=sa.BigInteger)
    standing: bool = True
    uncounted: str | None = None
    """Why the episode does not count: before_link, paused, ignored, declined, left."""
    timed: bool = False
    """Whether ``latest_at`` is the platform's own time, not that of receipt."""
    doubtful: bool = False
    """The order of receipt may not be the order of acts: the platform has to be asked."""
    flattr_id: int | None = Field(default=None, foreign_key="flattr.id", sa_type=Id)
    held_at: datetime | None = Field(default=None, sa_type=Instant)
    """Since when a complete listing misses it together with implausibly many others; see core.listings."""
