"""The inbox: raw deliveries, stored before they are acknowledged and handled exactly once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import sqlalchemy as sa
from sqlmodel import Session, SQLModel, col, select

from core.database import to_micros
from core.mail.tables import InboxItem

_inbox = SQLModel.metadata.tables["inbox"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A verified delivery on its way into the inbox; ``sealed`` is all of it.

    ``body_hash`` is the body's SHA-256 in hex, or '' to have it noted when the delivery is done: until then the
    body itself is there, and every hash of it is time that an acknowledgement waits.
    """

    platform: str
    key: str
    received_at: datetime
    sealed: bytes
    body_hash: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A stored delivery that nobody has handled yet."""

    id: int
    platform: str
    key: str
    received_at: datetime
    sealed: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What came of a delivery: how many events, and whether its body is worth keeping until the purge."""

    id: int
    events: int
    keep: bool = True
    body_hash: str | None = None
    """To be noted now; None: it is already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxCounts:
    """How many deliveries there are; ``stored`` counts rows and must equal the sum of the rest (R7)."""

    stored: int
    waiting: int
    done: int
    dead: int

    @property
    def unaccounted(self) -> int:
        """Deliveries in no known state; anything but 0 is a bug."""
        return self.stored - self.waiting - self.done - self.dead


def store(tx: Session | sa.Connection, items: Sequence[Incoming]) -> list[bool]:
    """Store deliveries; True where it is new, False where the same one (platform and key) was there before.

    A repeat is counted and changes nothing else. Nothing may be acknowledged before ``tx`` is committed.
    """
    connection = tx if isinstance(tx, sa.Connection) else tx.connection()
    first: dict[tuple[str, str], Incoming] = {}
    again: Counter[tuple[str, str]] = Counter()
    new: list[bool] = []
    for item in items:
        name = (item.platform, item.key)
        fresh = first.setdefault(name, item) is item
        new.append(fresh)
        if not fresh:
            again[name] += 1
    stored = _insert(connection, first) if first else set()
    if len(stored) < len(first):
        again.update(name for name in first if name not in stored)
        new = [fresh and (item.platform, item.key) in stored for fresh, item in zip(new, items, strict=True)]
    if again:
        connection.execute(
            sa.update(_inbox)
            .where(_inbox.c.platform == sa.bindparam("of"), _inbox.c.key == sa.bindparam("same"))
            .values(repeats=_inbox.c.repeats + sa.bindparam("more")),
            [{"of": of, "same": same, "more": more} for (of, same), more in sorted(again.items())],
        )
    return new


def _insert(connection: sa.Connection, first: dict[tuple[str, str], Incoming]) -> AbstractSet[tuple[str, str]]:
    """Insert what is not there yet; the names of what was inserted.

    By hand and in one statement, because its time is the time of an acknowledgement (reliability.md, R8).
    """
    values: list[object] = []
    # In one order everywhere, lest two processes that store the same deliveries wait for each other.
    for name in sorted(first):
        item = first[name]
        values += (item.platform, item.key, to_micros(item.received_at), item.sealed, item.body_hash)
    if connection.dialect.name == "sqlite":
        cursor = connection.connection.cursor()  # the driver's own: a result object would take as long as ten rows
        cursor.execute(_insert_statement(len(first), "?"), values)
        inserted = cursor.rowcount
        if inserted == len(first):
            return first.keys()
        # Not RETURNING: the driver lets go of the interpreter for every row, and gets it back from a busy loop
        # only slowly. This transaction is the only one that writes, so the latest rows are its own.
        latest = sa.select(_inbox.c.platform, _inbox.c.key).order_by(_inbox.c.id.desc()).limit(inserted)
    else:
        statement = _insert_statement(len(first), "%s") + " RETURNING platform, key"
        return {(platform, key) for platform, key in connection.exec_driver_sql(statement, tuple(values))}
    return {(platform, key) for platform, key in connection.execute(latest)}


@lru_cache(maxsize=1024)
def _insert_statement(rows: int, mark: str) -> str:
    row = f"({', '.join([mark] * 5)}, 'waiting', 0, 0)"
    return (
        "INSERT INTO inbox (platform, key, received_at, sealed, body_hash, state, repeats, events)"  # noqa: S608 - of constants only
        f" VALUES {', '.join([row] * rows)} ON CONFLICT (platform, key) DO NOTHING"
    )


def waiting(tx: Session, limit: int) -> list[Waiting]:
    """The oldest deliveries that wait, in the order in which they came."""
    columns = (_inbox.c.id, _inbox.c.platform, _inbox.c.key, _inbox.c.received_at, _inbox.c.sealed)
    query = sa.select(*columns).where(_inbox.c.state == "waiting").order_by(_inbox.c.id).limit(limit)
    return [
        Waiting(id=row.id, platform=row.platform, key=row.key, received_at=row.received_at, sealed=row.sealed)
        for row in tx.connection().execute(query)
    ]


def claim(tx: Session, ids: Iterable[int]) -> set[int]:
    """Those of the deliveries that still wait; no other worker gets them before ``tx`` ends."""
    query = (
        sa.select(_inbox.c.id)
        .where(_inbox.c.id.in_(list(ids)), _inbox.c.state == "waiting")
        .order_by(_inbox.c.id)
        .with_for_update(skip_locked=True)
    )
    return set(tx.connection().execute(query).scalars())


def mark_done(tx: Session, at: datetime, done: Sequence[Done]) -> None:
    """Note that deliveries are handled, in the transaction that recorded their events."""
    if not done:
        return
    change = (
        sa.update(_inbox)
        .where(_inbox.c.id == sa.bindparam("of"))
        .values(
            state="done",
            done_at=at,
            events=sa.bindparam("count"),
            body_hash=sa.func.coalesce(sa.bindparam("hash", type_=sa.String), _inbox.c.body_hash),
            error=None,
            error_hash=None,
        )
    )
    values = [{"of": each.id, "count": each.events, "hash": each.body_hash} for each in done]
    tx.connection().execute(change, values)
    drop = [each.id for each in done if not each.keep]
    if drop:
        tx.connection().execute(sa.update(_inbox).where(_inbox.c.id.in_(drop)).values(sealed=None))


def mark_dead(
    tx: Session, item_id: int, *, error: str, error_hash: str, at: datetime, body_hash: str | None = None
) -> None:
    """Make a dead letter: kept, listed, replayable. ``error`` says why in words of ours, never contents."""
    tx.connection().execute(
        sa.update(_inbox)
        .where(_inbox.c.id == item_id)
        .values(
            state="dead",
            done_at=at,
            error=error,
            error_hash=error_hash,
            body_hash=sa.func.coalesce(sa.literal(body_hash, sa.String), _inbox.c.body_hash),
        )
    )


def replay(tx: Session, ids: Iterable[int] | None = None) -> int:
    """Let dead letters (these, or None: all) wait again; how many that were."""
    change = sa.update(_inbox).where(_inbox.c.state == "dead", _inbox.c.sealed.is_not(None))
    if ids is not None:
        change = change.where(_inbox.c.id.in_(list(ids)))
    change = change.values(state="waiting", done_at=None, error=None, error_hash=None)
    return tx.connection().execute(change).rowcount


def listing(tx: Session, state: str | None = None, limit: int = 50) -> list[InboxItem]:
    """The latest deliveries (of one state), newest first."""
    query = select(InboxItem).order_by(col(InboxItem.id).desc()).limit(limit)
    if state is not None:
        query = query.where(InboxItem.state == state)
    return list(tx.exec(query))


def find(tx: Session, item_id: int) -> InboxItem:
    """One delivery; LookupError names the remedy."""
    item = tx.get(InboxItem, item_id)
    if item is None:
        raise LookupError(f"no delivery {item_id} in the inbox; `flattr inbox list` shows which there are")
    return item


def purge(tx: Session, before: datetime) -> int:
    """Forget what deliveries said that were done before this time; hash and counts stay. How many that were."""
    change = (
        sa.update(_inbox)
        .where(_inbox.c.state == "done", _inbox.c.done_at < before, _inbox.c.sealed.is_not(None))
        .values(sealed=None)
    )
    return tx.connection().execute(change).rowcount


def counts(tx: Session) -> InboxCounts:
    """How many deliveries are in which state."""
    query = sa.select(_inbox.c.state, sa.func.count().label("number")).group_by(_inbox.c.state)
    of = {row.state: row.number for row in tx.connection().execute(query)}
    return InboxCounts(
        stored=tx.connection().execute(sa.select(sa.func.count()).select_from(_inbox)).scalar_one(),
        waiting=of.get("waiting", 0),
        done=of.get("done", 0),
        dead=of.get("dead", 0),
    )


def probe(tx: Session | sa.Connection, name: str, at: datetime) -> None:
    """Write a row and take it back, so that committing ``tx`` shows that the database can be written."""
    connection = tx if isinstance(tx, sa.Connection) else tx.connection()
    connection.execute(
        sa.insert(_inbox).values(
            platform="", key=name, received_at=at, body_hash="", state="waiting", repeats=0, events=0
        )
    )
    connection.execute(sa.delete(_inbox).where(_inbox.c.platform == "", _inbox.c.key == name))
