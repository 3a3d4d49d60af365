"""Creators joining and declining."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import select

from core.events import AccountRef
from core.likes import Recorded
from core.months.tables import Month, Share, Statement
from core.people import claims, merging, persons, preferences
from core.people.tables import Account, Person
from core.periods import month_of, month_start
from core.tables import Flattr

ANN = AccountRef(platform="sandbox", account_id="ann")
BOB = AccountRef(platform="sandbox", account_id="bob")
CLEO = AccountRef(platform="sandbox", account_id="cleo")
CLEO2 = AccountRef(platform="sandbox2", account_id="cleo2")


def patron(town: Any, ref: AccountRef = ANN) -> int:
    person: int = town.join(ref, at=town.at - timedelta(days=200))
    return person


def past(town: Any, count: int, by: AccountRef = ANN, author: AccountRef = CLEO, days: int = 40) -> None:
    """Likes of an older month, the first of them the oldest."""
    start = town.at - timedelta(days=days)
    town.stage(month_of(start), "open")
    for number in range(count):
        town.like(by, f"old{author.account_id}{number}", author, at=start + timedelta(minutes=number))
    town.stage(month_of(start), "settled")


def claim(town: Any, ref: AccountRef = CLEO, can_pay: bool = True) -> claims.Claimed:
    with town.db.transaction() as tx:
        person = persons.ensure_person(tx, ref, town.at)
        return claims.claim(tx, town.rules, person_id=persons.key(person), at=town.at, can_pay=can_pay)


def test_the_open_months_flattrs_count_and_at_most_five_older_ones_the_newest_first(town: Any) -> None:
    person = patron(town)
    past(town, 7)
    town.like(ANN, "new", CLEO)
    with town.db.transaction() as tx:
        pending = claims.pending_for(tx, town.rules, persons.ensure_account(tx, CLEO), town.at)
    assert (pending.flattrs, pending.patrons, pending.older) == (6, 1, 5)
    done = claim(town)
    assert (done.joined, done.moved, done.patrons, done.payable, done.before) == (6, 5, 1, True, False)
    month = month_of(town.at)
    moved = town.flattrs(Flattr.origin == "claimed")
    assert {(each.month, each.patron_id, each.standing) for each in moved} == {(month, person, True)}
    old = town.flattrs(Flattr.month < month)
    assert [each.moved_to_id is None for each in old] == [True, True] + [False] * 5
    assert {each.moved_to_id for each in old[2:]} == {each.id for each in moved}
    assert town.count("outbox", f"kind = 'claimed' and person_id = {person}") == 1
    account = town.account(CLEO)
    assert town.count("outbox", f"source = 'claim:{account.id}:{person}:{month}'") == 1


def test_claiming_again_and_joining_again_move_no_more(town: Any) -> None:
    patron(town)
    past(town, 9)
    claim(town)
    before = [each.model_dump() for each in town.flattrs()]
    again = claim(town)
    assert (again.joined, again.patrons, again.moved, again.before) == (0, 0, 0, True)
    with town.db.transaction() as tx:
        assert claims.join_pending(tx, town.rules, persons.ensure_account(tx, CLEO), town.at) == 0
    assert [each.model_dump() for each in town.flattrs()] == before


def test_five_are_for_the_creator_not_for_each_account(town: Any) -> None:
    patron(town)
    past(town, 4)
    past(town, 4, author=CLEO2)
    assert claim(town).moved == 4
    with town.db.transaction() as tx:
        person = persons.person_of(tx, CLEO)
        account = persons.ensure_account(tx, CLEO2)
        persons.attach(account, person, town.at)  # type: ignore[arg-type]
        assert claims.join_pending(tx, town.rules, account, town.at) == 1


def test_each_patron_is_told_once_and_only_those_concerned(town: Any) -> None:
    patron(town)
    patron(town, BOB)
    town.join(AccountRef(platform="sandbox", account_id="dan"))
    past(town, 2)
    town.like(BOB, "new", CLEO)
    assert claim(town).patrons == 2
    claim(town)
    assert town.count("outbox", "kind = 'claimed'") == 2


def test_an_unlike_withdraws_what_was_moved(town: Any) -> None:
    patron(town)
    past(town, 1)
    claim(town)
    town.unlike(ANN, "oldcleo0", town.at + timedelta(hours=1))
    (moved,) = town.flattrs(Flattr.origin == "claimed")
    assert not moved.standing


@pytest.mark.parametrize("again", [False, True], ids=["for good", "and liked again, in a month that has ended too"])
def test_a_like_that_was_taken_back_before_the_claim_does_not_join(town: Any, again: bool) -> None:
    """Else it would matter whether the unlike or the claim came first."""
    patron(town)
    past(town, 1, days=70)
    since = town.at - timedelta(days=40)
    town.unlike(ANN, "oldcleo0", since)
    if again:
        town.like(ANN, "oldcleo0", CLEO, at=since + timedelta(minutes=1))
        town.stage(month_of(since), "settled")
    assert claim(town).moved == again
    assert [each.month for each in town.flattrs() if each.moved_to_id] == [month_of(since)] * again


def test_a_thing_that_is_flattred_in_the_open_month_is_not_moved_there_too(town: Any) -> None:
    patron(town)
    past(town, 1)
    town.unlike(ANN, "oldcleo0", town.at)
    town.like(ANN, "oldcleo0", CLEO, at=town.at + timedelta(minutes=1))
    past_row, open_row = town.flattrs()
    assert (past_row.thing_id, past_row.month) == (open_row.thing_id, open_row.month - 1)
    assert claim(town).moved == 0


@pytest.mark.parametrize("change", ["struck", "unliked", "voided", "paid", "payable", "ignored", "old", "left"])
def test_what_does_not_stand_or_had_its_chance_is_not_moved(town: Any, change: str) -> None:
    person = patron(town)
    past(town, 1, days=95 if change == "old" else 40)
    with town.db.transaction() as tx:
        (flattr,) = tx.exec(select(Flattr)).all()
        match change:
            case "struck":
                flattr.struck_at = town.at
            case "unliked":
                flattr.standing = False
            case "voided":
                flattr.voided = "lapsed"
            case "paid":
                statement = Statement(patron_id=person, month=flattr.month, budget_micros=1, state="collected")
                tx.add(statement)
                tx.flush()
                tx.add(Share(flattr_id=flattr.id, statement_id=statement.id, creator_id=person, micros=1))  # type: ignore[arg-type]
            case "payable":
                tx.execute(sa.text(f"insert into payable values ({flattr.month}, {flattr.author_id}, {person})"))
            case "ignored":
                preferences.ignore(tx, person, flattr.author_id, town.at)  # type: ignore[arg-type]
            case "left":
                tx.get_one(Person, person).left_at = town.at
    assert claim(town).moved == 0


def test_a_month_under_review_takes_no_claims_so_its_pending_ones_count_as_older(town: Any) -> None:
    patron(town)
    month = month_of(town.at)
    town.like(ANN, "song", CLEO)
    town.at = month_start(month + 1) + timedelta(hours=3)
    town.review(month, town.at)
    assert claim(town).moved == 1
    assert [each.month for each in town.flattrs(Flattr.origin == "claimed")] == [month + 1]


def test_a_month_that_has_ended_but_is_still_open_counts_by_itself(town: Any) -> None:
    patron(town)
    town.like(ANN, "song", CLEO)
    town.at = month_start(month_of(town.at) + 1) + timedelta(minutes=5)
    done = claim(town)
    assert (done.joined, done.moved) == (1, 0)


def test_ones_own_likes_do_not_join(town: Any) -> None:
    patron(town, CLEO)
    past(town, 2, by=CLEO)
    assert claim(town).joined == 0


def test_all_stays_pending_until_the_creator_can_be_paid(town: Any) -> None:
    patron(town)
    past(town, 2)
    done = claim(town, can_pay=False)
    assert (done.joined, done.payable, done.before) == (0, False, False)
    assert town.count("outbox") == 0
    done = claim(town)
    assert (done.joined, done.moved, done.before) == (2, 2, False)


def test_flattrs_of_a_merged_patron_join_under_the_number_that_is_left(town: Any) -> None:
    ann, bob = patron(town), patron(town, BOB)
    past(town, 3)
    for number in range(3):
        town.stage(month_of(town.at) - 1, "open")
        town.like(BOB, f"oldcleo{number}", CLEO, at=town.at - timedelta(days=35, minutes=-number))
    town.stage(month_of(town.at) - 1, "settled")
    with town.db.transaction() as tx:
        merging.merge(tx, town.rules, keep_id=bob, lose_id=ann, at=town.at)
    assert claim(town).moved == 3  # the same three things, once each
    assert {each.patron_id for each in town.flattrs(Flattr.origin == "claimed")} == {bob}


def test_declining_voids_what_is_pending_and_blocks_what_comes(town: Any) -> None:
    patron(town)
    past(town, 2)
    town.like(ANN, "new", CLEO)
    for voided in (3, 0):
        with town.db.transaction() as tx:
            account = persons.ensure_account(tx, CLEO)
            assert claims.decline(tx, town.rules, account, town.at).voided == voided
            assert claims.is_declined(tx, town.rules, CLEO)
    assert {each.voided for each in town.flattrs()} == {"declined"}
    assert town.like(ANN, "newer", CLEO) is Recorded.not_counted
    assert town.count("decline", "account_hash like '%cleo%'") == 0
    with town.db.transaction() as tx:
        assert not claims.is_declined(tx, town.rules, CLEO2)


def test_a_refusal_is_taken_back_by_the_same_proof_and_what_was_voided_stays_void(town: Any) -> None:
    patron(town)
    past(town, 2)
    with town.db.transaction() as tx:
        account = persons.ensure_account(tx, CLEO)
        claims.decline(tx, town.rules, account, town.at)
        proven = Account(platform=CLEO.platform, account_id=CLEO.account_id)  # as a message from there proves it
        assert claims.take_back(tx, town.rules, proven, town.at)
        assert not claims.take_back(tx, town.rules, proven, town.at)
    assert town.like(ANN, "newer", CLEO) is Recorded.counted
    done = claim(town)
    assert (done.joined, done.moved) == (1, 0)


def test_claiming_takes_a_refusal_back(town: Any) -> None:
    with town.db.transaction() as tx:
        claims.decline(tx, town.rules, persons.ensure_account(tx, CLEO), town.at)
    claim(town)
    with town.db.transaction() as tx:
        assert not claims.is_declined(tx, town.rules, CLEO)


def test_the_hash_of_a_refusal_needs_the_hubs_key(town: Any) -> None:
    with town.db.transaction() as tx:
        claims.decline(tx, town.rules, persons.ensure_account(tx, CLEO), town.at)
        assert not claims.is_declined(tx, replace(town.rules, pseudonym_key=b"another"), CLEO)


def test_pending_flattrs_lapse_after_ninety_days_and_not_a_day_before(town: Any) -> None:
    patron(town)
    past(town, 1, days=40)
    due = town.at - timedelta(days=40) + timedelta(days=90)
    for at, lapsed in ((due - timedelta(days=1), 0), (due, 1), (due, 0), (due + timedelta(days=1), 0)):
        with town.db.transaction() as tx:
            assert claims.lapse(tx, town.rules, at) == lapsed
    assert [each.voided for each in town.flattrs()] == ["lapsed"]


def test_what_is_open_or_under_review_does_not_lapse(town: Any) -> None:
    patron(town)
    past(town, 1, days=40)
    for stage in ("open", "review"):
        town.stage(month_of(town.at) - 1, stage)
        with town.db.transaction() as tx:
            assert claims.lapse(tx, town.rules, town.at + timedelta(days=200)) == 0


def test_lapsing_looks_once_a_day_and_only_where_something_can_have_come_of_age(town: Any) -> None:
    """Else every tick of the hub reads all that was ever paid."""
    patron(town)
    past(town, 1, days=40)
    month = month_of(town.at) - 1
    long_ago, day = town.at + timedelta(days=200), timedelta(days=1)

    def lapse(at: Any) -> int:
        with town.db.transaction() as tx:
            return claims.lapse(tx, town.rules, at)

    def pend() -> None:
        with town.db.transaction() as tx:
            tx.execute(sa.text("update flattr set voided = null"))

    assert lapse(long_ago) == 1
    pend()  # cannot happen: it shows what is read
    assert [lapse(long_ago + timedelta(hours=1)), lapse(long_ago + day)] == [0, 0]
    with town.db.transaction() as tx:  # a hub that could not close the month for half a year
        tx.get_one(Month, month).closed_at = long_ago + day
    assert lapse(long_ago + 2 * day) == 1
    assert town.count("audit", "action = 'lapse' and actor = 'hub'") == 3


def test_after_a_long_sleep_all_that_came_of_age_meanwhile_lapses(town: Any) -> None:
    patron(town)
    past(town, 1, days=40)
    for days, lapsed in ((0, 0), (400, 1)):
        with town.db.transaction() as tx:
            assert claims.lapse(tx, town.rules, town.at + timedelta(days=days)) == lapsed


def test_no_lapsing_reads_the_whole_table_of_flattrs(sqlite_town: Any) -> None:
    with sqlite_town.db.reading() as tx:
        query = claims._LAPSE.replace(":months", "(1, 2)")
        plan = [row[3] for row in tx.execute(sa.text(f"explain query plan {query}"), {"until": 1})]
    assert plan[0].startswith("SEARCH flattr USING INDEX"), plan
