"""Seals every posting once, in hash-chained batches, so that a later edit, deletion or swap shows.

Nobody who posts waits for this: a batch takes what was posted and not sealed yet, and a posting that is committed late
is in a later one. Batches follow each other by months; what comes after a month's book was ended is in the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import groupby, islice

import sqlalchemy as sa
from sqlmodel import Session

from core.books.commitments import START, Columns, batch_hash, commitment
from core.books.tables import BookBatch
from core.database import execute_many, from_micros, take_turns
from core.money import Currency
from core.periods import month_name, month_of

CHUNK = 50_000
"""Postings in a batch at most: what is held in memory, and in one transaction."""

LOOK_BACK = 1_000_000
"""Numbers of postings behind the newest sealed one that are looked through for what was committed late. A month's
first batch looks through all."""

SHOWN = 20
"""How many of the things that are wrong are listed."""

# A share's receipt names the month of its flattr. The condition keeps a source that was tampered with from being an
# error of the query: it has to be found, not to end the search.
COLUMNS = """p.id, p.at, p.kind, p.source, p.debit, p.credit, p.amount_micros, f.month"""
FLATTR = """left join flattr f on f.id = case
   when p.kind = 'share' and p.source like 'flattr:%' and length(p.source) between 8 and 25
    and rtrim(substr(p.source, 8), '0123456789') = '' then cast(substr(p.source, 8) as bigint) end"""

_UNSEALED = f"""
select {COLUMNS}
  from posting p {FLATTR}
 where p.id > :after and not exists (select 1 from sealed_posting z where z.posting_id = p.id)
 order by p.id limit :chunk
"""  # noqa: S608 - made of this module's constants

_SEALED = f"""
select z.posting_id, z.batch_id, z.place, z.commitment, {COLUMNS}
  from sealed_posting z
  left join posting p on p.id = z.posting_id {FLATTR}
 order by z.batch_id, z.place, z.posting_id
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch's head."""

    id: int
    month: int
    postings: int
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class Sealed:
    """A commitment in its place, and the posting as it is now; None: it is gone."""

    posting_id: int
    batch_id: int
    place: int
    commitment: bytes
    posting: Columns | None


def seal(tx: Session, key: bytes, money: Currency, at: datetime, *, chunk: int = CHUNK) -> int:
    """Seal the next postings; how many, 0 once all are. The caller commits, and calls again.

    ``key`` is the hub's book key. Two processes take turns.
    """
    take_turns(tx, "book")
    last = _last(tx)
    month, previous, number = (last.month, last.hash, last.id) if last else (0, START, 0)
    found = _unsealed(tx, month, chunk)
    by_month: dict[int, list[Columns]] = {}
    for each in found:
        by_month.setdefault(_book_month(each, month), []).append(each)
    for book_month, postings in sorted(by_month.items()):
        # In the order of the commitments, which says nothing: neither who was first nor who belongs to whom.
        sealed = sorted((commitment(key, each, money.code), each.id) for each in postings)
        number += 1
        head = batch_hash(previous, number, book_month, (value for value, _ in sealed))
        batch = {
            "id": number, "month": book_month, "postings": len(sealed),
            "previous": previous, "hash": head, "sealed_at": at,
        }  # fmt: skip
        tx.execute(sa.insert(BookBatch), batch)
        execute_many(
            tx,
            "insert into sealed_posting (posting_id, batch_id, place, commitment) values (?, ?, ?, ?)",
            [(posting_id, number, place, value) for place, (value, posting_id) in enumerate(sealed)],
        )
        previous = head
    return len(found)


def verify(tx: Session, key: bytes, money: Currency) -> list[str]:
    """What is not as it was sealed, at most twenty things in words; empty: all is, or nothing is sealed yet."""
    return list(islice(_wrong(tx, key, money.code), SHOWN))


