"""Keeps the list of errands: what came up, what is due, what was done about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session, col, select

from core.database import to_micros
from core.errands.tables import Errand


@dataclass(frozen=True, slots=True)
class Notified:
    """The processor says that something about one of its objects is new; what it is, is looked up there."""

    kind: str
    """A kind of `core.errands.tables.Errand`."""
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrandCounts:
    """How many errands are in which state."""

    waiting: int
    done: int
    failed: int


# One statement, because two processes may be told the same at once. News about what is waiting already is due now,
# too: whatever it waits for may be over.
_NOTE = """
insert into errand (kind, reference, state, version, tries, made_at, due_at)
values (:kind, :reference, 'waiting', 1, 0, :at, :at)
on conflict (kind, reference) do update set
   version = errand.version + 1, due_at = excluded.due_at,
   tries = case when errand.state = 'waiting' then errand.tries else 0 end,
   reason = case when errand.state = 'waiting' then errand.reason end,
   state = 'waiting', done_at = null
"""


def note(tx: Session, kind: str, reference: str, at: datetime) -> None:
    """There is an errand, due now; one that is known already (waiting, done or failed) is due again."""
    tx.flush()
    tx.execute(sa.text(_NOTE), {"kind": kind, "reference": reference, "at": to_micros(at)})
    for known in list(tx.identity_map.values()):
        if isinstance(known, Errand):
            tx.expire(known)


def due(tx: Session, at: datetime, limit: int) -> Sequence[Errand]:
    """The errands to be run now, those that have been due for longest first."""
    # The state is spelt out, not bound: only so is the partial index used.
    query = select(Errand).where(sa.text("state = 'waiting'"), col(Errand.due_at) <= at)
    return tx.exec(query.order_by(col(Errand.due_at), col(Errand.id)).limit(limit)).all()


def done(tx: Session, errand_id: int, version: int, at: datetime) -> bool:
    """It is done, as of a version; False: something newer was noted meanwhile, and it stays due."""
    return _answer(tx, errand_id, version, state="done", done_at=at, reason=None)


def later(tx: Session, errand_id: int, version: int, at: datetime, reason: str) -> bool:
    """It did not work and is tried again at a time; False: something newer was noted meanwhile, and it is due now."""
    return _answer(tx, errand_id, version, tries=col(Errand.tries) + 1, due_at=at, reason=reason)


def failed(tx: Session, errand_id: int, version: int, at: datetime, reason: str) -> bool:
    """It is given up until it is noted again; False: something newer was noted meanwhile, and it stays due."""
    return _answer(tx, errand_id, version, state="failed", tries=col(Errand.tries) + 1, done_at=at, reason=reason)


def again(tx: Session, at: datetime) -> int:
    """Make every failed errand due again, from its first try; how many there were (for after a fix)."""
    query = sa.update(Errand).where(col(Errand.state) == "failed")
    woken = query.values(state="waiting", version=col(Errand.version) + 1, tries=0, due_at=at, done_at=None)
    return tx.exec(woken.execution_options(synchronize_session=False)).rowcount


def failures(tx: Session, limit: int = 20) -> Sequence[Errand]:
    """The latest errands that were given up, for the operator."""
    query = select(Errand).where(Errand.state == "failed").order_by(col(Errand.done_at).desc(), col(Errand.id).desc())
    return tx.exec(query.limit(limit)).all()


def counts(tx: Session) -> ErrandCounts:
    """How many there are."""
    rows = tx.execute(sa.select(col(Errand.state), sa.func.count()).group_by(col(Errand.state)))
    found = {state: int(number) for state, number in rows}
    return ErrandCounts(waiting=found.get("waiting", 0), done=found.get("done", 0), failed=found.get("failed", 0))


def _answer(tx: Session, errand_id: int, version: int, **values: object) -> bool:
    query = sa.update(Errand).where(
        col(Errand.id) == errand_id, col(Errand.version) == version, col(Errand.state) == "waiting"
    )
    return tx.exec(query.values(**values).execution_options(synchronize_session=False)).rowcount > 0
