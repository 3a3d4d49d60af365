"""Posts what the processor keeps for its work: from what patrons bore first, then the hub's income, then its loss.

The source of a cost's postings is the processor's own line (`core.reconciling`), so that each is posted once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session, col

from core.books import ledger
from core.books.ledger import COST, INCOME, LOSS, STRIPE
from core.books.tables import Posting
from core.database import execute_many, take_turns, to_micros

BORNE_BY = {"cost_paid": COST, "cost_borne": INCOME, "cost_lost": LOSS}
"""Kinds of postings, in the order in which they are drawn on: patrons' cost lines, the fee, the hub's own pocket."""

BACK = "_back"
"""What the kinds of their opposites end with."""

KINDS = (*BORNE_BY, *(kind + BACK for kind in BORNE_BY))

_POST = """
insert into posting (at, kind, source, debit, credit, amount_micros) values (?, ?, ?, ?, ?, ?)
on conflict (kind, source) do nothing
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one line of the processor's cost, in micros; negative: it gave something back."""

    source: str
    micros: int


def post(tx: Session, costs: Sequence[Cost], at: datetime) -> int:
    """Post each cost once for ever; how many were new.

    What is drawn from patrons' cost lines and from income never exceeds what is there; what comes back goes to those
    who bore costs so far, last first, and is income where it exceeds all that.
    """
    take_turns(tx, "dues")  # nobody else draws on income meanwhile: what is taken back does, too
    new = {cost.source: cost for cost in costs if cost.micros}
    known = sa.select(col(Posting.source)).where(col(Posting.kind).in_(KINDS), col(Posting.source).in_(list(new)))
    for source in tx.execute(known).scalars() if new else ():
        new.pop(source, None)
    if not new:
        return 0
    left = {kind: max(0, ledger.owed(tx, account)) for kind, account in BORNE_BY.items() if account != LOSS}
    borne = _borne(tx) if any(cost.micros < 0 for cost in new.values()) else {}
    rows = []
    for cost in new.values():
        parts = dict(_drawn(cost.micros, left) if cost.micros > 0 else _given_back(-cost.micros, borne))
        for kind, micros in parts.items():
            bearer = BORNE_BY[kind]
            taken = cost.micros > 0
            if kind in left:
                left[kind] += -micros if taken else micros
            if kind in borne:
                borne[kind] = max(0, borne[kind] + (micros if taken else -micros))
            side = (kind, cost.source, bearer, STRIPE) if taken else (kind + BACK, cost.source, STRIPE, bearer)
            rows.append((to_micros(at), *side, micros))
    execute_many(tx, _POST, rows)
    return len(new)


def _drawn(micros: int, left: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """Who bears a cost: each as far as there is something, the last one the rest."""
    for kind in BORNE_BY:
        part = min(micros, left.get(kind, micros))
        if part:
            yield kind, part
            micros -= part


def _given_back(micros: int, borne: Mapping[str, int]) -> Mapping[str, int]:
    """Who gets something back: the hub's own pocket first, patrons' cost lines last; income what nobody bore."""
    parts = {}
    for kind in reversed(BORNE_BY):
        part = min(micros, borne[kind])
        if part:
            parts[kind] = part
            micros -= part
    if micros:
        parts["cost_borne"] = parts.get("cost_borne", 0) + micros
    return parts


def _borne(tx: Session) -> dict[str, int]:
    """What each bore so far, less what came back."""
    sums = tx.execute(
        sa.select(col(Posting.kind), sa.func.sum(col(Posting.amount_micros)))
        .where(col(Posting.kind).in_(KINDS))
        .group_by(col(Posting.kind))
    )
    found = {kind: int(micros) for kind, micros in sums}
    return {kind: max(0, found.get(kind, 0) - found.get(kind + BACK, 0)) for kind in BORNE_BY}
