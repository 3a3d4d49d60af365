"""Confirming a charge at Stripe with the patron there: the way to their bank and what comes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.payments.gateway import Done, Refused, Unknown
from core.payments.states import Redirect
from core.payments.stripe import verdicts
from tests.core.payments.at_stripe import Hub
from tests.platforms.stripe import cards, trouble

BACK = "https://hub.example/pay/done"
HAPPENED = (trouble.LOSE_ANSWER, trouble.FAIL_AFTER, trouble.CUT, trouble.GARBLED)
NOT_HAPPENED = (trouble.LOSE_REQUEST, trouble.FAIL_UNSTORED, trouble.TOO_MANY, trouble.LOCKED, trouble.CONFLICT)


def on_session(hub: Hub, card: cards.Card = cards.AUTHENTICATES):
    """A statement whose bank wants to hear from the patron, and the attempt that they make themselves."""
    request = hub.owed(card)
    hub.note(request, hub.gateway.charge(request, hub.at))
    return replace(request, attempt=2, on_session=True)


def test_a_patron_is_led_to_their_bank_and_the_same_intent_is_paid(hub: Hub):
    request = on_session(hub)
    way = hub.gateway.authenticate(request, done=BACK, at=hub.at)
    assert isinstance(way, Redirect)
    assert way.address.startswith(hub.stripe.address)
    assert hub.gateway.look_at_intent(hub.intent(request)).state == "authenticating"
    assert hub.stripe.person_authenticates(way.address).startswith(BACK)
    assert isinstance(hub.gateway.charge(request, hub.at), Done)
    assert isinstance(hub.gateway.authenticate(request, done=BACK, at=hub.at), Done)
    assert hub.stripe.charged(request.statement_id) == 3500
    assert len(hub.stripe.intents_of(request.statement_id)) == 1


def test_an_attempt_that_waits_for_its_patron_was_not_finished(hub: Hub):
    request = on_session(hub)
    waiting = {"id": "pi_1", "status": "requires_action"}
    alone = replace(request, on_session=False)
    desk = hub.gateway._desk
    assert verdicts.told(desk, alone, waiting) == verdicts.UNFINISHED
    assert verdicts.found(desk, request, waiting) == verdicts.UNFINISHED
    assert verdicts.found(desk, alone, waiting) is None


def test_pressing_twice_leads_the_same_way(hub: Hub):
    request = on_session(hub)
    first = hub.gateway.authenticate(request, done=BACK, at=hub.at)
    assert hub.gateway.authenticate(request, done=BACK + "?other", at=hub.at) == first


def test_an_attempt_on_session_is_never_made_without_the_patron(hub: Hub):
    request = on_session(hub, cards.answering(cards.Outcome(asks="off session"), "pays"))
    answer = hub.gateway.charge(request, hub.at)
    assert isinstance(answer, Refused)
    assert answer.authenticate or not answer.final
    assert hub.stripe.charged(request.statement_id) == 0


def test_who_left_before_confirming_is_known(hub: Hub):
    request = on_session(hub)
    hub.gateway.authenticate(request, done=BACK, at=hub.at)
    answer = hub.gateway.charge(request, hub.at)
    assert answer == Refused("the confirmation with the bank was not finished", authenticate=True)


def test_who_failed_at_their_bank_may_try_again(hub: Hub):
    request = on_session(hub)
    way = hub.gateway.authenticate(request, done=BACK, at=hub.at)
    hub.stripe.person_authenticates(way.address, passes=False)
    answer = hub.gateway.authenticate(request, done=BACK, at=hub.at)  # the stored answer's way is gone
    assert answer == Refused("the confirmation with the bank failed", authenticate=True)
    again = hub.gateway.authenticate(replace(request, attempt=3), done=BACK, at=hub.at)
    assert isinstance(again, Redirect)
    hub.stripe.person_authenticates(again.address)
    assert isinstance(hub.gateway.charge(replace(request, attempt=3), hub.at), Done)


def test_who_failed_and_comes_by_another_way_is_told_too(hub: Hub):
    request = on_session(hub)
    way = hub.gateway.authenticate(request, done=BACK, at=hub.at)
    hub.stripe.person_authenticates(way.address, passes=False)
    answer = hub.gateway.authenticate(request, done=BACK + "?other", at=hub.at)
    assert answer == Refused("the confirmation with the bank failed", authenticate=True)
    hub.stripe.forgive()  # the key was used with another way back, on purpose


def test_a_new_card_gets_a_way_of_its_own(hub: Hub):
    request = on_session(hub)
    hub.gateway.authenticate(request, done=BACK, at=hub.at)
    customer, method = hub.stripe.gives_card(cards.PAYS)
    new = replace(request, attempt=3, card_reference=method, customer=customer)
    assert isinstance(hub.gateway.authenticate(new, done=BACK, at=hub.at), Done)


def test_a_card_that_asks_nothing_pays_at_once(hub: Hub):
    request = replace(hub.owed(), on_session=True)
    assert isinstance(hub.gateway.authenticate(request, done=BACK, at=hub.at), Done)


def test_a_no_on_session_is_a_no(hub: Hub):
    request = replace(hub.owed(cards.INSUFFICIENT), on_session=True)
    answer = hub.gateway.authenticate(request, done=BACK, at=hub.at)
    assert isinstance(answer, Refused)
    assert answer.reason == "there is not enough money on the card"


def test_without_a_card_there_is_no_way(hub: Hub):
    assert hub.gateway.authenticate(hub.owed(None), done=BACK, at=hub.at) == Refused("there is no card")


@pytest.mark.parametrize("what", [*HAPPENED, *NOT_HAPPENED])
def test_the_way_is_found_when_its_answer_was_lost(hub: Hub, what: str):
    request = on_session(hub)
    hub.stripe.trouble(what, "/confirm")
    first = hub.gateway.authenticate(request, done=BACK, at=hub.at)
    assert isinstance(first, (Unknown, Redirect))
    assert isinstance(hub.gateway.authenticate(request, done=BACK, at=hub.at), Redirect)


def test_a_card_can_be_tried_off_session_while_an_old_confirmation_waits(hub: Hub):
    request = on_session(hub)
    hub.gateway.authenticate(request, done=BACK, at=hub.at)
    customer, method = hub.stripe.gives_card(cards.PAYS)
    later = replace(request, attempt=3, on_session=False, card_reference=method, customer=customer)
    assert isinstance(hub.gateway.charge(later, hub.at), Done)
    assert hub.stripe.charged(request.statement_id) == 3500
