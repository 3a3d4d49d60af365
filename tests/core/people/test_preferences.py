"""What a patron wants left out."""

from __future__ import annotations

from typing import Any

import pytest

from core.events import AccountRef
from core.likes import Recorded
from core.people import claims, persons, preferences
from core.people.tables import Person
from core.periods import month_of

ANN = AccountRef(platform="sandbox", account_id="ann")
BOB = AccountRef(platform="sandbox", account_id="bob")
CLEO = AccountRef(platform="sandbox", account_id="cleo")
CLEO2 = AccountRef(platform="sandbox2", account_id="cleo2")


def test_while_paused_new_likes_do_not_count(town: Any) -> None:
    person = town.join(ANN)
    for network, outcome in (("sandbox2", Recorded.counted), ("sandbox", Recorded.not_counted)):
        with town.db.transaction() as tx:
            assert preferences.pause(tx, person, network, at=town.at)
            assert not preferences.pause(tx, person, network, at=town.at)
        assert town.like(ANN, f"song {network}", CLEO) is outcome


def test_a_pause_of_all_is_one_of_each_and_resuming_ends_every_pause(town: Any) -> None:
    person = town.join(ANN)
    with town.db.transaction() as tx:
        preferences.pause(tx, person, at=town.at)
        preferences.pause(tx, person, "discord", at=town.at)
        assert preferences.paused(tx, person)
        assert preferences.paused(tx, person, "sandbox")
        assert preferences.pauses(tx, person) == ["", "discord"]
        assert preferences.resume(tx, person, "discord")
        assert preferences.paused(tx, person, "discord")
        assert preferences.resume(tx, person)
        assert not preferences.resume(tx, person)
        assert not preferences.paused(tx, person, "discord")


def test_a_pause_of_one_network_is_not_one_of_all(town: Any) -> None:
    person = town.join(ANN)
    with town.db.transaction() as tx:
        preferences.pause(tx, person, "discord", at=town.at)
        assert not preferences.paused(tx, person)
        assert not preferences.paused(tx, person, "sandbox")


def test_an_ignored_creator_gets_nothing_until_unignored(town: Any) -> None:
    person, cleo = town.join(ANN), town.account(CLEO)
    with town.db.transaction() as tx:
        assert preferences.ignore(tx, person, cleo.id, town.at)
        assert not preferences.ignore(tx, person, cleo.id, town.at)
        assert [str(each) for each in preferences.ignored_accounts(tx, person)] == [str(CLEO)]
    assert town.like(ANN, "song", CLEO) is Recorded.not_counted
    with town.db.transaction() as tx:
        assert preferences.unignore(tx, person, cleo.id)
        assert not preferences.unignore(tx, person, cleo.id)
    assert town.like(ANN, "film", CLEO) is Recorded.counted


def test_a_month_can_be_skipped_until_it_is_closed(town: Any) -> None:
    person, month = town.join(ANN), month_of(town.at)
    for stage in ("open", "review"):
        town.stage(month, stage)
        with town.db.transaction() as tx:
            for _ in range(2):
                assert preferences.skip(tx, person, month, town.at)
            assert preferences.skipped(tx, person, month)
            assert preferences.unskip(tx, person, month)
            assert not preferences.unskip(tx, person, month)
            assert not preferences.skipped(tx, person, month)
    town.stage(month, "closed")
    with town.db.transaction() as tx:
        assert not preferences.skip(tx, person, month, town.at)
        assert not preferences.skipped(tx, person, month)


def test_caps_and_the_cards_cost_are_the_patrons_choice(town: Any) -> None:
    person = town.join(ANN)
    with town.db.transaction() as tx:
        preferences.set_caps(tx, person, per_flattr_micros=1_000_000, per_creator_micros=5_000_000)
        preferences.bear_cost(tx, person, agreed=True)
        row = tx.get_one(Person, person)
        assert (row.cap_per_flattr_micros, row.cap_per_creator_micros, row.bears_cost) == (1_000_000, 5_000_000, True)
        preferences.set_caps(tx, person, per_flattr_micros=None, per_creator_micros=None)
        assert row.cap_per_flattr_micros is None
        with pytest.raises(ValueError, match="ignore"):
            preferences.set_caps(tx, person, per_flattr_micros=0, per_creator_micros=None)


def test_whoever_ignores_an_account_ignores_its_creator_under_every_account(town: Any) -> None:
    person = town.join(ANN)
    town.join(CLEO, CLEO2)
    cleo, cleo2, other = town.account(CLEO), town.account(CLEO2), town.account(BOB)
    with town.db.transaction() as tx:
        assert preferences.ignore(tx, person, cleo.id, town.at)
        assert not preferences.ignore(tx, person, cleo2.id, town.at)
        assert [preferences.ignored(tx, person, each.id) for each in (cleo, cleo2, other)] == [True, True, False]
    assert town.like(ANN, "song", CLEO2) is Recorded.not_counted
    with town.db.transaction() as tx:
        assert preferences.unignore(tx, person, cleo2.id)
        assert not preferences.ignored(tx, person, cleo.id)


def test_strangers_are_ignored_one_by_one_until_they_turn_out_to_be_one(town: Any) -> None:
    person, cleo, cleo2 = town.join(ANN), town.account(CLEO), town.account(CLEO2)
    with town.db.transaction() as tx:
        preferences.ignore(tx, person, cleo.id, town.at)
        assert not preferences.ignored(tx, person, cleo2.id)
    town.like(ANN, "song", CLEO2)
    town.join(CLEO, CLEO2)
    with town.db.transaction() as tx:
        assert preferences.ignored(tx, person, cleo2.id)
        pending = claims.pending_for(tx, town.rules, persons.ensure_account(tx, CLEO2), town.at)
    assert pending.flattrs == 0
