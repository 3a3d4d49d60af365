"""What a real month must come to, by money.md and plain arithmetic; nothing of the hub's own is used."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from tests.config.real_months_people import CENT, EUR, Patron, People

FEE_BP, COST_BP, COST_FIXED = 1_000, 290, 300_000
LEAST_CHARGE, LEAST_PAYOUT = EUR // 2, EUR
ONE_PATRON_PERCENT, ONE_PATRON_MICROS, MUTUAL_PERCENT = 80, 20 * EUR, 30


@dataclass(frozen=True)
class Numbers:
    """The hub's numbers for people and flattrs, which the turn of the odd micros goes by."""

    month: int
    people: Mapping[str, int]
    flattrs: Mapping[tuple[str, str], int]
    """By patron and thing."""


@dataclass
class Bill:
    """One patron's month, in micros; nothing is charged where there are no shares."""

    charge: int = 0
    fee: int = 0
    cost: int = 0
    shares: dict[str, int] = field(default_factory=dict)
    """By the things, ``AUTHOR/NUMBER``."""

    @property
    def creators(self) -> Counter[str]:
        """What each creator gets of it."""
        found: Counter[str] = Counter()
        for thing, micros in self.shares.items():
            found[author(thing)] += micros
        return found


def author(thing: str) -> str:
    """Whose it is."""
    return thing.split("/")[0]


def bills(people: People, numbers: Numbers) -> dict[str, Bill]:
    """Everybody's month as it has to be closed."""
    payable = people.payable()
    instruments = {name: each.number for name, each in people.patrons.items()}
    return {name: _bill(each, payable, instruments, numbers) for name, each in people.patrons.items()}


def _bill(patron: Patron, payable: Collection[str], instruments: Mapping[str, str], numbers: Numbers) -> Bill:
    counting = [
        thing
        for thing in patron.standing()
        if author(thing) in payable and author(thing) != patron.name and instruments.get(author(thing)) != patron.number
    ]
    if patron.skips or not counting:
        return Bill()
    count, most = len(counting), max(Counter(map(author, counting)).values())
    charge = patron.holds
    if patron.cap_per_like is not None:
        charge = min(charge, count * patron.cap_per_like)
    if patron.cap_per_creator is not None:
        charge = min(charge, patron.cap_per_creator * count // most)
    charge = charge // CENT * CENT
    if charge < LEAST_CHARGE:
        return Bill()
    cost = min(charge, charge * COST_BP // 10_000 + COST_FIXED) if patron.covers else 0
    fee = (charge - cost) * FEE_BP // 10_000
    share, odd = divmod(charge - cost - fee, count)
    ranked = sorted(counting, key=lambda thing: numbers.flattrs[patron.name, thing])
    turn = numbers.people[patron.name] + numbers.month * odd
    shares = {thing: share + ((rank - turn) % count < odd) for rank, thing in enumerate(ranked)}
    assert cost + fee + sum(shares.values()) == charge <= patron.holds
    return Bill(charge, fee, cost, shares)


def holds(closed: Mapping[str, Bill]) -> dict[tuple[str, str], set[str]]:
    """Which patron's money for which creator waits for the operator, and why; all are new in such a month."""
    totals: Counter[str] = Counter()
    patrons: defaultdict[str, set[str]] = defaultdict(set)
    for name, bill in closed.items():
        totals.update(bill.creators)
        for creator in bill.creators:
            patrons[creator].add(name)
    found: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for name, bill in closed.items():
        for creator, micros in bill.creators.items():
            pair = (name, creator)
            if micros > ONE_PATRON_MICROS and 100 * micros > ONE_PATRON_PERCENT * totals[creator]:
                found[pair].add("one_patron")
            back = closed[creator].creators.get(name, 0) if creator in closed else 0
            parts = ((micros, totals[creator]), (back, totals[name]))
            if back and any(100 * part > MUTUAL_PERCENT * whole for part, whole in parts):
                found[pair].add("mutual")
            if len(bill.creators) == 1 and len(patrons[creator]) == 1:
                found[pair].add("new_pair")
    return dict(found)


@dataclass(frozen=True)
class Taken:
    """Money of a charge that went back to the patron and did not come again."""

    patron: str
    micros: int
    safe: frozenset[str] = frozenset()
    """Creators who had been paid: theirs is not touched."""


@dataclass
class Due:
    """What creators are owed and were sent, together."""

    closed: Mapping[str, Bill]
    collected: Collection[str]
    """The patrons whose charge came in."""
    void: Collection[tuple[str, str]] = ()
    """What the operator voided: it goes back whole."""

    def earned(self, taken: Iterable[Taken]) -> Counter[str]:
        """By creator: their shares of what was collected, less their part of what went back while it was here."""
        left = {
            (name, thing): micros
            for name in self.collected
            for thing, micros in self.closed[name].shares.items()
            if (name, author(thing)) not in self.void
        }
        for each in taken:
            bill = self.closed[each.patron]
            for thing in bill.shares:
                if author(thing) not in each.safe and (each.patron, thing) in left:
                    left[each.patron, thing] -= bill.shares[thing] * each.micros // bill.charge
        found: Counter[str] = Counter()
        for (_, thing), micros in left.items():
            found[author(thing)] += micros
        return found

    def payout(
        self, taken: Iterable[Taken], held: Collection[tuple[str, str]], payable: Collection[str]
    ) -> Counter[str]:
        """What the first run sends, in cents, by creator."""
        waiting: Counter[str] = Counter()
        for name, creator in held:
            if name in self.collected:
                waiting[creator] += self.closed[name].creators[creator]
        earned = self.earned(taken)
        sums = {name: (earned[name] - waiting[name]) // CENT for name in sorted(payable)}
        return Counter({name: cents for name, cents in sums.items() if cents * CENT >= LEAST_PAYOUT})

    def voided(self, pair: tuple[str, str]) -> int:
        """What goes back for a voided hold, in cents: its shares with their part of the fee."""
        bill = self.closed[pair[0]]
        micros = bill.creators[pair[1]]
        return (micros + bill.fee * micros // (bill.charge - bill.cost - bill.fee)) // CENT
