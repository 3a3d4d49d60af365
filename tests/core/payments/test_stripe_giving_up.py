"""Giving a charge up at Stripe: after that it can never be collected, whoever is quicker."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.payments.gateway import Done, Refused, TooLate, Unknown
from core.payments.stripe.pace import Pace
from tests.core.payments.at_stripe import Hub
from tests.platforms.stripe import cards, trouble

BACK = "https://hub.example/pay/done"


def test_what_is_given_up_can_never_be_collected(hub: Hub):
    request = hub.owed(cards.answering("insufficient_funds", "pays"))
    hub.note(request, hub.gateway.charge(request, hub.at))
    assert hub.gateway.give_up(request.statement_id, hub.at) == Done(hub.intent(request))
    assert hub.gateway.give_up(request.statement_id, hub.at) == Done(hub.intent(request))
    answer = hub.gateway.charge(replace(request, attempt=2), hub.at)
    assert answer == Refused("the charge was given up", final=True)
    assert hub.gateway.authenticate(replace(request, attempt=2), done=BACK, at=hub.at) == answer
    assert hub.gateway.look_at_intent(hub.intent(request)).state == "cancelled"


def test_what_was_never_asked_for_is_given_up_without_asking(hub: Hub):
    assert hub.gateway.give_up(77, hub.at) == Done("")
    assert hub.gateway.give_up(77, hub.at) == Done("")
    assert hub.stripe.requests == []


def test_what_was_given_up_before_it_was_asked_for_is_never_asked_for(either_hub: Hub):
    request = either_hub.owed()
    either_hub.gateway.give_up(request.statement_id, either_hub.at)
    over = Refused("the charge was given up", final=True)
    assert either_hub.gateway.charge(request, either_hub.at) == over
    assert either_hub.gateway.authenticate(request, done=BACK, at=either_hub.at) == over
    assert either_hub.stripe.requests == []


def test_giving_up_while_somebody_is_making_the_intent_wins(hub: Hub):
    request = hub.owed()

    class Overtaken(Pace):
        def wait(self, name: str) -> None:
            if name == "post payment_intents":
                hub.gateway.give_up(request.statement_id, hub.at)

    answer = hub.new_gateway(pace=Overtaken()).charge(request, hub.at)
    assert answer == Refused("the charge was given up", final=True)
    assert hub.keys("/confirm") == []


def test_giving_up_right_before_the_confirmation_wins(hub: Hub):
    request = hub.owed()

    class Overtaken(Pace):
        def wait(self, name: str) -> None:
            if name == "post payment_intents confirm":
                hub.gateway.give_up(request.statement_id, hub.at)

    answer = hub.new_gateway(pace=Overtaken()).charge(request, hub.at)
    assert answer == Refused("the charge was given up", final=True)
    assert hub.stripe.charged(request.statement_id) == 0


def test_what_was_collected_cannot_be_given_up(hub: Hub):
    request = hub.owed()
    done = hub.gateway.charge(request, hub.at)
    assert hub.gateway.give_up(request.statement_id, hub.at) == TooLate(done.reference)


def test_what_the_bank_is_still_thinking_about_cannot_be_given_up_yet(hub: Hub):
    request = hub.owed(cards.PROCESSES)
    hub.gateway.charge(request, hub.at)
    assert isinstance(hub.gateway.give_up(request.statement_id, hub.at), Unknown)
    hub.stripe.settles(hub.intent(request), ok=False)
    assert isinstance(hub.gateway.give_up(request.statement_id, hub.at), Done)


@pytest.mark.parametrize("what", trouble.ALL)
def test_giving_up_gets_through_in_the_end(hub: Hub, what: str):
    request = hub.owed(cards.INSUFFICIENT)
    hub.gateway.charge(request, hub.at)
    hub.stripe.trouble(what, "/cancel")
    assert isinstance(hub.gateway.give_up(request.statement_id, hub.at), (Done, Unknown))
    hub.clock.later(hours=1)
    assert isinstance(hub.gateway.give_up(request.statement_id, hub.at), Done)
    assert hub.stripe.intent_of(request.statement_id)["status"] == "canceled"
