"""Takes into the books what the processor says about collecting a statement, whatever brings the news.

The answer to a call, an event, a person who comes back from their bank: all of it ends in the same few functions,
under the statement's lock, and each of them may be late, doubled or overtaken by another.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from core.books import ledger
from core.database import execute_many, to_micros
from core.mail import outbox
from core.months.tables import Charge, Month, Statement
from core.payments import counterparts
from core.payments.gateway import ChargeRequest, Done, GivenUp, Outcome, Refused, TooLate, Unknown
from core.payments.states import IntentState
from core.rules import Rules

NOT_CONFIRMED = Refused("it was not confirmed")

UNCONFIRMED, UNANSWERED = timedelta(days=1), timedelta(days=30)
"""How long after the last of the days a patron's confirmation is waited for, and the processor's yes or no."""


def record(tx: Session, rules: Rules, answers: Sequence[tuple[ChargeRequest, Outcome]], at: datetime) -> None:
    """Note the processor's answers to these attempts; what another way of the news settled before is left alone."""
    if not answers:
        return
    ids = sorted(request.statement_id for request, _ in answers)
    _lock(tx, ids)
    _all_collected(tx, [(request, outcome) for request, outcome in answers if isinstance(outcome, Done)], at)
    for request, outcome in answers:
        if isinstance(outcome, Done):
            continue
        statement = tx.get_one(Statement, request.statement_id, with_for_update=True, populate_existing=True)
        charge = tx.exec(_charges(request.statement_id).where(Charge.attempt == request.attempt)).one()
        if statement.state != "due" or charge.state != "asked":
            continue  # an event of the processor was quicker; it ran these same functions
        match outcome:
            case Refused():
                _declined(tx, rules, statement, charge, outcome, at)
            case Unknown():
                _unanswered(tx, rules, statement, charge, outcome, at)
    tx.flush()


def learn(tx: Session, rules: Rules, state: IntentState, at: datetime) -> None:
    """Take in how collecting a statement stands; the same again, or what is settled already, changes nothing.

    ValueError if another amount was collected than the statement says.
    """
    statement = _meant(tx, state, at)
    if statement is None:
        return
    match state.state:
        case "collected":
            wanted = rules.money.minor(statement.charge_micros)
            if state.amount_minor not in (0, wanted):
                raise ValueError(f"statement {statement.id} is for {wanted}, but {state.amount_minor} were collected")
            _one_collected(tx, statement, state.charge or state.reference, at)
        case "cancelled":
            _ended(tx, statement, at)
        case "open" if state.failure is not None:
            _learn_failure(tx, rules, statement, state.failure, at)


def gave_up(tx: Session, rules: Rules, statement_id: int, answer: GivenUp, at: datetime) -> None:
    """Note what the processor said to giving a statement up."""
    statement = tx.get_one(Statement, statement_id, with_for_update=True, populate_existing=True)
    if statement.state != "due" or statement.ends_as is None:
        return
    match answer:
        case Done():
            _ended(tx, statement, at)
        case TooLate(reference):
            _one_collected(tx, statement, reference, at)
        case Unknown():
            statement.next_attempt_at = at + rules.retry_unknown
    tx.flush()


# Only what was declined, and has nothing under way: the new card gets the next of the days' tries, not one more.
_HURRY = """
update statement set next_attempt_at = :at
 where patron_id in :people and state = 'due' and ends_as is null and next_attempt_at > :at
   and exists (select 1 from charge c
                where c.statement_id = statement.id and c.attempt = statement.attempts and c.state = 'declined')
   and not exists (select 1 from charge c where c.statement_id = statement.id and c.state = 'asked')
"""


def hurry(tx: Session, people: Sequence[int], at: datetime) -> int:
    """Let the next try of these patrons' declined statements be made now, with the card they have just entered."""
    tx.flush()
    bound = sa.text(_HURRY).bindparams(sa.bindparam("people", expanding=True))
    return tx.connection().execute(bound, {"people": list(people), "at": to_micros(at)}).rowcount


def give_up(statement: Statement, ends_as: str, at: datetime) -> None:
    """From now on nothing is tried; it ends as that once the processor says that it can never be collected."""
    statement.ends_as, statement.next_attempt_at = ends_as, at


