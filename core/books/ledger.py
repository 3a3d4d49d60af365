"""The double-entry ledger: what its accounts are called, how a movement is posted, what an account holds.

A ledger account is a number, 8 * person + kind (person 0 for the hub's own accounts), so that closing a month for
a million flattrs needs no look-up. Nothing posted is ever edited; what has to be undone is posted the other way.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col

from core.books.tables import Posting
from core.database import insert_once, to_micros

KINDS = {
    0: "bank", 1: "stripe", 2: "patron", 3: "creator", 4: "transit", 5: "income", 6: "cost", 7: "loss",
}  # fmt: skip
"""bank: the operator's own account at a bank; stripe: money at the processor, whichever it is; patron: a clearing
account that returns to zero; creator: what the hub owes; transit: payouts under way; income: the hub's fee; cost: card
costs borne by patrons; loss: the rest."""

BANK, STRIPE, TRANSIT, INCOME, COST, LOSS = 0, 1, 4, 5, 6, 7

# Kinds of postings and their sources; an opposite's source begins with the processor's object that brought it.
#   charge, cost, fee   statement:ID       a statement was collected
#   share               flattr:ID          of it, to the creator
#   payout, payout_back payout:ID:PERSON   reserved for a payout; refused, so due again
#   sent, sent_back     payout:ID, TRR_ID  the payout went out; some of it came back, so due again
#   charge_back, share_back, fee_back, loss     X/statement:ID, X/flattr:ID   a refund or dispute took money
#   loss                X/over/statement:ID     and more than had been charged
#   charge_again, share_again, fee_again, loss_again    the same, the other way: a dispute won, a refund that failed
#   void                hold:ID/flattr:ID  what cannot be sent back of a voided share (hold:ID#N/..., if more than once)
#   cost_paid, cost_borne, cost_lost, and each with _back    TXN_ID    the processor's costs: patrons', income's, loss
#   withdrawn, topped_up, lost               TXN_ID    between the processor and the operator's bank; or simply gone


def patron(person_id: int) -> int:
    """The clearing account of a patron."""
    return 8 * person_id + 2


def creator(person_id: int) -> int:
    """What the hub owes a creator."""
    return 8 * person_id + 3


def describe(account: int) -> str:
    """An account's name for people: ``creator:5``, ``income``, ``bank``."""
    person, kind = divmod(account, 8)
    name = KINDS[kind]
    return f"{name}:{person}" if person else name


def post(tx: Session, *, kind: str, source: str, debit: int, credit: int, amount_micros: int, at: datetime) -> bool:
    """Post one movement, once for ever per (kind, source); False if it was posted before. Nothing moves for 0."""
    if amount_micros == 0:
        return False
    values: dict[str, Any] = {
        "at": at, "kind": kind, "source": source,
        "debit": debit, "credit": credit, "amount_micros": amount_micros,
    }  # fmt: skip
    return insert_once(tx, Posting, values)


def owed(tx: Session, account: int) -> int:
    """Credits less debits, in micros: what the hub owes a creator, has earned as income, holds in transit."""
    amount = col(Posting.amount_micros)
    credits_, debits = (
        tx.execute(
            sa.select(sa.func.coalesce(sa.func.sum(amount), 0)).where(side == account, *_indexed(side, account))
        ).scalar_one()
        for side in (col(Posting.credit), col(Posting.debit))
    )
    return int(credits_) - int(debits)


def _indexed(side: Any, account: int) -> tuple[sa.ColumnElement[bool], ...]:
    """The indexes' own condition, said again so that they are used."""
    return () if account % 8 == 2 else (side % 8 != sa.literal_column("2"),)


def balances(tx: Session) -> dict[int, int]:
    """Every account's credits less debits, in micros; they sum to zero."""
    rows = tx.execute(
        sa.text(
            "select account, sum(micros) from ("
            " select credit as account, amount_micros as micros from posting"
            " union all select debit, -amount_micros from posting) movements group by account"
        )
    )
    return {account: int(micros) for account, micros in rows}


# What was collected at another time is posted already, so its shares need not be read. What was collected at this very
# time and posted is told by its keys: asking the postings here would make SQLite keep all rows aside before it writes.
_COLLECTED = """
with paid as (
  select * from statement s
   where s.id between :first and :last and s.state = 'collected' and s.collected_at = :at)
insert into posting (at, kind, source, debit, credit, amount_micros)
select :at, 'charge', 'statement:' || id, 1, 8 * patron_id + 2, charge_micros from paid where charge_micros > 0
union all
select :at, 'cost', 'statement:' || id, 8 * patron_id + 2, 6, cost_micros from paid where cost_micros > 0
union all
select :at, 'fee', 'statement:' || id, 8 * patron_id + 2, 5, fee_micros from paid where fee_micros > 0
union all
select :at, 'share', 'flattr:' || h.flattr_id, 8 * s.patron_id + 2, 8 * h.creator_id + 3, h.micros
  from paid s join share h on h.statement_id = s.id where h.micros > 0
on conflict do nothing
"""


def post_collected(tx: Session, first: int, last: int, at: datetime) -> None:
    """Post charge, cost, fee and shares of the statements in a range of ids that were collected at a time, once."""
    tx.execute(sa.text(_COLLECTED), {"first": first, "last": last, "at": to_micros(at)})
