"""Facts about the way to a sign-in page and back: hard to guess, used once, short, one browser's."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlmodel import select

from core.access import visits
from core.access.tables import Visit
from core.access.visits import VisitRefused
from core.people import persons
from tests.scene import Scene


def begin(scene: Scene, by: str | None = "ada", platform: str = "lake", intent: str = "link") -> str:
    with scene.db.transaction() as tx:
        asker = scene.account(by) if by else None
        return visits.begin(tx, by=asker, platform=platform, intent=intent, at=scene.at)


def look(scene: Scene, token: str) -> Visit | None:
    with scene.db.reading() as tx:
        return visits.look(tx, token, scene.at)


def depart(scene: Scene, token: str, state: str = "state", session: str = "browser", kept: bytes = b"kept") -> None:
    with scene.db.transaction() as tx:
        visits.depart(tx, token, state=state, kept=kept, session=session, at=scene.at)


def arrive(scene: Scene, state: str = "state", session: str = "browser", platform: str = "lake") -> Visit:
    with scene.db.transaction() as tx:
        return visits.arrive(tx, platform=platform, state=state, session=session, at=scene.at)


def test_a_visit_leads_there_and_back_to_who_asked(scene: Scene) -> None:
    token = begin(scene, intent="receive")
    depart(scene, token)
    visit = arrive(scene)
    with scene.db.reading() as tx:
        assert visit.account_id == persons.account_of(tx, scene.account("ada")).id
    assert (visit.platform, visit.intent, visit.kept) == ("lake", "receive", b"kept")


def test_addresses_and_states_have_32_random_bytes_and_only_hashes_are_stored(scene: Scene) -> None:
    tokens = {begin(scene, by) for by in ("ada", "bob", None)} | {visits.new_secret()}
    assert {len(token) for token in tokens} == {43}
    token = begin(scene)
    depart(scene, token, "a-state", "a-session")
    with scene.db.reading() as tx:
        stored = "".join(str(row.model_dump()) for row in tx.exec(select(Visit)).all())
    assert not [secret for secret in (token, "a-state", "a-session") if secret in stored]


def test_nobody_arrives_twice(scene: Scene) -> None:
    depart(scene, token := begin(scene))
    arrive(scene)
    with pytest.raises(VisitRefused, match=r'used already\. Write "link lake" to the bot for a new one\.'):
        arrive(scene)
    with pytest.raises(VisitRefused, match="used already"):
        depart(scene, token)
    assert look(scene, token) is None
    with scene.db.reading() as tx:
        assert tx.exec(select(Visit.kept)).all() == [None]


def test_of_two_that_arrive_at_once_one_is_let_in(scene: Scene) -> None:
    depart(scene, begin(scene))
    ready = Barrier(8)

    def try_it(_: int) -> bool:
        ready.wait(timeout=30)
        try:
            return arrive(scene).kept == b"kept"
        except VisitRefused:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(try_it, range(8))) == 1


def test_a_visit_is_over_after_ten_minutes(scene: Scene) -> None:
    depart(scene, token := begin(scene))
    scene.later(minutes=9, seconds=59)
    assert look(scene, token) is not None
    scene.later(seconds=1)
    assert look(scene, token) is None
    too_old = r'This address is too old\. Write "link lake" to the bot for a new one\.'
    with pytest.raises(VisitRefused, match=too_old):
        depart(scene, token)
    with pytest.raises(VisitRefused, match=too_old):
        arrive(scene)


def test_who_pressed_back_sets_out_again_and_the_earlier_state_is_worth_nothing(scene: Scene) -> None:
    token = begin(scene)
    depart(scene, token, "first", kept=b"1")
    depart(scene, token, "second", kept=b"2")
    with pytest.raises(VisitRefused, match="not one that was begun here"):
        arrive(scene, "first")
    assert arrive(scene, "second").kept == b"2"


def test_another_browser_can_neither_set_out_nor_arrive_and_uses_nothing_up(scene: Scene) -> None:
    depart(scene, token := begin(scene))
    with pytest.raises(VisitRefused, match="opened in another browser"):
        depart(scene, token, "other", session="other")
    for session in ("other", ""):
        with pytest.raises(VisitRefused, match="begun in another browser"):
            arrive(scene, session=session)
    assert arrive(scene).kept == b"kept"


def test_a_state_is_good_for_its_own_platform_only(scene: Scene) -> None:
    depart(scene, begin(scene))
    with pytest.raises(VisitRefused, match='Write "link sea" to the bot'):
        arrive(scene, platform="sea")
    arrive(scene)


@pytest.mark.parametrize("state", ["", "never issued", "ä" * 50])
def test_a_state_that_was_never_issued_is_refused(scene: Scene, state: str) -> None:
    begin(scene)  # its state is not there yet
    with pytest.raises(VisitRefused, match="not one that was begun here"):
        arrive(scene, state)
    with pytest.raises(VisitRefused, match="not known"):
        depart(scene, state)
    assert look(scene, state) is None


def test_a_new_address_ends_the_older_one_for_the_same_platform(scene: Scene) -> None:
    older, elsewhere, others = begin(scene), begin(scene, platform="sea"), begin(scene, "bob")
    begin(scene)
    assert look(scene, older) is None
    with pytest.raises(VisitRefused, match="too old"):
        depart(scene, older)
    assert look(scene, elsewhere)
    assert look(scene, others)


def test_an_operator_s_visit_is_nobody_s_and_its_remedy_is_the_command(scene: Scene) -> None:
    token = begin(scene, None, intent="bot")
    assert look(scene, token).account_id is None
    scene.later(minutes=10)
    with pytest.raises(VisitRefused, match='Run "flattr sign-in lake" for a new one'):
        depart(scene, token)


def test_twenty_addresses_an_hour_are_enough(scene: Scene) -> None:
    for number in range(visits.MOST):
        begin(scene, platform=f"lake-{number}")
    with pytest.raises(VisitRefused, match="Wait an hour"):
        begin(scene)
    begin(scene, "bob")
    begin(scene, None)
    scene.later(hours=1)
    begin(scene)


def test_what_is_over_for_an_hour_is_deleted(scene: Scene) -> None:
    depart(scene, begin(scene))
    arrive(scene)
    scene.later(hours=1, minutes=11)
    begin(scene, "bob")
    with scene.db.reading() as tx:
        assert len(tx.exec(select(Visit)).all()) == 1
