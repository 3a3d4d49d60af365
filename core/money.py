"""Money as integer micro-units (1/1,000,000 of the currency's main unit): currencies, reading, printing, splitting."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from babel import numbers

MICROS = 1_000_000


@dataclass(frozen=True, slots=True)
class Currency:
    """The hub's one currency; ``exponent`` is its number of decimals in the currency tables (JPY 0, EUR 2)."""

    code: str
    exponent: int

    @property
    def minor_micros(self) -> int:
        """Micros in one minor unit (a cent: 10,000; a yen: 1,000,000)."""
        return int(MICROS // 10**self.exponent)

    def floor(self, micros: int) -> int:
        """The whole minor units contained in ``micros``, as micros."""
        return micros - micros % self.minor_micros

    def minor(self, micros: int) -> int:
        """Micros as a count of minor units, for a payment processor; ValueError if they are not whole."""
        units, rest = divmod(micros, self.minor_micros)
        if rest:
            raise ValueError(f"{micros} micros are not whole minor units of {self.code}")
        return units


def currency(code: str) -> Currency:
    """A currency by its ISO 4217 code; ValueError names the remedy."""
    code = code.strip().upper()
    try:
        known = code in numbers.list_currencies()
    except numbers.UnknownCurrencyError:  # pragma: no cover - babel raises only for a named locale
        known = False
    exponent = numbers.get_currency_precision(code)
    if not known or exponent > 6:
        raise ValueError(f"{code!r} is not a currency code; use an ISO 4217 code such as EUR, USD or JPY")
    return Currency(code, exponent)


def show(micros: int, money: Currency) -> str:
    """An amount for people: ``3.15 EUR``; more decimals only where a micro-sum needs them (``0.072581 EUR``)."""
    return f"{plain(micros, money)} {money.code}"


def plain(micros: int, money: Currency) -> str:
    """An amount without its currency, with at least the currency's decimals and never a rounded digit."""
    value = Decimal(micros).scaleb(-6)
    quantum = Decimal(1).scaleb(-money.exponent)
    if value == value.quantize(quantum):
        value = value.quantize(quantum)
    return f"{value.normalize() if value != value.quantize(quantum) else value:f}"


_AMOUNT = re.compile(r"(?P<whole>\d{1,12})(?:[.,](?P<part>\d{1,6}))?")


def parse_amount(text: str, money: Currency) -> int:
    """Micros from what a person types: ``35``, ``4.50``, ``4,50``, ``€4.50``, ``35 eur``.

    ValueError says in one sentence what is wrong: not an amount, another currency, too many decimals.
    """
    cleaned = text.strip().replace("\N{NO-BREAK SPACE}", " ")
    symbol = numbers.get_currency_symbol(money.code, locale="en")
    for mark in (symbol, money.code, money.code.lower(), money.code.capitalize()):
        cleaned = cleaned.removeprefix(mark).removesuffix(mark).strip()
    if re.search(r"[A-Za-z€$£¥]", cleaned):
        raise ValueError(f"this hub counts in {money.code}; write the amount as a number, like 4.50")
    match = _AMOUNT.fullmatch(cleaned)
    if not match:
        raise ValueError(f"{text.strip()!r} is not an amount; write it like 35 or 4.50")
    part = (match["part"] or "").rstrip("0")
    if len(part) > money.exponent:
        places = f"{money.exponent} decimals" if money.exponent else "no decimals"
        raise ValueError(f"{money.code} has {places}; write the amount like {plain(4 * MICROS, money)}")
    return int(match["whole"]) * MICROS + int(part.ljust(6, "0") or 0)


def split(net: int, count: int, *, patron: int, month: int) -> list[int]:
    """The shares of ``count`` flattrs, in the order of their ids, in micros (money.md, "The end of a month").

    Everyone gets net // count; the micros left over go one each, by a rotation that favours nobody over time.
    """
    each, rest = divmod(net, count)
    return [each + ((rank - patron - month * rest) % count < rest) for rank in range(count)]
