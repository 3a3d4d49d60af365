"""Statements as CSV (RFC 4180, UTF-8): pure functions of a statement; what a spreadsheet would run is made plain text.

Columns are only ever added, at the end. Amounts are decimals with a point, never rounded; docs/statements.md explains
every column.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

from core.books.month_book import Proof
from core.money import Currency, plain
from core.months.statements import PatronStatement, ShareLine
from core.months.worth import Line
from core.periods import month_name
from core.statements.earned import CreatorStatement, EarnedLine, PayoutLine
from core.statements.plain import cell
from core.statements.years import CreatorYear, PatronYear

TYPE = "text/csv"

Proofs = Mapping[tuple[str, str], Proof]
"""What finds postings in the month's book, by kind and source."""

NO_PROOFS: Proofs = {}

PATRON = (
    *("kind", "month", "receipt", "liked_at", "network", "title", "url", "creator", "creator_account", "amount"),
    *("currency", "state", "gross", "fee", "card_cost", "taken_back", "held_for", "book", "salt"),
)
CREATOR = (
    *("kind", "month", "receipt", "date", "network", "title", "url", "gross", "fee", "card_cost", "net", "currency"),
    *("state", "taken_back", "held_for", "reference", "book", "salt"),
)
PATRON_YEAR = ("month", "charges", "charged", "creators", "fee", "card_cost", "given_back", "currency")
CREATOR_YEAR = (
    *("month", "likes", "gross", "fee", "card_cost", "collected", "taken_back", "paid_out", "came_back", "currency"),
)


def patron_statement(found: PatronStatement, money: Currency, proofs: Proofs = NO_PROOFS) -> str:
    """A patron's month: every flattr, then the fee, the card's cost and the total as lines of their own.

    The amounts of all lines but the last add up to the last.
    """
    month = month_name(found.month)
    rows = [_share(each, month, money, proofs) for each in found.shares]
    rows += [_unpaid(each, month, money) for each in (*found.pending, *found.held, *found.left_out)]
    sums = (("fee", "fee", found.fee_micros), ("card_cost", "cost", found.cost_micros))
    for kind, posting, micros in (*sums, ("total", "charge", found.charge_micros)):
        proof = _proof(proofs.get((posting, f"statement:{found.id}")))
        rows.append({"kind": kind, "month": month, "amount": plain(micros, money), "state": found.state, **proof})
    rows[-1]["taken_back"] = plain(found.given_back_micros, money)
    return written(PATRON, ({**row, "currency": money.code} for row in rows))


UNPAID = {"held": "unlisted", "lapsed": "expired", "counts": "not_charged"}
"""What a flattr without a share is called where the month's own word means something else on a statement."""


def creator_statement(found: CreatorStatement, money: Currency, proofs: Proofs = NO_PROOFS) -> str:
    """A creator's month: every like with what it brings, a total, and the payouts of the calendar month."""
    month = month_name(found.month)
    rows = [_earned(each, month, money, proofs) for each in found.lines]
    total = (found.gross_micros, found.fee_micros, found.cost_micros, found.taken_back_micros)
    net = {"net": plain(found.net_micros, money)}
    rows.append({"kind": "total", "month": month, **net, **_parts(*total, money)})
    rows += [_payout(each, month, money) for each in found.payouts]
    return written(CREATOR, ({**row, "currency": money.code} for row in rows))


def patron_year(found: PatronYear, money: Currency) -> str:
    """A patron's year, a line a month, and the total."""
    rows = [
        {
            "month": month_name(each.month) if each.month else "total",
            "charges": str(each.charges),
            "charged": plain(each.charge_micros, money),
            "creators": plain(each.creators_micros, money),
            "fee": plain(each.fee_micros, money),
            "card_cost": plain(each.cost_micros, money),
            "given_back": plain(each.given_back_micros, money),
            "currency": money.code,
        }
        for each in (*found.months, found.total)
    ]
    return written(PATRON_YEAR, rows)


