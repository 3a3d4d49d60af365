"""Collects a closed month: one card charge per patron, tried over a week; what arrives is posted to the creators.

Row first, money second, note third: an attempt is a row before the gateway is called, the call is made outside
any transaction, and its answer is recorded after. An unknown outcome is asked for again under the same key. Who is
given up is so only once the processor says that the money can never come any more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

import sqlalchemy as sa
from sqlmodel import Session, col

from core.charges import answering
from core.charges.answering import hurry, learn
from core.database import Database, is_away, to_micros
from core.months.tables import Month, Statement
from core.payments import calling
from core.payments.gateway import ChargeRequest, Gateway, GivenUp, Outcome
from core.rules import Rules

__all__ = ["BATCH", "PATIENCE", "begin", "collect", "give_up", "hurry", "learn", "settle"]

BATCH = 5_000
"""Attempts that share a commit before their calls; fewer commits write the ledger's index pages fewer times."""

PATIENCE = 5.0
"""Seconds of calls after which the answers so far are recorded; a slow processor must not keep them waiting."""

_Answer = TypeVar("_Answer")


def begin(tx: Session, month: int) -> bool:
    """From closed to collecting; the closing made every due statement's first attempt due at once."""
    row = tx.get(Month, month, with_for_update=True, populate_existing=True)
    if row is None or row.stage != "closed":
        return False
    row.stage = "collecting"
    return True


def collect(db: Database, rules: Rules, gateway: Gateway, month: int, at: datetime) -> int:
    """Try every statement of the month that is due for it; the number of attempts made."""

    def record(tx: Session, answers: Sequence[tuple[ChargeRequest, Outcome]]) -> None:
        answering.record(tx, rules, answers, at)

    made = 0
    while True:
        with db.transaction() as tx:
            requests = _ask(tx, rules, month, at)
        if not requests:
            return made
        calls = calling.answers(gateway.charge, requests, at, at_once=gateway.at_once, patience=PATIENCE)
        answers = {request.statement_id: (request, outcome) for request, outcome in calls}
        _take(db, rules, answers, record, at)
        made += len(answers)


def give_up(db: Database, rules: Rules, gateway: Gateway, month: int, at: datetime) -> int:
    """Have the processor give up what is not tried any more; how many statements it was asked about.

    One that was collected after all is recorded as collected: lapsed and void mean that the money cannot come.
    """

    def record(tx: Session, answers: Sequence[tuple[int, GivenUp]]) -> None:
        for statement_id, answer in answers:
            answering.gave_up(tx, rules, statement_id, answer, at)

    asked = 0
    while True:
        with db.reading() as tx:
            ending = tx.execute(sa.text(_ENDING), _due(month, at)).scalars().all()
        if not ending:
            return asked
        calls = calling.answers(gateway.give_up, ending, at, at_once=gateway.at_once, patience=PATIENCE)
        answers = {statement_id: (statement_id, answer) for statement_id, answer in calls}
        _take(db, rules, answers, record, at)
        asked += len(answers)


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
insert into charge (statement_id, attempt, state, asked_at, card_reference, customer, on_session)
select s.id, s.attempts + 1, 'asked', :at, k.reference, k.customer, false
  from statement s
  left join card k on k.person_id = s.patron_id
 where s.month = :month and s.state = 'due' and s.next_attempt_at <= :at and s.ends_as is null
 order by s.next_attempt_at, s.id limit :batch {lock}
on conflict do nothing
"""

# The state is spelt out, not bound: only so is the partial index used. "cross join" keeps SQLite to that index first.
_ASKED = """
select s.id, s.patron_id, s.charge_micros, c.attempt, c.card_reference, c.customer, c.on_session
  from statement s
 cross join charge c
 where s.month = :month and s.state = 'due' and s.next_attempt_at <= :at and s.ends_as is null
   and c.statement_id = s.id and c.attempt = s.attempts + 1
 order by s.next_attempt_at, s.id limit :batch
"""

_ENDING = """
select s.id from statement s
 where s.month = :month and s.state = 'due' and s.next_attempt_at <= :at and s.ends_as is not null
 order by s.next_attempt_at, s.id limit :batch
"""


def _due(month: int, at: datetime) -> dict[str, int]:
    return {"month": month, "at": to_micros(at), "batch": BATCH}


def _ask(tx: Session, rules: Rules, month: int, at: datetime) -> list[ChargeRequest]:
    """Write the next attempts down; the requests to make for them."""
    lock = "for update of s" if tx.get_bind().dialect.name == "postgresql" else ""
    tx.execute(sa.text(_ASK.format(lock=lock)), _due(month, at))
    requests = []
    for statement_id, patron_id, charge_micros, attempt, reference, customer, on_session in tx.execute(
        sa.text(_ASKED), _due(month, at)
    ).all():
        try:
            amount = rules.money.minor(charge_micros)
        except ValueError as bug:  # a sum that cannot be charged is a bug of closing, and one patron's matter
            calling.report(f"charging statement {statement_id}", bug)
            _put_off(tx, rules, statement_id, at)
            continue
        requests.append(
            ChargeRequest(
                statement_id=statement_id,
                attempt=attempt,
                patron_id=patron_id,
                month=month,
                amount_minor=amount,
                currency=rules.money.code,
                card_reference=reference,
                customer=customer,
                on_session=bool(on_session),
            )
        )
    return requests


def _take(
    db: Database,
    rules: Rules,
    answers: Mapping[int, _Answer],
    record: Callable[[Session, Sequence[_Answer]], None],
    at: datetime,
) -> None:
    """Record answers (by their statements) in one transaction; if a bug forbids, one by one: it stops no other."""
    try:
        with db.transaction() as tx:
            record(tx, list(answers.values()))
        return
    except Exception as bug:
        if is_away(bug):
            raise
    for statement_id, answer in answers.items():
        try:
            with db.transaction() as tx:
                record(tx, [answer])
        except Exception as bug:
            if is_away(bug):
                raise
            calling.report(f"recording statement {statement_id}", bug)
            with db.transaction() as tx:
                _put_off(tx, rules, statement_id, at)


def _put_off(tx: Session, rules: Rules, statement_id: int, at: datetime) -> None:
    later = "update statement set next_attempt_at = :later where id = :id and state = 'due'"
    tx.execute(sa.text(later), {"later": to_micros(at + rules.retry_unknown), "id": statement_id})
