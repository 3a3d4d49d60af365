"""Money that goes back to a patron, and what a payout run makes of it."""

from __future__ import annotations

import pytest
from sqlmodel import col, select

from core.books import ledger, reversals
from core.books.tables import Posting
from core.months import payouts, statements
from core.months.tables import Payout
from core.payments.gateway import Refused
from core.people import leaving
from tests.scene import EUR, Scene


def payout_days(scene: Scene, count: int) -> None:
    for _ in range(count):
        with scene.db.reading() as tx:
            scene.at = payouts.next_run(tx, scene.rules, scene.at)
        scene.advance()


def payouts_to(scene: Scene, creator: int) -> list[tuple[str, int]]:
    with scene.db.reading() as tx:
        made = tx.exec(select(Payout).where(Payout.creator_id == creator).order_by(col(Payout.id))).all()
        return [(each.state, each.amount_micros) for each in made]


def back(scene: Scene, patron: int, month: int, source: str, micros: int | None = None) -> bool:
    statement = scene.statement(patron, month)
    with scene.db.transaction() as tx:
        return reversals.take_back(
            tx, statement_id=statement.id, amount_micros=micros or statement.charge_micros, source=source, at=scene.at
        )


def posted(scene: Scene, *kinds: str) -> int:
    with scene.db.reading() as tx:
        return sum(each.amount_micros for each in tx.exec(select(Posting).where(col(Posting.kind).in_(kinds))).all())


# Chargebacks


def test_a_chargeback_leaves_what_other_patrons_gave_alone(scene):
    maker, ada = scene.creator("maker"), scene.patron("ada", 10)
    scene.patron("bob", 10)
    scene.like("ada", "song")
    first = scene.close_month()
    payout_days(scene, 2)
    assert payouts_to(scene, maker) == [("sent", 9 * EUR)]
    scene.like("bob", "tune")
    scene.close_month()
    assert back(scene, ada, first, "dp_1")
    assert scene.due(maker) == 9 * EUR
    # ada's fee and bob's were the income
    assert (posted(scene, "share_back"), posted(scene, "fee_back"), posted(scene, "loss")) == (0, 2 * EUR, 8 * EUR)


def test_a_chargeback_takes_each_creator_s_unpaid_share_and_only_that(scene):
    maker, other, ada = scene.creator("maker"), scene.creator("other"), scene.patron("ada", 2)
    for number in range(9):
        scene.like("ada", f"song-{number}")
    scene.like("ada", "tune", "other")  # 0.18: below the minimum, not paid out
    month = scene.close_month()
    payout_days(scene, 2)
    assert (scene.due(maker), scene.due(other)) == (0, 180_000)
    assert back(scene, ada, month, "dp_1")
    assert scene.due(other) == 0
    assert (posted(scene, "share_back"), posted(scene, "fee_back"), posted(scene, "loss")) == (
        180_000,
        200_000,
        1_620_000,
    )


def test_early_money_that_waits_is_unpaid_though_a_payout_came_after_it(scene):
    maker = scene.creator("maker")
    scene.patron("ada", 10)
    for number in range(2):
        scene.like("ada", f"song-{number}")
        scene.close_month()
        payout_days(scene, 1)
    new = scene.patron("new", 20)
    scene.like("ada", "late")
    scene.like("new", "song")
    month = scene.close_month()
    payout_days(scene, 1)
    assert payouts_to(scene, maker) == [("sent", 9 * EUR), ("sent", 18 * EUR)]
    assert (scene.statement(new, month).early, scene.due(maker)) == (True, 18 * EUR)
    scene.later(hours=1)
    assert back(scene, new, month, "dp_1")
    assert (scene.due(maker), posted(scene, "share_back"), posted(scene, "loss")) == (0, 18 * EUR, 0)
    with scene.db.reading() as tx:
        assert statements.earnings(tx, scene.rules, maker, scene.at).waiting_micros == 0


def test_early_money_once_paid_is_not_taken_back(scene):
    maker, ada = scene.creator("maker"), scene.patron("ada", 10)
    scene.like("ada", "song")
    month = scene.close_month()
    payout_days(scene, 2)
    scene.like("ada", "tune")
    scene.close_month()
    assert back(scene, ada, month, "dp_1")
    assert (scene.due(maker), posted(scene, "share_back")) == (9 * EUR, 0)


def test_what_a_refused_payout_brought_back_is_unpaid_again(scene):
    maker, ada = scene.creator("maker"), scene.patron("ada", 10)
    scene.like("ada", "song")
    month = scene.close_month()
    scene.gateway.transfer = lambda request, at: Refused("the account is closed")
    payout_days(scene, 2)
    assert [state for state, _ in payouts_to(scene, maker)] == ["refused"]
    assert back(scene, ada, month, "dp_1")
    assert (scene.due(maker), posted(scene, "loss")) == (0, 0)


