"""What becomes of a hold: released it is paid, void it goes back, and neither before the operator has spoken."""

from __future__ import annotations

import dataclasses

import pytest
from sqlmodel import col, select

from core.books import reversals
from core.books.tables import Posting
from core.database import Database
from core.holds import deciding
from core.holds.held import held_of_patron
from core.mail.tables import OutboxNote
from core.money import currency
from core.months import payouts
from core.months.tables import Payout
from core.payments.gateway import Refused
from core.people.tables import Audit
from core.returns import refunds
from core.returns.tables import Refund
from tests.core.holds.world import World
from tests.scene import DECLINES, EUR


@pytest.fixture
def world(db: Database, rules, at):
    made = World(db, rules, at)
    yield made
    assert made.broken() == []


@pytest.fixture
def pair(world) -> tuple[World, int, int, int]:
    """Ada and a maker who have only each other, 9.00 held and collected; the month."""
    maker, ada = world.creator("maker"), world.patron("ada", 10)
    world.like("ada", "song")
    world.like("ada", "tune")
    return world, ada, maker, world.close_month()


def payout_runs(world: World, count: int) -> None:
    for _ in range(count):
        with world.db.reading() as tx:
            world.at = payouts.next_run(tx, world.rules, world.at)
        world.advance()


def paid(world: World) -> list[int]:
    with world.db.reading() as tx:
        return list(tx.exec(select(Payout.amount_micros).order_by(col(Payout.id))))


def refunds_of(world: World) -> list[Refund]:
    with world.db.reading() as tx:
        return list(tx.exec(select(Refund).order_by(col(Refund.id))))


def posted(world: World, *kinds: str) -> int:
    with world.db.reading() as tx:
        return sum(tx.exec(select(Posting.amount_micros).where(col(Posting.kind).in_(kinds))))


def told(world: World, kind: str) -> list[int | None]:
    with world.db.reading() as tx:
        return list(tx.exec(select(OutboxNote.person_id).where(OutboxNote.kind == kind).order_by(col(OutboxNote.id))))


def test_what_is_held_is_collected_and_not_paid_out(pair):
    world, _, maker, _ = pair
    payout_runs(world, 4)
    assert world.due(maker) == 9 * EUR
    assert paid(world) == []


def test_what_is_released_goes_out_with_the_next_run(pair):
    world, ada, maker, _ = pair
    payout_runs(world, 3)
    world.release(1, "known to us")
    payout_runs(world, 1)
    assert (paid(world), world.due(maker)) == ([9 * EUR], 0)
    with world.db.reading() as tx:
        (held,) = held_of_patron(tx, [ada])
        audit = tx.exec(select(Audit).where(Audit.action == "hold")).one()
    assert (held.state, held.note) == ("released", "known to us")
    assert audit.actor == "operator"
    assert "released hold 1: 2026-11" in audit.detail
    assert "known to us" in audit.detail
    assert (told(world, "hold_decided_patron"), told(world, "hold_decided_creator")) == ([ada], [maker])


def test_what_is_released_of_early_money_waits_as_early_money_does(pair):
    world, _, _, _ = pair
    world.release(1)
    payout_runs(world, 1)
    assert paid(world) == []
    payout_runs(world, 1)
    assert paid(world) == [9 * EUR]


def test_what_is_void_goes_back_with_its_part_of_the_fee(pair):
    world, ada, maker, month = pair
    world.void(1, "the same household")
    assert [(each.state, each.amount_micros) for each in refunds_of(world)] == [("asked", 10 * EUR)]
    payout_runs(world, 3)  # nothing goes out while the refund is on its way
    for _ in range(2):
        world.settle_holds()
    assert [each.state for each in refunds_of(world)] == ["sent"]
    assert (world.due(maker), world.income(), paid(world)) == (0, 0, [])
    with world.db.reading() as tx:
        assert reversals.left(tx, world.statement(ada, month)) == 0
    assert (told(world, "hold_decided_patron"), told(world, "hold_decided_creator")) == ([ada], [maker])


def test_what_is_void_leaves_the_others_alone(world):
    maker, smith = world.creator("maker"), world.creator("smith")
    world.old_patron("ada", 40)
    world.old_patron("bob", 2)
    for number in range(9):
        world.like("ada", f"song-{number}")
    world.like("ada", "nail", "smith")
    world.like("bob", "song-1")
    world.close_month()  # 32.40 of maker's 34.20
    world.void(1)
    world.settle_holds()
    assert (world.due(maker), world.due(smith)) == (1_800_000, 3_600_000)
    assert world.income() == 4_200_000 - 3_600_000
    assert refunds_of(world)[0].amount_micros == 36 * EUR


