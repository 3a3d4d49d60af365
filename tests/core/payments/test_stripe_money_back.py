"""Giving patrons their money back through Stripe, and hearing of what is taken from the hub."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from core.payments.gateway import Done, Refused, Unknown
from core.payments.hosted import Unanswered
from tests.core.payments.at_stripe import Hub
from tests.platforms.stripe import cards, trouble


def test_a_refund_goes_back_to_the_card_once(either_hub: Hub):
    hub = either_hub
    request, _ = hub.collected()
    refund = hub.back(request)
    done = hub.gateway.refund(refund, hub.at)
    assert isinstance(done, Done)
    hub.clock.later(hours=30)
    assert hub.gateway.refund(replace(refund, asked_before=True), hub.at) == done
    assert hub.stripe.refunded(request.statement_id) == 1000
    assert hub.keys("refunds") == [f"re-{request.statement_id}-1"]
    shown = hub.stripe.object(done.reference)
    assert (shown["reason"], shown["metadata"]["number"]) == ("requested_by_customer", "1")


def test_the_second_refund_is_another_one(hub: Hub):
    request, _ = hub.collected()
    first = hub.gateway.refund(hub.back(request), hub.at)
    second = hub.gateway.refund(hub.back(request, 500, number=2, asked_before=True), hub.at)
    assert second != first
    assert hub.stripe.refunded(request.statement_id) == 1500


def test_a_refund_for_fraud_says_so(hub: Hub):
    request, _ = hub.collected()
    done = hub.gateway.refund(hub.back(request, reason="fraud"), hub.at)
    assert hub.stripe.object(done.reference)["reason"] == "fraudulent"


@pytest.mark.parametrize("what", trouble.ALL)
def test_whatever_happens_to_a_refund_it_is_made_once(hub: Hub, what: str):
    request, _ = hub.collected()
    hub.stripe.trouble(what, "/v1/refunds")
    assert isinstance(hub.gateway.refund(hub.back(request), hub.at), (Unknown, Done))
    hub.clock.later(hours=25)
    assert isinstance(hub.gateway.refund(hub.back(request, asked_before=True), hub.at), Done)
    assert hub.stripe.refunded(request.statement_id) == 1000


def test_nothing_is_given_back_of_what_was_never_collected(hub: Hub):
    answer = hub.gateway.refund(hub.back(hub.owed()), hub.at)
    assert answer == Refused("nothing was collected under this statement at Stripe", final=True)


def test_what_was_given_back_is_not_given_again(hub: Hub):
    request, _ = hub.collected()
    hub.stripe.refund_by_operator(hub.intent(request))
    answer = hub.gateway.refund(hub.back(request), hub.at)
    assert answer == Refused("all of it was given back already", final=True)


def test_what_the_bank_is_taking_is_not_given_back_as_well(hub: Hub):
    request, charge = hub.collected()
    hub.stripe.dispute(charge)
    answer = hub.gateway.refund(hub.back(request), hub.at)
    assert answer == Refused("the patron's bank is asking for it back already", final=True)


def test_more_than_is_left_is_a_no(hub: Hub):
    request, _ = hub.collected()
    answer = hub.gateway.refund(hub.back(request, 9000), hub.at)
    assert isinstance(answer, Refused)
    assert "greater than unrefunded amount" in answer.reason


def test_a_refund_that_fails_later_is_seen(hub: Hub):
    request, _ = hub.collected()
    reference = hub.gateway.refund(hub.back(request), hub.at).reference
    state = hub.gateway.look_at_refund(reference)
    assert (state.intent, state.amount_minor, state.state, state.reason) == (
        hub.intent(request),
        1000,
        "succeeded",
        None,
    )
    hub.stripe.refund_fails(reference)
    failed = hub.gateway.look_at_refund(reference)
    assert failed.state == "failed"
    assert failed.reason
    assert hub.gateway.look_at_refund("re_none") is None


# Disputes and warnings


def test_a_dispute_says_what_it_has_taken_without_its_fee(hub: Hub):
    request, charge = hub.collected()
    reference = hub.stripe.dispute(charge)
    state = hub.gateway.look_at_dispute(reference)
    assert (state.intent, state.amount_minor, state.taken_minor) == (hub.intent(request), 3500, 3500)
    assert (state.reason, state.closed) == ("fraudulent", False)
    assert state.answer_by == datetime.fromtimestamp(hub.stripe.now(), UTC) + timedelta(days=9)
    hub.stripe.dispute_won(reference)
    won = hub.gateway.look_at_dispute(reference)
    assert (won.status, won.taken_minor, won.closed) == ("won", 0, True)
    assert hub.gateway.look_at_dispute("dp_none") is None


def test_a_lost_dispute_keeps_what_it_took(hub: Hub):
    _, charge = hub.collected()
    reference = hub.stripe.dispute(charge, 1200)
    hub.stripe.dispute_lost(reference)
    state = hub.gateway.look_at_dispute(reference)
    assert (state.amount_minor, state.taken_minor, state.closed) == (1200, 1200, True)


def test_a_fraud_warning_is_worth_a_refund_until_there_was_one(hub: Hub):
    request = hub.owed(cards.PAYS)
    charge = hub.gateway.charge(request, hub.at).reference
    reference = hub.stripe.warning(charge)
    state = hub.gateway.look_at_warning(reference)
    assert (state.intent, state.actionable) == (hub.intent(request), True)
    hub.gateway.refund(hub.back(request, 3500, reason="fraud"), hub.at)
    assert not hub.gateway.look_at_warning(reference).actionable
    assert hub.gateway.look_at_warning("issfr_none") is None


@pytest.mark.parametrize(
    "look",
    [
        lambda gateway: gateway.look_at_intent("pi_1"),
        lambda gateway: gateway.look_at_setup("cs_1"),
        lambda gateway: gateway.look_at_setup("seti_1"),
        lambda gateway: gateway.look_at_card("pm_1"),
        lambda gateway: gateway.look_at_account("acct_1"),
        lambda gateway: gateway.look_at_refund("re_1"),
        lambda gateway: gateway.look_at_dispute("dp_1"),
        lambda gateway: gateway.look_at_warning("issfr_1"),
        lambda gateway: gateway.look_at_transfer("tr_1"),
        lambda gateway: gateway.look_at_bank_payout("acct_1", "po_1"),
        lambda gateway: gateway.forget_card("pm_1"),
        lambda gateway: list(gateway.movements(None)),
        lambda gateway: gateway.check(),
    ],
)
def test_a_question_without_an_answer_is_asked_again(hub: Hub, look):
    hub.stripe.trouble(trouble.FAIL_UNSTORED, method="", times=9)
    with pytest.raises(Unanswered, match="a fault of its own"):
        look(hub.gateway)
    with pytest.raises(Unanswered, match="does not accept the secret key"):
        look(hub.new_gateway(key="sk_test_wrong"))
