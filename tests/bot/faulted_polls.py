"""How many polls of each network are played with spoilt answers, and the count of what came of them."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

SOAK = "FAULTED_POLLS"
POLLS = int(os.environ.get(SOAK, "60"))
"""Faulted polls wanted of each network: few by default, thousands for a release (`make soak`)."""


def plays_of(many: int) -> int:
    """How many plays make up the polls if one play has so many."""
    return max(1, round(POLLS / many))


def spoiling(fake: Any) -> int:
    """Faults that wait for the next answers of a fake."""
    return sum(bool(each) for each in (*fake.faults, *fake._faults))


@dataclass
class Tally:
    """One network's count; the false ones are what a test fails for."""

    network: str
    polls: int = 0
    answers: int = 0
    unlikes: int = 0
    found: int = 0
    false: int = 0

    def polled(self, waited: int, fake: Any) -> None:
        """A poll is over for which so many faults had waited."""
        spoilt = waited - spoiling(fake)
        self.polls, self.answers = self.polls + (spoilt > 0), self.answers + spoilt

    def wrong(self, false: Collection[str]) -> None:
        """These are taken back in the books, and by nobody."""
        self.false += len(false)
        assert not false, f"{self.network}: nobody has taken back {sorted(false)}"

    def ended(self, unliked: Collection[str], counting: Collection[str]) -> None:
        """A play is over: what was really taken back in it, and what counts still."""
        self.unlikes += len(unliked)
        self.found += sum(each not in counting for each in unliked)

    def __str__(self) -> str:
        return (
            f"{self.network}: {self.polls:,} faulted polls ({self.answers:,} spoilt answers),"
            f" {self.false} false unlikes, {self.found:,} true unlikes found of {self.unlikes:,}"
        )
