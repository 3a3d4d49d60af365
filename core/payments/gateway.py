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
    customer: str | None = None
    """To whom the card belongs at the processor; None for pretend cards."""
    on_session: bool = False
    """The patron is (or was) there to confirm; such an attempt is never made off session afterwards."""

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
    destination: str | None = None
    """The creator's account at the processor; None where none is needed (pretend), else the gateway refuses."""
    asked_before: bool = False
    """Whether this very attempt may have been asked already: then the gateway looks before it asks again."""

    @property
    def key(self) -> str:
        """The idempotency key."""
        return f"tr-{self.payout_id}-{self.attempt}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRequest:
    """Give money of a collected statement back to its patron; ``number`` counts the statement's refunds from 1."""

    statement_id: int
    number: int
    amount_minor: int
    currency: str
    reason: str
    """fraud, hold, operator: what the hub's own row says."""
    asked_before: bool = False

    @property
    def key(self) -> str:
        """The idempotency key."""
        return f"re-{self.statement_id}-{self.number}"


@dataclass(frozen=True, slots=True)
class Done:
    """The money moved; ``reference`` is the processor's id of the movement."""

    reference: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A definite no. ``final``: trying again is useless or forbidden (a lost card, a closed account)."""

    reason: str
    final: bool = False
    authenticate: bool = False
    """The bank wants to hear from the cardholder: they get a link and confirm on session."""
    passes: bool = False
    """The reason passes by itself (not enough available yet): the same is asked again later, as a new attempt."""
    reference: str | None = None
    """The processor's id of the failed try, by which a late event about it is known again."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """No answer: the money may or may not have moved. Not a no; ask again under the same key."""

    reason: str


Outcome = Done | Refused | Unknown


@dataclass(frozen=True, slots=True)
class TooLate:
    """It cannot be given up: it was collected meanwhile; ``reference`` as in `Done`."""

    reference: str


GivenUp = Done | TooLate | Unknown
"""Done: it will never be collected (``reference`` may be ''). Unknown: to be asked again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardOffer:
    """A card as people know it, and what the gateway calls it."""

    brand: str
    last4: str
    reference: str
    about: str = ""
    customer: str | None = None
    """To whom it belongs at the processor."""
    fingerprint: str | None = None
    """The same for the same card number, whoever enters it; None: unknown, or pretend."""
    country: str | None = None
    """ISO 3166 code of the issuing bank's country."""
    entered_at: datetime | None = None
    """When it was entered at the processor; None: unknown, or pretend."""


class Gateway(Protocol):
    """A payment processor."""

    @property
    def name(self) -> str:
        """``sandbox`` or ``stripe``."""

    @property
    def pretend(self) -> bool:
        """Whether its money is not real: then every page and statement says so."""

    @property
    def at_once(self) -> int:
        """How many calls may be made side by side, from threads."""

    @property
    def onboards(self) -> bool:
        """Whether creators need an account at the processor before they can be paid (`core.recipients`)."""

    def cards(self) -> tuple[CardOffer, ...]:
        """Cards that a patron may simply choose from (pretend ones); empty where cards are entered elsewhere."""

    def charge(self, request: ChargeRequest, at: datetime) -> Outcome:
        """Collect; never raises for anything the processor or the network may do."""

    def give_up(self, statement_id: int, at: datetime) -> GivenUp:
        """Make sure that a statement is never collected any more, whatever its patron still does; never raises."""

    def transfer(self, request: TransferRequest, at: datetime) -> Outcome:
        """Send; never raises for anything the processor or the network may do."""

    def refund(self, request: RefundRequest, at: datetime) -> Outcome:
        """Give back; never raises for anything the processor or the network may do."""

    def available_minor(self, currency: str) -> int | None:
        """What can be sent right now; None: not known at present, so nothing is sent yet."""
