"""Amounts to suggest that this hub's currency and bounds allow: "budget 5", or "budget 500" in yen."""

from __future__ import annotations

from bot.talk import Turn
from core.money import MICROS, plain


def budget(turn: Turn, times: int = 1) -> str:
    """A small budget as it is sent, in whole units: 5, or the next of 1, 2, 5, 10, 20... that is allowed."""
    least, most = turn.rules.budget_min_micros, turn.rules.budget_max_micros
    units = 5
    while units * MICROS < least:
        units = units * 5 // 2 if str(units)[0] == "2" else units * 2
    micros = units * times * MICROS
    return f"budget {units * times if least <= micros <= most else plain(least, turn.money)}"


def caps(turn: Turn) -> tuple[str, str]:
    """A cap per like and one per creator, as they are sent."""
    whole = turn.money.exponent == 0
    return f"cap {plain(MICROS * 50 if whole else MICROS // 2, turn.money)} per like", "cap 5 per creator"
