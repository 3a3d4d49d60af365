"""Two processes at work on one person's likes (PostgreSQL; SQLite has one writer at a time)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from threading import Barrier

import pytest
from sqlmodel import select

from core import likes
from core.database import Database
from core.listings import books
from core.listings.marks import mark
from core.months import closing
from core.people import persons
from core.rules import Rules
from core.tables import Flattr, Thing
from tests.scene import Scene


def together(scene: Scene, *events) -> None:
    """Record each event in a transaction of its own, all begun before any is committed."""
    ready = Barrier(len(events))

    def record(event) -> None:
        with scene.db.transaction() as tx:
            if not scene.db.is_sqlite:
                ready.wait(timeout=10)
            likes.record(tx, scene.rules, event, scene.at)

    with ThreadPoolExecutor(len(events)) as pool:
        list(pool.map(record, events))


def flattrs(scene: Scene) -> list[Flattr]:
    with scene.db.reading() as tx:
        return list(tx.exec(select(Flattr)).all())


def test_two_first_likes_of_a_thing_are_one_flattr(db: Database, rules: Rules, at):
    scene = Scene(db, rules, at)
    scene.patron("ada")
    for round_ in range(5):
        name = f"song-{round_}"
        together(scene, scene.liked("ada", name, reaction="👍"), scene.liked("ada", name, reaction="🎉"))
        assert len(flattrs(scene)) == round_ + 1
    assert scene.broken() == []


def test_two_unlikes_leave_nothing_standing(db: Database, rules: Rules, at):
    scene = Scene(db, rules, at)
    scene.patron("ada")
    for round_ in range(5):
        name = f"song-{round_}"
        for reaction in ("👍", "🎉"):
            scene.like("ada", name, reaction=reaction)
        scene.later(minutes=1)
        together(scene, scene.unliked("ada", name, reaction="👍"), scene.unliked("ada", name, reaction="🎉"))
    assert [flattr.standing for flattr in flattrs(scene)] == [False] * 5
    assert scene.broken() == []


def test_an_unlike_beside_another_like_leaves_the_flattr_standing(db: Database, rules: Rules, at):
    scene = Scene(db, rules, at)
    scene.patron("ada")
    for round_ in range(5):
        name = f"song-{round_}"
        scene.like("ada", name, reaction="👍")
        scene.later(minutes=1)
        together(scene, scene.unliked("ada", name, reaction="👍"), scene.liked("ada", name, reaction="🎉"))
    assert [flattr.standing for flattr in flattrs(scene)] == [True] * 5
    assert scene.broken() == []


def test_two_people_s_cross_posts_of_one_address_are_one_thing(db: Database, rules: Rules, at):
    scene = Scene(db, rules, at)
    scene.patron("ada")
    scene.patron("bob")
    elsewhere = scene.liked("bob", "song", None)
    cross = type(elsewhere)(
        by=elsewhere.by,
        thing=type(elsewhere.thing)(platform="lake", native_id="9", url=elsewhere.thing.url),
        author=None,
    )
    together(scene, scene.liked("ada", "song"), cross)
    with scene.db.reading() as tx:
        assert len(tx.exec(select(Thing)).all()) == 1


@pytest.mark.parametrize("what", ["withdrawn", "held"])
def test_what_is_withdrawn_or_held_while_its_month_is_closed_comes_before_or_after(
    db: Database, rules: Rules, at, what: str
):
    scene = Scene(db, rules, at)
    ada = scene.patron("ada")
    scene.creator("maker")
    scene.like("ada", "song")
    month = scene.month_over()
    scene.advance()
    scene.at += rules.review

    def change() -> None:
        with db.transaction() as tx:
            if what == "withdrawn":
                likes.record(tx, rules, scene.unliked("ada", "song"), scene.at)
            else:
                account = persons.account_of(tx, scene.account("ada"))
                assert account is not None
                books.hold(tx, persons.key(account), [mark("song")], scene.at)

    with ThreadPoolExecutor(1) as pool:
        with db.transaction() as tx:
            assert closing.close_chunk(tx, rules, month, scene.at) == 1
            changed = pool.submit(change)
            wait([changed], timeout=0.5)
        changed.result(30)
    assert scene.statement(ada, month).flattrs == 1
    (flattr,) = flattrs(scene)
    assert (flattr.standing, flattr.held) == (True, False), "its month was closed before"
    scene.advance()
    assert scene.broken() == []
