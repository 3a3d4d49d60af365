"""Lets a patron confirm a charge themselves, where their bank wants to hear from them: an attempt made on session.

Row first, money second, note third, as in `core.charges.collecting`. Whatever is pressed twice, it is one attempt under
one key, of the one intent that every attempt of a statement shares; so it is charged once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from core.charges import answering
from core.database import Database
from core.months.tables import Charge, Statement
from core.payments.gateway import ChargeRequest, Done, Refused, Unknown
from core.payments.hosted import HostedGateway, Unanswered
from core.payments.states import Redirect
from core.people.cards import card_of
from core.rules import Rules


@dataclass(frozen=True, slots=True)
class UnderWay:
    """The processor has not answered an earlier attempt yet; nothing was asked now, and it is looked up by itself."""


@dataclass(frozen=True, slots=True)
class NotDue:
    """There is nothing to confirm; nothing was asked."""

    state: str
    """The statement's, as in `core.months.tables.Statement`; ending: it is being given up; unknown: there is none."""


Begun = Redirect | Done | Refused | Unknown | UnderWay | NotDue
"""Redirect: the way to the bank. Done and Refused are recorded already. Unknown: it is looked up by itself."""

NO_CARD = Refused("there is no card")


def begin(db: Database, rules: Rules, gateway: HostedGateway, statement_id: int, *, done: str, at: datetime) -> Begun:
    """Begin, or go on with, a patron's own attempt to pay a statement; ``done`` is where their bank sends them back.

    Who comes back (or does not) is seen by `core.charges.collecting`, which looks an hour later, or by ``learn``.
    """
    with db.transaction() as tx:
        request = _ask(tx, rules, statement_id, at)
    if not isinstance(request, ChargeRequest):
        return request
    try:
        answer = gateway.authenticate(request, done=done, at=at)
    except Unanswered as error:
        answer = Unknown(str(error))
    if not isinstance(answer, Redirect):
        with db.transaction() as tx:
            answering.record(tx, rules, [(request, answer)], at)
    return answer


def _ask(tx: Session, rules: Rules, statement_id: int, at: datetime) -> ChargeRequest | Refused | UnderWay | NotDue:
    """Write the attempt down, or find the one that was begun."""
    statement = tx.get(Statement, statement_id, with_for_update=True, populate_existing=True)
    if statement is None:
        return NotDue("unknown")
    if statement.state != "due" or statement.ends_as is not None:
        return NotDue("ending" if statement.state == "due" else statement.state)
    asked = select(Charge).where(col(Charge.statement_id) == statement_id, col(Charge.state) == "asked")
    charge = tx.exec(asked).one_or_none()
    if charge is None:
        card = card_of(tx, statement.patron_id)
        if card is None:
            return NO_CARD
        charge = Charge(
            statement_id=statement_id,
            attempt=statement.attempts + 1,
            card_reference=card.reference,
            customer=card.customer,
            on_session=True,
            asked_at=at,
        )
        tx.add(charge)
    elif not charge.on_session:
        return UnderWay()
    charge.asked_at = at
    # Until then the patron is at their bank's page; after that it is looked at.
    statement.next_attempt_at = at + rules.retry_unknown
    tx.flush()
    return ChargeRequest(
        statement_id=statement_id,
        attempt=charge.attempt,
        patron_id=statement.patron_id,
        month=statement.month,
        amount_minor=rules.money.minor(statement.charge_micros),
        currency=rules.money.code,
        card_reference=charge.card_reference,
        customer=charge.customer,
        on_session=True,
    )
