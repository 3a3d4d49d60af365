"""What creators read who want to be paid: where the money goes, what is missing, what is due."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from core.access import visits
from core.people.tables import Person
from core.recipients import onboarding
from core.recipients.tables import Recipient
from tests.bot.conversation import Conversation
from tests.bot.paying_talk import PayingTalk
from tests.scene import Scene

SONG = "https://pond.example/carol/song"


@pytest.fixture
def talk(scene: Scene) -> PayingTalk:
    return PayingTalk(scene)


def recipient(talk: PayingTalk, name: str) -> Recipient | None:
    with talk.scene.db.reading() as tx:
        return onboarding.recipient_of(tx, talk.person(name))


def test_payouts_claims_and_gives_a_personal_address(talk: PayingTalk) -> None:
    talk.say("alice", "budget 10")
    talk.say("alice", f"{SONG}1")
    answer = talk.say("carol", "payouts")
    for part in (
        "You have claimed this account",
        "stays pending",
        "who you are and where the money goes",
        "ten minutes",
    ):
        assert part in answer
    assert "test money" in answer
    visit = talk.visit(talk.addresses(answer)["payouts"])
    assert visit is not None
    assert (visit.platform, visit.intent) == ("hub:payouts", "")
    assert visit.expires_at == talk.scene.at + timedelta(minutes=10)
    with talk.scene.db.reading() as tx:
        person = tx.get_one(Person, talk.person("carol"))
        assert person.receives_since == talk.scene.at
        assert person.payable_since is None
    assert "You have claimed" not in talk.say("carol", "payouts"), "the second time it is known"


@pytest.mark.parametrize("text", ["pay me out", "payout", "bank account", "can you pay me out please"])
def test_it_is_asked_for_in_many_words(talk: PayingTalk, text: str) -> None:
    assert set(talk.addresses(talk.say("carol", text))) == {"payouts"}


def test_a_question_claims_nothing(talk: PayingTalk) -> None:
    for text in ("payouts?", "how do payouts work?", "bank account?"):
        answer = talk.say("carol", text)
        assert "It claims, too" in answer
        assert talk.addresses(answer) == {}
    assert talk.people() == 0


def test_claim_tells_to_write_payouts_until_money_can_be_sent(talk: PayingTalk) -> None:
    answer = talk.reply("carol", "claim")
    assert 'Write "payouts"' in answer.text
    assert [button.text for button in answer.buttons] == ["payouts"]
    row = recipient(talk, "carol")
    assert row is not None, "from here the reminders count"
    assert row.began_at == talk.scene.at
    assert 'write "payouts"' in talk.say("carol", "earnings")
    talk.told_processor("carol")
    assert 'write "payouts"' not in talk.say("carol", "earnings")
    assert "You receive already" in talk.say("carol", "claim")


def test_what_is_missing_is_named_in_plain_words(talk: PayingTalk) -> None:
    talk.say("carol", "payouts")
    needs = (
        "identity.individual.documents.primary_verification",
        "configuration.recipient.default_outbound_destination",
    )
    talk.told_processor("carol", active=False, needs=needs)
    answer = talk.say("carol", "payouts")
    assert "still wants to know a picture of your identity document and your bank account" in answer
    assert "payouts" in talk.addresses(answer)
    assert "." not in answer.split("still wants to know ")[1].split(".\n")[0]


def test_while_the_processor_looks_nothing_is_asked(talk: PayingTalk) -> None:
    talk.say("carol", "payouts")
    talk.told_processor("carol", active=False)
    assert "is looking at what you told it" in talk.say("carol", "payouts")


def test_once_money_can_be_sent_it_says_so_and_what_is_due(talk: PayingTalk) -> None:
    talk.joined("carol")
    answer = talk.say("carol", "payouts")
    assert "Money can be sent to you" in answer
    assert "Nothing is due to you at present" in answer
    assert "payouts" in talk.addresses(answer), "to change the bank account"
    talk.month()
    assert "Due to you: 9.00 EUR" in talk.say("carol", "payouts")


def test_a_country_that_is_not_on_the_list_is_told_with_the_rule_and_gets_no_address(talk: PayingTalk) -> None:
    talk.scene.rules = replace(talk.scene.rules, countries=frozenset({"DE", "AT"}))
    talk.talk = replace(talk.talk, rules=talk.scene.rules)
    talk.say("carol", "payouts")
    talk.told_processor("carol", country="US")
    answer = talk.say("carol", "payouts")
    assert "to United States: the operator of this hub pays creators in Austria and Germany" in answer
    assert talk.addresses(answer) == {}


def test_an_account_that_is_restricted_keeps_what_is_due(talk: PayingTalk) -> None:
    talk.month()
    talk.told_processor("carol", active=False, needs=("individual.id_number",))
    answer = talk.say("carol", "payouts")
    assert "At present no money can be sent to you: Stripe wants to know your tax or identity number" in answer
    assert "What is due to you stays due" in answer
    assert "Due to you: 9.00 EUR" in answer


def test_who_asks_too_often_still_hears_how_things_stand(talk: PayingTalk) -> None:
    for _ in range(visits.MOST):
        talk.say("carol", "payouts")
    answer = talk.say("carol", "payouts")
    assert "Wait an hour" in answer
    assert "who you are and where the money goes" in answer


def test_in_the_sandbox_payouts_are_explained(scene: Scene) -> None:
    sandbox = Conversation(scene)
    sandbox.say("alice", "budget 10")
    sandbox.say("alice", f"{SONG}1")
    answer = sandbox.say("carol", "payouts")
    for part in ("You receive now", "1 like of 1 patron now counts", "pretend payouts", "Nothing is due"):
        assert part in answer
    assert "https://" not in answer
    sandbox.scene.close_month()
    assert "Due to you: 9.00 EUR" in sandbox.say("carol", "payouts")
