"""One run over the processor's account with the hub: all lines kept, costs posted, both sides matched, the rest named.

A run that broke off leaves nothing to mend: everything is done once however often it is begun, and the next run reads
from where the last finished one began, less an overlap.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

import sqlalchemy as sa
from sqlmodel import Session, col

from core.books import costs, ledger
from core.books.ledger import STRIPE
from core.books.tables import Posting
from core.database import Busy, Database
from core.errands import keeping
from core.errands import running as errands
from core.money import show
from core.payments.hosted import HostedGateway
from core.reconciling import disputing, kinds, last, matching, storing
from core.reconciling.tables import Movement, Reconciliation
from core.rules import Rules

LOCK = "reconciliation"

OVERLAP = timedelta(days=3)
"""How far a run reads back behind the last one: the processor may write a line late."""

GRACE = timedelta(hours=1)
"""How old a posting is before the processor must have a line for it."""

PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something that one side has and the other has not; ``text`` says what, and what to do."""

    name: str
    """The processor's line, or the posting as ``kind source``; empty for the sum of all."""
    at: datetime | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a run found; amounts in micros."""

    since: datetime | None
    seen: int
    """Lines read in this run."""
    costs: int
    """Lines whose cost was posted in this run."""
    looked: int
    """Objects that were looked at since something did not match."""
    stripe_micros: int
    """What lies at the processor by its own lines."""
    books_micros: int
    """The same by the books."""
    young_micros: int
    """Of that: posted within the grace, so that the processor need not have a line of it yet."""
    differences: tuple[Difference, ...]


def run(db: Database, rules: Rules, gateway: HostedGateway, at: datetime, *, everything: bool = False) -> Result:
    """Reconcile; raises Unanswered where the processor does not answer, and Busy where another process is at it.

    ``everything``: read all lines there ever were, not only those since the last finished run.
    """
    with db.exclusively(LOCK):
        with db.transaction() as tx:
            since = None if everything else _since(tx)
            row = Reconciliation(began_at=at)
            tx.add(row)
            tx.flush()
            run_id = row.id
        seen = posted = 0
        lines = gateway.movements(since)
        while page := list(islice(lines, PAGE)):
            with db.transaction() as tx:
                posted += storing.store(tx, rules.money, page, at)
                matching.match(tx, rules.money, [each.reference for each in page])
            seen += len(page)
        looked = _look(db, rules, gateway, at)
        with db.transaction() as tx:
            matching.match(tx, rules.money, _open(tx))
        with db.transaction() as tx:
            result = _judge(tx, rules, at, since=since, seen=seen, costs_=posted, looked=looked)
            row = tx.get_one(Reconciliation, run_id)
            row.finished_at, row.seen, row.differences = at, seen, len(result.differences)
    return result


def _since(tx: Session) -> datetime | None:
    before = last.finished(tx)
    return before.began_at - OVERLAP if before is not None else None


def _open(tx: Session) -> list[str]:
    """The lines that match nothing so far."""
    query = sa.select(col(Movement.reference)).where(sa.text("difference is not null"))
    return list(tx.scalars(query.order_by(col(Movement.at), col(Movement.reference))))


def _look(db: Database, rules: Rules, gateway: HostedGateway, at: datetime) -> int:
    """Look at what the lines that match nothing are about: what the hub missed it learns now; how many objects."""
    with db.transaction() as tx:
        looks = matching.match(tx, rules.money, _open(tx))
        for look in looks:
            keeping.note(tx, look.kind, look.reference, at)
    if looks:
        with contextlib.suppress(Busy):  # whoever is at it has these before it, too
            errands.run(db, rules, gateway, at)
    return len(looks)


def _judge(
    tx: Session, rules: Rules, at: datetime, *, since: datetime | None, seen: int, costs_: int, looked: int
) -> Result:
    money = rules.money
    differences = [
        Difference(name=row.reference, at=row.at, text=str(row.difference))
        for row in tx.scalars(
            sa.select(Movement)
            .where(sa.text("difference is not null"))
            .order_by(col(Movement.at), col(Movement.reference))
        )
    ]
    alone = [each for each in _alone(tx) if not _is_settled(tx, rules, each)]
    undone = _undone(alone)
    old = [each for each in alone if each.at <= at - GRACE]
    differences += [_missing(rules, each) for each in old if each.source.partition("/")[0] not in undone]
    theirs, unmatched = _sum_of_lines(tx, rules)
    ours = -ledger.owed(tx, STRIPE)
    waiting = sum(matching.effect(each) for each in alone)
    if theirs - unmatched != ours - waiting:
        differences.append(
            Difference(
                name="",
                at=None,
                text=f"Stripe's lines that are matched sum up to {show(theirs - unmatched, money)}, their postings to"
                f" {show(ours - waiting, money)}: run `flattr reconcile --all`; if it stays, report it",
            )
        )
    return Result(
        since=since,
        seen=seen,
        costs=costs_,
        looked=looked,
        stripe_micros=theirs,
        books_micros=ours,
        young_micros=waiting - sum(matching.effect(each) for each in old),
        differences=tuple(differences),
    )


def _missing(rules: Rules, posting: Posting) -> Difference:
    name = f"{posting.kind} {posting.source}"
    maybe = " (a refund may be pending there for some days)" if posting.source.startswith("re_") else ""
    return Difference(
        name=name,
        at=posting.at,
        text=f"{show(matching.effect(posting), rules.money)} in the books ({name}) is not among Stripe's lines: run"
        f" `flattr reconcile --all`; if it stays, look for it in the Dashboard{maybe}",
    )


def _alone(tx: Session) -> list[Posting]:
    """Postings that touch the money at the processor and are no line's own; those of costs are, by their source."""
    touching = sa.or_(col(Posting.debit) == STRIPE, col(Posting.credit) == STRIPE)
    matched = sa.exists().where(col(Movement.posting_id) == col(Posting.id))
    query = sa.select(Posting).where(touching, ~matched, col(Posting.kind).not_in(costs.KINDS))
    return list(tx.scalars(query.order_by(col(Posting.id))))


