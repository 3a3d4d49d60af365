"""What a posting is sealed as: a salted hash that says nothing without its salt, and binds every column with it.

    text       = share|2026-11-77|3150000|EUR          (of any other kind: kind|source|micros|currency)
    salt       = HMAC-SHA256(the hub's book key, every column of the posting)
    commitment = SHA-256(salt || text)
    batch      = SHA-256(its head || its commitments, in the order of their values)

Who holds a receipt and its salt can find it in the book. The accounts and the time are in the salt only, so that a
proof names nobody, and yet nothing of a posting can be changed without its commitment changing.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from core import periods

FORMAT = "flattr-hub-book/1"
START = "0" * 64
"""What the first batch follows."""

month_name = lru_cache(maxsize=64)(periods.month_name)
"""A million postings have few months between them."""


@dataclass(frozen=True, slots=True)
class Columns:
    """A posting as it is in the database; ``at_micros`` since 1970."""

    id: int
    at_micros: int
    kind: str
    source: str
    debit: int
    credit: int
    amount_micros: int
    month: int | None
    """Of a share: its flattr's month, which the receipt names."""


def receipt(month: int, flattr_id: int | str) -> str:
    """How patron and creator see a flattr's share: ``2026-11-77``."""
    return f"{month_name(month)}-{flattr_id}"


def text(posting: Columns, currency: str) -> str:
    """What is committed to, in clear; it names nobody."""
    about = posting.source
    if posting.kind == "share" and posting.month is not None:
        about = receipt(posting.month, posting.source.removeprefix("flattr:"))
    return f"{posting.kind}|{about}|{posting.amount_micros}|{currency}"


def salt(key: bytes, posting: Columns) -> bytes:
    """32 bytes that only the hub can make, another for every posting and for every change of one."""
    p = posting
    # The source comes last, since it is the one column that may hold the sign between them.
    columns = f"{p.id}|{p.at_micros}|{p.debit}|{p.credit}|{p.amount_micros}|{p.kind}|{p.source}"
    return hmac.digest(key, columns.encode(), "sha256")


def commit(salt: bytes, text: str) -> bytes:
    """The commitment, 32 bytes."""
    return hashlib.sha256(salt + text.encode()).digest()


def commitment(key: bytes, posting: Columns, currency: str) -> bytes:
    """A posting's commitment, from the posting alone."""
    return commit(salt(key, posting), text(posting, currency))


def batch_hash(previous: str, number: int, month: int, commitments: Iterable[bytes]) -> str:
    """A batch's hash, in hex: of the batch before, its own number and month, and its commitments in their order."""
    digest = hashlib.sha256(f"{FORMAT}\n{previous}\n{number}\n{month_name(month)}\n".encode())
    for each in commitments:
        digest.update(each)
    return digest.hexdigest()
