"""Facts about reconciling: every line of the processor's has its posting, and every posting its line, or it is said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import col, select

from core.books import invariants, ledger
from core.books.tables import Posting
from core.database import Database
from core.errands import running as errands
from core.months.tables import Payout, Statement
from core.payments.hosted import HostedGateway, Unanswered
from core.payments.states import MovementSeen, RefundState
from core.reconciling import accepting, last, running
from core.reconciling.running import Result
from core.reconciling.tables import Movement, Reconciliation
from core.returns import refunds
from tests.core.reconciling.elsewhere import CARD, Elsewhere
from tests.scene import EUR, Scene


@dataclass
class Town:
    """A scene whose money is moved elsewhere."""

    scene: Scene
    there: Elsewhere

    @property
    def db(self) -> Database:
        return self.scene.db

    def month(self, budget: float = 35, creators: int = 2) -> Statement:
        """A month with one patron, collected."""
        patron = self.scene.patron("ada", budget, card=CARD)
        for number in range(creators):
            self.scene.creator(f"maker {number}")
            self.scene.like("ada", f"thing {number}", f"maker {number}")
        month = self.scene.close_month()
        self.tick()
        return self.scene.statement(patron, month)

    def pay_out(self) -> list[Payout]:
        """Until the creators are paid: the money of a patron's first months waits a run longer."""
        for _ in range(70):
            self.tick(days=1)
            with self.db.reading() as tx:
                sent = tx.exec(select(Payout).where(Payout.state == "sent")).all()
            if sent:
                return list(sent)
        raise AssertionError("nobody is paid")

    def tick(self, **step: float) -> None:
        self.there.at = self.scene.later(**step) if step else self.scene.at
        self.scene.advance()

    def run(self, **options: Any) -> Result:
        return running.run(self.db, self.scene.rules, self.there, self.scene.at, **options)

    def later(self, **options: Any) -> Result:
        """Once every posting is old enough to need a line."""
        self.there.at = self.scene.later(hours=2)
        return self.run(**options)

    def postings(self, kind: str) -> dict[str, int]:
        with self.db.reading() as tx:
            return {each.source: each.amount_micros for each in tx.exec(select(Posting).where(Posting.kind == kind))}

    def lines(self) -> dict[str, Movement]:
        with self.db.reading() as tx:
            return {each.reference: each for each in tx.exec(select(Movement))}


@pytest.fixture
def town(scene: Scene) -> Town:
    there = Elsewhere(db=scene.db, at=scene.at, fee=132)
    assert isinstance(there, HostedGateway)
    scene.gateway = there
    return Town(scene, there)


def clean(result: Result) -> None:
    assert result.differences == ()
    assert result.stripe_micros == result.books_micros


def test_a_month_and_its_payouts_are_clean_and_the_cards_cost_is_posted(town: Town) -> None:
    town.month()
    clean(town.later())
    assert town.postings("cost_borne") == {"txn_1": 1_320_000}
    assert town.scene.income() == 3_500_000 - 1_320_000
    town.pay_out()
    clean(town.later())
    kinds = sorted((each.kind, each.posting_id is not None) for each in town.lines().values())
    assert kinds == [("charge", True), ("transfer", True), ("transfer", True)]
    assert town.there.balance * 10_000 == town.run().books_micros


def test_it_may_be_run_again_and_again(town: Town) -> None:
    town.month()
    first = town.later()
    for everything in (False, True):
        again = town.run(everything=everything)
        clean(again)
        assert (again.costs, again.books_micros) == (0, first.books_micros)
    assert len(town.postings("cost_borne")) == 1


def test_each_run_reads_from_where_the_last_finished_one_began_less_an_overlap(town: Town) -> None:
    town.run()
    began = town.scene.at
    town.tick(days=5)

    def breaks_off(since: object) -> Iterator[MovementSeen]:
        raise Unanswered("away")
        yield

    whole, town.there.movements = town.there.movements, breaks_off  # type: ignore[method-assign]
    with pytest.raises(Unanswered):
        town.run()
    town.there.movements = whole  # type: ignore[method-assign]
    town.run()
    town.run(everything=True)
    assert town.there.listed == [None, began - running.OVERLAP, None]
    with town.db.reading() as tx:
        assert sorted(each.finished_at is None for each in tx.exec(select(Reconciliation))) == [
            False,
            False,
            False,
            True,
        ]
        finished = last.finished(tx)
        assert finished is not None
        assert finished.began_at == town.scene.at


