"""The money rules that an operator may set, as one value handed down from the settings (money.md)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from core.money import Currency


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Amounts in micros of the hub's currency, rates in basis points, times as timedeltas."""

    money: Currency
    pseudonym_key: bytes
    """Keys the hash under which a declined account is kept."""
    fee_bp: int = 1000
    budget_min_micros: int = 2_000_000
    budget_max_micros: int = 1_000_000_000
    charge_min_micros: int = 500_000
    """The processor's minimum: a smaller charge is not made."""
    cost_bp: int = 0
    cost_fixed_micros: int = 0
    """The card's tariff, charged as a line of its own to patrons who agreed to bear it."""
    review: timedelta = timedelta(hours=48)
    grace: timedelta = timedelta(hours=1)
    """How long a month waits after its end for what is still on its way."""
    collect_days: tuple[int, ...] = (0, 1, 3, 5, 7)
    """Days after closing on which an unpaid statement is tried; after the last it lapses."""
    retry_unknown: timedelta = timedelta(hours=1)
    """When to ask again after a call whose outcome is unknown."""
    payout_day: int = 11
    """The day of the month on which a payout run is due."""
    payout_min_micros: int = 1_000_000
    pending_days: int = 90
    pending_per_creator: int = 5
    """How many older pending flattrs per patron and creator count when the creator joins."""
    cooling: timedelta = timedelta(days=3)
    """How long payouts wait after one person's accounts were joined to another's."""
    countries: frozenset[str] = frozenset()
    """ISO 3166 codes: only cards and creators of these countries; empty: of every country."""
    hold_part_bp: int = 8000
    """Held: more than this part of a creator's month from one patron ..."""
    hold_micros: int = 20_000_000
    """... if it is also more than this."""
    hold_mutual_bp: int = 3000
    """Held: two people who send each other more than this part of either's month."""
    hold_new: timedelta = timedelta(days=30)
    """Held: a card and a creator both newer than this who have only each other."""
