"""Whole conversations, on a real database: what is said, and what the answer must contain."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot import dialogue
from bot.hearing.vocabulary import TOPICS, WORDS
from core.database import Database
from core.events import AccountRef
from core.rules import Rules
from tests.bot.conversation import Conversation
from tests.scene import Scene

LONGEST = 2_000
"""The shortest message limit of the networks (Discord's)."""


@pytest.fixture
def talk(scene: Scene) -> Conversation:
    return Conversation(scene)


@pytest.fixture
def sqlite_scene(sqlite_db: Database, rules: Rules, at: datetime) -> Scene:
    return Scene(sqlite_db, rules, at)


SONG = "https://pond.example/carol/song"

# who, what they say, what the answer must contain
A_MONTH: list[tuple[str, str, tuple[str, ...]]] = [
    ("alice", "hi", ("budget 5", "pretend money", "10 %")),
    ("alice", "status", ("no likes here yet",)),
    ("alice", "budget 1", ("smallest budget here is 2.00 EUR",)),
    ("alice", "budget 2000", ("largest budget here is 1000.00 EUR",)),
    ("alice", "budget 4.5055", ("EUR has 2 decimals",)),
    ("alice", "budget $5", ("counts in EUR",)),
    ("alice", "budget 35 euros", ("35.00 EUR a month from November 2026 on", "4242", "always pays")),
    ("alice", "status", ("November 2026", "No like counts", "35.00 EUR", "ends on 30 November 2026")),
    ("carol", "claim", ("You receive now",)),
    ("alice", f"{SONG}1", ("Song1 counts", "worth 31.50 EUR", f'"remove {SONG}1"')),
    ("alice", f"flattr {SONG}2", ("2 likes", "each worth 15.75 EUR")),
    ("alice", f"flattr {SONG}2", ("already", "2 likes")),
    ("alice", f"tip {SONG}3", ("3 likes", "each worth 10.50 EUR")),
    ("alice", "flattr https://pond.example/dave/film", ("pending", "has not joined yet", "90 days")),
    ("alice", "flattr https://example.org/page", ("pending", "who made it")),
    ("alice", "flattr https://pond.example/alice/own", ("your own", "does not count")),
    ("alice", "flattr http://127.0.0.1/x", ("not an address of a public page",)),
    ("alice", "status", ("3 likes count, each worth 10.50 EUR", "2 more likes are pending", "3.50 EUR fee")),
    ("alice", "list", ("1. Song1 (carol on Pond): 10.50 EUR", "4. pond.example/dave/film", "6. ", "your own")),
    ("alice", "remove 2 9", ("Struck out of November 2026: 2. Song2", "Not in the list", "9", "15.75 EUR")),
    ("alice", "remove 2", ("Out already: 2",)),
    ("alice", f"remove {SONG}3", ("3. Song3", "1 like counts, worth 31.50 EUR")),
    ("alice", f"flattr {SONG}3", ("Song3 counts", "2 likes")),
    ("alice", "budget 4,50", ("From December 2026", "4.50 EUR", "keeps its 35.00 EUR", '"budget 4.50 now"')),
    ("alice", "budget", ("35.00 EUR a month", "From December 2026 on it will be 4.50 EUR")),
    ("alice", "budget 9 now", ("9.00 EUR a month from November 2026", "instead of 35.00 EUR")),
    ("alice", "budget 0", ("from December 2026 on nothing is charged", "November 2026 keeps its 9.00 EUR")),
    ("alice", "budget 35 now", ("35.00 EUR a month from November 2026",)),
    ("alice", "card", ("pretend card 4242", "0002: is always declined")),
    ("alice", "card 9999", ("no card 9999", "0002")),
    ("alice", "card 2", ("0002", "declined")),
    ("alice", "card none", ("forgotten",)),
    ("alice", "card 4242", ("4242 (always pays)",)),
    ("alice", "cap 5 per like", ("At most 5.00 EUR per like",)),
    ("alice", "status", ("10.00 EUR would be charged",)),
    ("alice", "cap 6 per creator", ("5.00 EUR per like", "6.00 EUR per creator")),
    ("alice", "cap per like off", ("6.00 EUR per creator",)),
    ("alice", "cap", ("6.00 EUR per creator", "cap off")),
    ("alice", "cap off", ("no cap",)),
    ("alice", "cover on", ("You bear the card's cost",)),
    ("alice", "cover off", ("The hub bears",)),
    ("alice", "pause pnod", ("on Pond",)),
    ("alice", f"flattr {SONG}4", ("paused", "resume")),
    ("alice", "resume", ("count again",)),
    ("alice", "pause tumbler", ("no network named tumbler", "Pond")),
    ("alice", "ignore pond:id-dave", ("gets nothing from you",)),
    ("alice", "list", ("you ignore its creator",)),
    ("alice", "ignore", ("pond:id-dave",)),
    ("alice", "unignore pond:id-dave", ("new likes count; 1 older like of November 2026 is no longer left out",)),
    ("alice", "ignore pond:id-alice", ("That is you",)),
    ("alice", "subscribe github:21031067 until march", ("December 2026 on until March 2027", "not joined")),
    ("alice", "subscribe github:7 until this month", ("next month's or later",)),
    ("alice", "subscriptions", ("github:21031067", "March 2027")),
    ("alice", "unsubscribe github:21031067", ("has ended",)),
    ("alice", "subscriptions", ("no subscriptions",)),
    ("alice", "skip", ("You skip November 2026",)),
    ("alice", "status", ("You skip this month",)),
    ("alice", "unskip", ("no longer skipped", "each worth 15.75 EUR")),
    ("alice", "statement", ("no statement yet",)),
    ("alice", "statement this month", ("the month lasts until the end of 30 November 2026",)),
    ("dave", "earnings", ("do not receive yet", "1 like of 1 patron")),
    ("carol", "earnings", ("0.00 EUR", "2 likes of 1 patron", "11 November 2026")),
    ("alice", "thanks!", ("welcome",)),
    ("alice", "frobnicate", ("did not understand", '"help"')),
    ("alice", "statsu", ('I read "statsu" as "status"', "November 2026")),
    ("alice", "clam", ('Did you mean "claim"',)),
    ("alice", "yes", ("asked you nothing", "stop yes")),
    ("alice", "no", ("asked you nothing",)),
    ("alice", "accounts", ("alice on Pond (pond:id-alice, here)",)),
    ("alice", "unlink pond", ("only account", "stop")),
    ("alice", "link github", ("operator", "pond:id-alice")),
    ("alice", "link flickr", ("signing in",)),
    ("alice", "link nowhere", ("no network named nowhere", "ten letters")),
    ("alice", "help budget", ("hard ceiling", '"budget 4,50 now"')),
    ("alice", "help", ("Your month: budget, card",)),
]


def test_a_month_of_talk(talk: Conversation) -> None:
    for step, (name, text, wanted) in enumerate(A_MONTH):
        talk.scene.later(minutes=1)
        answer = talk.say(name, text)
        for part in wanted:
            assert part in answer, f"step {step}, {text!r}: {part!r} is not in {answer!r}"
        assert len(answer) <= LONGEST
    assert talk.scene.broken() == []


def test_the_worked_example_is_told_before_it_is_charged(talk: Conversation) -> None:
    talk.say("carol", "claim")
    talk.say("alice", "budget 35")
    talk.songs("alice", 10)
    assert "10 likes count, each worth 3.15 EUR" in talk.say("alice", "status")
    talk.scene.month_over()
    talk.scene.advance()
    assert "November 2026 is in review until 3 December 2026" in talk.say("alice", "status")
    talk.scene.later(days=2)
    talk.scene.advance()
    statement = talk.say("alice", "statement")
    assert statement.count(", 3.15 EUR") == 10
    assert "The hub's fee: 3.50 EUR" in statement
    assert "Total: 35.00 EUR for 10 likes" in statement
    assert "2026-11-1: Song1 by carol" in statement
    assert "31.50 EUR" in talk.say("carol", "earnings")
    assert "November 2026, closed" in talk.say("alice", "list last month")
    assert "closed" in talk.say("alice", "remove 1 from november")
    assert "it is too late" in talk.say("alice", "skip last month")


def test_in_review_numbers_and_skips_are_about_that_month(talk: Conversation) -> None:
    talk.say("carol", "claim")
    talk.say("alice", "budget 10")
    talk.songs("alice", 2)
    talk.scene.month_over()
    talk.scene.advance()
    talk.say("alice", "flattr https://pond.example/carol/late")
    again = talk.say("alice", f"flattr {SONG}1")
    assert f'"remove {SONG}1 from December 2026"' in again
    assert "November 2026, in review" in talk.say("alice", "list")
    assert "Struck out of November 2026: 1. Song1" in talk.say("alice", "remove 1")
    assert "Struck out of December 2026: 1. Late" in talk.say("alice", "remove 1 from december")
    assert "Struck out of December 2026: 2. Song1" in talk.say("alice", f"remove {SONG}1 from December 2026")
    talk.say("alice", "flattr https://pond.example/carol/later")
    assert "Struck out of December 2026" in talk.say("alice", "remove https://pond.example/carol/later")
    assert "You skip November 2026" in talk.say("alice", "skip")
    assert "November 2026 is no longer skipped" in talk.say("alice", "unskip november")
    assert "You skip December 2026" in talk.say("alice", "skip this month")
    assert "November 2026 is in review and keeps its 10.00 EUR" in talk.say("alice", "budget 12 now")
    assert "in review" in talk.say("alice", "statement november")


def test_the_numbers_of_a_list_stay_while_things_are_struck_out(talk: Conversation) -> None:
    talk.say("carol", "claim")
    talk.say("alice", "budget 10")
    talk.songs("alice", 5)
    talk.say("alice", "remove 2")
    assert "3. Song3" in talk.say("alice", "remove 3")
    talk.scene.unlike("alice", "nothing")
    listed = talk.say("alice", "list")
    assert "2. Song2 (carol on Pond): struck out" in listed
    assert "5. Song5 (carol on Pond): 3.00 EUR" in listed


def test_a_long_list_has_pages(talk: Conversation) -> None:
    talk.say("alice", "budget 10")
    talk.songs("alice", 45)
    first = talk.reply("alice", "list")
    assert "20. " in first.text
    assert "21. " not in first.text
    assert first.buttons[0].text == "list page 2"
    assert len(first.text) <= LONGEST
    assert "41. " in talk.say("alice", "list page 3")
    assert "has 3 pages" in talk.say("alice", "list page 4")


def test_whoever_only_asks_stays_a_stranger(talk: Conversation) -> None:
    asking = [
        *("hi", "help", "help budget", "thanks", "accounts", "budget", "budget 0", "budget 1", "card", "card none"),
        *("status", "list", "statement", "subscriptions", "ignore", "cap", "cap off", "cover", "cover off"),
        *("earnings", "stop", "stop yes", "export", "decline", "decline undo", "yes", "no", "resume", "unskip"),
        *("remove 1", "unlink pond", "unsubscribe github:7", "unignore github:7", "what?", "statsu", "BCDFGHJKLM"),
    ]
    for text in asking:
        assert talk.say("stranger", text)
    assert talk.people() == 0


def test_the_first_change_makes_a_person_once(talk: Conversation) -> None:
    talk.say("alice", "budget 5")
    talk.say("alice", "budget 6")
    assert talk.people() == 1


def test_a_decline_by_a_stranger_is_kept_as_a_hash_only(talk: Conversation) -> None:
    assert "decline yes" in talk.say("eve", "decline")
    assert "Declined" in talk.say("eve", "decline yes")
    assert talk.people() == 0
    talk.say("alice", "budget 5")
    assert "wants no money" in talk.say("alice", "flattr https://pond.example/eve/song")
    assert "wants no money" in talk.say("alice", "subscribe pond:id-eve")
    assert "already" not in talk.say("eve", "decline undo")
    talk.scene.later(minutes=1)
    assert "pending" in talk.say("alice", "flattr https://pond.example/eve/song")


def test_two_accounts_become_one_person_only_by_the_issuers_yes(talk: Conversation) -> None:
    answer = talk.say("alice", "link")
    code = answer.split()[2]
    assert "Lake" in answer
    assert "10 November 2026, 12:10 UTC" in answer
    assert "Now answer yes on Pond" in talk.say("bob", code.lower(), "lake")
    assert "asked you nothing" in talk.say("bob", "yes", "lake")
    (question,) = talk.notes("link_offer")
    assert "lake:id-bob" in question.text
    assert [button.text for button in question.buttons] == ["yes", "no"]
    assert "Linked: Lake account id-bob" in talk.say("alice", "Yes!")  # of a stranger no name was kept
    assert "bob on Lake (lake:id-bob, here)" in talk.say("bob", "accounts", "lake")
    assert "over" in talk.notes("link_offer")[0].text
    assert "no longer linked" in talk.say("alice", "unlink lake")


def test_a_refused_link_binds_nothing(talk: Conversation) -> None:
    talk.say("mallory", talk.code("alice"), "lake")
    assert "not linked" in talk.say("alice", "no")
    assert "asked you nothing" in talk.say("alice", "yes")
    assert "mallory" not in talk.say("alice", "accounts")


def test_merging_two_people_is_explained_before_the_yes(talk: Conversation) -> None:
    talk.say("alice", "budget 35")
    talk.say("bob", "budget 10", "lake")
    talk.say("alice", f"{SONG}1")
    talk.say("bob", f"{SONG}1", "lake")
    talk.say("bob", f"{SONG}2", "lake")
    talk.say("bob", talk.code("alice"), "lake")
    (question,) = talk.notes("link_offer")
    for part in ("35.00 EUR a month", "10.00 EUR, ends", "2 likes", "1 of them", "cannot be undone"):
        assert part in question.text
    answer = talk.say("alice", "yes")
    assert "your one budget is 35.00 EUR a month, and the other budget, 10.00 EUR, has ended" in answer
    assert "35.00 EUR" in talk.say("bob", "budget", "lake")


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        ("BCDFGHJKLM", "do not know this code"),
        ("own", "other account"),
        ("late", "too old"),
        ("used", "used already"),
    ],
)
def test_a_code_that_links_nothing_says_why(talk: Conversation, code: str, answer: str) -> None:
    issued = talk.code("alice")
    who = ("bob", "lake")
    match code:
        case "own":
            code, who = issued, ("alice", "pond")
        case "late":
            code = issued
            talk.scene.later(minutes=11)
        case "used":
            code = issued
            talk.say("carol", issued, "lake")
            talk.say("alice", "yes")
    assert answer in talk.say(who[0], f"link {code}", who[1])


