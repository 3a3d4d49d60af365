"""Tables of people: persons, accounts, link codes, budgets, preferences, claims."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from core.database import Id, Instant

_LEFT = sa.text("left_at is not null")


class Person(SQLModel, table=True):
    """One human with any number of accounts; may be patron and creator at once."""

    __table_args__ = (sa.Index("person_left", "left_at", sqlite_where=_LEFT, postgresql_where=_LEFT),)

    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    created_at: datetime = Field(sa_type=Instant)
    receives_since: datetime | None = Field(default=None, sa_type=Instant)
    """When this person claimed; None: does not receive."""
    payable_since: datetime | None = Field(default=None, sa_type=Instant)
    """When the payment gateway said that money can be sent; None: claimed, but not payable yet."""
    cap_per_flattr_micros: int | None = Field(default=None, sa_type=sa.BigInteger)
    cap_per_creator_micros: int | None = Field(default=None, sa_type=sa.BigInteger)
    bears_cost: bool = False
    """Agreed to bear the card's cost as a line of the statement."""
    merged_into_id: int | None = Field(default=None, foreign_key="person.id", sa_type=Id)
    cooling_until: datetime | None = Field(default=None, sa_type=Instant)
    """No payout before this time: another person's accounts were taken over."""
    left_at: datetime | None = Field(default=None, sa_type=Instant)


class Account(SQLModel, table=True):
    """One identity on one platform; a row exists for members and for creators who were flattred."""

    __table_args__ = (sa.UniqueConstraint("platform", "account_id"),)
    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    platform: str
    account_id: str
    """The platform's immutable id; never the handle."""
    person_id: int | None = Field(default=None, foreign_key="person.id", sa_type=Id, index=True)
    handle: str | None = None
    linked_at: datetime | None = Field(default=None, sa_type=Instant)
    """Likes from before this time never count."""
    spoke_at: datetime | None = Field(default=None, sa_type=Instant)
    """When a direct message last came from here: the hub answers on its own where the person last spoke."""
    needs_relink_at: datetime | None = Field(default=None, sa_type=Instant)
    """Since when the platform refuses the hub's access to this account; None: all is well."""

    def __str__(self) -> str:
        return f"{self.platform}:{self.account_id}"


class LinkCode(SQLModel, table=True):
    """A one-time code that proposes to make two accounts one person's (connectors.md, "Linking by DM")."""

    __tablename__ = "link_code"
    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    code_hash: str = Field(unique=True)
    issuer_id: int = Field(foreign_key="account.id", sa_type=Id, index=True)
    offered_by_id: int | None = Field(default=None, foreign_key="account.id", sa_type=Id, index=True)
    """The account that sent the code; from then on the issuer is asked."""
    state: str = "issued"
    """issued, offered, confirmed, refused."""
    created_at: datetime = Field(sa_type=Instant)
    expires_at: datetime = Field(sa_type=Instant)


class LinkFailure(SQLModel, table=True):
    """A wrong code, counted against the account and the network it came from."""

    __tablename__ = "link_failure"
    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    platform: str
    account_id: str
    at: datetime = Field(sa_type=Instant, index=True)


class Budget(SQLModel, table=True):
    """What a patron gives a month, from a month on: the row with the latest ``from_month`` holds."""

    person_id: int = Field(primary_key=True, foreign_key="person.id", sa_type=Id)
    from_month: int = Field(primary_key=True)
    amount_micros: int = Field(sa_type=sa.BigInteger)
    set_at: datetime = Field(sa_type=Instant)


class Card(SQLModel, table=True):
    """The payment instrument of a patron; the gateway knows what its reference means."""

    person_id: int = Field(primary_key=True, foreign_key="person.id", sa_type=Id)
    brand: str
    last4: str
    reference: str = Field(index=True)
    customer: str | None = None
    """To whom it belongs at the processor; None for pretend cards."""
    fingerprint: str | None = Field(default=None, index=True)
    """The same for the same card number, whoever enters it; None for pretend cards."""
    country: str | None = None
    entered_at: datetime | None = Field(default=None, sa_type=Instant)
    """When it was entered at the processor: news of cards that were entered before it comes too late."""
    since: datetime = Field(sa_type=Instant)


class Pause(SQLModel, table=True):
    """While it stands, new likes of this patron (on one network, or with '' on all) do not count."""

    person_id: int = Field(primary_key=True, foreign_key="person.id", sa_type=Id)
    platform: str = Field(primary_key=True)
    since: datetime = Field(sa_type=Instant)


class Ignore(SQLModel, table=True):
    """A creator's account that a patron never wants to pay."""

    person_id: int = Field(primary_key=True, foreign_key="person.id", sa_type=Id)
    account_id: int = Field(primary_key=True, foreign_key="account.id", sa_type=Id)
    since: datetime = Field(sa_type=Instant)


class Decline(SQLModel, table=True):
    """An account whose owner wants no money: a keyed hash of its id and nothing else."""

    account_hash: str = Field(primary_key=True)
    since: datetime = Field(sa_type=Instant)


class Skip(SQLModel, table=True):
    """A month that a patron chose not to pay."""

    person_id: int = Field(primary_key=True, foreign_key="person.id", sa_type=Id)
    month: int = Field(primary_key=True)
    at: datetime = Field(sa_type=Instant)


class Subscription(SQLModel, table=True):
    """One share for a creator on the first of every month until it ends; never back-filled."""

    __table_args__ = (sa.UniqueConstraint("person_id", "account_id"),)
    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    person_id: int = Field(foreign_key="person.id", sa_type=Id)
    account_id: int = Field(foreign_key="account.id", sa_type=Id)
    started_at: datetime = Field(sa_type=Instant)
    last_month: int | None = None
    """The last month that gets a share; None: until it is ended."""


class Room(SQLModel, table=True):
    """What a room's admin decided: whether likes in it count, and which emoji are likes."""

    platform: str = Field(primary_key=True)
    room_id: str = Field(primary_key=True)
    enabled: bool = True
    emoji: str | None = None
    """The emoji that count here, separated by spaces; None: the hub's default list."""


class Audit(SQLModel, table=True):
    """What an operator did by hand, takeovers, and when the hub let pending flattrs lapse: who, what, when."""

    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    at: datetime = Field(sa_type=Instant)
    actor: str
    action: str
    detail: str
