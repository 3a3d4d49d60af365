"""What patrons did, by an independent count: which flattrs stand, what each month costs, what each flattr is worth.

Nothing of the hub's arithmetic is used here. Of its database only facts are read that are not money's: which stage a
month has, who can be paid, whose card is whose, and the numbers of rows.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session

from core.rules import Rules
from tests.core.month_machine_facts import Facts, facts_of, numbers_of


@dataclass
class Flattr:
    """What one patron's likes of one thing count for in one month."""

    person: int
    thing: str
    month: int
    author: str
    since: datetime
    standing: bool = True
    own: bool = False
    void: bool = False
    moved: bool = False
    claimed: bool = False
    shared: bool = False


@dataclass
class Bill:
    """One patron's month once it is fixed, in micros."""

    budget: int
    charge: int = 0
    cost: int = 0
    fee: int = 0
    shares: dict[str, int] = field(default_factory=dict)
    """By the things."""


def month_at(at: datetime) -> int:
    return 12 * at.year + at.month


@dataclass
class Oracle:
    """Its own books of likes and budgets."""

    rules: Rules
    people: dict[str, int] = field(default_factory=dict)
    """Members by name; who left is none."""
    flattrs: dict[tuple[int, str, int], Flattr] = field(default_factory=dict)
    likes: dict[tuple[str, str], Flattr | None] = field(default_factory=dict)
    """Likes that stand, and what each counts for."""
    budgets: dict[int, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))
    caps: dict[int, int] = field(default_factory=dict)
    bears: set[int] = field(default_factory=set)
    skips: set[tuple[int, int]] = field(default_factory=set)
    left: set[int] = field(default_factory=set)
    payable: dict[int, dict[str, int]] = field(default_factory=dict)
    """Of each month, as judged when its review began."""
    reviewed: dict[tuple[int, int], int] = field(default_factory=dict)
    """Whom a month's review found with something to pay, and the budget."""
    bills: dict[tuple[int, int], Bill] = field(default_factory=dict)
    payees: dict[int, frozenset[int]] = field(default_factory=dict)
    """To whom money could be sent when each payout run began."""
    facts: Facts = field(default_factory=lambda: Facts({}, {}, {}, {}))

    # What people do

    def like(self, name: str, thing: str, author: str, at: datetime) -> None:
        if name not in self.people or (name, thing) in self.likes:
            return  # a like that merely still stands counts once
        person, month = self.people[name], month_at(at)
        flattr = self.flattrs.get((person, thing, month))
        if flattr is None:
            flattr = self.flattrs[person, thing, month] = Flattr(person, thing, month, author, at)
        flattr.standing = True
        flattr.own = flattr.own or author == name
        self.likes[name, thing] = flattr

    def unlike(self, name: str, thing: str) -> None:
        flattr = self.likes.pop((name, thing), None)
        if flattr is not None and self._open(flattr.person, flattr.month):
            flattr.standing = False

    def budget(self, person: int, amount: int, at: datetime, *, now: bool) -> None:
        mine, month = self.budgets[person], month_at(at)
        if not mine and amount == 0:
            return
        month += 0 if now or not mine else 1
        for later in [each for each in mine if each >= month]:
            del mine[later]
        mine[month] = amount

    def wish(self, person: int, cap: int | None, *, bears: bool) -> None:
        self.caps.pop(person, None)
        if cap is not None:
            self.caps[person] = cap
        self.bears.discard(person)
        if bears:
            self.bears.add(person)

    def skip(self, person: int, month: int) -> None:
        if self._open(person, month):
            self.skips.add((person, month))

    def leave(self, name: str) -> None:
        person = self.people.pop(name)
        self.left.add(person)
        self.budgets.pop(person, None)
        self.caps.pop(person, None)
        self.bears.discard(person)
        for flattr in self.flattrs.values():
            if flattr.person == person and self._stage(flattr.month) in ("open", "review"):
                flattr.standing = False
                for like in [like for like, counts in self.likes.items() if counts is flattr]:
                    self.likes[like] = None  # it stays known

    def joins(self, author: str, at: datetime) -> None:
        """A creator can be paid from now on: of what is pending for them some older likes count this month."""
        creator, month, since = self.people[author], month_at(at), at - timedelta(days=self.rules.pending_days)
        moved: Counter[int] = Counter(
            each.person
            for each in self.flattrs.values()
            if each.claimed and each.author == author and not each.moved and each.since > since
            and (self._stage(each.month) == "open" or each.shared or self._payable(each))
        )  # fmt: skip
        older = [
            each
            for each in self.flattrs.values()
            if each.author == author and each.standing and not (each.void or each.moved or each.shared)
            and not self._payable(each) and each.person not in self.left and each.person != creator
            and each.since > since and self._stage(each.month) != "open"
            and any(counts is each for counts in self.likes.values())  # else it was taken back
            and (each.person, each.thing, month) not in self.flattrs
        ]  # fmt: skip
        for each in sorted(older, key=lambda each: (each.since, each.month), reverse=True):
            if moved[each.person] >= self.rules.pending_per_creator or (each.person, each.thing, month) in self.flattrs:
                continue
            moved[each.person] += 1
            each.moved = True
            fresh = Flattr(each.person, each.thing, month, author, each.since, claimed=True)
            self.flattrs[each.person, each.thing, month] = fresh
            for like in [like for like, counts in self.likes.items() if counts is each]:
                self.likes[like] = fresh

    def _payable(self, flattr: Flattr) -> bool:
        return flattr.author in self.payable.get(flattr.month, {})

    def _stage(self, month: int) -> str:
        return self.facts.stages.get(month, "open")

    def _open(self, person: int, month: int) -> bool:
        """Whether a patron's month still takes withdrawals."""
        return self._stage(month) in ("open", "review") and self.facts.states.get((person, month), "review") == "review"

    # What the months do

    def observe(self, tx: Session, at: datetime, *, joined: str | None = None) -> None:
        """Take in what the hub did since the last time; hold what it fixed against what must be.

        ``joined``: a creator who has just said (again) that they want to receive.
        """
        before, now = self.facts, facts_of(tx)
        self.facts = now
        self.payees |= {run: frozenset(before.payable.values()) for run in now.runs - before.runs}
        began = [month for month, stage in now.stages.items() if before.stages.get(month, "open") == "open" != stage]
        for month in began:
            self._review(month, before)
        for author, person in now.payable.items():
            if before.payable.get(author) != person or author == joined:
                self.joins(author, at)
        fixed = [
            key
            for key, state in now.states.items()
            if state != "review" and before.states.get(key, "review") == "review"
        ]
        for month in began:
            assert {person for person, of in now.states if of == month} == {
                person for person, of in self.reviewed if of == month
            }
        if fixed:
            self._void_same_card(before, lambda flattr: (flattr.person, flattr.month) in fixed)
        for person, month in fixed:
            self.bills[person, month] = self._bill(tx, person, month)
            self._compare(tx, person, month, before)

    def _review(self, month: int, before: Facts) -> None:
        self.payable[month] = dict(before.payable)
        for flattr in self.flattrs.values():
            person = flattr.person
            if flattr.month != month or not flattr.standing or person in self.left:
                continue
            starts = [each for each in self.budgets.get(person, {}) if each <= month]
            if starts and (amount := self.budgets[person][max(starts)]):
                self.reviewed[person, month] = amount
        self._void_same_card(before, lambda flattr: flattr.month == month)

    def _void_same_card(self, before: Facts, concerns: Callable[[Flattr], bool]) -> None:
        """One instrument on both sides moves no money, now or ever."""
        for flattr in self.flattrs.values():
            theirs = before.cards.get(self.people.get(flattr.author, 0))
            if theirs is None or flattr.moved or not concerns(flattr):
                continue
            if theirs == before.cards.get(flattr.person) and flattr.person != self.people[flattr.author]:
                flattr.void = True

    def _bill(self, tx: Session, person: int, month: int) -> Bill:
        """The page's rule (money.md, "The end of a month", step 2)."""
        bill = Bill(self.reviewed[person, month])
        counting = [each for each in self.flattrs.values() if each.person == person and self._counts(each, month)]
        number = len(counting)
        if not number or person in self.left or (person, month) in self.skips:
            return bill
        charge = min(bill.budget, number * self.caps.get(person, bill.budget))
        charge -= charge % self.rules.money.minor_micros
        if charge < self.rules.charge_min_micros:
            return bill
        bill.charge = charge
        if person in self.bears:
            bill.cost = min(charge, charge * self.rules.cost_bp // 10_000 + self.rules.cost_fixed_micros)
        bill.fee = (charge - bill.cost) * self.rules.fee_bp // 10_000
        each, spare = divmod(charge - bill.cost - bill.fee, number)
        numbers = numbers_of(tx, person, month)
        for rank, flattr in enumerate(sorted(counting, key=lambda flattr: numbers[flattr.thing])):
            turn = ((rank - person - month * spare) % number + number) % number
            bill.shares[flattr.thing] = each + (1 if turn < spare else 0)
            flattr.shared = True
        return bill

    def _counts(self, flattr: Flattr, month: int) -> bool:
        creator = self.payable[month].get(flattr.author)
        return (
            flattr.month == month and flattr.standing and not (flattr.own or flattr.void or flattr.moved)
            and creator is not None and flattr.person not in (creator, self.people.get(flattr.author))
        )  # fmt: skip

    def _compare(self, tx: Session, person: int, month: int, before: Facts) -> None:
        bill, key = self.bills[person, month], {"person": person, "month": month}
        told = tx.execute(
            sa.text(
                "select budget_micros, charge_micros, cost_micros, fee_micros, early from statement"
                " where patron_id = :person and month = :month"
            ),
            key,
        ).one()
        assert tuple(told[:4]) == (bill.budget, bill.charge, bill.cost, bill.fee)
        paid = [
            sum(of == person and each < month and state == "collected" for (of, each), state in facts.states.items())
            for facts in (before, self.facts)
        ]  # an earlier month may have been collected just before
        assert bill.charge == 0 or told.early in (paid[0] < 2, paid[1] < 2)
        shares = tx.execute(
            sa.text(
                "select t.url, h.micros from share h join flattr f on f.id = h.flattr_id join thing t"
                " on t.id = f.thing_id where f.patron_id = :person and f.month = :month"
            ),
            key,
        )
        assert {url.rsplit("/", 1)[1]: micros for url, micros in shares} == bill.shares
        assert bill.cost + bill.fee + sum(bill.shares.values()) == bill.charge <= bill.budget
