"""Statements as JSON in formats with names: pure functions of a statement.

``flattr-hub-statement/1``, ``flattr-hub-earnings/1``, ``flattr-hub-charged-year/1``, ``flattr-hub-earned-year/1``:
within a number fields are only ever added. docs/statements.md explains each.
"""

from __future__ import annotations

import json
from typing import Any

from core.books.month_book import Proof
from core.money import Currency, show
from core.months.statements import PatronStatement
from core.months.worth import Line
from core.periods import month_name
from core.statements.as_csv import NO_PROOFS, UNPAID, Proofs
from core.statements.earned import CreatorStatement, PayoutLine
from core.statements.years import CreatorYear, PatronYear

TYPE = "application/json"


def patron_statement(found: PatronStatement, money: Currency, *, pretend: bool, proofs: Proofs = NO_PROOFS) -> str:
    """A patron's month; shares + fee + card cost = charge, in micros."""

    def sum_(kind: str, micros: int) -> dict[str, Any]:
        return {**_amount(micros, money), "proof": _proof(proofs.get((kind, f"statement:{found.id}")))}

    return _written(
        {
            "format": "flattr-hub-statement/1",
            "month": month_name(found.month),
            "currency": money.code,
            "pretend_money": pretend,
            "state": found.state,
            "budget": _amount(found.budget_micros, money),
            "charge": sum_("charge", found.charge_micros),
            "fee": sum_("fee", found.fee_micros),
            "card_cost": sum_("cost", found.cost_micros),
            "given_back": _amount(found.given_back_micros, money),
            "collected_at": found.collected_at.isoformat() if found.collected_at else None,
            "flattrs": [
                {
                    "receipt": share.receipt,
                    "liked_at": share.liked_at.isoformat(),
                    "network": share.network,
                    "title": share.title,
                    "url": share.url,
                    "creator": {"name": share.creator, "account": share.creator_account},
                    "state": share.state,
                    "amount": _amount(share.micros, money),
                    "gross": _amount(share.gross_micros, money),
                    "fee": _amount(share.fee_micros, money),
                    "card_cost": _amount(share.cost_micros, money),
                    "taken_back": _amount(share.taken_back_micros, money),
                    "held_for": list(share.held_for),
                    "proof": _proof(proofs.get(("share", f"flattr:{share.flattr_id}"))),
                }
                for share in found.shares
            ],
            "unpaid": [_unpaid(found.month, line) for line in (*found.pending, *found.held, *found.left_out)],
        }
    )


def creator_statement(found: CreatorStatement, money: Currency, *, pretend: bool, proofs: Proofs = NO_PROOFS) -> str:
    """A creator's month; gross - fee - card cost = net, in micros, of each flattr and in all."""
    return _written(
        {
            "format": "flattr-hub-earnings/1",
            "month": month_name(found.month),
            "currency": money.code,
            "pretend_money": pretend,
            "gross": _amount(found.gross_micros, money),
            "fee": _amount(found.fee_micros, money),
            "card_cost": _amount(found.cost_micros, money),
            "net": _amount(found.net_micros, money),
            "collected": _amount(found.collected_micros, money),
            "taken_back": _amount(found.taken_back_micros, money),
            "held": _amount(found.held_micros, money),
            "paid_out": _amount(found.paid_out_micros, money),
            "flattrs": [
                {
                    "receipt": line.receipt,
                    "liked_on": line.liked_on.isoformat(),
                    "network": line.network,
                    "title": line.title,
                    "url": line.url,
                    "state": line.state,
                    "gross": _amount(line.gross_micros, money),
                    "fee": _amount(line.fee_micros, money),
                    "card_cost": _amount(line.cost_micros, money),
                    "amount": _amount(line.micros, money),
                    "taken_back": _amount(line.taken_back_micros, money),
                    "held_for": list(line.held_for),
                    "proof": _proof(proofs.get(("share", f"flattr:{line.flattr_id}"))),
                }
                for line in found.lines
            ],
            "payouts": [_payout(each, money) for each in found.payouts],
        }
    )


def patron_year(found: PatronYear, money: Currency, *, pretend: bool) -> str:
    """A patron's year by calendar month; ``total`` is its sum."""

    def row(each: Any) -> dict[str, Any]:
        return {
            "charges": each.charges,
            "charged": _amount(each.charge_micros, money),
            "creators": _amount(each.creators_micros, money),
            "fee": _amount(each.fee_micros, money),
            "card_cost": _amount(each.cost_micros, money),
            "given_back": _amount(each.given_back_micros, money),
        }

    return _written(
        {
            "format": "flattr-hub-charged-year/1",
            "year": found.year,
            "currency": money.code,
            "pretend_money": pretend,
            "months": [{"month": month_name(each.month), **row(each)} for each in found.months],
            "total": row(found.total),
        }
    )


def creator_year(found: CreatorYear, money: Currency, *, pretend: bool) -> str:
    """A creator's year by calendar month; ``total`` is its sum."""

    def row(each: Any) -> dict[str, Any]:
        return {
            "likes": each.flattrs,
            "gross": _amount(each.gross_micros, money),
            "fee": _amount(each.fee_micros, money),
            "card_cost": _amount(each.cost_micros, money),
            "collected": _amount(each.collected_micros, money),
            "taken_back": _amount(each.taken_back_micros, money),
            "paid_out": _amount(each.paid_out_micros, money),
            "came_back": _amount(each.came_back_micros, money),
        }

    return _written(
        {
            "format": "flattr-hub-earned-year/1",
            "year": found.year,
            "currency": money.code,
            "pretend_money": pretend,
            "months": [{"month": month_name(each.month), **row(each)} for each in found.months],
            "total": row(found.total),
            "payouts": [_payout(each, money) for each in found.payouts],
        }
    )


def _unpaid(month: int, line: Line) -> dict[str, Any]:
    return {
        "receipt": f"{month_name(month)}-{line.flattr_id}",
        "liked_at": line.liked_at.isoformat(),
        "network": line.platform,
        "title": line.title,
        "url": line.url,
        "creator": {"name": line.creator, "account": line.creator_account},
        "state": UNPAID.get(line.state, line.state),
    }


def _payout(payout: PayoutLine, money: Currency) -> dict[str, Any]:
    return {
        "payout": payout.id,
        "date": payout.at.date().isoformat(),
        "amount": _amount(payout.micros, money),
        "state": payout.state,
        "reference": payout.reference,
    }


def _amount(micros: int, money: Currency) -> dict[str, Any]:
    return {"amount": show(micros, money), "micros": micros}


def _proof(proof: Proof | None) -> dict[str, str | None] | None:
    return proof.data() if proof is not None else None


def _written(value: dict[str, Any]) -> str:
    # ASCII only: what turns the direction of a title is spelt out.
    return json.dumps(value, indent=1, allow_nan=False) + "\n"
