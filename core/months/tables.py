"""Tables of the month's end: months, statements, shares, charges, payout runs and payouts."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from core.database import Id, Instant


class Month(SQLModel, table=True):
    """A calendar month and its stage: open, review, closed, collecting, settled. Id: 12 * year + month number."""

    id: int = Field(primary_key=True, sa_type=sa.Integer, sa_column_kwargs={"autoincrement": False})
    stage: str = "open"
    subscribed_at: datetime | None = Field(default=None, sa_type=Instant)
    """When the subscriptions' shares were added."""
    review_at: datetime | None = Field(default=None, sa_type=Instant)
    review_ends_at: datetime | None = Field(default=None, sa_type=Instant)
    closed_at: datetime | None = Field(default=None, sa_type=Instant)
    settled_at: datetime | None = Field(default=None, sa_type=Instant)


class Payable(SQLModel, table=True):
    """A creator's account that could be paid when a month's review started."""

    month: int = Field(primary_key=True, foreign_key="month.id", sa_type=sa.Integer)
    account_id: int = Field(primary_key=True, foreign_key="account.id", sa_type=Id)
    creator_id: int = Field(foreign_key="person.id", sa_type=Id, index=True)


_REVIEW, _DUE = sa.text("state = 'review'"), sa.text("state = 'due'")


class Statement(SQLModel, table=True):
    """One patron's month; its budget is frozen when the review starts, its sums when the month closes."""

    __table_args__ = (
        sa.UniqueConstraint("month", "patron_id"),
        # Partial, for the two queues that a month works off: a statement that is done costs neither.
        sa.Index("statement_under_review", "month", "id", sqlite_where=_REVIEW, postgresql_where=_REVIEW),
        sa.Index("statement_due", "month", "next_attempt_at", "id", sqlite_where=_DUE, postgresql_where=_DUE),
        sa.Index("statement_by_patron", "patron_id"),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    patron_id: int = Field(foreign_key="person.id", sa_type=Id)
    month: int = Field(foreign_key="month.id", sa_type=sa.Integer)
    budget_micros: int = Field(sa_type=sa.BigInteger)
    state: str = "review"
    """review, due (to be collected), collected, lapsed (never collected; no debt), void (nothing to charge)."""
    flattrs: int = 0
    """N: how many flattrs share the net amount."""
    charge_micros: int = Field(default=0, sa_type=sa.BigInteger)
    cost_micros: int = Field(default=0, sa_type=sa.BigInteger)
    fee_micros: int = Field(default=0, sa_type=sa.BigInteger)
    share_micros: int = Field(default=0, sa_type=sa.BigInteger)
    """q: what every share is at least."""
    spare_micros: int = Field(default=0, sa_type=sa.BigInteger)
    """r: how many shares are one micro more."""
    attempts: int = 0
    """Definite refusals so far; the number of the attempt under way is one more."""
    next_attempt_at: datetime | None = Field(default=None, sa_type=Instant)
    collected_at: datetime | None = Field(default=None, sa_type=Instant)
    early: bool = False
    """One of the patron's first two paid months: its money waits one payout run longer."""
    ends_as: str | None = None
    """lapsed or void: it is given up, and gets this state once the processor says that it can never be collected."""


class Share(SQLModel, table=True):
    """What one flattr is worth, and to whom; written when the month closes and never changed.

    No foreign keys: the closing writes a million of these, and the books' own check is stricter (a share belongs to
    a flattr of its statement's patron and month). No index by creator: theirs are found through Payable.
    """

    __table_args__ = (sa.Index("share_by_statement", "statement_id"),)
    flattr_id: int = Field(primary_key=True, sa_type=Id)
    statement_id: int = Field(sa_type=sa.BigInteger)
    creator_id: int = Field(sa_type=sa.BigInteger)
    micros: int = Field(sa_type=sa.BigInteger)


class Charge(SQLModel, table=True):
    """One attempt to collect a statement: written before the gateway is called, answered after."""

    __table_args__ = (sa.UniqueConstraint("statement_id", "attempt"),)
    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    statement_id: int = Field(foreign_key="statement.id", sa_type=Id)
    attempt: int
    state: str = "asked"
    """asked (no answer known: same key again), collected, declined."""
    card_reference: str | None = None
    """The card that was asked, by the gateway's name for it: the same key is never sent with another."""
    customer: str | None = None
    """To whom the card belongs at the processor."""
    on_session: bool = Field(default=False, sa_column_kwargs={"server_default": sa.text("false")})
    """The patron confirms it themselves; it does not count against the days on which a card is tried."""
    reference: str | None = None
    reason: str | None = None
    asked_at: datetime = Field(sa_type=Instant)
    answered_at: datetime | None = Field(default=None, sa_type=Instant)


class PayoutRun(SQLModel, table=True):
    """One run over all creators; a run is a row, and starting it again continues it."""

    __tablename__ = "payout_run"
    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    period: int = Field(unique=True)
    """The calendar month that the run belongs to, or a later unique number for a run by hand."""
    started_at: datetime = Field(sa_type=Instant)
    finished_at: datetime | None = Field(default=None, sa_type=Instant)


class Payout(SQLModel, table=True):
    """One transfer to one creator, aggregated over patrons and months, in whole minor units."""

    __table_args__ = (sa.UniqueConstraint("run_id", "creator_id"),)
    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    run_id: int = Field(foreign_key="payout_run.id", sa_type=Id)
    creator_id: int = Field(foreign_key="person.id", sa_type=Id, index=True)
    amount_micros: int = Field(sa_type=sa.BigInteger)
    state: str = "asked"
    """asked (no answer known: same key again), sent, refused (due again), reversed (all of it came back, due again)."""
    attempt: int = 1
    calls: int = Field(default=0, sa_column_kwargs={"server_default": sa.text("0")})
    """How often the processor was asked for this attempt; counted first."""
    destination: str | None = None
    """The creator's account at the processor as it was asked with: the same key is never sent to another."""
    reference: str | None = Field(default=None, index=True)
    reason: str | None = None
    asked_at: datetime = Field(sa_type=Instant)
    """When the processor was asked; after a call without an answer, when to ask again."""
    answered_at: datetime | None = Field(default=None, sa_type=Instant)
