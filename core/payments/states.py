"""How things stand at the payment processor, as it answers when it is asked: one value per kind of object.

Whatever brings the news (the answer to a call, an event, a person who comes back), the object is looked at and its
state goes through the same functions of the core, so that news may be lost, doubled or late.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from core.payments.gateway import CardOffer, Refused


@dataclass(frozen=True, slots=True)
class Redirect:
    """Where the person's browser has to go."""

    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentState:
    """How collecting a statement stands at the processor."""

    reference: str
    statement_id: int | None
    """By the processor's note of it; None: not one of this hub's."""
    state: Literal["open", "authenticating", "processing", "collected", "cancelled"]
    charge: str | None = None
    """The processor's id of the latest try (the money's, when collected)."""
    amount_minor: int = 0
    failure: Refused | None = None
    """The latest definite no, with its ``reference``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupState:
    """How entering a card went; ``card`` once it is usable."""

    reference: str
    person_id: int | None
    card: CardOffer | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountState:
    """A creator's account at the processor; ``active``: money can be sent to it."""

    reference: str
    person_id: int | None
    active: bool
    closed: bool = False
    needs: tuple[str, ...] = ()
    """What the processor still wants to know, in its own words."""
    country: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundState:
    """A refund at the processor, whoever made it."""

    reference: str
    intent: str | None
    amount_minor: int
    state: Literal["pending", "succeeded", "failed"]
    """failed: the money came back to the hub (failed or cancelled)."""
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeState:
    """A dispute; ``taken_minor``: what it has taken from the hub so far, less what came back; fees not included."""

    reference: str
    intent: str | None
    amount_minor: int
    taken_minor: int
    status: str
    reason: str = ""
    answer_by: datetime | None = None
    """Until when evidence is taken; None: nobody is asked for any."""
    closed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WarningState:
    """An early fraud warning; ``actionable``: a refund now still spares the dispute."""

    reference: str
    intent: str | None
    actionable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferState:
    """A transfer and what was taken back of it: (reference, amount in minor units) each."""

    reference: str
    payout_id: int | None
    attempt: int
    amount_minor: int
    reversals: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BankPayoutState:
    """A creator's payout from their account at the processor to their bank."""

    reference: str
    account: str
    amount_minor: int
    state: Literal["under way", "paid", "failed"]
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MovementSeen:
    """One line of the processor's own account with the hub (a balance transaction), in minor units."""

    reference: str
    kind: str
    """The processor's type, as it is."""
    at: datetime
    amount_minor: int
    """What came in (negative: went out), before the fee."""
    fee_minor: int
    currency: str
    source: str | None
    """The processor's id of what it is about."""
    intent: str | None = None
    """For charges, refunds and disputes: what was being collected."""
    payout_id: int | None = None
    """For transfers and their reversals: the hub's payout."""
    about: str = ""
