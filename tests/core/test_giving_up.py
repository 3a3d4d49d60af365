"""What is tried no more is given up at the processor first: lapsed and void mean that the money cannot come."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlmodel import col, select

from core.charges import collecting
from core.mail.tables import OutboxNote
from core.months.tables import Charge
from core.payments.gateway import Refused
from core.people import cards, leaving
from tests.processor import Processor, card
from tests.scene import EUR, Scene


@pytest.fixture
def processor(scene: Scene) -> Processor:
    scene.gateway = processor = Processor()
    return processor


def month_of(scene: Scene, *says: str, patrons: int = 1) -> tuple[list[int], int, int]:
    """Patrons, a creator, and a month that was tried once, with these words from the processor."""
    people = [scene.patron(f"pat{number}", 10, card(f"pat{number}")) for number in range(patrons)]
    maker = scene.creator("maker")
    for number in range(patrons):
        scene.like(f"pat{number}", "song")
    scene.gateway.says.extend(says)
    return people, maker, scene.close_month()


def statement_id(scene: Scene, patron: int, month: int) -> int:
    found = scene.statement(patron, month).id
    assert found is not None
    return found


def charges(scene: Scene, of: int) -> list[tuple[int, str, str | None]]:
    with scene.db.reading() as tx:
        rows = tx.exec(select(Charge).where(Charge.statement_id == of).order_by(col(Charge.attempt))).all()
        return [(each.attempt, each.state, each.reference) for each in rows]


def told(scene: Scene, *kinds: str) -> list[str]:
    with scene.db.reading() as tx:
        rows = tx.exec(select(OutboxNote).where(col(OutboxNote.kind).in_(kinds)).order_by(col(OutboxNote.id))).all()
        return [each.source for each in rows]


def learn(scene: Scene, processor: Processor, statement: int) -> None:
    """News of the statement's intent, twice."""
    for _ in range(2):
        with scene.db.transaction() as tx:
            collecting.learn(tx, scene.rules, processor.state_of(statement), scene.at)


# The end of trying


def test_a_statement_lapses_once_the_processor_has_given_it_up(scene, processor):
    processor.giving_up_says = ["request lost", "breaks", "answer lost"]
    (pat,), maker, month = month_of(scene, "never again")
    row = scene.statement(pat, month)
    assert (row.state, row.ends_as, row.next_attempt_at) == ("due", "lapsed", scene.at + scene.rules.retry_unknown)
    assert (scene.stage(month), told(scene, "lapsed", "declined")) == ("collecting", [])
    for _ in range(3):
        scene.advance()  # not before its time
        assert scene.statement(pat, month).state == "due"
        scene.at += scene.rules.retry_unknown
        scene.advance()
    row = scene.statement(pat, month)
    assert (row.state, row.ends_as, row.next_attempt_at) == ("lapsed", None, None)
    assert (processor.given_up, processor.intents[row.id].state) == ([row.id] * 4, "cancelled")
    assert (scene.stage(month), told(scene, "lapsed")) == ("settled", [f"lapsed:{row.id}"])
    assert (scene.due(maker), processor.taken()) == (0, 0)


def test_what_was_paid_before_it_was_given_up_is_collected(scene, processor):
    processor.giving_up_says = ["request lost"]
    (pat,), maker, month = month_of(scene, "never again")
    statement = statement_id(scene, pat, month)
    processor.pay(statement)  # at the bank's page, left open for long
    scene.at += scene.rules.retry_unknown
    scene.advance()
    row = scene.statement(pat, month)
    assert (row.state, row.ends_as, row.collected_at) == ("collected", None, scene.at)
    assert charges(scene, statement) == [(1, "declined", "ch_1"), (2, "collected", "ch_2")]
    assert (scene.due(maker), processor.taken(), scene.stage(month)) == (9 * EUR, 1000, "settled")
    assert (told(scene, "lapsed"), told(scene, "statement")) == ([], [f"statement:{statement}"])
    learn(scene, processor, statement)
    assert scene.due(maker) == 9 * EUR


def test_success_is_told_after_giving_up_was_asked_and_counts_once(scene, processor):
    processor.giving_up_says = ["request lost"]
    (pat,), maker, month = month_of(scene, "never again")
    statement = statement_id(scene, pat, month)
    processor.pay(statement)
    learn(scene, processor, statement)
    scene.at += scene.rules.retry_unknown
    scene.advance()
    assert (scene.statement(pat, month).state, scene.due(maker)) == ("collected", 9 * EUR)
    assert processor.given_up == [statement]


