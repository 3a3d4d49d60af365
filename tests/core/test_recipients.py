"""Creators at the processor: payable only while an account is active, told of each change, reminded thrice."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlmodel import col, select

from core.mail.tables import OutboxNote
from core.payments import counterparts
from core.payments.states import BankPayoutState
from core.people import claims, leaving, merging
from core.people.tables import Person
from core.recipients import onboarding
from core.recipients.tables import Recipient
from tests.core.scripted import account, hosted, onboard
from tests.scene import Scene


def notes(scene: Scene, *kinds: str) -> list[str]:
    with scene.db.reading() as tx:
        query = select(OutboxNote).where(col(OutboxNote.kind).in_(kinds)).order_by(col(OutboxNote.id))
        return [note.source for note in tx.exec(query)]


def changes(scene: Scene) -> list[str]:
    return [source.split(":")[0] for source in notes(scene, "payable", "restricted")]


def person(scene: Scene, number: int) -> Person:
    with scene.db.reading() as tx:
        return tx.get_one(Person, number)


def row(scene: Scene, number: int) -> Recipient | None:
    with scene.db.reading() as tx:
        return onboarding.recipient_of(tx, number)


def claimed(scene: Scene, name: str) -> int:
    """A creator who has claimed and cannot be paid yet."""
    number = scene.person(name)
    with scene.db.transaction() as tx:
        claims.claim(tx, scene.rules, person_id=number, at=scene.at, can_pay=False)
    return number


def began(scene: Scene, name: str) -> int:
    """A creator who has claimed and begun to say who they are."""
    number = claimed(scene, name)
    with scene.db.transaction() as tx:
        onboarding.ensure(tx, number, scene.at)
        onboarding.ensure(tx, number, scene.at)
        onboarding.keep_account(tx, number, f"acct-{number}", scene.at)
    return number


def merge(scene: Scene, keep: int, lose: int) -> None:
    with scene.db.transaction() as tx:
        merging.merge(tx, scene.rules, keep_id=keep, lose_id=lose, at=scene.at)


def can_pay(scene: Scene, number: int) -> bool:
    with scene.db.reading() as tx:
        return onboarding.can_pay(tx, scene.gateway, number)


def test_where_no_account_is_needed_everybody_can_be_paid(scene):
    assert can_pay(scene, scene.person("maker"))


def test_what_is_pending_counts_from_the_moment_the_account_is_active(scene):
    hosted(scene)
    ada, maker = scene.patron("ada", 10), began(scene, "maker")
    scene.like("ada", "song")
    assert (scene.states(ada), can_pay(scene, maker)) == (["pending"], False)
    onboard(scene, maker, active=False, needs=("a bank account", "a birthday"))
    assert (scene.states(ada), row(scene, maker).needs) == (["pending"], "a bank account,a birthday")
    onboard(scene, maker)
    assert (scene.states(ada), can_pay(scene, maker)) == (["counts"], True)
    assert (row(scene, maker).state, person(scene, maker).payable_since) == ("active", scene.at)


def test_an_account_active_before_its_creator_claims_makes_nobody_receive(scene):
    hosted(scene)
    maker = scene.person("maker")
    onboard(scene, maker)
    assert person(scene, maker).receives_since is None
    assert can_pay(scene, maker)


def test_each_change_is_told_once_however_often_it_is_heard(scene):
    hosted(scene)
    maker = began(scene, "maker")
    for state in ({"active": False}, {}, {"active": False, "needs": ("proof",)}, {}):
        for _ in range(3):
            scene.later(hours=1)
            onboard(scene, maker, **state)
    assert changes(scene) == ["payable", "restricted", "payable"]
    assert person(scene, maker).payable_since is not None


def test_a_restricted_creator_is_not_paid_until_the_account_is_active_again(scene):
    hosted(scene)
    ada, maker = scene.patron("ada", 10), began(scene, "maker")
    onboard(scene, maker)
    onboard(scene, maker, active=False)
    assert (row(scene, maker).state, person(scene, maker).payable_since, can_pay(scene, maker)) == (
        "restricted", None, False,
    )  # fmt: skip
    scene.like("ada", "song")
    assert scene.states(ada) == ["pending"]


def test_a_closed_account_gives_way_to_a_new_one_and_no_other_does(scene):
    hosted(scene)
    maker = began(scene, "maker")
    onboard(scene, maker)
    onboard(scene, maker, "acct-other")
    assert row(scene, maker).account == f"acct-{maker}"
    onboard(scene, maker, active=False, closed=True)
    assert (row(scene, maker).state, person(scene, maker).payable_since) == ("closed", None)
    scene.later(days=40)
    with scene.db.transaction() as tx:
        assert onboarding.keep_account(tx, maker, "acct-new", scene.at) == "acct-new"
    assert (row(scene, maker).state, row(scene, maker).began_at) == ("unfinished", scene.at)
    onboard(scene, maker, active=False, closed=True)  # late news of the old one
    onboard(scene, maker, "acct-new")
    assert (row(scene, maker).state, row(scene, maker).account) == ("active", "acct-new")
    assert changes(scene) == ["payable", "restricted", "payable"]


def test_an_account_of_nobody_here_is_passed_over(scene):
    hosted(scene)
    with scene.db.transaction() as tx:
        for stranger in (None, 4711):
            onboarding.learn(tx, scene.rules, account("acct-x", stranger), scene.at)
        assert tx.exec(select(Recipient)).all() == []


def test_an_account_is_found_by_what_the_processor_calls_it(scene):
    hosted(scene)
    maker = scene.person("maker")
    with scene.db.transaction() as tx:
        counterparts.keep(tx, "account", maker, "acct-kept", scene.at)
        onboarding.learn(tx, scene.rules, account("acct-kept"), scene.at)
        assert onboarding.account_of(tx, maker) == "acct-kept"


@pytest.mark.parametrize(
    ("country", "active", "state", "told"),
    [
        ("AT", True, "active", ["payable"]),
        ("AT", False, "unfinished", []),
        ("XX", True, "restricted", ["restricted"]),
        ("XX", False, "restricted", ["restricted"]),
        (None, True, "restricted", ["restricted"]),
        (None, False, "unfinished", []),
    ],
)
def test_only_creators_of_the_listed_countries_can_be_paid(scene, country, active, state, told):
    hosted(scene)
    scene.rules = replace(scene.rules, countries=frozenset({"AT", "DE"}))
    maker = began(scene, "maker")
    onboard(scene, maker, country=country, active=active)
    onboard(scene, maker, country=country, active=active)
    assert (row(scene, maker).state, can_pay(scene, maker), changes(scene)) == (state, state == "active", told)
    assert (row(scene, maker).needs == onboarding.COUNTRY) == (state == "restricted")


# Reminders


def remind(scene: Scene) -> int:
    with scene.db.transaction() as tx:
        return onboarding.remind(tx, scene.rules, scene.at)


def test_an_unfinished_onboarding_is_called_to_mind_after_one_seven_and_thirty_days(scene):
    maker = began(scene, "maker")
    began_at, told = scene.at, []
    for _ in range(40 * 2):
        if remind(scene):
            told.append((scene.at - began_at).days)
            assert remind(scene) == 0
        scene.later(hours=12)
    assert told == [1, 7, 30]
    assert notes(scene, "onboarding") == [f"onboarding:{maker}:{number}" for number in (1, 2, 3)]


def test_a_hub_that_was_away_says_the_latest_reminder_only(scene):
    maker = began(scene, "maker")
    scene.later(days=8)
    assert (remind(scene), notes(scene, "onboarding")) == (1, [f"onboarding:{maker}:2"])
    scene.later(days=100)
    assert (remind(scene), remind(scene)) == (1, 0)


def test_those_who_finished_left_or_are_refused_are_not_reminded(scene):
    hosted(scene)
    done, gone, away = began(scene, "done"), began(scene, "gone"), began(scene, "away")
    onboard(scene, done)
    with scene.db.transaction() as tx:
        leaving.stop(tx, scene.rules, gone, scene.at)
    scene.rules = replace(scene.rules, countries=frozenset({"AT"}))
    onboard(scene, away, active=False, country="XX")
    scene.later(days=31)
    assert remind(scene) == 0


def test_who_was_merged_with_somebody_payable_is_not_reminded(scene):
    hosted(scene)
    one, other = began(scene, "one"), began(scene, "other")
    merge(scene, one, other)
    scene.later(days=2)
    assert notes(scene, "onboarding") == []
    assert remind(scene) == 1  # one human, one reminder
    onboard(scene, other)
    scene.later(days=6)
    assert remind(scene) == 0


# Merging


def test_a_merged_person_is_paid_to_the_kept_one_s_account_else_to_the_other_s(scene):
    hosted(scene)
    one, other = began(scene, "one"), began(scene, "other")
    onboard(scene, other)
    merge(scene, one, other)
    with scene.db.reading() as tx:
        assert [onboarding.account_of(tx, each) for each in (one, other)] == [f"acct-{other}"] * 2
        assert onboarding.active_accounts(tx) == {one: f"acct-{other}"}
    assert person(scene, one).payable_since is not None
    onboard(scene, one)
    with scene.db.reading() as tx:
        assert onboarding.account_of(tx, one) == f"acct-{one}"
        assert onboarding.active_accounts(tx) == {one: f"acct-{one}"}
    onboard(scene, other, active=False)
    assert person(scene, one).payable_since is not None
    onboard(scene, one, active=False)
    assert person(scene, one).payable_since is None
    assert changes(scene) == ["payable", "restricted"]
    with scene.db.transaction() as tx:
        assert onboarding.ensure(tx, other, scene.at).person_id == one


def test_after_a_merge_the_account_that_exists_is_gone_on_with(scene):
    hosted(scene)
    one, other = scene.person("one"), began(scene, "other")
    merge(scene, one, other)
    with scene.db.transaction() as tx:
        assert onboarding.ensure(tx, one, scene.at).person_id == other
        assert len(tx.exec(select(Recipient)).all()) == 1


def test_who_left_is_payable_again_once_their_account_is(scene):
    hosted(scene)
    maker = began(scene, "maker")
    with scene.db.transaction() as tx:
        leaving.stop(tx, scene.rules, maker, scene.at)
    onboard(scene, maker)
    assert person(scene, maker).payable_since == scene.at


# Payouts from the processor to the bank


def bank_payout(reference: str = "po-1", account: str = "acct-1", **more) -> BankPayoutState:
    return BankPayoutState(reference=reference, account=account, **{"amount_minor": 1234, "state": "failed", **more})


def test_a_failed_bank_payout_is_told_once_with_amount_reason_and_remedy(scene):
    hosted(scene)
    maker = began(scene, "maker")
    for state in ("paid", "under way", "failed", "failed"):
        with scene.db.transaction() as tx:
            news = bank_payout(account=f"acct-{maker}", state=state, reason="The bank account is closed.")
            onboarding.learn_bank_payout(tx, scene.rules, news, scene.at)
    with scene.db.reading() as tx:
        [note] = tx.exec(select(OutboxNote).where(OutboxNote.kind == "payout_failed"))
    assert note.person_id == maker
    assert note.text == (
        "12.34 EUR could not be paid to your bank account: The bank account is closed. The money is still yours and"
        " waits in your account with the payment processor. Write payouts to correct your bank details; it is sent"
        " again after that."
    )


def test_a_failed_bank_payout_of_nobody_here_is_passed_over(scene):
    with scene.db.transaction() as tx:
        onboarding.learn_bank_payout(tx, scene.rules, bank_payout(), scene.at)
    assert notes(scene, "payout_failed") == []
