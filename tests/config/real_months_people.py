"""Who takes part in a real month: two hundred patrons with their cards, and creators, all made of a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from tests.platforms.stripe import cards
from tests.platforms.stripe.cards import Card, answering

PATRONS = 200
EUR = 1_000_000
CENT = 10_000

Ends = Literal["collected", "lapsed"]


@dataclass(frozen=True)
class Fate:
    """What becomes of a patron's card, and so of what they are charged."""

    name: str
    number: int
    """How many patrons have it."""
    ends: Ends
    card: Card | None = cards.PAYS
    """What they enter before the month ends."""
    then: Card | None = None
    """What they enter after it was declined."""


FATES = (
    Fate("pays by another brand", 4, "collected", cards.PAYS_MASTERCARD),
    Fate("is renewed by the bank", 3, "collected"),
    Fate("is short of money once", 6, "collected", answering("insufficient_funds", "pays")),
    Fate("pays at the third try", 4, "collected", answering("do_not_honor", "processing_error", "pays")),
    Fate("is short of money", 4, "lapsed", cards.INSUFFICIENT),
    Fate("is declined without a word", 4, "lapsed", cards.GENERIC),
    Fate("is lost", 3, "lapsed", cards.LOST),
    Fate("is stolen", 3, "lapsed", cards.STOLEN),
    Fate("is to be picked up", 3, "lapsed", cards.PICKUP),
    Fate("must never be tried again", 3, "lapsed", cards.NEVER_AGAIN),
    Fate("has expired", 3, "lapsed", cards.EXPIRED),
    Fate("has expired and is replaced", 5, "collected", cards.EXPIRED, cards.PAYS),
    Fate("is lost and replaced too late", 2, "lapsed", cards.LOST, cards.PAYS),
    Fate("is confirmed", 6, "collected", cards.AUTHENTICATES),
    Fate("is not confirmed by the bank", 3, "lapsed", cards.AUTHENTICATION_FAILS),
    Fate("is abandoned at the bank", 3, "lapsed", cards.AUTHENTICATES),
    Fate("is never confirmed", 3, "lapsed", cards.AUTHENTICATES),
    Fate("pays after days", 4, "collected", cards.PROCESSES),
    Fate("does not pay after days", 2, "lapsed", cards.PROCESSES),
    Fate("is none", 4, "lapsed", None),
    Fate("is removed between tries", 3, "lapsed", cards.INSUFFICIENT),
    Fate("is taken away at Stripe", 2, "lapsed"),
    Fate("is from abroad", 3, "lapsed", cards.PAYS_AMERICAN),
    Fate("is from abroad and replaced", 2, "collected", cards.PAYS_AMERICAN, cards.PAYS),
    Fate("is confirmed when entered", 4, "collected", cards.ASKS_AT_SETUP),
    Fate("fails when entered and is replaced", 3, "collected", cards.FAILS_AT_SETUP, cards.PAYS),
    Fate("is declined when entered and replaced", 3, "collected", cards.DECLINED_AT_SETUP, cards.PAYS),
    Fate("brings a warning", 3, "collected", cards.FRAUD_WARNING),
    Fate("brings a dispute", 3, "collected", cards.DISPUTED),
)
PAYS = Fate("pays", PATRONS - sum(each.number for each in FATES), "collected")

Standing = Literal["likes", "unlikes", "likes again", "strikes out", "strikes out in review"]


@dataclass
class Patron:
    """One patron; amounts in micros."""

    name: str
    fate: Fate
    number: str
    """Of their card: whose is the same, is the same instrument."""
    budget: int
    cap_per_like: int | None = None
    cap_per_creator: int | None = None
    covers: bool = False
    skips: Literal["", "open", "review"] = ""
    next_budget: int | None = None
    """Set in the middle of the month, and so for the following one."""
    lowered: int | None = None
    """Set in the middle of the month, for now."""
    writes: bool = False
    """Sends addresses to the bot instead of liking."""
    likes: dict[str, Standing] = field(default_factory=dict)
    """By the things, ``AUTHOR/NUMBER``."""

    @property
    def holds(self) -> int:
        """The budget that the month is closed with."""
        return self.budget if self.lowered is None else self.lowered

    def standing(self) -> Iterator[str]:
        """What they like in the end."""
        return (thing for thing, what in self.likes.items() if what in ("likes", "likes again"))


Onboards = Literal["early", "late", "unfinished", "never", "abroad", "restricted", "restricted in review"]


@dataclass
class People:
    """Everybody; the same for the same seed."""

    patrons: dict[str, Patron]
    creators: dict[str, Onboards]

    def payable(self) -> set[str]:
        """To whom money can be sent when the review begins."""
        return {name for name, how in self.creators.items() if how in ("early", "late", "restricted in review")}