def test_crumbs_below_a_cent_become_income_once_it_is_sent_back(world):
    maker = world.creator("maker")
    world.creator("smith")
    world.creator("potter")
    world.old_patron("ada", 35)
    world.rules = dataclasses.replace(world.rules, hold_micros=5 * EUR, fee_bp=0)
    for name in ("maker", "smith", "potter"):
        world.like("ada", f"of-{name}", name)
    world.close_month()  # 11.666667 each, all of each one's month
    (hold,) = [each for each in world.holds() if each.creator_id == maker]
    world.void(hold.id)
    assert refunds_of(world)[0].amount_micros == 11_660_000
    for _ in range(2):
        world.settle_holds()
    assert world.due(maker) == 0
    assert posted(world, "void") == hold.micros - 11_660_000 == world.income()


def test_less_than_a_minor_unit_cannot_go_back_at_all(world):
    world.rules = dataclasses.replace(
        world.rules, money=currency("JPY"), hold_micros=100_000, budget_min_micros=EUR, charge_min_micros=EUR
    )
    maker = world.creator("maker")
    world.creator("smith")
    world.old_patron("ada", 2)
    world.like("ada", "song")
    for number in range(3):
        world.like("ada", f"nail-{number}", "smith")
    world.close_month()  # 0.45 each of 2 yen
    (hold,) = [each for each in world.holds() if each.creator_id == maker]
    world.void(hold.id)
    assert refunds_of(world) == []
    assert (world.due(maker), posted(world, "void")) == (0, 450_000)
    assert world.settle_holds() == 0


def test_what_is_void_before_it_is_collected_goes_back_once_it_is(world):
    maker, ada = world.creator("maker"), world.patron("ada", 10, DECLINES)
    world.like("ada", "song")
    month = world.close_month()
    world.void(1)
    assert world.settle_holds() == 0
    assert refunds_of(world) == []
    with world.db.transaction() as tx:
        from core.people import cards
        from tests.scene import PAYS

        cards.choose(tx, ada, PAYS, world.at)
    world.later(days=1)
    world.advance()
    assert world.statement(ada, month).state == "collected"
    for _ in range(2):
        world.settle_holds()
    assert [(each.state, each.amount_micros) for each in refunds_of(world)] == [("sent", 10 * EUR)]
    assert (world.due(maker), world.income()) == (0, 0)


def test_what_is_void_and_never_collected_is_over(world):
    world.creator("maker")
    world.patron("ada", 10, DECLINES)
    world.like("ada", "song")
    month = world.close_month()
    world.void(1)
    world.until_settled(month)
    assert world.settle_holds() == 0
    assert refunds_of(world) == []


def test_what_a_chargeback_took_is_not_given_back_again(pair):
    world, ada, maker, month = pair
    with world.db.transaction() as tx:
        reversals.take_back(
            tx, statement_id=world.statement(ada, month).id, amount_micros=10 * EUR, source="dp_1#1", at=world.at
        )
    world.void(1)
    for _ in range(2):
        world.settle_holds()
    assert refunds_of(world) == []
    assert (world.due(maker), world.income()) == (0, 0)


def test_a_chargeback_of_a_part_leaves_the_rest_to_go_back(pair):
    world, ada, maker, month = pair
    with world.db.transaction() as tx:
        reversals.take_back(
            tx, statement_id=world.statement(ada, month).id, amount_micros=4 * EUR, source="dp_1#1", at=world.at
        )
    world.void(1)
    for _ in range(2):
        world.settle_holds()
    assert [each.amount_micros for each in refunds_of(world)] == [6 * EUR]
    assert (world.due(maker), world.income()) == (0, 0)


def test_while_another_refund_is_on_its_way_nothing_is_asked_for(pair):
    world, ada, _, month = pair
    with world.db.transaction() as tx:
        refunds.ask(
            tx, world.rules, statement_id=world.statement(ada, month).id, amount_micros=10 * EUR, reason="fraud",
            at=world.at,
        )  # fmt: skip
    world.void(1)
    assert [each.reason for each in refunds_of(world)] == ["fraud"]
    for _ in range(2):
        world.settle_holds()
    assert [each.reason for each in refunds_of(world)] == ["fraud"]
    assert posted(world, "void") == 0


def test_a_decision_is_made_once(pair):
    world, _, _, _ = pair
    world.release(1)
    for decide in (world.release, world.void):
        with pytest.raises(deciding.Undecidable, match="hold 1 was released before"):
            decide(1)


def test_what_is_void_stays_void(pair):
    world, _, _, _ = pair
    world.void(1)
    with pytest.raises(deciding.Undecidable, match="voided before"):
        world.void(1)
    with pytest.raises(deciding.Undecidable, match="its money goes back"):
        world.release(1)


def test_what_could_not_be_sent_back_can_be_released_after_all(pair):
    world, ada, maker, _ = pair
    world.void(1)
    with world.db.transaction() as tx:
        refunds.record(tx, world.rules, 1, Refused("too old"), world.at)
    assert world.settle_holds() == 0
    payout_runs(world, 3)
    assert paid(world) == []
    world.release(1)
    payout_runs(world, 1)
    assert paid(world) == [9 * EUR]
    assert told(world, "hold_turned") == [ada, maker]


def test_there_is_no_hold_of_that_number(world):
    for decide in (world.release, world.void):
        with pytest.raises(LookupError, match="there is no hold 7"):
            decide(7)