def test_a_hub_killed_after_giving_up_asks_again(scene, processor, monkeypatch):
    def killed(*words: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(collecting.answering, "gave_up", killed)
        with pytest.raises(KeyboardInterrupt):
            month_of(scene, "never again")
    scene.advance()
    (statement,) = set(processor.given_up)
    assert len(processor.given_up) == 2
    assert (told(scene, "lapsed"), processor.intents[statement].state) == ([f"lapsed:{statement}"], "cancelled")


@pytest.mark.parametrize("heard", [True, False])
def test_an_intent_cancelled_by_hand_lapses_whoever_is_told_first(scene, processor, heard):
    (pat,), _maker, month = month_of(scene, "declines")
    statement = statement_id(scene, pat, month)
    processor.intents[statement].state = "cancelled"
    if heard:
        learn(scene, processor, statement)
    scene.until_settled(month)
    assert (scene.statement(pat, month).state, told(scene, "lapsed")) == ("lapsed", [f"lapsed:{statement}"])


def test_money_that_comes_within_the_days_is_not_given_up(scene, processor):
    (pat,), maker, month = month_of(scene, "declines", "declines", "asks")
    scene.until_settled(month)
    assert (scene.statement(pat, month).state, scene.due(maker), processor.given_up) == ("collected", 9 * EUR, [])


# Who leaves


def leave(scene: Scene, person: int) -> leaving.Left:
    with scene.db.transaction() as tx:
        return leaving.stop(tx, scene.rules, person, scene.at)


@pytest.mark.parametrize(
    ("says", "resolving", "state", "taken"),
    [
        ("declines", 0, "void", 0),
        ("no lost", 1, "void", 0),
        ("request lost", 1, "void", 0),
        ("answer lost", 1, "collected", 1000),
    ],
)
def test_who_leaves_is_charged_only_if_they_had_been_already(scene, processor, says, resolving, state, taken):
    (pat,), maker, month = month_of(scene, says)
    left = leave(scene, pat)
    assert (left.statements, left.resolving) == (1 - resolving, resolving)
    scene.advance()
    scene.advance()
    assert (scene.statement(pat, month).state, processor.taken()) == (state, taken)
    assert len({each.key for each in processor.asked}) == len(processor.asked) == 1, "nothing was tried again"
    assert (scene.due(maker), scene.stage(month)) == (9 * EUR if taken else 0, "settled")
    assert told(scene, "lapsed") == []
    with scene.db.reading() as tx:
        assert cards.card_of(tx, pat) is None


def test_who_leaves_while_their_charge_is_being_made_is_charged_as_the_answer_says(scene, processor):
    class Leaves(Processor):
        def charge(self, request, at):
            answer = super().charge(request, at)
            leave(scene, request.patron_id)
            return answer

    scene.gateway = gateway = Leaves(says=["declines", "pays"])
    (one, other), maker, month = month_of(scene, patrons=2)
    assert [scene.statement(each, month).state for each in (one, other)] == ["void", "collected"]
    assert (gateway.taken(), scene.due(maker), scene.stage(month)) == (1000, 9 * EUR, "settled")
    assert told(scene, "declined", "lapsed") == []


# Many, and those that do not work


def test_one_bad_row_stops_no_other(scene, processor, caplog):
    processor.says = ["breaks"]
    people, maker, month = month_of(scene, patrons=3)
    assert [scene.statement(each, month).state for each in people] == ["due", "collected", "collected"]
    assert "RuntimeError at tests/processor.py" in caplog.text
    assert "a bug\n" not in caplog.text
    scene.at += scene.rules.retry_unknown
    scene.advance()
    assert [scene.statement(each, month).state for each in people] == ["collected"] * 3
    assert scene.due(maker) == 27 * EUR


def test_a_sum_that_cannot_be_charged_stops_no_other(scene, processor, monkeypatch):
    people = [scene.patron(f"pat{number}", 10, card(f"pat{number}")) for number in range(3)]
    scene.creator("maker")
    for number in range(3):
        scene.like(f"pat{number}", "song")
    month = scene.month_over()
    scene.advance()
    scene.at += scene.rules.review
    asked = collecting._ask

    def broken(tx, rules, of, at):
        first = people[0]
        change = "update statement set charge_micros = charge_micros {} where patron_id = " + str(first)
        tx.connection().exec_driver_sql(change.format("+ 1"))
        try:
            return asked(tx, rules, of, at)
        finally:
            tx.connection().exec_driver_sql(change.format("- 1"))

    monkeypatch.setattr(collecting, "_ask", broken)
    scene.advance()
    assert [scene.statement(each, month).state for each in people] == ["due", "collected", "collected"]
    assert scene.statement(people[0], month).next_attempt_at == scene.at + scene.rules.retry_unknown


def test_an_answer_that_cannot_be_recorded_stops_no_other(scene, processor, monkeypatch):
    real = collecting.answering._declined

    def declined(tx, rules, statement, *words):
        if statement.patron_id == people[0]:
            raise ZeroDivisionError
        real(tx, rules, statement, *words)

    people: list[int] = []
    with monkeypatch.context() as patched:
        patched.setattr(collecting.answering, "_declined", declined)
        people += [scene.patron(f"pat{number}", 10, card(f"pat{number}")) for number in range(3)]
        scene.creator("maker")
        for number in range(3):
            scene.like(f"pat{number}", "song")
        processor.says = ["declines", "declines", "pays"]
        month = scene.close_month()
    first, second, third = (scene.statement(each, month) for each in people)
    assert [each.state for each in (first, second, third)] == ["due", "due", "collected"]
    assert (first.attempts, first.next_attempt_at) == (0, scene.at + scene.rules.retry_unknown)
    assert second.attempts == 1
    scene.at += scene.rules.retry_unknown
    scene.advance()
    assert [scene.statement(each, month).attempts for each in people] == [1, 1, 0]


@pytest.mark.parametrize("patience", [collecting.PATIENCE, -1.0])
def test_calls_side_by_side_collect_the_same(scene, processor, monkeypatch, patience):
    monkeypatch.setattr(collecting, "PATIENCE", patience)
    processor.at_once = 4
    people, maker, month = month_of(scene, *["declines", "pays", "never again", "answer lost"] * 5, patrons=25)
    scene.until_settled(month)
    states = [scene.statement(each, month).state for each in people]
    assert (states.count("collected"), states.count("lapsed")) == (20, 5)
    assert (processor.taken(), scene.due(maker)) == (20_000, 20 * 9 * EUR)
    assert len(processor.given_up) == 5


# News


def test_a_late_decline_of_an_old_attempt_leaves_the_new_one_alone(scene, processor):
    (pat,), _maker, month = month_of(scene, "declines", "request lost")
    statement = statement_id(scene, pat, month)
    late = processor.state_of(statement)
    scene.at += timedelta(days=1)
    scene.advance()
    for _ in range(2):
        with scene.db.transaction() as tx:
            collecting.learn(tx, scene.rules, late, scene.at)
    assert charges(scene, statement) == [(1, "declined", "ch_1"), (2, "asked", None)]
    assert scene.statement(pat, month).attempts == 1
    scene.at += scene.rules.retry_unknown
    scene.advance()
    assert charges(scene, statement) == [(1, "declined", "ch_1"), (2, "collected", "ch_2")]


def test_a_late_decline_whose_name_was_not_heard_leaves_the_new_attempt_alone(scene, processor):
    (pat,), _maker, month = month_of(scene, "declines", "request lost")
    statement = statement_id(scene, pat, month)
    with scene.db.transaction() as tx:
        tx.exec(select(Charge)).one().reference = None
    scene.at += timedelta(days=1)
    scene.advance()
    learn(scene, processor, statement)
    assert charges(scene, statement) == [(1, "declined", "ch_1"), (2, "asked", None)]


@pytest.mark.parametrize(
    ("says", "state", "kind"),
    [("no lost", "declined", "declined"), ("answer lost", "collected", "statement")],
)
def test_news_before_the_answer_is_the_answer(scene, processor, says, state, kind):
    (pat,), maker, month = month_of(scene, says)
    statement = statement_id(scene, pat, month)
    assert charges(scene, statement) == [(1, "asked", None)]
    learn(scene, processor, statement)
    assert charges(scene, statement) == [(1, state, "ch_1")]
    assert len(told(scene, "declined", "statement")) == len(told(scene, kind)) == 1
    scene.at += scene.rules.retry_unknown
    scene.advance()
    assert charges(scene, statement) == [(1, state, "ch_1")]
    scene.until_settled(month)
    assert (processor.taken(), scene.due(maker)) == (1000, 9 * EUR)


def test_news_during_the_call_is_recorded_once(scene, processor):
    class Quick(Processor):
        """Its events are faster than its answers."""

        def charge(self, request, at):
            answer = super().charge(request, at)
            learn(scene, self, request.statement_id)
            return answer

    scene.gateway = gateway = Quick(says=["declines", "pays", "never again"])
    people, maker, month = month_of(scene, patrons=3)
    assert [scene.statement(each, month).state for each in people] == ["due", "collected", "lapsed"]
    assert [scene.statement(each, month).attempts for each in people] == [1, 0, 1]
    assert len(told(scene, "declined")) == len(told(scene, "statement")) == len(told(scene, "lapsed")) == 1
    assert (gateway.taken(), scene.due(maker)) == (1000, 9 * EUR)


def test_a_yes_counts_though_the_attempt_was_taken_for_declined_meanwhile(scene, processor):
    class Wrong(Processor):
        def charge(self, request, at):
            answer = super().charge(request, at)
            state = replace(self.state_of(request.statement_id), state="open", failure=Refused("no", reference="ch_0"))
            with scene.db.transaction() as tx:
                collecting.learn(tx, scene.rules, state, at)
            return answer

    scene.gateway = gateway = Wrong()
    (pat,), maker, month = month_of(scene)
    statement = statement_id(scene, pat, month)
    assert charges(scene, statement) == [(1, "declined", "ch_0"), (2, "collected", "ch_1")]
    assert (gateway.taken(), scene.due(maker), scene.stage(month)) == (1000, 9 * EUR, "settled")


def test_news_of_what_is_not_ours_or_settled_changes_nothing(scene, processor):
    (pat,), _maker, month = month_of(scene, "pays")
    statement = statement_id(scene, pat, month)
    books = scene.books()
    state = processor.state_of(statement)
    strangers = [
        replace(state, statement_id=None, reference="pi_x"),
        replace(state, statement_id=987_654, reference="pi_x"),
        replace(state, state="cancelled"),
        replace(state, state="open", failure=Refused("no", final=True, reference="ch_9")),
        state,
    ]
    for each in strangers:
        with scene.db.transaction() as tx:
            collecting.learn(tx, scene.rules, each, scene.at)
    assert (scene.statement(pat, month).state, scene.books()) == ("collected", books)


def test_a_second_intent_with_our_statement_s_number_is_somebody_else_s(scene, processor):
    (pat,), maker, month = month_of(scene, "declines")
    statement = statement_id(scene, pat, month)
    learn(scene, processor, statement)  # its own is known now
    other = replace(processor.state_of(statement), reference="pi_other", state="collected", charge="ch_other")
    with scene.db.transaction() as tx:
        collecting.learn(tx, scene.rules, other, scene.at)
    assert (scene.statement(pat, month).state, scene.due(maker)) == ("due", 0)


def test_another_sum_than_was_asked_for_is_not_taken_for_it(scene, processor):
    (pat,), _maker, month = month_of(scene, "answer lost")
    state = processor.state_of(statement_id(scene, pat, month))
    with pytest.raises(ValueError, match="999 were collected"), scene.db.transaction() as tx:
        collecting.learn(tx, scene.rules, replace(state, amount_minor=999), scene.at)
    assert scene.statement(pat, month).state == "due"


# What people are told, and when it is tried


def test_a_bank_that_asks_for_the_patron_is_told_as_that(scene, processor):
    (pat,), _maker, month = month_of(scene, "asks", "declines")
    statement = statement_id(scene, pat, month)
    assert (told(scene, "authenticate"), told(scene, "declined")) == ([f"authenticate:{statement}:1"], [])
    scene.at += timedelta(days=1)
    scene.advance()
    assert told(scene, "authenticate", "declined") == [f"authenticate:{statement}:1", f"declined:{statement}:2"]


def test_the_customer_of_the_card_goes_with_every_attempt(scene, processor):
    (pat,), _maker, month = month_of(scene, "request lost", "declines")
    with scene.db.transaction() as tx:
        cards.choose(tx, pat, card("new"), scene.at)
    scene.at += scene.rules.retry_unknown
    scene.advance()
    scene.at += timedelta(days=1)
    scene.advance()
    assert [(each.attempt, each.card_reference, each.customer) for each in processor.asked] == [
        (1, "pm_pat0", "cus_pat0"),
        (1, "pm_pat0", "cus_pat0"),
        (2, "pm_new", "cus_new"),
    ]
    assert not any(each.on_session for each in processor.asked)
    assert scene.statement(pat, month).state == "collected"


def test_the_steps_say_what_was_given_up(scene, processor):
    scene.patron("pat0", 10, card("pat0"))
    scene.creator("maker")
    scene.like("pat0", "song")
    processor.says = ["never again"]
    scene.month_over()
    scene.advance()
    scene.at += scene.rules.review
    steps = scene.advance()
    assert "1 charges tried, 1 still to collect" in steps
    assert "1 charges given up, 0 still to collect" in steps