_WAYS: tuple[tuple[Onboards, int], ...] = (
    ("early", 14), ("late", 5), ("unfinished", 3), ("never", 3), ("abroad", 1), ("restricted", 2),
    ("restricted in review", 2),
)  # fmt: skip


def people_of(chance: random.Random) -> People:
    """Two hundred patrons, some thirty creators, and those few who look like abuse."""
    fates = [fate for fate in (*FATES, PAYS) for _ in range(fate.number)]
    chance.shuffle(fates)
    creators: dict[str, Onboards] = {}
    for how, number in _WAYS:
        for _ in range(number):
            creators[f"c{len(creators) + 1:02}"] = how
    usual = list(creators)
    weights = [chance.random() + 0.2 for _ in usual]
    patrons = {}
    for place, fate in enumerate(fates, 1):
        patron = Patron(f"p{place:03}", fate, f"4{place:015}", CENT * chance.randint(200, 1900))
        patrons[patron.name] = patron
        _wishes(patron, chance)
        for author in chance.choices(usual, weights, k=chance.choice((1, 1, 2, 2, 3, 3, 4, 5, 8))):
            patron.likes[f"{author}/{chance.randint(1, 6)}"] = _standing(chance)
        if not any(creators[thing.split("/")[0]] == "early" for thing in patron.standing()):
            patron.likes[f"{usual[place % 14]}/7"] = "likes"  # or no card would be charged
    _suspects(patrons, creators, chance)
    return People(patrons, creators)


def card_of(patron: Patron, card: Card | None = None) -> Card:
    """The card as this patron has it: of a number of their own."""
    told = card or patron.fate.card
    assert told is not None
    number = patron.number if told is patron.fate.card else f"5{patron.number[1:]}"
    return replace(told, number=number, token="")


def _wishes(patron: Patron, chance: random.Random) -> None:
    if chance.random() < 0.12:
        patron.cap_per_like = CENT * chance.choice((15, 50, 100))
    if chance.random() < 0.08:
        patron.cap_per_creator = CENT * chance.choice((100, 250, 333))
    patron.covers = chance.random() < 0.15
    patron.writes = chance.random() < 0.05
    if chance.random() < 0.08:
        patron.next_budget = CENT * chance.randint(2000, 5000)
    elif chance.random() < 0.08:
        patron.lowered = CENT * chance.randint(200, 500)
    if patron.fate is PAYS and chance.random() < 0.06:
        patron.skips = chance.choice(("open", "review"))


def _standing(chance: random.Random) -> Standing:
    told: list[Standing] = ["likes", "unlikes", "likes again", "strikes out", "strikes out in review"]
    return chance.choices(told, (85, 5, 4, 3, 3))[0]


def _suspects(patrons: dict[str, Patron], creators: dict[str, Onboards], chance: random.Random) -> None:
    """One patron who brings most, pairs that have only each other, two who send each other money, one with one card."""
    free = [each for each in patrons.values() if each.fate is PAYS and not each.skips]
    chance.shuffle(free)

    def plain(budget: int) -> Patron:
        patron = free.pop()
        patron.likes.clear()
        patron.cap_per_like = patron.cap_per_creator = patron.lowered = None
        patron.covers, patron.budget = False, budget
        return patron

    for number in (1, 2, 3):
        creators[f"rich{number}"] = "early"
        patron = plain(CENT * chance.randint(6000, 9000))
        patron.likes |= {f"rich{number}/{each}": "likes" for each in range(1, 5)} | {"c01/1": "likes"}
        creators[f"pair{number}"] = "early"
        patron = plain(CENT * chance.randint(300, 1500))
        patron.likes |= {f"pair{number}/{each}": "likes" for each in range(1, 1 + number)}
    one, other = plain(12 * EUR), plain(9 * EUR)
    for giver, taker in ((one, other), (other, one)):
        creators[giver.name] = "early"
        giver.likes |= {f"{taker.name}/1": "likes", "c02/1": "likes", f"{giver.name}/2": "likes"}
    self_lover, cheat, owner = plain(7 * EUR), plain(8 * EUR), plain(6 * EUR)
    creators[self_lover.name] = creators[owner.name] = "early"
    self_lover.likes |= {f"{self_lover.name}/1": "likes", "c03/1": "likes"}
    cheat.number = owner.number
    cheat.likes |= {f"{owner.name}/1": "likes", "c04/1": "likes"}
    owner.likes |= {"c05/1": "likes"}
    others = [each for each in free if each.fate is PAYS][:6]
    for fan in others:
        fan.likes |= {f"{self_lover.name}/1": "likes", f"{owner.name}/1": "likes"}
