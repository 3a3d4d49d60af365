"""People at Stripe: patrons who enter a card there, creators who say where their money goes."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from core.payments import counterparts
from core.payments.gateway import Done
from core.payments.hosted import Unanswered
from tests.core.payments.at_stripe import HUB, Hub
from tests.platforms.stripe import cards, trouble

DONE, CANCELLED, AGAIN = f"{HUB}/card/done", f"{HUB}/card/cancelled", f"{HUB}/payouts/again"


def enters(hub: Hub, person: int, card: cards.Card = cards.PAYS) -> str:
    """A person enters a card; the session's id as the browser brings it back."""
    way = hub.gateway.enter_card(person, done=DONE, cancelled=CANCELLED, at=hub.at)
    back = hub.stripe.person_enters_card(way.address, card)
    assert back.startswith(DONE)
    return parse_qs(urlsplit(back).query)["session_id"][0]


def test_a_card_is_entered_at_stripe_and_known_by_its_last_four(either_hub: Hub):
    hub = either_hub
    person = hub.person()
    state = hub.gateway.look_at_setup(enters(hub, person))
    assert (state.person_id, state.failure) == (person, None)
    with hub.db.reading() as tx:
        customer = counterparts.name(tx, "customer", person)
    card = state.card
    assert (card.brand, card.last4, card.customer, card.country) == ("Visa", "4242", customer, "DE")
    assert card.fingerprint == cards.PAYS.fingerprint
    assert hub.gateway.look_at_card(card.reference) == card


def test_the_page_stays_open_for_an_hour_and_asks_the_bank(hub: Hub):
    hub.gateway.enter_card(hub.person(), done=DONE, cancelled=CANCELLED, at=hub.at)
    asked = next(each.params for each in hub.stripe.requests if each.path.endswith("/sessions"))
    assert asked["mode"] == "setup"
    assert asked["currency"] == "eur"
    assert int(asked["expires_at"]) == int(hub.at.timestamp()) + 3600
    assert asked["payment_method_options"] == {"card": {"request_three_d_secure": "any"}}


@pytest.mark.parametrize(
    ("done", "back"),
    [
        (f"{DONE}?a=b", f"{DONE}?a=b&session_id="),
        (f"{DONE}/{{CHECKOUT_SESSION_ID}}", f"{DONE}/cs_"),
    ],
)
def test_the_sessions_id_comes_back_wherever_the_page_wants_it(hub: Hub, done: str, back: str):
    way = hub.gateway.enter_card(hub.person(), done=done, cancelled=CANCELLED, at=hub.at)
    assert hub.stripe.person_enters_card(way.address).startswith(back)


def test_who_goes_back_without_a_card_is_known(hub: Hub):
    way = hub.gateway.enter_card(hub.person(), done=DONE, cancelled=CANCELLED, at=hub.at)
    assert hub.stripe.person_cancels(way.address) == CANCELLED


def test_a_session_that_is_still_open_has_no_card(hub: Hub):
    person = hub.person()
    hub.gateway.enter_card(person, done=DONE, cancelled=CANCELLED, at=hub.at)
    (session,) = hub.stripe.all("checkout.session")
    state = hub.gateway.look_at_setup(session["id"])
    assert (state.person_id, state.card, state.failure) == (person, None, None)


def test_a_person_has_one_customer_and_each_visit_a_session(hub: Hub):
    person = hub.person()
    first = enters(hub, person)
    hub.clock.later(minutes=5)
    second = enters(hub, person, cards.PAYS_MASTERCARD)
    cards_seen = [hub.gateway.look_at_setup(each).card for each in (first, second)]
    assert len({each.customer for each in cards_seen}) == 1
    assert [each.brand for each in cards_seen] == ["Visa", "Mastercard"]
    assert len(hub.stripe.all("customer")) == 1