def batches(tx: Session) -> list[Batch]:
    """Every batch's head, in their order."""
    rows = tx.execute(sa.text("select id, month, postings, previous, hash from book_batch order by id"))
    return [Batch(*row) for row in rows]


def unsealed(tx: Session) -> int:
    """How many postings are not sealed yet."""
    counts = "select (select count(*) from posting) - (select coalesce(sum(postings), 0) from book_batch)"
    return int(tx.execute(sa.text(counts)).scalar_one())


def wrong_heads(heads: Sequence[Batch]) -> Iterator[str]:
    """What is wrong with the chain of batches as such."""
    previous, month = START, 0
    for number, head in enumerate(heads, 1):
        if head.id != number:
            yield f"batch {number} is missing before batch {head.id}"
            return
        if head.previous != previous or head.month < month:
            yield f"batch {number} ({month_name(head.month)}) does not follow the one before it"
        previous, month = head.hash, head.month


def wrong_in(key: bytes, currency: str, head: Batch, sealed: Sequence[Sealed]) -> Iterator[str]:
    """What is wrong within one batch, its commitments being in their places."""
    name = f"batch {head.id} ({month_name(head.month)})"
    if len(sealed) != head.postings or any(each.place != place for place, each in enumerate(sealed)):
        yield f"{name} is not the {head.postings} commitments that were sealed"
    elif batch_hash(head.previous, head.id, head.month, (each.commitment for each in sealed)) != head.hash:
        yield f"{name} has another hash than its commitments"
    for each in sealed:
        if each.posting is None:
            yield f"posting {each.posting_id}, sealed in {name}, is gone"
        elif commitment(key, each.posting, currency) != each.commitment:
            yield (
                f"posting {each.posting_id} ({each.posting.kind} {each.posting.source}) is not what was sealed in"
                f" {name}"
            )


def _wrong(tx: Session, key: bytes, currency: str) -> Iterator[str]:
    heads = batches(tx)
    yield from wrong_heads(heads)
    known = {head.id: head for head in heads}
    for batch_id, group in groupby(_stream(tx), key=lambda each: each.batch_id):
        head = known.pop(batch_id, None)
        if head is None:
            yield f"batch {batch_id} is gone, though postings were sealed in it"
        else:
            yield from wrong_in(key, currency, head, list(group))
    for head in known.values():
        yield from wrong_in(key, currency, head, ())


def _stream(tx: Session) -> Iterator[Sealed]:
    for posting_id, batch_id, place, value, *columns in tx.execute(sa.text(_SEALED).execution_options(yield_per=5_000)):
        posting = Columns(*columns) if columns[0] is not None else None
        yield Sealed(posting_id, batch_id, place, bytes(value), posting)


def _last(tx: Session) -> Batch | None:
    query = "select id, month, postings, previous, hash from book_batch order by id desc limit 1"
    row = tx.execute(sa.text(query)).one_or_none()
    return Batch(*row) if row else None


def _unsealed(tx: Session, month: int, chunk: int) -> list[Columns]:
    newest = tx.execute(sa.text("select coalesce(max(posting_id), 0) from sealed_posting")).scalar_one()
    found = _after(tx, newest, chunk)
    if newest and len(found) < chunk:
        found = _after(tx, newest - LOOK_BACK, chunk)
    if newest and found and all(_book_month(each, month) > month for each in found):
        found = _after(tx, 0, chunk)
    return found


def _after(tx: Session, after: int, chunk: int) -> list[Columns]:
    return [Columns(*row) for row in tx.execute(sa.text(_UNSEALED), {"after": after, "chunk": chunk})]


_DAY = 86_400_000_000
"""Micros."""


@lru_cache(maxsize=64)
def _month_of_day(day: int) -> int:
    return month_of(from_micros(day * _DAY))


def _book_month(posting: Columns, month: int) -> int:
    """The month in whose book a posting is: its own, unless that book was ended."""
    return max(month, _month_of_day(posting.at_micros // _DAY))
