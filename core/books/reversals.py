"""Takes back collected money that went back to a patron: refunds and disputes, as opposite postings.

The loss is borne by the statement's dues that are not paid out yet, then the hub's income, then its loss account.
A creator is never asked to pay back (money.md, "Payout run").
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session

from core.books import ledger
from core.months import payouts
from core.months.tables import Statement

_GIVEN_BACK = """
select source, amount_micros from posting where kind = 'charge_back' and source like '%/statement:' || :statement
"""

_SHARES = f"""
select h.flattr_id, p.credit, p.id, h.micros, coalesce(b.micros, 0)
  from share h
  join posting p on p.kind = 'share' and p.source = 'flattr:' || h.flattr_id
  left join ({payouts.BACK}) b on b.flattr_id = h.flattr_id
 where h.statement_id = :statement order by h.flattr_id
"""  # noqa: S608 - made of the package's constants


def take_back(tx: Session, *, statement_id: int, amount_micros: int, source: str, at: datetime) -> bool:
    """Post what a refund or dispute took from a collected statement; False if it was posted before.

    ``source`` is the processor's object (two partial refunds are two objects). ValueError if the statement was
    never collected, or if the amount and what went back before exceed what was charged; then nothing is posted.
    """
    # Locked, so that two takings cannot both find the same money left.
    statement = tx.get_one(Statement, statement_id, with_for_update=True, populate_existing=True)
    charge, undone = statement.charge_micros, f"{source}/statement:{statement_id}"
    given = {
        row.source: row.amount_micros for row in tx.execute(sa.text(_GIVEN_BACK), {"statement": str(statement_id)})
    }
    if undone in given:
        return False
    before = sum(given.values())
    after = before + amount_micros
    if statement.state != "collected" or amount_micros <= 0 or after > charge:
        raise ValueError(f"statement {statement_id} has no {amount_micros} micros to take back")
    clearing = ledger.patron(statement.patron_id)
    ledger.post(
        tx, kind="charge_back", source=undone, at=at,
        debit=clearing, credit=ledger.STRIPE, amount_micros=amount_micros,
    )  # fmt: skip
    missing = amount_micros
    reach: dict[int, tuple[int, datetime | None]] = {}
    owed: dict[int, int] = {}
    for flattr_id, account, posting_id, micros, back in tx.execute(sa.text(_SHARES), {"statement": statement_id}).all():
        if account not in reach:
            reach[account], owed[account] = payouts.reach(tx, account), ledger.owed(tx, account)
        # Reckoned on all that went back so far, so that parts add up to the whole share.
        wanted = micros * after // charge - micros * before // charge
        unpaid = 0 if _paid(statement, posting_id, *reach[account]) else micros - back
        taken = max(0, min(wanted, unpaid, owed[account], missing))
        ledger.post(
            tx, kind="share_back", source=f"{source}/flattr:{flattr_id}", at=at,
            debit=account, credit=clearing, amount_micros=taken,
        )  # fmt: skip
        owed[account] -= taken
        missing -= taken
    earned = min(missing, max(0, ledger.owed(tx, ledger.INCOME)))
    for kind, account, micros in (
        ("fee_back", ledger.INCOME, earned),
        ("loss", ledger.LOSS, missing - earned),
    ):
        ledger.post(tx, kind=kind, source=undone, at=at, debit=account, credit=clearing, amount_micros=micros)
    return True


def _paid(statement: Statement, posting_id: int, last_payout: int, early_until: datetime | None) -> bool:
    """Whether a share of the statement went out with its creator's last payout, or with one before."""
    if posting_id > last_payout:
        return False
    if not statement.early:
        return True
    assert statement.collected_at is not None
    return early_until is not None and statement.collected_at <= early_until
