"""A patron whose bank wants to hear from them confirms on session, and is charged once whatever they press."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import col, select

from core.charges import authenticating, collecting
from core.charges.authenticating import NO_CARD, NotDue, UnderWay
from core.mail.tables import OutboxNote
from core.months.tables import Charge
from core.payments.gateway import Done, Refused, Unknown
from core.payments.hosted import Unanswered
from core.payments.states import Redirect
from core.people import cards, leaving
from tests.processor import Processor, card
from tests.scene import EUR, Scene

BACK = "https://hub.example/pay/back"


@pytest.fixture
def processor(scene: Scene) -> Processor:
    scene.gateway = processor = Processor(says=["asks"])
    return processor


@pytest.fixture
def asked(scene: Scene, processor: Processor) -> int:
    """The statement of a patron whose bank asks for them."""
    pat = scene.patron("pat", 10, card("pat"))
    scene.creator("maker")
    scene.like("pat", "song")
    found = scene.statement(pat, scene.close_month()).id
    assert found is not None
    return found


def begin(scene: Scene, statement: int) -> authenticating.Begun:
    assert isinstance(scene.gateway, Processor)
    return authenticating.begin(scene.db, scene.rules, scene.gateway, statement, done=BACK, at=scene.at)


def charges(scene: Scene) -> list[tuple[int, str, bool]]:
    with scene.db.reading() as tx:
        rows = tx.exec(select(Charge).order_by(col(Charge.attempt))).all()
        return [(each.attempt, each.state, each.on_session) for each in rows]


def state(scene: Scene) -> tuple[str, int]:
    """The only statement's state, and what its creator is due, in euros."""
    person, maker = scene.person("pat"), scene.person("maker")
    with scene.db.reading() as tx:
        month = tx.exec(select(collecting.Statement.month)).one()
    return scene.statement(person, month).state, scene.due(maker) // EUR


def told(scene: Scene) -> list[str]:
    kinds = ("authenticate", "declined", "lapsed", "statement")
    with scene.db.reading() as tx:
        rows = tx.exec(select(OutboxNote).where(col(OutboxNote.kind).in_(kinds)).order_by(col(OutboxNote.id))).all()
        return [each.source for each in rows]


def learn(scene: Scene, processor: Processor, statement: int) -> None:
    for _ in range(2):
        with scene.db.transaction() as tx:
            collecting.learn(tx, scene.rules, processor.state_of(statement), scene.at)


def test_who_confirms_at_their_bank_has_paid(scene, processor, asked):
    processor.says = ["asks"]
    way = begin(scene, asked)
    assert isinstance(way, Redirect)
    assert BACK in way.address
    assert charges(scene) == [(1, "declined", False), (2, "asked", True)]
    processor.pay(asked)
    learn(scene, processor, asked)  # they come back, and the event comes
    assert charges(scene) == [(1, "declined", False), (2, "collected", True)]
    assert (state(scene), processor.taken()) == (("collected", 9), 1000)
    assert told(scene) == [f"authenticate:{asked}:1", f"statement:{asked}"]
    assert begin(scene, asked) == NotDue("collected")
    scene.advance()
    assert processor.taken() == 1000


def test_whoever_never_comes_back_is_looked_for(scene, processor, asked):
    processor.says = ["asks"]
    begin(scene, asked)
    processor.pay(asked)
    scene.later(minutes=30)
    scene.advance()
    assert state(scene)[0] == "due", "they may still be at their bank's page"
    scene.at += scene.rules.retry_unknown
    scene.advance()
    assert (state(scene), charges(scene)[1:]) == (("collected", 9), [(2, "collected", True)])


def test_a_button_pressed_twice_is_one_attempt(scene, processor, asked):
    processor.says = ["asks"]
    first, second = begin(scene, asked), begin(scene, asked)
    assert first == second
    assert [each.key for each in processor.asked[1:]] == [f"pi-confirm-{asked}-2"] * 2
    processor.pay(asked)
    assert isinstance(begin(scene, asked), Done)
    assert begin(scene, asked) == NotDue("collected")
    assert (charges(scene)[1:], processor.taken()) == ([(2, "collected", True)], 1000)


def test_a_page_that_was_left_stops_no_day_and_does_not_count_as_one(scene, processor, asked):
    closed = scene.at
    processor.says = ["asks"]
    begin(scene, asked)
    processor.says = ["declines"] * 3 + ["pays"]
    for _ in range(24 * 7 + 1):
        scene.later(hours=1)
        scene.advance()
    assert charges(scene) == [
        (1, "declined", False),
        (2, "declined", True),
        (3, "declined", False),
        (4, "declined", False),
        (5, "declined", False),
        (6, "collected", False),
    ]
    with scene.db.reading() as tx:
        days = [(each.asked_at - closed).days for each in tx.exec(select(Charge).order_by(col(Charge.attempt)))]
    assert days == [0, 0, 1, 3, 5, 7]
    assert told(scene) == [
        f"authenticate:{asked}:1",
        *(f"declined:{asked}:{attempt}" for attempt in (3, 4, 5)),
        f"statement:{asked}",
    ]


def test_a_page_that_was_left_still_pays_when_it_is_confirmed_late(scene, processor, asked):
    processor.says = ["asks"]
    begin(scene, asked)
    scene.at += scene.rules.retry_unknown
    scene.advance()
    assert charges(scene)[1:] == [(2, "declined", True)]
    processor.pay(asked)
    learn(scene, processor, asked)
    assert charges(scene)[1:] == [(2, "declined", True), (3, "collected", False)]
    assert (state(scene), processor.taken()) == (("collected", 9), 1000)


