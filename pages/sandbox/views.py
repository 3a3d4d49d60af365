"""What the sandbox's page shows, ready to print: every amount is already words."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Chip:
    """What the hub makes of a like, in a few words; ``tone`` is good, wait or quiet."""

    text: str
    tone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LikeRow:
    """One line of the open month."""

    title: str
    url: str
    creator: str
    chip: Chip


@dataclass(frozen=True, slots=True, kw_only=True)
class Mine:
    """The month of the person who is being played; amounts are texts."""

    month: str
    budget: str | None = None
    """None: has not set one."""
    has_card: bool = False
    card_hint: str = ""
    """What to do while there is none."""
    counting: int = 0
    pending: int = 0
    charge: str = ""
    fee: str = ""
    each: str = ""
    rows: tuple[LikeRow, ...] = ()
    chips: Mapping[str, Chip] = field(default_factory=dict)
    """By the thing's address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A part of a statement's bar; ``x`` and ``width`` in thousandths of it."""

    name: str
    amount: str
    likes: int
    x: int
    width: int
    tone: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareRow:
    """One share of a statement."""

    receipt: str
    title: str
    url: str
    creator: str
    amount: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementView:
    """One patron's closed month."""

    key: str
    month: str
    patron: str
    mine: bool
    state: str
    good: bool
    charge: str
    fee: str
    sum: str
    """``10 x 3.15 + 3.50 fee = 35.00 EUR``."""
    slices: tuple[Slice, ...]
    shares: tuple[ShareRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatorRow:
    """One creator's money."""

    name: str
    likes: int
    due: str
    waiting: str
    """Of what is due: the money of new patrons, which waits one payout run longer; empty: none."""
    paid: str
    share: int
    """Due and paid, in thousandths of the creator who got most: the bar's length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostingRow:
    """One movement of the ledger."""

    at: str
    kind: str
    source: str
    debit: str
    credit: str
    amount: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BooksView:
    """Everything beneath the feed."""

    mine: Mine
    months: Sequence[tuple[str, str]] = ()
    """Name and stage, the latest first."""
    statements: Sequence[StatementView] = ()
    creators: Sequence[CreatorRow] = ()
    income: str = ""
    postings: Sequence[PostingRow] = ()
    posted: int = 0
    """How many movements there are in all."""
    joined: Collection[str] = ()
    """The accounts, as ``platform:id``, whose people receive."""
    broken: Sequence[str] = ()
    """What `flattr check` finds; empty: all is well."""
    hosted: bool = False
    """Whether a payment processor in another house moves the (test) money."""
    skips: bool = True
    """Whether the clock can be skipped to the month's end."""


def slices(parts: Sequence[tuple[str, str, int, int, int]]) -> tuple[Slice, ...]:
    """Cut a bar of 1000 into (name, amount, likes, micros, tone), exactly: no gap, no overlap."""
    whole = sum(micros for _, _, _, micros, _ in parts)
    cut: list[Slice] = []
    before = 0
    for name, amount, likes, micros, tone in parts:
        x, end = (round(Fraction(1000 * edge, whole)) for edge in (before, before + micros))
        cut.append(Slice(name=name, amount=amount, likes=likes, x=x, width=end - x, tone=tone))
        before += micros
    return tuple(cut)


LIKELY = {
    "pending": Chip("waits until they join", "wait"),
    "own": Chip("your own: never counted", "quiet"),
    "ignored": Chip("you ignore them", "quiet"),
    "struck": Chip("struck out", "quiet"),
    "withdrawn": Chip("withdrawn", "quiet"),
    "declined": Chip("wants no money", "quiet"),
    "moved": Chip("counts in a later month", "quiet"),
    "lapsed": Chip("nobody joined in time", "quiet"),
    "skipped": Chip("you skip this month", "quiet"),
    "left": Chip("withdrawn when you left", "quiet"),
    "same_card": Chip("void: one card on both sides", "quiet"),
}
"""What the hub makes of a like that does not count now."""
