"""The pretend payment processor: no account anywhere, no real money, but the manners of a real one."""

from __future__ import annotations

from datetime import datetime
from itertools import count

from sqlmodel import Session

from core.database import Database
from core.payments.gateway import (
    CardOffer,
    ChargeRequest,
    Done,
    GivenUp,
    Outcome,
    RefundRequest,
    Refused,
    TooLate,
    TransferRequest,
    Unknown,
)
from core.payments.tables import SandboxMovement

CARDS = (
    CardOffer(brand="Pretend", last4="4242", reference="pretend-4242", about="always pays"),
    CardOffer(brand="Pretend", last4="0002", reference="pretend-0002", about="is always declined"),
    CardOffer(brand="Pretend", last4="0069", reference="pretend-0069", about="has expired: declined for good"),
    CardOffer(brand="Pretend", last4="0119", reference="pretend-0119", about="pays, but its first answer gets lost"),
)

_NO_CARD = Refused("there is no card")
_REFUSALS = {
    "pretend-0002": Refused("the card was declined"),
    "pretend-0069": Refused("the card has expired", final=True),
}
_BY_REASON = {refusal.reason: refusal for refusal in (_NO_CARD, *_REFUSALS.values())}
_DONE = "done"


class SandboxGateway:
    """Answers from a table of its own, in transactions of its own, as a processor in another house would."""

    name = "sandbox"
    pretend = True
    at_once = 1
    onboards = False

    def __init__(self, database: Database) -> None:
        self._database = database

    def cards(self) -> tuple[CardOffer, ...]:
        """The pretend cards, each with what it does."""
        return CARDS

    def charge(self, request: ChargeRequest, at: datetime) -> Outcome:
        """As the card's last digits say; a key that is known gets its first answer again, whatever the card now is.

        The card that loses its answer has taken the money all the same.
        """
        card = request.card_reference
        refusal = _NO_CARD if card is None else _REFUSALS.get(card)
        outcome = refusal.reason if refusal else _DONE
        with self._database.transaction() as tx:
            first, outcome = self._remember(
                tx, request.key, "charge", request.amount_minor, request.currency, outcome, at
            )
        if outcome != _DONE:
            return _BY_REASON[outcome]
        if first and card == "pretend-0119":
            return Unknown("the answer got lost")
        return Done(f"pretend-{request.key}")

    def transfer(self, request: TransferRequest, at: datetime) -> Outcome:
        """Always arrives."""
        with self._database.transaction() as tx:
            self._remember(tx, request.key, "transfer", request.amount_minor, request.currency, _DONE, at)
        return Done(f"pretend-{request.key}")

    def give_up(self, statement_id: int, at: datetime) -> GivenUp:
        """Too late for what was collected, also where the answer got lost; nothing else is ever under way here."""
        with self._database.reading() as tx:
            for attempt in count(1):
                key = f"pi-confirm-{statement_id}-{attempt}"
                known = tx.get(SandboxMovement, key)
                if known is None:
                    break
                if known.outcome == _DONE:
                    return TooLate(f"pretend-{key}")
        return Done("")

    def refund(self, request: RefundRequest, at: datetime) -> Outcome:
        """Always arrives."""
        with self._database.transaction() as tx:
            self._remember(tx, request.key, "refund", request.amount_minor, request.currency, _DONE, at)
        return Done(f"pretend-{request.key}")

    def available_minor(self, currency: str) -> int | None:
        """Pretend money never runs out: more than anybody can be owed."""
        return 10**15

    @staticmethod
    def _remember(
        tx: Session, key: str, kind: str, amount_minor: int, currency: str, outcome: str, at: datetime
    ) -> tuple[bool, str]:
        """Whether the key is new, and the outcome that belongs to it: its first one, for ever."""
        known = tx.get(SandboxMovement, key)
        if known is None:
            tx.add(
                SandboxMovement(
                    key=key, kind=kind, amount_minor=amount_minor, currency=currency, outcome=outcome, at=at
                )
            )
            return True, outcome
        if (known.amount_minor, known.currency) != (amount_minor, currency):
            raise ValueError(f"the key {key} was used before with another amount; keys belong to one request")
        return False, known.outcome
