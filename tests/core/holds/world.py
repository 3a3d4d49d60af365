"""A world in which things are held: the rules as they are shipped, and people with cards that have fingerprints."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta

from sqlmodel import select

from core.database import Database
from core.holds import deciding
from core.holds.tables import Hold
from core.people.tables import Card, Person
from core.returns import refunds
from core.rules import Rules
from tests.scene import Scene


def as_shipped(rules: Rules) -> Rules:
    """The rules with holds as they are unless an operator says otherwise."""
    plain = Rules(money=rules.money, pseudonym_key=rules.pseudonym_key)
    return dataclasses.replace(
        rules, hold_micros=plain.hold_micros, hold_mutual_bp=plain.hold_mutual_bp, hold_new=plain.hold_new
    )


class World(Scene):
    """Everybody has been here for long, unless they are `new`."""

    def __init__(self, db: Database, rules: Rules, at: datetime) -> None:
        super().__init__(db, as_shipped(rules), at)

    def long_here(self, *people: int) -> None:
        since = self.at - timedelta(days=365)
        with self.db.transaction() as tx:
            for each in people:
                person = tx.get_one(Person, each)
                if person.receives_since is not None:
                    person.receives_since = since
                if (card := tx.get(Card, each)) is not None:
                    card.since = since

    def old_patron(self, name: str, budget: float = 10) -> int:
        person = self.patron(name, budget)
        self.long_here(person)
        return person

    def old_creator(self, name: str) -> int:
        person = self.creator(name)
        self.long_here(person)
        return person

    def fingerprint(self, person: int, fingerprint: str | None) -> None:
        with self.db.transaction() as tx:
            tx.get_one(Card, person).fingerprint = fingerprint

    def holds(self) -> list[Hold]:
        with self.db.reading() as tx:
            return list(tx.exec(select(Hold).order_by(Hold.id)))  # type: ignore[arg-type]

    def held(self) -> dict[tuple[int, int], str]:
        """The reasons by patron and creator."""
        return {(hold.patron_id, hold.creator_id): hold.reasons for hold in self.holds()}

    def release(self, hold_id: int, note: str = "") -> None:
        with self.db.transaction() as tx:
            deciding.release(tx, hold_id, by="operator", note=note, at=self.at)

    def void(self, hold_id: int, note: str = "") -> None:
        with self.db.transaction() as tx:
            deciding.void(tx, self.rules, hold_id, by="operator", note=note, at=self.at)

    def settle_holds(self) -> int:
        """What the months' runner does each round for holds and refunds."""
        with self.db.transaction() as tx:
            moved = deciding.settle(tx, self.rules, self.at)
        refunds.send(self.db, self.rules, self.gateway, self.at)
        with self.db.transaction() as tx:
            return moved + deciding.settle(tx, self.rules, self.at)
