"""What the money must come to in the end: patrons, creators, holds, each against the oracle and against Stripe."""

from __future__ import annotations

from collections import defaultdict

import sqlalchemy as sa
from sqlmodel import select

from core.holds.tables import Hold
from core.months.tables import Charge, Statement
from tests.core.month_machine_audit import Audit


def compare(audit: Audit) -> None:
    """After `Audit.replay`: creators have, or are owed, what their shares were less what went back; and so on."""
    _creators(audit)
    _payouts(audit)
    _holds(audit)
    for statement in audit.tx.exec(select(Statement)):
        _statement(audit, statement)


def _creators(audit: Audit) -> None:
    balances: dict[int, int] = defaultdict(int)
    for each in audit.postings:
        balances[each.credit] += each.amount_micros
        balances[each.debit] -= each.amount_micros
    owed = {account // 8: micros for account, micros in balances.items() if account % 8 == 3}
    assert {each: micros for each, micros in owed.items() if micros} == {k: v for k, v in audit.due.items() if v}
    for creator, due in owed.items():
        shares = [each for paid in audit.collected.values() for each in paid.shares if each.creator == creator]
        sent = sum(audit.stripe.paid(number) for number, each in audit.payouts.items() if each.creator_id == creator)
        assert due >= 0
        assert due + sent * audit.unit == sum(share.left for share in shares)


def _payouts(audit: Audit) -> None:
    for number, payout in audit.payouts.items():
        sent = payout.state in ("sent", "reversed")
        assert audit.stripe.paid(number) * audit.unit == sent * payout.amount_micros - audit.returned[number]


def _holds(audit: Audit) -> None:
    """Held is what is much, and most of what its creator gets that month (money.md, "Abuse")."""
    rules = audit.oracle.rules
    given: dict[tuple[int, int, int], int] = defaultdict(int)
    got: dict[tuple[int, int], int] = defaultdict(int)
    for (person, month), bill in audit.oracle.bills.items():
        for thing, micros in bill.shares.items():
            creator = audit.oracle.payable[month][audit.oracle.flattrs[person, thing, month].author]
            given[month, person, creator] += micros
            got[month, creator] += micros
    wanted = {
        (month, person, creator): micros
        for (month, person, creator), micros in given.items()
        if micros > rules.hold_micros and micros > got[month, creator] * rules.hold_part_bp // 10_000
    }
    held = {(each.month, each.patron_id, each.creator_id): each.micros for each in audit.tx.exec(select(Hold))}
    # Whoever leaves between the closing and its end is not held any more.
    assert held == {key: micros for key, micros in wanted.items() if key in held or key[1] not in audit.oracle.left}


def _statement(audit: Audit, statement: Statement) -> None:
    bill, stripe = audit.oracle.bills[statement.patron_id, statement.month], audit.stripe
    charged = stripe.charged(statement.id) * audit.unit
    assert charged <= bill.budget
    assert charged == (bill.charge if statement.state == "collected" else 0)
    intent = stripe.intent_of(statement.id)
    assert statement.state in ("collected", "lapsed", "void")
    declined = audit.tx.exec(
        select(Charge).where(Charge.statement_id == statement.id, Charge.state == "declined")
    ).all()
    assert sum(not each.on_session for each in declined) <= len(audit.oracle.rules.collect_days)
    if intent is not None:
        tries = [each for each in stripe.all("charge") if each["payment_intent"] == intent["id"]]
        assert sum(each["status"] == "failed" for each in tries) <= len(declined)
    if statement.state == "collected":
        assert intent is not None
        assert _gone(audit, statement) == (stripe.refunded(statement.id) + _disputed(audit, intent["id"])) * audit.unit
        return
    assert intent is None or intent["status"] == "canceled"
    if statement.state == "void":
        assert bill.charge == 0 or statement.patron_id in audit.oracle.left


def _disputed(audit: Audit, intent: str) -> int:
    """What disputes took of it, less what came back; minor units."""
    mine = [each for each in audit.stripe.all("dispute") if each["payment_intent"] == intent]
    return -sum(audit.stripe.objects[move]["amount"] for each in mine for move in each["_moves"])


def _gone(audit: Audit, statement: Statement) -> int:
    """What of it went back by the books."""
    query = sa.text(
        "select coalesce(sum(case when kind like '%_again' then -amount_micros else amount_micros end), 0) from posting"
        " where (kind in ('charge_back', 'charge_again') and source like :within)"
        " or (kind in ('loss', 'loss_again') and source like :over)"
    )
    bound = {"within": f"%/statement:{statement.id}", "over": f"%/over/statement:{statement.id}"}
    return int(audit.tx.execute(query, bound).scalar_one())
