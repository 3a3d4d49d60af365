"""Answers that must not say more, or less, than what is so."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from bot.commands import parse
from bot.hearing import said
from core.database import Database
from core.money import currency
from core.people.tables import Account, Pause, Person
from core.rules import Rules
from tests.bot.conversation import Conversation
from tests.scene import Scene

SONG = "https://pond.example/carol/song"


@pytest.fixture
def talk(sqlite_db: Database, rules: Rules, at: datetime) -> Conversation:
    return Conversation(Scene(sqlite_db, rules, at))


@pytest.mark.parametrize(
    "text",
    [
        *("stop yes?", "decline yes?", "pause?", "skip?", "budget 9 now?", "claim?", "resume?", "link?", "yes?"),
        *("unlink pond?", "card none?", "cap 1 per like?", "cover on?", f"{SONG}2?", "ignore pond:id-carol?"),
        *("subscribe pond:id-carol?", "remove 1?", "export?"),
    ],
)
def test_a_question_changes_nothing_and_says_what_to_send(talk: Conversation, text: str) -> None:
    talk.say("alice", "budget 5")
    talk.say("alice", f"{SONG}1")
    before = _known(talk)
    answer = talk.reply("alice", text)
    assert _known(talk) == before
    assert f'"{text.rstrip("?")}"' in answer.text
    assert not isinstance(parse(answer.buttons[0].text), said.Unknown)


def _known(talk: Conversation) -> list[str]:
    exported = talk.say("alice", "export")
    with talk.scene.db.reading() as tx:
        rows = [*tx.exec(select(Person)).all(), *tx.exec(select(Account)).all(), *tx.exec(select(Pause)).all()]
        return [exported, *(str(row.model_dump(exclude={"spoke_at"})) for row in rows)]


def test_the_next_payout_run_is_never_in_the_past(talk: Conversation) -> None:
    talk.scene.at = datetime(2026, 11, 22, 12, tzinfo=UTC)
    talk.say("carol", "claim")
    assert "11 November 2026" not in talk.say("carol", "earnings")


def test_a_claim_says_that_it_takes_a_decline_back(talk: Conversation) -> None:
    talk.say("carol", "claim")
    talk.say("carol", "decline yes")
    assert "Your decline is taken back; you receive again." in talk.say("carol", "claim")
    assert "You receive already." in talk.say("carol", "claim")
    talk.say("carol", "decline yes")
    assert "You receive again." in talk.say("carol", "decline undo")
    talk.say("dave", "decline yes")
    assert "Your decline is taken back" in talk.say("dave", "claim")


def test_declining_tells_what_counts_from_what_is_pending(talk: Conversation) -> None:
    talk.say("alice", "budget 5")
    talk.say("alice", f"{SONG}1")
    talk.say("alice", "https://pond.example/dave/song")
    talk.say("carol", "claim")
    assert "1 like, which counts now, would be void for good" in talk.say("carol", "decline")
    assert "1 pending like would be void" in talk.say("dave", "decline")
    assert " 1 like is void" in talk.say("carol", "decline yes")
    assert " 1 pending like is void" in talk.say("dave", "decline yes")


def test_after_an_ignore_the_older_likes_count_at_once_and_those_made_meanwhile_never(talk: Conversation) -> None:
    talk.say("carol", "claim")
    talk.say("alice", "budget 5")
    talk.songs("alice", 2)
    talk.say("alice", "ignore pond:id-carol")
    talk.say("alice", f"{SONG}3")
    answer = talk.say("alice", "unignore pond:id-carol")
    assert "2 older likes of November 2026 are no longer left out" in answer
    assert "while you ignored them does not" in answer
    assert "2 likes count" in talk.say("alice", "status")


@pytest.mark.parametrize(("songs", "wanted"), [(1, "1 older like for your things now counts."), (2, "now count.")])
def test_linking_tells_how_many_older_likes_count(talk: Conversation, songs: int, wanted: str) -> None:
    talk.say("carol", "claim", "lake")
    talk.say("alice", "budget 5")
    talk.songs("alice", songs, "dave")
    talk.scene.close_month()
    talk.say("dave", talk.code("carol", "lake"))
    assert wanted in talk.say("carol", "yes", "lake")


@pytest.mark.parametrize(("text", "wanted"), [("no, stop", '"no" or "stop"'), ("do not pause", '"resume"')])
def test_what_is_said_by_halves_gets_help(talk: Conversation, text: str, wanted: str) -> None:
    assert wanted in talk.say("alice", text)


@pytest.mark.parametrize("text", ["link AAAAA-BBBBB", "AAAAA-BBBBB"])
def test_a_code_with_wrong_letters_is_told_so(talk: Conversation, text: str) -> None:
    answer = talk.say("alice", text)
    assert "AAAAA-BBBBB is not a code" in answer
    assert "network" not in answer


@pytest.mark.parametrize(("least", "hint"), [(2, "budget 5"), (300, "budget 500"), (1000, "budget 1000")])
def test_hints_fit_the_currency_and_its_smallest_budget(talk: Conversation, least: int, hint: str) -> None:
    rules = dataclasses.replace(
        talk.scene.rules,
        money=currency("JPY"),
        budget_min_micros=least * 1_000_000,
        budget_max_micros=500_000 * 1_000_000,
    )
    talk.talk = dataclasses.replace(talk.talk, rules=rules)
    first = talk.reply("alice", "hi")
    assert f'"{hint}" (from {least} JPY a month)' in first.text
    assert first.buttons[0].text == hint
    assert "cap 50 per like" in talk.say("alice", "cap")
    for text in (hint, talk.reply("bob", "budget").buttons[1].text):
        assert f"{text.split()[1]} JPY a month from" in talk.say(f"new{text.split()[1]}", text)


@given(st.sampled_from(["stop yes", "budget 9 now", "claim", "pause"]), st.text(max_size=10))
def test_nothing_that_ends_in_a_question_mark_changes_anything(text: str, noise: str) -> None:
    command = parse(f"{noise} {text}?")
    sure = getattr(command, "sure", False)
    assert not sure
    assert isinstance(command, said.Reading | said.Guess | said.Stop | said.Decline)