def creator_year(found: CreatorYear, money: Currency) -> str:
    """A creator's year, a line a month, and the total."""
    rows = [
        {
            "month": month_name(each.month) if each.month else "total",
            "likes": str(each.flattrs),
            "gross": plain(each.gross_micros, money),
            "fee": plain(each.fee_micros, money),
            "card_cost": plain(each.cost_micros, money),
            "collected": plain(each.collected_micros, money),
            "taken_back": plain(each.taken_back_micros, money),
            "paid_out": plain(each.paid_out_micros, money),
            "came_back": plain(each.came_back_micros, money),
            "currency": money.code,
        }
        for each in (*found.months, found.total)
    ]
    return written(CREATOR_YEAR, rows)


def written(columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> str:
    """Rows as RFC 4180 has them: a head, commas, every field quoted, CR LF; a missing field is empty.

    Numbers that begin with a minus stay numbers: only ours do, and none of ours is a formula.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([cell(row.get(name, "")) if name not in _NUMBERS else row.get(name, "") for name in columns])
    return out.getvalue()


_NUMBERS = frozenset({"taken_back", "given_back", "gross", "fee", "card_cost", "net", "amount", "collected"})
"""What is made of numbers of ours only."""


def _share(share: ShareLine, month: str, money: Currency, proofs: Proofs) -> dict[str, str]:
    return {
        **_thing("flattr", month, share.receipt, share.network, share.title, share.url),
        "liked_at": share.liked_at.isoformat(),
        "creator": share.creator,
        "creator_account": share.creator_account,
        "amount": plain(share.micros, money),
        "state": share.state,
        **_parts(share.gross_micros, share.fee_micros, share.cost_micros, share.taken_back_micros, money),
        "held_for": " ".join(share.held_for),
        **_proof(proofs.get(("share", f"flattr:{share.flattr_id}"))),
    }


def _unpaid(line: Line, month: str, money: Currency) -> dict[str, str]:
    return {
        **_thing("flattr", month, f"{month}-{line.flattr_id}", line.platform, line.title, line.url),
        "liked_at": line.liked_at.isoformat(),
        "creator": line.creator,
        "creator_account": line.creator_account,
        "amount": plain(0, money),
        "state": UNPAID.get(line.state, line.state),
    }


def _earned(line: EarnedLine, month: str, money: Currency, proofs: Proofs) -> dict[str, str]:
    return {
        **_thing("flattr", month, line.receipt, line.network, line.title, line.url),
        "date": line.liked_on.isoformat(),
        "net": plain(line.micros, money),
        "state": line.state,
        **_parts(line.gross_micros, line.fee_micros, line.cost_micros, line.taken_back_micros, money),
        "held_for": " ".join(line.held_for),
        **_proof(proofs.get(("share", f"flattr:{line.flattr_id}"))),
    }


def _thing(kind: str, month: str, receipt: str, network: str, title: str | None, url: str) -> dict[str, str]:
    names = ("kind", "month", "receipt", "network", "title", "url")
    return dict(zip(names, (kind, month, receipt, network, title or "", url), strict=True))


def _parts(gross: int, fee: int, cost: int, taken_back: int, money: Currency) -> dict[str, str]:
    parts = {"gross": gross, "fee": fee, "card_cost": cost, "taken_back": taken_back}
    return {name: plain(micros, money) for name, micros in parts.items()}


def _proof(proof: Proof | None) -> dict[str, str]:
    if proof is None:
        return {}
    return {"book": month_name(proof.book) if proof.book is not None else "", "salt": proof.salt}


def _payout(payout: PayoutLine, month: str, money: Currency) -> dict[str, str]:
    return {
        "kind": "payout",
        "month": month,
        "receipt": f"payout-{payout.id}",
        "date": payout.at.date().isoformat(),
        "net": plain(payout.micros, money),
        "state": payout.state,
        "reference": payout.reference or "",
    }
