"""What the processor's tariff leaves of a budget and of a payout, and from where on the hub's fee covers it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from config.settings import Settings
from core.money import MICROS
from core.months.bill import bill
from core.rules import Rules

EXAMPLES = (Decimal(2), Decimal("4.50"), Decimal(10), Decimal(35))
"""Budgets in the main unit (money.md, "Statements")."""

_LARGEST = 10_000_000
"""Minor units; a tariff that is not covered there never is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What becomes of one budget; all in micros."""

    budget_micros: int
    card_micros: int
    """What the card's charge costs."""
    fee_micros: int
    creators_micros: int
    hub_micros: int
    """The fee less the cost that the hub bears: what is left to it, before payouts; may be negative."""
    borne: bool
    """Whether the patron agreed to bear the card's cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """What payouts cost at the processor: a part in basis points, a fixed part, and one of each account paid."""

    payout_bp: int
    payout_micros: int
    account_micros: int

    def of(self, payout_micros: int) -> int:
        """What one payout costs, in micros, if it is the account's only one in its month."""
        return payout_micros * self.payout_bp // 10_000 + self.payout_micros + self.account_micros


def tariff_of(settings: Settings) -> Tariff:
    """The settings' prices of Connect."""
    stripe = settings.stripe
    return Tariff(
        payout_bp=int(stripe.payout_percent * 100),
        payout_micros=int(stripe.payout_fixed * MICROS),
        account_micros=int(stripe.account_fixed * MICROS),
    )


def with_card(rules: Rules, percent: Decimal | None, fixed: Decimal | None) -> Rules:
    """The same rules under another card tariff, for trying prices."""
    bp = rules.cost_bp if percent is None else int(percent * 100)
    micros = rules.cost_fixed_micros if fixed is None else int(fixed * MICROS)
    return dataclasses.replace(rules, cost_bp=bp, cost_fixed_micros=micros)


def line(rules: Rules, budget_micros: int, *, borne: bool) -> Line:
    """What becomes of a budget with one flattr; by the same formula as the closing."""
    made = bill(rules, budget_micros=budget_micros, flattrs=1, bears_cost=borne)
    cost = card_cost(rules, made.charge_micros)
    return Line(
        budget_micros=budget_micros,
        card_micros=cost,
        fee_micros=made.fee_micros,
        creators_micros=made.each_micros + made.spare_micros,
        hub_micros=made.fee_micros + made.cost_micros - cost,
        borne=borne,
    )


def card_cost(rules: Rules, charge_micros: int) -> int:
    """What the card's tariff takes of a charge, to the nearest minor unit as processors round it; 0 for none."""
    if not charge_micros:
        return 0
    unit = rules.money.minor_micros
    return (_exact(rules, charge_micros) + unit // 2) // unit * unit


def smallest_budget(rules: Rules) -> int | None:
    """The smallest charge, in micros, from which on the fee covers the card; None: there is none."""
    return _smallest(rules, lambda micros: micros * rules.fee_bp // 10_000 - _exact(rules, micros))


def smallest_payout(rules: Rules, tariff: Tariff) -> int | None:
    """The smallest payout, in micros, from which on the fee on what it pays covers its own cost; None: there is none.

    The fee on money of which creators got ``P`` is P * fee / (1 - fee); cards are not part of this sum.
    """
    kept = 10_000 - rules.fee_bp
    if kept <= 0:
        return None
    return _smallest(rules, lambda micros: micros * rules.fee_bp // kept - tariff.of(micros))


def _exact(rules: Rules, micros: int) -> int:
    return micros * rules.cost_bp // 10_000 + rules.cost_fixed_micros


def _smallest(rules: Rules, left: Callable[[int], int]) -> int | None:
    """The smallest whole minor unit from which something is left; the sums are lines, so halving finds it."""
    unit = rules.money.minor_micros
    low, high = 1, _LARGEST
    if left(high * unit) < 0:
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if left(middle * unit) >= 0 else (middle + 1, high)
    return low * unit


def rounded(amount: Decimal, rules: Rules) -> int:
    """An example's amount in the hub's currency, as micros in whole minor units."""
    units = (amount * MICROS / rules.money.minor_micros).to_integral_value(ROUND_CEILING)
    return int(units) * rules.money.minor_micros
