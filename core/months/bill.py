"""What a patron's month costs and what each flattr of it is worth, as plain arithmetic.

`bill` is the page's formula (money.md, "The end of a month", step 2). The closing does the same in SQL; this is
what it is checked against, and what tells patrons during the month what a like is worth.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.rules import Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """All in micros: cost + fee + count * each + spare = charge <= budget."""

    charge_micros: int
    cost_micros: int
    fee_micros: int
    each_micros: int
    spare_micros: int
    """How many shares are one micro more than ``each_micros``."""


NOTHING = Bill(charge_micros=0, cost_micros=0, fee_micros=0, each_micros=0, spare_micros=0)


def bill(
    rules: Rules,
    *,
    budget_micros: int,
    flattrs: int,
    most_for_one_creator: int = 0,
    cap_per_flattr_micros: int | None = None,
    cap_per_creator_micros: int | None = None,
    bears_cost: bool = False,
) -> Bill:
    """Split a budget over a number of payable flattrs.

    Caps lower the charge, never one share alone: every share of a statement is equal, so a cap per creator holds
    where the creator with the most flattrs meets it.
    """
    if flattrs == 0:
        return NOTHING
    charge = budget_micros
    if cap_per_flattr_micros is not None:
        charge = min(charge, flattrs * cap_per_flattr_micros)
    if cap_per_creator_micros is not None:
        charge = min(charge, cap_per_creator_micros * flattrs // max(1, most_for_one_creator))
    charge = rules.money.floor(charge)
    if charge < max(1, rules.charge_min_micros):
        return NOTHING
    cost = min(charge, charge * rules.cost_bp // 10_000 + rules.cost_fixed_micros) if bears_cost else 0
    fee = (charge - cost) * rules.fee_bp // 10_000
    each, spare = divmod(charge - cost - fee, flattrs)
    return Bill(charge_micros=charge, cost_micros=cost, fee_micros=fee, each_micros=each, spare_micros=spare)