@pytest.mark.parametrize("what", trouble.ALL)
@pytest.mark.parametrize("where", ["/v1/customers", "/sessions"])
def test_a_visit_that_fails_is_tried_again_by_the_person(hub: Hub, what: str, where: str):
    person = hub.person()
    hub.stripe.trouble(what, where)
    with pytest.raises(Unanswered):
        hub.gateway.enter_card(person, done=DONE, cancelled=CANCELLED, at=hub.at)
    hub.clock.later(hours=1)
    assert hub.gateway.look_at_setup(enters(hub, person)).card is not None


def test_a_bank_that_says_no_to_a_card_is_heard_of(hub: Hub):
    person = hub.person()
    way = hub.gateway.enter_card(person, done=DONE, cancelled=CANCELLED, at=hub.at)
    with pytest.raises(cards.CardRefused):
        hub.stripe.person_enters_card(way.address, cards.DECLINED_AT_SETUP)
    (session,) = hub.stripe.all("checkout.session")
    for reference in (session["id"], session["setup_intent"]):
        state = hub.gateway.look_at_setup(reference)
        assert (state.person_id, state.card, state.failure) == (person, None, "the card was declined")


def test_a_setup_is_known_by_its_intent_too(hub: Hub):
    person = hub.person()
    enters(hub, person)
    (session,) = hub.stripe.all("checkout.session")
    assert hub.gateway.look_at_setup(session["setup_intent"]).card.last4 == "4242"
    assert hub.gateway.look_at_setup("seti_none") is None
    assert hub.gateway.look_at_setup("cs_none") is None


def test_a_forgotten_card_is_gone_however_often_it_is_forgotten(hub: Hub):
    session = enters(hub, hub.person())
    card = hub.gateway.look_at_setup(session).card
    hub.gateway.forget_card(card.reference)
    assert hub.gateway.look_at_card(card.reference) is None
    hub.clock.later(days=2)
    hub.gateway.forget_card(card.reference)
    hub.gateway.forget_card("pm_none")
    assert hub.gateway.look_at_setup(session).card is None  # a late event about it brings nothing back


def test_a_card_that_stripe_does_not_let_go_of_is_asked_for_again(hub: Hub):
    card = hub.gateway.look_at_setup(enters(hub, hub.person())).card
    hub.stripe.trouble(trouble.LOSE_REQUEST, "/detach")
    with pytest.raises(Unanswered):
        hub.gateway.forget_card(card.reference)


def test_a_card_entered_there_pays_at_the_months_end(hub: Hub):
    request = hub.owed(None)
    card = hub.gateway.look_at_setup(enters(hub, request.patron_id, cards.ASKS_AT_SETUP)).card
    paying = replace(request, card_reference=card.reference, customer=card.customer)
    assert isinstance(hub.gateway.charge(paying, hub.at), Done)


# Creators


def onboards(hub: Hub, person: int, *, finish: bool = True) -> str:
    way = hub.gateway.onboard(person, done=DONE, again=AGAIN, at=hub.at)
    assert hub.stripe.person_onboards(way.address, finish=finish) == DONE
    with hub.db.reading() as tx:
        account = counterparts.name(tx, "account", person)
    assert account is not None
    return account


def test_a_creator_can_be_paid_once_stripe_says_so(either_hub: Hub):
    hub = either_hub
    person = hub.person()
    account = onboards(hub, person, finish=False)
    begun = hub.gateway.look_at_account(account)
    assert (begun.person_id, begun.active, begun.closed) == (person, False, False)
    hub.clock.later(hours=1)
    assert onboards(hub, person) == account
    state = hub.gateway.look_at_account(account)
    assert (state.active, state.needs) == (True, ())
    assert hub.gateway.look_at_account("acct_none") is None


def test_what_stripe_wants_to_know_is_listed(hub: Hub):
    account = hub.stripe.has_account(active=False, country="FR")
    state = hub.gateway.look_at_account(account)
    assert state.country == "FR"
    assert not state.active


def test_a_creator_has_one_account_and_each_visit_a_link(hub: Hub):
    person = hub.person()
    ways = set()
    for _ in range(3):
        ways.add(hub.gateway.onboard(person, done=DONE, again=AGAIN, at=hub.at).address)
        hub.clock.later(seconds=7)
    assert len(ways) == 3
    assert len(hub.stripe.all("v2.core.account")) == 1


