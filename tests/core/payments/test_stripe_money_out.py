"""Sending creators money through Stripe: never twice, and never more than there is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.payments.gateway import Done, Refused, Unknown
from tests.core.payments.at_stripe import HUB, Hub
from tests.platforms.stripe import trouble

HAPPENED = (trouble.LOSE_ANSWER, trouble.FAIL_AFTER, trouble.CUT, trouble.GARBLED)


def test_a_payout_is_one_transfer_that_says_what_it_is_for(either_hub: Hub):
    hub = either_hub
    hub.stripe.top_up(5000)
    account = hub.stripe.has_account()
    request = hub.payout(account)
    done = hub.gateway.transfer(request, hub.at)
    (sent,) = hub.stripe.transfers_of(request.payout_id)
    assert done == Done(sent["id"])
    assert (sent["amount"], sent["destination"], sent["transfer_group"]) == (500, account, "payout-1")
    assert sent["metadata"] == {"hub": HUB, "payout": "1", "attempt": "1"}
    assert hub.keys("transfers") == ["tr-1-1"]


def test_without_an_account_nothing_is_sent(hub: Hub):
    assert hub.gateway.transfer(hub.payout(None), hub.at) == Refused("the creator has no account at Stripe yet")
    assert hub.stripe.requests == []


@pytest.mark.parametrize("what", trouble.ALL)
def test_whatever_happens_to_a_transfer_it_arrives_once(hub: Hub, what: str):
    hub.stripe.top_up(5000)
    request = hub.payout(hub.stripe.has_account())
    hub.stripe.trouble(what, "/v1/transfers")
    first = hub.gateway.transfer(request, hub.at)
    assert isinstance(first, (Unknown, Done))
    hub.clock.later(hours=25)  # also when its key is long forgotten
    second = hub.gateway.transfer(replace(request, asked_before=True), hub.at)
    assert isinstance(second, Done)
    assert hub.stripe.paid(request.payout_id) == 500


@pytest.mark.parametrize("what", HAPPENED)
def test_a_transfer_that_arrived_is_found_at_once(hub: Hub, what: str):
    hub.stripe.top_up(5000)
    request = hub.payout(hub.stripe.has_account())
    hub.stripe.trouble(what, "/v1/transfers")
    hub.gateway.transfer(request, hub.at)
    assert isinstance(hub.gateway.transfer(replace(request, asked_before=True), hub.at), Done)


def test_a_new_attempt_is_not_taken_for_the_old_one(hub: Hub):
    hub.stripe.top_up(5000)
    account = hub.stripe.has_account()
    request = hub.payout(account)
    first = hub.gateway.transfer(request, hub.at)
    hub.stripe.transfer_reversed(first.reference)
    again = hub.gateway.transfer(replace(request, attempt=2, asked_before=True), hub.at)
    assert isinstance(again, Done)
    assert again != first


def test_a_transfer_is_found_behind_a_hundred_others_of_its_group(hub: Hub):
    hub.stripe.top_up(50_000)
    account = hub.stripe.has_account()
    request = hub.payout(account, 300)
    done = hub.gateway.transfer(request, hub.at)
    for number in range(120):
        wanted = {"amount": 1, "currency": "eur", "destination": account, "transfer_group": "payout-1"}
        hub.gateway._desk.stripe.ask(
            lambda api, wanted=wanted, number=number: api.v1.transfers.create(
                wanted, {"idempotency_key": f"other-{number}"}
            )
        )
    assert hub.gateway.transfer(replace(request, asked_before=True), hub.at) == done


def test_what_is_not_available_yet_is_asked_for_again_as_a_new_attempt(hub: Hub):
    request = hub.payout(hub.stripe.has_account())
    answer = hub.gateway.transfer(request, hub.at)
    assert answer == Refused("there is not enough available at Stripe yet", passes=True)
    hub.stripe.top_up(5000)
    assert isinstance(hub.gateway.transfer(replace(request, attempt=2), hub.at), Done)


@pytest.mark.parametrize("happens", ["restrict", "close", ""])
def test_an_account_that_cannot_receive_is_a_final_no(hub: Hub, happens: str):
    hub.stripe.top_up(5000)
    account = hub.stripe.has_account() if happens else "acct_none"
    if happens:
        getattr(hub.stripe, happens)(account)
    answer = hub.gateway.transfer(hub.payout(account), hub.at)
    assert answer == Refused("the creator's account at Stripe cannot receive money at present", final=True)


def test_any_other_refusal_is_a_no_with_stripes_words(hub: Hub):
    answer = hub.gateway.transfer(hub.payout(hub.stripe.has_account(), 0), hub.at)
    assert isinstance(answer, Refused)
    assert not answer.final
    assert "Invalid positive integer" in answer.reason
    hub.stripe.forgive()


def test_a_transfer_says_what_was_taken_back_of_it(hub: Hub):
    hub.stripe.top_up(5000)
    request = hub.payout(hub.stripe.has_account())
    sent = hub.gateway.transfer(request, hub.at).reference
    back = [hub.stripe.transfer_reversed(sent, 10) for _ in range(12)]
    state = hub.gateway.look_at_transfer(sent)
    assert (state.payout_id, state.attempt, state.amount_minor) == (request.payout_id, 1, 500)
    assert sorted(state.reversals) == sorted((each, 10) for each in back)
    assert hub.gateway.look_at_transfer("tr_none") is None


# Taking back


def sent(hub: Hub) -> tuple[str, str]:
    hub.stripe.top_up(5000)
    account = hub.stripe.has_account()
    return hub.gateway.transfer(hub.payout(account), hub.at).reference, account


def test_a_reversal_takes_back_what_is_there(hub: Hub):
    transfer, account = sent(hub)
    done = hub.gateway.reverse(transfer, 200, key="rev-1")
    assert isinstance(done, Done)
    assert hub.gateway.reverse(transfer, 200, key="rev-1") == done
    hub.clock.later(hours=30)
    assert hub.gateway.reverse(transfer, 200, key="rev-1") == done
    assert hub.stripe.connected_balance(account) == 300


def test_a_reversal_may_take_the_last_that_is_there(hub: Hub):
    transfer, account = sent(hub)
    hub.stripe.bank_payout(account, 300)
    assert isinstance(hub.gateway.reverse(transfer, 200, key="rev-1"), Done)
    assert hub.stripe.connected_balance(account) == 0


def test_nobody_gets_into_debt_by_a_reversal(hub: Hub):
    transfer, account = sent(hub)
    hub.stripe.bank_payout(account, 400)
    answer = hub.gateway.reverse(transfer, 200, key="rev-1")
    assert answer == Refused("the creator's balance covers only 100 of 200", passes=True)
    assert not any("reversals" in each.path for each in hub.stripe.requests if each.method == "POST")


@pytest.mark.parametrize("what", trouble.ALL)
def test_whatever_happens_to_a_reversal_it_is_made_once(hub: Hub, what: str):
    transfer, account = sent(hub)
    hub.stripe.trouble(what, "/reversals")
    assert isinstance(hub.gateway.reverse(transfer, 200, key="rev-1"), (Unknown, Done))
    hub.clock.later(hours=25)
    assert isinstance(hub.gateway.reverse(transfer, 200, key="rev-1"), Done)
    assert hub.stripe.connected_balance(account) == 300


def test_more_than_was_sent_is_not_taken_back(hub: Hub):
    transfer, account = sent(hub)
    hub.gateway.transfer(hub.payout(account, 1000), hub.at)
    assert isinstance(hub.gateway.reverse(transfer, 900, key="rev-1"), Refused)
    assert isinstance(hub.gateway.reverse("tr_none", 900, key="rev-2"), Refused)


# What can be sent


def test_only_what_is_available_can_be_sent(hub: Hub):
    assert hub.gateway.available_minor("EUR") == 0
    hub.gateway.charge(hub.owed(), hub.at)
    assert hub.gateway.available_minor("EUR") == 0
    hub.clock.later(days=3)
    assert hub.gateway.available_minor("EUR") == 3500 - hub.stripe.card_fee(3500)
    assert hub.gateway.available_minor("USD") == 0


def test_less_than_nothing_is_said_as_it_is(hub: Hub):
    _, charge = hub.collected()
    hub.stripe.pay_out(hub.stripe.available)
    hub.stripe.dispute(charge)
    assert hub.gateway.available_minor("EUR") == -3500 - hub.stripe.dispute_fee


def test_what_is_available_is_unknown_while_stripe_does_not_say(hub: Hub):
    hub.stripe.trouble(trouble.FAIL_UNSTORED, "/v1/balance", method="GET")
    assert hub.gateway.available_minor("EUR") is None
