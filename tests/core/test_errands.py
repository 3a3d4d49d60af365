"""Errands: whatever the processor says has changed is looked up once it can be, and taken in once."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlmodel import select

from core.database import Busy
from core.errands import keeping, running
from core.errands.tables import Errand
from core.mail.faults import place_of
from core.months.tables import Statement
from core.payments.sandbox import SandboxGateway
from core.payments.states import SetupState
from core.people import cards
from tests.processor import Processor, card
from tests.scene import EUR, Scene


@pytest.fixture
def processor(scene: Scene) -> Processor:
    scene.gateway = processor = Processor()
    return processor


def note(scene: Scene, *names: str) -> None:
    with scene.db.transaction() as tx:
        for name in names:
            kind, _, reference = name.partition(":")
            keeping.note(tx, kind, reference, scene.at)


def run(scene: Scene) -> int:
    return running.run(scene.db, scene.rules, scene.gateway, scene.at)


def errand(scene: Scene, reference: str) -> Errand:
    with scene.db.reading() as tx:
        return tx.exec(select(Errand).where(Errand.reference == reference)).one()


def counted(scene: Scene) -> tuple[int, int, int]:
    with scene.db.reading() as tx:
        found = keeping.counts(tx)
        return found.waiting, found.done, found.failed


# Keeping


def test_much_news_of_one_thing_is_one_errand(scene):
    note(scene, "card:pm_1", "card:pm_1", "card:pm_2", "setup:pm_1")
    assert counted(scene) == (3, 0, 0)
    with scene.db.reading() as tx:
        assert [(each.kind, each.reference) for each in keeping.due(tx, scene.at, 2)] == [
            ("card", "pm_1"),
            ("card", "pm_2"),
        ]
        assert keeping.due(tx, scene.at - timedelta(seconds=1), 2) == []


def test_what_comes_while_we_look_is_not_taken_for_seen(scene):
    note(scene, "card:pm_1")
    seen = errand(scene, "pm_1")
    note(scene, "card:pm_1")
    with scene.db.transaction() as tx:
        assert not keeping.done(tx, seen.id, seen.version, scene.at)
        assert not keeping.later(tx, seen.id, seen.version, scene.at + timedelta(days=1), "no answer")
        assert not keeping.failed(tx, seen.id, seen.version, scene.at, "a bug")
    assert (counted(scene), errand(scene, "pm_1").due_at, errand(scene, "pm_1").tries) == ((1, 0, 0), scene.at, 0)
    with scene.db.transaction() as tx:
        assert keeping.done(tx, seen.id, seen.version + 1, scene.at)
        assert not keeping.done(tx, seen.id, seen.version + 1, scene.at)
    assert counted(scene) == (0, 1, 0)


@pytest.mark.parametrize("end", ["done", "failed", "later"])
def test_news_wakes_what_was_done_given_up_or_put_off(scene, end):
    note(scene, "card:pm_1")
    row = errand(scene, "pm_1")
    with scene.db.transaction() as tx:
        match end:
            case "done":
                keeping.done(tx, row.id, row.version, scene.at)
            case "failed":
                keeping.failed(tx, row.id, row.version, scene.at, "a bug")
            case "later":
                keeping.later(tx, row.id, row.version, scene.at + timedelta(days=1), "no answer")
    scene.later(minutes=1)
    note(scene, "card:pm_1")
    row = errand(scene, "pm_1")
    assert (row.state, row.due_at, row.done_at, row.version) == ("waiting", scene.at, None, 2)
    assert row.tries == (1 if end == "later" else 0)


def test_an_errand_read_before_is_read_anew_after_it_was_noted(scene):
    note(scene, "card:pm_1")
    with scene.db.transaction() as tx:
        row = tx.exec(select(Errand)).one()
        keeping.note(tx, "card", "pm_1", scene.at)
        assert row.version == 2


# Running


def test_each_kind_of_news_goes_where_it_belongs(scene, processor):
    pat = scene.person("pat")
    processor.setups["cs_1"] = SetupState(reference="cs_1", person_id=pat, card=card("new"))
    processor.cards_now["pm_new"] = card("new", last4="9999")
    note(scene, "setup:cs_1")
    assert run(scene) == 1
    note(scene, "card:pm_new")
    assert run(scene) == 1
    with scene.db.reading() as tx:
        found = cards.card_of(tx, pat)
        assert (found.reference, found.last4) == ("pm_new", "9999")
    processor.cards_now["pm_new"] = None
    note(scene, "card:pm_new")
    assert (run(scene), run(scene)) == (1, 0)
    with scene.db.reading() as tx:
        assert cards.card_of(tx, pat) is None
    note(scene, "forget_card:pm_old")
    assert (run(scene), processor.forgotten) == (1, ["pm_old"])


def test_what_is_not_ours_is_done(scene, processor):
    names = ("setup", "account", "dispute", "warning", "transfer", "intent")
    note(
        scene, *(f"{name}:{name[:2]}_9" for name in names if name != "intent"), "intent:pi_9", "bank_payout:acct_9/po_9"
    )
    note(scene, "balance:available")
    assert (run(scene), counted(scene)) == (8, (0, 8, 0))
    assert "acct_9/po_9" in processor.looked


def test_an_answer_that_was_lost_is_looked_up(scene, processor):
    processor.says = ["answer lost"]
    pat = scene.patron("pat", 10, card("pat"))
    maker = scene.creator("maker")
    scene.like("pat", "song")
    statement = scene.statement(pat, scene.close_month()).id
    note(scene, f"intent:pi_{statement}")
    assert (run(scene), scene.due(maker), processor.looked) == (1, 9 * EUR, [f"pi_{statement}"])
    note(scene, f"intent:pi_{statement}")
    assert run(scene) == 1
    assert processor.looked == [f"pi_{statement}"], "of what is settled nothing is asked"
    assert scene.due(maker) == 9 * EUR


def test_what_is_not_answered_is_asked_again_ever_more_rarely(scene, processor):
    processor.silent = {"pm_1"}
    note(scene, "card:pm_1")
    pauses = []
    for _ in range(14):
        assert run(scene) == 0
        pauses.append(errand(scene, "pm_1").due_at - scene.at)
        scene.at = errand(scene, "pm_1").due_at
    assert pauses[:3] == [timedelta(seconds=10), timedelta(seconds=20), timedelta(seconds=40)]
    assert pauses[-1] == timedelta(hours=6)
    assert errand(scene, "pm_1").reason == "no answer"
    processor.silent = set()
    assert (run(scene), counted(scene)) == (1, (0, 1, 0))


def test_a_bug_puts_off_its_own_errand_and_is_named_by_its_place(scene, processor, caplog):
    note(scene, "refund:re_1", "card:pm_1")
    assert (run(scene), counted(scene)) == (1, (1, 1, 0))
    row = errand(scene, "re_1")
    assert row.reason.startswith("TypeError at tests/processor.py:")
    assert "private" not in row.reason + caplog.text
    for _ in range(running.BUGS):
        run(scene)
        scene.later(days=1)
    row = errand(scene, "re_1")
    assert (row.state, row.tries, counted(scene)) == ("failed", running.BUGS, (0, 1, 1))
    with scene.db.transaction() as tx:
        assert [each.reference for each in keeping.failures(tx)] == ["re_1"]
        assert keeping.again(tx, scene.at) == 1
    assert (counted(scene), errand(scene, "re_1").tries) == ((1, 1, 0), 0)


def test_a_kind_that_nobody_knows_is_a_bug_of_its_own(scene, processor):
    note(scene, "comet:halley", "card:pm_1")
    assert (run(scene), counted(scene)) == (1, (1, 1, 0))
    assert errand(scene, "halley").reason.startswith("KeyError at core/errands/running.py:")


def test_what_could_not_be_taken_in_is_not_done(scene, processor, monkeypatch):
    def broken(*words):
        raise ZeroDivisionError

    processor.setups["cs_1"] = SetupState(reference="cs_1", person_id=scene.person("pat"), card=card("new"))
    note(scene, "setup:cs_1")
    with monkeypatch.context() as patched:
        patched.setattr(cards, "choose", broken)
        assert run(scene) == 0
    assert errand(scene, "cs_1").reason.startswith("ZeroDivisionError at ")
    scene.later(minutes=1)
    assert run(scene) == 1


def test_silence_of_weeks_is_given_up(scene, processor):
    processor.silent = {"pm_1"}
    note(scene, "card:pm_1")
    for _ in range(running.SILENCES):
        run(scene)
        scene.later(hours=6)
    assert counted(scene) == (0, 0, 1)
    assert len(processor.looked) == running.SILENCES


def test_news_while_it_is_looked_up_is_looked_up_too(scene, processor):
    class Told(Processor):
        def look_at_card(self, reference):
            if not self.looked:
                note(scene, "card:pm_1")
            return super().look_at_card(reference)

    scene.gateway = told = Told()
    note(scene, "card:pm_1")
    assert (run(scene), counted(scene)) == (0, (1, 0, 0)), "once a round"
    assert (run(scene), counted(scene), told.looked) == (1, (0, 1, 0), ["pm_1", "pm_1"])


def test_many_are_looked_up_side_by_side(scene, processor, monkeypatch):
    monkeypatch.setattr(running, "BATCH", 7)
    together = threading.Barrier(3, timeout=30)

    class Meets(Processor):
        def look_at_card(self, reference):
            if reference in ("pm_0", "pm_1", "pm_2"):
                together.wait()
            return super().look_at_card(reference)

    scene.gateway = Meets(at_once=3)
    note(scene, *(f"card:pm_{number}" for number in range(20)))
    assert (run(scene), counted(scene)) == (20, (0, 20, 0))


def test_one_process_at_a_time_runs_them(scene, processor):
    note(scene, "card:pm_1")
    with scene.db.exclusively(running.LOCK), pytest.raises(Busy):
        run(scene)
    assert run(scene) == 1


def test_where_there_is_nobody_to_ask_nothing_is_run(scene):
    note(scene, "card:pm_1")
    scene.gateway = SandboxGateway(scene.db)
    assert (run(scene), counted(scene)) == (0, (1, 0, 0))


def test_a_hub_killed_between_looking_and_noting_looks_again(scene, processor, monkeypatch):
    def killed(*words):
        raise KeyboardInterrupt

    pat = scene.person("pat")
    processor.setups["cs_1"] = SetupState(reference="cs_1", person_id=pat, card=card("new"))
    note(scene, "setup:cs_1")
    with monkeypatch.context() as patched:
        patched.setattr(keeping, "done", killed)
        with pytest.raises(KeyboardInterrupt):
            run(scene)
    with scene.db.reading() as tx:
        assert cards.card_of(tx, pat) is None
        assert tx.exec(select(Statement)).all() == []
    assert run(scene) == 1
    with scene.db.reading() as tx:
        assert cards.card_of(tx, pat).reference == "pm_new"


def test_a_place_is_never_more_than_a_type_and_a_line():
    with pytest.raises(ValueError, match="secret") as caught:
        raise ValueError("pm_secret")
    assert "secret" not in place_of(caught.value)
