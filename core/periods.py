"""Months as integers: 12 * year + month number, in UTC, as money.md counts them."""

from __future__ import annotations

import re
from datetime import UTC, datetime


def month_of(at: datetime) -> int:
    """The month that an aware time lies in."""
    if at.tzinfo is None:
        raise ValueError("a time without a zone has no month; pass aware UTC")
    at = at.astimezone(UTC)
    return 12 * at.year + at.month


def month_start(month: int) -> datetime:
    """The first instant of a month."""
    year, index = divmod(month - 1, 12)
    return datetime(year, index + 1, 1, tzinfo=UTC)


def month_end(month: int) -> datetime:
    """The first instant after a month."""
    return month_start(month + 1)


def month_name(month: int) -> str:
    """``2026-11`` for 24323."""
    return month_start(month).strftime("%Y-%m")


def parse_month(text: str) -> int:
    """The inverse of `month_name`; ValueError names the form that is wanted."""
    match = re.fullmatch(r"(\d{4})-(\d{1,2})", text.strip())
    if not match or not 1 <= int(match[2]) <= 12 or int(match[1]) < 1:
        raise ValueError(f"{text!r} is not a month; write it like 2026-11")
    return 12 * int(match[1]) + int(match[2])