@pytest.mark.parametrize("known", [True, False], ids=["by event", "by looking"])
def test_a_no_at_the_bank_lets_the_patron_try_again_at_once(scene, processor, asked, known):
    processor.says = ["asks"]
    begin(scene, asked)
    processor.decline(asked, Refused("the confirmation failed", authenticate=True))
    if known:
        learn(scene, processor, asked)
    else:
        processor.answers[f"pi-confirm-{asked}-2"] = processor.intents[asked].failure
        assert isinstance(begin(scene, asked), Refused)
    assert charges(scene)[1:] == [(2, "declined", True)]
    processor.says = ["pays"]
    assert isinstance(begin(scene, asked), Done)
    assert (state(scene), processor.taken()) == (("collected", 9), 1000)
    assert told(scene) == [f"authenticate:{asked}:1", f"statement:{asked}"]


def test_news_of_the_no_before_it_declines_no_later_attempt(scene, processor, asked):
    late = processor.state_of(asked)
    processor.says = ["request lost"]
    assert isinstance(begin(scene, asked), Unknown)
    with scene.db.transaction() as tx:
        collecting.learn(tx, scene.rules, late, scene.at)
    assert charges(scene)[1:] == [(2, "asked", True)]


def test_a_look_that_still_shows_the_no_before_is_no_new_one(scene, processor, asked):
    processor.says = ["request lost"]
    begin(scene, asked)
    processor.answers[f"pi-confirm-{asked}-2"] = processor.intents[asked].failure
    scene.at += scene.rules.retry_unknown
    scene.advance()
    with scene.db.reading() as tx:
        row = tx.exec(select(Charge).where(Charge.attempt == 2)).one()
    assert (row.state, row.reference, row.reason) == ("declined", None, "it was not confirmed")


def test_without_any_answer_it_is_asked_again_under_the_same_key(scene, processor, asked):
    class Mute(Processor):
        def authenticate(self, request, *, done, at):
            self.asked.append(request)
            raise Unanswered("the network is down")

    scene.gateway = mute = Mute(intents=processor.intents)
    assert begin(scene, asked) == begin(scene, asked) == Unknown("the network is down")
    assert {each.key for each in mute.asked} == {f"pi-confirm-{asked}-2"}
    scene.gateway = processor
    processor.says = ["pays"]
    assert isinstance(begin(scene, asked), Done)
    assert processor.taken() == 1000


def test_an_attempt_without_an_answer_is_waited_for(scene, processor, asked):
    processor.says = ["answer lost"]
    scene.later(days=1)
    scene.advance()
    assert charges(scene)[1:] == [(2, "asked", False)]
    assert begin(scene, asked) == UnderWay()
    scene.at += scene.rules.retry_unknown
    scene.advance()
    assert (charges(scene)[1:], processor.taken()) == ([(2, "collected", False)], 1000)


def test_only_what_is_due_can_be_paid(scene, processor, asked):
    assert begin(scene, 987_654) == NotDue("unknown")
    with scene.db.transaction() as tx:
        cards.remove(tx, scene.person("pat"), scene.at)
    assert begin(scene, asked) == NO_CARD
    assert charges(scene) == [(1, "declined", False)]
    processor.giving_up_says = ["request lost"] * 3
    with scene.db.transaction() as tx:
        collecting.answering.give_up(tx.get_one(collecting.Statement, asked), "lapsed", scene.at)
    scene.advance()
    assert begin(scene, asked) == NotDue("ending")
    scene.at += timedelta(hours=5)
    processor.giving_up_says = []
    scene.advance()
    assert begin(scene, asked) == NotDue("lapsed")
    assert len(processor.asked) == 1


@pytest.mark.parametrize("paid", [True, False])
def test_who_leaves_while_they_confirm_is_charged_only_if_they_did(scene, processor, asked, paid):
    person = scene.person("pat")
    maker = scene.person("maker")
    processor.says = ["asks"]
    begin(scene, asked)
    with scene.db.transaction() as tx:
        left = leaving.stop(tx, scene.rules, person, scene.at)
    assert (left.statements, left.resolving) == (0, 1)
    if paid:
        processor.pay(asked)
    scene.advance()
    with scene.db.reading() as tx:
        row = tx.get_one(collecting.Statement, asked)
    assert (row.state, processor.taken(), scene.due(maker)) == (
        ("collected", 1000, 9 * EUR) if paid else ("void", 0, 0)
    )
    assert begin(scene, asked) == NotDue(row.state)


def test_what_nobody_answers_for_ends_a_day_after_the_last_try(scene, processor, asked):
    class Deaf(Processor):
        def charge(self, request, at):
            return Unknown("no answer")

    processor.says = ["request lost"]
    begin(scene, asked)
    scene.gateway = Deaf(intents=processor.intents)
    for _ in range(9):
        scene.later(days=1)
        scene.advance()
    assert (state(scene)[0], scene.gateway.given_up) == ("lapsed", [asked])
    assert charges(scene)[1:] == [(2, "declined", True)]


def test_who_begins_again_and_again_does_not_keep_their_month_open_for_ever(scene, processor, asked):
    closed, processor.says = scene.at, ["asks"] * 1000
    while state(scene)[0] == "due" and scene.at < closed + timedelta(days=30):
        begin(scene, asked)
        scene.later(hours=12)
        scene.advance()
    assert state(scene) == ("lapsed", 0)
    assert len([each for each in charges(scene) if not each[2]]) == len(scene.rules.collect_days)
    assert scene.at - closed == timedelta(days=14)
