"""The gateway against Stripe's own test mode, for whoever has a key: STRIPE_TEST_KEY=sk_test_... make test-stripe."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
import stripe

from core.database import Database
from core.payments.gateway import ChargeRequest, Done, RefundRequest, Refused
from core.payments.states import Redirect
from core.payments.stripe.gateway import StripeGateway

KEY = os.environ.get("STRIPE_TEST_KEY", "")
_NUMBERS = count(int(time.time()))
"""Ids of statements and persons that no earlier run used: they are part of the idempotency keys."""

pytestmark = pytest.mark.skipif(not KEY, reason="no STRIPE_TEST_KEY=sk_test_...: Stripe's own sandbox was not asked")


@pytest.fixture(scope="module", autouse=True)
def _only_a_test_key() -> None:
    if not KEY.startswith(("sk_test_", "rk_test_")):
        pytest.fail("STRIPE_TEST_KEY is not a test mode's key; these tests would move real money")


@pytest.fixture
def gateway(sqlite_db: Database) -> StripeGateway:
    return StripeGateway(sqlite_db, key=KEY, address="https://hub.example")


def card(kind: str) -> tuple[str, str]:
    """One of Stripe's test cards, stored with a customer of its own: both references."""
    client = stripe.StripeClient(KEY)
    customer = client.v1.customers.create({"description": "Flattr Hub, tests against the sandbox"})
    method = client.v1.payment_methods.attach(kind, {"customer": customer.id})
    return customer.id, method.id


def charge(gateway: StripeGateway, kind: str, amount_minor: int = 3500) -> tuple[ChargeRequest, object]:
    customer, method = card(kind)
    request = ChargeRequest(
        statement_id=next(_NUMBERS),
        attempt=1,
        patron_id=next(_NUMBERS),
        month=12 * 2026 + 11,
        amount_minor=amount_minor,
        currency="EUR",
        card_reference=method,
        customer=customer,
    )
    return request, gateway.charge(request, datetime.now(UTC))


def test_the_key_works(gateway: StripeGateway) -> None:
    gateway.check()
    assert gateway.pretend
    assert isinstance(gateway.available_minor("EUR"), int)


def test_a_charge_is_made_once_and_found_again_among_the_accounts_lines(gateway: StripeGateway) -> None:
    began = datetime.now(UTC) - timedelta(minutes=5)
    request, outcome = charge(gateway, "pm_card_visa")
    assert isinstance(outcome, Done), outcome
    assert gateway.charge(request, datetime.now(UTC)) == outcome
    [line] = [each for each in gateway.movements(began) if each.source == outcome.reference]
    assert (line.kind, line.amount_minor) == ("charge", 3500) or line.currency != "EUR"
    assert line.intent is not None
    state = gateway.look_at_intent(line.intent)
    assert state is not None
    assert (state.state, state.statement_id, state.amount_minor) == ("collected", request.statement_id, 3500)


def test_a_refund_is_made_once(gateway: StripeGateway) -> None:
    request, outcome = charge(gateway, "pm_card_visa")
    assert isinstance(outcome, Done), outcome
    wanted = RefundRequest(
        statement_id=request.statement_id, number=1, amount_minor=500, currency="EUR", reason="operator"
    )
    first = gateway.refund(wanted, datetime.now(UTC))
    assert isinstance(first, Done), first
    assert gateway.refund(wanted, datetime.now(UTC)) == first
    state = gateway.look_at_refund(first.reference)
    assert state is not None
    assert (state.amount_minor, state.state) == (500, "succeeded")


@pytest.mark.parametrize(
    ("kind", "authenticate"), [("pm_card_chargeCustomerFail", False), ("pm_card_authenticationRequired", True)]
)
def test_a_decline_is_a_definite_no(gateway: StripeGateway, kind: str, *, authenticate: bool) -> None:
    request, outcome = charge(gateway, kind)
    assert isinstance(outcome, Refused), outcome
    assert outcome.authenticate is authenticate
    gateway.give_up(request.statement_id, datetime.now(UTC))


def test_the_ways_to_stripes_pages_are_given(gateway: StripeGateway) -> None:
    at, back = datetime.now(UTC), "https://hub.example/card"
    entering = gateway.enter_card(next(_NUMBERS), done=f"{back}/done", cancelled=f"{back}/cancelled", at=at)
    assert isinstance(entering, Redirect)
    assert entering.address.startswith("https://checkout.stripe.com/")
    onboarding = gateway.onboard(next(_NUMBERS), done=f"{back}/done", again=f"{back}/again", at=at)
    assert onboarding.address.startswith("https://connect.stripe.com/")
