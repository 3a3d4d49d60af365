"""Two accounts become one person's: by code with a yes from both sides, or by the operator's hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session

from core.events import AccountRef
from core.people import claims, codes, linking, persons
from core.people.linking import LinkRefused
from core.people.tables import LinkCode, LinkFailure

ANN = AccountRef(platform="sandbox", account_id="ann")
ANN2 = AccountRef(platform="sandbox2", account_id="ann2")
EVE = AccountRef(platform="sandbox2", account_id="eve")
CLEO = AccountRef(platform="sandbox", account_id="cleo")


def issue(tx: Session, ref: AccountRef, at: datetime) -> str:
    return linking.issue_code(tx, persons.ensure_account(tx, ref), at).code


def offer(tx: Session, by: AccountRef, code: str, at: datetime) -> str:
    """What the conversation does: the refusal is caught inside the transaction."""
    try:
        linking.offer_code(tx, by, code, at)
    except LinkRefused as refusal:
        return str(refusal)
    return ""


def test_sending_a_code_only_proposes_and_the_issuer_says_yes(town: Any) -> None:
    person = town.join(ANN)
    with town.db.transaction() as tx:
        proposal = linking.offer_code(tx, ANN2, issue(tx, ANN, town.at), town.at)
        assert proposal.merge is None
        assert persons.person_of(tx, ANN2) is None
    assert town.count("outbox", "kind = 'link_offer' and source = 'link:1' and account_id = 'ann'") == 1
    with town.db.transaction() as tx:
        other = persons.ensure_account(tx, ANN2)
        with pytest.raises(LinkRefused):
            linking.confirm(tx, town.rules, other, town.at)  # the sender cannot say yes
        ann = persons.ensure_account(tx, ANN)
        waiting = linking.open_offer(tx, ann, town.at)
        assert waiting is not None
        assert (str(waiting.by), str(waiting.issuer)) == (str(ANN2), str(ANN))
        done = linking.confirm(tx, town.rules, ann, town.at)
        assert (done.person_id, str(done.account)) == (person, str(ANN2))
        assert done.account.linked_at == town.at
        with pytest.raises(LinkRefused, match="link"):
            linking.confirm(tx, town.rules, ann, town.at)
        assert linking.open_offer(tx, ann, town.at) is None


def test_two_strangers_become_one_person(town: Any) -> None:
    with town.db.transaction() as tx:
        linking.offer_code(tx, ANN2, issue(tx, ANN, town.at), town.at)
        done = linking.confirm(tx, town.rules, persons.ensure_account(tx, ANN), town.at)
        assert {str(each) for each in persons.accounts_of(tx, done.person_id)} == {str(ANN), str(ANN2)}


def test_a_stranger_who_issued_the_code_joins_the_person_who_sent_it(town: Any) -> None:
    person = town.join(ANN2)
    with town.db.transaction() as tx:
        linking.offer_code(tx, ANN2, issue(tx, ANN, town.at), town.at)
        done = linking.confirm(tx, town.rules, persons.ensure_account(tx, ANN), town.at)
    assert (done.person_id, done.merge) == (person, None)
    assert town.count("person") == 1


def test_a_no_ends_the_proposal(town: Any) -> None:
    town.join(ANN)
    with town.db.transaction() as tx:
        code = issue(tx, ANN, town.at)
        linking.offer_code(tx, EVE, code, town.at)
        ann = persons.ensure_account(tx, ANN)
        assert linking.refuse(tx, ann, town.at)
        assert not linking.refuse(tx, ann, town.at)
        assert "used" in offer(tx, EVE, code, town.at)
        assert persons.person_of(tx, EVE) is None


def test_a_code_is_single_use_but_the_same_message_may_come_twice(town: Any) -> None:
    town.join(ANN)
    with town.db.transaction() as tx:
        code = issue(tx, ANN, town.at)
        first = linking.offer_code(tx, ANN2, code, town.at)
        assert linking.offer_code(tx, ANN2, code, town.at).id == first.id
        assert "used" in offer(tx, EVE, code, town.at)
    assert town.count("outbox") == 1


def test_a_code_lives_ten_minutes_and_its_proposal_an_hour(town: Any) -> None:
    town.join(ANN)
    with town.db.transaction() as tx:
        code, soon = issue(tx, ANN, town.at), town.at + timedelta(minutes=9, seconds=59)
        assert "too old" in offer(tx, ANN2, code, town.at + timedelta(minutes=10))
        linking.offer_code(tx, ANN2, code, soon)
        ann = persons.ensure_account(tx, ANN)
        assert linking.open_offer(tx, ann, soon + timedelta(minutes=59))
        assert linking.open_offer(tx, ann, soon + timedelta(minutes=60)) is None


def test_a_new_code_ends_the_one_before(town: Any) -> None:
    town.join(ANN)
    with town.db.transaction() as tx:
        old = issue(tx, ANN, town.at)
        issue(tx, ANN, town.at)
        assert "used" in offer(tx, ANN2, old, town.at)


def test_ones_own_code_and_ones_linked_account_are_refused(town: Any) -> None:
    town.join(ANN, ANN2)
    with town.db.transaction() as tx:
        code = issue(tx, ANN, town.at)
        assert "not from here" in offer(tx, ANN, code, town.at)
        assert "already" in offer(tx, ANN2, code, town.at)


def test_the_sixth_wrong_code_of_an_hour_is_not_even_looked_at(town: Any) -> None:
    town.join(ANN)
    with town.db.transaction() as tx:
        code = issue(tx, ANN, town.at)
        for _ in range(5):
            assert "do not know" in offer(tx, EVE, "BCDFGHJKLM", town.at)
        assert "too many" in offer(tx, EVE, code, town.at)
        assert offer(tx, ANN2, code, town.at) == ""  # others are not in their way
        again = issue(tx, ANN, town.at + timedelta(hours=1))
        assert offer(tx, EVE, again, town.at + timedelta(hours=1)) == ""
    assert town.count("link_failure") == 0  # forgotten after the hour


def test_what_is_no_code_is_no_failure(town: Any) -> None:
    with town.db.transaction() as tx:
        assert "10 letters" in offer(tx, EVE, "BCDFG", town.at)
    assert town.count("link_failure") == 0


@pytest.mark.parametrize(
    "shape", [str.lower, lambda c: f" {c} ", lambda c: " ".join(c), lambda c: c.replace("-", "\N{EN DASH}")]
)
def test_case_spaces_and_dashes_are_forgiven(town: Any, shape: Any) -> None:
    town.join(ANN)
    with town.db.transaction() as tx:
        code = issue(tx, ANN, town.at)
        assert linking.looks_like_code(shape(code))
        assert offer(tx, ANN2, shape(code), town.at) == ""


@pytest.mark.parametrize("text", ["", "link", "BCDFGHJKL", "BCDFGHJKLMN", "BCDFGHJKL1", "SUBSCRIBES", "ß" * 10])
def test_other_words_do_not_look_like_codes(text: str) -> None:
    assert not linking.looks_like_code(text)


def test_a_code_is_stored_hashed(town: Any) -> None:
    with town.db.transaction() as tx:
        code = issue(tx, ANN, town.at)
        stored = tx.get_one(LinkCode, 1).code_hash
    assert len(code.replace("-", "")) == 10
    assert code not in stored
    assert codes.normal(code) not in stored.upper()
    assert stored == codes.hashed(code.lower())


@given(issuers=st.integers(1, 10_000_000), networks=st.integers(1, 16))
def test_no_permitted_hour_of_guessing_succeeds_more_than_once_in_a_million(issuers: int, networks: int) -> None:
    # At worst: every network at its limit, and every issuer's code live at every guess.
    assert networks * codes.permitted(issuers) * issuers * 1_000_000 <= 20**10


def test_few_accounts_cannot_close_a_network(town: Any) -> None:
    assert codes.permitted(100) // codes.ACCOUNT_FAILURES > 1_000


def fail(tx: Session, platform: str, count: int, at: datetime) -> None:
    rows = [{"platform": platform, "account_id": f"a{n}", "at": at} for n in range(count)]
    tx.execute(sa.insert(LinkFailure), rows)


def test_a_network_full_of_wrong_codes_is_closed_and_the_other_way_round_works(
    sqlite_town: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    town = sqlite_town
    monkeypatch.setattr(codes, "NETWORK_ALLOWANCE", 20)
    with town.db.transaction() as tx:
        mine, theirs = issue(tx, ANN, town.at), issue(tx, ANN2, town.at)
        fail(tx, "sandbox2", 10, town.at)  # ten wrong codes against two issuers: the twenty that are allowed
        assert 'Write "link" here instead' in offer(tx, EVE, mine, town.at)
        assert offer(tx, ANN, theirs, town.at) == ""
        assert offer(tx, EVE, issue(tx, ANN, town.at), town.at + timedelta(minutes=9)) != ""


def test_all_networks_together_have_an_allowance_too(sqlite_town: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    town = sqlite_town
    monkeypatch.setattr(codes, "ALLOWANCE", 20)
    with town.db.transaction() as tx:
        code = issue(tx, ANN, town.at)
        for network in ("p", "q"):
            fail(tx, network, 9, town.at)
        assert offer(tx, ANN2, "BCDFGHJKLM", town.at) != ""  # the nineteenth
        assert "Too many" in offer(tx, ANN2, code, town.at)


def test_two_persons_are_shown_what_changes_before_they_are_merged(town: Any) -> None:
    ann, other = town.join(ANN), town.join(ANN2, EVE)
    with town.db.transaction() as tx:
        proposal = linking.offer_code(tx, ANN2, issue(tx, ANN, town.at), town.at)
        assert proposal.merge
        assert (proposal.merge.keep_id, proposal.merge.lose_id) == (ann, other)
        assert set(proposal.merge.accounts) == {str(ANN2), str(EVE)}
        done = linking.confirm(tx, town.rules, persons.ensure_account(tx, ANN), town.at)
        assert done.merge == proposal.merge
        assert persons.root_id(tx, other) == ann
    assert town.count("audit", "action = 'merge'") == 1
    assert town.count("outbox", "kind = 'merged'") == 3


def test_a_newly_linked_account_of_a_creator_brings_its_pending_flattrs(town: Any) -> None:
    town.join(ANN)
    cleo = town.join(CLEO)
    last = town.at - timedelta(days=20)
    with town.db.transaction() as tx:
        claims.claim(tx, town.rules, person_id=cleo, at=town.at, can_pay=True)
        persons.account_of(tx, ANN).linked_at = last  # type: ignore[union-attr]
    town.like(ANN, "song", EVE, at=last)
    town.stage(24322, "settled")
    with town.db.transaction() as tx:
        linking.offer_code(tx, EVE, issue(tx, CLEO, town.at), town.at)
        assert linking.confirm(tx, town.rules, persons.ensure_account(tx, CLEO), town.at).moved == 1


def test_an_unlinked_account_is_nobodys_and_the_last_one_stays(town: Any) -> None:
    person = town.join(replace(ANN, handle="Ann"), ANN2)
    with town.db.transaction() as tx:
        code = issue(tx, ANN, town.at)
        linking.unlink(tx, persons.ensure_account(tx, ANN), town.at)
        assert persons.person_of(tx, ANN) is None
        assert persons.ensure_account(tx, ANN).handle is None
        assert "used" in offer(tx, EVE, code, town.at)
        with pytest.raises(LinkRefused, match="stop"):
            linking.unlink(tx, persons.ensure_account(tx, ANN2), town.at)
        with pytest.raises(LinkRefused, match="nothing"):
            linking.unlink(tx, persons.ensure_account(tx, ANN), town.at)
        assert persons.person_of(tx, ANN2).id == person  # type: ignore[union-attr]


def test_the_operator_binds_by_hand_and_it_is_logged(town: Any) -> None:
    person, since = town.join(ANN), town.at - timedelta(days=3)
    for _ in range(2):
        with town.db.transaction() as tx:
            account = linking.bind(tx, ANN2, person_id=person, since=since, actor="operator", at=town.at)
            assert (account.person_id, account.linked_at) == (person, since)
    assert town.count("audit", "actor = 'operator' and action = 'link'") == 2
    assert town.count("account") == 2


def test_the_operator_takes_no_account_from_somebody_unless_by_force(town: Any) -> None:
    ann, eve = town.join(ANN, ANN2), town.join(EVE)
    with town.db.transaction() as tx:
        with pytest.raises(LinkRefused, match="Merge"):
            linking.bind(tx, ANN2, person_id=eve, since=town.at, actor="operator", at=town.at, rules=town.rules)
        linking.bind(
            tx, ANN2, person_id=eve, since=town.at, actor="operator", at=town.at, rules=town.rules, moving=True
        )
        assert persons.person_of(tx, ANN2).id == eve  # type: ignore[union-attr]
        assert persons.locked(tx, eve).cooling_until == town.at + town.rules.cooling
    assert town.count("outbox", "kind = 'merged'") == 3
    assert town.count("audit", f"detail like '%taken from person {ann}%'") == 1
