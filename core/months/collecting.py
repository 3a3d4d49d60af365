"""Collects a closed month: one card charge per patron, tried over a week; what arrives is posted to the creators.

Row first, money second, note third: an attempt is a row before the gateway is called, the call is made outside
any transaction, and its answer is recorded after. An unknown outcome is asked for again under the same key.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session, col, select

from core.books import ledger
from core.database import Database, execute_many, to_micros
from core.mail import outbox
from core.months.tables import Charge, Month, Statement
from core.payments.gateway import ChargeRequest, Done, Gateway, Outcome, Refused, Unknown
from core.rules import Rules

BATCH = 5_000
"""Attempts that share a commit before their calls; fewer commits write the ledger's index pages fewer times."""

PATIENCE = 5.0
"""Seconds of calls after which the answers so far are recorded; a slow processor must not keep them waiting."""


def begin(tx: Session, month: int) -> bool:
    """From closed to collecting; the closing made every due statement's first attempt due at once."""
    row = tx.get(Month, month, with_for_update=True, populate_existing=True)
    if row is None or row.stage != "closed":
        return False
    row.stage = "collecting"
    return True


def collect(db: Database, rules: Rules, gateway: Gateway, month: int, at: datetime) -> int:
    """Try every statement of the month that is due for it; the number of attempts made."""
    made = 0
    while True:
        with db.transaction() as tx:
            requests = _ask(tx, rules, month, at)
        if not requests:
            return made
        answers = []
        enough = time.monotonic() + PATIENCE
        for request in requests:
            answers.append((request, gateway.charge(request, at)))
            if time.monotonic() > enough:
                break
        with db.transaction() as tx:
            _record(tx, rules, answers, at)
        made += len(answers)


def settle(tx: Session, month: int, at: datetime) -> bool:
    """From collecting to settled, once every statement is collected, lapsed or void."""
    row = tx.get(Month, month, with_for_update=True, populate_existing=True)
    if row is None or row.stage != "collecting":
        return False
    unsettled = sa.select(sa.func.count()).where(col(Statement.month) == month, col(Statement.state) == "due")
    if tx.execute(unsettled).scalar_one():
        return False
    row.stage, row.settled_at = "settled", at
    return True


# Without effect where an attempt has no answer yet: it keeps the card that it was asked with. The statements are
# locked (where there are row locks), so that nobody who leaves meanwhile voids one whose charge is being asked for.
_ASK = """
insert into charge (statement_id, attempt, state, asked_at, card_reference)
select s.id, s.attempts + 1, 'asked', :at, k.reference
  from statement s
  left join card k on k.person_id = s.patron_id
 where s.month = :month and s.state = 'due' and s.next_attempt_at <= :at
 order by s.next_attempt_at, s.id limit :batch {lock}
on conflict do nothing
"""

# The state is spelt out, not bound: only so is the partial index used. "cross join" keeps SQLite to that index first.
_ASKED = """
select s.id, s.patron_id, s.charge_micros, c.attempt, c.card_reference
  from statement s
 cross join charge c
 where s.month = :month and s.state = 'due' and s.next_attempt_at <= :at
   and c.statement_id = s.id and c.attempt = s.attempts + 1
 order by s.next_attempt_at, s.id limit :batch
"""


def _ask(tx: Session, rules: Rules, month: int, at: datetime) -> list[ChargeRequest]:
    """Write the next attempts down; the requests to make for them."""
    lock = "for update of s" if tx.get_bind().dialect.name == "postgresql" else ""
    due = {"month": month, "at": to_micros(at), "batch": BATCH}
    tx.execute(sa.text(_ASK.format(lock=lock)), due)
    rows = tx.execute(sa.text(_ASKED), due).all()
    return [
        ChargeRequest(
            statement_id=statement_id,
            attempt=attempt,
            patron_id=patron_id,
            month=month,
            amount_minor=rules.money.minor(charge_micros),
            currency=rules.money.code,
            card_reference=reference,
        )
        for statement_id, patron_id, charge_micros, attempt, reference in rows
    ]


def _record(tx: Session, rules: Rules, answers: list[tuple[ChargeRequest, Outcome]], at: datetime) -> None:
    _collected(tx, {request: outcome for request, outcome in answers if isinstance(outcome, Done)}, at)
    for request, outcome in answers:
        if isinstance(outcome, Done):
            continue
        statement = tx.get_one(Statement, request.statement_id, with_for_update=True, populate_existing=True)
        if statement.state != "due":
            continue  # an event of the processor was quicker; it ran this same function
        charge = tx.exec(
            select(Charge).where(Charge.statement_id == request.statement_id, Charge.attempt == request.attempt)
        ).one()
        charge.reason = outcome.reason
        match outcome:
            case Refused(_, final):
                charge.state, charge.answered_at = "declined", at
                _refused(tx, rules, statement, final=final, at=at)
            case Unknown():
                statement.next_attempt_at = at + rules.retry_unknown
    tx.flush()


_ANSWERED = """
update charge set state = 'collected', reference = ?, answered_at = ?
 where statement_id = ? and attempt = ? and state = 'asked'
"""

# By ranges of ids, not by lists of them: a batch is mostly one range, and what lies between is left alone by what
# the rows themselves say. A statement no longer due was settled by an event of the processor, through this function.
_COLLECTED = """
update statement set state = 'collected', collected_at = :at, next_attempt_at = null
 where id between :first and :last and state || '' = 'due'
   and exists (select 1 from charge c where c.statement_id = statement.id and c.state = 'collected')
"""

_NOTES = """
insert into outbox (kind, source, person_id, state, attempts, parts_sent, next_at, created_at)
select 'statement', 'statement:' || s.id, s.patron_id, 'waiting', 0, 0, :at, :at
  from statement s where s.id between :first and :last and s.state = 'collected'
on conflict do nothing
"""


def _collected(tx: Session, answers: dict[ChargeRequest, Done], at: datetime) -> None:
    """Take collected money into the books, all of a batch at once."""
    if not answers:
        return
    stamp = to_micros(at)
    execute_many(
        tx,
        _ANSWERED,
        [(done.reference, stamp, request.statement_id, request.attempt) for request, done in answers.items()],
    )
    ids = [request.statement_id for request in answers]
    batch = {"first": min(ids), "last": max(ids), "at": stamp}
    tx.execute(sa.text(_COLLECTED), batch)
    tx.execute(sa.text(_NOTES), batch)
    ledger.post_collected(tx, batch["first"], batch["last"], at)


def _refused(tx: Session, rules: Rules, statement: Statement, *, final: bool, at: datetime) -> None:
    statement.attempts += 1
    tried, days = statement.attempts, rules.collect_days
    if final or tried >= len(days):
        statement.state, statement.next_attempt_at = "lapsed", None
        _tell(tx, "lapsed", f"lapsed:{statement.id}", statement.patron_id, at)
        return
    month = tx.get_one(Month, statement.month)
    assert month.closed_at is not None
    # A hub that was away for days must not try the card several times in one breath.
    statement.next_attempt_at = max(
        month.closed_at + timedelta(days=days[tried]), at + timedelta(days=days[tried] - days[tried - 1])
    )
    _tell(tx, "declined", f"declined:{statement.id}:{tried}", statement.patron_id, at)


def _tell(tx: Session, kind: str, source: str, person_id: int, at: datetime) -> None:
    outbox.put(tx, kind=kind, source=source, at=at, person_id=person_id)