def _lock(tx: Session, ids: list[int]) -> None:
    """The statements before their charges, and by their ids, as everywhere: so nobody waits in a circle."""
    if tx.get_bind().dialect.name == "postgresql":
        query = "select id from statement where id = any(cast(:ids as bigint[])) order by id for update"
        tx.execute(sa.text(query), {"ids": ids})


# Collected

_ANSWERED = """
update charge set state = 'collected', reference = ?, answered_at = ?
 where statement_id = ? and attempt = ? and state = 'asked'
"""

# By ranges of ids, not by lists of them: a batch is mostly one range, and what lies between is left alone by what
# the rows themselves say. A statement no longer due was settled by an event of the processor, through this function.
_COLLECTED = """
update statement set state = 'collected', collected_at = :at, next_attempt_at = null, ends_as = null
 where id between :first and :last and state || '' = 'due'
   and exists (select 1 from charge c where c.statement_id = statement.id and c.state = 'collected')
"""

_NOTES = """
insert into outbox (kind, source, person_id, state, attempts, parts_sent, next_at, created_at)
select 'statement', 'statement:' || s.id, s.patron_id, 'waiting', 0, 0, :at, :at
  from statement s where s.id between :first and :last and s.state = 'collected'
on conflict do nothing
"""

_STILL_DUE = "select id from statement where id between :first and :last and state || '' = 'due'"


def _all_collected(tx: Session, answers: Sequence[tuple[ChargeRequest, Done]], at: datetime) -> None:
    """Take collected money into the books, all of a batch at once."""
    if not answers:
        return
    stamp = to_micros(at)
    execute_many(
        tx,
        _ANSWERED,
        [(done.reference, stamp, request.statement_id, request.attempt) for request, done in answers],
    )
    references = {request.statement_id: done.reference for request, done in answers}
    first, last = min(references), max(references)
    _post(tx, first, last, at)
    for left in tx.execute(sa.text(_STILL_DUE), {"first": first, "last": last}).scalars().all():
        if left in references:  # its attempt was taken for declined meanwhile; the money came all the same
            statement = tx.get_one(Statement, left, with_for_update=True, populate_existing=True)
            _one_collected(tx, statement, references[left], at)


def _one_collected(tx: Session, statement: Statement, reference: str, at: datetime) -> None:
    """A due statement's money came, with whichever attempt."""
    assert statement.id is not None
    charge = tx.exec(_charges(statement.id).where(Charge.state == "asked")).one_or_none()
    if charge is None:
        charge = Charge(statement_id=statement.id, attempt=statement.attempts + 1, asked_at=at)
        tx.add(charge)
    charge.state, charge.reference, charge.answered_at = "collected", reference, at
    tx.flush()
    _post(tx, statement.id, statement.id, at)
    tx.expire(statement)


def _post(tx: Session, first: int, last: int, at: datetime) -> None:
    batch = {"first": first, "last": last, "at": to_micros(at)}
    tx.execute(sa.text(_COLLECTED), batch)
    tx.execute(sa.text(_NOTES), batch)
    ledger.post_collected(tx, first, last, at)


# Not collected


def _declined(tx: Session, rules: Rules, statement: Statement, charge: Charge, refusal: Refused, at: datetime) -> None:
    """A definite no to an attempt that was asked for."""
    if charge.on_session and refusal.reference and _known(tx, statement, refusal.reference):
        refusal = NOT_CONFIRMED  # what was looked at still shows the try before this one
    charge.state, charge.answered_at = "declined", at
    charge.reason, charge.reference = refusal.reason, refusal.reference
    statement.attempts = charge.attempt
    tx.flush()
    if statement.ends_as is not None:
        statement.next_attempt_at = at
        return
    tried, last = _tries(tx, statement)
    if refusal.final or tried >= len(rules.collect_days):
        give_up(statement, "lapsed", at)
        return
    statement.next_attempt_at = _next_try(tx, rules, statement, tried, last)
    if charge.on_session:  # they were there and know; one who went away hears of it with the next try
        # Who begins again and again puts the next try off, but not for ever: after the last day it is made at once.
        last_day = _closed(tx, statement) + timedelta(days=rules.collect_days[-1])
        if at < last_day + timedelta(days=1):
            statement.next_attempt_at = max(statement.next_attempt_at, at + rules.retry_unknown)
        return
    kind = "authenticate" if refusal.authenticate else "declined"
    outbox.put(tx, kind=kind, source=f"{kind}:{statement.id}:{charge.attempt}", at=at, person_id=statement.patron_id)


