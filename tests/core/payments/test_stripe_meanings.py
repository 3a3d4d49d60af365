"""What Stripe's states and refusals mean to the hub, one by one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from core.database import Database
from core.payments import counterparts
from core.payments.gateway import RefundRequest, Refused, TransferRequest, Unknown
from core.payments.hosted import Unanswered
from core.payments.states import Redirect
from core.payments.stripe.accounts import _active, _needs
from core.payments.stripe.gateway import StripeGateway
from core.payments.stripe.pace import Pace
from tests.core.payments.canned import Answers, canned, error

AT = datetime(2026, 11, 10, 12, tzinfo=UTC)
FAST = Pace(10_000)
SENDING = TransferRequest(
    payout_id=1, attempt=1, creator_id=1, amount_minor=5, currency="EUR", destination="acct_1", asked_before=False
)


def test_only_what_the_creator_has_to_say_is_a_need_and_each_once():
    entries = [
        {"awaiting_action_from": "user", "description": "b"},
        {"awaiting_action_from": "stripe", "description": "hidden"},
        {"awaiting_action_from": "user", "description": "a"},
        {"awaiting_action_from": "user", "description": "b"},
        {"awaiting_action_from": "user", "description": None},
    ]
    assert _needs({"requirements": {"entries": entries}}) == ("b", "a")
    assert _needs({"requirements": None}) == _needs({}) == ()


def capability(status: str) -> dict[str, Any]:
    return {
        "configuration": {"recipient": {"capabilities": {"stripe_balance": {"stripe_transfers": {"status": status}}}}}
    }


@pytest.mark.parametrize("status", ["active", "pending", "restricted", "rejected", "unsupported"])
def test_only_an_active_capability_of_an_open_account_can_be_paid(status: str):
    assert _active(capability(status)) is (status == "active")
    assert _active(capability(status) | {"closed": True}) is False


@pytest.mark.parametrize("account", [{}, {"configuration": None}, {"configuration": {"recipient": None}}])
def test_an_account_that_says_nothing_cannot_be_paid(account: Any):
    assert _active(account) is False


@pytest.fixture
def ask(sqlite_db: Database):
    def with_gateway(answers: Answers, question: Any) -> Any:
        with canned(answers) as address:
            return question(StripeGateway(sqlite_db, key="sk_test_1", api=address, pace=FAST))

    return with_gateway


def test_an_account_that_left_the_hub_is_closed(ask, sqlite_db: Database):
    with sqlite_db.transaction() as tx:
        counterparts.keep(tx, "account", 5, "acct_1", AT)
    gone = {"GET /v2/core/accounts/acct_1": (403, error(code="account_invalid"))}
    state = ask(gone, lambda gateway: gateway.look_at_account("acct_1"))
    assert (state.person_id, state.active, state.closed) == (5, False, True)
    with pytest.raises(Unanswered):
        ask(
            {"GET /v2/core/accounts/acct_2": (403, error(code="account_invalid"))},
            lambda gateway: gateway.look_at_account("acct_2"),
        )


@pytest.mark.parametrize(("status", "code"), [(403, "account_invalid"), (404, "resource_missing")])
def test_whose_account_is_gone_gets_another_and_whose_is_not_seen_does_not(
    ask, sqlite_db: Database, status: int, code: str
):
    with sqlite_db.transaction() as tx:
        counterparts.keep(tx, "account", 5, "acct_1", AT)
    answers: Answers = {
        "GET /v2/core/accounts/acct_1": (status, error(code=code)),
        "POST /v2/core/accounts": (200, {"id": "acct_2", **capability("pending")}),
        "POST /v2/core/account_links": (200, {"url": "https://stripe.example/onboard"}),
    }
    away = answers | {"GET /v2/core/accounts/acct_1": (500, error())}
    with pytest.raises(Unanswered):
        ask(away, lambda gateway: gateway.onboard(5, done="https://h/d", again="https://h/a", at=AT))
    ask(answers, lambda gateway: gateway.onboard(5, done="https://h/d", again="https://h/a", at=AT))
    with sqlite_db.reading() as tx:
        assert counterparts.name(tx, "account", 5) == "acct_2"


def test_a_card_that_its_bank_has_not_confirmed_is_none_yet(ask):
    method = {"id": "pm_1", "customer": "cus_1", "card": {"brand": "visa", "last4": "4242"}}
    for status, there, last4 in (
        ("requires_action", method, None),
        ("succeeded", "pm_1", None),
        ("succeeded", method, "4242"),
    ):
        intent = {"id": "seti_1", "status": status, "payment_method": there}
        state = ask({"GET /v1/setup_intents/seti_1": (200, intent)}, lambda gateway: gateway.look_at_setup("seti_1"))
        assert (state.card and state.card.last4) == last4


def test_who_may_not_be_updated_is_onboarded_again(ask, sqlite_db: Database):
    with sqlite_db.transaction() as tx:
        counterparts.keep(tx, "account", 5, "acct_1", AT)
    answers: Answers = {
        "GET /v2/core/accounts/acct_1": (200, {"id": "acct_1", **capability("active")}),
        "POST /v2/core/account_links": [(400, error()), (200, {"url": "https://stripe.example/onboard"})],
    }
    way = ask(answers, lambda gateway: gateway.onboard(5, done="https://h/d", again="https://h/a", at=AT))
    assert way == Redirect("https://stripe.example/onboard")
    broken: Answers = answers | {"POST /v2/core/account_links": (500, error())}
    with pytest.raises(Unanswered):
        ask(broken, lambda gateway: gateway.onboard(5, done="https://h/d", again="https://h/a", at=AT))


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("paid", "paid"),
        ("failed", "failed"),
        ("canceled", "failed"),
        ("pending", "under way"),
        ("in_transit", "under way"),
    ],
)
@pytest.mark.parametrize(
    ("code", "reason"),
    [(None, None), ("no_account", "there is no such bank account"), ("x", "the bank did not take the payment")],
)
def test_a_bank_payout_is_where_it_is(ask, status: str, state: str, code: str | None, reason: str | None):
    payout = {"id": "po_1", "object": "payout", "amount": 400, "status": status, "failure_code": code}
    seen = ask({"GET /v1/payouts/po_1": (200, payout)}, lambda gateway: gateway.look_at_bank_payout("acct_1", "po_1"))
    assert (seen.reference, seen.account, seen.amount_minor, seen.state, seen.reason) == (
        "po_1",
        "acct_1",
        400,
        state,
        reason,
    )


# Money out


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({"code": "balance_insufficient"}, Refused("there is not enough available at Stripe yet", passes=True)),
        *(
            ({"code": code}, Refused("the creator's account at Stripe cannot receive money at present", final=True))
            for code in (
                "account_closed",
                "account_invalid",
                "account_number_invalid",
                "insufficient_capabilities_for_transfer",
                "payouts_not_allowed",
                "transfers_not_allowed",
                "resource_missing",
            )
        ),
        (
            {"param": "destination"},
            Refused("the creator's account at Stripe cannot receive money at present", final=True),
        ),
        ({"param": "amount"}, Refused("Stripe does not send it: a message")),
    ],
)
def test_each_refusal_to_send_has_its_meaning(ask, fields: dict[str, str], answer: Refused):
    refusal = {"POST /v1/transfers": (400, error(**fields))}
    assert ask(refusal, lambda gateway: gateway.transfer(SENDING, AT)) == answer


@pytest.mark.parametrize("status", [401, 403, 409, 429])
def test_what_is_no_refusal_leaves_a_transfer_open(ask, status: int):
    assert isinstance(
        ask({"POST /v1/transfers": (status, error())}, lambda gateway: gateway.transfer(SENDING, AT)), Unknown
    )


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({"code": "charge_already_refunded"}, Refused("all of it was given back already", final=True)),
        ({"code": "charge_disputed"}, Refused("the patron's bank is asking for it back already", final=True)),
        ({"code": "refund_disputed_payment"}, Refused("the patron's bank is asking for it back already", final=True)),
        ({"code": "charge_not_refundable"}, Refused("the charge cannot be given back", final=True)),
        ({"code": "balance_insufficient"}, Refused("there is not enough available at Stripe yet", passes=True)),
        ({"code": "insufficient_funds"}, Refused("there is not enough available at Stripe yet", passes=True)),
        ({"code": "resource_missing"}, Refused("Stripe does not give it back: a message", final=True)),
        ({"code": "amount_too_large"}, Refused("Stripe does not give it back: a message")),
    ],
)
def test_each_refusal_to_give_back_has_its_meaning(ask, sqlite_db: Database, fields: dict[str, str], answer: Refused):
    with sqlite_db.transaction() as tx:
        counterparts.keep(tx, "intent", 3, "pi_3", AT)
    request = RefundRequest(statement_id=3, number=1, amount_minor=5, currency="EUR", reason="operator")
    assert ask({"POST /v1/refunds": (400, error(**fields))}, lambda gateway: gateway.refund(request, AT)) == answer
    open_still = ask({"POST /v1/refunds": (429, error())}, lambda gateway: gateway.refund(request, AT))
    assert isinstance(open_still, Unknown)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("succeeded", "succeeded"),
        ("failed", "failed"),
        ("canceled", "failed"),
        ("pending", "pending"),
        ("requires_action", "pending"),
    ],
)
@pytest.mark.parametrize(
    ("why", "reason"),
    [
        (None, None),
        ("lost_or_stolen_card", "the card is closed"),
        ("expired_or_canceled_card", "the card is closed"),
        ("unknown", "the bank did not take it"),
    ],
)
def test_a_refund_is_where_it_is(ask, status: str, state: str, why: str | None, reason: str | None):
    refund = {
        "id": "re_1",
        "object": "refund",
        "amount": 7,
        "payment_intent": "pi_1",
        "status": status,
        "failure_reason": why,
    }
    seen = ask({"GET /v1/refunds/re_1": (200, refund)}, lambda gateway: gateway.look_at_refund("re_1"))
    assert (seen.reference, seen.intent, seen.amount_minor, seen.state, seen.reason) == (
        "re_1",
        "pi_1",
        7,
        state,
        reason,
    )


@pytest.mark.parametrize(
    ("status", "closed"),
    [
        ("lost", True),
        ("won", True),
        ("warning_closed", True),
        ("prevented", True),
        ("needs_response", False),
        ("under_review", False),
        ("warning_needs_response", False),
    ],
)
def test_a_dispute_is_closed_when_nothing_can_come_of_it(ask, status: str, closed: bool):
    moves = [{"id": "txn_1", "amount": -50}, {"id": "txn_2", "amount": 20}]
    dispute = {"id": "dp_1", "object": "dispute", "amount": 60, "status": status, "balance_transactions": moves}
    seen = ask({"GET /v1/disputes/dp_1": (200, dispute)}, lambda gateway: gateway.look_at_dispute("dp_1"))
    assert (seen.status, seen.closed, seen.amount_minor, seen.taken_minor, seen.intent) == (
        status,
        closed,
        60,
        30,
        None,
    )


def test_all_that_is_available_in_the_currency_is_counted(ask):
    parts = [{"amount": 5, "currency": "eur"}, {"amount": 9, "currency": "usd"}, {"amount": -2, "currency": "eur"}]
    balance = {"GET /v1/balance": (200, {"object": "balance", "available": parts, "pending": []})}
    assert ask(balance, lambda gateway: gateway.available_minor("EUR")) == 3
    assert ask(balance, lambda gateway: gateway.available_minor("usd")) == 9
    assert ask(balance, lambda gateway: gateway.available_minor("SEK")) == 0
