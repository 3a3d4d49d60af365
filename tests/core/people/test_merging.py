"""Two persons become one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import things
from core.events import AccountRef
from core.money import MICROS
from core.months import stages
from core.payments.sandbox import CARDS
from core.people import budgets, cards, claims, leaving, merging, persons, preferences, subscriptions
from core.people.tables import Person
from core.periods import month_of, month_start
from core.tables import Flattr

ANN = AccountRef(platform="sandbox", account_id="ann")
BOB = AccountRef(platform="sandbox", account_id="bob")
CLEO = AccountRef(platform="sandbox", account_id="cleo")


def merge(town: Any, keep: int, lose: int) -> merging.MergePreview:
    with town.db.transaction() as tx:
        return merging.merge(tx, town.rules, keep_id=keep, lose_id=lose, at=town.at)


def test_one_flattr_per_thing_is_left_and_an_unlike_by_either_account_leaves_the_others(town: Any) -> None:
    ann, bob = town.join(ANN), town.join(BOB)
    for by, thing in ((ANN, "song"), (BOB, "song"), (BOB, "film")):
        town.like(by, thing, CLEO)
    with town.db.reading() as tx:
        shown = merging.preview(tx, ann, bob, town.at)
    assert (shown.flattrs, shown.doubles, shown.accounts) == (2, 1, (str(BOB),))
    assert merge(town, ann, bob) == shown
    assert [flattr.patron_id for flattr in town.flattrs(Flattr.standing)] == [ann, ann]
    assert town.count("likes", "flattr_id is not null") == 3
    assert town.like(BOB, "song", CLEO) == "standing"
    town.unlike(ANN, "song", town.at + timedelta(hours=1))
    assert len(town.flattrs(Flattr.standing)) == 2  # Bob's account still likes the song
    town.unlike(BOB, "song", town.at + timedelta(hours=1))
    assert len(town.flattrs(Flattr.standing)) == 1


def test_merging_again_changes_nothing(town: Any) -> None:
    ann, bob = town.join(ANN), town.join(BOB)
    town.like(BOB, "song", CLEO)
    merge(town, ann, bob)
    before = [flattr.model_dump() for flattr in town.flattrs()]
    for keep, lose in ((ann, bob), (bob, ann)):
        merge(town, keep, lose)
    assert [flattr.model_dump() for flattr in town.flattrs()] == before
    assert town.count("outbox", "kind = 'merged'") == 2


def test_every_account_is_told_and_payouts_wait(town: Any) -> None:
    ann, bob = town.join(ANN), town.join(BOB)
    merge(town, ann, bob)
    assert town.count("outbox", "kind = 'merged' and account_id in ('ann', 'bob') and text like '%unlink%'") == 2
    with town.db.reading() as tx:
        cooling = {tx.get_one(Person, each).cooling_until for each in (ann, bob)}
    assert cooling == {town.at + town.rules.cooling}


def test_a_chain_of_merges_stays_flat(town: Any) -> None:
    one, two, three = (town.join(AccountRef(platform="sandbox", account_id=name)) for name in "abc")
    merge(town, two, one)
    merge(town, three, two)
    with town.db.reading() as tx:
        assert persons.merged_ids(tx, one) == [three, one, two]
        assert tx.get_one(Person, one).merged_into_id == three
        assert persons.find(tx, str(one)).id == three


def test_what_is_under_way_stays_under_the_old_number(town: Any) -> None:
    ann, bob = town.join(ANN), town.join(BOB)
    month = month_of(town.at)
    town.like(BOB, "song", CLEO)
    with town.db.transaction() as tx:
        budgets.set_budget(tx, town.rules, person_id=bob, amount_micros=5 * MICROS, at=town.at)
        cards.choose(tx, bob, CARDS[0], town.at)
    town.at = month_start(month + 1) + timedelta(hours=2)
    town.review(month, town.at)
    town.like(BOB, "film", CLEO)
    done = merge(town, ann, bob)
    assert done.months_under_way == (month,)
    assert [(flattr.month, flattr.patron_id) for flattr in town.flattrs()] == [(month, bob), (month + 1, ann)]
    assert town.count("statement", f"patron_id = {bob} and budget_micros = 5000000") == 1
    with town.db.transaction() as tx:
        assert [cards.card_of(tx, each).reference for each in (ann, bob)] == ["pretend-4242"] * 2  # type: ignore[union-attr]
        assert preferences.skip(tx, ann, month, town.at)  # reaches the old number's statement
    assert town.count("skip", f"person_id = {bob}") == 1
    with town.db.transaction() as tx:
        cards.choose(tx, ann, CARDS[1], town.at)
        assert cards.card_of(tx, bob).reference == CARDS[1].reference  # type: ignore[union-attr]
        assert cards.remove(tx, ann, town.at)
        assert not cards.remove(tx, ann, town.at)
        assert cards.card_of(tx, bob) is None


@pytest.mark.parametrize(
    ("mine", "theirs", "left", "ended"), [(35, 10, 35, 10), (None, 10, 10, 0), (35, None, 35, 0), (0, 10, 10, 0)]
)
def test_one_budget_is_left(town: Any, mine: int | None, theirs: int | None, left: int, ended: int) -> None:
    ann, bob = town.join(ANN), town.join(BOB)
    month = month_of(town.at)
    with town.db.transaction() as tx:
        for person, amount in ((ann, mine), (bob, theirs)):
            if amount is not None:
                budgets.set_budget(tx, town.rules, person_id=person, amount_micros=4 * MICROS, at=town.at)
                budgets.set_budget(
                    tx, town.rules, person_id=person, amount_micros=amount * MICROS, at=town.at, now=True
                )
    done = merge(town, ann, bob)
    assert (done.budget_micros, done.ended_budget_micros) == (left * MICROS, ended * MICROS)
    with town.db.reading() as tx:
        assert budgets.budget_of(tx, ann, month) == left * MICROS
    assert town.count("budget", f"person_id = {bob}") == 0


def test_what_either_left_out_stays_out(town: Any) -> None:
    ann, bob, cleo = town.join(ANN), town.join(BOB), town.account(CLEO)
    with town.db.transaction() as tx:
        preferences.pause(tx, bob, "sandbox2", at=town.at)
        preferences.ignore(tx, bob, cleo.id, town.at)
        preferences.set_caps(tx, ann, per_flattr_micros=2 * MICROS, per_creator_micros=None)
        preferences.set_caps(tx, bob, per_flattr_micros=MICROS, per_creator_micros=3 * MICROS)
        subscriptions.subscribe(tx, person_id=bob, account_id=cleo.id, at=town.at)
        subscriptions.subscribe(tx, person_id=ann, account_id=cleo.id, at=town.at, last_month=month_of(town.at) + 2)
    merge(town, ann, bob)
    with town.db.reading() as tx:
        assert preferences.pauses(tx, ann) == ["sandbox2"]
        assert preferences.ignored(tx, ann, cleo.id)
        person = tx.get_one(Person, ann)
        assert (person.cap_per_flattr_micros, person.cap_per_creator_micros) == (MICROS, 3 * MICROS)
        assert [each.last_month for each in subscriptions.subscriptions_of(tx, ann)] == [None]


def test_a_creator_who_is_merged_receives_on_and_brings_pending_flattrs(town: Any) -> None:
    ann, bob = town.join(ANN), town.join(BOB)
    town.join(CLEO, at=town.at - timedelta(days=30))
    town.like(CLEO, "song", ANN, at=town.at - timedelta(days=20))
    town.stage(month_of(town.at) - 1, "settled")
    with town.db.transaction() as tx:
        claims.claim(tx, town.rules, person_id=bob, at=town.at, can_pay=True)
    assert merge(town, ann, bob).receives
    moved = town.flattrs(Flattr.origin == "claimed")
    assert [flattr.month for flattr in moved] == [month_of(town.at)]
    with town.db.reading() as tx:
        assert tx.get_one(Person, ann).payable_since == town.at


def test_who_has_left_is_not_merged(town: Any) -> None:
    ann, bob = town.join(ANN), town.join(BOB)
    with town.db.transaction() as tx:
        leaving.stop(tx, town.rules, bob, town.at)
    with pytest.raises(LookupError, match="left"):
        merge(town, ann, bob)


ROW = st.tuples(st.integers(0, 3), st.integers(0, 4), st.booleans(), st.booleans())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mine=st.lists(ROW, max_size=8), theirs=st.lists(ROW, max_size=8))
def test_after_any_merge_there_is_one_flattr_per_thing_and_open_month(
    sqlite_town: Any, mine: list[tuple[int, int, bool, bool]], theirs: list[tuple[int, int, bool, bool]]
) -> None:
    town, number = sqlite_town, sqlite_town.count("person")
    ann, bob = (town.join(AccountRef(platform="sandbox", account_id=f"{name}{number}")) for name in "ab")
    base = 30_000 + 10 * number  # months of their own: two open ones and two that are closed
    with town.db.transaction() as tx:
        for month in range(4):
            stages.ensure_month(tx, base + month)
    for month in (0, 1):
        town.stage(base + month, "settled")
    names = _things(town)
    rows = {}
    for person, wanted in ((ann, mine), (bob, theirs)):
        for month, thing, standing, struck in wanted:
            rows[person, base + month, names[thing]] = (standing, struck)
    with town.db.transaction() as tx:
        tx.add_all(
            Flattr(
                patron_id=person, month=month, thing_id=thing, standing=standing,
                struck_at=town.at if struck else None, created_at=town.at,
            )
            for (person, month, thing), (standing, struck) in rows.items()
        )  # fmt: skip
    merge(town, ann, bob)
    expected = {}
    for (person, month, thing), (standing, struck) in rows.items():
        is_open = month >= base + 2
        key = (ann if is_open else person, month, thing)
        was = expected.get(key, (False, False))
        expected[key] = (was[0] or standing, was[1] or struck)
    found = {
        (row.patron_id, row.month, row.thing_id): (row.standing, row.struck_at is not None)
        for row in town.flattrs(Flattr.month >= base, Flattr.month < base + 10)
    }
    assert found == expected


def _things(town: Any) -> list[int]:
    with town.db.transaction() as tx:
        return [things.ensure(tx, town.thing(f"t{n}"), None).id for n in range(5)]  # type: ignore[misc]


@pytest.mark.parametrize("kept", ["new here", "had ended theirs", "merged the other way"])
def test_a_month_that_is_over_but_still_open_keeps_the_budget_that_it_had(town: Any, kept: str) -> None:
    ann, bob = town.join(ANN, at=town.at - timedelta(days=100)), town.join(BOB)
    month = month_of(town.at)

    def give(person: int, amount: int, now: bool = False) -> None:
        with town.db.transaction() as tx:
            budgets.set_budget(tx, town.rules, person_id=person, amount_micros=amount * MICROS, at=town.at, now=now)

    give(ann, 10)
    if kept == "had ended theirs":
        give(bob, 5)
        give(bob, 0, now=True)
    town.at = month_start(month + 1) + timedelta(minutes=30)
    give(bob, 7, now=True)
    if kept == "merged the other way":
        give(ann, 0, now=True)
    keep, lose = (ann, bob) if kept == "merged the other way" else (bob, ann)
    merge(town, keep, lose)
    with town.db.reading() as tx:
        found = [budgets.budget_of(tx, keep, each) // MICROS for each in (month, month + 1, month + 2)]
    assert found == [10, 7, 7]
    assert town.count("budget", f"person_id = {lose}") == 0
