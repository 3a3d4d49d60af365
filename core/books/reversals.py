"""Takes back collected money that went back to a patron: refunds and disputes, as opposite postings.

The loss is borne by the statement's dues that are not paid out yet, then the hub's income, then its loss account.
A creator is never asked to pay back (money.md, "Payout run").
"""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session, col, select

from core.books import ledger
from core.months.tables import Share, Statement


def take_back(tx: Session, *, statement_id: int, amount_micros: int, source: str, at: datetime) -> bool:
    """Post what a refund or dispute took from a collected statement; False if it was posted before.

    ``source`` is the processor's object (two partial refunds are two objects). ValueError if the statement was
    never collected or the amount exceeds what was charged.
    """
    statement = tx.get_one(Statement, statement_id)
    if statement.state != "collected" or not 0 < amount_micros <= statement.charge_micros:
        raise ValueError(f"statement {statement_id} has no {amount_micros} micros to take back")
    clearing = ledger.patron(statement.patron_id)
    if not ledger.post(
        tx, kind="charge_back", source=source, at=at,
        debit=clearing, credit=ledger.STRIPE, amount_micros=amount_micros,
    ):  # fmt: skip
        return False
    missing = amount_micros
    shares = tx.exec(select(Share).where(Share.statement_id == statement_id).order_by(col(Share.flattr_id))).all()
    for share in shares:
        account = ledger.creator(share.creator_id)
        wanted = share.micros * amount_micros // statement.charge_micros
        taken = min(wanted, max(0, ledger.owed(tx, account)))
        ledger.post(
            tx, kind="share_back", source=f"{source}/flattr:{share.flattr_id}", at=at,
            debit=account, credit=clearing, amount_micros=taken,
        )  # fmt: skip
        missing -= taken
    earned = min(missing, max(0, ledger.owed(tx, ledger.INCOME)))
    for kind, account, micros in (
        ("fee_back", ledger.INCOME, earned),
        ("loss", ledger.LOSS, missing - earned),
    ):
        ledger.post(tx, kind=kind, source=source, at=at, debit=account, credit=clearing, amount_micros=micros)
    return True
