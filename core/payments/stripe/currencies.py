"""The currencies in which a hub can count when Stripe moves its money."""

from __future__ import annotations

from core.money import Currency

SUPPORTED = frozenset(
    (
        "AED", "AUD", "BRL", "CAD", "CHF", "CZK", "DKK", "EUR", "GBP", "HKD", "JPY", "MXN",
        "MYR", "NOK", "NZD", "PLN", "RON", "SEK", "SGD", "THB", "USD", "ZAR",
    )
)  # fmt: skip
"""Stripe settles in them, and its minor unit is the hub's (docs.stripe.com/currencies, "Minor units in API amounts").

Left out on purpose: ISK and UGX have no decimals in the currency tables, but Stripe wants two; HUF and TWD are paid
out in whole units only; BHD, JOD, KWD, OMR and TND have three decimals, of which Stripe wants the last to be 0; and
currencies that Stripe takes from cards but keeps no balance in, since it would convert every amount.
"""

ZERO_DECIMAL = frozenset({"JPY"})
"""Those of them that Stripe counts in whole units; all others in hundredths."""


def why_not(money: Currency) -> str | None:
    """Why a hub with Stripe cannot count in a currency, with the remedy; None: it can."""
    if money.code in SUPPORTED:
        return None
    return f"Stripe cannot keep the hub's books in {money.code}; choose one of {', '.join(sorted(SUPPORTED))}"
