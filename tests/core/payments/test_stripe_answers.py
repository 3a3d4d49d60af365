"""What each of Stripe's answers means, also those that are rare, half there, or new."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from core.payments.gateway import Done, TooLate, TransferRequest, Unknown
from core.payments.states import Redirect
from core.payments.stripe import verdicts
from core.payments.stripe.client import PAGE, Stripe, Trouble, redacted
from core.payments.stripe.desk import name_of, noted
from core.payments.stripe.pace import Pace
from tests.core.payments.canned import Answers, canned, error

AT = datetime(2026, 11, 10, 12, tzinfo=UTC)
FAST = Pace(10_000)
SENDING = TransferRequest(
    payout_id=1, attempt=1, creator_id=1, amount_minor=5, currency="EUR", destination="acct_1", asked_before=False
)


def told(answers: Answers, ask: Any) -> Any:
    with canned(answers) as address:
        return ask(Stripe("sk_test_1", api=address, pace=FAST))


def trouble_of(status: int, body: Any) -> Trouble:
    with pytest.raises(Trouble) as caught:
        told({"GET /v1/balance": (status, body)}, lambda stripe: stripe.ask(lambda api: api.v1.balance.retrieve()))
    return caught.value


@pytest.mark.parametrize(
    ("status", "fields", "kind"),
    [
        (400, {}, "refused"),
        (400, {"code": "resource_missing", "param": "customer"}, "missing"),
        (400, {"code": "rate_limit"}, "busy"),
        (400, {"type": "idempotency_error"}, "mismatch"),
        (400, {"code": "lock_timeout"}, "busy"),
        (401, {}, "keys"),
        (402, {"type": "card_error", "code": "card_declined"}, "declined"),
        (403, {}, "keys"),
        (404, {}, "missing"),
        (404, {"code": "not_found"}, "missing"),
        (409, {}, "busy"),
        (409, {"type": "idempotency_error", "code": "idempotency_key_in_use"}, "busy"),
        (410, {}, "refused"),
        (429, {}, "busy"),
        (499, {}, "refused"),
        (500, {"type": "api_error"}, "broken"),
        (503, {"type": "api_error"}, "broken"),
    ],
)
def test_each_status_is_a_kind_of_trouble(status: int, fields: dict[str, str], kind: str):
    trouble = trouble_of(status, error(**fields))
    assert trouble.kind == kind
    assert trouble.code == fields.get("code", "")
    assert trouble.param == fields.get("param", "")
    assert trouble.message == "a message"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        *((status, body) for status in (200, 400, 402) for body in ([], "text", 7, None)),
        *((status, body) for status in (302, 400, 403, 500) for body in ({}, {"error": "like oauth"}, {"error": None})),
    ],
)
def test_an_answer_that_is_none_of_stripes_decides_nothing(status: int, body: Any):
    trouble = trouble_of(status, body)
    assert (trouble.kind, trouble.code, str(trouble)) == ("broken", "", "Stripe answered with a fault of its own (500)")


@pytest.mark.parametrize(
    "secret",
    ["sk_live_1aB", "rk_test_x", "ek_live_1", "whsec_abc", "pi_1_secret_2", "seti_9_secret_x", "cs_a_secret_b"],
)
def test_whatever_looks_like_a_secret_is_hidden(secret: str):
    assert redacted(f"a {secret}, b") == "a [secret], b"


def test_what_is_no_secret_is_not_hidden():
    assert redacted("pi_1 cus_2 sk_test secretary") == "pi_1 cus_2 sk_test secretary"


def test_a_list_is_read_to_its_end_and_asked_for_by_the_hundred():
    pages = [
        (200, {"object": "list", "data": [{"id": "tr_1"}, {"id": "tr_2"}], "has_more": True, "url": "/v1/transfers"}),
        (200, {"object": "list", "data": [{"id": "tr_3"}], "has_more": False, "url": "/v1/transfers"}),
    ]
    asked: list[Any] = []

    def question(api: Any, params: Any) -> Any:
        asked.append(params)
        return api.v1.transfers.list(params)

    found = told({"GET /v1/transfers": pages}, lambda stripe: list(stripe.pages(question, {"destination": "acct_1"})))
    assert [each["id"] for each in found] == ["tr_1", "tr_2", "tr_3"]
    first = {"limit": PAGE, "destination": "acct_1"}
    assert asked == [first, first | {"starting_after": "tr_2"}]
    assert PAGE == 100


def test_a_list_that_promises_more_and_gives_nothing_ends():
    empty = (200, {"object": "list", "data": [], "has_more": True, "url": "/v1/transfers"})
    ask = lambda stripe: list(stripe.pages(lambda api, params: api.v1.transfers.list(params), {}))  # noqa: E731
    assert told({"GET /v1/transfers": empty}, ask) == []


# Notes


@pytest.mark.parametrize(
    ("metadata", "number"),
    [
        ({"hub": "h", "payout": "12"}, 12),
        ({"payout": "12"}, None),
        ({"hub": "h"}, None),
        ({"hub": "h", "payout": "-1"}, None),
        ({"hub": "h", "payout": "x"}, None),
        ({}, None),
        (None, None),
    ],
)
def test_a_note_is_a_number_of_a_hub(metadata: Any, number: int | None):
    assert noted({"metadata": metadata}, "payout") == number


@pytest.mark.parametrize(
    ("value", "name"), [("ch_1", "ch_1"), ({"id": "ch_1"}, "ch_1"), ({}, None), ("", None), (7, None)]
)
def test_a_name_is_found_in_an_object_or_by_itself(value: Any, name: str | None):
    assert name_of(value) == name


# Intents

FAILED = {"code": "card_declined", "decline_code": "lost_card", "charge": "ch_2"}
WAY = {"type": "redirect_to_url", "redirect_to_url": {"url": "https://bank.example/1"}}


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("requires_payment_method", "open"),
        ("requires_confirmation", "open"),
        ("requires_action", "authenticating"),
        ("processing", "processing"),
        ("requires_capture", "processing"),
        ("something_new", "processing"),
        ("succeeded", "collected"),
        ("canceled", "cancelled"),
    ],
)
def test_each_status_of_an_intent_is_a_state(status: str, state: str):
    intent = {"id": "pi_1", "status": status, "amount": 900, "amount_received": 800, "latest_charge": "ch_1"}
    seen = verdicts.state(intent | {"last_payment_error": FAILED}, 7)
    assert (seen.reference, seen.statement_id, seen.state, seen.charge) == ("pi_1", 7, state, "ch_1")
    assert seen.amount_minor == (800 if state == "collected" else 900)
    assert (seen.failure is None) == (state == "collected")


def test_an_intent_that_was_not_kept_is_known_by_its_note():
    intent = {"id": "pi_1", "status": "processing", "metadata": {"hub": "h", "statement": "5"}}
    assert verdicts.state(intent, None).statement_id == 5
    assert verdicts.state(intent, 6).statement_id == 6


@pytest.mark.parametrize(
    ("status", "ended"),
    [
        ("succeeded", TooLate("ch_1")),
        ("canceled", Done("pi_1")),
        ("processing", Unknown("the bank has not answered yet")),
        ("requires_payment_method", None),
        ("requires_action", None),
    ],
)
def test_what_giving_up_comes_to(status: str, ended: object):
    assert verdicts.ended({"id": "pi_1", "status": status, "latest_charge": "ch_1"}) == ended


def test_money_without_a_charge_is_known_by_its_intent():
    assert verdicts.ended({"id": "pi_1", "status": "succeeded"}) == TooLate("pi_1")


@pytest.mark.parametrize(
    ("status", "action", "way"),
    [
        ("requires_action", WAY, Redirect("https://bank.example/1")),
        ("requires_action", {"type": "use_stripe_sdk"}, None),
        ("requires_action", None, None),
        ("succeeded", WAY, None),
    ],
)
def test_the_way_to_the_bank(status: str, action: Any, way: Redirect | None):
    assert verdicts.way({"status": status, "next_action": action}) == way


def test_the_failed_try_is_named_by_the_intent_where_the_error_does_not():
    intent = {"last_payment_error": {"charge": "ch_9"}}
    assert verdicts.declined(Trouble("declined", "", {"payment_intent": intent})).reference == "ch_9"
    assert verdicts.declined(Trouble("declined", "", {"payment_intent": intent, "charge": "ch_3"})).reference == "ch_3"
    assert verdicts.declined(Trouble("declined", "", {"payment_intent": {}})).reference is None
    assert verdicts.declined(Trouble("declined", "")).reference is None
