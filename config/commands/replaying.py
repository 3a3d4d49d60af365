"""Takes dead letters up again, for real or as a rehearsal, and tells what that changes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlmodel import Session, col

from config.complaints import Impossible
from config.networks.hearing import worker_of
from config.parts import Parts, with_database
from config.rehearsal import rehearsing
from core.mail import inbox
from core.mail.tables import InboxItem

_SUMS = {
    "likes": "select count(*) from likes",
    "likes that stand": "select count(*) from likes where standing",
    "flattrs": "select count(*) from flattr",
    "flattrs that stand": "select count(*) from flattr where standing",
    "ledger: movements": "select count(*) from posting",
    "ledger: micros moved": "select coalesce(sum(amount_micros), 0) from posting",
    "notes to send": "select count(*) from outbox where state = 'waiting'",
    "things": "select count(*) from thing",
    "accounts": "select count(*) from account",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of the letters, why some are dead again (by id), which counts changed from what to what."""

    replayed: int
    done: int
    dead: int
    why: Mapping[int, str]
    changes: Mapping[str, tuple[int, int]]


def replay(parts: Parts, numbers: Sequence[int] | None, *, dry_run: bool) -> Outcome:
    """Replay these dead letters (None: all); with ``dry_run`` everything is taken back in the end.

    Impossible or LookupError, before anything is done, if one that is named cannot be replayed.
    """
    if not dry_run:
        return _replay(parts, numbers)
    with rehearsing(parts.db) as stage, _unlogged():
        return _replay(with_database(parts, stage), numbers)


def _replay(parts: Parts, numbers: Sequence[int] | None) -> Outcome:
    with parts.db.transaction() as tx:
        before = _sums(tx)
        letters = _letters(tx, numbers)
        replayed = inbox.replay(tx, letters)
    if replayed:
        asyncio.run(worker_of(parts).drain())
    with parts.db.reading() as tx:
        after = _sums(tx)
        again = [item for number in letters if (item := inbox.find(tx, number)).state == "dead"]
    return Outcome(
        replayed=replayed,
        done=replayed - len(again),
        dead=len(again),
        why={int(item.id or 0): item.error or "" for item in again},
        changes={name: (before[name], after[name]) for name in _SUMS if before[name] != after[name]},
    )


def _letters(tx: Session, numbers: Sequence[int] | None) -> list[int]:
    """The ids to replay; those that were named must be dead and readable."""
    if numbers is None:
        dead = sa.select(col(InboxItem.id)).where(col(InboxItem.state) == "dead", col(InboxItem.sealed).is_not(None))
        return [int(number) for number in tx.execute(dead.order_by(col(InboxItem.id))).scalars()]
    for number in numbers:
        item = inbox.find(tx, number)
        if item.state != "dead":
            raise Impossible(f"delivery {number} is {item.state}; only dead letters are replayed")
        if item.sealed is None:
            raise Impossible(f"delivery {number} has no text any more; nothing of it can be replayed")
    return sorted(set(numbers))


@contextlib.contextmanager
def _unlogged() -> Iterator[None]:
    """What is only rehearsed is not logged as if it had happened."""
    log = logging.getLogger("flattr")
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(level)


def _sums(tx: Session) -> dict[str, int]:
    return {name: int(tx.execute(sa.text(query)).scalar_one()) for name, query in _SUMS.items()}