def _unanswered(
    tx: Session, rules: Rules, statement: Statement, charge: Charge, unknown: Unknown, at: datetime
) -> None:
    """No answer yet: the same attempt is asked for again."""
    charge.reason = unknown.reason
    statement.next_attempt_at = at + rules.retry_unknown
    if statement.ends_as is None:
        last_day = _closed(tx, statement) + timedelta(days=rules.collect_days[-1])
        if at >= max(last_day, charge.asked_at) + (UNCONFIRMED if charge.on_session else UNANSWERED):
            give_up(statement, "lapsed", at)


def _learn_failure(tx: Session, rules: Rules, statement: Statement, failure: Refused, at: datetime) -> None:
    """A no of which it is not said to which attempt: only one that fits no attempt before is the present one's."""
    assert statement.id is not None
    if failure.reference is None or _known(tx, statement, failure.reference):
        return
    for charge in tx.exec(_charges(statement.id).where(Charge.attempt >= statement.attempts)).all():
        if charge.state == "declined" and charge.reference is None and charge.card_reference is not None:
            charge.reference = failure.reference  # the last no, which was heard without its name
            break
        if charge.state == "asked":
            _declined(tx, rules, statement, charge, failure, at)
    tx.flush()


def _ended(tx: Session, statement: Statement, at: datetime) -> None:
    """It can never be collected any more."""
    assert statement.id is not None
    for charge in tx.exec(_charges(statement.id).where(Charge.state == "asked")).all():
        charge.state, charge.reason, charge.answered_at = "declined", "it was given up", at
        statement.attempts = charge.attempt
    statement.state, statement.next_attempt_at = statement.ends_as or "lapsed", None
    statement.ends_as = None
    if statement.state == "lapsed":
        outbox.put(tx, kind="lapsed", source=f"lapsed:{statement.id}", at=at, person_id=statement.patron_id)
    tx.flush()


# What the rows say


def _meant(tx: Session, state: IntentState, at: datetime) -> Statement | None:
    """The statement that is still to be collected with this, locked; None: there is none, or it is settled."""
    own = counterparts.owner(tx, "intent", state.reference)
    statement_id = state.statement_id if own is None else own
    if statement_id is None:
        return None
    statement = tx.get(Statement, statement_id, with_for_update=True, populate_existing=True)
    if statement is None or statement.state != "due":
        return None
    if own is None:  # the answer to making it got lost; but what was never asked for is somebody else's
        if tx.exec(_charges(statement_id).limit(1)).first() is None:
            return None
        if counterparts.keep(tx, "intent", statement_id, state.reference, at) != state.reference:
            return None
    return statement


def _charges(statement_id: int) -> SelectOfScalar[Charge]:
    query = select(Charge).where(Charge.statement_id == statement_id).order_by(col(Charge.attempt))
    return query.execution_options(populate_existing=True)


def _known(tx: Session, statement: Statement, reference: str) -> bool:
    known = select(Charge.id).where(Charge.statement_id == statement.id, Charge.reference == reference)
    return tx.exec(known).first() is not None


def _tries(tx: Session, statement: Statement) -> tuple[int, datetime | None]:
    """How many of the days' tries were declined, and when the last one was."""
    tries = sa.select(sa.func.count(), sa.func.max(col(Charge.answered_at))).where(
        col(Charge.statement_id) == statement.id, col(Charge.state) == "declined", ~col(Charge.on_session)
    )
    number, last = tx.execute(tries).one()
    return int(number), last


def _next_try(tx: Session, rules: Rules, statement: Statement, tried: int, last: datetime | None) -> datetime:
    days = rules.collect_days
    planned = _closed(tx, statement) + timedelta(days=days[tried])
    if last is None:
        return planned
    # A hub that was away for days must not try the card several times in one breath.
    return max(planned, last + timedelta(days=days[tried] - days[tried - 1]))


def _closed(tx: Session, statement: Statement) -> datetime:
    month = tx.get_one(Month, statement.month)
    assert month.closed_at is not None
    return month.closed_at
