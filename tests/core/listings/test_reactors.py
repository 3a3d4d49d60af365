"""What the lists of one thing's likers may add and withdraw, and when they are not believed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import select

from core.listings import reactors
from core.listings.reactors import Remembered, Settled, Shown
from core.tables import Flattr, Like
from tests.scene import Scene


class Lists:
    """One creator's lists of likers, read again and again."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.kept: dict[str, Remembered] = {}

    def read(
        self, thing: str = "post", *likers: str, complete: bool = True, made: timedelta = timedelta(days=-100)
    ) -> Settled:
        return self.read_all({thing: likers}, complete=complete, made=made)

    def read_all(
        self, lists: dict[str, tuple[str, ...]], *, complete: bool = True, made: timedelta = timedelta(days=-100)
    ) -> Settled:
        scene = self.scene
        shown = [
            Shown(
                thing=scene.thing(name),
                author=scene.account("maker"),
                likers=frozenset(f"id-{each}" for each in likers),
                complete=complete,
                made_at=scene.at + made,
                asked_at=scene.at,
            )
            for name, likers in lists.items()
        ]
        with scene.db.transaction() as tx:
            here = reactors.members(tx, "pond", "id-")
            settled = reactors.settle(tx, scene.rules, here, shown, self.kept)
        # As the caller stores it, so that nothing is lost on the way.
        self.kept = {name: Remembered.loaded(each.dumped()) for name, each in settled.remembered.items()}
        scene.later(hours=6)
        return settled

    def standing(self) -> int:
        with self.scene.db.reading() as tx:
            return len(tx.exec(select(Flattr).where(Flattr.standing)).all())

    def held(self) -> int:
        with self.scene.db.reading() as tx:
            return len(tx.exec(select(Flattr).where(Flattr.held)).all())


@pytest.fixture
def lists(scene: Scene) -> Lists:
    return Lists(scene)


def test_what_the_first_list_shows_may_be_from_before_the_link(scene: Scene, lists: Lists) -> None:
    scene.patron("fan")
    scene.later(hours=1)
    assert lists.read("post", "fan", "stranger").added == 0
    assert lists.read("post", "fan", "stranger").added == 0
    assert lists.standing() == 0


def test_what_a_later_list_shows_anew_is_a_like_that_was_lost(scene: Scene, lists: Lists) -> None:
    scene.patron("fan")
    scene.later(hours=1)
    lists.read("post")
    assert lists.read("post", "fan").added == 1
    assert lists.read("post", "fan").added == 0
    assert lists.standing() == 1


def test_a_list_that_may_be_older_than_the_link_proves_nothing(scene: Scene, lists: Lists) -> None:
    scene.patron("fan")
    scene.later(seconds=30)
    lists.read("post")
    assert lists.read("post", "fan").added == 0


def test_a_thing_made_after_the_link_has_only_likes_that_count(scene: Scene, lists: Lists) -> None:
    scene.patron("fan")
    scene.later(hours=2)
    assert lists.read("post", "fan", made=timedelta(hours=-1)).added == 1


def test_an_incomplete_list_is_no_mark_to_tell_new_likes_by(scene: Scene, lists: Lists) -> None:
    scene.patron("fan")
    scene.later(hours=1)
    lists.read("post", complete=False)
    assert lists.read("post", "fan").added == 0


def test_of_strangers_nothing_is_kept(scene: Scene, lists: Lists) -> None:
    scene.patron("fan")
    lists.read("post", "stranger", "another")
    assert lists.kept["post"].likers == frozenset()
    with scene.db.reading() as tx:
        assert tx.exec(select(Like)).all() == []


def test_two_complete_lists_in_a_row_take_a_like_back(scene: Scene, lists: Lists) -> None:
    scene.patron("fan")
    scene.like("fan", "post", order=1)
    scene.later(hours=1)
    assert lists.read("post").withdrawn == 0
    assert lists.read("post").withdrawn == 1
    assert lists.standing() == 0
    assert lists.read("post").withdrawn == 0


