"""A busy quarter, told line by line: everything that its months, refunds and payouts write is in busy_quarter.txt.

Where the other tests state facts, this one holds still whatever nobody thought of stating. If a rule really changed,
`FLATTR_WRITE=1 pytest tests/core/test_busy_quarter.py` writes the file anew; its difference is then to be read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import select

from core.books import costs
from core.charges import unpaid
from core.database import from_micros
from core.holds import deciding
from core.months import payouts, statements, worth
from core.months.tables import Payout, Statement
from core.payments import counterparts
from core.payments.states import DisputeState, RefundState, TransferState, WarningState
from core.people import claims, leaving, merging, preferences
from core.returns import disputes, refunds, warnings
from tests.core.scripted import hosted, paid_creator
from tests.scene import DECLINES, EUR, LOSES_ANSWER, Scene

TOLD = Path(__file__).with_name("busy_quarter.txt")

TABLES = {
    "month": "id",
    "payable": "month, account_id",
    "statement": "id",
    "share": "flattr_id",
    "charge": "statement_id, attempt",
    "hold": "id",
    "refund": "id",
    "dispute": "reference",
    "payout_run": "id",
    "payout": "id",
    "outbox": "kind, source",
    "posting": "kind, source",
}


class Quarter:
    """The world, and what is told of it."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.house = hosted(scene)
        self.told: list[str] = []
        self.people: dict[str, int] = {}

    def tell(self, *words: object) -> None:
        self.told.append(" ".join(_plain(word) for word in words))

    def later(self, **step: float) -> None:
        self.scene.later(**step)
        self.tell(self.scene.at, *(f"[{step}]" for step in self.scene.advance()))

    def reach(self, day: int) -> None:
        """Move on to that day of the month."""
        while self.scene.at.day != day:
            self.scene.later(days=1)
        self.later()

    def close(self) -> None:
        self.views()
        self.scene.month_over()
        self.later()
        self.views()
        self.later(seconds=self.scene.rules.review.total_seconds())
        with self.scene.db.transaction() as tx:
            for number in tx.exec(select(Statement.id).order_by(Statement.id)).all():  # type: ignore[arg-type]
                counterparts.keep(tx, "intent", number or 0, f"pi-{number}", self.scene.at)

    def settle(self) -> None:
        for days in (1, 2, 2, 2):
            self.later(days=days)

    def of(self, name: str, back: int = 1) -> Statement:
        with self.scene.db.reading() as tx:
            mine = select(Statement).where(Statement.patron_id == self.people[name])
            return tx.exec(mine.order_by(Statement.month)).all()[-back]  # type: ignore[arg-type]

    def hear(self, learn: Any, state: Any) -> None:
        for _ in range(2):
            with self.scene.db.transaction() as tx:
                learn(tx, self.scene.rules, state, self.scene.at)

    def views(self) -> None:
        """What people would see now."""
        scene, at = self.scene, self.scene.at
        with scene.db.reading() as tx:
            for name, person in self.people.items():
                now = worth.status(tx, scene.rules, person, at)
                self.tell(name, *_values(now, skip=("lines",)))
                for line in now.lines:
                    self.tell(" ", *_values(line))
                self.tell("  earned", *_values(statements.earnings(tx, scene.rules, person, at)))
                self.tell("  unpaid", unpaid.of(tx, person))
                for month in statements.statement_months(tx, person):
                    self.tell("  month", statements.patron_statement(tx, scene.rules, person, month, at))

    def rows(self) -> Iterator[str]:
        with self.scene.db.reading() as tx:
            for table, order in TABLES.items():
                yield f"-- {table}"
                for row in tx.execute(sa.text(f"select * from {table} order by {order}")).mappings():
                    left_out = ("id",) if table in ("outbox", "posting") else ()
                    yield " ".join(
                        f"{name}={_cell(name, value)}" for name, value in row.items() if name not in left_out
                    )


def _values(view: Any, skip: tuple[str, ...] = ()) -> Iterator[str]:
    for each in fields(view):
        if each.name not in skip:
            yield f"{each.name}={_plain(getattr(view, each.name))}"


def _plain(value: object) -> str:
    return value.isoformat(" ", "minutes") if isinstance(value, datetime) else str(value)


def _cell(name: str, value: object) -> str:
    moment = isinstance(value, int) and (name == "at" or name.endswith(("_at", "_ends_at")))
    return _plain(from_micros(value)) if moment else str(value)  # type: ignore[arg-type]


