"""What people are told of how their likes are read, and of what is held."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import select

from core.database import Database
from core.events import AccountRef, Liked, Revoked, ThingRef
from core.listings import books
from core.listings.marks import mark
from core.listings.tables import Listing
from core.people import linking, persons
from core.people.tables import Account
from core.rules import Rules
from tests.bot.conversation import Conversation
from tests.scene import Scene

ADA = AccountRef(platform="flickr", account_id="7@N00", handle="ada")


@pytest.fixture
def talk(sqlite_db: Database, rules: Rules, at) -> Conversation:
    scene = Scene(sqlite_db, rules, at)
    person = scene.patron("ada")
    with scene.db.transaction() as tx:
        linking.bind(tx, ADA, person_id=person, since=at, actor="test", at=at)
        account_id = persons.key(persons.account_of(tx, ADA))
        tx.add(Listing(account_id=account_id, platform="flickr", since=at, next_at=at, interval_seconds=600))
    return Conversation(scene)


def now(talk: Conversation, **values) -> str:
    with talk.scene.db.transaction() as tx:
        row = tx.exec(select(Listing)).one()
        for name, value in values.items():
            setattr(row, name, value)
    return talk.say("ada", "accounts")


def test_accounts_say_when_they_were_read_and_are_next(talk: Conversation) -> None:
    at = talk.scene.at
    assert "about to be read for the first time" in now(talk)
    text = now(talk, read_at=at - timedelta(minutes=5), next_at=at + timedelta(minutes=10))
    assert "Flickr: last seen 11:55 UTC, next 12:10 UTC." in text
    assert "late, but nothing is lost" in now(talk, next_at=at - timedelta(hours=1))


def test_accounts_say_since_when_a_platform_does_not_answer(talk: Conversation) -> None:
    at = talk.scene.at
    text = now(talk, read_at=at - timedelta(hours=2), failing_since=at - timedelta(hours=1), failures=1)
    assert "has not answered" not in text, "one failure is made good in a minute"
    text = now(talk, failures=3)
    assert "Flickr has not answered since 10:00 UTC; nothing is lost, I read on from there." in text


def test_accounts_tell_of_a_blind_spell_for_a_week(talk: Conversation) -> None:
    at = talk.scene.at
    spell = {"blind_from": at - timedelta(hours=30), "blind_until": at - timedelta(hours=6), "caught_up": 14}
    text = now(talk, read_at=at, next_at=at + timedelta(minutes=10), **spell)
    assert "I could not see Flickr from 9 November 2026, 06:00 UTC to 06:00 UTC; 14 likes caught up." in text
    talk.scene.later(days=7)
    at = talk.scene.at
    assert "could not see" not in now(talk, read_at=at, next_at=at + timedelta(minutes=10))


def test_accounts_whose_access_has_ended_are_not_said_to_be_read(talk: Conversation) -> None:
    talk.scene.record(Revoked(by=ADA))
    text = talk.say("ada", "accounts")
    assert "its access has ended" in text
    assert "last seen" not in text


def like_and_hold(talk: Conversation, *names: str) -> None:
    with talk.scene.db.transaction() as tx:
        account_id = persons.key(tx.exec(select(Account).where(Account.account_id == "7@N00")).one())
    for name in ("one", "two", "three"):
        thing = ThingRef(platform="flickr", native_id=name, url=f"https://flickr.example/{name}")
        author = AccountRef(platform="flickr", account_id="9@N00")
        talk.scene.record(Liked(by=ADA, thing=thing, author=author))
    with talk.scene.db.transaction() as tx:
        books.hold(tx, account_id, {mark(name) for name in names}, talk.scene.at)


def test_what_is_held_is_said_to_be(talk: Conversation) -> None:
    like_and_hold(talk, "one", "two")
    assert "2 more likes are held: Flickr stopped listing them all at once, so I look again." in talk.say(
        "ada", "status"
    )
    text = talk.say("ada", "list")
    assert text.count("held: Flickr stopped listing it; looking again") == 2
    assert "pending" in text
    like_and_hold(talk)
    assert "held" not in talk.say("ada", "list")


def test_what_was_held_at_closing_is_left_out_of_the_statement_and_said_to_be(talk: Conversation) -> None:
    person = talk.scene.person("maker")
    with talk.scene.db.transaction() as tx:
        ref = AccountRef(platform="flickr", account_id="9@N00")
        linking.bind(tx, ref, person_id=person, since=talk.scene.at, actor="test", at=talk.scene.at)
    talk.scene.creator("maker")
    like_and_hold(talk, "one")
    month = talk.scene.close_month()
    text = talk.say("ada", "statement")
    assert "for 2 likes" in text
    assert "1 like cost nothing, since Flickr had stopped listing it." in text
    like_and_hold(talk)
    patron = talk.scene.person("ada")
    assert sorted(talk.scene.states(patron, month)) == ["counts", "counts", "held"], "what is closed stays"
    assert "left out" in talk.say("ada", "list November")
    assert talk.scene.broken() == []


def test_a_second_like_of_the_same_thing_that_is_listed_keeps_it_counting(talk: Conversation) -> None:
    thing = ThingRef(platform="flickr", native_id="one", url="https://flickr.example/one")
    like_and_hold(talk, "one")
    patron = talk.scene.person("ada")
    assert sorted(talk.scene.states(patron)) == ["held", "pending", "pending"]
    talk.scene.record(Liked(by=talk.scene.account("ada"), thing=thing, author=None))
    assert talk.scene.states(patron) == ["pending"] * 3


def test_a_like_by_hand_is_in_no_list_and_is_never_held(talk: Conversation) -> None:
    talk.say("ada", "flattr https://pond.example/carol/song")
    like_and_hold(talk, "https://pond.example/carol/song", "one")
    patron = talk.scene.person("ada")
    assert sorted(talk.scene.states(patron)) == ["held", "pending", "pending", "pending"]
