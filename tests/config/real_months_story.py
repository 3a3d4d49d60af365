"""What happens in a real month, chapter by chapter, and what is found after each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from config.commands.money.holds import holds
from tests.config.real_months import RealMonth, like
from tests.config.real_months_oracle import Bill, Numbers, bills
from tests.config.real_months_oracle import holds as expected_holds
from tests.config.real_months_people import CENT, Patron, card_of, people_of
from tests.platforms.stripe.cards import CardRefused

MONTH = 12 * 2026 + 11
STORM = 0.1
"""Of ten requests, one suffers."""


def on(year: int, month: int, day: int, hour: int = 0) -> datetime:
    return datetime(year, month, day, hour, tzinfo=UTC)


@dataclass
class Beginning:
    """Until the month is closed."""

    month: RealMonth
    closed: dict[str, Bill] = field(default_factory=dict)
    statements: dict[str, int] = field(default_factory=dict)
    accounts: dict[str, str] = field(default_factory=dict)
    """Creators' accounts at Stripe."""
    persons: dict[str, int] = field(default_factory=dict)
    held: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    void: set[tuple[str, str]] = field(default_factory=set)
    released: set[tuple[str, str]] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    """Patrons to whom something has happened."""

    def __post_init__(self) -> None:
        self.people = people_of(self.month.chance)
        self.stripe, self.chance = self.month.stripe, self.month.chance

    # Before the month ends

    async def people_come(self) -> None:
        month, patrons = self.month, self.people.patrons
        month.settle_in(sorted({*patrons, *self.people.creators}))
        await month.say(*((each.name, f"budget {euros(each.budget)}") for each in patrons.values()))
        await month.say(*((each.name, "card") for each in patrons.values() if each.fate.card is not None))
        for each in patrons.values():
            if each.fate.card is not None:
                await self.enters(each)
        await self.onboard("early", "abroad", "unfinished", "restricted", "restricted in review")
        await month.events()
        await month.rounds()

    async def enters(self, patron: Patron) -> None:
        """A patron enters a card at Stripe; what is refused there is followed by another where they have one."""
        there = await self.month.goes(patron.name, "card")
        assert there is not None, self.month.heard(patron.name)
        try:
            back = await asyncio.to_thread(self.stripe.person_enters_card, there, card_of(patron))
        except CardRefused:
            assert patron.fate.then is not None, patron.fate
            back = await asyncio.to_thread(self.stripe.person_enters_card, there, card_of(patron, patron.fate.then))
        await self.month.returns(back)

    async def replaces(self, patron: Patron) -> None:
        """A patron enters the other card, unless Stripe is silent."""
        await self.month.say((patron.name, "card"))
        there = await self.month.goes(patron.name, "card")
        if there is not None:
            assert patron.fate.then is not None
            back = await asyncio.to_thread(self.stripe.person_enters_card, there, card_of(patron, patron.fate.then))
            await self.month.returns(back)
            self.used.add(patron.name)

    async def onboard(self, *ways: str) -> None:
        names = [name for name, how in self.people.creators.items() if how in ways]
        await self.month.say(*((name, "payouts") for name in names))
        for name in names:
            how = self.people.creators[name]
            there = await self.month.goes(name, "payouts")
            assert there is not None, self.month.heard(name)
            self.accounts[name] = there.split("/")[-2]
            with self.stripe.lock:
                country = "US" if how == "abroad" else "DE"
                self.stripe.objects[self.accounts[name]]["_identity"]["country"] = country
            back = await asyncio.to_thread(self.stripe.person_onboards, there, finish=how != "unfinished")
            await self.month.returns(back)

    async def the_month_passes(self) -> None:
        month, patrons = self.month, list(self.people.patrons.values())
        month.time.now = on(2026, 11, 12)
        await month.say(*((each.name, wish) for each in patrons for wish in _wishes(each)))
        await self.likes(first=True)
        await month.later(24)
        await self.onboard("late")
        for each in self.with_fate("is renewed by the bank"):
            await asyncio.to_thread(self.stripe.card_renewed, self.method(each))
        for each in self.with_fate("is from abroad and replaced"):
            await self.replaces(each)
        month.time.now = on(2026, 11, 20)
        await month.later(24)
        await self.likes(first=False)
        for name in self.creators("restricted"):
            await asyncio.to_thread(self.stripe.restrict, self.accounts[name])
        for each in self.with_fate("is taken away at Stripe"):
            await asyncio.to_thread(self.stripe.card_detached, self.method(each))
        await month.later(24)
        await month.events(fair=True)
        await month.rounds()

    async def likes(self, *, first: bool) -> None:
        """What patrons like in the first half of the month, and what they take back in the second."""
        patrons = self.people.patrons.values()
        told = [(each, thing, what) for each in patrons for thing, what in each.likes.items()]
        self.chance.shuffle(told)
        if first:
            written = [(each.name, f"flattr https://square.example/{thing}") for each, thing, _ in told if each.writes]
            await self.month.do(like(each.name, thing) for each, thing, _ in told if not each.writes)
            await self.month.say(*written)
            return
        back = [(each, thing, what) for each, thing, what in told if what in ("unlikes", "likes again")]
        for each, thing, _ in back:
            if each.writes:  # such a like is taken back by striking it out
                each.likes[thing] = "strikes out"
        back = [each for each in back if not each[0].writes]
        await self.month.do(like(each.name, thing, liked=False) for each, thing, _ in back)
        await self.month.do(like(each.name, thing) for each, thing, what in back if what == "likes again")
        await self.strikes("strikes out")

    async def strikes(self, when: str, of: str = "") -> None:
        patrons = self.people.patrons.values()
        struck = [(each.name, thing) for each in patrons for thing, what in each.likes.items() if what == when]
        await self.month.say(*((name, f"remove https://square.example/{thing}{of}") for name, thing in struck))

    # The month ends

    async def it_is_reviewed_and_closed(self) -> None:
        month = self.month
        await month.later(until=on(2026, 12, 1, 2), hours=200)
        await self.strikes("strikes out in review", " from 2026-11")
        await month.say(*((each.name, "skip 2026-11") for each in self.patrons(lambda each: each.skips == "review")))
        for name in self.creators("restricted in review"):
            await asyncio.to_thread(self.stripe.restrict, self.accounts[name])
        await month.events(fair=True)
        await month.rounds()
        if self.chance.random() < 0.5:
            await month.reopens()
        self.stripe.weather(self.chance.random(), STORM)
        await month.later(until=on(2026, 12, 3, 3), hours=49)
        await self.compare()
        await self.decide(first=True)

    async def compare(self) -> None:
        """The month as it was closed, against the independent calculation."""
        rows = self.month.rows
        self.persons = dict(await rows("select account_id, person_id from account where platform = 'sandbox'"))
        names = {number: name for name, number in self.persons.items()}
        flattrs = await rows(
            f"select f.patron_id, t.url, f.id from flattr f join thing t on t.id = f.thing_id where f.month = {MONTH}"
        )
        found = {(names[who], "/".join(url.split("/")[-2:])): number for who, url, number in flattrs}
        self.closed = bills(self.people, Numbers(MONTH, self.persons, found))
        told = await rows(
            "select patron_id, id, state, budget_micros, charge_micros, fee_micros, cost_micros"
            f" from statement where month = {MONTH}"
        )
        self.statements = {names[each[0]]: each[1] for each in told}
        for who, _, state, budget, *sums in told:
            bill = self.closed[names[who]]
            assert budget == self.people.patrons[names[who]].holds
            assert sums == [bill.charge, bill.fee, bill.cost], (names[who], sums, bill)
            assert (state == "void") == (bill.charge == 0), (names[who], state, bill)
        assert {name for name, bill in self.closed.items() if bill.charge} <= set(self.statements)
        shares = {
            (names[who], "/".join(url.split("/")[-2:])): micros
            for who, url, micros in await rows(
                "select s.patron_id, t.url, h.micros from share h join statement s on s.id = h.statement_id"
                " join flattr f on f.id = h.flattr_id join thing t on t.id = f.thing_id"
            )
        }
        wanted = {(name, thing): micros for name, bill in self.closed.items() for thing, micros in bill.shares.items()}
        assert shares == wanted
        self.held = expected_holds(self.closed)

    async def decide(self, *, first: bool) -> None:
        """The operator's word on what is held: some at once, some when it has been collected, one never."""
        names = {number: name for name, number in self.persons.items()}
        found = {
            (names[each["patron"]], names[each["creator"]]): each
            for each in (await self.month.asked(holds, "list", "--all"))["holds"]
        }
        assert {pair: set(each["reasons"]) for pair, each in found.items()} == self.held
        words = ["void", "release", "release", "void"] if first else ["release", "void", "", ""]
        self.chance.shuffle(words)
        for pair, word in zip(sorted(set(found) - self.void - self.released), words, strict=False):
            if word:
                (self.void if word == "void" else self.released).add(pair)
                done = await self.month.flattr(
                    holds, word, str(found[pair]["id"]), "--note", "seen", *(["--yes"] * (word == "void"))
                )
                assert done.exit_code == 0, done.output

    # Who and what

    def patrons(self, which: Callable[[Patron], bool]) -> list[Patron]:
        return [each for each in self.people.patrons.values() if which(each)]

    def with_fate(self, *names: str) -> list[Patron]:
        return self.patrons(lambda each: each.fate.name in names)

    def creators(self, *ways: str) -> list[str]:
        return [name for name, how in self.people.creators.items() if how in ways]

    def intent(self, patron: Patron) -> Any:
        statement = self.statements.get(patron.name)
        return self.stripe.intent_of(statement) if statement else None

    def method(self, patron: Patron) -> str:
        """Their card at Stripe: by its number."""
        number = card_of(patron).number
        return next(key for key, card in self.stripe.card_of.items() if card.number == number)


def euros(micros: int) -> str:
    return f"{micros // (100 * CENT)}.{micros // CENT % 100:02}"


def _wishes(patron: Patron) -> Iterable[str]:
    if patron.cap_per_like is not None:
        yield f"cap {euros(patron.cap_per_like)} per like"
    if patron.cap_per_creator is not None:
        yield f"cap {euros(patron.cap_per_creator)} per creator"
    if patron.covers:
        yield "cover on"
    if patron.next_budget is not None:
        yield f"budget {euros(patron.next_budget)}"
    if patron.lowered is not None:
        yield f"budget {euros(patron.lowered)} now"
    if patron.skips == "open":
        yield "skip"
