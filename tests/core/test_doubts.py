"""Likes in doubt: settled by the platform's answer, both ways, once."""

from __future__ import annotations

from datetime import timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import select

from core import doubts
from core.database import Database
from core.likes import Recorded
from core.months.tables import Month
from core.people import preferences
from core.periods import month_of, parse_month
from core.rules import Rules
from core.tables import Flattr, Like
from tests.scene import Scene

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
NOVEMBER = parse_month("2026-11")
FRESH = count()


def in_doubt(scene: Scene, platform: str = "pond") -> list[doubts.Doubt]:
    with scene.db.reading() as tx:
        return doubts.waiting(tx, platform, scene.at)


def settle(scene: Scene, doubt: doubts.Doubt, liked: bool, since=None, asked_at=None) -> Recorded:
    with scene.db.transaction() as tx:
        return doubts.settle(tx, scene.rules, doubt, liked=liked, since=since, asked_at=asked_at or scene.at)


def overtaken(scene: Scene, at=None) -> doubts.Doubt:
    """A star and an unstar whose deliveries came 30 seconds apart."""
    starred_at = scene.at
    scene.record(scene.liked("ada", "repo", at=starred_at), at=at)
    scene.unlike("ada", "repo", at=(at or scene.at) + 30 * SECOND)
    scene.later(minutes=10)
    [doubt] = in_doubt(scene)
    assert doubt.since == starred_at
    return doubt


def late(scene: Scene) -> doubts.Doubt:
    """A star that arrives after an unstar although it is older."""
    scene.later(days=2)  # after the account was linked
    scene.record(scene.liked("ada", "repo", at=scene.at - timedelta(days=1)), at=scene.at - timedelta(days=1))
    scene.unlike("ada", "repo")
    scene.record(scene.liked("ada", "repo", at=scene.at - MINUTE), at=scene.at + 6 * MINUTE)
    scene.later(minutes=10)
    [doubt] = in_doubt(scene)
    return doubt


def the_like(scene: Scene) -> Like:
    with scene.db.reading() as tx:
        return tx.exec(select(Like)).one()


def test_a_like_that_stands_after_all_counts_again(scene):
    ada = scene.patron("ada")
    doubt = overtaken(scene)
    assert scene.states(ada) == ["withdrawn"]
    assert settle(scene, doubt, True, doubt.since) is Recorded.counted
    assert scene.states(ada) == ["pending"]
    assert in_doubt(scene) == []
    assert settle(scene, doubt, False) is Recorded.unchanged, "the answer counts once"
    assert scene.states(ada) == ["pending"]


def test_a_like_that_is_gone_stays_withdrawn(scene):
    ada = scene.patron("ada")
    doubt = overtaken(scene)
    settle(scene, doubt, False)
    assert scene.states(ada) == ["withdrawn"]
    assert in_doubt(scene) == []


def test_a_late_like_is_settled_both_ways(scene):
    ada = scene.patron("ada")
    doubt = late(scene)
    assert scene.states(ada) == ["pending"]
    assert settle(scene, doubt, False) is Recorded.withdrawn
    assert scene.states(ada) == ["withdrawn"]


def test_a_late_like_that_stands_keeps_its_share(scene):
    ada = scene.patron("ada")
    doubt = late(scene)
    assert settle(scene, doubt, True, doubt.since) is Recorded.standing
    assert (scene.states(ada), in_doubt(scene)) == (["pending"], [])


def test_after_the_answer_replays_change_nothing_and_new_acts_do(scene):
    ada = scene.patron("ada")
    starred = scene.liked("ada", "repo", at=scene.at)
    settle(scene, overtaken(scene), False)
    assert scene.record(starred, at=scene.later(minutes=1)) is Recorded.unchanged
    assert scene.record(scene.liked("ada", "repo", at=scene.later(minutes=9))) is Recorded.counted
    assert scene.unlike("ada", "repo", at=scene.later(minutes=9)) is Recorded.withdrawn
    assert scene.states(ada) == ["withdrawn"]
    assert in_doubt(scene) == []


def test_a_like_that_was_revived_can_be_taken_back(scene):
    ada = scene.patron("ada")
    doubt = overtaken(scene)
    settle(scene, doubt, True, doubt.since)
    scene.unlike("ada", "repo", at=scene.later(minutes=10))
    assert (scene.states(ada), in_doubt(scene)) == (["withdrawn"], [])


