"""How fast Stripe is asked: never more than twenty times a second at one endpoint."""

from __future__ import annotations

import threading

import pytest

from core.payments.stripe.pace import PER_SECOND, Pace, endpoint
from tests.core.payments.at_stripe import Hub


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_no_second_sees_more_than_twenty_requests_of_an_endpoint():
    time = Time()
    pace = Pace(clock=time.clock, sleep=time.sleep)
    starts = []
    for number in range(200):
        pace.wait("post refunds")
        starts.append(time.now)
        time.now += 0.01 if number % 7 else 0.4
    assert all(late - early >= 1.0 - 1e-9 for early, late in zip(starts, starts[PER_SECOND:], strict=False))
    assert starts[-1] < 30


def test_twenty_may_go_at_once_and_other_endpoints_are_not_held_up():
    time = Time()
    pace = Pace(clock=time.clock, sleep=time.sleep)
    for _ in range(PER_SECOND):
        pace.wait("post refunds")
        pace.wait("post transfers")
    assert time.now == 0
    pace.wait("post refunds")
    assert time.now == 1


def test_threads_never_get_the_same_place():
    waits: list[float] = []
    pace = Pace(2, clock=lambda: 0.0, sleep=waits.append)
    threads = [threading.Thread(target=pace.wait, args=("post refunds",)) for _ in range(10)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(waits) == [1, 1, 2, 2, 3, 3, 4, 4]


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("get", "/v1/balance", "get balance"),
        ("post", "/v1/payment_intents", "post payment_intents"),
        ("get", "/v1/payment_intents/pi_1?expand[0]=x", "get payment_intents"),
        ("POST", "/v1/payment_intents/pi_1/confirm", "post payment_intents confirm"),
        ("get", "/v1/checkout/sessions/cs_1", "get checkout sessions"),
        ("post", "/v1/checkout/sessions/cs_1/expire", "post checkout sessions expire"),
        ("get", "/v1/radar/early_fraud_warnings/issfr_1", "get radar early_fraud_warnings"),
        ("post", "/v2/core/accounts", "post core accounts"),
        ("get", "/v2/core/accounts/acct_1", "get core accounts"),
        ("post", "/v1/transfers/tr_1/reversals", "post transfers reversals"),
        ("get", "/v1/transfers/tr_1/reversals/trr_1", "get transfers reversals"),
    ],
)
def test_an_endpoint_is_a_path_without_its_ids(method: str, path: str, name: str):
    assert endpoint(method, f"https://api.stripe.com{path}") == name


def test_every_request_waits_its_turn(hub: Hub):
    turns: list[str] = []

    class Counting(Pace):
        def wait(self, name: str) -> None:
            turns.append(name)

    gateway = hub.new_gateway(pace=Counting())
    gateway.charge(hub.owed(), hub.at)
    assert turns == ["post payment_intents", "post payment_intents confirm"]
