"""A month with everything in it, in any order: the books hold at every step, and in the end each has what is theirs.

The real gateway at the hostile fake Stripe, the real months, errands and reconciliation; an oracle that counts for
itself what patrons did and what became of the money. By default the same few examples each time; MACHINE=500 looks
for as many new ones.
"""

from __future__ import annotations

import contextlib
import os
import random
from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test
from sqlmodel import col, select

from core.holds import deciding
from core.holds.tables import Hold
from core.months import payouts
from core.months.tables import Payout, Statement
from core.payments.hosted import Unanswered
from core.periods import month_end, month_of, month_start
from core.returns import refunds
from tests.core.month_machine_audit import Audit
from tests.core.month_machine_people import CREATORS, WHICH, People
from tests.core.month_machine_rest import settle_down
from tests.core.month_machine_sums import compare
from tests.platforms.stripe import trouble
from tests.platforms.stripe.disputing import OPEN

SEED = st.integers(0, 1000)
PARTS = st.integers(1, 4)
TROUBLE = st.sampled_from((None, None, None, *trouble.ALL))
PATHS = ("", "/confirm", "/cancel", "/v1/payment_intents", "/v1/transfers", "/v1/refunds", "/v1/balance", "/v2/",
         "/v1/checkout", "/v1/customers", "/v1/disputes", "/detach")  # fmt: skip


