"""The ledger's one table."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from core.database import Id, Instant

_NOT_CLEARING_D, _NOT_CLEARING_C = sa.text("debit % 8 <> 2"), sa.text("credit % 8 <> 2")


class Posting(SQLModel, table=True):
    """One movement of money: from the credited account to the debited one. Never edited, never deleted.

    UNIQUE(kind, source) is the idempotency key and its meaning: "the share of flattr 77" can exist once.
    """

    __table_args__ = (
        sa.UniqueConstraint("kind", "source"),
        sa.CheckConstraint("amount_micros > 0", name="posting_amount_positive"),
        # Patrons' clearing accounts, which are in half of all movements, are only ever read all at once.
        sa.Index("posting_by_debit", "debit", sqlite_where=_NOT_CLEARING_D, postgresql_where=_NOT_CLEARING_D),
        sa.Index("posting_by_credit", "credit", sqlite_where=_NOT_CLEARING_C, postgresql_where=_NOT_CLEARING_C),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    at: datetime = Field(sa_type=Instant)
    kind: str
    source: str
    debit: int = Field(sa_type=sa.BigInteger)
    """The ledger account's number, see `core.books.ledger`."""
    credit: int = Field(sa_type=sa.BigInteger)
    amount_micros: int = Field(sa_type=sa.BigInteger)


class BookBatch(SQLModel, table=True):
    """A sealed batch of the month's book: the hash of its commitments, chained to the batch before."""

    __tablename__ = "book_batch"
    id: int = Field(primary_key=True, sa_type=Id)
    """From 1, without gaps."""
    month: int = Field(index=True)
    """The calendar month in which its postings were made."""
    postings: int
    previous: str
    """The hash of the batch before, in hex; 64 zeros for the first."""
    hash: str = Field(unique=True)
    sealed_at: datetime = Field(sa_type=Instant)


class SealedPosting(SQLModel, table=True):
    """A posting's commitment: a salted hash that says nothing without its salt."""

    __tablename__ = "sealed_posting"
    __table_args__ = (sa.UniqueConstraint("batch_id", "place"),)
    posting_id: int = Field(primary_key=True, foreign_key="posting.id", sa_type=Id)
    batch_id: int = Field(foreign_key="book_batch.id", sa_type=Id)
    place: int
    """From 0 within the batch; the order says nothing about time."""
    commitment: bytes
    """32 bytes."""
