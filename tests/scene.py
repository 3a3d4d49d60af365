"""A small world for tests: people who like things, on a real database, at times that the test names."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from core import likes
from core.books import invariants, ledger
from core.database import Database
from core.events import AccountRef, Liked, ThingRef, Unliked
from core.months import runner, worth
from core.months.tables import Month, Statement
from core.payments.gateway import Gateway
from core.payments.sandbox import CARDS, SandboxGateway
from core.people import budgets, cards, claims, persons
from core.periods import month_end, month_of, parse_month
from core.rules import Rules

EUR = 1_000_000
PAYS, DECLINES, EXPIRED, LOSES_ANSWER = CARDS


@dataclass
class Scene:
    db: Database
    rules: Rules
    at: datetime
    gateway: Gateway = field(init=False)
    _made: count[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.gateway = SandboxGateway(self.db)

    def account(self, name: str, platform: str = "pond") -> AccountRef:
        return AccountRef(platform=platform, account_id=f"id-{name}", handle=name)

    def person(self, name: str, platform: str = "pond") -> int:
        with self.db.transaction() as tx:
            person = persons.ensure_person(tx, self.account(name, platform), self.at)
            assert person.id is not None
            return person.id

    def patron(self, name: str, budget: float = 10, card=PAYS) -> int:
        person = self.person(name)
        with self.db.transaction() as tx:
            budgets.set_budget(tx, self.rules, person_id=person, amount_micros=round(budget * EUR), at=self.at)
            if card:
                cards.choose(tx, person, card, self.at)
        return person

    def creator(self, name: str) -> int:
        person = self.person(name)
        with self.db.transaction() as tx:
            claims.claim(tx, self.rules, person_id=person, at=self.at, can_pay=True)
        return person

    def thing(self, name: str, platform: str = "pond") -> ThingRef:
        return ThingRef(platform=platform, native_id=name, url=f"https://{platform}.example/{name}")

    def liked(self, by: str, thing: str, author: str | None = "maker", **more) -> Liked:
        return Liked(by=self.account(by), thing=self.thing(thing), author=author and self.account(author), **more)

    def unliked(self, by: str, thing: str, **more) -> Unliked:
        return Unliked(by=self.account(by), thing=self.thing(thing), **more)

    def record(self, *events, at: datetime | None = None):
        with self.db.transaction() as tx:
            return [likes.record(tx, self.rules, event, at or self.at) for event in events][-1]

    def like(self, by: str, thing: str, author: str | None = "maker", at: datetime | None = None, **more):
        return self.record(self.liked(by, thing, author, **more), at=at)

    def unlike(self, by: str, thing: str, at: datetime | None = None, **more):
        return self.record(self.unliked(by, thing, **more), at=at)

    def later(self, **step: float) -> datetime:
        self.at += timedelta(**step)
        return self.at

    def month_over(self) -> int:
        """Move to where the present month's review is due; that month."""
        month = month_of(self.at)
        self.at = month_end(month) + self.rules.grace
        return month

    def advance(self) -> list[str]:
        return [step.what for step in runner.advance(self.db, self.rules, self.gateway, self.at)]

    def close_month(self) -> int:
        """Through review, closing and the first attempt to collect."""
        month = self.month_over()
        self.advance()
        self.at += self.rules.review
        self.advance()
        return month

    def until_settled(self, month: int) -> None:
        for _ in range(20):
            if self.stage(month) == "settled":
                return
            self.later(days=1)
            self.advance()
        raise AssertionError("the month does not settle")

    def stage(self, month: int | str) -> str:
        with self.db.reading() as tx:
            return tx.get_one(Month, parse_month(month) if isinstance(month, str) else month).stage

    def status(self, person: int, month: int | None = None) -> worth.Status:
        with self.db.reading() as tx:
            return worth.status(tx, self.rules, person, self.at, month=month)

    def states(self, person: int, month: int | None = None) -> list[str]:
        return [line.state for line in self.status(person, month).lines]

    def statement(self, person: int, month: int) -> Statement:
        from sqlmodel import select

        with self.db.reading() as tx:
            return tx.exec(select(Statement).where(Statement.patron_id == person, Statement.month == month)).one()

    def due(self, creator: int) -> int:
        with self.db.reading() as tx:
            return ledger.owed(tx, ledger.creator(creator))

    def income(self) -> int:
        with self.db.reading() as tx:
            return ledger.owed(tx, ledger.INCOME)

    def books(self) -> dict[str, int]:
        with self.db.reading() as tx:
            return {ledger.describe(each): sum_ for each, sum_ in ledger.balances(tx).items() if sum_}

    def broken(self) -> list[str]:
        with self.db.reading() as tx:
            return [str(violation) for violation in invariants.broken(tx)]
