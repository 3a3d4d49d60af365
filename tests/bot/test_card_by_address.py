"""What patrons read where cards are entered with a processor: addresses, the card on file, what is unpaid."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import select

from core.access import visits
from core.errands.tables import Errand
from core.payments.gateway import Refused
from core.people import persons
from tests.bot.paying_talk import PayingTalk
from tests.platforms.hosted_processor import VISA, WANTS_YOU
from tests.scene import Scene


@pytest.fixture
def talk(scene: Scene) -> PayingTalk:
    return PayingTalk(scene)


def test_card_gives_a_personal_address_for_ten_minutes(talk: PayingTalk) -> None:
    answer = talk.say("alice", "card")
    assert "You have no card here" in answer
    assert "ten minutes" in answer
    assert "Stripe" in answer
    assert "test money" in answer
    visit = talk.visit(talk.addresses(answer)["card"])
    assert visit is not None
    assert (visit.platform, visit.intent, visit.used_at) == ("hub:card", "", None)
    assert visit.expires_at == talk.scene.at + timedelta(minutes=10)
    with talk.scene.db.reading() as tx:
        account = persons.account_of(tx, talk.scene.account("alice"))
        assert account is not None
        assert visit.account_id == account.id
    assert talk.house.asked == []


def test_real_money_is_not_called_test_money(talk: PayingTalk) -> None:
    talk.house.pretend = False
    for text in ("card", "payouts", "hi", "budget 5"):
        answer = talk.say("bob", text)
        assert "test money" not in answer
        assert "pretend" not in answer


def test_a_new_address_ends_the_one_before(talk: PayingTalk) -> None:
    first, second = (talk.addresses(talk.say("alice", "card"))["card"] for _ in range(2))
    assert talk.visit(first) is None
    assert talk.visit(second) is not None


def test_the_card_on_file_is_shown_by_brand_and_last_four(talk: PayingTalk) -> None:
    talk.say("alice", "budget 10")
    talk.enters("alice")
    answer = talk.reply("alice", "card")
    assert "your Visa card ending in 4242" in answer.text
    assert "Enter another one" in answer.text
    assert [button.text for button in answer.buttons] == ["card remove"]
    assert VISA.reference not in answer.text
    assert "your Visa card ending in 4242" in talk.say("alice", "budget")


@pytest.mark.parametrize("text", ["card remove", "card none", "remove my card", "delete card"])
def test_a_removed_card_is_forgotten_at_the_processor_too(talk: PayingTalk, text: str) -> None:
    talk.say("alice", "budget 10")
    talk.enters("alice")
    assert "here and at Stripe" in talk.say("alice", text)
    with talk.scene.db.reading() as tx:
        assert [(row.kind, row.reference) for row in tx.exec(select(Errand))] == [("forget_card", VISA.reference)]
    assert "There is no card of yours here" in talk.say("alice", text)
    assert "You have no card here" in talk.say("alice", "card")


def test_no_card_is_chosen_or_entered_in_a_chat(talk: PayingTalk) -> None:
    answer = talk.reply("alice", "card 4242")
    assert "not chosen in a chat" in answer.text
    assert [button.text for button in answer.buttons] == ["card"]
    assert "never send a whole card number" in talk.say("alice", "card 4242 4242 4242 4242")
    assert talk.people() == 0


def test_a_budget_without_a_card_tells_to_write_card(talk: PayingTalk) -> None:
    answer = talk.reply("alice", "budget 10")
    assert 'write "card" to enter one' in answer.text
    assert "card" in [button.text for button in answer.buttons]
    assert 'write "card"' in talk.say("alice", "budget")
    talk.enters("alice")
    assert 'write "card"' not in talk.say("alice", "budget 12")


def test_who_asks_too_often_keeps_the_answer_and_waits_for_the_address(talk: PayingTalk) -> None:
    talk.say("alice", "budget 10")
    talk.enters("alice")
    for _ in range(visits.MOST):
        talk.say("alice", "card")
    answer = talk.say("alice", "card")
    assert "ending in 4242" in answer
    assert "Wait an hour" in answer
    assert talk.addresses(answer) == {}


def test_what_could_not_be_collected_is_shown_with_its_own_door(talk: PayingTalk) -> None:
    talk.house.answers[VISA.reference] = WANTS_YOU
    month = talk.month()
    answer = talk.say("alice", "card")
    assert "10.00 EUR for November 2026 could not be collected yet: your bank wants you to confirm it." in answer
    doors = talk.addresses(answer)
    assert doors["pay"] == doors["card"], "two doors of one address: using one does not end the other"
    visit = talk.visit(doors["pay"])
    assert visit is not None
    assert visit.intent == f"pay:{talk.statement_of('alice', month)}"


def test_without_a_card_the_first_thing_is_to_enter_one(talk: PayingTalk) -> None:
    talk.house.answers[VISA.reference] = Refused("the card was declined")
    talk.month()
    talk.say("alice", "card remove")
    answer = talk.say("alice", "card")
    assert "could not be collected yet" in answer
    assert set(talk.addresses(answer)) == {"card"}


def test_what_is_collected_or_given_up_has_no_door(talk: PayingTalk) -> None:
    talk.month()
    assert set(talk.addresses(talk.say("alice", "card"))) == {"card"}
    talk.house.answers[VISA.reference] = Refused("the card was lost", final=True)
    talk.songs("alice", 1)
    talk.scene.close_month()
    assert set(talk.addresses(talk.say("alice", "card"))) == {"card"}


def test_nobody_sees_what_another_owes_or_pays_with(talk: PayingTalk) -> None:
    talk.house.answers[VISA.reference] = WANTS_YOU
    talk.month()
    answer = talk.say("mallory", "card")
    assert "4242" not in answer
    assert "10.00" not in answer
    assert set(talk.addresses(answer)) == {"card"}


def test_every_button_is_understood_and_the_answers_fit(talk: PayingTalk) -> None:
    talk.house.answers[VISA.reference] = WANTS_YOU
    talk.month()
    for text in ("card", "card 4242", "budget 10", "payouts", "claim", "earnings", "help card", "help payouts"):
        for name in ("alice", "carol", "dave"):
            answer = talk.reply(name, text)
            assert len(answer.text) <= 2_000
            for button in answer.buttons:
                assert "did not understand" not in talk.say("someone", button.text), button


def test_the_sandbox_chooses_cards_as_ever(scene: Scene) -> None:
    from tests.bot.conversation import Conversation

    sandbox = Conversation(scene)
    answer = sandbox.say("alice", "card")
    assert "pretend money" in answer
    assert "https://" not in answer
    assert "4242 (always pays)" in sandbox.say("alice", "card 4242")
    assert "forgotten. Without one" in sandbox.say("alice", "card remove")
