"""Who is who."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from core.events import AccountRef
from core.people import persons


def ref(name: str, handle: str | None = None) -> AccountRef:
    return AccountRef(platform="sandbox", account_id=name, handle=handle)


def test_a_stranger_leaves_no_row_by_speaking(town: Any) -> None:
    with town.db.transaction() as tx:
        persons.mark_spoken(tx, ref("ann"), town.at)
        assert persons.person_of(tx, ref("ann")) is None
    assert town.count("account") == 0


def test_a_person_is_made_once(town: Any) -> None:
    with town.db.transaction() as tx:
        first = persons.ensure_person(tx, ref("ann", "Ann"), town.at)
        again = persons.ensure_person(tx, ref("ann"), town.at + timedelta(days=1))
        account = persons.account_of(tx, ref("ann"))
    assert first.id == again.id
    assert account
    assert account.linked_at == town.at
    assert account.handle == "Ann"
    assert town.count("person") == 1


def test_of_people_who_have_not_joined_no_handle_is_kept(town: Any) -> None:
    with town.db.transaction() as tx:
        assert persons.ensure_account(tx, ref("cleo", "Cleo")).handle is None
        persons.ensure_person(tx, ref("cleo", "Cleo"), town.at)
        assert persons.ensure_account(tx, ref("cleo", "Cleo the Great")).handle == "Cleo the Great"


def test_the_hub_answers_where_the_person_last_spoke(town: Any) -> None:
    person = town.join(ref("ann"), AccountRef(platform="sandbox2", account_id="ann2"))
    with town.db.transaction() as tx:
        assert persons.spoken_account(tx, person) is None
        persons.mark_spoken(tx, ref("ann"), town.at + timedelta(hours=1))
        persons.mark_spoken(tx, AccountRef(platform="sandbox2", account_id="ann2"), town.at)
        persons.mark_spoken(tx, ref("ann"), town.at)  # an older message arrives late
        spoken = persons.spoken_account(tx, person)
    assert spoken
    assert str(spoken) == "sandbox:ann"
    assert spoken.spoke_at == town.at + timedelta(hours=1)


def test_an_operator_finds_a_person_by_number_or_account(town: Any) -> None:
    person = town.join(ref("ann"))
    with town.db.reading() as tx:
        assert persons.find(tx, f" {person} ").id == person
        assert persons.find(tx, "Sandbox:ann").id == person


@pytest.mark.parametrize(
    ("text", "remedy"),
    [("99", "by an account"), ("9" * 40, "by an account"), ("ann", "like 7"), ("sandbox:bob", "writing to the bot")],
)
def test_who_is_not_found_is_answered_with_what_to_type(town: Any, text: str, remedy: str) -> None:
    with town.db.reading() as tx, pytest.raises(LookupError, match=remedy):
        persons.find(tx, text)
