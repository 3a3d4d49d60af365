"""What the fake Stripe tells: its pages, its lists, its events."""

from __future__ import annotations

import json
import random
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import stripe as library

from tests.platforms.stripe import cards
from tests.platforms.stripe.asking import Hub


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub.begins() as hub:
        yield hub


def test_the_pages_can_be_clicked_through(hub: Hub) -> None:
    class Stays(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None:
            return None

    def press(address: str, button: str) -> str:
        try:
            urllib.request.build_opener(Stays).open(address, button.encode())
        except urllib.error.HTTPError as told:
            return str(told.headers["location"])
        raise AssertionError("the page stayed")

    session = hub.session(hub.stripe.gives_card()[0])
    assert 'value="LOST"' in urllib.request.urlopen(session.url).read().decode()
    assert press(session.url, "card=PAYS") == f"https://hub/ok?s={session.id}"
    customer, method = hub.stripe.gives_card(cards.AUTHENTICATES)
    asked = hub.confirm(hub.intent(customer=customer), method, off_session=False, return_url="https://hub/pay")
    assert "redirect_status=succeeded" in press(asked.next_action.redirect_to_url.url, "passes=yes")
    link = hub.link(hub.account())
    assert "filled in" in urllib.request.urlopen(link).read().decode()
    assert press(link, "finish=yes") == "https://hub/back"


def test_lists_come_page_by_page_and_by_what_is_asked(hub: Hub) -> None:
    made = []
    for each in range(7):
        made.append(hub.charge(statement=each).id)
        hub.clock.passes(hours=1)
    pages = hub.client.v1.payment_intents.list({"limit": 3})
    assert ([each.id for each in pages.data], pages.has_more) == (made[:3:-1], True)
    assert [each.id for each in pages.auto_paging_iter()] == made[::-1]
    before = hub.client.v1.payment_intents.list({"limit": 2, "ending_before": made[2]})
    assert [each.id for each in before.data] == [made[4], made[3]]
    since = int(hub.clock.at.timestamp()) - 3 * 3600
    lines: Any = hub.client.v1.balance_transactions.list({"created": {"gte": since}, "expand": ["data.source"]})
    assert [each.source.payment_intent for each in lines.data] == made[:3:-1]
    found = hub.client.v1.payment_intents.search({"query": "metadata['statement']:'3'"})
    assert [each.id for each in found.data] == [made[3]]
    assert len(list(hub.client.v1.events.list({"type": "charge.succeeded", "limit": 2}).auto_paging_iter())) == 7
    with pytest.raises(library.InvalidRequestError, match="cannot be expanded"):
        hub.client.v1.charges.list({"expand": ["data.colour"]})
    hub.stripe.forgive()


def test_every_event_is_signed_and_names_what_it_is_about(hub: Hub) -> None:
    hub.stripe.webhook_secret, hub.stripe.connect_secret, hub.stripe.thin_secret = "whsec_a", "whsec_b", "whsec_c"
    hub.stripe.top_up(1000)
    account = hub.stripe.has_account()
    hub.transfer(account, 500)
    hub.stripe.bank_payout(account, fails="account_closed")
    now = int(datetime.now(UTC).timestamp())
    for each in hub.stripe.take_events():
        signed = each.signed(now)["Stripe-Signature"]
        if each.kind.startswith("v2."):
            thin: Any = hub.client.parse_event_notification(each.body, signed, "whsec_c")
            assert thin.related_object.id == account
            assert hub.client.v2.core.events.retrieve(thin.id).type == each.kind
            continue
        event = hub.client.construct_event(each.body, signed, each.secret)
        assert event.to_dict().get("account") == (account if each.kind.startswith("payout.") else None)
        assert each.secret == ("whsec_b" if each.kind.startswith("payout.") else "whsec_a")
        with pytest.raises(library.SignatureVerificationError):
            hub.client.construct_event(each.body + b" ", signed, each.secret)


def test_an_event_tells_the_object_as_it_was(hub: Hub) -> None:
    customer, method = hub.stripe.gives_card()
    intent = hub.intent(customer=customer)
    hub.confirm(intent, method, key="the key")
    told = {each["type"]: each for each in hub.stripe.events if each["type"].startswith("payment_intent.")}
    assert told["payment_intent.created"]["data"]["object"]["status"] == "requires_payment_method"
    assert told["payment_intent.succeeded"]["data"]["object"]["status"] == "succeeded"
    assert told["payment_intent.succeeded"]["request"]["idempotency_key"] == "the key"


def test_events_wait_until_they_are_accepted_and_come_in_any_order(hub: Hub) -> None:
    hub.charge()
    hub.stripe.tick()
    made = [each["id"] for each in hub.stripe.events]
    assert hub.stripe.deliver(lambda body, headers: 503) == 0
    assert hub.stripe.undelivered == len(made)
    came: list[str] = []

    def post(body: bytes, headers: Any) -> int:
        came.append(json.loads(body)["id"])
        return 200

    chance = random.Random(4)
    while hub.stripe.undelivered:
        hub.stripe.deliver(post, chance)
    assert set(came) == set(made)
    assert len(came) > len(made), "some came twice"
    assert list(dict.fromkeys(came)) != made, "not in the order in which they happened"


def test_an_event_that_nobody_accepts_is_given_up_after_three_days(hub: Hub) -> None:
    hub.stripe.gives_card()
    hub.stripe.deliver(lambda body, headers: 500)
    assert hub.stripe.undelivered
    hub.clock.passes(days=3)
    hub.stripe.deliver(lambda body, headers: 500)
    assert not hub.stripe.undelivered
