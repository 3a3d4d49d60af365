"""What a month's end writes, column by column and account by account, where another value would go unseen for long."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlmodel import select

from core.books import ledger, reversals
from core.charges import answering, collecting, unpaid
from core.mail.tables import OutboxNote
from core.months import closing, payouts, runner, stages, statements
from core.months.tables import Charge, Month, Payout, PayoutRun, Statement
from core.payments import counterparts
from core.payments.gateway import Done
from core.payments.states import IntentState, RefundState
from core.people import budgets, preferences
from core.people.tables import Person
from core.periods import month_of
from core.returns import refunds
from core.returns.tables import Refund
from tests.core.scripted import hosted, paid_creator
from tests.scene import DECLINES, EUR, PAYS, Scene


def two_patrons(scene: Scene) -> tuple[int, int, int]:
    """Two who like the same creator's things, the second with too small a cap to be charged; and the creator."""
    ada, tiny, maker = scene.patron("ada", 10), scene.patron("tiny", 10), scene.creator("maker")
    with scene.db.transaction() as tx:
        preferences.set_caps(tx, tiny, per_flattr_micros=EUR // 10, per_creator_micros=None)
    for who in ("ada", "tiny"):
        scene.like(who, f"{who}'s", "maker")
    return ada, tiny, maker


def untold(scene: Scene) -> list[OutboxNote]:
    with scene.db.reading() as tx:
        return list(tx.exec(select(OutboxNote).order_by(OutboxNote.id)))  # type: ignore[arg-type]


def test_every_note_waits_untried_from_the_moment_it_is_made(scene):
    ada, tiny, _ = two_patrons(scene)
    month = scene.month_over()
    scene.advance()
    begun = scene.at
    scene.at += scene.rules.review
    scene.advance()
    assert [(note.kind, note.source, note.person_id) for note in untold(scene)] == [
        ("review", f"review:{month}:{ada}", ada),
        ("review", f"review:{month}:{tiny}", tiny),
        ("statement", f"statement:{scene.statement(tiny, month).id}", tiny),
        ("statement", f"statement:{scene.statement(ada, month).id}", ada),
    ]
    assert {(note.state, note.attempts, note.parts_sent) for note in untold(scene)} == {("waiting", 0, 0)}
    times = [(note.created_at, note.next_at) for note in untold(scene)]
    assert times == [(begun, begun)] * 2 + [(scene.at, scene.at)] * 2


def test_a_statement_under_review_has_nothing_but_its_budget(scene):
    ada, _, _ = two_patrons(scene)
    month = scene.month_over()
    scene.advance()
    row = scene.statement(ada, month)
    assert (row.state, row.budget_micros, row.early, row.next_attempt_at) == ("review", 10 * EUR, False, None)
    assert [row.flattrs, row.charge_micros, row.cost_micros, row.fee_micros] == [0] * 4
    assert [row.share_micros, row.spare_micros, row.attempts] == [0] * 3


def test_a_statement_that_is_too_small_ends_void_and_costs_nothing(scene):
    _, tiny, _ = two_patrons(scene)
    row = scene.statement(tiny, scene.close_month())
    assert (row.state, row.flattrs, row.next_attempt_at, row.collected_at) == ("void", 1, None, None)
    assert [row.charge_micros, row.cost_micros, row.fee_micros, row.share_micros, row.spare_micros] == [0] * 5


def test_each_line_of_a_statement_is_posted_to_its_own_account(db, rules, at):
    scene = Scene(db, replace(rules, cost_bp=290, cost_fixed_micros=300_000), at)
    ada, bob, maker = scene.patron("ada", 10), scene.patron("bob", 20), scene.creator("maker")
    with scene.db.transaction() as tx:
        preferences.bear_cost(tx, bob, agreed=True)
    scene.like("ada", "one", "maker")
    scene.like("bob", "two", "maker")
    scene.close_month()
    assert scene.books() == {
        "stripe": -30 * EUR,
        "cost": 880_000,
        "income": 1_912_000 + EUR,
        f"creator:{maker}": 30 * EUR - 880_000 - 1_912_000 - EUR,
    }
    with scene.db.reading() as tx:
        assert [ledger.owed(tx, ledger.patron(each)) for each in (ada, bob)] == [0, 0]
    assert scene.broken() == []


def test_a_card_never_costs_more_than_its_charge(db, rules, at):
    # 95 % of 4.00 and 0.30: 4.10 of 4.00
    scene = Scene(db, replace(rules, cost_bp=9_500, cost_fixed_micros=300_000), at)
    ada = scene.patron("ada", 4)
    maker = scene.creator("maker")
    with scene.db.transaction() as tx:
        preferences.bear_cost(tx, ada, agreed=True)
    scene.like("ada", "one", "maker")
    row = scene.statement(ada, scene.close_month())
    assert (row.charge_micros, row.cost_micros, row.fee_micros, row.share_micros) == (4 * EUR, 4 * EUR, 0, 0)
    assert (scene.due(maker), scene.broken()) == (0, [])


def test_a_like_of_a_thing_by_nobody_known_says_where_it_was_seen(scene):
    ada = scene.patron("ada", 10)
    scene.like("ada", "one", None)
    (line,) = scene.status(ada).lines
    assert (line.creator_account, line.platform, line.state) == ("", "pond", "pending")


def test_money_is_early_in_a_patron_s_first_two_collected_months_only(scene):
    patron = scene.patron("ada", 10)
    scene.creator("maker")
    early = []
    for number in range(4):
        scene.like("ada", f"thing-{number}", "maker")
        month = scene.close_month()
        early.append(scene.statement(patron, month).early)
    assert early == [True, True, False, False]


def test_the_first_try_is_due_the_moment_the_month_closes(scene, monkeypatch):
    ada = scene.patron("ada", 10)
    scene.creator("maker")
    scene.like("ada", "one", "maker")
    month = scene.month_over()
    scene.advance()
    scene.at += scene.rules.review
    monkeypatch.setattr(collecting, "collect", lambda *_: 0)
    scene.advance()
    row = scene.statement(ada, month)
    assert (row.state, row.next_attempt_at, row.attempts) == ("due", scene.at, 0)


def test_a_month_is_passed_on_once_and_only_from_the_stage_before(scene):
    scene.patron("ada", 10)
    scene.creator("maker")
    scene.like("ada", "one", "maker")
    month = scene.month_over()
    with scene.db.transaction() as tx:
        assert not collecting.begin(tx, month)
        assert not collecting.begin(tx, month + 7)
    assert scene.stage(month) == "open"
    assert "review began; patrons are told" in scene.advance()
    assert scene.advance() == []
    scene.at += scene.rules.review
    assert scene.advance() == [
        "closing",
        "closed",
        "collecting began",
        "1 charges tried, 0 still to collect",
        "settled",
    ]
    with scene.db.transaction() as tx:
        assert not collecting.begin(tx, month)
    assert scene.advance() == []
    with scene.db.reading() as tx:
        row = tx.get_one(Month, month)
        assert (row.stage, row.closed_at, row.review_ends_at) == ("settled", scene.at, scene.at)


def test_steps_say_how_far_they_are(scene, monkeypatch):
    monkeypatch.setattr(closing, "CHUNK", 2)
    for name in ("ada", "bob", "cy"):
        scene.patron(name, 10, DECLINES if name == "bob" else PAYS)
        scene.like(name, f"{name}'s", "maker")
    scene.creator("maker")
    scene.month_over()
    scene.advance()
    scene.at += scene.rules.review
    steps = runner.advance(scene.db, scene.rules, scene.gateway, scene.at)
    assert [(step.what, step.done, step.total) for step in steps if step.what.startswith("clos")] == [
        ("closing", 2, 3),
        ("closing", 3, 3),
        ("closed", 0, 0),
    ]
    assert [str(step)[9:] for step in steps[1:3]] == ["closing (3 of 3)", "closed"]
    assert "3 charges tried, 1 still to collect" in [step.what for step in steps]


@pytest.mark.parametrize("stage", ["open", "review", "closed", "settled"])
def test_only_a_month_that_is_being_collected_settles(scene, stage):
    month = 24_000
    with scene.db.transaction() as tx:
        tx.add(Month(id=month, stage=stage))
        tx.flush()
        assert not collecting.settle(tx, month, scene.at)
        assert not collecting.settle(tx, month + 1, scene.at)
        assert tx.get_one(Month, month).stage == stage


def test_a_month_with_a_statement_that_is_due_does_not_settle(scene):
    person = scene.person("ada")
    with scene.db.transaction() as tx:
        tx.add(Month(id=24_000, stage="collecting"))
        tx.add(Month(id=24_001, stage="collecting"))
        tx.flush()
        tx.add(Statement(patron_id=person, month=24_000, budget_micros=EUR, state="due"))
        tx.flush()
        assert not collecting.settle(tx, 24_000, scene.at)
        assert tx.get_one(Month, 24_000).stage == "collecting"
        assert collecting.settle(tx, 24_001, scene.at)
        assert tx.get_one(Month, 24_001).settled_at == scene.at


def test_every_account_of_the_hub_has_a_name():
    assert [ledger.describe(each) for each in (0, 1, 4, 5, 6, 7)] == [
        "bank", "stripe", "transit", "income", "cost", "loss",
    ]  # fmt: skip
    hub = (ledger.BANK, ledger.STRIPE, ledger.TRANSIT, ledger.INCOME, ledger.COST, ledger.LOSS)
    assert hub == (0, 1, 4, 5, 6, 7)
    assert (ledger.describe(ledger.patron(5)), ledger.describe(ledger.creator(5))) == ("patron:5", "creator:5")


def test_what_was_paid_and_came_back_whole_was_not_paid(scene):
    house = hosted(scene)
    maker = paid_creator(scene, "maker")
    assert maker == 1  # a number whose account looks like another kind's if the kinds were nine
    scene.patron("ada", 10)
    for number in range(2):
        scene.like("ada", f"thing-{number}", "maker")
        scene.close_month()
        scene.later(days=15)
        scene.advance()

    def paid() -> int:
        with scene.db.reading() as tx:
            return statements.earnings(tx, scene.rules, maker, scene.at).paid_micros

    assert paid() == 9 * EUR
    with scene.db.reading() as tx:
        [payout] = tx.exec(select(Payout)).all()
    payouts.reverse(scene.db, scene.rules, house, payout.id, scene.at)
    assert paid() == 0
    assert scene.due(maker) == 18 * EUR


def test_what_exceeds_a_charge_is_lost_and_given_again_as_often_as_it_comes_and_goes(scene):
    scene.patron("ada", 10)
    scene.creator("maker")
    scene.like("ada", "one", "maker")
    scene.close_month()
    with scene.db.transaction() as tx:
        for number in (1, 3):
            reversals.take_back(tx, statement_id=1, amount_micros=14 * EUR, source=f"dp_1#{number}", at=scene.at)
            reversals.give_again(
                tx, statement_id=1, amount_micros=14 * EUR, of="dp_1#", source=f"dp_1#{number + 1}", at=scene.at
            )
            assert not reversals.give_again(
                tx, statement_id=1, amount_micros=14 * EUR, of="dp_1#", source=f"dp_1#{number + 1}", at=scene.at
            )
    assert scene.books() == {"stripe": -10 * EUR, "income": EUR, "creator:2": 9 * EUR}
    with scene.db.transaction() as tx, pytest.raises(ValueError, match="there are 0 micros"):
        reversals.give_again(tx, statement_id=1, amount_micros=1, of="dp_1#", source="dp_1#5", at=scene.at)


def test_a_run_is_over_when_its_own_payouts_are(scene):
    house = hosted(scene)
    for number in range(2):
        paid_creator(scene, f"maker-{number}")
        scene.patron(f"ada-{number}", 10)
    scene.like("ada-0", "one", "maker-0")
    scene.close_month()
    scene.like("ada-1", "two", "maker-1")
    scene.close_month()
    scene.at = scene.at.replace(day=28)

    def run(period: int) -> None:
        with scene.db.transaction() as tx:
            payouts.begin(tx, scene.rules, period, scene.at)
        payouts.send(scene.db, scene.rules, house, scene.at)
        scene.later(days=1)

    def finished() -> list[bool]:
        with scene.db.reading() as tx:
            runs = tx.exec(select(PayoutRun).order_by(PayoutRun.id)).all()  # type: ignore[arg-type]
            return [each.finished_at is not None for each in runs]

    house.available = 0
    run(1)  # nothing is due yet: all of it is early
    run(2)
    with scene.db.reading() as tx:
        assert len(tx.exec(select(Payout)).all()) == 2
    assert finished() == [True, False]
    run(3)
    assert finished() == [True, False, True]


def test_a_month_under_review_is_shown_as_it_was_judged(scene):
    ada, maker = scene.patron("ada", 10), scene.creator("maker")
    scene.like("ada", "one", "maker")
    month = scene.month_over()

    def can_be_paid(since) -> None:
        with scene.db.transaction() as tx:
            tx.get_one(Person, maker).payable_since = since

    can_be_paid(None)
    assert scene.states(ada, month) == ["pending"]
    can_be_paid(scene.at)
    assert scene.states(ada, month) == ["counts"]
    scene.advance()
    can_be_paid(None)
    assert scene.states(ada, month) == ["counts"]


def test_who_owes_a_statement_is_told_why_the_last_try_came_to_nothing(scene):
    ada = scene.patron("ada", 10, DECLINES)
    scene.creator("maker")
    scene.like("ada", "one", "maker")
    month = scene.close_month()
    with scene.db.transaction() as tx:
        number = scene.statement(ada, month).id
        tx.add(Charge(statement_id=number, attempt=2, state="asked", asked_at=scene.at, reason="no answer yet"))
    with scene.db.reading() as tx:
        [owed] = unpaid.of(tx, ada)
    assert (owed.statement_id, owed.amount_micros, owed.reason) == (number, 10 * EUR, "the card was declined")


@pytest.mark.parametrize(("day", "due"), [(10, False), (11, True), (12, True)])
def test_a_payout_run_is_due_from_its_day_on(scene, day, due):
    scene.patron("ada", 10)
    scene.creator("maker")
    scene.like("ada", "one", "maker")
    month = scene.close_month()
    scene.at = scene.at.replace(day=day, hour=0, minute=0, second=0, microsecond=0)
    with scene.db.transaction() as tx:
        assert payouts.due_period(tx, scene.rules, scene.at) == (month + 1 if due else None)
        assert payouts.next_run(tx, scene.rules, scene.at) == scene.at.replace(day=11)
        if due:
            payouts.begin(tx, scene.rules, month + 1, scene.at)
            assert payouts.due_period(tx, scene.rules, scene.at) is None
            assert payouts.next_run(tx, scene.rules, scene.at) == (scene.at + timedelta(days=31)).replace(day=11)


def test_no_payout_run_begins_while_nothing_was_ever_owed(scene):
    scene.patron("ada", 10)
    with scene.db.reading() as tx:
        assert payouts.due_period(tx, scene.rules, scene.at.replace(day=28)) is None


def test_a_payout_run_is_finished_when_its_last_payout_has_an_answer(scene):
    scene.patron("ada", 10)
    maker = scene.creator("maker")
    for number in range(3):
        scene.like("ada", f"thing-{number}", "maker")
        scene.close_month()
    scene.at = (scene.at + timedelta(days=31)).replace(day=11)
    scene.advance()
    with scene.db.reading() as tx:
        payout = tx.exec(select(Payout).where(Payout.creator_id == maker)).first()
        assert payout is not None
        run = tx.get_one(PayoutRun, payout.run_id)
        assert (payout.state, payout.attempt, payout.calls, payout.asked_at) == ("sent", 1, 1, run.started_at)
        assert (run.finished_at, payout.answered_at) == (run.started_at, run.started_at)


def test_a_like_of_a_closed_month_counts_in_the_earliest_open_one(scene):
    scene.patron("ada", 10)
    scene.like("ada", "one", "maker")
    month = scene.month_over()
    scene.advance()
    liked = scene.at - timedelta(days=2)
    with scene.db.transaction() as tx:
        assert stages.month_taking(tx, liked, liked) == month + 1
        stages.ensure_month(tx, month + 3)
        stages.ensure_month(tx, month + 5)
        tx.get_one(Month, month + 1).stage = "closed"
        tx.flush()
        assert stages.month_taking(tx, liked, liked) == month + 3
        assert stages.month_taking(tx, scene.at, liked) == month + 3
    with scene.db.transaction() as tx:
        for each in (1, 3, 5):
            tx.get_one(Month, month + each).stage = "review" if each == 5 else "closed"
        tx.flush()
        assert stages.month_taking(tx, liked, liked) == month + 1
        tx.rollback()
    with scene.db.transaction() as tx:
        assert stages.reviewing(tx).id == month
        tx.get_one(Month, month + 5).stage = "review"
        tx.flush()
        assert stages.reviewing(tx).id == month + 5
        assert [each.id for each in stages.months(tx)] == sorted((each.id for each in stages.months(tx)), reverse=True)


@pytest.mark.parametrize("micros", [0, -1])
def test_nothing_is_no_amount_to_take_back(scene, micros):
    scene.patron("ada", 10)
    scene.creator("maker")
    scene.like("ada", "one", "maker")
    scene.close_month()
    with scene.db.transaction() as tx, pytest.raises(ValueError, match="to take back"):
        reversals.take_back(tx, statement_id=1, amount_micros=micros, source="dp_1#1", at=scene.at)


@pytest.mark.parametrize(("cents", "charged"), [(49, 0), (49.5, 0), (50, 50), (51, 51)])
def test_the_processor_s_minimum_itself_is_charged(scene, cents, charged):
    ada = scene.patron("ada", 10)
    scene.creator("maker")
    with scene.db.transaction() as tx:
        preferences.set_caps(tx, ada, per_flattr_micros=int(cents * EUR // 100), per_creator_micros=None)
    scene.like("ada", "one", "maker")
    assert scene.status(ada).charge_micros == charged * EUR // 100
    assert scene.statement(ada, scene.close_month()).charge_micros == charged * EUR // 100


def test_a_refund_s_failure_is_taken_in_when_it_is_heard_of_once(scene):
    hosted(scene)
    ada = scene.patron("ada", 10)
    paid_creator(scene, "maker")
    scene.like("ada", "one", "maker")
    number = scene.statement(ada, scene.close_month()).id
    with scene.db.transaction() as tx:
        refunds.ask(tx, scene.rules, statement_id=number, amount_micros=EUR, reason="operator", at=scene.at)
    refunds.send(scene.db, scene.rules, scene.gateway, scene.at)
    with scene.db.transaction() as tx:
        row = tx.get_one(Refund, 1)
        failed = RefundState(
            reference=str(row.reference), intent="pi-1", amount_minor=100, state="failed", reason="the card is closed"
        )
        refunds.learn(tx, scene.rules, failed, scene.at)
        assert (row.state, row.why_not) == ("failed", "the card is closed")
    assert [note.kind for note in untold(scene)].count("refund_failed") == 1


def test_a_charge_that_was_cancelled_ends_its_statement_when_it_is_heard_of_once(scene):
    ada = scene.patron("ada", 10, DECLINES)
    scene.creator("maker")
    scene.like("ada", "one", "maker")
    month = scene.close_month()
    number = scene.statement(ada, month).id
    with scene.db.transaction() as tx:
        counterparts.keep(tx, "intent", number, "pi-1", scene.at)
        answering.learn(
            tx, scene.rules, IntentState(reference="pi-1", statement_id=number, state="cancelled"), scene.at
        )
    row = scene.statement(ada, month)
    assert (row.state, row.next_attempt_at, row.ends_as) == ("lapsed", None, None)
    assert [note.kind for note in untold(scene)].count("lapsed") == 1


def test_a_chargeback_of_what_an_earlier_run_paid_leaves_what_is_due_since_alone(scene):
    hosted(scene)
    ada = scene.patron("ada", 10)
    scene.patron("bob", 10)
    maker = paid_creator(scene, "maker")
    statements_of_ada = []
    for number in range(4):
        scene.like("ada" if number < 3 else "bob", f"thing-{number}", "maker")
        month = scene.close_month()
        statements_of_ada += [scene.statement(ada, month).id] if number < 3 else []
        if number < 3:
            scene.later(days=12)
            scene.advance()
    with scene.db.reading() as tx:
        assert len(tx.exec(select(Payout).where(Payout.state == "sent")).all()) == 2
    due = scene.due(maker)
    with scene.db.transaction() as tx:
        last = statements_of_ada[1]
        reversals.take_back(tx, statement_id=last, amount_micros=10 * EUR, source="dp_1#1", at=scene.at)
    assert scene.due(maker) == due > 0


def test_what_is_not_being_given_up_is_not_ended_by_such_an_answer(scene):
    ada = scene.patron("ada", 10, DECLINES)
    scene.creator("maker")
    scene.like("ada", "one", "maker")
    month = scene.close_month()
    before = scene.statement(ada, month)
    with scene.db.transaction() as tx:
        answering.gave_up(tx, scene.rules, before.id, Done(""), scene.at)
    after = scene.statement(ada, month)
    assert (after.state, after.next_attempt_at) == ("due", before.next_attempt_at)


def test_where_no_month_takes_likes_the_next_is_opened(scene):
    with scene.db.transaction() as tx:
        stages.ensure_month(tx, month_of(scene.at))
        tx.get_one(Month, month_of(scene.at)).stage = "closed"
        tx.flush()
        following = stages.month_taking(tx, scene.at, scene.at)
        assert following == month_of(scene.at) + 1
        assert tx.get_one(Month, following).stage == "open"


def test_a_hub_that_earned_nothing_bears_what_nobody_else_does_as_loss(db, rules, at):
    scene = Scene(db, replace(rules, fee_bp=0), at)
    scene.patron("ada", 10)
    maker = scene.creator("maker")
    scene.like("ada", "one", "maker")
    scene.close_month()
    with scene.db.transaction() as tx:
        for period in (1, 2):
            payouts.begin(tx, scene.rules, period, scene.at + timedelta(days=period))
        assert ledger.owed(tx, ledger.creator(maker)) == 0
        reversals.take_back(tx, statement_id=1, amount_micros=10 * EUR, source="dp_1#1", at=scene.at)
    assert scene.books() == {"transit": 10 * EUR, "loss": -10 * EUR}


def test_a_statement_is_its_patron_s_alone(scene):
    for name in ("ada", "bob"):
        scene.patron(name, 10)
        scene.like(name, "the same", "maker")
    maker = scene.creator("maker")
    month = scene.close_month()
    with scene.db.reading() as tx:
        rows = tx.exec(select(Statement).where(Statement.month == month)).all()
    assert {(row.state, row.flattrs, row.charge_micros) for row in rows} == {("collected", 1, 10 * EUR)}
    assert scene.due(maker) == 18 * EUR


@pytest.mark.parametrize("patrons", [1, 3])
def test_what_waits_is_each_early_flattr_once_and_nothing_else(scene, patrons):
    maker = scene.creator("maker")
    scene.patron("old", 10)
    for month in range(3):
        scene.like("old", f"song-{month}", "maker")
        for number in range(patrons if month == 2 else 0):
            scene.patron(f"new-{number}", 10)
            scene.like(f"new-{number}", f"tune-{number}", "maker")
        scene.close_month()
    with scene.db.reading() as tx:
        earned = statements.earnings(tx, scene.rules, maker, scene.at)
    # The first two months of who is there for longer are as early: no payout run was yet.
    assert (earned.waiting_micros, earned.due_micros) == ((patrons + 2) * 9 * EUR, (patrons + 3) * 9 * EUR)


def test_who_gives_nothing_any_more_has_no_review_and_no_statement(scene):
    ada, _, _ = two_patrons(scene)
    with scene.db.transaction() as tx:
        budgets.set_budget(tx, scene.rules, person_id=ada, amount_micros=0, at=scene.at, now=True)
    month = scene.close_month()
    with scene.db.reading() as tx:
        rows = tx.exec(select(Statement.patron_id).where(Statement.month == month)).all()
    assert ada not in rows
    assert ada not in {note.person_id for note in untold(scene)}


def test_a_new_card_hurries_no_statement_that_was_not_declined_itself(scene):
    other, ada = scene.patron("other", 10, DECLINES), scene.patron("ada", 10)
    scene.creator("maker")
    for who in ("other", "ada"):
        scene.like(who, "song", "maker")
    month = scene.month_over()
    scene.advance()
    scene.at += scene.rules.review
    put_off = scene.at + timedelta(days=9)
    scene.advance()
    assert scene.statement(other, month).attempts == 1
    with scene.db.transaction() as tx:
        row = tx.get_one(Statement, scene.statement(ada, month).id)
        for charge in tx.exec(select(Charge).where(Charge.statement_id == row.id)).all():
            tx.delete(charge)
        row.state, row.attempts, row.next_attempt_at, row.collected_at = "due", 0, put_off, None
        tx.flush()
        assert answering.hurry(tx, [ada], scene.at) == 0
        assert answering.hurry(tx, [other], scene.at) == 1
        tx.rollback()  # it was made up
