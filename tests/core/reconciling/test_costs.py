"""Facts about what the processor takes: who bears it, once for ever, and who gets it back."""

from __future__ import annotations

from datetime import datetime
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.books import costs, ledger
from core.books.costs import Cost
from core.database import Database

STRIPE, COST, INCOME, LOSS = ledger.STRIPE, ledger.COST, ledger.INCOME, ledger.LOSS


def fill(db: Database, at: datetime, **micros: int) -> None:
    """Put money on the hub's own accounts, as collected statements do."""
    with db.transaction() as tx:
        for name, account in (("cost", COST), ("income", INCOME)):
            ledger.post(
                tx,
                kind=name,
                source="statement:1",
                debit=STRIPE,
                credit=account,
                amount_micros=micros.get(name, 0),
                at=at,
            )


def post(db: Database, at: datetime, *wanted: tuple[str, int]) -> int:
    with db.transaction() as tx:
        return costs.post(tx, [Cost(source, micros) for source, micros in wanted], at)


def held(db: Database) -> dict[str, int]:
    with db.reading() as tx:
        names = {"stripe": STRIPE, "cost": COST, "income": INCOME, "loss": LOSS}
        return {name: ledger.owed(tx, account) for name, account in names.items()}


def test_patrons_cost_lines_are_used_first_then_income_then_the_hubs_own_pocket(db: Database, at: datetime) -> None:
    fill(db, at, cost=30, income=50)
    assert post(db, at, ("txn_1", 100)) == 1
    assert held(db) == {"stripe": -80 + 100, "cost": 0, "income": 0, "loss": -20}


def test_what_fits_into_the_cost_lines_touches_no_income(db: Database, at: datetime) -> None:
    fill(db, at, cost=30, income=50)
    post(db, at, ("txn_1", 12), ("txn_2", 18))
    assert held(db) == {"stripe": -50, "cost": 0, "income": 50, "loss": 0}


def test_a_line_is_posted_once_for_ever(db: Database, at: datetime) -> None:
    fill(db, at, income=50)
    assert post(db, at, ("txn_1", 10), ("txn_1", 10), ("txn_2", 0)) == 1
    assert post(db, at, ("txn_1", 10)) == 0
    assert held(db)["income"] == 40


def test_costs_of_one_batch_share_what_there_is(db: Database, at: datetime) -> None:
    fill(db, at, cost=10, income=10)
    post(db, at, *((f"txn_{number}", 6) for number in range(5)))
    assert held(db) == {"stripe": 10, "cost": 0, "income": 0, "loss": -10}


@pytest.mark.parametrize(
    ("back", "after"),
    [
        (5, {"cost": 0, "income": 0, "loss": -15}),
        (20, {"cost": 0, "income": 0, "loss": 0}),
        (60, {"cost": 0, "income": 40, "loss": 0}),
        (100, {"cost": 30, "income": 50, "loss": 0}),
        (130, {"cost": 30, "income": 80, "loss": 0}),
    ],
)
def test_what_comes_back_goes_to_who_bore_it_last_first(
    db: Database, at: datetime, back: int, after: dict[str, int]
) -> None:
    fill(db, at, cost=30, income=50)
    post(db, at, ("txn_1", 100))
    post(db, at, ("txn_2", -back))
    post(db, at, ("txn_2", -back))
    assert held(db) == {"stripe": -80 + 100 - back, **after}


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(st.integers(-60, 60), min_size=1, max_size=4), max_size=5),
    st.integers(0, 100),
    st.integers(0, 100),
)
def test_whatever_comes_the_sums_are_right_and_nobody_gives_what_is_not_there(
    sqlite_db: Database, at: datetime, batches: list[list[int]], cost: int, income: int
) -> None:
    with sqlite_db.transaction() as tx:
        tx.connection().exec_driver_sql("delete from posting")
    fill(sqlite_db, at, cost=cost, income=income)
    names = (f"txn_{number}" for number in count())
    for batch in batches:
        named = list(zip(names, batch, strict=False))
        post(sqlite_db, at, *named)
        post(sqlite_db, at, *named)
        now = held(sqlite_db)
        assert now["cost"] >= 0
        assert now["income"] >= 0
        assert now["loss"] <= 0
    assert held(sqlite_db)["stripe"] == -(cost + income) + sum(map(sum, batches))
