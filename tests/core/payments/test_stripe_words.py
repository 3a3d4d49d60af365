"""Banks' answers and cards in the words that people read."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from core.payments.gateway import Refused
from core.payments.stripe import declines
from core.payments.stripe.setups import _offer


@pytest.mark.parametrize(("code", "words"), sorted(declines._WORDS.items()))
def test_each_code_has_its_words(code: str, words: str):
    assert declines.reason({"code": code}) == declines.reason({"decline_code": code}) == words
    assert words == words.strip().rstrip(".")


@pytest.mark.parametrize("code", ["authentication_not_handled", "payment_intent_action_required"])
def test_a_bank_that_asks_is_heard_whatever_it_is_called(code: str):
    answer = declines.refusal({"code": code, "charge": {"id": "ch_1"}})
    assert answer == Refused("the bank wants the payment to be confirmed", authenticate=True, reference="ch_1")


@pytest.mark.parametrize(
    ("card", "brand"),
    [
        ({"brand": "visa"}, "Visa"),
        ({"brand": "amex"}, "American Express"),
        ({"brand": "jcb"}, "JCB"),
        ({"brand": "unionpay"}, "UnionPay"),
        ({"brand": "diners"}, "Diners Club"),
        ({"brand": "eftpos_au"}, "eftpos"),
        ({"brand": "mastercard"}, "Mastercard"),
        ({"brand": "visa", "display_brand": "cartes_bancaires"}, "Cartes Bancaires"),
        ({"brand": "new_brand"}, "New brand"),
        ({}, "Card"),
    ],
)
def test_a_card_is_called_as_it_calls_itself(card: dict[str, str], brand: str):
    offer = _offer({"id": "pm_1", "customer": {"id": "cus_1"}, "card": {"last4": "4242", **card}})
    assert (offer.brand, offer.last4, offer.reference, offer.customer) == (brand, "4242", "pm_1", "cus_1")
    assert (offer.country, offer.fingerprint, offer.entered_at) == (None, None, None)


def test_when_a_card_was_entered_is_known():
    offer = _offer({"id": "pm_1", "customer": "cus_1", "card": {"last4": "4242"}, "created": 1_795_000_000})
    assert offer.entered_at == datetime.fromtimestamp(1_795_000_000, UTC)


def test_what_is_nobodys_or_no_card_is_no_offer():
    assert _offer({"id": "pm_1", "customer": None, "card": {"last4": "1"}}) is None
    assert _offer({"id": "pm_1", "customer": "cus_1", "card": None}) is None


@pytest.mark.parametrize(
    "code",
    [
        "lost_card",
        "stolen_card",
        "pickup_card",
        "restricted_card",
        "do_not_try_again",
        "revocation_of_authorization",
        "revocation_of_all_authorizations",
        "stop_payment_order",
        "transaction_not_allowed",
        "incorrect_number",
        "invalid_account",
        "fraudulent",
        "merchant_blacklist",
        "highest_risk_level",
    ],
)
def test_a_hard_no_is_final(code: str):
    answer = declines.refusal({"code": "card_declined", "decline_code": code, "charge": "ch_1"})
    assert (answer.final, answer.authenticate, answer.reference) == (True, False, "ch_1")


@pytest.mark.parametrize("code", ["insufficient_funds", "do_not_honor", "expired_card", "processing_error", "new_code"])
def test_a_soft_no_may_be_tried_again_unless_the_bank_says_never(code: str):
    assert declines.refusal({"code": code}) == Refused(declines.refusal({"code": code}).reason)
    assert declines.refusal({"code": code, "advice_code": "try_again_later"}).final is False
    assert declines.refusal({"code": code, "advice_code": "do_not_try_again"}).final is True


def test_a_bank_that_asks_for_its_customer_never_again_is_final():
    answer = declines.refusal({"code": "authentication_required", "advice_code": "do_not_try_again"})
    assert (answer.final, answer.authenticate) == (True, False)


@pytest.mark.parametrize("code", ["lost_card", "stolen_card", "pickup_card", "fraudulent", "merchant_blacklist"])
def test_nothing_is_told_of_a_card_that_is_looked_for(code: str):
    assert declines.refusal({"code": "card_declined", "decline_code": code}).reason == "the card was declined"
