"""Cards: entered at the processor, replaced, renewed, removed, and forgotten there as well."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlmodel import col, select

from core.errands.tables import Errand
from core.mail.tables import OutboxNote
from core.months.tables import Charge
from core.payments.states import SetupState
from core.people import cards, leaving, merging, persons
from core.people.tables import Card
from tests.processor import Processor, card
from tests.scene import DECLINES, EUR, PAYS, Scene


@pytest.fixture
def processor(scene: Scene) -> Processor:
    scene.gateway = processor = Processor()
    return processor


def choose(scene: Scene, person: int, offer) -> None:
    with scene.db.transaction() as tx:
        cards.choose(tx, person, offer, scene.at)


def enter(scene: Scene, person: int | None, offer, reference: str = "cs_1", times: int = 2) -> None:
    """A card was entered; the news comes as often as it likes."""
    for _ in range(times):
        with scene.db.transaction() as tx:
            state = SetupState(reference=reference, person_id=person, card=offer)
            cards.learn_setup(tx, scene.rules, state, scene.at)


def paying(scene: Scene, person: int) -> str | None:
    with scene.db.reading() as tx:
        found = cards.card_of(tx, person)
        return found and found.reference


def forgotten(scene: Scene) -> list[str]:
    with scene.db.reading() as tx:
        rows = tx.exec(select(Errand).where(Errand.kind == "forget_card").order_by(col(Errand.id))).all()
        return [each.reference for each in rows]


def told(scene: Scene) -> list[str]:
    with scene.db.reading() as tx:
        rows = tx.exec(
            select(OutboxNote).where(col(OutboxNote.kind).startswith("card_")).order_by(col(OutboxNote.id))
        ).all()
        return [":".join(each.source.split(":")[:2]) for each in rows]


# Choosing and removing


def test_all_that_is_known_of_a_card_is_kept(scene):
    pat = scene.person("pat")
    choose(scene, pat, card("one", country="AT"))
    with scene.db.reading() as tx:
        row = cards.card_of(tx, pat)
    assert (row.brand, row.last4, row.reference) == ("visa", "4242", "pm_one")
    assert (row.customer, row.fingerprint, row.country, row.since) == ("cus_one", "fp_one", "AT", scene.at)


def test_a_replaced_card_is_forgotten_at_the_processor_and_the_same_one_is_not(scene):
    pat = scene.person("pat")
    for name in ("one", "one", "two"):
        choose(scene, pat, card(name))
    assert (paying(scene, pat), forgotten(scene)) == ("pm_two", ["pm_one"])
    for expected in (True, False):
        with scene.db.transaction() as tx:
            assert cards.remove(tx, pat, scene.at) is expected
    assert (paying(scene, pat), forgotten(scene)) == (None, ["pm_one", "pm_two"])


def test_pretend_cards_are_nowhere_to_be_forgotten(scene):
    pat = scene.person("pat")
    choose(scene, pat, PAYS)
    choose(scene, pat, DECLINES)
    with scene.db.transaction() as tx:
        cards.remove(tx, pat, scene.at)
    assert forgotten(scene) == []


def test_of_two_people_who_became_one_both_cards_go_when_a_new_one_comes(scene):
    ann, bob = scene.person("ann"), scene.person("bob")
    choose(scene, ann, card("ann"))
    choose(scene, bob, card("bob"))
    with scene.db.transaction() as tx:
        merging.merge(tx, scene.rules, keep_id=ann, lose_id=bob, at=scene.at)
    assert forgotten(scene) == []
    enter(scene, bob, card("new"))
    assert (paying(scene, ann), paying(scene, bob)) == ("pm_new", "pm_new")
    assert (forgotten(scene), told(scene)) == (["pm_ann", "pm_bob"], [f"card_taken:{ann}"])


def test_a_card_that_somebody_still_pays_with_is_kept(scene):
    ann, bob = scene.person("ann"), scene.person("bob")
    choose(scene, ann, card("one"))
    choose(scene, bob, card("one"))
    with scene.db.transaction() as tx:
        cards.remove(tx, ann, scene.at)
    assert (forgotten(scene), paying(scene, bob)) == ([], "pm_one")


def test_a_card_whose_charge_has_no_answer_yet_is_kept_for_a_day(scene, processor):
    processor.says = ["request lost"]
    pat = scene.patron("pat", 10, card("one"))
    scene.creator("maker")
    scene.like("pat", "song")
    scene.close_month()
    choose(scene, pat, card("two"))
    with scene.db.reading() as tx:
        assert tx.exec(select(Errand)).one().due_at == scene.at + timedelta(days=1)


def test_who_leaves_leaves_no_card_behind(scene):
    pat = scene.person("pat")
    choose(scene, pat, card("one"))
    for _ in range(2):
        with scene.db.transaction() as tx:
            leaving.stop(tx, scene.rules, pat, scene.at)
    assert (paying(scene, pat), forgotten(scene)) == (None, ["pm_one"])


def test_who_leaves_with_a_charge_under_way_leaves_no_card_behind_once_it_is_over(scene, processor):
    processor.says = ["request lost"]
    pat = scene.patron("pat", 10, card("one"))
    scene.creator("maker")
    scene.like("pat", "song")
    scene.close_month()
    with scene.db.transaction() as tx:
        leaving.stop(tx, scene.rules, pat, scene.at)
    assert forgotten(scene) == []
    scene.advance()
    scene.advance()
    assert (paying(scene, pat), forgotten(scene), processor.taken()) == (None, ["pm_one"], 0)


# Entered at the processor


@pytest.mark.parametrize("late", [True, False], ids=["the first one's news comes late", "in order"])
def test_of_two_entered_cards_the_one_entered_later_pays(scene, late):
    pat = scene.person("pat")
    one, two = (
        replace(card(name), entered_at=scene.at + timedelta(minutes=number))
        for number, name in enumerate(("one", "two"))
    )
    for each in (two, one) if late else (one, two):
        enter(scene, pat, each)
    enter(scene, pat, one)
    assert (paying(scene, pat), forgotten(scene)) == ("pm_two", ["pm_one"])


def test_an_entered_card_is_taken_and_told_once(scene):
    pat = scene.person("pat")
    enter(scene, pat, card("one"))
    scene.later(hours=1)
    enter(scene, pat, card("one"), reference="seti_1")  # the same under another name
    assert (paying(scene, pat), told(scene), forgotten(scene)) == ("pm_one", [f"card_taken:{pat}"], [])


def test_late_news_of_a_card_that_was_replaced_does_not_bring_it_back(scene):
    pat = scene.person("pat")
    enter(scene, pat, card("one"))
    scene.later(hours=1)
    enter(scene, pat, card("two"), reference="cs_2")
    scene.later(hours=1)
    enter(scene, pat, card("one"))
    assert (paying(scene, pat), told(scene), forgotten(scene)) == ("pm_two", [f"card_taken:{pat}"] * 2, ["pm_one"])


@pytest.mark.parametrize(("country", "taken"), [("DE", True), ("US", False), (None, False)])
def test_only_cards_of_the_operator_s_countries_are_taken(scene, country, taken):
    scene.rules = replace(scene.rules, countries=frozenset(("DE", "AT")))
    pat = scene.person("pat")
    enter(scene, pat, card("one", country=country))
    scene.later(hours=1)
    enter(scene, pat, card("one", country=country))
    assert paying(scene, pat) == ("pm_one" if taken else None)
    assert told(scene) == [f"card_{'taken' if taken else 'refused'}:{pat}"]
    assert forgotten(scene) == ([] if taken else ["pm_one"])


def test_a_refused_card_leaves_the_one_before(scene):
    scene.rules = replace(scene.rules, countries=frozenset(("DE",)))
    pat = scene.person("pat")
    enter(scene, pat, card("one"))
    enter(scene, pat, card("two", country="US"), reference="cs_2")
    assert (paying(scene, pat), forgotten(scene)) == ("pm_one", ["pm_two"])


def test_a_card_of_somebody_who_left_is_forgotten(scene):
    pat = scene.person("pat")
    with scene.db.transaction() as tx:
        leaving.stop(tx, scene.rules, pat, scene.at)
    enter(scene, pat, card("one"))
    assert (paying(scene, pat), told(scene), forgotten(scene)) == (None, [], ["pm_one"])


def test_what_is_nobody_s_or_came_to_nothing_changes_nothing(scene):
    pat = scene.person("pat")
    enter(scene, None, card("one"))
    enter(scene, 987_654, card("one"))
    enter(scene, pat, None)
    assert (paying(scene, pat), told(scene), forgotten(scene)) == (None, [], [])


# Renewed, or gone


def learn_card(scene: Scene, reference: str, offer) -> None:
    for _ in range(2):
        with scene.db.transaction() as tx:
            cards.learn_card(tx, scene.rules, reference, offer, scene.at)


def test_a_renewed_card_shows_its_new_number(scene):
    pat = scene.person("pat")
    choose(scene, pat, card("one"))
    learn_card(scene, "pm_one", replace(card("one"), last4="1881", fingerprint="fp_renewed", country="AT"))
    with scene.db.reading() as tx:
        row = tx.exec(select(Card)).one()
    assert (row.last4, row.fingerprint, row.country, row.customer) == ("1881", "fp_renewed", "AT", "cus_one")
    assert told(scene) == []


def test_a_card_that_is_gone_cannot_pay_and_its_patron_is_told_once(scene):
    ann, bob = scene.person("ann"), scene.person("bob")
    choose(scene, ann, card("one"))
    with scene.db.transaction() as tx:
        merging.merge(tx, scene.rules, keep_id=ann, lose_id=bob, at=scene.at)
    learn_card(scene, "pm_one", None)
    learn_card(scene, "pm_unknown", None)
    assert (paying(scene, ann), paying(scene, bob), told(scene)) == (None, None, [f"card_gone:{ann}"])
    assert forgotten(scene) == []


def test_a_card_that_we_had_forgotten_ourselves_is_no_news(scene):
    pat = scene.person("pat")
    choose(scene, pat, card("one"))
    with scene.db.transaction() as tx:
        cards.remove(tx, pat, scene.at)
    learn_card(scene, "pm_one", None)
    assert told(scene) == []


# A new card within the days


def declined(scene: Scene, processor: Processor, *says: str) -> tuple[int, int]:
    """A patron, and the month that was tried once; the closing's time is the scene's."""
    pat = scene.patron("pat", 10, card("one"))
    scene.creator("maker")
    scene.like("pat", "song")
    processor.says = list(says)
    return pat, scene.close_month()


def test_a_new_card_is_tried_at_once_after_a_decline(scene, processor):
    pat, month = declined(scene, processor, "declines", "pays")
    enter(scene, pat, card("two"))
    assert scene.statement(pat, month).next_attempt_at == scene.at
    scene.advance()
    assert [(each.key[-1], each.card_reference) for each in processor.asked] == [("1", "pm_one"), ("2", "pm_two")]
    assert (scene.statement(pat, month).state, scene.due(scene.person("maker"))) == ("collected", 9 * EUR)


def test_new_cards_are_no_more_tries_than_the_days(scene, processor):
    pat, month = declined(scene, processor, *["declines"] * 20)
    for number in range(10):
        enter(scene, pat, card(f"new{number}"), reference=f"cs_{number}")
        scene.later(minutes=10)
        scene.advance()
    assert len(processor.asked) == len(scene.rules.collect_days)
    assert scene.statement(pat, month).state == "lapsed"


def test_a_try_made_early_is_the_next_of_the_days_and_the_others_keep_theirs(scene, processor):
    pat, _month = declined(scene, processor, *["declines"] * 20)
    closed = scene.at
    enter(scene, pat, card("two"))
    for _ in range(24 * 7 + 1):
        scene.advance()
        scene.later(hours=1)
    with scene.db.reading() as tx:
        tried = [each.asked_at - closed for each in tx.exec(select(Charge).order_by(col(Charge.attempt)))]
    assert tried == [timedelta(days=days) for days in (0, 0, 3, 5, 7)]


def test_what_was_never_declined_or_has_no_answer_is_not_hurried(scene, processor):
    pat, month = declined(scene, processor, "request lost")
    later = scene.statement(pat, month).next_attempt_at
    enter(scene, pat, card("two"))
    assert (scene.statement(pat, month).next_attempt_at, later > scene.at) == (later, True)


def test_what_is_given_up_is_not_tried_with_a_new_card(scene, processor):
    processor.giving_up_says = ["request lost"]
    pat, month = declined(scene, processor, "never again")
    enter(scene, pat, card("two"))
    scene.advance()
    assert (scene.statement(pat, month).ends_as, len(processor.asked)) == ("lapsed", 1)


def test_a_stranger_s_card_helps_nobody_else_s_statement(scene, processor):
    pat, month = declined(scene, processor, "declines")
    with scene.db.transaction() as tx:
        other = persons.key(persons.ensure_person(tx, scene.account("other"), scene.at))
    enter(scene, other, card("two"))
    assert scene.statement(pat, month).next_attempt_at > scene.at
