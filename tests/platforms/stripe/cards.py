"""Test cards: what each does when it is entered and each time it is charged."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True)
class Outcome:
    """What the bank says to one try. Without a code it pays."""

    code: str | None = None
    decline: str | None = None
    advice: str | None = None
    message: str = "Your card was declined."
    asks: bool = False
    """The bank wants to hear from the cardholder; off session that is a decline."""
    authenticated: bool = True
    """Whether the cardholder succeeds in being heard, when nothing else is said."""
    then: Literal["", "warning", "dispute"] = ""
    """What follows once it has paid."""
    waits: bool = False
    """It is processing until somebody settles it."""

    @property
    def hard(self) -> bool:
        """Whether the card must never be tried again."""
        return self.decline in ("lost_card", "stolen_card", "pickup_card") or self.advice == "do_not_try_again"


PAYS_OUTCOME = Outcome()


def declined(
    decline: str, *, code: str = "card_declined", advice: str | None = "try_again_later", message: str = ""
) -> Outcome:
    """The bank says no."""
    return Outcome(code=code, decline=decline, advice=advice, message=message or "Your card was declined.")


INSUFFICIENT_OUTCOME = declined("insufficient_funds", message="Your card has insufficient funds.")
OUTCOMES = {
    "pays": PAYS_OUTCOME,
    "insufficient_funds": INSUFFICIENT_OUTCOME,
    "generic_decline": declined("generic_decline"),
    "do_not_honor": declined("do_not_honor"),
    "lost_card": declined("lost_card", advice="do_not_try_again"),
    "stolen_card": declined("stolen_card", advice="do_not_try_again"),
    "pickup_card": declined("pickup_card", advice=None),
    "expired_card": Outcome(code="expired_card", advice="confirm_card_data", message="Your card has expired."),
    "do_not_try_again": declined("do_not_try_again", advice="do_not_try_again"),
    "authentication_required": Outcome(asks=True),
    "authentication_fails": Outcome(asks=True, authenticated=False),
    "processing": Outcome(waits=True),
    "processing_error": Outcome(
        code="processing_error",
        advice="try_again_later",
        message="An error occurred while processing your card. Try again in a little bit.",
    ),
}


@dataclass(frozen=True)
class Card:
    """A card. ``answers``: one outcome per try, the last stays."""

    name: str
    number: str
    answers: tuple[Outcome, ...] = (PAYS_OUTCOME,)
    setup: Literal["plain", "asks", "fails", "declined"] = "plain"
    """What happens when it is entered."""
    brand: str = "visa"
    country: str = "DE"
    exp_month: int = 12
    exp_year: int = 2034
    token: str = ""
    """By which the API knows it (`pm_card_...`)."""

    @property
    def last4(self) -> str:
        """The last four digits."""
        return self.number[-4:]

    @property
    def fingerprint(self) -> str:
        """The same for the same number."""
        return hashlib.sha256(self.number.encode()).hexdigest()[:16]


def answering(*answers: str | Outcome, card: Card | None = None) -> Card:
    """A card with one answer per try, by name (see OUTCOMES) or as an Outcome."""
    told = tuple(OUTCOMES[each] if isinstance(each, str) else each for each in answers)
    return replace(card or PAYS, name="answering", answers=told, token="")


def _card(name: str, number: str, outcome: str = "pays", **more: str) -> Card:
    return Card(name=name, number=number, answers=(OUTCOMES[outcome],), **more)  # type: ignore[arg-type]


PAYS = _card("PAYS", "4242424242424242", token="pm_card_visa")
PAYS_AMERICAN = _card("PAYS_AMERICAN", "4000008400001629", country="US", token="pm_card_us")
PAYS_MASTERCARD = _card("PAYS_MASTERCARD", "5555555555554444", brand="mastercard", token="pm_card_mastercard")
INSUFFICIENT = _card("INSUFFICIENT", "4000000000009995", "insufficient_funds")
GENERIC = _card("GENERIC", "4000000000000341", "generic_decline", token="pm_card_chargeCustomerFail")
LOST = _card("LOST", "4000000000009987", "lost_card")
STOLEN = _card("STOLEN", "4000000000009979", "stolen_card")
PICKUP = _card("PICKUP", "4000000000009961", "pickup_card")
EXPIRED = _card("EXPIRED", "4000000000000069", "expired_card")
NEVER_AGAIN = _card("NEVER_AGAIN", "4000000000009953", "do_not_try_again")
AUTHENTICATES = _card("AUTHENTICATES", "4000002760003184", "authentication_required", setup="asks")
AUTHENTICATION_FAILS = _card("AUTHENTICATION_FAILS", "4000008260003178", "authentication_fails")
PROCESSES = _card("PROCESSES", "4000000000000077", "processing")
FRAUD_WARNING = replace(_card("FRAUD_WARNING", "4000000000005423"), answers=(Outcome(then="warning"),))
DISPUTED = replace(_card("DISPUTED", "4000000000000259"), answers=(Outcome(then="dispute"),))
ASKS_AT_SETUP = _card("ASKS_AT_SETUP", "4000002500003155", setup="asks")
FAILS_AT_SETUP = _card("FAILS_AT_SETUP", "4000008400001280", setup="fails")
DECLINED_AT_SETUP = _card("DECLINED_AT_SETUP", "4000000000000002", "generic_decline", setup="declined")

ALL = (
    PAYS,
    PAYS_AMERICAN,
    PAYS_MASTERCARD,
    INSUFFICIENT,
    GENERIC,
    LOST,
    STOLEN,
    PICKUP,
    EXPIRED,
    NEVER_AGAIN,
    AUTHENTICATES,
    AUTHENTICATION_FAILS,
    PROCESSES,
    FRAUD_WARNING,
    DISPUTED,
    ASKS_AT_SETUP,
    FAILS_AT_SETUP,
    DECLINED_AT_SETUP,
)
ALL_TROUBLE = tuple(card for card in ALL if not card.name.startswith("PAYS"))
BY_NAME = {card.name: card for card in ALL}
BY_TOKEN = {card.token: card for card in ALL if card.token}


class CardRefused(Exception):
    """The hosted page tells its visitor that this card can't be used; they may enter another."""
