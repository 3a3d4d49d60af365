"""What becomes of a real month's money, chapter by chapter: collected, given back, paid out, and all of it proved."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from config.commands.money.months import check
from config.commands.money.paying import reconcile, refund
from tests.config.real_months_oracle import Due, Taken
from tests.config.real_months_people import CENT, PAYS, Patron
from tests.config.real_months_story import MONTH, Beginning, euros, on

GALE = 0.3
"""Paying creators takes few requests, so more of them suffer."""


@dataclass
class Story(Beginning):
    """The whole of it."""

    collected: set[str] = field(default_factory=set)
    """Patrons whose charge came in."""
    disputes: dict[str, str] = field(default_factory=dict)
    """Those that are open, by the patron."""
    taken: list[Taken] = field(default_factory=list)
    """What went back and stayed away."""
    sent: Counter[str] = field(default_factory=Counter)
    """What the first payouts come to, in cents, by creator."""
    won_later: str = ""
    """The patron whose dispute begins before creators are paid, and is won after."""

    # The cards

    async def cards_are_charged(self) -> None:
        month = self.month
        for step in range(20):
            await month.later(12)
            await self.cardholders_act()
            if step == 9:
                await month.reopens()
        self.stripe.fair()
        while month.now < on(2026, 12, 19) and await self.stage() != "settled":
            await month.later(12)
            await self.cardholders_act()
        assert await self.stage() == "settled"
        states = dict(await month.rows(f"select id, state from statement where month = {MONTH}"))
        for name, bill in self.closed.items():
            if not bill.charge:
                continue
            fate, state = self.people.patrons[name].fate, states[self.statements[name]]
            assert state == fate.ends, (name, fate, state)
            charged = self.stripe.charged(self.statements[name])
            assert charged == (bill.charge // CENT if state == "collected" else 0), (name, fate)
            if charged:
                self.collected.add(name)
        assert len(self.collected) > 100

    async def stage(self) -> str:
        return str((await self.month.rows(f"select stage from month where id = {MONTH}"))[0][0])

    async def cardholders_act(self) -> None:
        """What patrons do about their declined cards, their banks about theirs."""
        for each in self.declined("has expired and is replaced", "is lost and replaced too late"):
            if each.name not in self.used:
                await self.replaces(each)
        for each in self.declined("is removed between tries"):
            if each.name not in self.used:
                await self.month.say((each.name, "card remove"))
                self.used.add(each.name)
        for each in self.declined("is confirmed", "is not confirmed by the bank", "is abandoned at the bank"):
            if self.stripe.charged(self.statements[each.name]) or self.chance.random() < 0.6:
                continue
            await self.month.say((each.name, "card"))
            there = await self.month.goes(each.name, "pay")
            if there is not None and each.fate.name != "is abandoned at the bank":
                await self.month.returns(await asyncio.to_thread(self.stripe.person_authenticates, there))
        for each in self.with_fate("pays after days", "does not pay after days"):
            intent = self.intent(each)
            if intent and intent["status"] == "processing" and self.chance.random() < 0.7:
                await asyncio.to_thread(self.stripe.settles, intent["id"], ok=each.fate.ends == "collected")

    # Money that goes back

    async def money_goes_back(self) -> None:
        """Before creators are paid: disputes, warnings, refunds of all sorts."""
        month = self.month
        for each in self.with_fate("brings a warning"):
            if each.name in self.collected:
                self.takes(each.name)
        by_themselves = [each.name for each in self.with_fate("brings a dispute") if each.name in self.collected]
        self.disputes = {name: self.dispute_of(name) for name in by_themselves}
        won, lost, self.won_later, by_hand, by_stripe, fails, part = self.choose(7)
        for name in (won, lost, self.won_later):
            self.disputes[name] = await asyncio.to_thread(self.stripe.dispute, self.intent_id(name))
        await self.refund(by_hand)
        await self.refund(part, euros(CENT * 123))
        await self.refund(fails)
        amount = self.closed[by_stripe].charge // CENT // 2
        await asyncio.to_thread(self.stripe.refund_by_operator, self.intent_id(by_stripe), amount)
        for name, micros in ((by_hand, None), (part, CENT * 123), (by_stripe, amount * CENT)):
            self.takes(name, micros)
        await self.decide(first=False)
        await month.later(12)
        [failing] = [each for each in self.stripe.all("refund") if each["payment_intent"] == self.intent_id(fails)]
        await asyncio.to_thread(self.stripe.refund_fails, failing["id"])
        await asyncio.to_thread(self.stripe.dispute_won, self.disputes.pop(won))
        for name in (lost, *by_themselves):
            await asyncio.to_thread(self.stripe.dispute_lost, self.disputes.pop(name))
            self.takes(name)
        self.takes(self.won_later)
        await month.later(24)
        await self.calm()

    async def creators_are_paid(self) -> None:
        """A run that has to wait for a patron's first month, then one that has to wait for money."""
        month = self.month
        await month.later(until=on(2026, 12, 21), hours=24)
        assert not self.stripe.all("transfer"), "money of patrons' first months waits for the next run"
        await month.later(until=on(2027, 1, 19, 18), hours=120)
        await self.calm()
        payable = set(self.accounts) - set(self.creators("unfinished", "abroad", "restricted", "restricted in review"))
        held = {pair for pair in self.held if pair not in self.released}
        self.sent = self.due().payout(self.taken, held - self.void, payable)
        await asyncio.to_thread(self.stripe.pay_out, self.stripe.available - sum(self.sent.values()) // 3)
        self.stripe.weather(self.chance.random(), GALE)
        await month.later(until=on(2027, 1, 20, 18), hours=6)
        waiting = await month.rows("select id from payout where state = 'asked'")
        assert waiting, "there was not enough"
        await asyncio.to_thread(self.stripe.top_up, sum(self.sent.values()) + 50_000)
        await month.later(until=on(2027, 1, 25), hours=6)
        self.stripe.fair()
        await month.later(until=on(2027, 1, 28), hours=12)
        assert {name: self.stripe.transferred(self.accounts[name]) for name in self.sent} == self.sent
        assert sum(each["amount"] for each in self.stripe.all("transfer")) == sum(self.sent.values())

    async def money_goes_back_late(self) -> None:
        """After creators were paid: they keep what they have."""
        month, paid = self.month, frozenset(self.sent)
        await asyncio.to_thread(self.stripe.dispute_won, self.disputes.pop(self.won_later))
        self.taken = [each for each in self.taken if each.patron != self.won_later]
        won, lost, by_hand = self.choose(3)
        for name in (won, lost):
            self.disputes[name] = await asyncio.to_thread(self.stripe.dispute, self.intent_id(name))
        await self.refund(by_hand)
        # Too late: it would take back what was paid.
        [warned] = self.choose(1, lambda name: not paid.isdisjoint(self.closed[name].creators))
        await asyncio.to_thread(self.stripe.warning, self.intent_id(warned))
        for name in (lost, by_hand):
            self.takes(name, safe=paid)
        await month.later(24)
        await asyncio.to_thread(self.stripe.dispute_won, self.disputes.pop(won))
        await asyncio.to_thread(self.stripe.dispute_lost, self.disputes.pop(lost))
        await month.later(24)
        await self.calm()
        for name in self.creators("restricted in review"):
            await asyncio.to_thread(self.stripe.activate, self.accounts[name])
        first, second = self.stripe.all("transfer")[:2]
        await asyncio.to_thread(self.stripe.transfer_reversed, first["id"], first["amount"] // 2)
        await asyncio.to_thread(self.stripe.bank_payout, second["destination"], fails="account_closed")
        await asyncio.to_thread(self.stripe.stripe_fee, 210)
        await month.later(until=on(2027, 2, 22), hours=48)
        await self.calm()

    async def calm(self) -> None:
        """Stripe says all that it has to say, and the hub hears it."""
        await self.month.events(fair=True)
        await self.month.rounds()
        await self.month.hub.paying.reconcile()
        await self.month.later(2)
        await self.month.events(fair=True)
        await self.month.rounds()

    # Proof

    async def all_is_proved(self) -> None:
        month = self.month
        for words in ((), ("--all",)):
            told = await month.asked(reconcile, *words)
            assert told["result"]["differences"] == []
            assert told["result"]["books_micros"] == told["result"]["stripe_micros"] == self.stripe.balance * CENT
        assert (await month.asked(check))["clean"]
        assert await month.rows("select * from errand where state = 'failed'") == []
        assert await month.rows("select * from inbox where state = 'dead'") == []
        self.stripe.assert_honest()
        charged: Counter[tuple[str, str]] = Counter()
        customers = {each["id"]: each["metadata"]["person"] for each in self.stripe.all("customer")}
        for each in self.stripe.all("payment_intent"):
            charged[customers[each["customer"]], each["metadata"]["month"]] += each["amount_received"]
        for (person, _), cents in charged.items():
            [name] = [name for name, number in self.persons.items() if str(number) == person]
            assert cents * CENT <= self.people.patrons[name].holds
        for pair in self.void:
            if pair[0] in self.collected:
                assert self.stripe.refunded(self.statements[pair[0]]) == self.due().voided(pair)
        await self.books_agree()
        assert set(month.events_seen) == {"taken", "lost", "refused"}
        assert len(self.stripe.troubles.suffered) > 50

    async def books_agree(self) -> None:
        """Stripe's balance with the books, and each creator with the independent calculation."""
        sums = dict(
            await self.month.rows(
                "select account, sum(micros) from (select credit as account, amount_micros as micros from posting"
                " union all select debit, -amount_micros from posting) movements group by account"
            )
        )
        stripe, transit, income = (int(sums.get(account, 0)) for account in (1, 4, 5))
        assert (-stripe, transit) == (self.stripe.balance * CENT, 0)
        assert income >= 0
        assert {micros for account, micros in sums.items() if account % 8 == 2} == {0}
        names = {number: name for name, number in self.persons.items()}
        found = Counter({names[account // 8]: int(micros) for account, micros in sums.items() if account % 8 == 3})
        assert min(found.values()) >= 0, "a creator never pays back"
        for name, reference in self.accounts.items():
            found[name] += CENT * self.stripe.transferred(reference)
        assert found == self.due().earned(self.taken)

    # Who and what

    def due(self) -> Due:
        return Due(self.closed, self.collected, self.void)

    def declined(self, *names: str) -> Iterable[Patron]:
        for each in self.with_fate(*names):
            intent = self.intent(each)
            if intent is not None and intent["last_payment_error"]:
                yield each

    def intent_id(self, name: str) -> str:
        return str(self.intent(self.people.patrons[name])["id"])

    def dispute_of(self, name: str) -> str:
        intent = self.intent_id(name)
        return next(str(each["id"]) for each in self.stripe.all("dispute") if each["payment_intent"] == intent)

    def choose(self, number: int, which: Callable[[str], bool] = bool) -> list[str]:
        """Some patrons who are in no story: their charge came in, is under no hold, and was left alone so far."""
        free = [
            name
            for name in sorted(self.collected)
            if name not in self.used
            and self.people.patrons[name].fate is PAYS
            and not any(name == patron for patron, _ in self.held)
            and self.closed[name].charge > 150 * CENT
            and which(name)
        ]
        chosen = self.chance.sample(free, number)
        self.used.update(chosen)
        return chosen

    def takes(self, name: str, micros: int | None = None, safe: frozenset[str] = frozenset()) -> None:
        self.taken.append(Taken(name, self.closed[name].charge if micros is None else micros, safe))

    async def refund(self, name: str, *amount: str) -> None:
        done = await self.month.flattr(refund, str(self.statements[name]), *amount, "--yes")
        assert done.exit_code == 0, done.output
