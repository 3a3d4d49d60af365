"""How a platform's lists of likes are to be read, as far as the books must know it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

OVERLAP = timedelta(hours=1)
"""How much later than others a like may appear in a list, by its own time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """A platform's plan (`connectors.polling.Plan` says what each means) and whether it tells when a like was given."""

    often: timedelta
    seldom: timedelta
    whole: timedelta
    newest_first: bool
    timed: bool
    agreeing: int = 1
    agreeing_for: timedelta = timedelta(0)
    direct: bool = True
    needs_grant: bool = True
    told: bool = False
    """The platform also tells of likes by itself, as they are given."""
