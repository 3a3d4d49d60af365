"""The statement in the conversation: short words, the picture's name, and a personal address of the page."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlmodel import col, select

from bot import announcements, picturing
from bot.answers.statement import FEW
from bot.talk import Reply
from connectors.speaking import Picture
from core.access import visits
from core.access.tables import Visit
from core.mail.tables import OutboxNote
from core.months.statements import PatronStatement
from core.people import persons
from tests.bot.conversation import Conversation
from tests.scene import Scene


def drawn(found: PatronStatement) -> Picture:
    return Picture(name="a.png", content=b"png", alt=f"{found.charge_micros}")


@pytest.fixture
def talk(scene: Scene) -> Conversation:
    """Ann has given carol for three songs."""
    made = Conversation(scene)
    made.talk = replace(made.talk, address="https://hub.example", picture=drawn)
    made.say("carol", "claim")
    made.say("ann", "budget 10")
    made.songs("ann", 3)
    scene.close_month()
    return made


def visit(talk: Conversation, reply: Reply, page: str) -> Visit | None:
    """What the address in a reply leads to."""
    found = re.search(rf"https://hub\.example/{page}/([A-Za-z0-9_-]{{43}})", reply.text)
    if found is None:
        return None
    with talk.scene.db.reading() as tx:
        row = visits.look(tx, found[1], talk.scene.at)
        if row is not None:
            tx.expunge(row)
        return row


def unasked(talk: Conversation) -> tuple[OutboxNote, Reply]:
    with talk.scene.db.transaction() as tx:
        note = tx.exec(select(OutboxNote).where(OutboxNote.kind == "statement").order_by(col(OutboxNote.id))).first()
        assert note is not None
        reply = announcements.render(tx, talk.talk, note, talk.scene.at)
        tx.expunge(note)
        return note, reply


def test_a_statement_names_its_picture_and_its_page(talk: Conversation) -> None:
    reply = talk.reply("ann", "statement")
    row = visit(talk, reply, "statement")
    assert row is not None
    assert (row.platform, row.intent) == ("hub:statement", "2026-11")
    assert row.expires_at - row.created_at == visits.LIFE
    assert re.fullmatch(r"statement:\d+", reply.picture or "")
    assert "good for ten minutes" in reply.text


def test_a_statement_that_comes_unasked_has_an_address_of_a_day_for_where_it_goes(talk: Conversation) -> None:
    _note, reply = unasked(talk)
    row = visit(talk, reply, "statement")
    assert row is not None
    assert row.expires_at - talk.scene.at == timedelta(days=1)
    assert reply.picture is not None
    assert "Thank you" in reply.text
    with talk.scene.db.reading() as tx:
        mine = persons.account_of(tx, talk.scene.account("ann"))
        assert mine is not None
        assert row.account_id == mine.id


def test_earnings_have_a_page_too(talk: Conversation) -> None:
    row = visit(talk, talk.reply("carol", "earnings"), "earnings")
    assert row is not None
    assert row.platform == "hub:earnings"


def test_the_newest_address_is_the_one_that_works(talk: Conversation) -> None:
    first, second = talk.reply("ann", "statement"), talk.reply("ann", "statement")
    assert visit(talk, first, "statement") is None
    assert visit(talk, second, "statement") is not None


def test_who_asks_too_often_gets_the_words_without_an_address(talk: Conversation) -> None:
    for _ in range(visits.MOST):
        talk.reply("ann", "statement")
    reply = talk.reply("ann", "statement")
    assert "10.00 EUR" in reply.text
    assert "https://hub.example" not in reply.text


def test_with_a_page_the_words_are_short_and_still_add_up(scene: Scene) -> None:
    made = Conversation(scene)
    made.talk = replace(made.talk, address="https://hub.example")
    made.say("carol", "claim")
    made.say("ann", "budget 10")
    made.songs("ann", FEW + 8)
    scene.close_month()
    text = made.say("ann", "statement")
    assert text.count(" by carol, ") == FEW
    assert "and 8 more, 3.60 EUR together, which the page has." in text
    assert len(text) < 2000
    made.talk = replace(made.talk, address="")
    assert made.say("ann", "statement").count(" by carol, ") == FEW + 8


def test_the_picture_is_made_from_what_is_true_when_it_is_sent(talk: Conversation) -> None:
    note, reply = unasked(talk)
    note.picture = reply.picture
    with talk.scene.db.reading() as tx:
        assert picturing.picture(tx, talk.talk, note) == Picture(name="a.png", content=b"png", alt="10000000")


@pytest.mark.parametrize(
    "name", [None, "", "statement:", "statement:x", "statement:999999", "payout:1", "statement:-1"]
)
def test_a_picture_that_nobody_can_make_is_none(talk: Conversation, name: str | None) -> None:
    note, _ = unasked(talk)
    note.picture = name
    with talk.scene.db.reading() as tx:
        assert picturing.picture(tx, talk.talk, note) is None


def test_a_hub_that_cannot_draw_sends_words(talk: Conversation) -> None:
    note, reply = unasked(talk)
    note.picture = reply.picture
    with talk.scene.db.reading() as tx:
        assert picturing.picture(tx, replace(talk.talk, picture=None), note) is None


def test_where_nothing_was_charged_there_is_nothing_to_see(scene: Scene) -> None:
    made = Conversation(scene)
    made.say("ann", "budget 10")
    made.say("ann", "https://pond.example/stranger/song1")
    scene.close_month()
    reply = made.reply("ann", "statement")
    assert "nothing was charged" in reply.text
    assert reply.picture is None