def test_what_refunds_and_disputes_take_beyond_the_charge_is_the_hub_s_loss(scene):
    ada = scene.patron("ada", 10)
    scene.patron("bob", 10)
    maker = scene.creator("maker")
    scene.like("ada", "song")
    scene.like("bob", "song")
    month = scene.close_month()
    assert back(scene, ada, month, "re_1", 6 * EUR)
    books = scene.books()
    assert not back(scene, ada, month, "re_1", 6 * EUR)
    with scene.db.transaction() as tx, pytest.raises(ValueError, match="to take back"):
        reversals.take_back(
            tx, statement_id=scene.statement(ada, month).id, amount_micros=-1, source="dp_1", at=scene.at
        )
    assert scene.books() == books
    assert back(scene, ada, month, "dp_1", 10 * EUR)
    assert scene.books() == {"stripe": -4 * EUR, "income": EUR, f"creator:{maker}": 9 * EUR, "loss": -6 * EUR}
    for source in ("dp_1", "re_1"):
        assert not back(scene, ada, month, source)
    assert back(scene, ada, month, "dp_2", EUR)
    assert not back(scene, ada, month, "dp_2", EUR)
    assert (scene.due(maker), scene.income(), scene.books()["loss"]) == (9 * EUR, EUR, -7 * EUR)


def test_refunds_in_parts_take_whole_shares_back(scene):
    ada, maker = scene.patron("ada", 10), scene.creator("maker")
    for number in range(7):
        scene.like("ada", f"song-{number}")
    month = scene.close_month()
    for number, micros in enumerate((3_330_000, 3_330_000, 3_340_000)):
        assert back(scene, ada, month, f"re_{number}", micros)
    assert (scene.due(maker), scene.books()) == (0, {})


# Payout runs


def test_early_money_that_was_charged_back_holds_no_other_money_back(scene):
    maker = scene.creator("maker")
    scene.patron("old", 10)
    for number in range(3):
        scene.like("old", f"song-{number}")
        scene.close_month()
        payout_days(scene, 1)
    new = scene.patron("new", 10)
    scene.like("old", "song")
    scene.like("new", "song")
    month = scene.close_month()
    assert back(scene, new, month, "dp_1")
    with scene.db.reading() as tx:
        assert statements.earnings(tx, scene.rules, maker, scene.at).waiting_micros == 0
    payout_days(scene, 1)
    assert scene.due(maker) == 0


def small(scene: Scene, flattrs: int = 20) -> int:
    """A creator who is owed 9.00 over a number of flattrs, once."""
    maker = scene.creator("maker")
    scene.creator("others")
    scene.patron("pat", 10)
    scene.like("pat", "song")
    for number in range(flattrs - 1):
        scene.like("pat", f"other-{number}", "others")
    scene.close_month()
    return maker


def test_a_refused_payout_does_not_make_old_money_young(scene):
    maker = small(scene)
    assert scene.due(maker) == 450_000
    working = scene.gateway.transfer
    scene.gateway.transfer = lambda request, at: Refused("not now")
    payout_days(scene, 4)
    assert payouts_to(scene, maker) == [("refused", 450_000)]
    scene.gateway.transfer = working
    payout_days(scene, 1)
    assert payouts_to(scene, maker) == [("refused", 450_000), ("sent", 450_000)]


def test_a_chargeback_of_young_money_does_not_make_old_money_young(scene):
    maker = small(scene)
    payout_days(scene, 2)
    new = scene.patron("new", 10)
    scene.like("new", "song")
    month = scene.close_month()
    assert back(scene, new, month, "dp_1")
    assert scene.due(maker) == 450_000
    payout_days(scene, 2)
    assert payouts_to(scene, maker) == [("sent", 450_000)]


def test_an_old_fraction_of_a_minor_unit_does_not_switch_the_minimum_off(scene):
    maker = small(scene, flattrs=11)  # 0.818181
    payout_days(scene, 5)
    assert payouts_to(scene, maker) == [("sent", 810_000)]
    assert 0 < scene.due(maker) < 10_000
    scene.like("pat", "tune")
    for number in range(29):
        scene.like("pat", f"new-{number}", "others")
    scene.close_month()
    payout_days(scene, 2)
    assert payouts_to(scene, maker) == [("sent", 810_000)]
    assert scene.due(maker) > 300_000
    payout_days(scene, 3)
    assert len(payouts_to(scene, maker)) == 2


def test_someone_who_left_is_paid_whatever_the_size(scene):
    maker = small(scene)
    with scene.db.transaction() as tx:
        leaving.stop(tx, scene.rules, maker, scene.at)
    payout_days(scene, 2)
    assert payouts_to(scene, maker) == [("sent", 450_000)]
    with scene.db.reading() as tx:
        assert ledger.owed(tx, ledger.creator(maker)) == 0