class MonthMachine(People):
    # Time, and the hub's own work

    @rule()
    def tick(self) -> None:
        with self.step():
            self.work()

    @rule(step=st.one_of(st.integers(0, 15), st.integers(0, 120)), rounds=st.integers(1, 2))
    def crash(self, step, rounds) -> None:
        """Killed at a step of its work, and started again; it goes on with the next tick, or at once."""
        with self.step() as world:
            world.killed_at(step, self.work)
            self.observe()
            if rounds == 2:
                self.work()

    @rule(hours=st.sampled_from((1, 7, 24, 72, 240)))
    def clock(self, hours) -> None:
        with self.step() as world:
            world.later(hours=hours)

    @rule(days=st.sampled_from((0, 0, 2, 3, 3, 12)), kind=TROUBLE)
    def month_ends(self, days, kind) -> None:
        """To the month's end, or days later; the hub sees what is due on the way, and the first charge may suffer."""
        with self.step() as world:
            world.later(seconds=(month_end(month_of(world.at)) - world.at).total_seconds() + 7200)
            self.work()
            if kind is not None:
                world.stripe.trouble(kind, "/confirm")
            for _ in range(days):
                world.later(days=1, minutes=30)
                self.work()

    @rule(hears=st.booleans(), kind=TROUBLE)
    def payday(self, hears, kind) -> None:
        """To the next payout run; what Stripe told meanwhile may come too late for it."""
        with self.step() as world:
            payday = month_start(month_of(world.at)) + timedelta(days=world.rules.payout_day - 1)
            if payday <= world.at:
                payday = month_start(month_of(world.at) + 1) + timedelta(days=world.rules.payout_day - 1)
            world.later(seconds=(payday - world.at).total_seconds())
            if hears:
                world.hear()
            if kind is not None:
                world.stripe.trouble(kind, "/v1/transfers")
            self.work()

    @rule(kind=st.sampled_from(trouble.ALL), path=st.sampled_from(PATHS), method=st.sampled_from(("", "POST", "GET")),
          times=st.integers(1, 3))  # fmt: skip
    def trouble(self, kind, path, method, times) -> None:
        self.world.stripe.trouble(kind, path, method, times)

    @rule(seed=SEED, rate=st.sampled_from((0.05, 0.2, 0.4, 0.0)))
    def weather(self, seed, rate) -> None:
        self.world.stripe.weather(seed if rate else None, rate)

    @rule(seed=SEED, doubled=st.sampled_from((0.0, 0.3)), late=st.sampled_from((0.0, 0.3)),
          lost=st.sampled_from((0.0, 0.0, 0.2)))  # fmt: skip
    def events(self, seed, doubled, late, lost) -> None:
        with self.step() as world:
            world.hear(random.Random(seed), doubled=doubled, late=late, lost=lost)
            self.work()

    @rule()
    def reconcile(self) -> None:
        with self.step() as world:
            world.reconcile()

    # Banks

    def intents(self, status: str) -> list[str]:
        return [each["id"] for each in self.world.stripe.all("payment_intent") if each["status"] == status]

    @precondition(lambda self: self.intents("processing"))
    @rule(which=WHICH, ok=st.booleans())
    def settles(self, which, ok) -> None:
        with self.step() as world:
            found = self.intents("processing")
            world.stripe.settles(found[which % len(found)], ok=ok)

    def charges(self) -> list[dict]:
        return [
            each for each in self.world.stripe.all("charge") if each["status"] == "succeeded" and not each["disputed"]
        ]

    @precondition(lambda self: self.charges())
    @rule(which=WHICH, part=PARTS)
    def dispute(self, which, part) -> None:
        with self.step() as world:
            charge = self.charges()[which % len(self.charges())]
            world.stripe.dispute(charge["id"], amount=charge["amount"] * part // 4)

    def disputes(self) -> list[str]:
        return [each["id"] for each in self.world.stripe.all("dispute") if each["status"] in OPEN]

    @precondition(lambda self: self.disputes())
    @rule(which=WHICH, won=st.booleans())
    def dispute_ends(self, which, won) -> None:
        with self.step() as world:
            found = self.disputes()[which % len(self.disputes())]
            (world.stripe.dispute_won if won else world.stripe.dispute_lost)(found)

    @precondition(lambda self: self.charges())
    @rule(which=WHICH)
    def warning(self, which) -> None:
        with self.step() as world:
            world.stripe.warning(self.charges()[which % len(self.charges())]["id"])

    # Refunds

    @precondition(lambda self: self.charges())
    @rule(which=WHICH, part=PARTS, here=st.booleans())
    def refund(self, which, part, here) -> None:
        """The operator gives something back: with the hub's command, or in the Dashboard."""
        with self.step() as world:
            if not here:
                charge = self.charges()[which % len(self.charges())]
                if left := charge["amount"] - charge["amount_refunded"]:
                    world.stripe.refund_by_operator(charge["id"], max(1, left * part // 4))
                return
            with world.db.transaction() as tx:
                paid = tx.exec(
                    select(Statement).where(Statement.state == "collected").order_by(col(Statement.id))
                ).all()
                if not paid:
                    return
                statement = paid[which % len(paid)]
                amount = world.rules.money.floor(refunds.left(tx, statement) * part // 4)
                if amount:
                    number = statement.id or 0
                    refunds.ask(
                        tx, world.rules, statement_id=number, amount_micros=amount, reason="operator", at=world.now()
                    )

    def refunds(self) -> list[str]:
        return [each["id"] for each in self.world.stripe.all("refund") if each["status"] in ("succeeded", "pending")]

    @precondition(lambda self: self.refunds())
    @rule(which=WHICH, state=st.sampled_from(("failed", "canceled")))
    def refund_fails(self, which, state) -> None:
        with self.step() as world:
            world.stripe.refund_fails(self.refunds()[which % len(self.refunds())], state=state)

    # Creators' money

    def transfers(self) -> list[dict]:
        stripe = self.world.stripe
        return [
            each
            for each in stripe.all("transfer")
            if 0 < each["amount"] - each["amount_reversed"] <= stripe.connected_balance(each["destination"])
        ]

    @precondition(lambda self: self.transfers())
    @rule(which=WHICH, part=PARTS, here=st.booleans())
    def reversed(self, which, part, here) -> None:
        with self.step() as world:
            found = self.transfers()[which % len(self.transfers())]
            if not here:
                left = found["amount"] - found["amount_reversed"]
                world.stripe.transfer_reversed(found["id"], max(1, left * part // 4))
                return
            with world.db.reading() as tx:
                payout = tx.exec(select(Payout.id).where(Payout.reference == found["id"])).first()
            if payout is not None:
                with contextlib.suppress(Unanswered):
                    payouts.reverse(world.db, world.rules, world.gateway, payout, world.now())

    @rule(who=st.integers(0, 2), what=st.sampled_from(("restricted", "active", "closed", "paid", "no_account")))
    def account(self, who, what) -> None:
        """Something happens to a creator's account at Stripe."""
        with self.step() as world:
            account = world.account_of(CREATORS[who])
            if account is None or (what != "paid" and world.stripe.objects[account]["closed"]):
                return
            if what == "restricted":
                world.stripe.restrict(account)
            elif what == "closed":
                world.stripe.close(account)
            elif what == "active":
                world.stripe.activate(account)
            elif world.stripe.connected_balance(account) > 0:
                world.stripe.bank_payout(account, fails=None if what == "paid" else what)

    def holds(self) -> list[int]:
        with self.world.db.reading() as tx:
            held = select(Hold.id).where(col(Hold.state).in_(("held", "voided")))
            return [each or 0 for each in tx.exec(held.order_by(col(Hold.id)))]

    @precondition(lambda self: self.holds())
    @rule(which=WHICH, released=st.booleans())
    def hold_decided(self, which, released) -> None:
        with self.step() as world, world.db.transaction() as tx, contextlib.suppress(deciding.Undecidable):
            found = self.holds()[which % len(self.holds())]
            if released:
                deciding.release(tx, found, by="operator", note="", at=world.now())
            else:
                deciding.void(tx, world.rules, found, by="operator", note="", at=world.now())

    # The end

    def finish(self) -> None:
        """All that is under way is done; then everybody has, was paid or was charged what the oracle says."""
        world = self.world
        settle_down(world, self.observe)
        world.check()
        world.later(hours=3)
        result = world.reconcile()
        assert result is not None
        assert [each.text for each in result.differences] == []
        assert result.books_micros == result.stripe_micros == world.stripe.balance * world.rules.money.minor_micros
        world.check()
        world.stripe.assert_honest()
        with world.db.reading() as tx:
            audit = Audit(tx, self.oracle, world.stripe)
            audit.replay()
            compare(audit)


def test_in_any_order_of_events_the_books_hold_and_everybody_gets_what_is_theirs(sqlite_template) -> None:
    MonthMachine.template = sqlite_template
    chosen = os.environ.get("MACHINE", "")
    run_state_machine_as_test(
        MonthMachine,
        settings=settings(
            max_examples=int(chosen or 25),
            derandomize=not chosen,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