def test_a_charge_whose_answer_was_lost_is_learnt_of_by_its_line(town: Town) -> None:
    town.there.silent = True
    statement = town.month()
    assert statement.state == "due"
    result = town.run()
    clean(result)
    assert result.looked == 1
    assert town.scene.statement(statement.patron_id, statement.month).state == "collected"


def test_a_payout_whose_answer_was_lost_is_learnt_of_too(town: Town) -> None:
    town.month(creators=1)
    for _ in range(70):
        town.there.silent = True
        town.tick(days=1)
        if town.there.transfers:
            break
    with town.db.reading() as tx:
        assert [each.state for each in tx.exec(select(Payout))] == ["asked"]
    clean(town.run())
    with town.db.reading() as tx:
        assert [each.state for each in tx.exec(select(Payout))] == ["sent"]


def test_a_refund_by_the_hub_and_one_by_hand_at_the_processor_are_both_matched(town: Town) -> None:
    statement = town.month()
    assert statement.id is not None
    with town.db.transaction() as tx:
        refunds.ask(
            tx, town.scene.rules, statement_id=statement.id, amount_micros=5 * EUR, reason="operator", at=town.scene.at
        )
    assert refunds.send(town.db, town.scene.rules, town.there, town.scene.at) == 1
    town.there.refunded(f"pi_{statement.id}", 700)
    clean(town.later())
    assert sorted(town.postings("charge_back").values()) == [5 * EUR, 7 * EUR]


def test_a_refund_that_came_back_is_matched_both_ways(town: Town) -> None:
    statement = town.month()
    name = town.there.refunded(f"pi_{statement.id}", 700)
    clean(town.later())
    town.there.refund_fails(name)
    clean(town.later())
    assert list(town.postings("charge_again").values()) == [7 * EUR]


def test_a_refund_that_failed_before_any_money_moved_is_no_difference(town: Town) -> None:
    """Stripe has no line for a refund that was pending and then cancelled."""
    statement = town.month()
    name = town.there.refunded(f"pi_{statement.id}", 700)
    town.there.lines.pop()
    for state in ("pending", "failed"):
        with town.db.transaction() as tx:
            refunds.learn(tx, town.scene.rules, replace(town.there.refunds[name], state=state), town.scene.at)
    clean(town.later())
    assert list(town.postings("charge_again").values()) == list(town.postings("charge_back").values()) == [7 * EUR]


@pytest.mark.parametrize(
    "amounts", [(-3500,), (-3500, 3500), (-3500, 3500, -3500), (-2000, -1500, 500)], ids=lambda value: str(value)
)
@pytest.mark.parametrize("at_once", [True, False])
def test_a_disputes_lines_are_matched_however_often_the_hub_looked(
    town: Town, amounts: tuple[int, ...], at_once: bool
) -> None:
    statement = town.month()
    intent = f"pi_{statement.id}"
    for part in [amounts] if at_once else [(amount,) for amount in amounts]:
        town.there.disputed(intent, *part)
        clean(town.later())
    # The dispute's own fee is a cost like any other.
    taken = sum(1 for amount in amounts if amount < 0)
    costs = [town.postings(kind).values() for kind in ("cost_paid", "cost_borne", "cost_lost")]
    assert sum(map(sum, costs)) == 1_320_000 + taken * 150_000


def test_a_charge_that_was_refunded_and_disputed_is_a_loss_and_matched(town: Town) -> None:
    statement = town.month()
    town.there.refunded(f"pi_{statement.id}", 3500)
    clean(town.later())
    town.there.disputed(f"pi_{statement.id}", -3500)
    clean(town.later())
    assert [source for source in town.postings("loss") if "/over/" in source]


