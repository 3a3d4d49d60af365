"""What a polling connector is: the pages of an account's likes, and what a page proves.

The hub owns marks, leases, pace and the rule of what is an unlike; a connector reads one page at a time and
keeps nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal, Protocol, runtime_checkable

from connectors.base import Asker, Connector, KnownLike
from connectors.linking import Grant
from core.events import AccountRef, Liked

Proof = Literal["nothing", "newest", "everything"]
"""What the pages of one reading prove together, if all of them came.

everything: each like that stands was listed, so what is missing is not there. newest: every like that stands and
is newer than the last one listed was. nothing: what is missing may be elsewhere.
"""

Still = Literal["liked", "unliked", "gone", "unknown"]
"""What a platform says about one like: it stands, it was taken back, its content cannot be seen any more (which is
not an unlike), or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How an account is to be read; from the platform's fact sheet."""

    often: timedelta
    """Between two readings of an account that has been active."""
    seldom: timedelta
    """Between two readings of one on which nothing happens: the interval doubles from one to the other."""
    whole: timedelta
    """Between two complete listings; unlikes are found by these."""
    newest_first: bool
    """The latest like is listed first: reading may end with a page on which nothing is new."""
    agreeing: int = 1
    """How many complete listings in a row must miss a like before it is asked about."""
    agreeing_for: timedelta = timedelta(0)
    """The time that must lie between the first and the last of them."""
    direct: bool = True
    """`still` is the platform's own word about this very like. Else "unliked" means only that the content is there."""
    needs_grant: bool = True
    """Reading takes the member's own access; else what is read is public."""
    together: int = 1
    """How many accounts one question can be about (see `PollingTogether`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Where to read on.

    ``cursor``: what the last reading that was carried to its end left, None at first. ``page``: within this
    reading, what the page before named. ``whole``: a complete listing is wanted, whatever the cursor says.
    """

    cursor: str | None = None
    page: str | None = None
    whole: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A page to read: whose, with which access, from where."""

    account: AccountRef
    grant: Grant | None = field(default=None, repr=False)
    mark: Mark = Mark()


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of an account's likes, in the platform's order.

    ``besides``: native ids that were listed but make no like (private content, deleted entries): they are there.
    ``cursor``: for the next reading, once this one is carried to its end; None leaves it as it is. ``more``: the
    mark of the next page; None: this was the last one. ``total``: how many there are by the platform's own count.
    """

    likes: tuple[Liked, ...]
    besides: tuple[str, ...] = ()
    cursor: str | None = None
    more: str | None = None
    proves: Proof = "nothing"
    """Read on the last page of a reading only."""
    total: int | None = None
    """A complete listing that does not come to this number is none."""


@runtime_checkable
class PollingConnector(Connector, Protocol):
    """A platform whose likes are asked for.

    Both methods raise Expired for a token that is not taken, Withdrawn for access that has ended, and
    `connectors.client.Unanswered` for everything that is not a sound and complete page: a page in doubt is no page.
    """

    @property
    def plan(self) -> Plan:
        """How an account is to be read."""

    async def poll(self, asker: Asker, wanted: Wanted) -> Page:
        """One page."""

    async def still(self, asker: Asker, grant: Grant | None, like: KnownLike) -> Still:
        """Whether a like that a complete listing misses stands after all."""


@runtime_checkable
class PollingTogether(PollingConnector, Protocol):
    """A platform that can be asked about several accounts in one question."""

    async def poll_together(self, asker: Asker, wanted: Sequence[Wanted]) -> Sequence[Page | Exception]:
        """A page for each, or why there is none; at most ``plan.together`` at once, and never ``whole`` ones."""
