"""One reading of an account's list, page by page: which likes are new, where it may end, what it showed in all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from core.events import Liked
from core.listings import marks, vanishing
from core.listings.leases import Claimed
from core.listings.marks import Known, mark
from core.listings.terms import OVERLAP, Terms
from core.listings.vanishing import Proof, Shown

LONGEST_DELAY = timedelta(days=1)
"""Before the last reading: what a list shows as older than this was there by then."""

WITNESSES = 5
"""So many known likes, in their order, are believed when they say that one listed among them is as old as they are."""


@dataclass(slots=True)
class Reading:
    """What the pages of an account have shown so far; lost with its process, which costs nothing but asking again.

    A like is new if the list never showed it, or shows it with a time later than all before. On a network without
    times the first listing counts nothing; and later, where the newest like comes first, what turns up among likes
    from before the link is older than the link too (a private video made public), once a complete listing agrees.
    """

    claimed: Claimed
    terms: Terms
    began_at: datetime
    known: Known
    missing: dict[int, vanishing.Missed]
    whole: bool
    page: str | None = None
    """The mark of the page to read now."""
    cursor: str | None = None
    new: int = 0
    latest_at: datetime | None = None
    listed: dict[int, None] = field(default_factory=dict)
    besides: set[int] = field(default_factory=set)
    old: set[int] = field(default_factory=set)
    late: list[Liked] = field(default_factory=list)
    """New, but listed among what is old."""
    asked: set[str | None] = field(default_factory=set)
    shown: Shown | None = None
    again: bool = False
    """A complete listing is wanted at once, to tell whether what is ``late`` is old."""
    _places: dict[int, int] = field(init=False)
    _met: int = 0
    """How many known likes were listed so far, whether one of them is old, where the last was, and if all in order."""
    _met_old: bool = False
    _last_place: int = -1
    _in_order: bool = True

    def __post_init__(self) -> None:
        self._places = {each: place for place, each in enumerate(self.known.order)}

    @classmethod
    def begin(cls, claimed: Claimed, terms: Terms, at: datetime) -> Reading:
        """A reading of a claimed account from its start."""
        known, missing = marks.unpack(claimed.listing.known), vanishing.loaded(claimed.listing.missing)
        return cls(
            claimed=claimed,
            terms=terms,
            began_at=at,
            known=known,
            missing=missing,
            whole=whole_due(claimed, terms, known, missing) <= at,
            latest_at=claimed.listing.latest_at,
        )

    def goes_on(self, claimed: Claimed) -> bool:
        """Whether it can be carried on for an account that was claimed again: nobody has read it meanwhile."""
        mine, listing = self.claimed.listing, claimed.listing
        return (mine.read_at, mine.missing, mine.known) == (listing.read_at, listing.missing, listing.known) and (
            self.claimed.linked_at == claimed.linked_at
        )

    @property
    def first(self) -> bool:
        """Whether this account was never read to the end before."""
        return self.claimed.listing.marked_at is None

    def take(self, likes: Sequence[Liked], besides: Sequence[str], asked_at: datetime) -> tuple[list[Liked], bool]:
        """One page: what of it is to be recorded, and whether there is nothing new on it.

        A page that shows nothing at all says nothing about that.
        """
        # Of the readings before: the pages before this one are newer, and say nothing about what is new here.
        before, fresh, familiar = self.claimed.listing.latest_at, 0, 0
        events: list[Liked] = []
        for like in likes:
            each = mark(like.thing.native_id)
            if each in self.listed:
                familiar += 1  # the pages have shifted while they were read
                continue
            self.listed[each] = None
            self._meet(each)
            told = None if like.at is None else min(like.at, asked_at)
            if told is not None:
                self.latest_at = max(self.latest_at or told, told)
            match self._judge(each, told, before):
                case "old":
                    self.old.add(each)
                    familiar += 1
                case "known":
                    familiar += 1
                case "recent":
                    events.append(like)
                    familiar += 1
                case "late":
                    self.late.append(like)
                    familiar += 1
                case _:
                    events.append(like)
                    fresh += 1
        self.besides.update(mark(each) for each in besides)
        self.new += fresh
        return events, familiar > 0 and fresh == 0

    def _meet(self, each: int) -> None:
        place = self._places.get(each)
        if place is None:
            return
        self._in_order = self._in_order and place > self._last_place
        self._met, self._last_place = self._met + 1, place
        self._met_old = self._met_old or each in self.known.old

    def _judge(self, each: int, told: datetime | None, latest: datetime | None) -> str:
        """What a listed like is: old (from before the link), known, recent (known, perhaps given again), late, new."""
        listing, linked_at = self.claimed.listing, self.claimed.linked_at
        in_known = each in self._places and each not in self.claimed.ended
        if told is None:
            if in_known:
                return "known"
            if self.first:
                return "old"
            return "late" if self._among_old() else "new"
        if linked_at is not None and told < linked_at.replace(microsecond=0):
            # An earlier link's like may count still.
            return "known" if in_known and each not in self.known.old else "old"
        if not in_known or latest is None or told > latest:
            return "new"
        since = max(latest - OVERLAP, (listing.read_at or told) - LONGEST_DELAY)
        return "recent" if told > since else "known"

    def _among_old(self) -> bool:
        """Whether the list is at likes from before the link already, by its own order."""
        return self.terms.newest_first and self._met_old and self._met >= WITNESSES and self._in_order

    def turn_page(self, more: str | None, cursor: str | None) -> bool:
        """Go on to the page that the last one named; False if it was asked for before."""
        self.cursor = self.cursor if cursor is None else cursor
        self.asked.add(self.page)
        self.page = more
        return more not in self.asked

    def end(self, proves: Proof, total: int | None, *, early: bool) -> list[Liked]:
        """The last page was read, or (``early``) all beyond it is known: what is still to be recorded.

        An early end proves at most what is newer than its last like.
        """
        if early and proves == "everything":
            proves = "newest"
        if not self.terms.newest_first and proves == "newest":
            proves = "nothing"
        late, self.late = self.late, []
        waiting: set[int] = set()
        if late and self.whole and self._in_order:
            self.old.update(mark(each.thing.native_id) for each in late)
            late = []
        elif late and not self.whole:
            waiting, late, self.again = {mark(each.thing.native_id) for each in late}, [], True
        self.new += len(late)
        self.shown = Shown(
            listed=tuple(each for each in self.listed if each not in waiting),
            besides=frozenset(self.besides.difference(self.listed)),
            proves=proves,
            total=total,
            at=self.began_at,
            whole=self.whole,
        )
        return late


def whole_due(claimed: Claimed, terms: Terms, known: Known, missing: dict[int, vanishing.Missed]) -> datetime:
    """When the next reading has to be a complete listing."""
    listing = claimed.listing
    last = listing.whole_at or listing.marked_at
    if last is None:
        # With times a first reading may end where the likes are older than the link.
        return listing.next_at if not terms.timed else listing.next_at + terms.whole
    wanted = vanishing.whole_wanted(missing, known.old, terms)
    return min(last + terms.whole, wanted or last + terms.whole)