def test_lists_in_between_that_show_it_begin_the_count_again(scene: Scene, lists: Lists) -> None:
    scene.patron("fan")
    scene.like("fan", "post", order=1)
    scene.later(hours=1)
    for likers in ((), ("fan",), (), ("fan",), ()):
        assert lists.read("post", *likers).withdrawn == 0
    assert lists.standing() == 1


def test_incomplete_lists_never_take_a_like_back(scene: Scene, lists: Lists) -> None:
    scene.patron("fan")
    scene.like("fan", "post", order=1)
    scene.later(hours=1)
    for _ in range(5):
        assert lists.read("post", complete=False).withdrawn == 0
    assert lists.standing() == 1


def test_what_was_told_of_a_later_time_knows_better_than_a_list(scene: Scene, lists: Lists) -> None:
    scene.patron("fan")
    scene.later(hours=1)
    lists.read("post")
    just_now = int(scene.at.timestamp()) * 1_000_000
    scene.like("fan", "post", at=scene.at, order=just_now)
    lists.kept["post"] = Remembered(missed={"id-fan": reactors.Missed(times=1)})
    lists.read("post")  # the state of a minute ago
    assert lists.standing() == 1
    scene.unlike("fan", "post", at=scene.at, order=int(scene.at.timestamp()) * 1_000_000)
    lists.read("post", "fan")
    assert lists.standing() == 0


def test_a_like_that_was_taken_back_and_is_listed_later_was_given_again(scene: Scene, lists: Lists) -> None:
    scene.patron("fan")
    scene.like("fan", "post", order=int(scene.at.timestamp()) * 1_000_000)
    scene.unlike("fan", "post", order=(int(scene.at.timestamp()) + 9) * 1_000_000)
    scene.later(hours=1)
    assert lists.read("post", "fan").added == 1
    assert lists.standing() == 1


def many(scene: Scene, lists: Lists, number: int) -> dict[str, tuple[str, ...]]:
    scene.patron("fan")
    names = [f"post{each}" for each in range(number)]
    for name in names:
        scene.like("fan", name, order=1)
    scene.later(hours=1)
    return dict.fromkeys(names, ("fan",))


def test_too_many_missing_at_once_are_held_and_come_back_unharmed(scene: Scene, lists: Lists) -> None:
    whole = many(scene, lists, 25)
    lists.read_all(whole)
    nothing: dict[str, tuple[str, ...]] = dict.fromkeys(whole, ())
    for _ in range(3):
        settled = lists.read_all(nothing)
        assert (settled.withdrawn, settled.held) == (0, 25)
    assert lists.held() == 25
    lists.read_all(whole)
    assert (lists.standing(), lists.held()) == (25, 0)


def test_what_is_held_is_believed_once_a_list_of_another_day_misses_it(scene: Scene, lists: Lists) -> None:
    nothing: dict[str, tuple[str, ...]] = dict.fromkeys(many(scene, lists, 25), ())
    assert sum(lists.read_all(nothing).withdrawn for _ in range(4)) == 0
    assert lists.read_all(nothing).withdrawn == 25
    assert (lists.standing(), lists.held()) == (0, 0)


def test_twenty_may_go_at_once(scene: Scene, lists: Lists) -> None:
    nothing: dict[str, tuple[str, ...]] = dict.fromkeys(many(scene, lists, 20), ())
    assert lists.read_all(nothing).held == 0
    assert lists.read_all(nothing).withdrawn == 20


def test_what_was_flattred_by_hand_stands_whatever_the_list_shows(scene: Scene, lists: Lists) -> None:
    from core import likes

    scene.patron("fan")
    with scene.db.transaction() as tx:
        likes.record_by_hand(
            tx, scene.rules, scene.account("fan"), scene.thing("post"), scene.account("maker"), scene.at
        )
    scene.later(hours=1)
    for _ in range(3):
        lists.read("post")
    assert lists.standing() == 1
