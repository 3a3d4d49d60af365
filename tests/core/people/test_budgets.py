"""Budgets: which one holds for which month."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.events import AccountRef
from core.money import MICROS, currency
from core.people import budgets
from core.people.budgets import BudgetRefused
from core.people.tables import Budget
from core.periods import month_of, month_start
from core.rules import Rules


def ref(name: str) -> AccountRef:
    return AccountRef(platform="sandbox", account_id=name)


def test_the_first_budget_starts_at_once_and_the_next_with_the_following_month(town: Any) -> None:
    person, month = town.join(ref("ann")), month_of(town.at)
    with town.db.transaction() as tx:
        first = budgets.set_budget(tx, town.rules, person_id=person, amount_micros=35 * MICROS, at=town.at)
        assert (first.month, first.previous_micros) == (month, 0)
        second = budgets.set_budget(tx, town.rules, person_id=person, amount_micros=10 * MICROS, at=town.at)
        assert (second.month, second.previous_micros) == (month + 1, 35 * MICROS)
        assert budgets.budget_of(tx, person, month) == 35 * MICROS
        assert budgets.budget_of(tx, person, month + 5) == 10 * MICROS
        assert budgets.budget_of(tx, person, month - 1) == 0
        assert budgets.upcoming(tx, person, month) == (month + 1, 10 * MICROS)
        assert budgets.upcoming(tx, person, month + 1) is None


def test_now_changes_the_open_month_and_what_was_announced(town: Any) -> None:
    person, month = town.join(ref("ann")), month_of(town.at)
    with town.db.transaction() as tx:
        for amount in (35, 20):
            budgets.set_budget(tx, town.rules, person_id=person, amount_micros=amount * MICROS, at=town.at)
        for _ in range(2):
            budgets.set_budget(tx, town.rules, person_id=person, amount_micros=5 * MICROS, at=town.at, now=True)
        assert budgets.budget_of(tx, person, month) == budgets.budget_of(tx, person, month + 1) == 5 * MICROS


def test_a_month_under_review_keeps_its_budget(town: Any) -> None:
    person, month = town.join(ref("ann")), month_of(town.at)
    town.like(ref("ann"), "song", ref("cleo"))
    with town.db.transaction() as tx:
        budgets.set_budget(tx, town.rules, person_id=person, amount_micros=35 * MICROS, at=town.at)
    later = month_start(month + 1) + timedelta(hours=2)
    town.review(month, later)
    with town.db.transaction() as tx:
        change = budgets.set_budget(tx, town.rules, person_id=person, amount_micros=9 * MICROS, at=later, now=True)
    assert change.month == month + 1
    assert town.count("statement", "budget_micros = 35000000") == 1


def test_nothing_ends_a_budget_and_ending_none_is_not_a_first(town: Any) -> None:
    person, month = town.join(ref("ann")), month_of(town.at)
    with town.db.transaction() as tx:
        budgets.set_budget(tx, town.rules, person_id=person, amount_micros=0, at=town.at)
        first = budgets.set_budget(tx, town.rules, person_id=person, amount_micros=4 * MICROS, at=town.at)
        assert first.month == month
        assert budgets.set_budget(tx, town.rules, person_id=person, amount_micros=0, at=town.at).month == month + 1
        assert budgets.budget_of(tx, person, month + 1) == 0


@pytest.mark.parametrize(
    ("micros", "words"), [(1_990_000, "2.00 EUR"), (1_000_010_000, "1000.00 EUR"), (4_505_000, "4.50 EUR")]
)
def test_an_amount_out_of_bounds_is_refused_with_the_bound(town: Any, micros: int, words: str) -> None:
    person = town.join(ref("ann"))
    with town.db.transaction() as tx, pytest.raises(BudgetRefused, match=words):
        budgets.set_budget(tx, town.rules, person_id=person, amount_micros=micros, at=town.at)


def test_a_currency_without_decimals_has_whole_budgets(town: Any) -> None:
    rules = Rules(money=currency("JPY"), pseudonym_key=b"k", budget_max_micros=100_000 * MICROS)
    person = town.join(ref("ann"))
    with town.db.transaction() as tx, pytest.raises(BudgetRefused, match="450 JPY"):
        budgets.set_budget(tx, rules, person_id=person, amount_micros=450_500_000, at=town.at)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.dictionaries(st.integers(0, 12), st.integers(0, 9), max_size=6), asked=st.integers(-1, 14))
def test_the_row_with_the_latest_month_not_after_it_holds(sqlite_town: Any, rows: dict[int, int], asked: int) -> None:
    town = sqlite_town
    person = town.join(AccountRef(platform="sandbox", account_id=f"p{town.count('person')}"))
    with town.db.transaction() as tx:
        tx.add_all(
            Budget(person_id=person, from_month=24_000 + month, amount_micros=amount, set_at=town.at)
            for month, amount in rows.items()
        )
        tx.flush()
        held = [month for month in rows if month <= asked]
        assert budgets.budget_of(tx, person, 24_000 + asked) == (rows[max(held)] if held else 0)
        later = [month for month in rows if month > asked]
        expected = (24_000 + min(later), rows[min(later)]) if later else None
        assert budgets.upcoming(tx, person, 24_000 + asked) == expected
