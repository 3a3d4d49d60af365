"""The money rules made of the settings: amounts in micros, bounds as they fit the currency."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from decimal import Decimal

from sqlmodel import select

from config.complaints import Misconfigured
from config.settings import MoneySection
from core.books.tables import Posting
from core.database import Database
from core.money import MICROS, Currency, currency, plain
from core.people.tables import Budget
from core.rules import Rules
from core.tables import Setting

# Smallest and largest budget, smallest charge (what card processors publish), smallest payout.
_BOUNDS = {
    "AUD": ("2", "1500", "0.50", "1"),
    "CAD": ("2", "1500", "0.50", "1"),
    "CHF": ("2", "1000", "0.50", "1"),
    "DKK": ("15", "7500", "2.50", "7.50"),
    "EUR": ("2", "1000", "0.50", "1"),
    "GBP": ("2", "1000", "0.30", "1"),
    "JPY": ("300", "150000", "50", "150"),
    "NOK": ("20", "10000", "3", "10"),
    "PLN": ("10", "4000", "2", "5"),
    "SEK": ("20", "10000", "3", "10"),
    "USD": ("2", "1000", "0.50", "1"),
}
_CURRENCY = "currency"
_BOUND_NAMES = ("budget_min", "budget_max", "charge_min", "payout_minimum")
_HELD = 10
"""Smallest budgets above which one patron's part of a creator's month is worth a look (money.md: 20.00 for EUR)."""


def usual_bounds(code: str) -> dict[str, str]:
    """The bounds that a currency has unless the settings say otherwise; empty if the hub knows none."""
    if code not in _BOUNDS:
        return {}
    usual = dict(zip(_BOUND_NAMES, _BOUNDS[code], strict=True))
    return {**usual, "hold_amount": str(_HELD * Decimal(usual["budget_min"]))}


def rules_of(section: MoneySection, *, pseudonym_key: bytes, countries: Collection[str] = ()) -> Rules:
    """The rules that the core works by; Misconfigured names the setting that is wrong."""
    try:
        money = currency(section.currency)
    except ValueError as error:
        raise Misconfigured(f"money.currency: {error}") from None
    usual = usual_bounds(money.code)
    bounds = {name: _micros(name, _bound(section, name, usual, money), money) for name in _BOUND_NAMES}
    if not 0 < bounds["budget_min"] <= bounds["budget_max"]:
        raise Misconfigured("money.budget_min must be more than 0 and at most money.budget_max; change one of them")
    return Rules(
        money=money,
        pseudonym_key=pseudonym_key,
        fee_bp=int(section.fee_percent * 100),
        budget_min_micros=bounds["budget_min"],
        budget_max_micros=bounds["budget_max"],
        charge_min_micros=bounds["charge_min"],
        cost_bp=int(section.cost_percent * 100),
        cost_fixed_micros=_micros("cost_fixed", section.cost_fixed, money),
        review=timedelta(hours=section.review_hours),
        grace=timedelta(minutes=section.grace_minutes),
        collect_days=section.collect_days,
        payout_day=section.payout_day,
        payout_min_micros=bounds["payout_minimum"],
        pending_days=section.pending_days,
        cooling=timedelta(days=section.cooling_days),
        countries=frozenset(countries),
        hold_part_bp=int(section.hold_percent * 100),
        hold_micros=_micros("hold_amount", _held(section, usual), money),
        hold_mutual_bp=int(section.hold_mutual_percent * 100),
        hold_new=timedelta(days=section.hold_new_days),
    )


def keep_currency(db: Database, money: Currency) -> None:
    """Remember the currency of the first start; Misconfigured for another one once an amount is in the books.

    Amounts are stored as bare numbers: under another currency every budget would silently be another one.
    """
    with db.reading() as tx:
        kept = tx.get(Setting, _CURRENCY)
        used = any(tx.exec(select(table).limit(1)).first() is not None for table in (Budget, Posting))
    if kept is not None and kept.value == money.code:
        return
    if kept is not None and used:
        raise Misconfigured(
            f"money.currency is {money.code}, but the amounts in this database are {kept.value}; set it back to"
            f" {kept.value}, or use a fresh hub.data_dir and database"
        )
    with db.transaction() as tx:
        tx.merge(Setting(name=_CURRENCY, value=money.code))


def _bound(section: MoneySection, name: str, usual: Mapping[str, str], money: Currency) -> Decimal:
    given: Decimal | None = getattr(section, name)
    if given is not None:
        return given
    if name not in usual:
        missing = ", ".join(f"money.{each}" for each in _BOUND_NAMES if getattr(section, each) is None)
        raise Misconfigured(f"the hub knows no usual bounds for {money.code}; set {missing}")
    return Decimal(usual[name])


def _held(section: MoneySection, usual: Mapping[str, str]) -> Decimal:
    if section.hold_amount is not None:
        return section.hold_amount
    return Decimal(usual["hold_amount"]) if usual else _HELD * (section.budget_min or Decimal(0))


def _micros(name: str, amount: Decimal, money: Currency) -> int:
    micros = amount * MICROS
    if micros != int(micros) or int(micros) % money.minor_micros:
        unit = plain(money.minor_micros, money)
        raise Misconfigured(f"money.{name} is {amount}, but the smallest unit of {money.code} is {unit}; round it")
    return int(micros)
