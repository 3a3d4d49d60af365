"""What is said where real cards and accounts are used with money that is not real, and who cannot be paid yet."""

from __future__ import annotations

import pytest
from sqlmodel import select

from bot import announcements
from core.books import reversals
from core.charges import answering
from core.mail.tables import OutboxNote
from core.months.tables import Statement
from core.payments.gateway import Refused
from tests.bot.paying_talk import PayingTalk
from tests.platforms.hosted_processor import VISA
from tests.scene import Scene

MARK = "All money on this hub is test money"


@pytest.fixture
def talk(scene: Scene) -> PayingTalk:
    return PayingTalk(scene)


@pytest.mark.parametrize("pretend", [True, False], ids=["test mode", "live"])
@pytest.mark.parametrize("text", ["budget", "budget 12", "status", "list", "statement", "cap 5 per like", "earnings"])
def test_every_answer_with_a_sum_says_once_that_it_is_test_money(talk: PayingTalk, text: str, pretend: bool) -> None:
    talk.month()
    talk.songs("alice", 1)
    talk.house.pretend = pretend
    name = "carol" if text == "earnings" else "alice"
    answer = talk.say(name, text)
    assert " EUR" in answer
    assert answer.count(MARK) == pretend
    assert "pretend" not in answer


def test_every_note_with_a_sum_says_it_too(talk: PayingTalk) -> None:
    talk.month()
    for _ in range(3):  # the money of a patron's first months waits one payout run longer
        talk.scene.later(days=20)
        talk.scene.advance()
    with talk.scene.db.reading() as tx:
        notes = tx.exec(select(OutboxNote)).all()
        said = [announcements.render(tx, talk.talk, note, talk.scene.at).text for note in notes]
    assert {note.kind for note in notes} >= {"statement", "payout"}
    assert [text.count(MARK) for text in said if " EUR" in text] == [1] * sum(" EUR" in text for text in said)


def test_what_has_no_sum_in_it_is_not_marked(talk: PayingTalk) -> None:
    assert MARK not in talk.say("alice", "thanks")
    assert MARK not in talk.say("alice", "accounts")


def test_a_creator_who_has_joined_but_cannot_be_paid_is_not_said_to_be_missing(talk: PayingTalk) -> None:
    talk.say("alice", "budget 10")
    talk.songs("alice", 1)
    assert "pending: its creator has not joined yet. That costs nothing" in talk.say("alice", "status")
    talk.say("carol", "claim")
    assert "pending: its creator has joined, but cannot be paid yet." in talk.say("alice", "status")
    assert "pending, its creator has joined, but cannot be paid yet" in talk.say("alice", "list")
    talk.scene.like("alice", "tune", "dave")
    mixed = "2 more likes are pending: their creators have not joined, or cannot be paid yet."
    assert mixed in talk.say("alice", "status")
    assert "its creator has joined, but cannot be paid yet" in talk.say(
        "alice", "flattr https://pond.example/carol/song2"
    )
    assert "They have joined, but cannot be paid yet" in talk.say("alice", "subscribe https://pond.example/carol/song2")


def test_who_is_owed_nothing_or_cannot_be_paid_is_promised_no_payout(talk: PayingTalk) -> None:
    talk.joined("carol")
    talk.scene.later(days=2)  # the run of this month began: nobody was owed anything
    assert "Due to you: 0.00 EUR." in talk.say("carol", "earnings")
    talk.month()
    talk.scene.later(days=1)
    talk.scene.advance()
    assert "Due to you: 9.00 EUR; the next payout run is on" in talk.say("carol", "earnings")
    talk.told_processor("carol", active=False)
    answer = talk.say("carol", "earnings")
    assert "Due to you: 9.00 EUR." in answer
    assert "No money can be sent to you yet" in answer


def test_a_creator_sees_what_is_on_its_way_and_what_went_back(talk: PayingTalk) -> None:
    month = talk.month()
    talk.house.available = 0
    for _ in range(3):  # the money of a patron's first months waits one run longer
        talk.scene.later(days=20)
        talk.scene.advance()
    answer = talk.say("carol", "earnings")
    assert "Paid out to you so far: 0.00 EUR. On its way to you: 9.00 EUR. Due to you: 0.00 EUR" in answer
    assert "of it collected 9.00 EUR." in answer
    talk.house.available = 900
    talk.scene.later(days=1)
    talk.scene.advance()
    assert "Paid out to you so far: 9.00 EUR. Due to you: 0.00 EUR" in talk.say("carol", "earnings")
    with talk.scene.db.transaction() as tx:
        reversals.take_back(
            tx, statement_id=talk.statement_of("alice", month), amount_micros=1_000_000, source="dp_1", at=talk.scene.at
        )
    assert "went back to patrons" not in talk.say("carol", "earnings"), "what was paid out is not asked for again"


def test_a_creator_sees_what_went_back_to_patrons(talk: PayingTalk) -> None:
    month = talk.month()
    talk.scene.later(days=1)
    talk.scene.advance()
    with talk.scene.db.transaction() as tx:
        statement = talk.statement_of("alice", month)
        reversals.take_back(tx, statement_id=statement, amount_micros=10_000_000, source="dp_1", at=talk.scene.at)
    answer = talk.say("carol", "earnings")
    assert "Due to you: 0.00 EUR" in answer
    assert "of it collected 9.00 EUR, 9.00 EUR of that went back to patrons." in answer


def test_a_statement_that_is_given_up_is_not_said_to_be_tried_again(talk: PayingTalk) -> None:
    talk.house.answers[VISA.reference] = Refused("the card was declined")
    month = talk.month()
    with talk.scene.db.transaction() as tx:
        row = tx.get_one(Statement, talk.statement_of("alice", month))
        assert row.state == "due"
        answering.give_up(row, "lapsed", talk.scene.at)
    assert "to be charged" not in talk.say("alice", "status")
    for text in ("status", "statement"):
        assert "which is not tried any more; you owe nothing" in talk.say("alice", text)
    with talk.scene.db.reading() as tx:
        (note,) = tx.exec(select(OutboxNote).where(OutboxNote.kind == "declined")).all()
        assert "try again" not in announcements.render(tx, talk.talk, note, talk.scene.at).text


def test_help_with_cards_names_no_pretend_card(talk: PayingTalk) -> None:
    answer = talk.say("alice", "help card")
    assert "card remove" in answer
    assert "4242" not in answer
    assert "DIGITS" not in answer
    assert "last digits" not in answer
