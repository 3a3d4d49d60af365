"""Everything that the hub knows about one person, as one value that can be written as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from core.books import ledger
from core.database import from_micros
from core.money import show
from core.people import persons
from core.people.tables import Account, Person
from core.periods import month_name
from core.rules import Rules

_LIKES = """
select a.platform || ':' || a.account_id as account, t.url, l.reaction, l.liked_at, l.standing, l.uncounted
  from likes l join account a on a.id = l.account_id left join thing t on t.id = l.thing_id
 where a.person_id in :people order by l.id
"""

_FLATTRS = """
select f.id, f.month, t.url, t.title, a.platform || ':' || a.account_id as creator, f.standing, f.origin,
       f.struck_at, f.voided, f.moved_to_id, f.created_at, h.micros
  from flattr f join thing t on t.id = f.thing_id
  left join account a on a.id = f.author_id
  left join share h on h.flattr_id = f.id
 where f.patron_id in :people order by f.id
"""

_STATEMENTS = """
select s.id, s.month, s.state, s.budget_micros, s.charge_micros, s.cost_micros, s.fee_micros, s.collected_at
  from statement s where s.patron_id in :people order by s.month, s.id
"""

_CARDS = "select brand, last4, country, fingerprint, since from card where person_id in :people"

_CHARGES = """
select c.statement_id, c.attempt, c.state, c.reason, c.reference, c.asked_at, c.answered_at
  from charge c join statement s on s.id = c.statement_id where s.patron_id in :people order by c.id
"""

# Whose flattr it was is the patron's to tell, not ours: the receipt is the same on both sides.
_EARNED = """
select h.flattr_id as id, s.month, t.url, t.title, h.micros, s.state
  from share h join statement s on s.id = h.statement_id
  join flattr f on f.id = h.flattr_id join thing t on t.id = f.thing_id
 where h.creator_id in :people order by h.flattr_id
"""

_PLAIN = {
    "budgets": "select from_month, amount_micros, set_at from budget where person_id in :people order by 1",
    "pauses": "select platform, since from pause where person_id in :people order by 1",
    "skipped": "select distinct month from skip where person_id in :people order by 1",
    "ignored": "select distinct a.platform || ':' || a.account_id as account from ignore i"
    " join account a on a.id = i.account_id where i.person_id in :people order by 1",
    "subscriptions": "select a.platform || ':' || a.account_id as account, u.started_at, u.last_month"
    " from subscription u join account a on a.id = u.account_id where u.person_id in :people order by u.id",
    "payouts": "select id, amount_micros, state, reference, asked_at, answered_at from payout"
    " where creator_id in :people order by id",
    "refunds": "select s.month, r.amount_micros, r.reason, r.state, r.reference, r.answered_at"
    " from refund r join statement s on s.id = r.statement_id where s.patron_id in :people order by r.id",
    "disputes": "select s.month, d.amount_micros, d.taken_micros, d.status, d.reason, d.reference, d.opened_at,"
    " d.closed_at from dispute d join statement s on s.id = d.statement_id where s.patron_id in :people order by 6",
    "held_of_yours": "select month, micros, state, reasons, note, made_at, decided_at from hold"
    " where patron_id in :people order by id",
    "held_for_you": "select month, micros, state, reasons, note, made_at, decided_at from hold"
    " where creator_id in :people order by id",
    "payee": "select account, state, needs, country, began_at, reminded, active_at, seen_at from recipient"
    " where person_id in :people order by person_id",
    "at_the_processor": "select kind, reference, made_at from counterpart"
    " where kind in ('customer', 'account') and own_id in :people order by 1, 2",
    "notes": "select kind, state, created_at, sent_at from outbox where person_id in :people order by id",
}


def export(tx: Session, rules: Rules, person_id: int, at: datetime) -> dict[str, Any]:
    """Everything about a person: plain JSON values; amounts as {"amount": "3.15 EUR", "micros": 3150000}.

    Times are ISO 8601 in UTC, months like "2026-11". LookupError if there is no such person.
    """
    tx.flush()
    people = persons.merged_ids(tx, person_id)
    person = tx.get_one(Person, people[0])
    accounts = persons.accounts_of(tx, people[0])
    statements = _rows(tx, rules, _STATEMENTS, people)
    charges = _rows(tx, rules, _CHARGES, people)
    for statement in statements:
        number = statement.pop("id")
        mine = [charge for charge in charges if charge["statement_id"] == number]
        statement["charges"] = [
            {name: value for name, value in charge.items() if name != "statement_id"} for charge in mine
        ]
    cards = _rows(tx, rules, _CARDS, people)
    return {
        "format": "flattr-hub-person/1",
        "made_at": at.isoformat(),
        "currency": rules.money.code,
        "person": {
            "number": people[0],
            "merged_numbers": people[1:],
            "since": person.created_at.isoformat(),
            "receives_since": _time(person.receives_since),
            "left_at": _time(person.left_at),
            "cap_per_flattr": _amount(rules, person.cap_per_flattr_micros),
            "cap_per_creator": _amount(rules, person.cap_per_creator_micros),
            "bears_card_cost": person.bears_cost,
        },
        "accounts": [_account(account) for account in accounts],
        "card": cards[0] if cards else None,
        "likes": _rows(tx, rules, _LIKES, people),
        "flattrs": [_receipt(row) for row in _rows(tx, rules, _FLATTRS, people)],
        "statements": statements,
        "earned": [_receipt(row) for row in _rows(tx, rules, _EARNED, people)],
        "owed": _amount(rules, sum(ledger.owed(tx, ledger.creator(each)) for each in people)),
        **{name: _rows(tx, rules, query, people) for name, query in _PLAIN.items()},
    }


def _rows(tx: Session, rules: Rules, query: str, people: list[int]) -> list[dict[str, Any]]:
    bound = sa.text(query).bindparams(sa.bindparam("people", expanding=True))
    rows = tx.connection().execute(bound, {"people": people}).mappings()
    return [dict(_value(rules, name, value) for name, value in row.items()) for row in rows]


def _value(rules: Rules, name: str, value: Any) -> tuple[str, Any]:
    """A column as people read it, by the ending of its name."""
    if name.endswith("micros"):
        return name.removesuffix("_micros").replace("micros", "share"), _amount(rules, value)
    if value is not None and (name.endswith("_at") or name == "since"):
        return name, _time(from_micros(value))
    if value is not None and name.endswith("month"):
        return name, month_name(value)
    return name, bool(value) if name == "standing" else value


def _receipt(row: dict[str, Any]) -> dict[str, Any]:
    return {"receipt": f"{row['month']}-{row['id']}", **{k: v for k, v in row.items() if k != "id"}}


def _amount(rules: Rules, micros: int | None) -> dict[str, Any] | None:
    return None if micros is None else {"amount": show(int(micros), rules.money), "micros": int(micros)}


def _time(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _account(account: Account) -> dict[str, Any]:
    return {
        "account": str(account),
        "handle": account.handle,
        "linked_at": _time(account.linked_at),
        "spoke_at": _time(account.spoke_at),
    }