def test_a_link_that_was_left_too_long_leads_to_a_new_one(hub: Hub):
    way = hub.gateway.onboard(hub.person(), done=DONE, again=AGAIN, at=hub.at)
    assert hub.stripe.person_lets_link_expire(way.address) == AGAIN


def test_who_is_through_already_changes_what_they_said(hub: Hub):
    person = hub.person()
    onboards(hub, person)
    hub.clock.later(days=1)
    hub.gateway.onboard(person, done=DONE, again=AGAIN, at=hub.at)
    asked = [each.params["use_case"]["type"] for each in hub.stripe.requests if each.path.endswith("account_links")]
    assert asked == ["account_onboarding", "account_update"]


@pytest.mark.parametrize("what", trouble.ALL)
@pytest.mark.parametrize("where", ["/v2/core/accounts", "/v2/core/account_links"])
def test_onboarding_that_fails_is_tried_again_by_the_person(hub: Hub, what: str, where: str):
    person = hub.person()
    hub.stripe.trouble(what, where)
    with pytest.raises(Unanswered):
        hub.gateway.onboard(person, done=DONE, again=AGAIN, at=hub.at)
    hub.clock.later(minutes=1)
    assert hub.gateway.look_at_account(onboards(hub, person)).active
    if what != trouble.FAIL_AFTER:  # the fake makes another one then; the first was never kept, and stays empty
        assert len(hub.stripe.all("v2.core.account")) == 1


def test_an_account_that_cannot_be_looked_at_is_not_made_again(hub: Hub):
    person = hub.person()
    onboards(hub, person)
    hub.stripe.trouble(trouble.FAIL_UNSTORED, "/v2/core/accounts/", "GET", times=9)
    with pytest.raises(Unanswered):
        hub.gateway.onboard(person, done=DONE, again=AGAIN, at=hub.at)
    assert len(hub.stripe.all("v2.core.account")) == 1


def test_a_restricted_account_cannot_be_paid_and_a_closed_one_never(hub: Hub):
    person = hub.person()
    account = onboards(hub, person)
    hub.stripe.restrict(account)
    assert not hub.gateway.look_at_account(account).active
    hub.stripe.activate(account)
    assert hub.gateway.look_at_account(account).active
    hub.stripe.close(account)
    state = hub.gateway.look_at_account(account)
    assert (state.active, state.closed, state.person_id) == (False, True, person)


def test_who_closed_their_account_begins_anew_with_one_of_its_own(either_hub: Hub):
    hub = either_hub
    person = hub.person()
    accounts = []
    for _ in range(2):
        for _again in range(2):
            hub.clock.later(seconds=1)
            hub.gateway.onboard(person, done=f"{HUB}/payouts/done", again=AGAIN, at=hub.at)
        with hub.db.reading() as tx:
            accounts.append(counterparts.name(tx, "account", person))
        hub.stripe.close(accounts[-1])
    assert len(set(accounts)) == 2
    assert sum(each.path == "/v2/core/accounts" for each in hub.stripe.requests) == 2
    assert hub.gateway.look_at_account(accounts[0]).person_id == person


def test_a_payout_to_a_bank_is_seen_and_why_it_failed(hub: Hub):
    hub.stripe.top_up(5000)
    account = hub.stripe.has_account()
    hub.gateway.transfer(hub.payout(account, 900), hub.at)
    paid = hub.gateway.look_at_bank_payout(account, hub.stripe.bank_payout(account, 400))
    assert (paid.account, paid.amount_minor, paid.state, paid.reason) == (account, 400, "paid", None)
    failed = hub.gateway.look_at_bank_payout(account, hub.stripe.bank_payout(account, 100, fails="account_closed"))
    assert (failed.state, failed.reason) == ("failed", "the bank account is closed")
    assert hub.gateway.look_at_bank_payout(account, "po_none") is None
