"""What a bank's no means: in plain words, and whether the same card may ever be tried again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.payments.gateway import Refused

_FINAL = frozenset(
    (
        "do_not_try_again", "fraudulent", "highest_risk_level", "incorrect_number", "invalid_account", "lost_card",
        "merchant_blacklist", "pickup_card", "restricted_card", "revocation_of_all_authorizations",
        "revocation_of_authorization", "stolen_card", "stop_payment_order", "transaction_not_allowed",
    )
)  # fmt: skip
"""Cards that are never tried again (docs.stripe.com/declines/codes, and what Stripe's own retries leave alone).

An expired card is not among them: banks renew cards under the same name, and the patron has days to enter another.
"""

_BANK_ASKS = frozenset(
    (
        "authentication_not_handled", "authentication_required", "payment_intent_action_required",
        "payment_intent_authentication_failure", "setup_intent_authentication_failure",
    )
)  # fmt: skip

_WORDS = {
    "authentication_required": "the bank wants the payment to be confirmed",
    "card_velocity_exceeded": "the card's limit is used up",
    "currency_not_supported": "the card does not support this currency",
    "expired_card": "the card has expired",
    "incorrect_cvc": "the card's security code is wrong",
    "incorrect_number": "the card's number is wrong",
    "insufficient_funds": "there is not enough money on the card",
    "invalid_account": "the card's account cannot be used",
    "issuer_not_available": "the bank could not be reached",
    "payment_intent_authentication_failure": "the confirmation with the bank failed",
    "processing_error": "the bank could not process the payment",
    "restricted_card": "the card cannot be used for this payment",
    "revocation_of_all_authorizations": "the bank was told not to let this card pay",
    "revocation_of_authorization": "the bank was told not to let this card pay",
    "setup_intent_authentication_failure": "the confirmation with the bank failed",
    "stop_payment_order": "the bank was told not to let this card pay",
    "transaction_not_allowed": "the bank does not allow such payments with this card",
    "try_again_later": "the bank could not process the payment",
}
"""For people. Nothing is said of lost, stolen or suspect cards: whoever holds one needn't learn that it is known."""

_PLAIN = "the card was declined"


def refusal(error: Mapping[str, Any]) -> Refused:
    """The definite no that Stripe's account of a failed try means (an error, or an intent's ``last_payment_error``)."""
    codes = {str(error.get("decline_code") or ""), str(error.get("code") or "")}
    final = error.get("advice_code") == "do_not_try_again" or not codes.isdisjoint(_FINAL)
    asks = not final and not codes.isdisjoint(_BANK_ASKS)
    reference = error.get("charge")
    if isinstance(reference, Mapping):
        reference = reference.get("id")
    return Refused(reason(error), final=final, authenticate=asks, reference=reference or None)


def reason(error: Mapping[str, Any]) -> str:
    """Why a card did not work, for people; never more than Stripe lets a cardholder know."""
    for code in (error.get("decline_code"), error.get("code")):
        if code in _WORDS:
            return _WORDS[code]
    return "the bank wants the payment to be confirmed" if error.get("code") in _BANK_ASKS else _PLAIN
