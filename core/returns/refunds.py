"""Refunds: money of a collected statement that the hub gives back, and those that were made by hand at the processor.

Row first, money second, note third, as for charges and payouts. What was given back is posted by
`core.books.reversals`, under the processor's id of the refund, once, whoever hears of it first.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial

import sqlalchemy as sa
from sqlmodel import Session, col, select

from core.books import reversals
from core.database import Database
from core.holds.tables import Hold
from core.mail import outbox
from core.money import show
from core.months.tables import Share, Statement
from core.payments import calling
from core.payments.gateway import Done, Gateway, Outcome, RefundRequest, Refused, Unknown
from core.payments.states import RefundState
from core.people import audit
from core.periods import month_name
from core.returns import finding
from core.returns.tables import Refund
from core.rules import Rules

BATCH = 100
"""Refunds that are noted as asked for in one commit."""


def ask(
    tx: Session,
    rules: Rules,
    *,
    statement_id: int,
    amount_micros: int,
    reason: str,
    at: datetime,
    hold_id: int | None = None,
) -> Refund:
    """Note that money of a statement is to go back to its patron; `send` does it. For a hold, once.

    ValueError, with what is left, if the statement was not collected or the amount is not whole minor units within
    what was not given back yet. ``reason`` is one of `core.returns.tables.Refund`.
    """
    statement = tx.get_one(Statement, statement_id, with_for_update=True, populate_existing=True)
    if hold_id is not None:
        known = tx.exec(select(Refund).where(Refund.hold_id == hold_id)).one_or_none()
        if known is not None:
            return known
    rules.money.minor(amount_micros)
    there = left(tx, statement)
    if not 0 < amount_micros <= there:
        raise ValueError(
            f"{show(amount_micros, rules.money)} cannot be given back of statement {statement_id} ({statement.state});"
            f" what is left of it is {show(there, rules.money)}"
        )
    refund = Refund(
        statement_id=statement_id,
        number=_next_number(tx, statement_id),
        amount_micros=amount_micros,
        reason=reason,
        hold_id=hold_id,
        asked_at=at,
    )
    tx.add(refund)
    tx.flush()
    return refund


def left(tx: Session, statement: Statement) -> int:
    """What of a statement can still be given back, in micros: collected, not gone back, not asked for; 0 if none."""
    if statement.state != "collected":
        return 0
    asked = sa.select(sa.func.coalesce(sa.func.sum(col(Refund.amount_micros)), 0)).where(
        col(Refund.statement_id) == statement.id, col(Refund.state) == "asked"
    )
    return max(0, reversals.left(tx, statement) - int(tx.execute(asked).scalar_one()))


def send(db: Database, rules: Rules, gateway: Gateway, at: datetime) -> int:
    """Make every refund that has no answer yet; the number of calls. One that fails by a bug is put off."""
    with db.reading() as tx:
        # The state is spelt out, not bound: only so is the partial index used.
        due = sa.select(col(Refund.id)).where(sa.text("state = 'asked'"), col(Refund.asked_at) <= at)
        refund_ids = list(tx.execute(due.order_by(col(Refund.id))).scalars())
    made = 0
    for first in range(0, len(refund_ids), BATCH):
        with db.transaction() as tx:
            requests = _requests(tx, rules, refund_ids[first : first + BATCH], at)
        calls = calling.answers(lambda asked, at: gateway.refund(asked[1], at), requests, at, at_once=gateway.at_once)
        for (refund_id, _), outcome in calls:
            keep = partial(_record, rules=rules, refund_id=refund_id, at=at)
            calling.keep(db, keep, outcome, f"recording refund {refund_id}")
        made += len(requests)
    return made


def _requests(tx: Session, rules: Rules, refund_ids: list[int], at: datetime) -> list[tuple[int, RefundRequest]]:
    """Note that these are asked for now; the requests to make, by their rows' ids."""
    query = select(Refund).where(col(Refund.id).in_(refund_ids), Refund.state == "asked", col(Refund.asked_at) <= at)
    rows = tx.exec(query.order_by(col(Refund.id)).with_for_update().execution_options(populate_existing=True)).all()
    for refund in rows:
        refund.calls += 1
    return [
        (
            refund.id or 0,
            RefundRequest(
                statement_id=refund.statement_id,
                number=refund.number,
                amount_minor=rules.money.minor(refund.amount_micros),
                currency=rules.money.code,
                reason=refund.reason,
                asked_before=refund.calls > 1,
            ),
        )
        for refund in rows
    ]


def _record(tx: Session, outcome: Outcome, *, rules: Rules, refund_id: int, at: datetime) -> None:
    record(tx, rules, refund_id, outcome, at)


