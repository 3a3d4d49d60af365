"""When a platform is left alone: because its budget is used up, or because it does not answer."""

from __future__ import annotations

from datetime import datetime, timedelta

LONGEST = timedelta(days=1)
DOWN = 5
"""So many accounts in a row without an answer: it is the platform, not they."""
ALIKE = 3
"""So many accounts in a row that are asked too often: it is the platform's budget, not theirs."""
FIRST_REST, LONGEST_REST = timedelta(seconds=15), timedelta(minutes=5)


class Quiet:
    """The bookkeeping of one platform; ``by_account``: it counts requests for every account by itself."""

    def __init__(self, *, by_account: bool) -> None:
        self._by_account = by_account
        self._limited = 0
        self._unheard = 0
        self._rest = FIRST_REST
        self.until: datetime | None = None

    def silent(self, at: datetime) -> bool:
        """Whether nobody is to ask now."""
        return self.until is not None and at < self.until

    def slots(self, most: int) -> int:
        """How many may ask at once: one, while it is not known whether anybody answers."""
        return 1 if self._unheard >= DOWN else most

    def answered(self) -> None:
        """The platform has answered somebody."""
        self._limited = self._unheard = 0
        self._rest = FIRST_REST

    def limited(self, at: datetime, seconds: float) -> bool:
        """Too many requests; whether that concerns the whole platform, which is left alone then."""
        self._limited += 1
        if self._by_account and self._limited < ALIKE:
            return False
        self._leave_alone(at, timedelta(seconds=max(seconds, 0.0)))
        return True

    def unreachable(self, at: datetime) -> None:
        """No answer to somebody."""
        self._unheard += 1
        if self._unheard >= DOWN:
            self._leave_alone(at, self._rest)
            self._rest = min(self._rest * 2, LONGEST_REST)

    def _leave_alone(self, at: datetime, time: timedelta) -> None:
        until = at + min(time, LONGEST)
        self.until = until if self.until is None else max(self.until, until)
