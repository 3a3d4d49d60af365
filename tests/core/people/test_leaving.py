"""Leaving, and taking along what the hub knows."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import select

from core.books import ledger
from core.charges import collecting
from core.database import to_micros
from core.events import AccountRef
from core.money import MICROS
from core.months.tables import Charge, Statement
from core.payments.sandbox import CARDS, SandboxGateway
from core.people import budgets, cards, claims, leaving, linking, merging, persons, preferences, subscriptions
from core.people.tables import Person
from core.periods import month_of, month_start
from core.tables import Flattr

ANN = AccountRef(platform="sandbox", account_id="ann")
ANN2 = AccountRef(platform="sandbox2", account_id="ann2")
BOB = AccountRef(platform="sandbox", account_id="bob")
CLEO = AccountRef(platform="sandbox", account_id="cleo")


def settle_in(town: Any) -> int:
    """Ann: two accounts, a budget, a card, likes, a subscription, preferences."""
    person: int = town.join(ANN, ANN2, at=town.at - timedelta(days=100))
    cleo, bob = town.account(CLEO), town.account(BOB)
    with town.db.transaction() as tx:
        budgets.set_budget(tx, town.rules, person_id=person, amount_micros=35 * MICROS, at=town.at)
        cards.choose(tx, person, CARDS[0], town.at)
        subscriptions.subscribe(tx, person_id=person, account_id=cleo.id, at=town.at)
        preferences.ignore(tx, person, bob.id, town.at)
        preferences.pause(tx, person, "discord", at=town.at)
        preferences.skip(tx, person, month_of(town.at) + 1, town.at)
    town.like(ANN, "song", CLEO)
    town.like(ANN2, "film", CLEO)
    return person


def stop(town: Any, person: int) -> leaving.Left:
    with town.db.transaction() as tx:
        return leaving.stop(tx, town.rules, person, town.at)


def test_leaving_ends_everything_that_was_not_charged_and_again_nothing_more(town: Any) -> None:
    person = settle_in(town)
    left = stop(town, person)
    assert (left.withdrawn, left.subscriptions, left.accounts, left.dues_micros) == (2, 1, 2, 0)
    assert town.flattrs(Flattr.standing) == []
    for table in ("budget", "card", "subscription", "ignore", "pause", "skip"):
        assert town.count(table) == 0, table
    assert town.count("account", "person_id is not null or handle is not null") == 0
    with town.db.reading() as tx:
        assert tx.get_one(Person, person).left_at == town.at
    again = stop(town, person)
    assert (again.withdrawn, again.subscriptions, again.accounts, again.statements) == (0, 0, 0, 0)


def test_who_comes_back_is_somebody_new_and_old_likes_stay_uncounted(town: Any) -> None:
    person = settle_in(town)
    stop(town, person)
    assert town.like(ANN, "song", CLEO) == "not a member"
    later = town.at + timedelta(hours=1)
    assert town.join(ANN, at=later) != person
    assert town.like(ANN, "song", CLEO, at=town.at) == "standing"  # listed again
    assert town.flattrs(Flattr.standing) == []


def test_a_statement_under_review_becomes_void(town: Any) -> None:
    person = settle_in(town)
    month = month_of(town.at)
    town.at = month_start(month + 1) + timedelta(hours=2)
    town.review(month, town.at)
    assert town.count("statement", "state = 'review'") == 1
    left = stop(town, person)
    assert (left.statements, left.withdrawn) == (1, 2)
    assert town.count("statement", "state = 'void'") == 1


@pytest.mark.parametrize("charge", [None, "declined", "asked"])
def test_what_was_asked_for_ends_only_with_the_processor_s_word(town: Any, charge: str | None) -> None:
    person, month = settle_in(town), month_of(town.at) - 1
    town.stage(month, "collecting")
    with town.db.transaction() as tx:
        statement = Statement(
            patron_id=person, month=month, budget_micros=1, state="due", next_attempt_at=town.at + timedelta(days=1)
        )
        tx.add(statement)
        tx.flush()
        if charge:
            tx.add(Charge(statement_id=statement.id, attempt=1, state=charge, asked_at=town.at))  # type: ignore[arg-type]
    left = stop(town, person)
    assert (left.statements, left.resolving) == ((0, 1) if charge == "asked" else (1, 0))
    due_now = f"state = 'due' and ends_as = 'void' and next_attempt_at = {to_micros(town.at)}"
    assert town.count("statement", due_now if charge else "state = 'void' and next_attempt_at is null") == 1
    assert town.count("card") == (1 if charge else 0)
    with town.db.transaction() as tx:
        assert leaving.finish(tx, town.at) == 0  # it is in the processor's hands now
    assert collecting.give_up(town.db, town.rules, SandboxGateway(town.db), month, town.at) == (1 if charge else 0)
    with town.db.transaction() as tx:
        assert leaving.finish(tx, town.at) == 0
    assert town.count("statement", "state = 'void' and next_attempt_at is null and ends_as is null") == 1
    assert town.count("card") == 0
    assert town.count("charge", "state = 'asked'") == 0


def test_collected_statements_stay_as_they_are(town: Any) -> None:
    person, month = settle_in(town), month_of(town.at) - 1
    town.stage(month, "settled")
    with town.db.transaction() as tx:
        tx.add(Statement(patron_id=person, month=month, budget_micros=1, state="collected"))
    stop(town, person)
    assert town.count("statement", "state = 'collected'") == 1


def test_what_is_owed_is_told_and_stays_payable(town: Any) -> None:
    person = settle_in(town)
    with town.db.transaction() as tx:
        claims.claim(tx, town.rules, person_id=person, at=town.at, can_pay=True)
        ledger.post(
            tx,
            kind="share",
            source="flattr:1",
            debit=ledger.patron(99),
            credit=ledger.creator(person),
            amount_micros=3_150_000,
            at=town.at,
        )
    assert stop(town, person).dues_micros == 3_150_000
    with town.db.reading() as tx:
        assert tx.get_one(Person, person).payable_since == town.at


def test_older_pending_flattrs_of_who_left_never_count(town: Any) -> None:
    person = settle_in(town)
    town.stage(month_of(town.at), "settled")
    stop(town, person)
    assert {each.voided for each in town.flattrs()} == {"left"}


def test_leaving_ends_link_codes_and_old_numbers_too(town: Any) -> None:
    bob = town.join(BOB)
    person = settle_in(town)
    with town.db.transaction() as tx:
        merging.merge(tx, town.rules, keep_id=person, lose_id=bob, at=town.at)
        linking.issue_code(tx, persons.ensure_account(tx, ANN), town.at)
    stop(town, bob)
    assert town.count("link_code", "state = 'issued'") == 0
    assert town.count("person", "left_at is null") == 0


def test_the_export_is_all_of_it_as_plain_json(town: Any) -> None:
    person = settle_in(town)
    month = month_of(town.at) - 1
    town.stage(month, "collecting")
    with town.db.transaction() as tx:
        statement = Statement(
            patron_id=person, month=month, budget_micros=5 * MICROS, charge_micros=5 * MICROS,
            fee_micros=MICROS // 2, state="collected", collected_at=town.at,
        )  # fmt: skip
        tx.add(statement)
        tx.flush()
        tx.add(Charge(statement_id=statement.id, attempt=1, state="collected", asked_at=town.at))  # type: ignore[arg-type]
    with town.db.reading() as tx:
        book = leaving.export(tx, town.rules, person, town.at)
        assert leaving.export(tx, town.rules, person, town.at) == book
    assert json.loads(json.dumps(book)) == book
    assert [each["account"] for each in book["accounts"]] == [str(ANN), str(ANN2)]
    assert book["budgets"] == [
        {
            "from_month": "2026-11",
            "amount": {"amount": "35.00 EUR", "micros": 35_000_000},
            "set_at": town.at.isoformat(),
        }
    ]
    card = {"brand": "Pretend", "last4": "4242", "country": None, "fingerprint": None}
    assert book["card"] == {**card, "since": town.at.isoformat()}
    assert book["statements"][0]["fee"] == {"amount": "0.50 EUR", "micros": 500_000}
    assert book["statements"][0]["charges"][0]["state"] == "collected"
    assert {each["url"] for each in book["likes"]} == {
        "https://sandbox.example/song",
        "https://sandbox.example/film",
    }
    assert all(each["receipt"].startswith("2026-11-") for each in book["flattrs"])
    assert book["flattrs"][0]["standing"] is True
    assert book["owed"] == {"amount": "0.00 EUR", "micros": 0}
    for name in ("subscriptions", "ignored", "pauses", "skipped"):
        assert len(book[name]) == 1, name
    assert "pretend-4242" not in json.dumps(book)


def test_the_export_of_nobody_says_so(town: Any) -> None:
    with town.db.reading() as tx, pytest.raises(LookupError, match="no person 77"):
        leaving.export(tx, town.rules, 77, town.at)


def test_each_tick_reads_neither_the_cards_nor_the_statements_that_are_settled(sqlite_town: Any) -> None:
    def plan(tx: Any, query: str) -> list[str]:
        return [row[3] for row in tx.execute(sa.text(f"explain query plan {query}"))]

    with sqlite_town.db.reading() as tx:
        assert "statement_due" in plan(tx, leaving._UNRESOLVED)[0]
        assert plan(tx, leaving._FORGET_CARDS)[0].startswith("SEARCH card")


def test_a_card_that_waited_for_an_outcome_is_forgotten_once_that_is_known(town: Any) -> None:
    person, month = settle_in(town), month_of(town.at) - 1
    town.stage(month, "collecting")
    with town.db.transaction() as tx:
        statement = Statement(patron_id=person, month=month, budget_micros=1, state="due", next_attempt_at=town.at)
        tx.add(statement)
        tx.flush()
        tx.add(Charge(statement_id=statement.id, attempt=1, state="asked", asked_at=town.at))  # type: ignore[arg-type]
    stop(town, person)
    assert town.count("card") == 1
    with town.db.transaction() as tx:
        tx.exec(select(Statement)).one().state = "collected"
        tx.flush()
        assert leaving.finish(tx, town.at) == 0
    assert town.count("card") == 0
