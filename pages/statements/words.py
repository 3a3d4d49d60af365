"""What states are called on the pages of statements, for the side that looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Chip:
    """A state in a few words; ``tone`` is good, wait or quiet."""

    text: str
    tone: str


STATEMENTS: Mapping[str, str] = {
    "due": "The card is yet to be charged.",
    "collected": "The card was charged.",
    "lapsed": "The card could not be charged. You owe nothing, and nobody asks again.",
    "void": "Nothing was charged.",
}

PATRON: Mapping[str, Chip] = {
    "due": Chip("to be charged", "wait"),
    "collected": Chip("paid", "good"),
    "held": Chip("held", "wait"),
    "taken_back": Chip("went back to you", "quiet"),
    "partly_taken_back": Chip("went back in part", "quiet"),
    "lapsed": Chip("not collected", "quiet"),
    "void": Chip("not charged", "quiet"),
}

CREATOR: Mapping[str, Chip] = {
    "due": Chip("card yet to be charged", "wait"),
    "collected": Chip("collected", "good"),
    "held": Chip("held", "wait"),
    "taken_back": Chip("went back to its patron", "quiet"),
    "partly_taken_back": Chip("went back in part", "quiet"),
    "lapsed": Chip("never collected", "quiet"),
    "void": Chip("never charged", "quiet"),
}

UNPAID: Mapping[str, str] = {
    "pending": "its creator could not be paid yet",
    "held": "its network stopped listing it",
    "own": "your own",
    "ignored": "you ignore its creator",
    "struck": "you struck it out",
    "withdrawn": "you took it back",
    "moved": "counts in a later month",
    "declined": "its creator wants no money",
    "lapsed": "nobody could be paid in time",
    "skipped": "you skipped the month",
    "left": "you had left",
    "same_card": "the same card on both sides",
    "counts": "too little to charge",
}
"""Why a flattr cost nothing, by `core.months.worth.State`."""

PAYOUTS: Mapping[str, Chip] = {
    "asked": Chip("under way", "wait"),
    "sent": Chip("sent", "good"),
    "refused": Chip("refused: due again", "quiet"),
    "reversed": Chip("came back: due again", "quiet"),
}
