"""A hundred thousand random statements: the closing's SQL, the plain Python and an independent oracle agree on each."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
import sqlalchemy as sa

from core.database import Database, execute_many, to_micros
from core.money import currency, split
from core.months import closing, review
from core.months.bill import bill
from core.periods import month_of
from core.rules import Rules

AT = datetime(2026, 11, 10, tzinfo=UTC)
MONTH = month_of(AT)
CREATORS = 400
RULES = Rules(
    money=currency("EUR"), pseudonym_key=b"", review=timedelta(0), fee_bp=1000, cost_bp=290, cost_fixed_micros=300_000,
    hold_micros=10**15,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wish:
    """One patron's month as it was drawn."""

    patron: int
    budget_micros: int
    cap_per_flattr: int | None
    cap_per_creator: int | None
    bears_cost: bool
    flattrs: tuple[tuple[int, int], ...]
    """(flattr id, creator id), by flattr id."""


def wishes(count: int, seed: int) -> list[Wish]:
    dice = random.Random(seed)
    made, flattr = [], 0
    for patron in range(1, count + 1):
        number = dice.choice((1, 1, 2, 2, 3, 3, 4, 5, 7, 11)) if dice.random() < 0.999 else dice.randint(50, 400)
        creators = dice.sample(range(count + 1, count + CREATORS + 1), dice.randint(1, min(number, CREATORS)))
        flattrs = []
        for _ in range(number):
            flattr += 1
            flattrs.append((flattr, dice.choice(creators)))
        made.append(
            Wish(
                patron=patron,
                budget_micros=dice.choice((2, 4, 5, 10, 35, 1000)) * 1_000_000 + dice.randrange(0, 100) * 10_000,
                cap_per_flattr=dice.randrange(1, 3_000_000) if dice.random() < 0.2 else None,
                cap_per_creator=dice.randrange(1, 9_000_000) if dice.random() < 0.2 else None,
                bears_cost=dice.random() < 0.3,
                flattrs=tuple(flattrs),
            )
        )
    return made


def fill(db: Database, drawn: list[Wish]) -> None:
    now, count = to_micros(AT), len(drawn)
    people = [(each.patron, now, None, None, each.cap_per_flattr, each.cap_per_creator, each.bears_cost)
              for each in drawn]  # fmt: skip
    people += [(count + 1 + number, now, now, now, None, None, False) for number in range(CREATORS)]
    rows = {
        "insert into person (id, created_at, receives_since, payable_since, cap_per_flattr_micros,"
        " cap_per_creator_micros, bears_cost) values (?, ?, ?, ?, ?, ?, ?)": people,
        "insert into account (id, platform, account_id, person_id, linked_at) values (?, 'pond', ?, ?, ?)":
            [(each[0], f"id-{each[0]}", each[0], now) for each in people],
        "insert into budget (person_id, from_month, amount_micros, set_at) values (?, ?, ?, ?)":
            [(each.patron, MONTH, each.budget_micros, now) for each in drawn],
        "insert into thing (id, url) values (?, ?)":
            [(number, f"https://pond.example/{number}") for number in range(1, 401)],
        "insert into flattr (id, patron_id, thing_id, month, author_id, standing, origin, created_at)"
        " values (?, ?, ?, ?, ?, ?, 'like', ?)":
            [(flattr, each.patron, place, MONTH, creator, True, now)
             for each in drawn for place, (flattr, creator) in enumerate(each.flattrs, 1)],
    }  # fmt: skip
    with db.transaction() as tx:
        tx.execute(sa.text("insert into month (id, stage) values (:month, 'open')"), {"month": MONTH})
        for statement, values in rows.items():
            execute_many(tx, statement, values)


def oracle(wish: Wish) -> tuple[int, int, int, dict[int, int]]:
    """Charge, cost, fee and shares as money.md words them, in fractions and by walking round, not by its formula."""
    number = len(wish.flattrs)
    charge = Fraction(wish.budget_micros)
    if wish.cap_per_flattr is not None:
        charge = min(charge, Fraction(number * wish.cap_per_flattr))
    if wish.cap_per_creator is not None:
        mine: dict[int, int] = defaultdict(int)
        for _, creator in wish.flattrs:
            mine[creator] += 1
        charge = min(charge, Fraction(wish.cap_per_creator * number, max(mine.values())))
    cents = charge // 10_000
    if cents * 10_000 < RULES.charge_min_micros:
        return 0, 0, 0, {}
    whole = int(cents) * 10_000
    cost = min(whole, int(Fraction(whole * 290, 10_000)) + 300_000) if wish.bears_cost else 0
    fee = int(Fraction(whole - cost, 10))
    left = whole - cost - fee
    shares = {flattr: left // number for flattr, _ in wish.flattrs}
    over = left - sum(shares.values())
    place = (wish.patron + MONTH * over) % number
    for _ in range(over):
        shares[wish.flattrs[place][0]] += 1
        place = (place + 1) % number
    return whole, cost, fee, shares


@pytest.mark.parametrize(("database", "count"), [("sqlite_db", 100_000), ("postgres_db", 8_000)])
def test_sql_python_and_an_oracle_split_every_statement_alike(request, database, count):
    db: Database = request.getfixturevalue(database)
    drawn = wishes(count, seed=20_261_122)
    fill(db, drawn)
    with db.transaction() as tx:
        assert review.start(tx, RULES, MONTH, AT)
    closed = True
    while closed:
        with db.transaction() as tx:
            closed = bool(closing.close_chunk(tx, RULES, MONTH, AT))
    with db.reading() as tx:
        sums = {row[0]: tuple(row[1:]) for row in tx.execute(sa.text(
            "select patron_id, charge_micros, cost_micros, fee_micros, state from statement"))}  # fmt: skip
        shares: dict[int, dict[int, int]] = defaultdict(dict)
        for patron, flattr, micros in tx.execute(
            sa.text("select s.patron_id, h.flattr_id, h.micros from share h join statement s on s.id = h.statement_id")
        ):
            shares[patron][flattr] = micros  # fmt: skip
    assert len(sums) == count
    wrong = [each for each in drawn if (*sums[each.patron][:3], shares[each.patron]) != oracle(each)]
    assert wrong == []
    for each in drawn:
        mine: dict[int, int] = defaultdict(int)
        for _, creator in each.flattrs:
            mine[creator] += 1
        plain = bill(
            RULES, budget_micros=each.budget_micros, flattrs=len(each.flattrs),
            most_for_one_creator=max(mine.values()), cap_per_flattr_micros=each.cap_per_flattr,
            cap_per_creator_micros=each.cap_per_creator, bears_cost=each.bears_cost,
        )  # fmt: skip
        assert (plain.charge_micros, plain.cost_micros, plain.fee_micros) == sums[each.patron][:3]
        assert sums[each.patron][3] == ("due" if plain.charge_micros else "void")
        net = plain.charge_micros - plain.cost_micros - plain.fee_micros
        if plain.charge_micros:
            assert [shares[each.patron][flattr] for flattr, _ in each.flattrs] == split(
                net, len(each.flattrs), patron=each.patron, month=MONTH
            )
