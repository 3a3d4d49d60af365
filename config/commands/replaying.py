"""Takes dead letters up again, for real or as a rehearsal, and tells what that changes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlmodel import Session

from config.compose import worker_of
from config.parts import Parts, with_database
from config.rehearsal import rehearsing
from core.mail import inbox

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
    """What became of the letters, and which counts changed from what to what."""

    replayed: int
    done: int
    dead: int
    changes: Mapping[str, tuple[int, int]]


def replay(parts: Parts, numbers: Sequence[int] | None, *, dry_run: bool) -> Outcome:
    """Replay these dead letters (None: all); with ``dry_run`` everything is taken back in the end."""
    if not dry_run:
        return _replay(parts, numbers)
    with rehearsing(parts.db) as stage:
        return _replay(with_database(parts, stage), numbers)


def _replay(parts: Parts, numbers: Sequence[int] | None) -> Outcome:
    with parts.db.transaction() as tx:
        before, counts = _sums(tx), inbox.counts(tx)
        replayed = inbox.replay(tx, numbers)
    if replayed:
        asyncio.run(worker_of(parts).drain())
    with parts.db.reading() as tx:
        after, dead = _sums(tx), inbox.counts(tx).dead
    died_again = max(0, dead - (counts.dead - replayed))
    return Outcome(
        replayed=replayed,
        done=replayed - died_again,
        dead=died_again,
        changes={name: (before[name], after[name]) for name in _SUMS if before[name] != after[name]},
    )


def _sums(tx: Session) -> dict[str, int]:
    return {name: int(tx.execute(sa.text(query)).scalar_one()) for name, query in _SUMS.items()}
