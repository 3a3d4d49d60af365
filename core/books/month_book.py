"""The month's book as a public file, and the proof that a posting is in it.

The file has salted commitments and the hashes that chain them; it names nobody and tells no amount. A proof is the
salt that one of its commitments was made with, for who has the receipt; `check_book.py` finds it without the hub.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from core.books import commitments
from core.books.batches import COLUMNS, FLATTR
from core.books.commitments import FORMAT, Columns
from core.database import Database
from core.money import Currency
from core.periods import month_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """One month's book in short."""

    month: int
    batches: int
    postings: int
    start: str
    """The hash that its first batch follows: the end of the book before."""
    end: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What finds one posting in the book."""

    text: str
    """``share|2026-11-77|3150000|EUR``."""
    salt: str
    """64 hex digits; whoever has them can tell that the posting is in the book, and nothing else."""
    book: int | None
    """In which month's book; None: not sealed yet."""

    def data(self) -> dict[str, str | None]:
        """As a statement's JSON has it, beside ``receipt`` and ``micros``, and as `check_book.py` reads it."""
        return {"text": self.text, "salt": self.salt, "book": month_name(self.book) if self.book else None}


_BOOKS = """
select b.month, b.batches, b.postings, f.previous, l.hash
  from (select month, count(*) as batches, cast(sum(postings) as bigint) as postings, min(id) as first, max(id) as last
          from book_batch group by month) b
  join book_batch f on f.id = b.first
  join book_batch l on l.id = b.last
 order by b.month
"""


def books(tx: Session) -> list[Book]:
    """Every month's book, the oldest first."""
    return [
        Book(month=month, batches=count, postings=postings, start=start, end=end)
        for month, count, postings, start, end in tx.execute(sa.text(_BOOKS))
    ]


def find(tx: Session, month: int) -> Book:
    """One month's book; LookupError names what there is."""
    known = {book.month: book for book in books(tx)}
    if month not in known:
        have = ", ".join(map(month_name, known)) or "none yet"
        raise LookupError(f"there is no book of {month_name(month)}; sealed so far: {have}")
    return known[month]


def pieces(db: Database, month: int, money: Currency, *, until: Book | None = None) -> Iterator[str]:
    """The file, in pieces of one batch each; LookupError before the first. Between them no transaction is open.

    ``until``: as it was found earlier, without what was sealed since.
    """
    with db.reading() as tx:
        book = until or find(tx, month)
        query = "select id, previous, hash from book_batch where month = :month order by id limit :batches"
        heads = tx.execute(sa.text(query), {"month": month, "batches": book.batches}).all()
    head = {"format": FORMAT, "currency": money.code, "month": month_name(month), "start": book.start}
    yield json.dumps(head)[:-1] + ', "batches": ['
    end, comma = book.start, ""
    for number, previous, hash_ in heads:
        with db.reading() as tx:
            query = "select commitment from sealed_posting where batch_id = :batch order by place"
            values = [bytes(value).hex() for value in tx.execute(sa.text(query), {"batch": number}).scalars()]
        batch = {"number": number, "previous": previous, "hash": hash_, "commitments": values}
        yield f"{comma}\n" + json.dumps(batch, separators=(",", ":"))
        end, comma = hash_, ","
    yield "],\n" + json.dumps({"end": end})[1:] + "\n"


def export(db: Database, month: int, money: Currency) -> dict[str, Any]:
    """The file as one value, for small books."""
    made: dict[str, Any] = json.loads("".join(pieces(db, month, money)))
    return made


_POSTINGS = f"""
select {COLUMNS}, b.month as book
  from posting p {FLATTR}
  left join sealed_posting z on z.posting_id = p.id
  left join book_batch b on b.id = z.batch_id
 where p.kind = :kind and p.source in :sources
"""  # noqa: S608 - made of the package's constants

_AT_ONCE = 1_000


def proofs(
    tx: Session, key: bytes, money: Currency, postings: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], Proof]:
    """The proofs of postings by kind and source, as of ``("share", "flattr:77")``; what is not posted has none."""
    wanted: dict[str, list[str]] = {}
    for kind, source in postings:
        wanted.setdefault(kind, []).append(source)
    query = sa.text(_POSTINGS).bindparams(sa.bindparam("sources", expanding=True))
    found: dict[tuple[str, str], Proof] = {}
    for kind, sources in wanted.items():
        for first in range(0, len(sources), _AT_ONCE):
            for *columns, book in tx.execute(query, {"kind": kind, "sources": sources[first : first + _AT_ONCE]}):
                posting = Columns(*columns)
                found[kind, posting.source] = Proof(
                    text=commitments.text(posting, money.code),
                    salt=commitments.salt(key, posting).hex(),
                    book=book,
                )
    return found


def checker() -> bytes:
    """The stand-alone script that checks a book without the hub."""
    return resources.files("core.books").joinpath("check_book.py").read_bytes()
