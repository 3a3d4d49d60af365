"""The whole ledger as a Beancount file, so that tools that are not ours can add it up.

Every posting is a transaction of two legs, its kind, source and number beside it. Persons are numbers. Amounts are
exact to the micro, and at the end the file asserts what every account holds, as the hub sums it up itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

import sqlalchemy as sa
from sqlmodel import Session

from core.books import ledger
from core.database import from_micros
from core.money import Currency

_NAMES = {
    0: "Assets:Bank",
    1: "Assets:Stripe",
    2: "Liabilities:Patrons:P{person}",
    3: "Liabilities:Creators:P{person}",
    4: "Liabilities:Transit",
    5: "Income:Fees",
    6: "Income:CardCosts",
    7: "Expenses:Losses",
}
"""How Beancount calls the ledger's kinds of account; see `core.books.ledger`."""

_HEAD = """\
; The ledger of a Flattr Hub, {postings} postings. Check it with: bean-check FILE
; P5 is the person with the number 5; a patron's account is a clearing account that returns to zero.
{warning}option "title" "Flattr Hub{mark}"
option "operating_currency" "{code}"
{first} commodity {code}
"""


def account(number: int) -> str:
    """A ledger account's name in Beancount."""
    person, kind = divmod(number, 8)
    return _NAMES[kind].format(person=person)


def lines(tx: Session, money: Currency, *, pretend: bool) -> Iterator[str]:
    """The file, in pieces that end a line; ``tx`` must be one consistent view while they are taken.

    ``pretend``: the money is not real, and the file says so where every tool shows it.
    """
    count, first, last = tx.execute(sa.text("select count(*), min(at), max(at) from posting")).one()
    if not count:
        yield "; The ledger of a Flattr Hub; nothing is posted yet.\n"
        return
    # What is asserted on a day is asserted of its beginning.
    begins, after = _day(first), _day(last) + timedelta(days=1)
    warning, mark = ("; All of it is pretend money.\n", " (pretend money)") if pretend else ("", "")
    yield _HEAD.format(postings=count, code=money.code, first=begins, warning=warning, mark=mark)
    held = dict(sorted(ledger.balances(tx).items()))
    for number in held:
        yield f"{begins} open {account(number)} {money.code}\n"
    query = sa.text("select id, at, kind, source, debit, credit, amount_micros from posting order by id")
    for id_, at, kind, source, debit, credit, micros in tx.execute(query.execution_options(yield_per=5_000)):
        amount = _decimal(micros)
        yield (
            f'\n{_day(at)} * "{_quoted(kind)} {_quoted(source)}"\n'
            f'  kind: "{_quoted(kind)}"\n  source: "{_quoted(source)}"\n  posting: {id_}\n'
            f"  {account(debit)}  {amount} {money.code}\n"
            f"  {account(credit)}  -{amount} {money.code}\n"
        )
    yield "\n"
    for number, micros in held.items():
        # Credits less debits is what the hub owes; Beancount has debits as plus. "~ 0": to the last digit.
        yield f"{after} balance {account(number)}  {_decimal(-micros)} ~ 0 {money.code}\n"


def _day(at: int) -> date:
    return from_micros(at).date()


def _decimal(micros: int) -> str:
    """Exact, and always with six decimals, so that Beancount infers no tolerance that hides one."""
    return f"{Decimal(micros).scaleb(-6):.6f}"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
