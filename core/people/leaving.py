"""Leaving the hub: everything that was not charged ends at once, what is owed is still paid."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session, col, select

from core.access import grants
from core.books import ledger
from core.charges import answering
from core.months.tables import Charge, Statement
from core.people import cards, codes, holding, persons
from core.people.exporting import export
from core.people.tables import Budget, Ignore, Pause, Person, Skip, Subscription
from core.rules import Rules
from core.tables import Flattr, Like

__all__ = ["Left", "export", "finish", "stop"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What leaving ended."""

    withdrawn: int
    """Flattrs of months that were open or under review."""
    statements: int
    """Statements that will not be charged any more."""
    resolving: int
    """Charges whose outcome the processor has not told yet: given up, unless it says that they were collected."""
    subscriptions: int
    accounts: int
    dues_micros: int
    """What is owed to this person as a creator; it is paid out with the next run, whatever its size."""


# The like stays known, so that a listing which names it again later is not taken for a new one.
_FORGET = """
update likes set flattr_id = null, uncounted = 'left' where flattr_id in (
 select f.id from flattr f join month m on m.id = f.month
  where f.patron_id in :people and m.stage in ('open', 'review'))
"""

_WITHDRAW = """
update flattr set standing = false where standing and patron_id in :people
   and month in (select m.id from month m where m.stage in ('open', 'review'))
"""

_VOID = """
update flattr set voided = 'left' where patron_id in :people and voided is null and moved_to_id is null
   and month in (select m.id from month m where m.stage not in ('open', 'review'))
   and not exists (select 1 from share h where h.flattr_id = flattr.id)
"""

# What is under review ends when its patron leaves, at once. "cross join" keeps SQLite to the short queue of what is
# still to be collected; left to itself it reads every person.
_UNRESOLVED = """
select s.id from statement s cross join person p
 where s.state = 'due' and s.ends_as is null and p.id = s.patron_id and p.left_at is not null
"""

_FORGET_CARDS = """
delete from card
 where card.person_id in (select p.id from person p where p.left_at is not null)
   and not exists (select 1 from statement s
                    where s.patron_id = card.person_id and s.state in ('review', 'due'))
"""


_GONE = " returning reference, customer"


def stop(tx: Session, rules: Rules, person_id: int, at: datetime) -> Left:
    """Let a person leave; again: nothing more happens.

    The open month's flattrs are withdrawn, as are those of a month under review; subscriptions, budgets and
    preferences go; the accounts are nobody's. A charge with an unknown outcome is resolved first (`finish`).
    """
    holding.hold_months(tx, at, ("open", "review"))
    person = persons.locked(tx, person_id)
    people = persons.merged_ids(tx, persons.key(person))
    dues = sum(ledger.owed(tx, ledger.creator(each)) for each in people)
    if person.left_at is not None:
        return Left(
            withdrawn=0,
            statements=0,
            resolving=_under_way(tx, people),
            subscriptions=0,
            accounts=0,
            dues_micros=dues,
        )
    tx.flush()
    _run(tx, _FORGET, people)
    withdrawn = _run(tx, _WITHDRAW, people)
    _run(tx, _VOID, people)
    ended = tx.exec(select(Subscription).where(col(Subscription.person_id).in_(people))).all()
    for table in (Subscription, Budget, Pause, Ignore, Skip):
        tx.exec(sa.delete(table).where(col(table.person_id).in_(people)).execution_options(synchronize_session="fetch"))
    accounts = persons.accounts_of(tx, persons.key(person))
    for account in accounts:
        codes.cancel(tx, account)
        persons.detach(account)
        grants.end(tx, account, at)
    for each in people:
        tx.get_one(Person, each).left_at = at
    person.cap_per_flattr_micros = person.cap_per_creator_micros = None
    person.bears_cost = False
    tx.flush()
    ended_statements = finish(tx, at, people)
    for row in list(tx.identity_map.values()):  # what this transaction has read before is out of date
        if isinstance(row, Flattr | Like):
            tx.expire(row)
    return Left(
        withdrawn=withdrawn,
        statements=ended_statements,
        resolving=_under_way(tx, people),
        subscriptions=len(ended),
        accounts=len(accounts),
        dues_micros=dues,
    )


def finish(tx: Session, at: datetime, people: list[int] | None = None) -> int:
    """End the statements of those who left and forget their cards; how many will not be charged. Safe to repeat.

    One that the processor was never asked about is void at once. Of any other the processor has to say first that it
    cannot be collected any more (`core.charges.collecting.give_up`); the card is kept until then.
    """
    if people is None:
        whose = col(Statement.id).in_(tx.execute(sa.text(_UNRESOLVED)).scalars().all())
    else:
        whose = col(Statement.patron_id).in_(people)
    open_statements = (
        select(Statement)
        .where(whose, col(Statement.state).in_(("review", "due")), col(Statement.ends_as).is_(None))
        .order_by(col(Statement.id))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    rows = tx.exec(open_statements).all()  # locked first: a charge that is being asked for is then visible
    tried = select(Charge.statement_id, Charge.state).where(col(Charge.statement_id).in_([row.id for row in rows]))
    charges = set(tx.exec(tried).all())
    asked, unresolved = {each for each, _ in charges}, {each for each, state in charges if state == "asked"}
    for row in rows:
        if row.id in asked:
            answering.give_up(row, "void", at)
        else:
            row.state, row.next_attempt_at = "void", None
    tx.flush()
    _forget_cards(tx, at, people)
    return sum(row.id not in unresolved for row in rows)


def _forget_cards(tx: Session, at: datetime, people: list[int] | None) -> None:
    if people is None:
        gone = tx.execute(sa.text(_FORGET_CARDS + _GONE)).all()
    else:
        bound = sa.text(_FORGET_CARDS + " and card.person_id in :people" + _GONE)
        gone = tx.execute(bound.bindparams(sa.bindparam("people", expanding=True)), {"people": people}).all()
    cards.let_go(tx, [(row.reference, row.customer) for row in gone], at)


def _under_way(tx: Session, people: list[int]) -> int:
    query = (
        select(Statement.id)
        .join(Charge, col(Charge.statement_id) == col(Statement.id))
        .where(col(Statement.patron_id).in_(people), Statement.state == "due", Charge.state == "asked")
    )
    return len(set(tx.exec(query).all()))


def _run(tx: Session, statement: str, people: list[int]) -> int:
    bound = sa.text(statement).bindparams(sa.bindparam("people", expanding=True))
    return tx.connection().execute(bound, {"people": people}).rowcount