def test_wrong_codes_are_counted_although_the_answer_is_friendly(talk: Conversation) -> None:
    for _ in range(5):
        talk.say("bob", "BCDFGHJKLM", "lake")
    assert "too many" in talk.say("bob", "BCDFGHJKLN", "lake")


def test_leaving_asks_first_and_then_forgets(talk: Conversation) -> None:
    talk.say("alice", "budget 35")
    talk.say("alice", f"{SONG}1")
    before = talk.reply("alice", "stop")
    assert "pond:id-alice" in before.text
    assert "stop yes" in [button.text for button in before.buttons]
    assert "asked you nothing" in talk.say("alice", "yes")
    assert "35.00 EUR" in talk.say("alice", "budget")
    assert "forgotten" in talk.say("alice", "stop yes")
    assert "I know nothing of you" in talk.say("alice", "accounts")
    assert "Hello!" in talk.say("alice", "hi")


def test_the_export_is_the_persons_own(talk: Conversation) -> None:
    talk.say("alice", "budget 35")
    talk.say("bob", "budget 3")
    found = talk.say("alice", "export")
    assert '"pond:id-alice"' in found
    assert "35.00 EUR" in found
    assert "bob" not in found
    talk.songs("alice", 40)
    assert "too long for a chat" in talk.say("alice", "export")