def _undone(alone: Iterable[Posting]) -> set[str]:
    """The processor's objects of which all that is no line's comes to nothing: a refund that failed while it waited."""
    sums: dict[str, int] = defaultdict(int)
    for posting in alone:
        sums[posting.source.partition("/")[0]] += matching.effect(posting)
    return {name for name, micros in sums.items() if micros == 0}


def _is_settled(tx: Session, rules: Rules, posting: Posting) -> bool:
    """Whether it went with another posting's line: one refund may take two postings, a dispute's go together."""
    dispute, mark, _ = posting.source.partition("#")
    if mark and dispute.startswith(kinds.DISPUTES):
        return disputing.agrees(tx, rules.money, dispute)
    if not posting.kind.startswith("loss"):
        return False
    whole = posting.source.replace("/over/", "/")
    kind = posting.kind.replace("loss", "charge_back" if posting.kind == "loss" else "charge")
    other = tx.scalars(sa.select(Posting).where(col(Posting.kind) == kind, col(Posting.source) == whole)).first()
    matched = sa.select(col(Movement.reference)).where(col(Movement.posting_id) == (other.id if other else None))
    return other is not None and tx.scalars(matched).first() is not None


def _sum_of_lines(tx: Session, rules: Rules) -> tuple[int, int]:
    """What the lines in the hub's currency sum up to after costs, and the part of it (before costs) that differs."""
    ours = (col(Movement.currency) == rules.money.code, col(Movement.kind).not_in(kinds.RESERVES))
    total = sa.func.coalesce(sa.func.sum(col(Movement.amount_micros) - col(Movement.fee_micros)), 0)
    unmatched = sa.func.coalesce(sa.func.sum(col(Movement.amount_micros)), 0)
    return (
        int(tx.execute(sa.select(total).where(*ours)).scalar_one()),
        int(tx.execute(sa.select(unmatched).where(*ours, sa.text("difference is not null"))).scalar_one()),
    )
