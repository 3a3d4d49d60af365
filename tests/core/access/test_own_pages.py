"""Facts about the addresses of the hub's own pages: entered by a button, once, by one browser, for a while."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest

from core.access import visits
from core.access.tables import Visit
from core.access.visits import VisitRefused
from tests.scene import Scene


def begin(scene: Scene, by: str = "ada", page: str = "card", intent: str = "", **more: timedelta) -> str:
    with scene.db.transaction() as tx:
        return visits.begin(tx, by=scene.account(by), platform=f"hub:{page}", intent=intent, at=scene.at, **more)


def look(scene: Scene, token: str, session: str = "") -> Visit | None:
    with scene.db.reading() as tx:
        return visits.look(tx, token, scene.at, session=session)


def enter(scene: Scene, token: str, session: str = "browser") -> Visit:
    with scene.db.transaction() as tx:
        return visits.enter(tx, token, session=session, at=scene.at)


def inside(scene: Scene, session: str = "browser", page: str = "card") -> Visit | None:
    with scene.db.reading() as tx:
        return visits.inside(tx, platform=f"hub:{page}", session=session, at=scene.at)


def test_looking_uses_nothing_up_and_entering_does(scene: Scene) -> None:
    token = begin(scene, intent="pay:7")
    for _ in range(3):
        assert look(scene, token) is not None
    assert inside(scene) is None
    assert enter(scene, token).intent == "pay:7"
    assert look(scene, token) is None
    with pytest.raises(VisitRefused, match=r'used already. Write "card"'):
        enter(scene, token, "another")


def test_the_browser_that_entered_may_go_back_and_press_again_for_its_while(scene: Scene) -> None:
    token = begin(scene)
    first = enter(scene, token)
    scene.later(minutes=29)
    for _ in range(2):
        assert enter(scene, token).used_at == first.used_at, "its while is not longer for that"
        assert look(scene, token, "browser") is not None
        found = inside(scene)
        assert found is not None
        assert found.id == first.id
    scene.later(minutes=1)
    assert inside(scene) is None
    assert look(scene, token, "browser") is None
    with pytest.raises(VisitRefused, match="used already"):
        enter(scene, token)


def test_another_browser_is_never_inside(scene: Scene) -> None:
    token = begin(scene)
    enter(scene, token)
    for session in ("", "another", "browser "):
        assert inside(scene, session) is None
        assert look(scene, token, session) is None


def test_pages_are_entered_one_by_one(scene: Scene) -> None:
    enter(scene, begin(scene))
    assert inside(scene, page="payouts") is None
    token = begin(scene, page="payouts")
    assert inside(scene) is not None, "a new address of another page ends nothing"
    enter(scene, token)
    assert inside(scene, page="payouts") is not None


def test_a_new_address_ends_the_one_before_but_not_who_is_inside(scene: Scene) -> None:
    used, left = begin(scene), None
    enter(scene, used)
    left = begin(scene)
    newest = begin(scene)
    assert look(scene, left) is None
    assert look(scene, newest) is not None
    assert inside(scene) is not None


@pytest.mark.parametrize("life", [timedelta(minutes=10), timedelta(days=1)])
def test_an_address_lives_as_long_as_was_said(scene: Scene, life: timedelta) -> None:
    token = begin(scene, life=life)
    scene.at += life - timedelta(seconds=1)
    assert look(scene, token) is not None
    scene.later(seconds=1)
    assert look(scene, token) is None
    with pytest.raises(VisitRefused, match=r'too old. Write "card" to the bot'):
        enter(scene, token)


def test_a_sign_in_is_not_looked_at_again_by_who_arrived(scene: Scene) -> None:
    with scene.db.transaction() as tx:
        token = visits.begin(tx, by=scene.account("ada"), platform="lake", intent="link", at=scene.at)
        visits.depart(tx, token, state="state", kept=b"", session="browser", at=scene.at)
        visits.arrive(tx, platform="lake", state="state", session="browser", at=scene.at)
    assert look(scene, token, "browser") is None


def test_of_many_browsers_at_once_one_enters(scene: Scene) -> None:
    token, together = begin(scene), Barrier(6)

    def race(number: int) -> bool:
        together.wait()
        try:
            enter(scene, token, f"browser {number}")
        except VisitRefused:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(race, range(6))) == 1
