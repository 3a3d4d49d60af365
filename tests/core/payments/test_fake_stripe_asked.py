"""What the fake Stripe is asked: well formed or refused, once or again under a key, in good weather or bad."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import stripe as library

from tests.platforms.stripe import cards, spec, trouble
from tests.platforms.stripe.asking import RECIPIENT, Hub

needs_spec = pytest.mark.skipif(spec.load() is None, reason=spec.MISSING)
INTENT = {"amount": 500, "currency": "eur"}


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub.begins() as hub:
        yield hub


def ask(hub: Hub, path: str, params: dict[str, Any], key: str = "own") -> Any:
    """Post anything, as the library encodes it; raises the library's errors."""
    answer = hub.client.raw_request("post", path, **params, idempotency_key=key)
    return json.loads(answer.body)


@needs_spec
@pytest.mark.parametrize(
    ("path", "params", "said"),
    [
        ("/v1/payment_intents", {"amount": 500}, "Missing required param: currency"),
        ("/v1/payment_intents", INTENT | {"amount": "much"}, "Invalid integer: much"),
        ("/v1/payment_intents", INTENT | {"payment_method_types": ["card"]}, "unknown parameter"),
        ("/v1/payment_intents", INTENT | {"metadata": "5"}, "Invalid object"),
        ("/v1/payment_intents", INTENT | {"confirm": "maybe"}, "Invalid boolean"),
        ("/v1/payment_intents", INTENT | {"description": ""}, "empty string"),
        ("/v1/payment_intents", INTENT | {"automatic_payment_methods": {"enable": True}}, r"\[enable\]"),
        ("/v1/payment_intents", INTENT | {"off_session": True}, "confirm=true"),
        ("/v1/payment_intents", INTENT | {"statement_descriptor_suffix": "2026-11"}, "at least one letter"),
        ("/v1/payment_intents", INTENT | {"currency": "xyz"}, "Invalid currency"),
        ("/v1/checkout/sessions", {"mode": "setup", "success_url": "https://hub"}, "currency"),
        ("/v1/transfers", INTENT, "destination"),
        ("/v1/refunds", {"payment_intent": "pi_1", "reason": {"why": "x"}}, "Invalid string"),
        ("/v1/refunds", {"payment_intent": "pi_1", "reasons": "x"}, "unknown parameter: reasons"),
        ("/v1/transfer", {"amount": 500}, "Unrecognized request URL"),
        ("/v2/core/accounts", {"dashboard": "expresso"}, "must be one of"),
        ("/v2/core/accounts", {"configuration": {"recipient": {"capabilities": {"cards": True}}}}, "Invalid object"),
        ("/v2/core/accounts", RECIPIENT | {"defaults": {}}, "responsibilities"),
        ("/v2/core/account_links", {"account": "acct_1", "configurations": []}, "unknown parameter: configurations"),
    ],
)
def test_a_wrong_request_is_refused_and_remembered(hub: Hub, path: str, params: dict[str, Any], said: str) -> None:
    with pytest.raises(library.InvalidRequestError, match=said):
        ask(hub, path, params)
    assert len(hub.stripe.wrong) == 1
    with pytest.raises(AssertionError, match="refused"):
        hub.stripe.assert_honest()
    hub.stripe.forgive()