def test_a_creator_is_told_how_many_but_not_who(talk: Conversation) -> None:
    for name in ("alice", "bob"):
        talk.say(name, "budget 5")
        talk.say(name, f"{SONG}1")
    answers = [talk.say("carol", text) for text in ("earnings", "claim", "earnings", "status", "export", "list")]
    assert "2 likes of 2 patrons" in answers[0]
    assert "2 likes of 2 patrons now count" in answers[1]
    assert not any("alice" in answer or "bob" in answer for answer in answers)


def test_nobody_sees_anything_of_another_person(talk: Conversation) -> None:
    talk.say("alice", "budget 777")
    talk.say("alice", "cap 66 per like")
    talk.say("alice", "flattr https://secret.example/diary")
    talk.say("alice", "subscribe github:424242")
    talk.say("alice", "ignore github:434343")
    talk.say("mallory", "budget 5")
    talk.songs("mallory", 1)
    for word in WORDS.values():
        for example in (*word.examples, f"{word.name} 1", f"{word.name} pond:id-alice"):
            answer = talk.say("mallory", example).replace("id-alice", "what was asked for")
            assert not any(part in answer for part in ("777", "66.00", "secret", "424242", "434343", "alice")), (
                f"{example!r}: {answer!r}"
            )


def test_a_bot_gets_no_conversation(talk: Conversation) -> None:
    robot = AccountRef(platform="pond", account_id="id-robot", is_bot=True)
    with talk.scene.db.transaction() as tx:
        assert dialogue.answer(tx, talk.talk, robot, "budget 5", talk.scene.at).buttons == ()
    assert talk.people() == 0


