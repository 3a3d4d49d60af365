"""What is remembered of a list of likes: a short hash of every id that it showed, in the list's own order.

A mark is an even 64-bit number made of a native id; as known it is odd if the like is from before the account was
linked, so that it never counted.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise
from sys import byteorder

WIDTH = 8
"""Bytes a mark: with a hundred thousand likes two share one in a billion accounts."""

_OLD = 1


def mark(native_id: str) -> int:
    """The mark of a platform's own id of a thing."""
    return int.from_bytes(blake2b(native_id.encode(), digest_size=WIDTH).digest()) & ~_OLD


@dataclass(frozen=True, slots=True)
class Known:
    """The marks of an account's list, the newest like first; ``old`` are those from before the link."""

    order: tuple[int, ...] = ()
    old: frozenset[int] = frozenset()

    def __len__(self) -> int:
        return len(self.order)

    def without(self, marks: Collection[int]) -> Known:
        """The list with some marks forgotten."""
        if not marks:
            return self
        return Known(tuple(each for each in self.order if each not in marks), self.old.difference(marks))


def pack(known: Known) -> bytes:
    """The known list as it is stored: eight bytes a mark."""
    packed = array("Q", (each | (_OLD if each in known.old else 0) for each in known.order))
    if byteorder == "little":
        packed.byteswap()
    return packed.tobytes()


def unpack(stored: bytes) -> Known:
    """The inverse of `pack`."""
    packed = array("Q")
    packed.frombytes(stored[: len(stored) // WIDTH * WIDTH])
    if byteorder == "little":
        packed.byteswap()
    return Known(tuple(each & ~_OLD for each in packed), frozenset(each & ~_OLD for each in packed if each & _OLD))


def in_order(known: Sequence[int], listed: Iterable[int]) -> bool:
    """Whether a listing shows what is known in the order in which it is known."""
    place = {each: number for number, each in enumerate(known)}
    places = [place[each] for each in listed if each in place]
    return all(one < other for one, other in pairwise(places))


def merged(known: Sequence[int], listed: Sequence[int]) -> tuple[int, ...]:
    """The list as it is known after a listing: in the listing's order, with what it does not show where it was.

    Where the two orders disagree the listing is right, and what it does not show comes after it.
    """
    shown = set(listed)
    if not in_order(known, listed):
        return (*listed, *(each for each in known if each not in shown))
    both = shown.intersection(known)
    result: list[int] = []
    rest = iter(known)
    for each in listed:
        if each in both:
            for passed in rest:
                if passed == each:
                    break
                result.append(passed)
        result.append(each)
    result.extend(rest)
    return tuple(result)
