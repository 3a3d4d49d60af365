"""Whatever goes out, comes back and goes again, in any order: the books hold, and no creator ever owes anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session, col, select

from core.books import invariants, ledger
from core.books.tables import Posting
from core.holds import deciding
from core.holds.tables import Hold
from core.months import payouts
from core.months.tables import Payout, Share, Statement
from core.payments import counterparts
from core.payments.gateway import Done, Outcome, Refused, Unknown
from core.payments.states import DisputeState, RefundState, TransferState, WarningState
from core.people import merging, persons
from core.returns import disputes, refunds, warnings
from core.returns.tables import Refund
from core.rules import Rules
from tests.core.scripted import hosted, paid_creator
from tests.scene import EUR, Scene

PARTS = 20
"""Amounts are drawn in twentieths of what they can be at most."""


@pytest.fixture
def world(scene: Scene) -> Scene:
    """Two collected months: four creators, of whom two are one since; old money and early, a hold, odd fractions."""
    hosted(scene)
    scene.rules = Rules(money=scene.rules.money, pseudonym_key=b"", cooling=timedelta(0), payout_min_micros=2 * EUR)
    makers = [paid_creator(scene, f"maker-{number}") for number in range(4)]
    for month in range(3):
        for name, budget, likes in (("ada", 10, 3), ("bob", 5, 7), ("cy", 20, 4), ("new", 7, 5)):
            if name == "new" and month < 2:
                continue
            scene.patron(name, budget)
            for number in range(likes):
                scene.like(name, f"{name}-{month}-{number}", f"maker-{(number + month) % 4}")
        scene.close_month()
    with scene.db.transaction() as tx:
        first = tx.exec(select(Statement).order_by(col(Statement.id))).all()
        for statement in first:
            counterparts.keep(tx, "intent", statement.id or 0, f"pi-{statement.id}", scene.at)
        tx.add(
            Hold(
                month=first[1].month,
                patron_id=first[1].patron_id,
                creator_id=makers[0],
                micros=1,
                reasons="one_patron",
                made_at=scene.at,
            )
        )
        merging.merge(tx, scene.rules, keep_id=makers[2], lose_id=makers[3], at=scene.at)
    scene.later(days=10)
    return scene


@dataclass
class Play:
    """One sequence of events; what the processor has moved is counted apart from the books."""

    tx: Session
    rules: Rules
    at: datetime
    taken: dict[str, int] = field(default_factory=dict)
    """Minor units: disputes and refunds, by their ids."""
    sent: dict[int, int] = field(default_factory=dict)
    reversals: dict[int, list[tuple[str, int]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.statements = self.tx.exec(select(Statement).order_by(col(Statement.id))).all()

    def statement(self, number: int) -> Statement:
        return self.statements[number % len(self.statements)]

    def minor(self, micros: int, part: int) -> int:
        return micros // 10_000 * (part + 1) // PARTS

    # Disputes

    def dispute(self, number: int, part: int) -> None:
        number %= 2 * len(self.statements)  # two for each statement, of all the money
        statement, reference = self.statement(number), f"dp_{number}"
        taken = self.minor(statement.charge_micros, part) if part else 0
        self.taken[reference] = taken
        state = DisputeState(
            reference=reference, intent=f"pi-{statement.id}", amount_minor=taken, taken_minor=taken,
            status="won" if not taken else "lost", closed=part % 2 == 0,
        )  # fmt: skip
        disputes.learn(self.tx, self.rules, state, self.at)
        disputes.learn(self.tx, self.rules, state, self.at)

    def warning(self, number: int, part: int) -> None:
        state = WarningState(
            reference=f"issfr_{number}", intent=f"pi-{self.statement(number).id}", actionable=part % 5 > 0
        )
        warnings.learn(self.tx, self.rules, state, self.at)

    # Refunds

    def ask(self, number: int, part: int) -> None:
        statement = self.statement(number)
        if minor := self.minor(refunds.left(self.tx, statement), part):
            refunds.ask(
                self.tx, self.rules, statement_id=statement.id or 0, amount_micros=minor * 10_000, reason="operator",
                at=self.at,
            )  # fmt: skip

    def answer(self, number: int, part: int) -> None:
        row = self.pick(Refund, "asked", number)
        if row is None:
            return
        row.calls += 1
        reference = f"re-{row.statement_id}-{row.number}"
        outcome = self.outcome(reference, part)
        for _ in range(2):
            refunds.record(self.tx, self.rules, row.id or 0, outcome, self.at)
        if isinstance(outcome, Done):
            self.taken[reference] = row.amount_micros // 10_000

    def fail(self, number: int, part: int) -> None:
        row = self.pick(Refund, "sent", number)
        if row is None or row.reference is None:
            return
        state = "failed" if part < PARTS // 2 else "succeeded"
        self.hear(row.reference, row.statement_id, row.amount_micros // 10_000, state)

    def by_hand(self, number: int, part: int) -> None:
        statement = self.statement(number)
        self.hear(
            f"re_hand_{number}", statement.id or 0, self.minor(statement.charge_micros, number % PARTS), "pending"
        )
        if part < PARTS // 2:
            minor = self.minor(statement.charge_micros, number % PARTS)
            self.hear(f"re_hand_{number}", statement.id or 0, minor, "failed")

    def hear(self, reference: str, statement_id: int, minor: int, state: str) -> None:
        if minor == 0:
            return
        news = RefundState(reference=reference, intent=f"pi-{statement_id}", amount_minor=minor, state=state)
        for _ in range(2):
            refunds.learn(self.tx, self.rules, news, self.at)
        if state == "failed" or self.taken.get(reference) != 0:
            self.taken[reference] = 0 if state == "failed" else minor

    # Payouts

    def run(self, number: int, part: int) -> None:
        self.at += timedelta(days=1 + 3 * part)
        count = self.tx.execute(sa.text("select count(*) from payout_run")).scalar_one()
        payouts.begin(self.tx, self.rules, 1 + count, self.at)

    def pay(self, number: int, part: int) -> None:
        row = self.pick(Payout, "asked", number)
        if row is None:
            return
        outcome = self.outcome(f"tr_{row.id}", part)
        for _ in range(2):
            payouts.record(self.tx, self.rules, row.id or 0, outcome, self.at)
        if isinstance(outcome, Done):
            self.sent[row.id or 0] = row.amount_micros // 10_000

    def reverse(self, number: int, part: int) -> None:
        row = self.pick(Payout, "sent", number)
        if row is None:
            return
        back = self.reversals.setdefault(row.id or 0, [])
        left = self.sent[row.id or 0] - sum(minor for _, minor in back)
        if minor := self.minor(left * 10_000, part):
            back.append((f"trr_{row.id}_{len(back)}", minor))
        state = TransferState(
            reference=row.reference or "", payout_id=row.id, attempt=row.attempt,
            amount_minor=row.amount_micros // 10_000, reversals=tuple(back),
        )  # fmt: skip
        for _ in range(2):
            payouts.learn(self.tx, self.rules, state, self.at)

    # Holds

    def decide(self, number: int, part: int) -> None:
        hold = self.tx.exec(select(Hold)).one()
        try:
            if part < PARTS // 2:
                deciding.release(self.tx, hold.id or 0, by="operator", note="", at=self.at)
            else:
                deciding.void(self.tx, self.rules, hold.id or 0, by="operator", note="", at=self.at)
        except deciding.Undecidable:
            deciding.settle(self.tx, self.rules, self.at)

    def pick(self, table, state: str, number: int):
        rows = self.tx.exec(select(table).where(table.state == state).order_by(table.id)).all()
        return rows[number % len(rows)] if rows else None

    def outcome(self, reference: str, part: int) -> Outcome:
        if part < 3:
            return [Unknown("?"), Refused("no"), Refused("not enough", passes=True)][part]
        return Done(reference)

    # What must be true

    def check(self) -> None:
        self.tx.flush()
        assert [str(each) for each in invariants.broken(self.tx)] == []
        charged = sum(statement.charge_micros for statement in self.statements)
        back = sum(minor for reversals in self.reversals.values() for _, minor in reversals)
        out = sum(self.taken.values()) + sum(self.sent.values()) - back
        assert -ledger.owed(self.tx, ledger.STRIPE) == charged - out * 10_000

    def end(self) -> None:
        """All is won and all refunds fail: then every creator has, or was sent, just what their shares were."""
        for number in range(2 * len(self.statements)):
            self.dispute(number, 0)
        for reference, minor in list(self.taken.items()):
            if minor and reference.startswith("re_hand_"):
                self.hear(reference, self.statement(int(reference[8:])).id or 0, minor, "failed")
        while self.pick(Refund, "sent", 0) is not None:
            self.fail(0, 0)
        self.check()
        assert self.taken == dict.fromkeys(self.taken, 0)
        shares = self.by_human(select(Share.creator_id, Share.micros))
        voided = self.by_human(
            ((posting.debit - 3) // 8, -posting.amount_micros)
            for posting in self.tx.exec(select(Posting).where(Posting.kind == "void"))
        )
        out = self.by_human(
            (payout.creator_id, payout.amount_micros)
            for payout in self.tx.exec(select(Payout).where(col(Payout.state).in_(("asked", "sent", "reversed"))))
        )
        back = self.by_human(
            ((posting.credit - 3) // 8, -posting.amount_micros)
            for posting in self.tx.exec(select(Posting).where(Posting.kind == "sent_back"))
        )
        for human, micros in shares.items():
            due = sum(ledger.owed(self.tx, ledger.creator(each)) for each in persons.merged_ids(self.tx, human))
            assert due + out.get(human, 0) + back.get(human, 0) == micros + voided.get(human, 0)
        assert ledger.owed(self.tx, ledger.LOSS) == 0

    def by_human(self, rows) -> dict[int, int]:
        sums: dict[int, int] = {}
        for person_id, micros in self.tx.exec(rows) if hasattr(rows, "compile") else rows:
            human = persons.root_id(self.tx, person_id)
            sums[human] = sums.get(human, 0) + micros
        return sums


EVENTS: tuple[Callable[[Play, int, int], None], ...] = (
    Play.dispute, Play.dispute, Play.warning, Play.ask, Play.answer, Play.fail, Play.by_hand,
    Play.run, Play.pay, Play.pay, Play.reverse, Play.decide,
)  # fmt: skip

ONE = st.tuples(st.sampled_from(EVENTS), st.integers(0, 30), st.integers(0, PARTS - 1))


@pytest.mark.parametrize(("least", "most", "examples"), [(1, 15, 25), (40, 60, 12)], ids=["short", "long"])
def test_no_sequence_of_events_breaks_the_books_or_leaves_a_creator_in_debt(world, least, most, examples):
    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(ONE, min_size=least, max_size=most))
    def holds(events) -> None:
        with world.db.reading(writable=True) as tx:  # rolled back, so that all sequences begin alike
            play = Play(tx, world.rules, world.at)
            for event, number, part in events:
                event(play, number, part)
                play.check()
            play.end()

    holds()
