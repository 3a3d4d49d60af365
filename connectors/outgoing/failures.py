"""Why a platform gave no answer that can be used, each with the caller's next move."""

from __future__ import annotations


class Unanswered(Exception):
    """No usable answer; nothing may be concluded from it about what the platform holds.

    ``retry_after``: seconds after which asking again makes sense, where that is known. The text names the
    platform and the remedy, and no secret.
    """

    def __init__(self, reason: str, *, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Unreachable(Unanswered):
    """Not there, too slow, cut off, or answering 5xx after all attempts: ask again later, change nothing.

    ``status``: the 5xx where there was one. ``perhaps_done``: a request that may not be repeated could have
    been carried out although its answer was lost.
    """

    def __init__(
        self,
        reason: str,
        *,
        retry_after: float | None = None,
        status: int | None = None,
        perhaps_done: bool = False,
    ) -> None:
        super().__init__(reason, retry_after=retry_after)
        self.status = status
        self.perhaps_done = perhaps_done


class Limited(Unanswered):
    """The platform's budget is used up for longer than the caller would wait: ask again after ``retry_after``."""

    retry_after: float

    def __init__(self, reason: str, *, retry_after: float) -> None:
        super().__init__(reason, retry_after=retry_after)


class TooLarge(Unanswered):
    """The body is larger than the caller allows: ask for a smaller page or give up; repeating is useless."""


class Forbidden(Unanswered):
    """The URL leads where no user may send the hub (a private network, another scheme): drop the URL."""


class Garbled(Unanswered):
    """An answer that is not what its headers say (no JSON, a broken encoding): treat it as no answer."""
