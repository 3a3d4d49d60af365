"""The fake Stripe is as strict as the real one: driven by the real client, so that what passes it may be believed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import stripe as library

from tests.platforms.stripe import cards
from tests.platforms.stripe.asking import Hub


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub.begins() as hub:
        yield hub


def kinds(hub: Hub) -> list[str]:
    return [each.kind for each in hub.stripe.take_events()]


def test_a_card_is_entered_and_charged_a_month_later(hub: Hub) -> None:
    customer = hub.client.v1.customers.create({"metadata": {"person": "1"}}, hub.key())
    session = hub.session(customer.id)
    assert hub.stripe.person_cancels(session.url) == "https://hub/back"
    with pytest.raises(cards.CardRefused):
        hub.stripe.person_enters_card(session.url, cards.FAILS_AT_SETUP)
    assert hub.stripe.person_enters_card(session.url, cards.ASKS_AT_SETUP) == f"https://hub/ok?s={session.id}"
    done: Any = hub.client.v1.checkout.sessions.retrieve(session.id, {"expand": ["setup_intent.payment_method"]})
    method = done.setup_intent.payment_method
    assert (method.card.brand, method.card.last4, method.customer) == ("visa", "3155", customer.id)
    intent = hub.confirm(hub.intent(customer=customer.id), method.id)
    assert intent.status == "succeeded"
    assert (hub.stripe.charged(1), hub.stripe.balance, hub.stripe.available) == (3500, 3500 - 132, 0)
    told = kinds(hub)
    assert {"setup_intent.setup_failed", "checkout.session.completed", "payment_intent.succeeded"} <= set(told)


@pytest.mark.parametrize(
    ("card", "code", "decline", "advice"),
    [
        (cards.INSUFFICIENT, "card_declined", "insufficient_funds", "try_again_later"),
        (cards.GENERIC, "card_declined", "generic_decline", "try_again_later"),
        (cards.LOST, "card_declined", "lost_card", "do_not_try_again"),
        (cards.STOLEN, "card_declined", "stolen_card", "do_not_try_again"),
        (cards.PICKUP, "card_declined", "pickup_card", None),
        (cards.EXPIRED, "expired_card", None, "confirm_card_data"),
        (cards.NEVER_AGAIN, "card_declined", "do_not_try_again", "do_not_try_again"),
        (cards.AUTHENTICATES, "authentication_required", "authentication_required", None),
    ],
    ids=lambda each: each.name if isinstance(each, cards.Card) else "",
)
def test_a_decline_says_why_and_gives_the_intent_back(
    hub: Hub, card: cards.Card, code: str, decline: str | None, advice: str | None
) -> None:
    with pytest.raises(library.CardError) as told:
        hub.charge(card)
    error: Any = told.value.error
    assert (told.value.code, error.decline_code, error.to_dict().get("advice_code")) == (code, decline, advice)
    intent = hub.stripe.intent_of(1)
    assert intent is not None
    assert (intent["status"], intent["payment_method"]) == ("requires_payment_method", None)
    assert intent["last_payment_error"]["charge"] == intent["latest_charge"] == error.charge
    assert (hub.stripe.charged(1), hub.stripe.balance) == (0, 0)
    assert kinds(hub)[-2:] == ["charge.failed", "payment_intent.payment_failed"]


def test_an_intent_succeeds_once(hub: Hub) -> None:
    customer, method = hub.stripe.gives_card(cards.answering("insufficient_funds", "pays"))
    intent = hub.intent(customer=customer)
    with pytest.raises(library.CardError):
        hub.confirm(intent, method)
    assert hub.confirm(intent, method).status == "succeeded"
    for again in (lambda: hub.confirm(intent, method), lambda: hub.client.v1.payment_intents.cancel(intent)):
        with pytest.raises(library.InvalidRequestError) as told:
            again()
        assert told.value.code == "payment_intent_unexpected_state"
        error: Any = told.value.error
        assert error.payment_intent.status == "succeeded"
    assert hub.stripe.charged(1) == 3500


def test_a_cancelled_intent_is_never_paid(hub: Hub) -> None:
    customer, method = hub.stripe.gives_card()
    intent = hub.intent(customer=customer)
    assert hub.client.v1.payment_intents.cancel(intent).status == "canceled"
    with pytest.raises(library.InvalidRequestError, match="status of canceled"):
        hub.confirm(intent, method)


@pytest.mark.parametrize("passes", [True, False])
def test_the_cardholder_confirms_at_the_bank(hub: Hub, passes: bool) -> None:
    customer, method = hub.stripe.gives_card(cards.AUTHENTICATES)
    intent = hub.intent(customer=customer)
    asked = hub.confirm(intent, method, off_session=False, return_url="https://hub/pay?x=1")
    assert asked.status == "requires_action"
    back = hub.stripe.person_authenticates(asked.next_action.redirect_to_url.url, passes=passes)
    assert back.startswith(f"https://hub/pay?x=1&payment_intent={intent}&")
    after = hub.client.v1.payment_intents.retrieve(intent)
    assert after.status == ("succeeded" if passes else "requires_payment_method")
    assert (after.last_payment_error is None) == passes


def test_what_is_processing_is_settled_later(hub: Hub) -> None:
    paid, failed = hub.charge(cards.PROCESSES, statement=1), hub.charge(cards.PROCESSES, statement=2)
    assert (paid.status, hub.stripe.charged(1)) == ("processing", 0)
    hub.stripe.settles(paid.id)
    hub.stripe.settles(failed.id, ok=False)
    assert (hub.stripe.charged(1), hub.stripe.charged(2)) == (3500, 0)


def test_the_money_of_a_charge_is_available_days_later(hub: Hub) -> None:
    account = hub.stripe.has_account(7)
    hub.charge()
    with pytest.raises(library.InvalidRequestError) as told:
        hub.transfer(account, 1000)
    assert told.value.code == "balance_insufficient"
    hub.clock.passes(days=2)
    assert hub.client.v1.balance.retrieve().available[0].amount == 3368
    assert hub.transfer(account, 1000).amount_reversed == 0
    assert (hub.stripe.paid(1), hub.stripe.connected_balance(account)) == (1000, 1000)
    assert "balance.available" in kinds(hub)


def test_a_transfer_is_taken_back_only_as_far_as_it_is_there(hub: Hub) -> None:
    hub.stripe.top_up(5000)
    account = hub.stripe.has_account()
    sent = hub.transfer(account, 1000)
    payout = hub.stripe.bank_payout(account, 600)
    with pytest.raises(library.InvalidRequestError, match="Insufficient funds"):
        hub.client.v1.transfers.reversals.create(sent.id, {"amount": 500}, hub.key())
    hub.client.v1.transfers.reversals.create(sent.id, {"amount": 400}, hub.key())
    hub.stripe.bank_payout_fails(payout)
    assert (hub.stripe.paid(1), hub.stripe.connected_balance(account), hub.stripe.available) == (600, 600, 4400)
    seen = hub.client.v1.payouts.retrieve(payout, {}, {"stripe_account": account})
    assert (seen.status, seen.failure_code) == ("failed", "account_closed")
    with pytest.raises(library.InvalidRequestError, match="No such payout"):
        hub.client.v1.payouts.retrieve(payout)


def test_refunds_disputes_and_warnings_move_money_with_their_own_lines(hub: Hub) -> None:
    refunded, won, lost = (hub.charge(statement=each).id for each in (1, 2, 3))
    warned, disputed = hub.charge(cards.FRAUD_WARNING, statement=4), hub.charge(cards.DISPUTED, statement=5)
    hub.stripe.tick()
    assert [each.payment_intent for each in hub.client.v1.radar.early_fraud_warnings.list().data] == [warned.id]
    assert [each.payment_intent for each in hub.client.v1.disputes.list().data] == [disputed.id]
    part = hub.client.v1.refunds.create({"payment_intent": refunded, "amount": 500}, hub.key())
    hub.stripe.refund_fails(part.id)
    whole = hub.client.v1.refunds.create({"payment_intent": refunded}, hub.key())
    assert (whole.amount, hub.stripe.refunded(1)) == (3500, 3500)
    with pytest.raises(library.InvalidRequestError) as told:
        hub.client.v1.refunds.create({"payment_intent": refunded}, hub.key())
    assert told.value.code == "charge_already_refunded"
    first, second = hub.stripe.dispute(won, 1000), hub.stripe.dispute(lost)
    hub.stripe.dispute_won(first)
    hub.stripe.dispute_lost(second)
    assert [each.net for each in hub.client.v1.disputes.retrieve(first).balance_transactions] == [-2500, 1000]
    with pytest.raises(library.InvalidRequestError) as told:
        hub.client.v1.refunds.create({"payment_intent": lost}, hub.key())
    assert told.value.code == "charge_disputed"
    assert hub.stripe.balance == 5 * 3368 - 3500 - 1500 - (3500 + 1500) * 2


def test_somebody_becomes_payable_and_is_restricted_again(hub: Hub) -> None:
    account = hub.account()
    assert hub.client.v2.core.accounts.retrieve(account).configuration is None, "only what is asked for is told"

    def status() -> str:
        seen: Any = hub.client.v2.core.accounts.retrieve(account, {"include": ["configuration.recipient"]})
        return str(seen.configuration.recipient.capabilities.stripe_balance.stripe_transfers.status)

    first, late = hub.link(account), hub.link(account)
    assert hub.stripe.person_onboards(first, finish=False) == "https://hub/back"
    assert status() == "restricted"
    assert hub.stripe.person_onboards(first) == "https://hub/again", "a link opens once"
    hub.clock.passes(minutes=6)
    assert hub.stripe.person_onboards(late) == "https://hub/again", "a link expires"
    with pytest.raises(library.InvalidRequestError) as told:
        hub.transfer(account, 100)
    assert told.value.code == "insufficient_capabilities_for_transfer"
    assert hub.stripe.person_onboards(hub.link(account), checked=False) == "https://hub/back"
    assert status() == "pending"
    hub.stripe.activate(account)
    assert status() == "active"
    hub.stripe.restrict(account)
    assert status() == "restricted"


def test_a_refund_may_wait_for_money(hub: Hub) -> None:
    hub.stripe.refunds_wait = True
    intent = hub.charge().id
    waits = hub.client.v1.refunds.create({"payment_intent": intent, "amount": 500}, hub.key())
    assert (waits.status, waits.pending_reason, waits.balance_transaction) == ("pending", "insufficient_funds", None)
    hub.clock.passes(days=2)
    assert hub.client.v1.refunds.retrieve(waits.id).status == "succeeded"
    assert hub.stripe.balance == 3368 - 500


def test_a_forgotten_card_is_of_no_use_to_anybody(hub: Hub) -> None:
    customer, method = hub.stripe.gives_card()
    other, _ = hub.stripe.gives_card()
    with pytest.raises(library.InvalidRequestError, match="does not have a payment method"):
        hub.confirm(hub.intent(customer=other), method)
    assert hub.client.v1.payment_methods.detach(method, {}, hub.key()).customer is None
    with pytest.raises(library.InvalidRequestError, match="may not be used again"):
        hub.confirm(hub.intent(customer=customer, statement=2), method)
    with pytest.raises(library.InvalidRequestError, match="not attached"):
        hub.client.v1.payment_methods.detach(method, {}, hub.key())
