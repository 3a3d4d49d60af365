"""A small town for the tests of people: who likes what, through the real recording."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pytest
import sqlalchemy as sa
from sqlmodel import col, select

from core import likes
from core.database import Database
from core.events import AccountRef, Liked, ThingRef, Unliked
from core.months import review, stages
from core.months.tables import Month
from core.people import persons
from core.people.tables import Account
from core.rules import Rules
from core.tables import Flattr


def ref(name: str, platform: str = "sandbox") -> AccountRef:
    return AccountRef(platform=platform, account_id=name)


@dataclass
class Town:
    """Acts in one transaction each, as the hub's parts do."""

    db: Database
    rules: Rules
    at: datetime

    def join(self, *accounts: AccountRef, at: datetime | None = None) -> int:
        """A person with these accounts."""
        with self.db.transaction() as tx:
            person = persons.ensure_person(tx, accounts[0], at or self.at)
            for each in accounts[1:]:
                persons.attach(persons.ensure_account(tx, each), person, at or self.at)
            return persons.key(person)

    def account(self, account: AccountRef) -> Account:
        with self.db.transaction() as tx:
            return persons.ensure_account(tx, account)

    def like(
        self,
        by: AccountRef,
        thing: str,
        author: AccountRef | None,
        at: datetime | None = None,
        order: int | None = None,
    ) -> likes.Recorded:
        event = Liked(by=by, thing=self.thing(thing), author=author, at=at or self.at, order=order)
        with self.db.transaction() as tx:
            return likes.record(tx, self.rules, event, at or self.at)

    def unlike(self, by: AccountRef, thing: str, at: datetime) -> likes.Recorded:
        with self.db.transaction() as tx:
            return likes.record(tx, self.rules, Unliked(by=by, thing=self.thing(thing), at=at), at)

    def thing(self, name: str) -> ThingRef:
        return ThingRef(platform="sandbox", native_id=name, url=f"https://sandbox.example/{name}")

    def review(self, month: int, at: datetime) -> None:
        with self.db.transaction() as tx:
            stages.ensure_month(tx, month)
            review.start(tx, self.rules, month, at)

    def stage(self, month: int, stage: str) -> None:
        with self.db.transaction() as tx:
            stages.ensure_month(tx, month)
            tx.exec(sa.update(Month).where(col(Month.id) == month).values(stage=stage))

    def flattrs(self, *where: object) -> list[Flattr]:
        with self.db.reading() as tx:
            query = select(Flattr).where(*where).order_by(col(Flattr.id))  # type: ignore[arg-type]
            return list(tx.exec(query).all())

    def count(self, table: str, where: str = "true") -> int:
        with self.db.reading() as tx:
            return int(tx.execute(sa.text(f"select count(*) from {table} where {where}")).scalar_one())


@pytest.fixture
def town(db: Database, rules: Rules, at: datetime) -> Town:
    return Town(db, rules, at)


@pytest.fixture
def sqlite_town(sqlite_db: Database, rules: Rules, at: datetime) -> Town:
    return Town(sqlite_db, rules, at)
