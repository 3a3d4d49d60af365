"""What happens on a network while an account is nobody's, and after it is somebody's again."""

from __future__ import annotations

import pytest

from core import likes
from core.people import leaving, linking, persons
from tests.scene import Scene


@pytest.fixture
def two(scene: Scene) -> tuple[Scene, int]:
    """Pat, who has the account alt too."""
    pat = scene.patron("pat")
    scene.creator("maker")
    bind(scene, pat)
    return scene, pat


def bind(scene: Scene, person: int, *, moving: bool = False) -> None:
    alt = scene.account("alt")
    with scene.db.transaction() as tx:
        linking.bind(
            tx, alt, person_id=person, since=scene.at, actor="op", at=scene.at, rules=scene.rules, moving=moving
        )


def unlink(scene: Scene) -> None:
    with scene.db.transaction() as tx:
        linking.unlink(tx, persons.ensure_account(tx, scene.account("alt")), scene.at)
    scene.later(hours=1)


def stop(scene: Scene, person: int) -> None:
    with scene.db.transaction() as tx:
        leaving.stop(tx, scene.rules, person, scene.at)
    scene.later(hours=1)


def test_what_an_unlinked_account_liked_stays_its_persons_and_is_not_the_next_ones(two: tuple[Scene, int]) -> None:
    scene, pat = two
    scene.like("alt", "song")
    unlink(scene)
    quin = scene.patron("alt")
    scene.later(hours=1)
    assert scene.like("alt", "song") == "standing"  # the same delivery again
    assert (scene.states(pat), scene.states(quin)) == (["counts"], [])


@pytest.mark.parametrize("leave", ["unlink", "unlink and stop", "move"])
def test_an_unlike_and_a_like_by_the_next_one_are_the_next_ones(two: tuple[Scene, int], leave: str) -> None:
    scene, pat = two
    scene.like("alt", "song")
    scene.later(hours=1)
    if leave == "move":
        scene.unlike("alt", "song")
        quin = scene.patron("quin")
        bind(scene, quin, moving=True)
    else:
        unlink(scene)
        scene.unlike("alt", "song")  # nobody's
        if leave == "unlink and stop":
            stop(scene, pat)
        quin = scene.patron("alt")
    scene.later(hours=1)
    assert scene.like("alt", "song") == "counted"
    assert "counts" not in scene.states(pat)
    assert scene.states(quin) == ["counts"]


def test_a_like_by_nobody_is_nobodys_and_its_unlike_changes_nothing(two: tuple[Scene, int]) -> None:
    scene, pat = two
    unlink(scene)
    assert scene.like("alt", "song") == "not a member"
    quin = scene.patron("alt")
    scene.later(hours=1)
    scene.unlike("alt", "song")
    scene.later(hours=1)
    assert (scene.states(pat), scene.states(quin)) == ([], [])
    assert scene.like("alt", "song") == "counted"


def test_an_unlike_by_nobody_leaves_what_another_account_still_likes(two: tuple[Scene, int]) -> None:
    scene, pat = two
    scene.like("pat", "song")
    scene.like("alt", "song")
    unlink(scene)
    scene.unlike("alt", "song")
    assert scene.states(pat) == ["counts"]
    scene.later(hours=1)
    scene.unlike("pat", "song")
    assert scene.states(pat) == ["withdrawn"]


@pytest.mark.parametrize("unliked", [False, True])
def test_who_stops_and_returns_counts_from_the_next_like_on(scene: Scene, unliked: bool) -> None:
    pat = scene.patron("pat")
    scene.creator("maker")
    scene.like("pat", "song")
    stop(scene, pat)
    if unliked:
        scene.unlike("pat", "song")
        scene.later(hours=1)
    back = scene.patron("pat")
    scene.later(hours=1)
    assert scene.like("pat", "song") == ("counted" if unliked else "standing")
    assert scene.states(back) == (["counts"] if unliked else [])
    scene.later(hours=1)
    scene.unlike("pat", "song")
    scene.later(hours=1)
    assert scene.like("pat", "song") == "counted"
    assert scene.states(back) == ["counts"]
    assert scene.states(pat) == ["withdrawn"]


def test_a_flattr_said_by_hand_counts_for_whoever_the_account_is_now(two: tuple[Scene, int]) -> None:
    scene, _ = two

    def say() -> None:
        with scene.db.transaction() as tx:
            alt, maker = scene.account("alt"), scene.account("maker")
            likes.record_by_hand(tx, scene.rules, alt, scene.thing("song"), maker, scene.at)

    say()
    unlink(scene)
    quin = scene.patron("alt")
    scene.later(minutes=1)
    say()
    assert scene.states(quin) == ["counts"]
    say()
    assert scene.states(quin) == ["counts"]
