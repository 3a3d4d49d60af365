"""Finds for each of the processor's lines the posting that is the same money, and says why where there is none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlmodel import Session, col, select

from core.books.ledger import STRIPE
from core.books.tables import Posting
from core.money import Currency, show
from core.months.tables import Charge, Payout
from core.payments.tables import Counterpart
from core.reconciling import disputing, kinds
from core.reconciling.tables import Movement
from core.returns.tables import Refund

BATCH = 500


@dataclass(frozen=True, slots=True)
class Look:
    """An object of the processor that may tell what a line is about: the kind of the errand, and its reference."""

    kind: str
    reference: str


def match(tx: Session, money: Currency, references: Sequence[str]) -> list[Look]:
    """Match lines by their references, and name the difference of each that matches nothing; what to look at then."""
    looks: list[Look] = []
    for start in range(0, len(references), BATCH):
        query = select(Movement).where(col(Movement.reference).in_(references[start : start + BATCH]))
        rows = tx.exec(query.order_by(col(Movement.at), col(Movement.reference))).all()
        looks += _Batch(tx, money, [row for row in rows if row.posting_id is None]).match()
        tx.flush()
    return list(dict.fromkeys(looks))


class _Batch:
    """Some lines, and what is known about all of them at once."""

    def __init__(self, tx: Session, money: Currency, rows: Sequence[Movement]) -> None:
        self._tx, self._money, self._rows = tx, money, rows
        self._statements = _statements(tx, rows)
        self._payouts = _payouts(tx, rows)

    def match(self) -> list[Look]:
        looks = []
        wanted = {row.reference: self._names(row) for row in self._rows if self._is_money(row)}
        found = _postings(self._tx, [name for names in wanted.values() for name in names])
        taken = _taken(self._tx, [posting for each in found.values() for posting in each])
        disputes: set[str] = set()
        for row in self._rows:
            row.difference = None
            if row.currency != self._money.code:
                row.difference = (
                    f"it is in {row.currency}, but this hub counts in {self._money.code}: settle it at Stripe by hand"
                )
            elif kinds.is_dispute(row.kind, row.source):
                assert row.source is not None
                disputes.add(row.source)
            elif (row.kind == kinds.ADJUSTED or row.kind not in _KNOWN) and row.amount_micros:
                row.difference = (
                    f"the hub knows no {row.kind} of this sort: see in Stripe's Dashboard what it was, then"
                    f" `flattr settle {row.reference}`"
                )
            elif row.reference in wanted:
                names = wanted[row.reference]
                postings = [posting for name in names for posting in found.get(name, ())]
                look = self._judge(row, postings, taken)
                if look is not None:
                    looks.append(look)
        different = [name for name in sorted(disputes) if not disputing.match(self._tx, self._money, name)]
        return [*looks, *(Look("dispute", name) for name in different)]

    def _is_money(self, row: Movement) -> bool:
        return row.currency == self._money.code and row.kind in _MATCHED

    def _names(self, row: Movement) -> list[tuple[str, str]]:
        """The postings, by kind and source, that would be this line's."""
        statement = self._statements.get(row.reference)
        if row.kind in kinds.SENT:
            payout = self._payouts.get(row.reference)
            return [("sent", f"payout:{payout}")] if payout else []
        if row.kind in kinds.SENT_BACK:
            return [("sent_back", row.source)] if row.source else []
        if statement is None:
            return []
        if row.kind in kinds.COLLECTED:
            return [("charge", f"statement:{statement}")]
        undone, over = (f"{row.source}{part}/statement:{statement}" for part in ("", "/over"))
        if row.kind in kinds.REFUNDED:
            return [("charge_back", undone), ("loss", over)]
        return [("charge_again", undone), ("loss_again", over)]

    def _judge(self, row: Movement, postings: list[Posting], taken: dict[int, str]) -> Look | None:
        """Take the posting, or say what is different; what to look at in that case."""
        postings = [each for each in postings if STRIPE in (each.debit, each.credit)]
        amount = sum(effect(each) for each in postings)
        others = {taken[int(each.id or 0)] for each in postings if each.id in taken} - {row.reference}
        if postings and not others and amount == row.amount_micros:
            row.posting_id = postings[0].id
            taken |= {int(each.id or 0): row.reference for each in postings}
            return None
        said, about = show(row.amount_micros, self._money), _about(row, self._statements, self._payouts)
        if not postings:
            row.difference = f"{said}{about} is not in the books: find it in Stripe's Dashboard"
        elif others:
            row.difference = (
                f"{said}{about} happened twice at Stripe ({', '.join(sorted(others))} too): give one back there"
            )
        else:
            row.difference = (
                f"{said}{about} is {show(amount, self._money)} in the books: compare it with Stripe's Dashboard, and"
                " report it"
            )
        return _look(row, self._tx)


