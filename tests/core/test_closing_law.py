"""The closing's SQL, the plain formula and an independent calculation agree on any month."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import count

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import select

from core.database import Database
from core.listings import books
from core.listings.marks import mark
from core.money import currency, parse_amount, plain, split
from core.months.bill import bill
from core.months.tables import Share, Statement
from core.months.verdicts import COUNTING, PAYABLE_AT_REVIEW, VERDICT
from core.people import preferences
from core.people.tables import Account
from core.rules import Rules
from tests.scene import EUR, Scene

FRESH = count(1)
EUROS = Rules(money=currency("EUR"), pseudonym_key=b"")


@given(
    budget=st.integers(0, 1000 * EUR).map(lambda each: each - each % 10_000),
    flattrs=st.integers(0, 500),
    most=st.integers(1, 500),
    cap_flattr=st.none() | st.integers(0, 50 * EUR),
    cap_creator=st.none() | st.integers(0, 50 * EUR),
    bears_cost=st.booleans(),
    fee_bp=st.integers(0, 10_000),
)
def test_cost_and_fee_and_shares_are_the_charge_to_the_micro(
    budget, flattrs, most, cap_flattr, cap_creator, bears_cost, fee_bp
):
    rules = Rules(money=currency("EUR"), pseudonym_key=b"", fee_bp=fee_bp, cost_bp=150, cost_fixed_micros=250_000)
    found = bill(
        rules,
        budget_micros=budget,
        flattrs=flattrs,
        most_for_one_creator=min(most, flattrs),
        cap_per_flattr_micros=cap_flattr,
        cap_per_creator_micros=cap_creator,
        bears_cost=bears_cost,
    )
    shares = found.each_micros * flattrs + found.spare_micros
    assert found.cost_micros + found.fee_micros + shares == found.charge_micros <= budget
    assert found.charge_micros % 10_000 == 0
    assert found.fee_micros <= Fraction(found.charge_micros * fee_bp, 10_000)
    if found.charge_micros:
        assert cap_flattr is None or found.charge_micros <= cap_flattr * flattrs
        assert cap_creator is None or Fraction(found.charge_micros * min(most, flattrs), flattrs) <= cap_creator
        assert found.spare_micros < flattrs


@given(
    net=st.integers(0, 10**12), n=st.integers(1, 300), patron=st.integers(1, 10**6), month=st.integers(24_000, 25_000)
)
def test_shares_differ_by_a_micro_at_most_and_sum_to_the_net(net, n, patron, month):
    shares = split(net, n, patron=patron, month=month)
    assert sum(shares) == net
    assert max(shares) - min(shares) <= 1


@given(net=st.integers(1, 10**9), n=st.integers(1, 60), patron=st.integers(1, 1000))
def test_nobody_is_favoured_over_as_many_months_as_there_are_flattrs(net, n, patron):
    """With the same sum every month, each place gets its extra micro equally often (where r and n are coprime)."""
    from math import gcd

    if gcd(net % n, n) != 1:
        return
    spare = Counter()
    for month in range(24_000, 24_000 + n):
        for place, share in enumerate(split(net, n, patron=patron, month=month)):
            spare[place] += share - net // n
    assert set(spare.values()) == {net % n}


@given(
    cents=st.integers(0, 10**9),
    code=st.sampled_from(["EUR", "JPY", "KWD"]),
    pattern=st.sampled_from(["{}", "{} ", "{} {c}"]),
)
def test_an_amount_is_read_as_it_is_shown(cents, code, pattern):
    money = currency(code)
    micros = cents * money.minor_micros
    assert parse_amount(pattern.format(plain(micros, money), c=code), money) == micros


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_month_closes_as_the_formula_says(data: st.DataObject, db: Database, rules: Rules, at):
    scene = Scene(db, rules, at)
    tag = next(FRESH)
    scene.at = scene.at.replace(year=2026 + tag)  # one database serves all examples, each in its own November
    creators = {f"c{tag}-{k}": scene.creator(f"c{tag}-{k}") for k in range(data.draw(st.integers(1, 3)))}
    absent = f"absent{tag}"
    expected = {}
    for number in range(data.draw(st.integers(1, 3))):
        name = f"p{tag}-{number}"
        patron = scene.patron(name, data.draw(st.integers(200, 5000)) / 100)
        caps = {
            "per_flattr_micros": data.draw(st.none() | st.integers(100_000, 3 * EUR)),
            "per_creator_micros": data.draw(st.none() | st.integers(500_000, 9 * EUR)),
        }
        ignored = data.draw(st.none() | st.sampled_from(sorted(creators)))
        likes = data.draw(
            st.lists(
                st.tuples(
                    st.sampled_from([*sorted(creators), absent, name]), st.sampled_from(["stands", "unliked", "held"])
                ),
                min_size=1,
                max_size=12,
            )
        )
        counting: Counter[str] = Counter()
        for place, (author, kept) in enumerate(likes):
            scene.like(name, f"{name}-{place}", author)
            if kept == "unliked":
                scene.unlike(name, f"{name}-{place}")
            elif kept == "stands" and author in creators and author != ignored:
                counting[author] += 1
        with db.transaction() as tx:
            preferences.set_caps(tx, patron, **caps)
            patron_account = tx.exec(select(Account).where(Account.account_id == f"id-{name}")).one()
            held = {mark(f"{name}-{place}") for place, (_, kept) in enumerate(likes) if kept == "held"}
            books.hold(tx, patron_account.id, held, scene.at)
            if ignored:
                row = tx.exec(select(Account).where(Account.account_id == f"id-{ignored}")).one()
                preferences.ignore(tx, patron, row.id, scene.at)
        expected[patron] = (
            bill(
                rules,
                budget_micros=scene.status(patron).budget_micros,
                flattrs=sum(counting.values()),
                most_for_one_creator=max(counting.values(), default=0),
                cap_per_flattr_micros=caps["per_flattr_micros"],
                cap_per_creator_micros=caps["per_creator_micros"],
            ),
            sum(counting.values()),
        )
        assert scene.status(patron).charge_micros == expected[patron][0].charge_micros
    month = scene.close_month()
    with db.reading() as tx:
        for patron, (found, flattrs) in expected.items():
            statement = tx.exec(
                select(Statement).where(Statement.patron_id == patron, Statement.month == month)
            ).one_or_none()
            if statement is None:  # nothing stood when the review began
                assert flattrs == 0
                continue
            micros = [
                share.micros
                for share in tx.exec(
                    select(Share).where(Share.statement_id == statement.id).order_by(sa.text("flattr_id"))
                )
            ]
            assert (statement.charge_micros, statement.fee_micros) == (found.charge_micros, found.fee_micros)
            net = found.charge_micros - found.fee_micros
            assert micros == (split(net, flattrs, patron=patron, month=month) if net else [])
        verdicts = tx.execute(
            sa.text(
                "select s.patron_id, s.month, f.id,"
                f" ({VERDICT.format(payable=PAYABLE_AT_REVIEW)}) = 'counts', p.account_id is not null and {COUNTING}"
                " from flattr f join statement s on s.patron_id = f.patron_id and s.month = f.month"
                " join person u on u.id = s.patron_id left join account a on a.id = f.author_id"
                " left join payable p on p.month = f.month and p.account_id = f.author_id"
            )
        ).all()
    assert all(bool(said) == bool(asked) for *_, said, asked in verdicts)
    assert scene.broken() == []


def test_the_worked_example_of_the_rules():
    found = bill(EUROS, budget_micros=35 * EUR, flattrs=10)
    assert (found.each_micros, found.fee_micros, found.spare_micros) == (3_150_000, 3_500_000, 0)


@pytest.mark.parametrize(("code", "minor"), [("EUR", 10_000), ("JPY", 1_000_000), ("KWD", 1_000)])
def test_currencies_have_their_own_minor_units(code, minor):
    assert currency(code).minor_micros == minor


def test_an_unknown_currency_is_refused_with_the_remedy():
    with pytest.raises(ValueError, match="ISO 4217"):
        currency("EURO")