def test_what_was_heard_after_the_question_is_newer_than_its_answer(scene):
    ada = scene.patron("ada")
    doubt = overtaken(scene)
    asked_at = scene.at
    scene.record(scene.liked("ada", "repo", at=scene.later(seconds=1)))
    assert settle(scene, doubt, False, asked_at=asked_at) is Recorded.unchanged
    assert scene.states(ada) == ["pending"]
    scene.later(minutes=10)
    assert [each.like_id for each in in_doubt(scene)] == [doubt.like_id], "it is asked about again"


def test_nothing_is_asked_while_deliveries_may_be_on_their_way(scene):
    scene.patron("ada")
    scene.record(scene.liked("ada", "repo", at=scene.at))
    scene.unlike("ada", "repo", at=scene.later(seconds=30))
    scene.later(seconds=119)
    assert in_doubt(scene) == []
    scene.later(seconds=2)
    assert len(in_doubt(scene)) == 1
    assert in_doubt(scene, "lake") == []


def test_a_new_episode_counts_in_its_own_month(scene):
    ada = scene.patron("ada")
    doubt = overtaken(scene)
    scene.month_over()
    december = scene.at
    scene.later(minutes=5)
    settle(scene, doubt, True, december)
    assert scene.states(ada, NOVEMBER) == ["withdrawn"]
    assert scene.states(ada) == ["pending"]


def test_a_month_under_review_takes_only_the_withdrawal(scene):
    ada = scene.patron("ada")
    scene.later(days=18)
    scene.at = scene.at.replace(hour=23, minute=50)
    doubt = late(scene)
    scene.month_over()
    scene.advance()
    assert scene.stage(NOVEMBER) == "review"
    assert [each.like_id for each in in_doubt(scene)] == [doubt.like_id]
    assert settle(scene, doubt, False) is Recorded.withdrawn
    assert scene.states(ada, NOVEMBER) == ["withdrawn"]


def test_what_stands_after_all_during_the_review_counts_in_the_open_month(scene):
    ada = scene.patron("ada")
    doubt = overtaken(scene)
    scene.month_over()
    scene.advance()
    assert settle(scene, doubt, True, doubt.since) is Recorded.counted
    assert (scene.states(ada, NOVEMBER), scene.states(ada)) == (["withdrawn"], ["pending"])


def test_a_closing_waits_for_no_answer(scene):
    scene.creator("maker")
    scene.patron("ada")
    late(scene)
    scene.close_month()
    assert scene.stage(NOVEMBER) == "settled"
    assert in_doubt(scene) == []


def test_a_like_that_does_not_count_is_not_asked_about(scene):
    ada = scene.patron("ada")
    with scene.db.transaction() as tx:
        preferences.pause(tx, ada, at=scene.at)
    scene.record(scene.liked("ada", "repo", at=scene.at))
    scene.unlike("ada", "repo", at=scene.at + 30 * SECOND)
    scene.later(minutes=10)
    assert in_doubt(scene) == []


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_however_deliveries_come_the_answer_ends_in_the_truth(
    data: st.DataObject, sqlite_db: Database, rules: Rules, at
):
    """Stars and unstars, shuffled and doubled within minutes: what is in doubt is asked, and the rest is so."""
    scene = Scene(sqlite_db, rules, at)
    name = f"p{next(FRESH)}"
    person = scene.patron(name)
    starred = scene.liked(name, "repo", at=scene.at)
    truth = data.draw(st.booleans(), label="stands")
    # star, unstar, and (if it stands) star again: GitHub times the stars only
    history = [starred, scene.unliked(name, "repo")]
    again = scene.at + 20 * SECOND
    if truth:
        history.append(scene.liked(name, "repo", at=again))
    heard = data.draw(st.permutations(history + data.draw(st.lists(st.sampled_from(history[:1]), max_size=2))))
    for event in heard:
        scene.later(seconds=data.draw(st.integers(21, 60)))
        scene.record(event)
    scene.later(minutes=10)
    for doubt in in_doubt(scene):
        settle(scene, doubt, truth, again if truth else None)
    standing = [line.state == "pending" for line in scene.status(person).lines]
    assert standing == [truth] or (standing == [] and not truth)
    assert scene.broken() == []


@pytest.mark.parametrize("liked", [True, False])
def test_only_the_like_that_was_asked_about_is_settled(scene, liked):
    ada = scene.patron("ada")
    scene.record(scene.liked("ada", "other", at=scene.at))
    doubt = overtaken(scene)
    settle(scene, doubt, liked, doubt.since if liked else None)
    assert scene.states(ada) == ["pending", "pending" if liked else "withdrawn"]
    with scene.db.reading() as tx:
        assert {flattr.month for flattr in tx.exec(select(Flattr)).all()} == {month_of(scene.at)}
        assert [month.stage for month in tx.exec(select(Month)).all()] == ["open"]
