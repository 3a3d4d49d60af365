"""Subscriptions: one share on the first of every month."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from core.events import AccountRef
from core.people import claims, leaving, persons, preferences, subscriptions
from core.periods import month_of, month_start
from core.tables import Flattr

ANN = AccountRef(platform="sandbox", account_id="ann")
BOB = AccountRef(platform="sandbox", account_id="bob")
CLEO = AccountRef(platform="sandbox2", account_id="cleo")


def subscribe(town: Any, ref: AccountRef = ANN, last_month: int | None = None) -> tuple[int, int]:
    person, account = town.join(ref), town.account(CLEO)
    with town.db.transaction() as tx:
        subscriptions.subscribe(tx, person_id=person, account_id=account.id, at=town.at, last_month=last_month)
    return person, account.id


def add(town: Any, month: int, at: datetime | None = None) -> int:
    with town.db.transaction() as tx:
        return subscriptions.add_shares(tx, month, at or month_start(month))


def test_the_first_share_is_the_following_months_and_each_month_has_one(town: Any) -> None:
    person, account = subscribe(town)
    subscribe(town, BOB)
    month = month_of(town.at)
    assert add(town, month, town.at) == 0
    for later in (month + 1, month + 2):
        assert [add(town, later), add(town, later)] == [2, 0]
    rows = town.flattrs(Flattr.patron_id == person)
    assert [(row.month, row.author_id, row.origin, row.standing) for row in rows] == [
        (month + 1, account, "subscription", True),
        (month + 2, account, "subscription", True),
    ]
    assert town.count("thing") == 1
    assert town.count("thing_name", f"platform = 'sandbox2' and native_id = 'subscription:{account}'") == 1


def test_a_month_that_the_hub_was_away_for_is_not_filled_in(town: Any) -> None:
    subscribe(town)
    month = month_of(town.at) + 1
    assert add(town, month, month_start(month + 1)) == 0
    assert add(town, month, month_start(month)) == 0
    town.stage(month + 1, "review")
    assert add(town, month + 1) == 0


def test_a_month_that_has_not_begun_gets_no_shares(town: Any) -> None:
    subscribe(town)
    with pytest.raises(ValueError, match="first day"):
        add(town, month_of(town.at) + 1, town.at)


def test_a_hub_that_was_down_on_the_first_adds_them_later_in_the_month(town: Any) -> None:
    subscribe(town)
    month = month_of(town.at) + 1
    with town.db.transaction() as tx:  # somebody who subscribes meanwhile begins with the month after
        other = persons.key(persons.ensure_person(tx, BOB, town.at))
        account = persons.key(persons.ensure_account(tx, CLEO))
        subscriptions.subscribe(tx, person_id=other, account_id=account, at=month_start(month) + timedelta(days=2))
    assert add(town, month, month_start(month) + timedelta(days=5)) == 1


def test_the_last_month_is_the_last(town: Any) -> None:
    month = month_of(town.at)
    subscribe(town, last_month=month + 1)
    assert [add(town, later) for later in (month + 1, month + 2)] == [1, 0]


def test_an_end_before_the_first_share_is_refused(town: Any) -> None:
    with pytest.raises(ValueError, match="next month"):
        subscribe(town, last_month=month_of(town.at))


@pytest.mark.parametrize("network", ["", "sandbox2"])
def test_not_while_paused(town: Any, network: str) -> None:
    person, _ = subscribe(town)
    month = month_of(town.at)
    with town.db.transaction() as tx:
        preferences.pause(tx, person, network, at=town.at)
    assert add(town, month + 1) == 0
    with town.db.transaction() as tx:
        preferences.resume(tx, person)
    assert [add(town, month + 1), add(town, month + 2)] == [0, 1]  # never back-filled


@pytest.mark.parametrize("end", ["ignored", "ignored elsewhere", "declined", "left", "unsubscribed"])
def test_not_for_the_ignored_nor_after_its_end(town: Any, end: str) -> None:
    person, account = subscribe(town)
    month = month_of(town.at)
    with town.db.transaction() as tx:
        match end:
            case "ignored":
                preferences.ignore(tx, person, account, town.at)
            case "ignored elsewhere":  # another account of the same creator
                creator = persons.ensure_person(tx, CLEO, town.at)
                other = persons.ensure_account(tx, BOB)
                persons.attach(other, creator, town.at)
                preferences.ignore(tx, person, persons.key(other), town.at)
            case "declined":
                claims.decline(tx, town.rules, persons.ensure_account(tx, CLEO), town.at)
            case "left":
                leaving.stop(tx, town.rules, person, town.at)
            case _:
                for there in (True, False):
                    assert subscriptions.unsubscribe(tx, person_id=person, account_id=account, at=town.at) is there
    assert add(town, month + 1) == 0


def test_subscribing_twice_is_one_subscription_and_changes_its_end(town: Any) -> None:
    month = month_of(town.at)
    person, _ = subscribe(town, last_month=month + 1)
    subscribe(town)
    with town.db.reading() as tx:
        (one,) = subscriptions.subscriptions_of(tx, person)
    assert (str(one.account), one.first_month, one.last_month) == (str(CLEO), month + 1, None)


def test_one_that_has_ended_begins_anew(town: Any) -> None:
    month = month_of(town.at)
    person, _ = subscribe(town, last_month=month + 1)
    town.at = month_start(month + 3)
    subscribe(town)
    with town.db.reading() as tx:
        (one,) = subscriptions.subscriptions_of(tx, person)
    assert (one.first_month, one.last_month) == (month + 4, None)


def test_the_share_of_a_creator_who_has_not_joined_is_pending_and_does_not_move_later(town: Any) -> None:
    subscribe(town)
    month = month_of(town.at) + 1
    add(town, month)
    town.stage(month, "settled")
    town.at = month_start(month + 1)
    with town.db.transaction() as tx:
        pending = claims.pending_for(tx, town.rules, persons.ensure_account(tx, CLEO), town.at)
    assert pending.flattrs == 0


def test_of_a_creator_who_declines_no_platform_id_is_left(town: Any) -> None:
    _, account = subscribe(town)
    month = month_of(town.at) + 1
    add(town, month)
    assert town.count("thing", f"url = 'subscription:{account}'") == 1
    with town.db.transaction() as tx:
        claims.decline(tx, town.rules, persons.ensure_account(tx, CLEO), town.at)
    assert town.count("thing", "url like '%cleo%'") == town.count("thing_name", "native_id like '%cleo%'") == 0