def test_a_transfer_that_was_reversed_in_the_dashboard_is_due_again(town: Town) -> None:
    town.month(creators=1)
    (payout,) = town.pay_out()
    assert payout.reference is not None
    town.there.reverse(payout.reference, 1000, key="by hand")
    clean(town.later())
    assert list(town.postings("sent_back").values()) == [10 * EUR]
    assert town.scene.due(payout.creator_id) == 10 * EUR


def test_money_between_the_processor_and_the_bank_and_other_costs_are_posted(town: Town) -> None:
    town.month()
    town.there.line("payout", -500, "po_1")
    town.there.line("payout_failure", 500, "po_1")
    town.there.line("topup", 2000, "tu_1")
    town.there.line("stripe_fee", -210, about="Connect: active accounts")
    town.there.line("tax_fee", -40)
    town.there.line("connect_collection_transfer", -300, "connct_1")
    town.there.line("reserve_transaction", -900, "rsrv_1")
    town.there.line("reserve_transaction", 900, "rsrv_2")
    clean(town.later())
    assert list(town.postings("withdrawn").values()) == [5 * EUR]
    assert sorted(town.postings("topped_up").values()) == [5 * EUR, 20 * EUR]
    assert list(town.postings("lost").values()) == [3 * EUR]
    # 1.32 of the charge, 2.10 and 0.40: more than the fee of 3.50.
    assert sum(town.postings("cost_borne").values()) == 3_500_000
    assert sum(town.postings("cost_lost").values()) == 320_000
    with town.db.reading() as tx:
        assert invariants.broken(tx) == []


def named(result: Result) -> list[str]:
    return [f"{each.name}: {each.text}" for each in result.differences]


DIFFERENT: dict[str, tuple[Callable[[Town, Statement], object], str]] = {
    "another currency": (
        lambda town, statement: town.there.line("charge", 500, "ch_x", currency="USD"),
        "it is in USD, but this hub counts in EUR",
    ),
    "a charge of nothing known": (
        lambda town, statement: town.there.line("charge", 500, "ch_x", intent="pi_x"),
        "5.00 EUR of nothing known here is not in the books",
    ),
    "a charge twice": (
        lambda town, statement: town.there.collects(int(statement.id or 0), 3500),
        "happened twice at Stripe (txn_1 too): give one back there",
    ),
    "a transfer of nothing known": (
        lambda town, statement: town.there.line("transfer", -500, "tr_x", payout_id=99),
        "-5.00 EUR of payout 99 is not in the books",
    ),
    "an unknown kind": (
        lambda town, statement: town.there.line("contribution", -5, "x"),
        "the hub knows no contribution of this sort",
    ),
    "an adjustment that is no dispute": (
        lambda town, statement: town.there.line("adjustment", -5, "x"),
        "the hub knows no adjustment of this sort",
    ),
}


@pytest.mark.parametrize(("does", "text"), DIFFERENT.values(), ids=DIFFERENT)
def test_what_matches_nothing_is_named_with_its_remedy(
    town: Town, does: Callable[[Town, Statement], object], text: str
) -> None:
    statement = town.month()
    does(town, statement)
    result = town.later()
    assert len(result.differences) == 1, named(result)
    assert text in result.differences[0].text
    with town.db.reading() as tx:
        finished = last.finished(tx)
        assert finished is not None
        assert finished.differences == 1
    assert town.run().differences == result.differences, "it stays until it is settled"


@pytest.mark.parametrize(("amount_minor", "kind"), [(-500, "lost"), (500, "lost_back")])
def test_a_line_that_nobody_can_explain_is_settled_as_the_hubs_own(town: Town, amount_minor: int, kind: str) -> None:
    town.month()
    town.there.line("contribution", amount_minor, "x")
    [difference] = town.later().differences
    settle = {"by": "operator", "note": "it was a gift", "at": town.scene.at}
    with town.db.transaction() as tx:
        accepting.accept(tx, town.scene.rules, difference.name, **settle)
    clean(town.later(everything=True))
    assert town.postings(kind) == {difference.name: 5 * EUR}
    with town.db.transaction() as tx, pytest.raises(accepting.Unacceptable, match="is no difference"):
        accepting.accept(tx, town.scene.rules, difference.name, **settle)
    assert town.postings(kind) == {difference.name: 5 * EUR}


