"""In any weather between the hub and Stripe money moves once: what the gateway says in the end is what happened."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.payments.gateway import ChargeRequest, Done, Outcome, Refused, TooLate, Unknown
from core.payments.states import Redirect
from tests.core.payments.at_stripe import Hub
from tests.platforms.stripe import cards

CARDS = (
    cards.PAYS,
    cards.answering("insufficient_funds", "pays"),
    cards.answering("do_not_honor", "processing_error", "pays"),
    cards.LOST,
    cards.AUTHENTICATES,
    cards.EXPIRED,
    cards.PROCESSES,
)
STEP = {"hours": 7}
"""Between asking again: so that some questions come while a key is remembered, and some after."""


def settle(hub: Hub, card: cards.Card) -> tuple[ChargeRequest, Outcome]:
    """Collect as the months do: the same attempt until there is an answer, the next after a no that allows it."""
    request = hub.owed(card)
    for _ in range(60):
        answer = hub.gateway.charge(request, hub.at)
        hub.clock.later(**STEP)
        if isinstance(answer, Unknown):
            intent = hub.stripe.intent_of(request.statement_id)
            if intent is not None and intent["status"] == "processing":
                hub.stripe.settles(intent["id"])
        elif isinstance(answer, Refused) and not answer.final and request.attempt < 4:
            hub.note(request, answer)
            request = replace(request, attempt=request.attempt + 1)
            if answer.authenticate:
                confirm(hub, request)
        else:
            return request, answer
    raise AssertionError(f"{card.name} never got an answer")


def confirm(hub: Hub, request: ChargeRequest) -> None:
    """The patron follows the link until it leads somewhere."""
    for _ in range(30):
        way = hub.gateway.authenticate(request, done="https://hub.example/pay/done", at=hub.at)
        hub.clock.later(**STEP)
        if isinstance(way, Redirect):
            hub.stripe.person_authenticates(way.address)
            return
        if not isinstance(way, Unknown):
            return
    raise AssertionError("the way to the bank was never found")


@pytest.mark.parametrize("seed", range(8))
def test_collecting_in_bad_weather_charges_once_and_tells_the_truth(hub: Hub, seed: int):
    hub.stripe.weather(seed, 0.3)
    for card in CARDS:
        request, answer = settle(hub, card)
        paid = hub.stripe.charged(request.statement_id)
        assert paid == (3500 if isinstance(answer, Done) else 0)
        assert isinstance(answer, Done) == (card not in (cards.LOST, cards.EXPIRED))
        assert len([each for each in hub.stripe.intents_of(request.statement_id) if each["latest_charge"]]) <= 1


@pytest.mark.parametrize("seed", range(8))
def test_giving_up_in_bad_weather_ends_for_good_or_is_too_late(hub: Hub, seed: int):
    hub.stripe.weather(seed, 0.4)
    for card in (cards.PAYS, cards.INSUFFICIENT):
        request = hub.owed(card)
        hub.gateway.charge(request, hub.at)
        for _ in range(40):
            ended = hub.gateway.give_up(request.statement_id, hub.at)
            hub.clock.later(**STEP)
            if not isinstance(ended, Unknown):
                break
        assert isinstance(ended, TooLate) == (hub.stripe.charged(request.statement_id) == 3500)
        hub.gateway.charge(replace(request, attempt=2), hub.at)
        assert hub.stripe.charged(request.statement_id) == (3500 if isinstance(ended, TooLate) else 0)


@pytest.mark.parametrize("seed", range(8))
def test_sending_and_giving_back_in_bad_weather_happens_once(hub: Hub, seed: int):
    hub.stripe.top_up(100_000)
    account = hub.stripe.has_account()
    collected, _ = hub.collected()
    hub.stripe.weather(seed, 0.4)
    for number in range(1, 6):
        payout = hub.payout(account)
        refund = hub.back(collected, 100, number=number)
        for ask, request in ((hub.gateway.transfer, payout), (hub.gateway.refund, refund)):
            asked: Outcome = Unknown("not asked yet")
            for tries in range(40):
                asked = ask(replace(request, asked_before=tries > 0), hub.at)
                hub.clock.later(**STEP)
                if not isinstance(asked, Unknown):
                    break
            assert isinstance(asked, Done)
        assert hub.stripe.paid(payout.payout_id) == 500
        assert hub.stripe.refunded(collected.statement_id) == 100 * number
