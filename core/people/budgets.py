"""What a patron gives a month, and from which month on (money.md, "The budget")."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session, col, select

from core.money import show
from core.months import stages
from core.people import holding, persons
from core.people.tables import Budget
from core.rules import Rules


class BudgetRefused(Exception):
    """The amount cannot be a budget; the text is the sentence for the person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetChange:
    """From ``month`` on the budget is ``amount_micros``; unchanged it would have been ``previous_micros``."""

    month: int
    amount_micros: int
    previous_micros: int


def set_budget(
    tx: Session, rules: Rules, *, person_id: int, amount_micros: int, at: datetime, now: bool = False
) -> BudgetChange:
    """Set the monthly budget, in micros; 0 ends it.

    It applies to the following month, the first ever and one that is wanted ``now`` to the open month; months
    in review keep the budget that was frozen. A change announced before for a later month is replaced.
    Raises BudgetRefused for an amount that is out of bounds or not in whole minor units.
    """
    _check(rules, amount_micros)
    holding.hold_months(tx, at)
    person = persons.locked(tx, person_id)
    owner = persons.key(person)
    month = stages.month_taking(tx, at, at)
    first = tx.exec(select(Budget.person_id).where(Budget.person_id == owner).limit(1)).first() is None
    if first and amount_micros == 0:
        return BudgetChange(month=month, amount_micros=0, previous_micros=0)
    if not (first or now):
        month += 1
    previous = budget_of(tx, owner, month)
    tx.execute(
        sa.delete(Budget)
        .where(col(Budget.person_id) == owner, col(Budget.from_month) >= month)
        .execution_options(synchronize_session="fetch")
    )
    tx.add(Budget(person_id=owner, from_month=month, amount_micros=amount_micros, set_at=at))
    tx.flush()
    return BudgetChange(month=month, amount_micros=amount_micros, previous_micros=previous)


def budget_of(tx: Session, person_id: int, month: int) -> int:
    """The budget that holds for a month, in micros; 0: none. (Of a month past its end, ask its statement.)"""
    row = tx.exec(
        select(Budget)
        .where(Budget.person_id == persons.root_id(tx, person_id), Budget.from_month <= month)
        .order_by(col(Budget.from_month).desc())
        .limit(1)
    ).first()
    return row.amount_micros if row else 0


def upcoming(tx: Session, person_id: int, month: int) -> tuple[int, int] | None:
    """The next change after ``month``: from which month on, how much (micros); None if all stays as it is."""
    row = tx.exec(
        select(Budget)
        .where(Budget.person_id == persons.root_id(tx, person_id), Budget.from_month > month)
        .order_by(col(Budget.from_month))
        .limit(1)
    ).first()
    return (row.from_month, row.amount_micros) if row else None


def _check(rules: Rules, amount_micros: int) -> None:
    money, least, most = rules.money, rules.budget_min_micros, rules.budget_max_micros
    if amount_micros == 0:
        return
    if amount_micros < least:
        raise BudgetRefused(f"The smallest budget here is {show(least, money)} a month (0 ends it).")
    if amount_micros > most:
        raise BudgetRefused(f"The largest budget here is {show(most, money)} a month.")
    if money.floor(amount_micros) != amount_micros:
        near = show(money.floor(amount_micros), money)
        raise BudgetRefused(f"A budget is a whole number of {money.code}'s smallest units; {near} would do.")