def effect(posting: Posting) -> int:
    """What a posting changes at the processor, in micros."""
    return (posting.debit == STRIPE) * posting.amount_micros - (posting.credit == STRIPE) * posting.amount_micros


_MATCHED = kinds.COLLECTED | kinds.REFUNDED | kinds.REFUND_FAILED | kinds.SENT | kinds.SENT_BACK
_KNOWN = _MATCHED | kinds.BANK | kinds.COSTS | kinds.LOST | kinds.RESERVES


def _about(row: Movement, statements: dict[str, int], payouts: dict[str, int]) -> str:
    if row.reference in payouts:
        return f" of payout {payouts[row.reference]}"
    return f" of statement {statements[row.reference]}" if row.reference in statements else " of nothing known here"


def _look(row: Movement, tx: Session) -> Look | None:
    if row.kind in kinds.COLLECTED:
        return Look("intent", row.intent) if row.intent else None
    if row.kind in kinds.REFUNDED | kinds.REFUND_FAILED:
        return Look("refund", row.source) if row.source else None
    if row.kind in kinds.SENT:
        return Look("transfer", row.source) if row.source else None
    payout = tx.get(Payout, row.payout_id) if row.payout_id else None
    return Look("transfer", payout.reference) if payout is not None and payout.reference else None


def _statements(tx: Session, rows: Sequence[Movement]) -> dict[str, int]:
    """The statement that each line is about, by what the processor calls its collecting, the charge or the refund."""
    intents = {row.intent for row in rows if row.intent}
    by_intent = dict(
        tx.execute(
            sa.select(col(Counterpart.reference), col(Counterpart.own_id)).where(
                col(Counterpart.kind) == "intent", col(Counterpart.reference).in_(intents)
            )
        ).all()
    )
    patrons = kinds.COLLECTED | kinds.REFUNDED | kinds.REFUND_FAILED
    lost = {row.source for row in rows if row.source and row.kind in patrons and row.intent not in by_intent}
    by_source: dict[str | None, int] = {}
    if lost:
        for table in (Charge, Refund):
            query = sa.select(col(table.reference), col(table.statement_id)).where(col(table.reference).in_(lost))
            by_source |= dict(tx.execute(query).all())
    found = {row.reference: by_intent.get(row.intent or "") or by_source.get(row.source) for row in rows}
    return {reference: statement for reference, statement in found.items() if statement is not None}


def _payouts(tx: Session, rows: Sequence[Movement]) -> dict[str, int]:
    sources = {row.source for row in rows if row.source and row.kind in kinds.SENT}
    query = sa.select(col(Payout.reference), col(Payout.id)).where(col(Payout.reference).in_(sources))
    by_source = dict(tx.execute(query).all()) if sources else {}
    found = {
        row.reference: row.payout_id or by_source.get(row.source)
        for row in rows
        if row.kind in kinds.SENT | kinds.SENT_BACK
    }
    return {reference: payout for reference, payout in found.items() if payout is not None}


def _postings(tx: Session, names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], list[Posting]]:
    by_kind: dict[str, set[str]] = {}
    for kind, source in names:
        by_kind.setdefault(kind, set()).add(source)
    found: dict[tuple[str, str], list[Posting]] = {}
    for kind, sources in by_kind.items():
        for posting in tx.exec(select(Posting).where(Posting.kind == kind, col(Posting.source).in_(sources))):
            found.setdefault((kind, posting.source), []).append(posting)
    return found


def _taken(tx: Session, postings: Sequence[Posting]) -> dict[int, str]:
    """Which of these postings are some line's already."""
    query = sa.select(col(Movement.posting_id), col(Movement.reference)).where(
        col(Movement.posting_id).in_([posting.id for posting in postings])
    )
    return {int(posting or 0): reference for posting, reference in tx.execute(query)}
