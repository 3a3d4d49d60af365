"""What the hub needs from a payment processor, in both directions.

Calls are made outside any transaction: row first, money second, note third. Every request carries a key made of
the hub's own row ids; asking again under the same key must give the first answer again and move no more money.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeRequest:
    """Collect one statement from its patron; ``attempt`` grows only after a definite no."""

    statement_id: int
    attempt: int
    patron_id: int
    month: int
    amount_minor: int
    currency: str
    card_reference: str | None
    """None: the patron has no card; the gateway refuses."""

    @property
    def key(self) -> str:
        """The idempotency key."""
        return f"pi-confirm-{self.statement_id}-{self.attempt}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRequest:
    """Send one payout to its creator."""

    payout_id: int
    attempt: int
    creator_id: int
    amount_minor: int
    currency: str

    @property
    def key(self) -> str:
        """The idempotency key."""
        return f"tr-{self.payout_id}-{self.attempt}"


@dataclass(frozen=True, slots=True)
class Done:
    """The money moved; ``reference`` is the processor's id of the movement."""

    reference: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A definite no. ``final``: trying again is useless or forbidden (a lost card, a closed account)."""

    reason: str
    final: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """No answer: the money may or may not have moved. Not a no; ask again under the same key."""

    reason: str


Outcome = Done | Refused | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class CardOffer:
    """A card as people know it, and what the gateway calls it."""

    brand: str
    last4: str
    reference: str
    about: str = ""


class Gateway(Protocol):
    """A payment processor."""

    @property
    def name(self) -> str:
        """``sandbox`` or ``stripe``."""

    @property
    def pretend(self) -> bool:
        """Whether its money is not real: then every page and statement says so."""

    def cards(self) -> tuple[CardOffer, ...]:
        """Cards that a patron may simply choose from (pretend ones); empty where cards are entered elsewhere."""

    def can_pay(self, creator_id: int) -> bool:
        """Whether money can be sent to this creator as things stand."""

    def charge(self, request: ChargeRequest, at: datetime) -> Outcome:
        """Collect; never raises for anything the processor or the network may do."""

    def transfer(self, request: TransferRequest, at: datetime) -> Outcome:
        """Send; never raises for anything the processor or the network may do."""