def test_right_requests_are_accepted(hub: Hub) -> None:
    customer = ask(hub, "/v1/customers", {"name": "A", "metadata": {"person": "1"}}, "1")["id"]
    session = hub.session(customer)
    hub.stripe.person_enters_card(session.id)
    method = hub.client.v1.customers.payment_methods.list(customer, {"limit": 1}).data[0].id
    told = INTENT | {"customer": customer, "payment_method": method, "metadata": {"statement": "1"}}
    told |= {"statement_descriptor_suffix": "NOV 2026", "transfer_group": "2026-11", "description": "November"}
    told |= {"automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}, "expand": ["customer"]}
    intent = ask(hub, "/v1/payment_intents", told, "2")["id"]
    ask(hub, f"/v1/payment_intents/{intent}", {"metadata": {"more": "x"}, "description": "Nov"}, "3")
    ask(hub, f"/v1/payment_intents/{intent}/confirm", {"off_session": True, "expand": ["latest_charge"]}, "4")
    ask(hub, "/v1/refunds", {"payment_intent": intent, "amount": 100, "reason": "fraudulent"}, "5")
    hub.clock.passes(days=2)
    account = ask(hub, "/v2/core/accounts", RECIPIENT | {"include": ["configuration.recipient"]}, "6")["id"]
    hub.stripe.person_onboards(hub.link(account))
    sent = INTENT | {"amount": 100, "destination": account, "metadata": {"payout": "1"}}
    transfer = ask(hub, "/v1/transfers", sent, "7")["id"]
    ask(hub, f"/v1/transfers/{transfer}/reversals", {"amount": 50, "metadata": {"why": "x"}}, "8")
    dispute = hub.stripe.dispute(intent, 100)
    ask(hub, f"/v1/disputes/{dispute}", {"evidence": {"product_description": "x"}, "submit": True}, "9")
    hub.client.v1.balance_transactions.list({"created": {"gte": 0, "lt": 9}, "type": "charge", "limit": 100})
    hub.client.v1.transfers.list({"transfer_group": "2026-11", "destination": account})
    hub.client.v1.refunds.list({"payment_intent": intent})
    hub.client.v1.events.list({"types": ["charge.succeeded", "refund.created"]})
    hub.client.v2.core.accounts.list({"limit": 5})
    ask(hub, f"/v1/payment_methods/{method}/detach", {}, "10")
    ask(hub, f"/v2/core/accounts/{hub.account()}/close", {}, "11")
    hub.stripe.assert_honest()


def test_a_wrong_key_is_refused(hub: Hub) -> None:
    stranger = library.StripeClient("sk_test_other", base_addresses=hub.stripe.base_addresses)
    with pytest.raises(library.AuthenticationError):
        stranger.v1.balance.retrieve()


# Keys


def test_the_same_key_gives_the_first_answer_again(hub: Hub) -> None:
    customer, method = hub.stripe.gives_card(cards.answering("insufficient_funds", "pays"))
    intent = hub.intent(customer=customer, key="create")
    assert hub.intent(customer=customer, key="create") == intent
    assert hub.stripe.requests[-1].replayed
    for _ in range(3):
        with pytest.raises(library.CardError) as told:
            hub.confirm(intent, method, key="confirm-1")
    assert told.value.headers
    assert told.value.headers["Idempotent-Replayed"] == "true"
    assert hub.confirm(intent, method, key="confirm-2").status == "succeeded"
    hub.clock.passes(hours=23)
    with pytest.raises(library.CardError):
        hub.confirm(intent, method, key="confirm-1")
    hub.clock.passes(hours=1)
    with pytest.raises(library.InvalidRequestError, match="already succeeded"):
        hub.confirm(intent, method, key="confirm-1")


def test_a_key_is_for_one_request_only(hub: Hub) -> None:
    hub.intent(500, key="once")
    with pytest.raises(library.IdempotencyError, match="same parameters"):
        hub.intent(600, key="once")
    with pytest.raises(library.IdempotencyError, match="same endpoint"):
        hub.client.v1.customers.create({}, {"idempotency_key": "once"})
    with pytest.raises(AssertionError, match="same parameters"):
        hub.stripe.assert_honest()
    hub.stripe.forgive()


def test_a_key_that_is_in_use_says_so(hub: Hub) -> None:
    hub.stripe.trouble(trouble.HELD, "/v1/payment_intents")
    came: list[str] = []
    first = threading.Thread(target=lambda: came.append(hub.intent(key="busy")))
    first.start()
    assert hub.stripe.troubles.held.acquire(timeout=10)
    with pytest.raises(library.APIError) as told:
        hub.intent(key="busy")
    assert told.value.http_status == 409
    hub.stripe.release()
    first.join()
    assert [hub.intent(key="busy")] == came


def test_a_request_that_was_never_well_formed_is_not_stored(hub: Hub) -> None:
    with pytest.raises(library.InvalidRequestError):
        ask(hub, "/v1/payment_intents", {"amount": 500}, "again")
    hub.stripe.forgive()
    assert ask(hub, "/v1/payment_intents", INTENT, "again")["amount"] == 500


# Trouble


@pytest.mark.parametrize(
    ("what", "happened", "again"),
    [
        (trouble.LOSE_REQUEST, False, True),
        (trouble.LOSE_ANSWER, True, True),
        (trouble.FAIL_UNSTORED, False, True),
        (trouble.FAIL_BEFORE, False, False),
        (trouble.FAIL_AFTER, True, False),
        (trouble.TOO_MANY, False, True),
        (trouble.LOCKED, False, True),
        (trouble.CONFLICT, False, True),
        (trouble.CUT, True, True),
        (trouble.GARBLED, True, True),
    ],
)
def test_trouble_is_never_a_no(hub: Hub, what: str, happened: bool, again: bool) -> None:
    customer, method = hub.stripe.gives_card()
    intent = hub.intent(customer=customer)
    hub.stripe.trouble(what, "/confirm")
    with pytest.raises(library.StripeError) as told:
        hub.confirm(intent, method, key="confirm")
    assert not isinstance(told.value, library.CardError | library.InvalidRequestError)
    assert hub.stripe.charged(1) == (3500 if happened else 0)
    if again:
        assert hub.confirm(intent, method, key="confirm").status == "succeeded"
    else:
        with pytest.raises(library.APIError) as same:
            hub.confirm(intent, method, key="confirm")
        assert same.value.http_status == 500
    assert hub.stripe.charged(1) == (3500 if happened or again else 0)


@pytest.mark.parametrize("what", [trouble.FAIL_BEFORE, trouble.FAIL_AFTER, trouble.LOSE_ANSWER])
def test_v2_carries_a_failed_request_out_again_without_making_anything_twice(hub: Hub, what: str) -> None:
    hub.stripe.trouble(what, "/v2/core/accounts")
    with pytest.raises(library.StripeError):
        ask(hub, "/v2/core/accounts", RECIPIENT)
    ask(hub, "/v2/core/accounts", RECIPIENT)
    assert len(hub.stripe.all("v2.core.account")) == 1


def test_the_library_asks_again_under_the_same_key(hub: Hub) -> None:
    patient = library.StripeClient(hub.stripe.key, base_addresses=hub.stripe.base_addresses, max_network_retries=2)
    hub.stripe.trouble(trouble.LOSE_ANSWER, "/v1/payment_intents")
    patient.v1.payment_intents.create({"amount": 500, "currency": "eur"}, {"idempotency_key": "own"})
    assert len(hub.stripe.all("payment_intent")) == 1


def test_who_waits_no_longer_does_not_know_that_it_happened(hub: Hub) -> None:
    http = library.RequestsClient(timeout=0.2)
    hasty = library.StripeClient(
        hub.stripe.key, base_addresses=hub.stripe.base_addresses, http_client=http, max_network_retries=0
    )
    hub.stripe.trouble(trouble.HANG, "/v1/payment_intents")
    with pytest.raises(library.APIConnectionError):
        hasty.v1.payment_intents.create({"amount": 500, "currency": "eur"}, {"idempotency_key": "own"})
    assert len(hub.stripe.all("payment_intent")) == 1


async def test_the_library_may_ask_from_an_event_loop(hub: Hub) -> None:
    http = library.AIOHTTPClient()
    client = library.StripeClient(hub.stripe.key, base_addresses=hub.stripe.base_addresses, http_client=http)
    try:
        assert (await client.v1.balance.retrieve_async()).object == "balance"
    finally:
        await http.close_async()


def test_weather_is_the_same_for_the_same_seed(hub: Hub) -> None:
    def suffered(seed: int) -> list[str]:
        with Hub.begins() as other:
            other.stripe.weather(seed, 0.5, trouble.PASSING)
            for each in range(20):
                try:
                    other.intent(key=f"k{each}")
                except library.StripeError:
                    continue
            return [what for what, _, _ in other.stripe.troubles.suffered]

    assert suffered(1) == suffered(1) != suffered(2)


# Honesty


def test_what_must_never_be_is_told(hub: Hub) -> None:
    hub.charge(statement=5)
    hub.charge(statement=5)
    hub.stripe.top_up(1000)
    account = hub.stripe.has_account()
    hub.transfer(account, 100, payout=6)
    hub.transfer(account, 100, payout=6)
    customer, method = hub.stripe.gives_card(cards.LOST)
    intent = hub.intent(customer=customer, statement=7)
    for _ in range(2):
        with pytest.raises(library.CardError):
            hub.confirm(intent, method)
    hub.client.v1.payment_intents.create({"amount": 500, "currency": "eur"})
    with pytest.raises(AssertionError) as told:
        hub.stripe.assert_honest()
    for word in ("statement 5 was charged 2 times", "payout 6 was paid 2 times", "declined for good", "of its own"):
        assert word in str(told.value)
    hub.stripe.forgive()
