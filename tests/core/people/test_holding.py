"""A review that starts while it changes who is who or who can be paid, in two transactions at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlmodel import Session

from core.database import Database
from core.months import review, stages
from core.people import claims, linking, merging, persons
from core.people.holding import hold_months
from core.periods import month_end
from core.rules import Rules
from tests.scene import Scene

Act = Callable[[Session], Any]


@pytest.fixture
def scene(postgres_db: Database, rules: Rules, at: Any) -> Scene:
    return Scene(postgres_db, rules, at)


def both(db: Database, first: Act, second: Act, then: Act = lambda tx: None) -> bool:
    """``first``, then ``second`` in a transaction of its own, then ``then`` in the first's; did ``second`` wait?"""
    errors: list[Exception] = []

    def run() -> None:
        try:
            with db.transaction() as tx:
                second(tx)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
            errors.append(error)

    with db.transaction() as tx:
        first(tx)
        other = threading.Thread(target=run)
        other.start()
        other.join(0.5)
        waited = other.is_alive()
        then(tx)
    other.join(20)
    assert errors == []
    return waited


def claiming(scene: Scene) -> Act:
    creator = scene.person("maker")
    return lambda tx: claims.claim(tx, scene.rules, person_id=creator, at=scene.at, can_pay=True)


def binding(scene: Scene) -> Act:
    creator = scene.creator("receives")
    return lambda tx: linking.bind(
        tx, scene.account("maker"), person_id=creator, since=scene.at, actor="op", at=scene.at, rules=scene.rules
    )


def confirming(scene: Scene) -> Act:
    scene.creator("receives")
    with scene.db.transaction() as tx:
        issuer = persons.ensure_account(tx, scene.account("receives"))
        code = linking.issue_code(tx, issuer, scene.at).code
        linking.offer_code(tx, scene.account("maker"), code, scene.at)

    def confirm(tx: Session) -> None:
        issuer = persons.ensure_account(tx, scene.account("receives"))
        linking.confirm(tx, scene.rules, issuer, scene.at)

    return confirm


def merging_creators(scene: Scene) -> Act:
    keep, lose = scene.creator("receives"), scene.person("maker")
    return lambda tx: merging.merge(tx, scene.rules, keep_id=keep, lose_id=lose, at=scene.at)


@pytest.mark.parametrize("review_first", [True, False])
@pytest.mark.parametrize("making", [claiming, binding, confirming, merging_creators])
def test_what_is_pending_counts_in_the_month_under_review_or_in_the_next(
    scene: Scene, making: Callable[[Scene], Act], review_first: bool
) -> None:
    patron = scene.patron("pat")
    scene.like("pat", "song")
    month = scene.month_over()
    act = making(scene)
    with scene.db.transaction() as tx:
        stages.ensure_month(tx, month + 1)

    def start(tx: Session) -> None:
        assert review.start(tx, scene.rules, month, scene.at)

    assert both(scene.db, start, act) if review_first else both(scene.db, act, start)
    assert (scene.states(patron, month) + scene.states(patron)).count("counts") == 1
    assert scene.broken() == []


def test_a_person_who_is_being_changed_does_not_keep_a_review_waiting(scene: Scene) -> None:
    """Else the two would wait for each other: the one for the month, the other to write the person's statement."""
    patron = scene.patron("pat")
    scene.like("pat", "song")
    month = scene.month_over()
    waited = both(
        scene.db,
        lambda tx: persons.locked(tx, patron),
        lambda tx: review.start(tx, scene.rules, month, scene.at),
        lambda tx: stages.month_taking(tx, scene.at, scene.at),
    )
    assert not waited
    assert scene.stage(month) == "review"


def test_the_months_that_are_held_are_told(scene: Scene) -> None:
    month = scene.month_over()
    with scene.db.transaction() as tx:
        stages.ensure_month(tx, month)
        assert hold_months(tx, scene.at) == [month, month + 1]
        review.start(tx, scene.rules, month, month_end(month))
        assert hold_months(tx, scene.at) == [month + 1]
        assert hold_months(tx, scene.at, ("open", "review")) == [month, month + 1]
