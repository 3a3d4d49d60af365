"""What the demo saw, compared with what the design says it must be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, SQLModel, col, select

from config.parts import Parts
from core.books import invariants, ledger
from core.events import AccountRef
from core.mail import inbox, outbox
from core.months import statements
from core.months.statements import Earnings, PatronStatement
from core.months.tables import Payout, PayoutRun, Share
from core.people import persons

EUR = 1_000_000

MONEY_TABLES = ("posting", "statement", "share", "charge", "payout", "payout_run", "sandbox_movement")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that must be so, and what was found."""

    what: str
    expected: object
    found: object

    @property
    def right(self) -> bool:
        """Whether it is so."""
        return self.expected == self.found


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """One payout as its creator sees it."""

    run: str
    creator: str
    micros: int
    state: str


@dataclass(slots=True, kw_only=True)
class Story:
    """What happened, to be told as tables or as JSON."""

    month: int
    currency: str
    talk: list[tuple[str, str, str]] = field(default_factory=list)
    """Who, what they said to the bot, what it answered."""
    steps: list[str] = field(default_factory=list)
    statements: dict[str, PatronStatement] = field(default_factory=dict)
    earnings: dict[str, Earnings] = field(default_factory=dict)
    balances: dict[str, int] = field(default_factory=dict)
    payouts: list[Paid] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)

    def check(self, what: str, expected: object, found: object) -> None:
        """Note a figure that must be right."""
        self.checks.append(Check(what=what, expected=expected, found=found))

    @property
    def right(self) -> bool:
        """Whether every figure is."""
        return bool(self.checks) and all(check.right for check in self.checks)


def money_rows(parts: Parts) -> dict[str, list[tuple[Any, ...]]]:
    """Every row that is about money, to see whether anything changed."""
    with parts.db.reading() as tx:
        return {
            name: [tuple(row) for row in tx.execute(sa.select(table).order_by(*table.primary_key))]
            for name in MONEY_TABLES
            if (table := SQLModel.metadata.tables[name]) is not None
        }


def person_id(tx: Session, platform: str, account_id: str) -> int:
    """The person behind an account; 0 for a stranger."""
    found = persons.person_of(tx, AccountRef(platform=platform, account_id=account_id))
    return persons.key(found) if found else 0


def sent_micros(parts: Parts) -> int:
    """What was paid out so far."""
    with parts.db.reading() as tx:
        return sum(each.amount_micros for each in tx.exec(select(Payout)) if each.state == "sent")


def read(story: Story, parts: Parts, patrons: Mapping[str, tuple[str, str]], names: Mapping[str, str]) -> None:
    """Take statements, earnings, payouts and books out of the database into the story.

    ``patrons``: name to account; ``names``: ``platform:account_id`` to a creator's name.
    """
    at = parts.clock()
    with parts.db.reading() as tx:
        for name, account in patrons.items():
            found = statements.patron_statement(tx, parts.rules, person_id(tx, *account), story.month, at)
            if found is not None:
                story.statements[name] = found
        for creator in sorted(set(tx.exec(select(Share.creator_id)))):
            first = str(persons.accounts_of(tx, creator)[0])
            name = names.get(first, first)
            story.earnings[name] = statements.earnings(tx, parts.rules, creator, at)
            for payout in tx.exec(select(Payout).where(Payout.creator_id == creator).order_by(col(Payout.id))):
                began = tx.get_one(PayoutRun, payout.run_id).started_at
                story.payouts.append(
                    Paid(run=f"{began:%Y-%m-%d}", creator=name, micros=payout.amount_micros, state=payout.state)
                )
        story.balances = {ledger.describe(number): sum_ for number, sum_ in sorted(ledger.balances(tx).items())}


def prove(story: Story, parts: Parts) -> None:
    """Compare every figure with the worked example of the design, and with what else this story must bring."""
    for name, state, charge, shares, each, fee in (
        ("Ada", "collected", 35 * EUR, 10, 3_150_000, 3_500_000),
        ("Greta", "lapsed", 5 * EUR, 3, 1_500_000, 500_000),
        ("Hugo", "collected", 10 * EUR, 4, 2_250_000, 1 * EUR),
    ):
        found = story.statements.get(name)
        story.check(f"{name}'s statement", state, found.state if found else "missing")
        if found is not None:
            micros = [line.micros for line in found.shares]
            story.check(f"{name} is charged", charge, found.charge_micros)
            story.check(f"{name}'s shares", [each] * shares, micros)
            story.check(f"the fee on {name}'s charge", fee, found.fee_micros)
            story.check(f"{name}'s shares and fee, summed", charge, sum(micros) + found.fee_micros + found.cost_micros)
    paid = sum(each.micros for each in story.payouts if each.state == "sent")
    story.check("creators are paid what was collected for them", 31_500_000 + 9_000_000, paid)
    story.check("what is still due to creators", 0, sum(each.due_micros for each in story.earnings.values()))
    with parts.db.reading() as tx:
        letters, notes, broken = inbox.counts(tx), outbox.counts(tx), invariants.broken(tx)
        income = ledger.owed(tx, ledger.INCOME)
    story.check("the hub's income", 3_500_000 + 1_000_000, income)
    story.check("dead letters", 0, letters.dead)
    story.check("deliveries not worked off", 0, letters.unaccounted + letters.waiting)
    story.check("notes not delivered", 0, notes.failed + notes.waiting + notes.sending)
    story.check("rules of the books that do not hold", [], [str(each) for each in broken])
