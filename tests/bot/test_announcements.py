"""What the hub says on its own accord: each note as the patron or creator reads it."""

from __future__ import annotations

from datetime import datetime

import pytest

from core.database import Database
from core.rules import Rules
from tests.bot.conversation import Conversation
from tests.scene import Scene


@pytest.fixture
def talk(sqlite_db: Database, rules: Rules, at: datetime) -> Conversation:
    return Conversation(Scene(sqlite_db, rules, at))


def month_of(talk: Conversation, card: str = "4242", likes: int = 10) -> None:
    talk.say("carol", "claim")
    talk.say("alice", "budget 35")
    talk.say("alice", f"card {card}")
    talk.songs("alice", likes)
    talk.scene.month_over()
    talk.scene.advance()


def test_the_review_shows_the_list_its_worth_and_until_when(talk: Conversation) -> None:
    month_of(talk)
    (note,) = talk.notes("review")
    for part in (
        "November 2026 is in review until 3 December 2026, 01:00 UTC",
        "10 likes count, each worth 3.15 EUR",
        "35.00 EUR will be charged, of it 3.50 EUR fee",
        "10. Song10 (carol on Pond): 3.15 EUR",
        "If all is well, do nothing",
        '"remove 1"',
    ):
        assert part in note.text
    assert [button.text for button in note.buttons] == ["skip 2026-11"]
    assert "You skip November 2026" in talk.say("alice", note.buttons[0].text)


def test_a_skip_pressed_too_late_skips_no_other_month(talk: Conversation) -> None:
    month_of(talk)
    (note,) = talk.notes("review")
    talk.scene.later(days=2)
    talk.scene.advance()
    assert "too late" in talk.say("alice", note.buttons[0].text)
    assert "You skip" not in talk.say("alice", "status")


def test_a_review_told_after_it_ended_says_so(talk: Conversation) -> None:
    month_of(talk)
    talk.scene.later(days=2)
    talk.scene.advance()
    assert "closed by now" in talk.notes("review")[0].text


def test_a_long_review_fits_into_a_message_or_two(talk: Conversation) -> None:
    month_of(talk, likes=60)
    (note,) = talk.notes("review")
    assert len(note.text) < 2_000
    assert "list page 2" in [button.text for button in note.buttons]


def test_the_statement_adds_up(talk: Conversation) -> None:
    month_of(talk)
    talk.scene.later(days=2)
    talk.scene.advance()
    (note,) = talk.notes("statement")
    assert note.text.count(", 3.15 EUR") == 10
    assert "The hub's fee: 3.50 EUR" in note.text
    assert "35.00 EUR, collected on 3 December 2026" in note.text
    assert "pretend money" in note.text


def test_a_month_without_payable_likes_says_that_nothing_was_charged(talk: Conversation) -> None:
    talk.say("alice", "budget 35")
    talk.songs("alice", 1)
    talk.scene.close_month()
    (note,) = talk.notes("statement")
    assert "nothing was charged" in note.text
    assert "1 like cost nothing: its creator had not joined" in note.text


def test_a_declined_card_says_why_when_and_what_to_do(talk: Conversation) -> None:
    month_of(talk, card="0002")
    talk.scene.later(days=2)
    talk.scene.advance()
    (note,) = talk.notes("declined")
    for part in ("35.00 EUR for November 2026", "the card was declined", "try again on 4 December 2026", '"card"'):
        assert part in note.text
    assert "declined 1 time so far" in talk.say("alice", "statement")
    talk.say("alice", "card 4242")
    talk.scene.later(days=1)
    talk.scene.advance()
    assert "Something changed" in talk.notes("declined")[0].text


def test_what_lapsed_is_not_owed(talk: Conversation) -> None:
    month_of(talk, card="0069")
    talk.scene.later(days=2)
    talk.scene.advance()
    (note,) = talk.notes("lapsed")
    assert "You owe nothing" in note.text
    assert "lapsed; you owe nothing" in talk.say("alice", "statement")


def test_a_payout_is_told_to_its_creator(talk: Conversation) -> None:
    month_of(talk)
    for _ in range(80):
        talk.scene.later(days=1)
        talk.scene.advance()
    (note,) = talk.notes("payout")
    assert "31.50 EUR for your things" in note.text
    assert "Paid out to you so far: 31.50 EUR" in talk.say("carol", "earnings")


def test_patrons_hear_which_older_likes_count_since_their_creator_joined(talk: Conversation) -> None:
    talk.say("alice", "budget 35")
    talk.songs("alice", 2)
    talk.scene.close_month()
    talk.say("alice", "https://pond.example/carol/song3")
    talk.say("carol", "claim")
    (note,) = talk.notes("claimed")
    assert "carol on Pond has joined: 3 likes of yours now count in December 2026, 2 of them from earlier" in note.text
    assert "each worth 10.50 EUR" in note.text
    assert "from December 2026" in note.text
    talk.say("alice", "remove 1 2 3")
    assert "Something changed" in talk.notes("claimed")[0].text


def test_a_note_with_words_of_its_own_is_said_as_it_is(talk: Conversation) -> None:
    talk.say("alice", "budget 5")
    assert talk.note(kind="merged", source="merge:1:2", text="Two are one.").text == "Two are one."


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        ("review", "review:24323:99"),
        ("statement", "statement:99"),
        ("declined", "declined:99:1"),
        ("lapsed", "lapsed:99"),
        ("payout", "payout:99"),
        ("claimed", "claim:99:1:24323"),
        ("link_offer", "link:99"),
        ("relink", "relink:99"),
        ("news", "from the future"),
        ("review", "review"),
    ],
)
def test_a_note_about_nothing_is_still_a_sentence(talk: Conversation, kind: str, source: str) -> None:
    talk.say("alice", "budget 5")
    text = talk.note(kind=kind, source=source).text
    assert text.endswith(".")
    assert len(text) < 300
