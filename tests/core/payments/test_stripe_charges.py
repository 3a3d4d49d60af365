"""Collecting through Stripe: one intent a statement, and whatever goes wrong, it is charged once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.payments.gateway import Done, Refused, Unknown
from core.payments.stripe.descriptors import statement_suffix
from core.periods import parse_month
from tests.core.payments.at_stripe import HUB, Hub
from tests.platforms.stripe import cards, trouble


def test_a_statement_is_collected_with_one_intent_that_says_what_it_is_for(either_hub: Hub):
    hub = either_hub
    request = hub.owed()
    done = hub.gateway.charge(request, hub.at)
    intent = hub.stripe.intent_of(request.statement_id)
    assert done == Done(intent["latest_charge"])
    assert (intent["id"], intent["status"], intent["amount"]) == (hub.intent(request), "succeeded", 3500)
    assert intent["metadata"] == {"hub": HUB, "statement": str(request.statement_id), "month": "2026-10"}
    assert intent["transfer_group"] == "2026-10"
    assert intent["statement_descriptor_suffix"] == "OCT 2026"
    assert hub.keys("payment_intents") == [
        f"pi-create-{request.statement_id}",
        f"pi-confirm-{request.statement_id}-1",
    ]


def test_asking_again_gives_the_same_answer_and_charges_nothing(either_hub: Hub):
    request = either_hub.owed()
    first = either_hub.gateway.charge(request, either_hub.at)
    assert either_hub.gateway.charge(request, either_hub.at) == first
    either_hub.clock.later(days=3)  # the keys are forgotten by now
    assert either_hub.gateway.charge(request, either_hub.at) == first
    assert either_hub.stripe.charged(request.statement_id) == 3500


def test_without_a_card_it_is_refused_and_nothing_is_asked(hub: Hub):
    assert hub.gateway.charge(hub.owed(None), hub.at) == Refused("there is no card")
    assert hub.stripe.requests == []


def test_a_card_from_the_days_of_pretend_money_is_no_card(hub: Hub):
    request = replace(hub.owed(None), card_reference="pretend-4242")
    assert hub.gateway.charge(request, hub.at) == Refused("there is no card")


def test_what_was_collected_is_known_even_when_the_card_was_removed_since(hub: Hub):
    request = hub.owed()
    first = hub.gateway.charge(request, hub.at)
    assert hub.gateway.charge(replace(request, card_reference=None, customer=None), hub.at) == first


@pytest.mark.parametrize(
    ("card", "words", "final", "authenticate"),
    [
        (cards.INSUFFICIENT, "there is not enough money on the card", False, False),
        (cards.GENERIC, "the card was declined", False, False),
        (cards.LOST, "the card was declined", True, False),
        (cards.STOLEN, "the card was declined", True, False),
        (cards.PICKUP, "the card was declined", True, False),
        (cards.NEVER_AGAIN, "the card was declined", True, False),
        (cards.EXPIRED, "the card has expired", False, False),
        (cards.AUTHENTICATES, "the bank wants the payment to be confirmed", False, True),
        (cards.answering("processing_error"), "the bank could not process the payment", False, False),
    ],
    ids=lambda value: value.name if isinstance(value, cards.Card) else "",
)
def test_each_no_of_a_bank_is_said_plainly(hub: Hub, card: cards.Card, words: str, final: bool, authenticate: bool):
    request = hub.owed(card)
    answer = hub.gateway.charge(request, hub.at)
    failed = hub.stripe.intent_of(request.statement_id)["latest_charge"]
    assert answer == Refused(words, final, authenticate, reference=failed)
    assert hub.gateway.charge(request, hub.at) == answer  # the same attempt: the first answer, not another try
    hub.clock.later(days=2)
    assert hub.gateway.charge(request, hub.at) == answer


def test_the_next_attempt_confirms_the_same_intent(either_hub: Hub):
    hub = either_hub
    request = hub.owed(cards.answering("insufficient_funds", "do_not_honor", "pays"))
    for attempt, said in ((1, "there is not enough money on the card"), (2, "the card was declined")):
        request = replace(request, attempt=attempt)
        refused = hub.gateway.charge(request, hub.at)
        assert isinstance(refused, Refused)
        assert refused.reason == said
        hub.note(request, refused)
        hub.clock.later(days=2)
    assert isinstance(hub.gateway.charge(replace(request, attempt=3), hub.at), Done)
    assert len(hub.stripe.intents_of(request.statement_id)) == 1


HAPPENED = (trouble.LOSE_ANSWER, trouble.FAIL_AFTER, trouble.CUT, trouble.GARBLED)
NOT_HAPPENED = (trouble.LOSE_REQUEST, trouble.FAIL_UNSTORED, trouble.TOO_MANY, trouble.LOCKED, trouble.CONFLICT)


@pytest.mark.parametrize("what", [*HAPPENED, *NOT_HAPPENED])
@pytest.mark.parametrize("where", ["/v1/payment_intents", "/confirm"])
def test_whatever_happens_to_a_request_the_next_one_finds_out_and_charges_once(hub: Hub, what: str, where: str):
    request = hub.owed()
    hub.stripe.trouble(what, where)
    first = hub.gateway.charge(request, hub.at)
    assert isinstance(first, (Unknown, Done))
    second = hub.gateway.charge(request, hub.at)
    assert isinstance(second, Done)
    assert hub.stripe.charged(request.statement_id) == 3500
    if isinstance(first, Done):
        assert first == second


@pytest.mark.parametrize("what", HAPPENED)
def test_a_lost_no_is_found_and_is_not_asked_for_twice(hub: Hub, what: str):
    request = hub.owed(cards.answering("insufficient_funds", "pays"))
    hub.stripe.trouble(what, "/confirm")
    hub.gateway.charge(request, hub.at)
    hub.clock.later(hours=30)  # the key is forgotten: confirming once more would be a second try
    answer = hub.gateway.charge(request, hub.at)
    assert isinstance(answer, Refused)
    assert answer.reference == hub.stripe.intent_of(request.statement_id)["latest_charge"]
    assert hub.stripe.charged(request.statement_id) == 0


@pytest.mark.parametrize("where", ["/v1/payment_intents", "/confirm"])
def test_a_fault_that_stripe_repeats_for_a_day_holds_up_for_a_day_and_no_longer(hub: Hub, where: str):
    request = hub.owed()
    hub.stripe.trouble(trouble.FAIL_BEFORE, where)
    for _ in range(3):
        assert hub.gateway.charge(request, hub.at) == Unknown("Stripe answered with a fault of its own (500)")
        hub.clock.later(hours=1)
    hub.clock.later(hours=24)
    assert isinstance(hub.gateway.charge(request, hub.at), Done)
    assert hub.stripe.charged(request.statement_id) == 3500


def test_an_old_no_is_not_taken_for_the_new_attempts(hub: Hub):
    request = hub.owed(cards.answering("insufficient_funds", "pays"))
    hub.note(request, hub.gateway.charge(request, hub.at))
    again = replace(request, attempt=2)
    hub.stripe.trouble(trouble.LOSE_REQUEST, "/confirm")
    assert isinstance(hub.gateway.charge(again, hub.at), Unknown)
    assert isinstance(hub.gateway.charge(again, hub.at), Done)


def test_a_bank_that_takes_its_time_is_waited_for(hub: Hub):
    request = hub.owed(cards.PROCESSES)
    assert hub.gateway.charge(request, hub.at) == Unknown("the bank has not answered yet")
    assert hub.gateway.charge(request, hub.at) == Unknown("the bank has not answered yet")
    hub.stripe.settles(hub.intent(request))
    assert isinstance(hub.gateway.charge(request, hub.at), Done)


def test_a_bank_that_says_no_after_a_while_is_heard(hub: Hub):
    request = hub.owed(cards.PROCESSES)
    hub.gateway.charge(request, hub.at)
    hub.stripe.settles(hub.intent(request), ok=False)
    answer = hub.gateway.charge(request, hub.at)
    assert isinstance(answer, Refused)
    assert answer.reference == hub.stripe.intent_of(request.statement_id)["latest_charge"]


def test_a_removed_card_is_a_no_and_not_a_riddle(hub: Hub):
    request = hub.owed()
    hub.stripe.card_detached(request.card_reference)
    answer = hub.gateway.charge(request, hub.at)
    assert answer == Refused("the card cannot be used any more; it has to be entered again")


def test_a_customer_that_is_gone_is_a_no(hub: Hub):
    request = replace(hub.owed(), customer="cus_gone")
    answer = hub.gateway.charge(request, hub.at)
    assert answer == Refused("the card cannot be used any more; it has to be entered again")


def test_after_two_people_became_one_the_intent_takes_the_others_card(hub: Hub):
    request = hub.owed(cards.INSUFFICIENT)
    hub.note(request, hub.gateway.charge(request, hub.at))
    customer, method = hub.stripe.gives_card(cards.PAYS)
    kept = replace(request, attempt=2, customer=customer, card_reference=method)
    assert isinstance(hub.gateway.charge(kept, hub.at), Done)
    assert hub.stripe.intent_of(request.statement_id)["customer"] == customer


def test_an_amount_that_stripe_does_not_take_is_refused_for_good(hub: Hub):
    answer = hub.gateway.charge(hub.owed(amount=20), hub.at)
    assert isinstance(answer, Refused)
    assert answer.final


def test_an_intent_over_another_amount_is_never_confirmed(hub: Hub):
    request = hub.owed(cards.INSUFFICIENT)
    hub.gateway.charge(request, hub.at)
    answer = hub.gateway.charge(replace(request, attempt=2, amount_minor=9900), hub.at)
    assert isinstance(answer, Unknown)
    assert "3500 EUR" in answer.reason


def test_a_refused_key_names_its_remedy_and_decides_nothing(hub: Hub):
    gateway = hub.new_gateway(key="sk_test_wrong")
    answer = gateway.charge(hub.owed(), hub.at)
    assert answer == Unknown("Stripe does not accept the secret key: set a valid one in the settings")


def test_a_stripe_that_is_away_decides_nothing(hub: Hub):
    gateway = hub.new_gateway(api="http://127.0.0.1:9")
    assert gateway.charge(hub.owed(), hub.at) == Unknown("no answer from Stripe")


def test_a_stripe_that_never_answers_is_not_waited_for_for_ever(hub: Hub):
    gateway = hub.new_gateway(patience=0.3)
    request = hub.owed()
    hub.stripe.trouble(trouble.HANG, "/confirm")
    assert gateway.charge(request, hub.at) == Unknown("no answer from Stripe")
    assert isinstance(gateway.charge(request, hub.at), Done)


def test_a_collected_intent_says_so(hub: Hub):
    request = hub.owed()
    done = hub.gateway.charge(request, hub.at)
    state = hub.gateway.look_at_intent(hub.intent(request))
    assert (state.statement_id, state.state, state.charge) == (request.statement_id, "collected", done.reference)
    assert (state.amount_minor, state.failure) == (3500, None)


def test_a_declined_intent_says_why(hub: Hub):
    request = hub.owed(cards.LOST)
    refused = hub.gateway.charge(request, hub.at)
    state = hub.gateway.look_at_intent(hub.intent(request))
    assert (state.state, state.failure, state.amount_minor) == ("open", refused, 3500)


def test_somebody_elses_intent_is_nobodys_statement(hub: Hub):
    foreign = hub.new_gateway()._desk.stripe.ask(
        lambda api: api.v1.payment_intents.create(
            {"amount": 900, "currency": "eur", "metadata": {"statement": "1"}}, {"idempotency_key": "a-shop's"}
        )
    )
    assert hub.gateway.look_at_intent(foreign["id"]).statement_id is None
    assert hub.gateway.look_at_intent("pi_none") is None


@pytest.mark.parametrize(
    ("descriptor", "said"), [("FLATTR", "OCT 2026"), ("HUB", "HUB OCT26"), ("", "OCT 2026"), ("hubs", "HUBS OCT26")]
)
def test_a_cards_statement_names_the_month_within_the_room_there_is(descriptor: str, said: str):
    assert statement_suffix(descriptor, parse_month("2026-10")) == said
    assert statement_suffix(descriptor, parse_month("2026-12")).startswith(said[:-5].replace("OCT", "DEC"))
