"""How far a list of X's has been read, newest first, whose entries may appear a little out of order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

OVERLAP = 120_000 << 22
"""Two minutes, as X's ids count time (milliseconds, above 22 bits): so much later an entry may still appear."""

_MOST = 500
"""Entries remembered of these two minutes."""


@dataclass(frozen=True, slots=True)
class ReadTo:
    """Everything up to an id was read; of the last two minutes it is known what."""

    newest: int = 0
    seen: frozenset[int] = frozenset()

    @property
    def since(self) -> int:
        """Nothing up to this id can be new."""
        return max(self.newest - OVERLAP, 0)

    def is_new(self, number: int) -> bool:
        """Whether an entry was not read yet."""
        return number > self.newest or (number > self.since and number not in self.seen)

    def after(self, numbers: Iterable[int]) -> ReadTo:
        """The mark once these were read too."""
        every = self.seen.union(numbers)
        newest = max(self.newest, *every, 0)
        recent = sorted((each for each in every if each > newest - OVERLAP), reverse=True)
        return ReadTo(newest, frozenset(recent[:_MOST]))

    def spelled(self) -> str:
        """As a cursor is stored."""
        return " ".join(str(each) for each in (self.newest, *sorted(self.seen)))

    @classmethod
    def read(cls, cursor: str | None) -> ReadTo | None:
        """The inverse of `spelled`; None for no cursor, or one that cannot be read: then nothing was read yet."""
        words = (cursor or "").split()
        if not words or not all(word.isascii() and word.isdigit() and len(word) <= 20 for word in words):
            return None
        newest, *seen = (int(word) for word in words)
        return cls(newest, frozenset(seen))