def a_busy_quarter(scene: Scene) -> list[str]:
    quarter = Quarter(scene)
    cards = {"ada": "", "bob": "", "cy": DECLINES, "dan": LOSES_ANSWER, "eve": "", "fay": ""}
    for name, card in cards.items():
        more = {"card": card} if card else {}
        quarter.people[name] = scene.patron(
            name, {"ada": 35, "bob": 12, "cy": 7, "dan": 9, "eve": 5, "fay": 20}[name], **more
        )
    for name in ("ann", "ben", "clo"):
        quarter.people[name] = paid_creator(scene, name)
    who = quarter.people
    with scene.db.transaction() as tx:
        preferences.bear_cost(tx, who["ada"], agreed=True)
        preferences.set_caps(tx, who["bob"], per_flattr_micros=3 * EUR, per_creator_micros=None)
        preferences.set_caps(tx, who["fay"], per_flattr_micros=None, per_creator_micros=4 * EUR)
        preferences.set_caps(tx, who["eve"], per_flattr_micros=EUR // 10, per_creator_micros=None)

    # November: all sorts of likes.
    for number in range(7):
        scene.like("ada", f"ann-{number}", "ann")
    scene.like("ada", "ben-0", "ben")
    scene.like("ada", "unheard", "nobody")
    scene.like("ada", "unknown", None)
    for number in range(3):
        scene.like("bob", f"ben-{number}", "ben")
        scene.like("fay", f"clo-{number}", "clo")
    scene.unlike("bob", "ben-1")
    scene.like("fay", "ann-0", "ann")
    scene.like("ann", "ann-0", "ann")
    for name in ("cy", "dan", "eve"):
        scene.like(name, "ann-0", "ann")
        scene.like(name, "clo-0", "clo")
    with scene.db.transaction() as tx:
        clo = claims.persons.accounts_of(tx, who["clo"])[0].id or 0
        preferences.ignore(tx, who["dan"], clo, scene.at)
    quarter.close()
    quarter.settle()

    # December: money is paid out, goes back, comes again.
    quarter.reach(11)
    for name in ("ada", "bob", "dan", "fay"):
        scene.like(name, "clo-9", "clo")
        scene.like(name, "ben-9", "ben")
    ada, bob, fay = quarter.of("ada"), quarter.of("bob"), quarter.of("fay")
    with scene.db.transaction() as tx:
        refunds.ask(tx, scene.rules, statement_id=ada.id or 0, amount_micros=5 * EUR, reason="operator", at=scene.at)
    quarter.later(hours=1)
    state = DisputeState(
        reference="dp_1", intent=f"pi-{bob.id}", amount_minor=bob.charge_micros // 10_000, status="needs_response",
        taken_minor=bob.charge_micros // 10_000,
    )  # fmt: skip
    quarter.hear(disputes.learn, state)
    quarter.later(hours=1)
    quarter.views()
    quarter.hear(disputes.learn, replace(state, taken_minor=0, status="won", closed=True))
    by_hand = RefundState(reference="re_hand", intent=f"pi-{fay.id}", amount_minor=150, state="succeeded")
    quarter.hear(refunds.learn, by_hand)
    quarter.hear(refunds.learn, replace(by_hand, state="failed", reason="the card is closed"))
    quarter.hear(warnings.learn, WarningState(reference="issfr_1", intent=f"pi-{fay.id}", actionable=True))
    with scene.db.transaction() as tx:
        costs.post(tx, [costs.Cost("txn_1", 700_000), costs.Cost("txn_2", 2 * EUR)], scene.at)
        costs.post(tx, [costs.Cost("txn_2", 2 * EUR), costs.Cost("txn_3", -EUR)], scene.at)
    quarter.later(hours=2)
    with scene.db.transaction() as tx:
        preferences.skip(tx, who["dan"], worth.month_of(scene.at), scene.at)
    quarter.close()
    quarter.settle()

    # January: a payout in pieces, one that is refused, one whose answer is lost, and some leave.
    quarter.house.available = 1000
    quarter.house.lost_answers = 1
    quarter.reach(11)
    for name in ("ada", "bob", "fay"):
        scene.like(name, "ann-77", "ann")
    quarter.house.available = 10**6
    quarter.later(hours=1)
    with scene.db.transaction() as tx:
        leaving.stop(tx, scene.rules, who["bob"], scene.at)
        merging.merge(tx, scene.rules, keep_id=who["ann"], lose_id=who["ben"], at=scene.at)
        paid = tx.exec(select(Payout).where(Payout.state == "sent")).first()
        assert paid is not None
    back = TransferState(
        reference=str(paid.reference), payout_id=paid.id, attempt=paid.attempt,
        amount_minor=paid.amount_micros // 10_000, reversals=(("trr_1", 100),),
    )  # fmt: skip
    quarter.hear(payouts.learn, back)
    quarter.views()
    quarter.close()
    for hold in held(scene):
        with scene.db.transaction() as tx:
            decide = deciding.release if hold % 2 else deciding.void
            more = {} if hold % 2 else {"rules": scene.rules}
            decide(tx, hold_id=hold, by="operator", note="looked at", at=scene.at, **more)
    quarter.settle()
    quarter.reach(11)
    quarter.later(days=95)
    quarter.views()
    return [*quarter.told, *quarter.rows()]


def held(scene: Scene) -> list[int]:
    with scene.db.reading() as tx:
        return list(tx.execute(sa.text("select id from hold where state = 'held' order by id")).scalars())


@pytest.fixture
def rules(rules):
    """Costs that patrons may bear, and holds that really hold."""
    return replace(
        rules, cost_bp=290, cost_fixed_micros=250_000, hold_part_bp=6000, hold_micros=8 * EUR, hold_new=timedelta(0)
    )


def test_a_busy_quarter_is_written_as_it_always_was(sqlite_db, rules, at):
    scene = Scene(sqlite_db, rules, at)  # numbers and the order of words are SQLite's
    told = a_busy_quarter(scene)
    assert scene.broken() == []
    if os.environ.get("FLATTR_WRITE"):
        TOLD.write_text("\n".join(told) + "\n")
    assert told == TOLD.read_text().splitlines()
