"""Which month somebody means: 2026-10, October, last month."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import datetime

from bot.hearing.spelling import nearest_only
from core.periods import month_of

_MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_name) if name}
_MONTHS |= {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name} | {"sept": 9}


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthSaid:
    """A month as people name it: with its year, by its name alone, or as so many months back."""

    year: int | None = None
    number: int | None = None
    back: int = 0

    def last(self, at: datetime) -> int:
        """The month's id; a name alone means the latest such month that has begun."""
        now = month_of(at)
        if self.number is None:
            return now - self.back
        if self.year is not None:
            return 12 * self.year + self.number
        return now - (now - self.number) % 12

    def next(self, at: datetime) -> int:
        """The month's id; a name alone means the next such month, the present one included."""
        now = month_of(at)
        if self.number is None or self.year is not None:
            return self.last(at)
        return now + (self.number - now) % 12


def month_in(words: list[str]) -> MonthSaid | None:
    """The month that words name: 2026-10, 10/2026, October (2026), last month, this month; None if none."""
    text = " ".join(words).lower()
    if match := re.fullmatch(r"(\d{4})[-/.](\d{1,2})", text):
        year, number = int(match[1]), int(match[2])
    elif match := re.fullmatch(r"(\d{1,2})[-/.](\d{4})", text):
        year, number = int(match[2]), int(match[1])
    elif match := re.fullmatch(r"(?:of |for )?(?:the )?(last|previous|past|this|current|open)(?: month)?", text):
        return MonthSaid(back=1 if match[1] in ("last", "previous", "past") else 0)
    elif match := re.fullmatch(r"(?:of |for |in )?([a-z]{3,9})(?: (\d{4}))?", text):
        name = match[1] if match[1] in _MONTHS else nearest_only(match[1], [m for m in _MONTHS if len(m) > 4])
        if name is None:
            return None
        number, year = _MONTHS[name], int(match[2] or 0)
        if not match[2]:
            return MonthSaid(number=number)
    else:
        return None
    return MonthSaid(year=year, number=number) if 1 <= number <= 12 and 1970 <= year <= 9998 else None
