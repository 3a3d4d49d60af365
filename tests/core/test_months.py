"""A month from its first like to its last payout (money.md, "The end of a month")."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlmodel import select

from core import likes, standing
from core.books import ledger, reversals
from core.database import Busy
from core.events import Seen
from core.mail.tables import InboxItem, OutboxNote
from core.months import closing, payouts, runner, statements
from core.months.tables import Charge, Month, Payout, Share
from core.people import budgets, cards, preferences, subscriptions
from core.people.tables import Account, Person
from core.periods import month_of
from tests.scene import DECLINES, EUR, EXPIRED, LOSES_ANSWER, PAYS, Scene

NOVEMBER = 12 * 2026 + 11


def like_things(scene: Scene, by: str, count: int, author: str = "maker") -> None:
    for number in range(count):
        scene.like(by, f"{author}-{number}", author)


def shares(scene: Scene) -> list[int]:
    with scene.db.reading() as tx:
        return sorted(share.micros for share in tx.exec(select(Share)).all())


def notes(scene: Scene) -> Counter[str]:
    with scene.db.reading() as tx:
        return Counter(note.kind for note in tx.exec(select(OutboxNote)).all())


def test_thirty_five_over_ten_is_three_fifteen_each_and_a_fee_of_three_fifty(scene):
    ada, maker = scene.patron("ada", 35), scene.creator("maker")
    like_things(scene, "ada", 10)
    assert scene.status(ada).each_micros == 3_150_000
    month = scene.close_month()
    assert shares(scene) == [3_150_000] * 10
    assert (scene.due(maker), scene.income()) == (31_500_000, 3_500_000)
    assert scene.statement(ada, month).charge_micros == 35 * EUR
    assert scene.stage(month) == "settled"
    assert scene.books() == {"stripe": -35 * EUR, "income": 3_500_000, f"creator:{maker}": 31_500_000}


def test_five_over_sixty_two_leaves_forty_shares_with_a_micro_more(scene):
    scene.patron("ada", 5)
    scene.creator("maker")
    like_things(scene, "ada", 62)
    scene.close_month()
    assert Counter(shares(scene)) == {72_581: 40, 72_580: 22}
    assert scene.income() == 500_000


def test_the_month_closes_once_however_often_it_is_asked_to(scene):
    scene.patron("ada", 35)
    scene.creator("maker")
    like_things(scene, "ada", 10)
    scene.close_month()
    books, told = scene.books(), notes(scene)
    assert scene.advance() == []
    assert (scene.books(), notes(scene)) == (books, told)


def test_a_month_is_not_over_before_its_grace_unless_all_has_arrived(scene):
    scene.like("nobody", "song")
    with scene.db.transaction() as tx:
        likes.stages.ensure_month(tx, NOVEMBER)
    scene.at = datetime(2026, 12, 1, tzinfo=UTC)
    scene.advance()
    assert scene.stage(NOVEMBER) == "open"
    runner.advance(scene.db, scene.rules, scene.gateway, scene.at, clear=lambda tx, end: True)
    assert scene.stage(NOVEMBER) == "review"


def test_in_review_a_month_takes_withdrawals_strikes_and_skips_but_no_likes(scene):
    ada, bob = scene.patron("ada"), scene.patron("bob")
    scene.creator("maker")
    like_things(scene, "ada", 3)
    like_things(scene, "bob", 1)
    month = scene.month_over()
    scene.advance()
    scene.unlike("ada", "maker-0")
    with scene.db.transaction() as tx:
        assert standing.strike(tx, person_id=ada, flattr_id=scene.status(ada, month).lines[1].flattr_id, at=scene.at)
        preferences.skip(tx, bob, month, scene.at)
    scene.like("ada", "too-late")
    assert scene.states(ada, month) == ["withdrawn", "struck", "counts"]
    scene.at += scene.rules.review
    scene.advance()
    assert shares(scene) == [9 * EUR]
    assert scene.statement(bob, month).state == "void"
    assert scene.states(ada) == ["counts"]


def test_the_budget_is_frozen_when_the_review_starts(scene):
    ada = scene.patron("ada", 10)
    scene.creator("maker")
    like_things(scene, "ada", 1)
    month = scene.month_over()
    scene.advance()
    with scene.db.transaction() as tx:
        budgets.set_budget(tx, scene.rules, person_id=ada, amount_micros=50 * EUR, at=scene.at, now=True)
    scene.at += scene.rules.review
    scene.advance()
    assert scene.statement(ada, month).charge_micros == 10 * EUR


def test_pending_flattrs_cost_nothing_and_no_flattr_costs_nothing(scene):
    ada, bob, cy = scene.patron("ada", 10), scene.patron("bob", 10), scene.patron("cy", 10)
    scene.creator("maker")
    scene.like("ada", "one", "maker")
    scene.like("ada", "two", "stranger")
    scene.like("bob", "two", "stranger")
    month = scene.close_month()
    assert scene.statement(ada, month).flattrs == 1
    assert scene.statement(bob, month).state == "void"
    assert shares(scene) == [9 * EUR]
    with scene.db.reading() as tx:
        assert statements.patron_statement(tx, scene.rules, cy, month, scene.at) is None


def test_own_things_never_count_even_when_the_account_is_linked_after_the_review_began(scene):
    ada = scene.patron("ada")
    scene.creator("alias")
    scene.like("ada", "mine", "alias")
    scene.month_over()
    scene.advance()
    with scene.db.transaction() as tx:
        tx.exec(select(Account).where(Account.account_id == "id-alias")).one().person_id = ada
    scene.at += scene.rules.review
    scene.advance()
    assert shares(scene) == []


def test_a_creator_who_claims_during_the_review_is_paid_for_the_next_month(scene):
    ada = scene.patron("ada")
    scene.like("ada", "song", "late")
    month = scene.month_over()
    scene.advance()
    scene.creator("late")
    scene.at += scene.rules.review
    scene.advance()
    assert scene.statement(ada, month).state == "void"
    assert scene.states(ada) == ["counts"]


def test_caps_cut_the_charge_off(scene):
    ada, bob, cy = scene.patron("ada", 35), scene.patron("bob", 35), scene.patron("cy", 35)
    scene.creator("maker")
    scene.creator("other")
    with scene.db.transaction() as tx:
        preferences.set_caps(tx, ada, per_flattr_micros=1_505_000, per_creator_micros=None)
        preferences.set_caps(tx, bob, per_flattr_micros=None, per_creator_micros=6 * EUR)
    for name in ("ada", "bob", "cy"):
        like_things(scene, name, 3)
        scene.like(name, "other-1", "other")
    month = scene.close_month()
    # 4 x 1.505 = 6.02; three for one creator meet 6.00 when each is 2.00, so four are 8.00
    charges = [scene.statement(each, month).charge_micros for each in (ada, bob, cy)]
    assert charges == [6_020_000, 8 * EUR, 35 * EUR]


def test_a_charge_below_the_processor_s_minimum_is_not_made(scene):
    ada = scene.patron("ada", 10)
    scene.creator("maker")
    with scene.db.transaction() as tx:
        preferences.set_caps(tx, ada, per_flattr_micros=490_000, per_creator_micros=None)
    like_things(scene, "ada", 1)
    assert scene.status(ada).charge_micros == 0
    month = scene.close_month()
    assert (scene.statement(ada, month).state, scene.books()) == ("void", {})


def test_a_patron_who_bears_the_card_s_cost_sees_it_as_a_line(db, rules, at):
    scene = Scene(db, replace(rules, cost_bp=150, cost_fixed_micros=250_000), at)
    ada = scene.patron("ada", 10)
    scene.creator("maker")
    with scene.db.transaction() as tx:
        preferences.bear_cost(tx, ada, agreed=True)
    like_things(scene, "ada", 2)
    month = scene.close_month()
    statement = scene.statement(ada, month)
    assert (statement.cost_micros, statement.fee_micros) == (400_000, 960_000)
    assert shares(scene) == [4_320_000] * 2
    assert scene.broken() == []


def test_only_collected_money_reaches_creators_and_a_declined_card_lapses_without_debt(scene):
    ada, bob = scene.patron("ada", 10), scene.patron("bob", 20, DECLINES)
    maker = scene.creator("maker")
    like_things(scene, "ada", 1)
    like_things(scene, "bob", 1)
    month = scene.close_month()
    assert scene.due(maker) == 9 * EUR
    assert scene.stage(month) == "collecting"
    scene.until_settled(month)
    assert [scene.statement(each, month).state for each in (ada, bob)] == ["collected", "lapsed"]
    assert scene.statement(bob, month).attempts == len(scene.rules.collect_days)
    assert scene.due(maker) == 9 * EUR
    assert notes(scene) == {"review": 2, "statement": 1, "declined": 4, "lapsed": 1}


def test_a_new_card_within_the_week_still_pays(scene):
    bob, maker = scene.patron("bob", 20, DECLINES), scene.creator("maker")
    like_things(scene, "bob", 1)
    month = scene.close_month()
    with scene.db.transaction() as tx:
        cards.choose(tx, bob, PAYS, scene.at)
    scene.until_settled(month)
    assert (scene.statement(bob, month).state, scene.due(maker)) == ("collected", 18 * EUR)


def test_a_hard_decline_is_never_tried_again(scene):
    bob = scene.patron("bob", 20, EXPIRED)
    scene.creator("maker")
    like_things(scene, "bob", 1)
    month = scene.close_month()
    assert (scene.statement(bob, month).state, scene.stage(month)) == ("lapsed", "settled")


def test_no_card_is_a_decline_with_a_remedy(scene):
    bob = scene.patron("bob", 20, None)
    scene.creator("maker")
    like_things(scene, "bob", 1)
    scene.close_month()
    with scene.db.reading() as tx:
        assert tx.exec(select(Charge)).one().reason == "there is no card"
    assert scene.statement(bob, NOVEMBER).state == "due"


def test_a_lost_answer_is_asked_for_again_under_the_same_key_and_charged_once(scene):
    bob, maker = scene.patron("bob", 20, LOSES_ANSWER), scene.creator("maker")
    like_things(scene, "bob", 1)
    month = scene.close_month()
    assert (scene.statement(bob, month).state, scene.due(maker)) == ("due", 0)
    scene.at += scene.rules.retry_unknown
    scene.advance()
    assert (scene.statement(bob, month).state, scene.due(maker)) == ("collected", 18 * EUR)
    with scene.db.reading() as tx:
        assert tx.execute(sa.text("select key, amount_minor from sandbox_movement")).all() == [
            (f"pi-confirm-{scene.statement(bob, month).id}-1", 2000)
        ]


def test_a_hub_that_was_away_for_months_does_not_try_a_card_twice_in_one_breath(scene):
    bob = scene.patron("bob", 20, DECLINES)
    scene.creator("maker")
    like_things(scene, "bob", 1)
    month = scene.close_month()
    scene.later(days=60)
    scene.advance()
    assert scene.statement(bob, month).attempts == 2


def test_a_hub_that_was_down_at_midnight_catches_up_when_it_starts(scene):
    maker = scene.creator("maker")
    scene.patron("ada", 10)
    like_things(scene, "ada", 1)
    scene.at = datetime(2027, 2, 3, tzinfo=UTC)
    scene.advance()
    assert scene.stage(NOVEMBER) == "review"
    scene.at += scene.rules.review
    scene.advance()
    assert (scene.stage(NOVEMBER), scene.due(maker)) == ("settled", 9 * EUR)


def test_without_a_review_a_month_closes_at_once(db, rules, at):
    scene = Scene(db, replace(rules, review=timedelta(0)), at)
    scene.creator("maker")
    scene.patron("ada", 10)
    like_things(scene, "ada", 1)
    month = scene.month_over()
    scene.advance()
    assert scene.stage(month) == "settled"


def test_early_money_waits_one_run_longer_and_is_then_paid_in_one_transfer(scene):
    maker = scene.creator("maker")
    for name in ("ada", "bob"):
        scene.patron(name, 10)
        like_things(scene, name, 2)
    scene.close_month()
    scene.at = datetime(2026, 12, 11, tzinfo=UTC)
    scene.advance()
    with scene.db.reading() as tx:
        assert tx.exec(select(Payout)).all() == []
        earned = statements.earnings(tx, scene.rules, maker, scene.at)
    assert (earned.due_micros, earned.waiting_micros) == (18 * EUR, 0)
    scene.at = datetime(2027, 1, 11, tzinfo=UTC)
    scene.advance()
    assert scene.due(maker) == 0
    with scene.db.reading() as tx:
        [payout] = tx.exec(select(Payout)).all()
    assert (payout.amount_micros, payout.state) == (18 * EUR, "sent")
    assert scene.advance() == []


def test_what_is_below_the_minimum_is_carried_and_paid_once_it_is_ninety_days_old(scene):
    maker = scene.creator("maker")
    scene.creator("other")
    scene.patron("ada", 2)
    like_things(scene, "ada", 1)
    like_things(scene, "ada", 9, "other")
    scene.close_month()
    assert scene.due(maker) == 180_000
    for month in (datetime(2026, 12, 11, tzinfo=UTC), datetime(2027, 1, 11, tzinfo=UTC)):
        scene.at = month
        scene.advance()
        assert scene.due(maker) == 180_000
    scene.at = datetime(2027, 4, 11, tzinfo=UTC)
    scene.advance()
    assert scene.due(maker) == 0


def test_fractions_of_a_minor_unit_stay_due(scene):
    maker = scene.creator("maker")
    scene.creator("other")
    scene.patron("ada", 10)
    like_things(scene, "ada", 2)
    like_things(scene, "ada", 5, "other")
    scene.close_month()
    due = scene.due(maker)
    for month in (datetime(2026, 12, 11, tzinfo=UTC), datetime(2027, 1, 11, tzinfo=UTC)):
        scene.at = month
        scene.advance()
    assert scene.due(maker) == due % 10_000 > 0


def test_a_refused_transfer_is_due_again_and_paid_by_the_next_run(scene):
    maker = scene.creator("maker")
    scene.patron("ada", 10)
    like_things(scene, "ada", 1)
    scene.close_month()
    with scene.db.transaction() as tx:
        run = payouts.begin(tx, scene.rules, 1, scene.at)
        assert tx.exec(select(Payout)).all() == []
        run = payouts.begin(tx, scene.rules, 2, scene.at + timedelta(days=31))
        payout = tx.exec(select(Payout).where(Payout.run_id == run)).one()
        payouts.record(tx, scene.rules, payout.id, payouts.Refused("the account is closed"), scene.at)
        payouts.record(tx, scene.rules, payout.id, payouts.Refused("the account is closed"), scene.at)
    assert scene.due(maker) == 9 * EUR


def test_a_chargeback_takes_unpaid_dues_then_income_then_loss(scene):
    maker = scene.creator("maker")
    ada = scene.patron("ada", 10)
    like_things(scene, "ada", 2)
    month = scene.close_month()
    statement = scene.statement(ada, month)
    with scene.db.transaction() as tx:
        for source, micros in (("re_1", 4 * EUR), ("re_1", 4 * EUR), ("re_2", 6 * EUR)):
            reversals.take_back(tx, statement_id=statement.id, amount_micros=micros, source=source, at=scene.at)
    assert scene.due(maker) == 0
    assert scene.books() == {}


def test_a_creator_already_paid_is_not_asked_back(scene):
    maker = scene.creator("maker")
    ada = scene.patron("ada", 10)
    like_things(scene, "ada", 2)
    month = scene.close_month()
    for at in (datetime(2026, 12, 11, tzinfo=UTC), datetime(2027, 1, 11, tzinfo=UTC)):
        scene.at = at
        scene.advance()
    with scene.db.transaction() as tx:
        statement = statement_id(tx, ada, month)
        reversals.take_back(tx, statement_id=statement, amount_micros=10 * EUR, source="dp_1", at=scene.at)
        assert ledger.owed(tx, ledger.creator(maker)) == 0
        assert ledger.owed(tx, ledger.LOSS) == -9 * EUR


def statement_id(tx, person: int, month: int) -> int:
    query = sa.text("select id from statement where patron_id = :person and month = :month")
    return tx.execute(query, {"person": person, "month": month}).scalar_one()


def test_a_subscription_adds_one_share_on_the_first_and_is_never_back_filled(scene):
    ada = scene.patron("ada", 10)
    scene.creator("maker")
    with scene.db.transaction() as tx:
        maker = tx.exec(select(Account).where(Account.account_id == "id-maker")).one()
        subscriptions.subscribe(tx, person_id=ada, account_id=maker.id, at=scene.at)
    scene.advance()
    assert scene.states(ada) == []
    scene.at = datetime(2027, 2, 3, tzinfo=UTC)
    scene.advance()
    scene.advance()
    assert scene.states(ada) == ["counts"]


def test_two_processes_never_advance_the_months_together(scene):
    with scene.db.exclusively(runner.LOCK), pytest.raises(Busy, match="another process"):
        scene.advance()


def test_only_a_month_under_review_can_be_ended_early(scene):
    scene.patron("ada", 10)
    scene.creator("maker")
    like_things(scene, "ada", 1)
    with pytest.raises(runner.MonthNotOver, match="2026-11 is open"):
        runner.end_review(scene.db, scene.rules, NOVEMBER, scene.at)
    month = scene.month_over()
    scene.advance()
    runner.end_review(scene.db, scene.rules, month, scene.at)
    scene.advance()
    assert scene.stage(month) == "settled"


def test_patron_and_creator_see_the_same_receipt_and_amount(scene):
    ada, maker = scene.patron("ada", 35), scene.creator("maker")
    like_things(scene, "ada", 10)
    month = scene.close_month()
    with scene.db.reading() as tx:
        statement = statements.patron_statement(tx, scene.rules, ada, month, scene.at)
        earned = statements.earnings(tx, scene.rules, maker, scene.at)
    assert statement is not None
    assert len({line.receipt for line in statement.shares}) == 10
    [only] = earned.months
    assert only.gross_micros == sum(line.micros for line in statement.shares) == earned.due_micros
    assert earned.waiting_micros == earned.due_micros


def test_months_with_no_one_in_them_settle_too(scene):
    scene.advance()
    month = scene.close_month()
    assert scene.stage(month) == "settled"
    with scene.db.reading() as tx:
        assert tx.get(Month, month_of(scene.at)).stage == "open"
        assert tx.exec(select(Person)).all() == []


def test_an_account_unlinked_during_the_review_is_paid_as_judged(scene):
    scene.patron("ada", 10)
    maker = scene.creator("maker")
    like_things(scene, "ada", 1)
    scene.month_over()
    scene.advance()
    with scene.db.transaction() as tx:
        tx.exec(select(Account).where(Account.account_id == "id-maker")).one().person_id = None
    scene.at += scene.rules.review
    scene.advance()
    assert scene.due(maker) == 9 * EUR


def test_a_patron_whose_statement_is_fixed_can_strike_out_and_skip_no_more(scene, monkeypatch):
    monkeypatch.setattr(closing, "CHUNK", 1)
    ada = scene.patron("ada", 10)
    scene.patron("bob", 10)
    scene.creator("maker")
    for by in ("ada", "bob"):
        like_things(scene, by, 1)
    month = scene.month_over()
    scene.advance()
    scene.at += scene.rules.review
    with scene.db.transaction() as tx:
        assert closing.close_chunk(tx, scene.rules, month, scene.at) == 1
    line = scene.status(ada, month).lines[0]
    with scene.db.transaction() as tx:
        assert not standing.strike(tx, person_id=ada, flattr_id=line.flattr_id, at=scene.at)
        assert not preferences.skip(tx, ada, month, scene.at)
    scene.unlike("ada", "maker-0")
    scene.advance()
    assert shares(scene) == [9 * EUR] * 2


def test_a_review_waits_for_what_was_acknowledged_before_the_month_ended(scene):
    scene.patron("ada", 10)
    like_things(scene, "ada", 1)
    with scene.db.transaction() as tx:
        item = InboxItem(platform="pond", key="1", received_at=scene.at, body_hash="", sealed=b"")
        tx.add(item)
    month = scene.month_over()
    scene.advance()
    assert scene.stage(month) == "open"
    with scene.db.transaction() as tx:
        tx.exec(select(InboxItem)).one().state = "done"
    scene.advance()
    assert scene.stage(month) == "review"


def test_an_author_told_after_the_month_can_still_claim_it(scene):
    ada = scene.patron("ada", 10)
    scene.like("ada", "song", None)
    month = scene.close_month()
    scene.record(Seen(thing=scene.thing("song"), author=scene.account("late")))
    scene.creator("late")
    assert scene.states(ada, month) == ["moved"]
    assert scene.states(ada) == ["counts"]


def test_an_own_thing_stays_own_when_the_account_is_given_away(scene):
    ada = scene.patron("ada")
    scene.like("ada", "mine", "ada")
    with scene.db.transaction() as tx:
        account = tx.exec(select(Account).where(Account.account_id == "id-ada")).one()
        other = Person(created_at=scene.at, receives_since=scene.at, payable_since=scene.at)
        tx.add(other)
        tx.flush()
        account.person_id = other.id
    assert scene.states(ada) == ["own"]
    scene.close_month()
    assert shares(scene) == []