def test_a_line_in_another_currency_cannot_be_settled_here(town: Town) -> None:
    town.month()
    town.there.line("contribution", 500, "x", currency="USD")
    [difference] = town.later().differences
    with town.db.transaction() as tx, pytest.raises(accepting.Unacceptable, match="is in USD"):
        accepting.accept(tx, town.scene.rules, difference.name, by="operator", note="", at=town.scene.at)


def test_a_line_of_no_amount_is_no_difference(town: Town) -> None:
    town.month()
    town.there.line("adjustment", 0, "x")
    clean(town.later())


def test_another_amount_is_named(town: Town) -> None:
    statement = town.month()
    town.there.lines[0] = replace(town.there.lines[0], amount_minor=3400)
    assert "34.00 EUR of statement" in town.later().differences[0].text
    assert any("is 35.00 EUR in the books" in each for each in named(town.run()))
    assert statement.id is not None


def test_a_posting_without_a_line_is_named_once_it_is_an_hour_old(town: Town) -> None:
    town.month()
    line = town.there.lines.pop()
    clean_so_far = town.run()
    assert clean_so_far.differences == ()
    assert clean_so_far.young_micros == 35 * EUR == clean_so_far.books_micros - clean_so_far.stripe_micros
    result = town.later()
    assert result.young_micros == 0
    assert [each.name for each in result.differences] == [f"charge statement:{line.intent and line.intent[3:]}"]
    assert "is not among Stripe's lines" in result.differences[0].text
    town.there.lines.append(line)
    clean(town.run(everything=True))


def test_a_difference_goes_when_its_cause_is_gone(town: Town) -> None:
    statement = town.month()
    town.there.line("refund", -500, "re_x", intent=f"pi_{statement.id}")
    assert len(town.later().differences) == 1
    town.there.refunds["re_x"] = RefundState(
        reference="re_x", intent=f"pi_{statement.id}", amount_minor=500, state="succeeded"
    )
    clean(town.later())


class Killed(BaseException):
    """Not an exception that anybody catches."""


def test_killed_at_any_commit_and_run_again_it_ends_the_same(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first run is broken off after its n-th transaction, for every n; the second one goes to the end."""
    there = Elsewhere(db=scene.db, at=scene.at, fee=132)
    scene.gateway = there
    town = Town(scene, there)
    there.silent = True
    statement = town.month()
    there.silent = False
    there.refunded(f"pi_{statement.id}", 700)
    there.disputed(f"pi_{statement.id}", -2800, 2800)
    there.line("stripe_fee", -210)
    there.line("topup", 2000, "tu_1")
    scene.later(hours=2)
    monkeypatch.setattr(running, "PAGE", 2)
    transaction, left = Database.transaction, [0]

    def counted(self: Database) -> Any:
        if left[0] == 0:
            raise Killed
        left[0] -= 1
        return transaction(self)

    monkeypatch.setattr(Database, "transaction", counted)
    for reached in range(100):
        left[0] = reached
        try:
            town.run()
            break
        except Killed:
            continue
    else:
        raise AssertionError("it never ends")
    left[0] = -1
    clean(town.run())
    clean(town.run(everything=True))
    assert there.balance * 10_000 == town.run().books_micros
    with town.db.reading() as tx:
        assert invariants.broken(tx) == []
        assert -ledger.owed(tx, ledger.STRIPE) == there.balance * 10_000
        open_ = tx.execute(sa.select(sa.func.count()).where(col(Movement.difference).is_not(None))).scalar_one()
    assert open_ == 0


def test_errands_and_reconciliations_do_not_wait_for_each_other(town: Town) -> None:
    town.month()
    town.there.lines.append(replace(town.there.lines[0], reference="txn_x", source="ch_x", intent="pi_x"))
    with town.db.exclusively(errands.LOCK):
        assert len(town.later().differences) == 1
