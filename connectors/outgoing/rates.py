"""What a platform says about its limits, read from the headers of an answer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

DAY = 86_400.0
"""Seconds; no platform may send the hub away for longer."""

_EPOCH = 1_000_000_000
"""Larger numbers are a time (GitHub, Bluesky, X: seconds since 1970), smaller ones seconds to go (Reddit)."""

_PREFIXES = ("x-ratelimit-", "ratelimit-", "x-rate-limit-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The platform's word: requests left, the seconds until they are renewed, the seconds not to ask at all."""

    remaining: int | None = None
    resets_in: float | None = None
    retry_after: float | None = None


def read(headers: Mapping[str, str], at: datetime) -> Told:
    """The limits in an answer's headers (names in lower case); what cannot be read is not said.

    Times are taken relative to the answer's own Date, so that the clocks need not agree; ``at`` serves
    where there is none. A second is added to those, since both are whole seconds.
    """
    sent = _date(headers.get("date", "")) or at
    for prefix in _PREFIXES:
        remaining = _number(headers.get(f"{prefix}remaining", ""))
        resets = _seconds(headers.get(f"{prefix}reset-after", ""), sent)
        if resets is None:
            resets = _seconds(headers.get(f"{prefix}reset", ""), sent)
        if remaining is not None and resets is not None:
            return Told(
                remaining=int(remaining),
                resets_in=resets,
                retry_after=_seconds(headers.get("retry-after", ""), sent),
            )
    return Told(retry_after=_seconds(headers.get("retry-after", ""), sent))


def _seconds(text: str, sent: datetime) -> float | None:
    """Seconds from now, from a number of seconds, a time since 1970, an HTTP date or an ISO 8601 date."""
    number = _number(text)
    if number is not None and number < _EPOCH:
        return min(number, DAY)
    moment = number if number is not None else _timestamp(text)
    if moment is None:
        return None
    return min(max(moment - sent.timestamp() + 1, 0.0), DAY)


def _timestamp(text: str) -> float | None:
    date = _date(text)
    return None if date is None else date.timestamp()


def _number(text: str) -> float | None:
    """A number that is one, not negative; of "100;w=60" the 100."""
    first = text.partition(";")[0].partition(",")[0].strip()
    if not first.isascii() or "_" in first or len(first) > 30:
        return None
    try:
        number = float(first)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _date(text: str) -> datetime | None:
    if not 8 <= len(text) <= 64:
        return None
    for parse in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            date = parse(text)
            return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None
