"""The small print of the line to Stripe: what is said of a failed cancelling, whose a card is, how long is waited."""

from __future__ import annotations

import dataclasses
import logging
from typing import Any

import pytest

from core.payments import counterparts
from core.payments.gateway import Done, Refused, TooLate, Unknown
from core.payments.stripe import intents, setups
from core.payments.stripe.client import Stripe, Trouble
from core.payments.stripe.desk import Desk
from core.payments.stripe.pace import Pace
from tests.core.payments.at_stripe import Hub
from tests.core.payments.canned import canned, error

WAITS = {"id": "pi_1", "status": "requires_payment_method"}


def desk_of(hub: Hub) -> Desk:
    return hub.gateway._desk


@pytest.mark.parametrize(
    ("status", "body", "after", "said"),
    [
        (500, error(type="api_error"), {"id": "pi_1", "status": "canceled"}, Done("pi_1")),
        (400, error(), {"id": "pi_1", "status": "succeeded", "latest_charge": "ch_1"}, TooLate("ch_1")),
        (400, error(), WAITS, Unknown("the charge cannot be cancelled while it is requires_payment_method")),
        (404, error(code="resource_missing"), {"id": "pi_1", "status": "canceled"}, Done("")),
    ],
)
def test_a_cancelling_that_failed_is_judged_by_the_charge_itself(hub: Hub, status: int, body: Any, after: Any, said):
    with hub.db.transaction() as tx:
        counterparts.keep(tx, "intent", 7, "pi_1", hub.at)
    answers = {
        "GET /v1/payment_intents/pi_1": [(200, WAITS), (200, after)],
        "POST /v1/payment_intents/pi_1/cancel": (status, body),
    }
    with canned(answers) as address:
        desk = dataclasses.replace(desk_of(hub), stripe=Stripe("sk_test_1", api=address, pace=Pace(10_000)))
        assert intents.give_up(desk, 7, hub.at) == said


def test_too_many_questions_at_once_are_no_answer_to_giving_up(hub: Hub):
    with hub.db.transaction() as tx:
        counterparts.keep(tx, "intent", 7, "pi_1", hub.at)
    answers = {
        "GET /v1/payment_intents/pi_1": [(200, WAITS), (200, {"id": "pi_1", "status": "canceled"})],
        "POST /v1/payment_intents/pi_1/cancel": (429, error()),
    }
    with canned(answers) as address:
        desk = dataclasses.replace(desk_of(hub), stripe=Stripe("sk_test_1", api=address, pace=Pace(10_000)))
        assert isinstance(intents.give_up(desk, 7, hub.at), Unknown)


@pytest.mark.parametrize(
    ("status", "body", "gone"),
    [
        (200, {"id": "pm_1", "customer": "cus_1"}, False),
        (200, {"id": "pm_1", "customer": None}, True),
        (200, {"id": "pm_1", "customer": "cus_2"}, True),
        (404, error(code="resource_missing"), True),
    ],
)
def test_a_card_is_gone_when_it_is_nobody_s_or_another_s(hub: Hub, status: int, body: Any, gone: bool):
    with canned({"GET /v1/payment_methods/pm_1": (status, body)}) as address:
        desk = dataclasses.replace(desk_of(hub), stripe=Stripe("sk_test_1", api=address, pace=Pace(10_000)))
        assert intents._gone(desk, "pm_1", "cus_1") == gone


def test_whether_a_card_is_gone_is_not_known_without_an_answer(hub: Hub):
    with canned({"GET /v1/payment_methods/pm_1": (500, error(type="api_error"))}) as address:
        desk = dataclasses.replace(desk_of(hub), stripe=Stripe("sk_test_1", api=address, pace=Pace(10_000)))
        with pytest.raises(Trouble):
            intents._gone(desk, "pm_1", "cus_1")


@pytest.mark.parametrize("missing", ["card_reference", "customer"])
def test_without_a_card_and_its_customer_nothing_is_confirmed(hub: Hub, missing: str):
    request = dataclasses.replace(hub.owed(), **{missing: None})
    before = len(hub.stripe.requests)
    assert intents._confirm(desk_of(hub), request, {"id": "pi_1"}, {}) == Refused("there is no card")
    assert len(hub.stripe.requests) == before


def test_a_card_is_its_customer_s_whatever_a_note_says(hub: Hub):
    with hub.db.transaction() as tx:
        counterparts.keep(tx, "customer", 5, "cus_5", hub.at)
    notes = {"hub": "h", "person": "6"}
    assert setups._person(desk_of(hub), {"customer": "cus_5", "metadata": notes}) == 5
    assert setups._person(desk_of(hub), {"customer": "cus_9", "metadata": notes}) == 6
    assert setups._person(desk_of(hub), {"metadata": notes}) == 6
    assert setups._person(desk_of(hub), {}) is None


@pytest.mark.parametrize(("patience", "waited"), [(30.0, (10.0, 30.0)), (4.0, (4.0, 4.0))])
def test_no_answer_is_waited_for_longer_than_there_is_patience(patience: float, waited: tuple[float, float]):
    line = Stripe("sk_test_1", patience=patience)._client._requestor._client
    assert line._timeout == waited


def test_what_the_library_logs_is_kept_but_for_secrets(caplog):
    with caplog.at_level(logging.INFO, logger="stripe"):
        logging.getLogger("stripe").info("asked with %s", "sk_live_1aB")
    assert caplog.messages == ["asked with [secret]"]
