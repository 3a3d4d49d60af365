"""Who stands at a door of the paying pages, by the address they came with, and what it is about."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sqlmodel import Session, col, select

from core.access import visits
from core.access.tables import Visit
from core.charges import unpaid
from core.charges.unpaid import Unpaid
from core.months.tables import Charge, Statement
from core.people import persons
from core.people.tables import Account
from pages.paying.telling import Closed, Door

WORDS: Mapping[Door, str] = {"card": "card", "payouts": "payouts", "pay": "card"}
"""What is written to the bot for a new address of each door."""

_INTENT = re.compile(r"pay:([0-9]{1,18})", re.ASCII)


def platform_of(door: Door) -> str:
    """What `core.access.visits` calls the page of a door."""
    return f"{visits.OWN}{WORDS[door]}"


def leads_to(visit: Visit, door: Door) -> bool:
    """Whether an address opens this door."""
    return visit.platform == platform_of(door)


def person_of(tx: Session, visit: Visit) -> int:
    """Whose the asking account is by now; Closed if it is nobody's any more."""
    account = tx.get(Account, visit.account_id) if visit.account_id is not None else None
    if account is None or account.person_id is None:
        raise Closed(
            "The account that asked for this address is nobody's here any more. Write to the bot to begin anew."
        )
    return persons.root_id(tx, account.person_id)


def statement_of(tx: Session, visit: Visit, person_id: int) -> Statement | None:
    """The statement that the address is about, or else the oldest that waits; only ever one of this person's."""
    match = _INTENT.fullmatch(visit.intent)
    if match is None:
        waiting = unpaid.of(tx, person_id)
        return tx.get(Statement, waiting[0].statement_id) if waiting else None
    row = tx.get(Statement, int(match[1]))
    return row if row is not None and row.patron_id in persons.merged_ids(tx, person_id) else None


def waiting_of(tx: Session, visit: Visit, person_id: int) -> Unpaid | None:
    """The same, if its patron can still do something about it."""
    row = statement_of(tx, visit, person_id)
    found = unpaid.of(tx, person_id) if row is not None else ()
    return next((each for each in found if row is not None and each.statement_id == row.id), None)


def latest_try(tx: Session, statement_id: int) -> Charge | None:
    """The attempt that was begun last, whatever came of it."""
    tries = select(Charge).where(Charge.statement_id == statement_id).order_by(col(Charge.attempt).desc())
    return tx.exec(tries.limit(1)).first()