def record(tx: Session, rules: Rules, refund_id: int, outcome: Outcome, at: datetime) -> None:
    """Take the gateway's answer about a refund into the books; a second answer changes nothing."""
    # The statement first, as everywhere: two transactions that lock both would otherwise wait for each other.
    statement_id = tx.get_one(Refund, refund_id).statement_id
    statement = tx.get_one(Statement, statement_id, with_for_update=True, populate_existing=True)
    refund = tx.get_one(Refund, refund_id, with_for_update=True, populate_existing=True)
    if refund.state != "asked":
        if isinstance(outcome, Done) and outcome.reference != refund.reference:
            # The event was taken for this row's, but was of one made by hand meanwhile. Both were made.
            _take_back(tx, refund.statement_id, refund.amount_micros, outcome.reference, at)
        return
    match outcome:
        case Done(reference):
            refund.state, refund.reference, refund.answered_at = "sent", reference, at
            only = _flattrs_under(tx, refund.hold_id) if refund.hold_id is not None else None
            _take_back(tx, refund.statement_id, refund.amount_micros, reference, at, only)
            outbox.put(tx, kind="refund", source=f"refund:{refund_id}", at=at, person_id=statement.patron_id)
        case Refused(reason, passes=True):
            # A definite no under this number, which is part of the key: it is asked for anew under another.
            refund.number, refund.calls = _next_number(tx, refund.statement_id), 0
            refund.why_not, refund.asked_at = reason, at + rules.retry_unknown
        case Refused(reason):
            refund.state, refund.why_not, refund.answered_at = "refused", reason, at
            _tell_operator(tx, rules, refund, f"was refused: {reason}", at)
        case Unknown(reason):
            refund.why_not, refund.asked_at = reason, at + rules.retry_unknown
    tx.flush()


def learn(tx: Session, rules: Rules, state: RefundState, at: datetime) -> None:
    """Take in how a refund stands at the processor, whoever made it; the same again changes nothing.

    One that failed gives again what it took. One that is of no statement of this hub's is passed over.
    """
    refund = tx.exec(select(Refund).where(Refund.reference == state.reference)).one_or_none()
    if refund is None:
        statement = finding.collected(tx, rules, state.intent, kind="refund", reference=state.reference, at=at)
        if statement is None or statement.id is None:
            return
        refund = _unanswered(tx, rules, statement.id, state)
    else:
        statement = tx.get_one(Statement, refund.statement_id, with_for_update=True, populate_existing=True)
    assert statement.id is not None
    if refund is not None and refund.id is not None:
        record(tx, rules, refund.id, Done(state.reference), at)
    micros = state.amount_minor * rules.money.minor_micros
    if _take_back(tx, statement.id, micros, state.reference, at) and state.state != "failed":
        _tell_by_hand(tx, rules, statement, state, at)
    if state.state == "failed":
        _failed(tx, rules, statement, refund, state, at)


def _failed(
    tx: Session, rules: Rules, statement: Statement, refund: Refund | None, state: RefundState, at: datetime
) -> None:
    """The patron's bank would not take it: the money is with the hub again, and what it took is given again."""
    assert statement.id is not None
    micros, reason = state.amount_minor * rules.money.minor_micros, state.reason or "no reason was given"
    if not reversals.give_again(
        tx, statement_id=statement.id, amount_micros=micros, of=f"{state.reference}/", source=state.reference, at=at
    ):
        return
    if refund is not None:
        refund.state, refund.why_not, refund.answered_at = "failed", reason, at
        _tell_operator(tx, rules, refund, f"failed: {reason}", at)
    text = (
        f"{show(micros, rules.money)} of your payment for {month_name(statement.month)} could not be given back to your"
        f" card: {reason.rstrip('.')}. Whoever runs this hub was told; write to them for another way."
    )
    source = f"refund_failed:{state.reference}"
    outbox.put(tx, kind="refund_failed", source=source, at=at, person_id=statement.patron_id, text=text)


def _tell_by_hand(tx: Session, rules: Rules, statement: Statement, state: RefundState, at: datetime) -> None:
    """There is no row whose number the note could carry, so it brings its words along."""
    amount = show(state.amount_minor * rules.money.minor_micros, rules.money)
    text = f"{amount} of your payment for {month_name(statement.month)} were given back to your card."
    source = f"refund:{state.reference}"
    outbox.put(tx, kind="refund", source=source, at=at, person_id=statement.patron_id, text=text)


def _take_back(
    tx: Session,
    statement_id: int,
    amount_micros: int,
    reference: str,
    at: datetime,
    only: frozenset[int] | None = None,
) -> bool:
    return reversals.take_back(
        tx, statement_id=statement_id, amount_micros=amount_micros, source=reference, at=at, only=only
    )


def _unanswered(tx: Session, rules: Rules, statement_id: int, state: RefundState) -> Refund | None:
    """The row whose refund this must be: asked for, of this amount, and never answered."""
    query = select(Refund).where(
        Refund.statement_id == statement_id,
        Refund.state == "asked",
        Refund.calls > 0,
        Refund.amount_micros == state.amount_minor * rules.money.minor_micros,
    )
    return tx.exec(query.order_by(col(Refund.id))).first()


def _flattrs_under(tx: Session, hold_id: int) -> frozenset[int]:
    """The flattrs whose shares a hold keeps."""
    hold = tx.get_one(Hold, hold_id)
    shares = (
        select(Share.flattr_id)
        .join(Statement, col(Statement.id) == col(Share.statement_id))
        .where(
            Statement.month == hold.month,
            Statement.patron_id == hold.patron_id,
            Share.creator_id == hold.creator_id,
        )
    )
    return frozenset(tx.exec(shares))


def _next_number(tx: Session, statement_id: int) -> int:
    last = sa.select(sa.func.max(col(Refund.number))).where(col(Refund.statement_id) == statement_id)
    return (tx.execute(last).scalar_one_or_none() or 0) + 1


def _tell_operator(tx: Session, rules: Rules, refund: Refund, what: str, at: datetime) -> None:
    amount = show(refund.amount_micros, rules.money)
    audit.note(tx, at, "hub", "refund", f"refund {refund.id} of {amount} of statement {refund.statement_id} {what}")