@pytest.mark.parametrize("title", ["A\n2. song: 99 EUR", "x" * 500, "@everyone", "\u202eevil"])
def test_what_others_wrote_stays_on_its_own_line(talk: Conversation, title: str) -> None:
    talk.say("carol", "claim")
    talk.say("alice", "budget 10")
    thing = dataclasses.replace(talk.scene.thing("t"), title=title)
    talk.scene.record(dataclasses.replace(talk.scene.liked("alice", "t", "carol"), thing=thing))
    lines = talk.say("alice", "list").splitlines()
    assert len(lines) == 3
    assert len(lines[1]) < 200


def test_every_button_is_understood(talk: Conversation) -> None:
    talk.say("alice", "budget 10")
    talk.songs("alice", 25)
    for text in ("help", "status", "list", "budget", "budget 12", "card", "stop", "decline", "pause", "what", "cap 5"):
        for button in talk.reply("alice", text).buttons:
            answer = talk.say("someone", button.text)
            assert "did not understand" not in answer, button


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.sampled_from([example for topic in TOPICS for word in topic.words for example in word.examples])
        | st.text(max_size=40),
        max_size=8,
    )
)
def test_any_conversation_gets_answers_that_fit(sqlite_scene: Scene, texts: list[str]) -> None:
    talk = Conversation(sqlite_scene)
    for text in texts:
        sqlite_scene.at += timedelta(seconds=1)
        answer = talk.reply("alice", text)
        assert answer.text.strip()
        assert all(len(line) <= LONGEST for line in answer.text.splitlines()) or text == "export"
        assert all(len(button.text) <= 100 for button in answer.buttons)
    assert sqlite_scene.broken() == []
