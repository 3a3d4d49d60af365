"""The Stripe gateway as a whole: what it promises, and how it reads Stripe's own account."""

from __future__ import annotations

import ast
import threading
from datetime import timedelta
from pathlib import Path

import pytest
import stripe as library

from core.money import currency
from core.payments.gateway import Done
from core.payments.hosted import HostedGateway
from core.payments.stripe import currencies
from core.payments.stripe.gateway import StripeGateway, is_pretend
from tests.core.payments.at_stripe import Hub

ROOT = Path(__file__).parents[3]


def test_it_is_what_the_hub_wants_of_a_processor(hub: Hub):
    gateway = hub.gateway
    assert isinstance(gateway, HostedGateway)
    assert (gateway.name, gateway.at_once, gateway.onboards, gateway.cards()) == ("stripe", 8, True, ())
    gateway.check()


def test_the_library_is_known_in_one_file_only():
    known = {
        path.name
        for path in (ROOT / "core").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Import) and any(each.name.split(".")[0] == "stripe" for each in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "stripe")
    }
    assert known == {"client.py"}


def test_the_library_reports_nothing_about_us():
    assert library.enable_telemetry is False


@pytest.mark.parametrize(
    ("key", "pretend"),
    [("sk_test_1", True), ("rk_test_1", True), ("sk_live_1", False), ("rk_live_1", False)],
)
def test_test_keys_move_pretend_money(key: str, pretend: bool):
    assert is_pretend(key) is pretend


@pytest.mark.parametrize("key", ["", "pk_live_1", "sk_test_", "whsec_1", "sk_1"])
def test_what_is_no_secret_key_is_turned_away_without_repeating_it(key: str):
    with pytest.raises(ValueError, match="not a secret key") as refused:
        is_pretend(key)
    assert not key or key not in str(refused.value).replace("sk_test_", "") or key == "sk_test_"


# Stripe's own account


def test_every_movement_is_read_with_what_it_is_about(hub: Hub):
    since = hub.at
    request, charge = hub.collected()
    refund = hub.gateway.refund(hub.back(request), hub.at).reference
    account = hub.stripe.has_account()
    payout = hub.payout(account, 300)
    transfer = hub.gateway.transfer(payout, hub.at).reference
    back = hub.stripe.transfer_reversed(transfer, 100)
    other, other_charge = hub.collected(1200)
    dispute = hub.stripe.dispute(other_charge)
    hub.stripe.stripe_fee(200, "Connect")
    hub.stripe.top_up(5000)
    seen = {each.source: each for each in hub.gateway.movements(since) if each.source}
    assert (seen[charge].amount_minor, seen[charge].fee_minor) == (3500, hub.stripe.card_fee(3500))
    assert {name: seen[name].intent for name in (charge, refund, dispute)} == {
        charge: hub.intent(request),
        refund: hub.intent(request),
        dispute: hub.intent(other),
    }
    assert (seen[refund].amount_minor, seen[transfer].amount_minor, seen[back].amount_minor) == (-1000, -300, 100)
    assert seen[transfer].payout_id == seen[back].payout_id == payout.payout_id
    assert (seen[dispute].amount_minor, seen[dispute].fee_minor) == (-1200, hub.stripe.dispute_fee)
    kinds = [each.kind for each in hub.gateway.movements(None)]
    assert {"charge", "refund", "transfer", "transfer_refund", "adjustment", "stripe_fee", "topup"} <= set(kinds)
    assert {each.currency for each in hub.gateway.movements(None)} == {"EUR"}


def test_movements_are_read_page_by_page_and_from_a_time_on(hub: Hub):
    for number in range(230):
        hub.stripe.top_up(100 + number)
    hub.clock.later(days=1)
    hub.stripe.top_up(7)
    whole = list(hub.gateway.movements(None))
    assert len(whole) == len({each.reference for each in whole}) == 231
    late = list(hub.gateway.movements(hub.at - timedelta(hours=1)))
    assert [(each.amount_minor, each.at) for each in late] == [(7, hub.at)]


def test_the_sum_of_the_movements_is_the_balance(hub: Hub):
    request, _ = hub.collected()
    hub.gateway.refund(hub.back(request), hub.at)
    assert sum(each.amount_minor - each.fee_minor for each in hub.gateway.movements(None)) == hub.stripe.balance


# Currencies


@pytest.mark.parametrize("code", sorted(currencies.SUPPORTED))
def test_a_supported_currency_has_stripes_decimals(code: str):
    money = currency(code)
    assert money.exponent == (0 if code in currencies.ZERO_DECIMAL else 2)
    assert currencies.why_not(money) is None


@pytest.mark.parametrize("code", ["ISK", "UGX", "HUF", "TWD", "KWD", "BHD", "INR"])
def test_another_currency_is_turned_away_with_the_remedy(code: str):
    assert "choose one of AED, AUD" in (currencies.why_not(currency(code)) or "")


def test_yen_are_charged_whole(sqlite_db, at):
    from dataclasses import replace

    from tests.core.payments.at_stripe import hub_at_stripe

    with hub_at_stripe(sqlite_db, at, currency="jpy") as hub:
        request = replace(hub.owed(amount=500), currency="JPY")
        assert isinstance(hub.new_gateway(currency="JPY").charge(request, hub.at), Done)
        assert hub.stripe.charged(request.statement_id) == 500


def test_it_is_asked_side_by_side(hub: Hub):
    requests = [hub.owed() for _ in range(16)]
    answers: dict[int, object] = {}

    def pay(part: int) -> None:
        for request in requests[part::8]:
            answers[request.statement_id] = hub.gateway.charge(request, hub.at)

    threads = [threading.Thread(target=pay, args=(part,)) for part in range(StripeGateway.at_once)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(answers) == 16
    assert all(isinstance(answer, Done) for answer in answers.values())
    assert all(hub.stripe.charged(request.statement_id) == 3500 for request in requests)
