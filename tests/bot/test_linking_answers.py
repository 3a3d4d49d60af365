"""What the bot answers to who wants to link an account by signing in."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlmodel import select

from bot.commands import parse
from bot.hearing import said
from bot.talk import PlatformFacts, Talk
from core.access import admission, visits
from core.access.tables import Visit
from core.events import AccountRef, Revoked
from core.people import linking, persons
from tests.bot.conversation import PLATFORMS, Conversation, resolve
from tests.scene import Scene

ADDRESS = re.compile(r"^https://hub\.example/link/([A-Za-z0-9_-]{43})$", re.MULTILINE)
CODE = re.compile(r"\b[A-Z]{5}-[A-Z]{5}\b")
FLICKR = AccountRef(platform="flickr", account_id="12345@N00", handle="annie")


@pytest.fixture
def talk(scene: Scene) -> Conversation:
    conversation = Conversation(scene)
    conversation.talk = Talk(
        rules=scene.rules,
        gateway=scene.gateway,
        platforms={**PLATFORMS, "cove": PlatformFacts(title="Cove", speaks=True, linking=True, pages=True)},
        resolve=resolve,
        address="https://hub.example",
    )
    return conversation


def visit_of(talk: Conversation, answer: str) -> Visit:
    found = ADDRESS.search(answer)
    assert found, answer
    with talk.scene.db.reading() as tx:
        visit = visits.look(tx, found[1], talk.scene.at)
        assert visit is not None
        return visit


def test_a_network_without_messages_is_linked_at_a_personal_address(talk: Conversation) -> None:
    answer = talk.say("ann", "link flickr")
    assert "ten minutes" in answer
    assert not CODE.search(answer)
    visit = visit_of(talk, answer)
    assert (visit.platform, visit.intent) == ("flickr", "link")
    assert visit.expires_at == talk.scene.at + timedelta(minutes=10)
    with talk.scene.db.reading() as tx:
        account = persons.account_of(tx, talk.scene.account("ann"))
        assert account is not None
        assert visit.account_id == account.id


def test_where_people_can_do_both_both_are_offered(talk: Conversation) -> None:
    answer = talk.say("ann", "link cove")
    assert visit_of(talk, answer).platform == "cove"
    found = CODE.search(answer)
    assert found
    assert "Now answer yes on Pond" in talk.say("ann", found[0], "cove")
    assert "Linked" in talk.say("ann", "yes")


def test_on_the_network_itself_signing_in_is_the_way(talk: Conversation) -> None:
    answer = talk.say("ann", "link cove", "cove")
    assert visit_of(talk, answer).platform == "cove"
    assert not CODE.search(answer)


@pytest.mark.parametrize("text", ["link cove page", "link my Cove pages", "connect cove page please"])
def test_pages_take_a_sign_in_of_their_own(talk: Conversation, text: str) -> None:
    answer = talk.say("ann", text)
    assert visit_of(talk, answer).intent == "receive"
    assert "which pages" in answer


@pytest.mark.parametrize(
    ("text", "words"), [("link flickr page", '"link flickr" is all'), ("link github page", "nothing is needed")]
)
def test_where_pages_need_nothing_it_says_so(talk: Conversation, text: str, words: str) -> None:
    answer = talk.say("ann", text)
    assert words in answer
    assert "claim" in answer
    assert not ADDRESS.search(answer)


def test_the_word_page_alone_names_no_network(talk: Conversation) -> None:
    assert parse("link page") == said.Link("page")
    assert "no network named page" in talk.say("ann", "link page")


def test_a_new_address_ends_the_one_before(talk: Conversation) -> None:
    first, second = talk.say("ann", "link flickr"), talk.say("ann", "link flickr")
    visit_of(talk, second)
    with pytest.raises(AssertionError):
        visit_of(talk, first)


def test_who_asks_too_often_is_told_to_wait(talk: Conversation) -> None:
    for _ in range(visits.MOST):
        visit_of(talk, talk.say("ann", "link flickr"))
    assert "Wait an hour" in talk.say("ann", "link flickr")
    visit_of(talk, talk.say("ben", "link flickr"))


def test_a_question_makes_no_address(talk: Conversation) -> None:
    assert not ADDRESS.search(talk.say("ann", "link flickr?"))
    with talk.scene.db.reading() as tx:
        assert tx.exec(select(Visit)).all() == []


def test_what_the_page_says_to_send_takes_the_account_away(talk: Conversation) -> None:
    talk.say("ann", "link flickr")
    with talk.scene.db.transaction() as tx:
        by = talk.scene.account("ann")
        admission.admit(tx, talk.scene.rules, by=by, account=FLICKR, at=talk.scene.at)
    assert "annie on Flickr (flickr:12345@N00)" in talk.say("ann", "accounts")
    assert "no longer linked" in talk.say("ann", f"unlink {FLICKR}")
    assert "flickr:" not in talk.say("ann", "accounts")


@pytest.mark.parametrize("ref", ["flickr:12345@N00", "soundcloud:soundcloud:users:123", "dailymotion:x1vy1cl"])
def test_every_account_can_be_named(ref: str) -> None:
    assert parse(f"unlink {ref}") == said.Unlink(ref)


def test_the_question_about_a_sign_in_speaks_of_no_code(talk: Conversation) -> None:
    talk.say("ann", "budget 10")
    talk.say("ben", "budget 20")
    with talk.scene.db.transaction() as tx:
        ben = persons.ensure_person(tx, talk.scene.account("ben"), talk.scene.at)
        linking.bind(tx, FLICKR, person_id=persons.key(ben), since=talk.scene.at, actor="test", at=talk.scene.at)
    for answer, words in (("no", "is not linked."), ("yes", "is yours here")):
        with talk.scene.db.transaction() as tx:
            by = talk.scene.account("ann")
            admission.admit(tx, talk.scene.rules, by=by, account=FLICKR, at=talk.scene.at)
        question = talk.notes("link_offer")[-1].text
        assert "signed in" in question
        assert "one budget is left" in question
        assert "code" not in question
        told = talk.say("ben", answer)
        assert words in told
        assert "code" not in told
    with talk.scene.db.reading() as tx:
        refs = (FLICKR, talk.scene.account("ann"), talk.scene.account("ben"))
        owners = [persons.person_of(tx, ref) for ref in refs]
        assert len({owner.id for owner in owners if owner is not None}) == 1


@pytest.mark.parametrize("text", ["link x", "link twitter", "link Twitter/X", "link twiter", "link my x account"])
def test_either_half_of_a_title_names_the_network(talk: Conversation, text: str) -> None:
    talk.talk = replace(
        talk.talk,
        platforms={
            **talk.talk.platforms,
            "twitter": PlatformFacts(title="Twitter/X", speaks=True, linking=True, likes=False),
        },
    )
    answer = talk.say("ann", text)
    assert visit_of(talk, answer).platform == "twitter"
    assert "Likes on Twitter/X do not count on this hub" in answer


def test_link_alone_names_the_networks_where_people_sign_in(talk: Conversation) -> None:
    answer = talk.say("ann", "link")
    assert CODE.search(answer)
    assert 'say "link flickr"' in answer


def test_accounts_whose_likes_do_not_count_are_said_to_be_so(talk: Conversation) -> None:
    likeless = PlatformFacts(title="Flickr", speaks=False, linking=True, likes=False)
    talk.talk = replace(talk.talk, platforms={**talk.talk.platforms, "flickr": likeless})
    with talk.scene.db.transaction() as tx:
        admission.admit(tx, talk.scene.rules, by=talk.scene.account("ann"), account=FLICKR, at=talk.scene.at)
    assert "Likes on Flickr do not count on this hub" in talk.say("ann", "accounts")
    assert "Likes on Flickr do not count on this hub" in talk.say("ann", "resume flickr")
    talk.say("ann", "pause flickr")
    assert "Likes on Flickr do not count on this hub" in talk.say("ann", "resume flickr")


def test_who_is_to_link_again_is_told_which_account_and_what_to_send(talk: Conversation) -> None:
    with talk.scene.db.transaction() as tx:
        admission.admit(tx, talk.scene.rules, by=talk.scene.account("ann"), account=FLICKR, at=talk.scene.at)
    talk.scene.record(Revoked(by=FLICKR))
    [note] = talk.notes("relink")
    assert "annie on Flickr" in note.text
    assert '"link flickr" renews it' in note.text
    assert [button.text for button in note.buttons] == ["link flickr"]
