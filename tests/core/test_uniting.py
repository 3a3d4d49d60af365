"""An address and a platform's own thing made one: one flattr per patron and month, nothing counted twice."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlmodel import col, select

from core import likes, standing, things, uniting
from core.events import ThingRef
from core.likes import Recorded
from core.people import claims, persons
from core.people.tables import Account
from core.periods import parse_month
from core.tables import Flattr, Like, Thing, ThingName
from tests.scene import Scene

NEW, OLD = "https://pond.example/repo", "https://pond.example/old-name"
REPO = ThingRef(platform="pond", native_id="repo", url=NEW)
NOVEMBER = parse_month("2026-11")


def address(url: str = OLD) -> ThingRef:
    return ThingRef(platform="web", native_id=url, url=url)


def said(scene: Scene, name: str, url: str = OLD) -> Recorded:
    with scene.db.transaction() as tx:
        return likes.record_by_hand(tx, scene.rules, scene.account(name), address(url), None, scene.at)


def unite(scene: Scene, url: str = OLD, found: ThingRef = REPO, author: str | None = "maker") -> None:
    for _ in range(2):  # said twice it changes nothing more
        with scene.db.transaction() as tx:
            uniting.unite(tx, scene.rules, address(url), found, scene.account(author) if author else None)


def unowned(scene: Scene) -> list[str]:
    with scene.db.reading() as tx:
        return [ref.url for ref in uniting.unowned(tx, "pond")]


def flattrs(scene: Scene) -> list[Flattr]:
    with scene.db.reading() as tx:
        return list(tx.exec(select(Flattr).order_by(col(Flattr.id))).all())


def names_of_one_thing(scene: Scene) -> set[tuple[str, str]]:
    with scene.db.reading() as tx:
        rows = tx.exec(select(ThingName)).all()
        assert len({row.thing_id for row in rows}) == 1
        return {(row.platform, row.native_id) for row in rows}


@pytest.mark.parametrize("url", [NEW, OLD])
def test_an_address_gets_its_author_and_is_the_same_as_the_like_of_later(scene, url):
    ada = scene.patron("ada")
    scene.creator("maker")
    said(scene, "ada", url)
    assert (scene.states(ada), unowned(scene)) == (["pending"], [url])
    unite(scene, url)
    assert (scene.states(ada), unowned(scene)) == (["counts"], [])
    assert scene.like("ada", "repo") is Recorded.counted
    assert (scene.states(ada), len(flattrs(scene))) == (["counts"], 1)
    assert names_of_one_thing(scene) == {("web", url), ("pond", "repo")}
    [line] = scene.status(ada).lines
    assert line.url == NEW


@pytest.mark.parametrize("like_first", [True, False])
def test_an_address_and_a_like_become_one_flattr(scene, like_first):
    ada = scene.patron("ada")
    scene.creator("maker")
    acts = [lambda: scene.like("ada", "repo"), lambda: said(scene, "ada")]
    for act in acts if like_first else acts[::-1]:
        act()
    assert len(flattrs(scene)) == 2
    unite(scene)
    [flattr] = flattrs(scene)
    assert scene.states(ada) == ["counts"]
    with scene.db.reading() as tx:
        assert {(like.thing_id, like.flattr_id) for like in tx.exec(select(Like)).all()} == {
            (flattr.thing_id, flattr.id)
        }
    scene.unlike("ada", "repo", at=scene.later(minutes=1))
    assert scene.states(ada) == ["counts"], "what was said by hand still stands"
    assert said(scene, "ada") is Recorded.standing
    assert said(scene, "ada", NEW) is Recorded.counted
    unite(scene, NEW)
    assert (scene.states(ada), len(flattrs(scene))) == (["counts"], 1)


def test_others_keep_theirs(scene):
    ada, eve = scene.patron("ada"), scene.patron("eve")
    scene.creator("maker")
    said(scene, "ada")
    scene.like("eve", "repo")
    unite(scene)
    assert (scene.states(ada), scene.states(eve), len(flattrs(scene))) == (["counts"], ["counts"], 2)


@pytest.mark.parametrize(
    ("struck", "state"), [({"web"}, "counts"), ({"pond"}, "counts"), ({"web", "pond"}, "struck"), (set(), "counts")]
)
def test_what_was_struck_out_stays_out_unless_the_other_line_was_left_in(scene, struck, state):
    ada = scene.patron("ada")
    scene.creator("maker")
    scene.like("ada", "repo")
    said(scene, "ada")
    for platform, flattr in zip(("pond", "web"), flattrs(scene), strict=True):
        if platform in struck:
            with scene.db.transaction() as tx:
                standing.strike(tx, person_id=ada, flattr_id=flattr.id, at=scene.at)
    unite(scene)
    assert scene.states(ada) == [state]


def test_a_withdrawn_line_that_was_struck_out_does_not_come_back(scene):
    ada = scene.patron("ada")
    said(scene, "ada")
    [flattr] = flattrs(scene)
    with scene.db.transaction() as tx:
        standing.strike(tx, person_id=ada, flattr_id=flattr.id, at=scene.at)
    scene.like("ada", "repo")
    scene.unlike("ada", "repo", at=scene.later(minutes=1))
    unite(scene)
    assert scene.states(ada) == ["struck"]


def test_a_month_that_is_over_stays_as_it_was_told(scene):
    ada = scene.patron("ada")
    scene.creator("maker")
    scene.like("ada", "repo")
    said(scene, "ada")
    scene.close_month()
    said(scene, "ada")
    before = scene.states(ada, NOVEMBER)
    unite(scene)
    assert scene.states(ada, NOVEMBER) == before == ["counts", "pending"]
    assert scene.states(ada) == ["counts"]
    assert unowned(scene) == []
    with scene.db.reading() as tx:
        assert len(tx.exec(select(Flattr).where(Flattr.month == NOVEMBER)).all()) == 2


def test_an_address_that_another_thing_had_before_keeps_its_likes(scene):
    scene.patron("ada")
    said(scene, "ada")
    unite(scene, found=replace(REPO, native_id="first", url=OLD), author=None)
    unite(scene)
    with scene.db.reading() as tx:
        assert things.find(tx, address()).url == OLD
        assert things.find(tx, REPO) is None
        assert tx.exec(select(Thing.author_id)).one() is None


def test_of_an_author_who_declined_nothing_is_kept(scene):
    ada = scene.patron("ada")
    with scene.db.transaction() as tx:
        claims.decline(tx, scene.rules, persons.ensure_account(tx, scene.account("shy")), scene.at)
    said(scene, "ada")
    unite(scene, author="shy")
    assert (scene.states(ada), unowned(scene)) == (["declined"], [])
    with scene.db.reading() as tx:
        assert "id-shy" not in [account.account_id for account in tx.exec(select(Account)).all()]


def test_an_unknown_address_is_not_made_a_thing(scene):
    unite(scene)
    with scene.db.reading() as tx:
        assert tx.exec(select(Thing)).all() == []


def test_a_thing_known_by_its_own_id_learns_its_author(scene):
    ada = scene.patron("ada")
    scene.creator("maker")
    scene.like("ada", "unheard-of", None)
    ref = scene.thing("unheard-of")
    for _ in range(2):
        with scene.db.transaction() as tx:
            uniting.unite(tx, scene.rules, ref, ref, scene.account("maker"))
    assert (scene.states(ada), unowned(scene)) == (["counts"], [])


def test_a_thing_that_repeats_another_becomes_that_one(scene):
    ada = scene.patron("ada")
    scene.creator("maker")
    scene.like("ada", "repeat", None)
    scene.like("ada", "original", "maker")
    with scene.db.transaction() as tx:
        uniting.unite(tx, scene.rules, scene.thing("repeat"), scene.thing("original"), scene.account("maker"))
    assert (scene.states(ada), unowned(scene)) == (["counts"], [])


def test_the_author_may_be_the_patron(scene):
    ada = scene.patron("ada")
    said(scene, "ada")
    unite(scene, author="ada")
    assert scene.states(ada) == ["own"]


def test_an_author_whose_account_is_unknown_makes_the_flattr_pending(scene):
    ada = scene.patron("ada")
    said(scene, "ada")
    unite(scene)
    assert scene.states(ada) == ["pending"]
    with scene.db.reading() as tx:
        author = tx.get_one(Account, flattrs(scene)[0].author_id)
        assert (author.platform, author.account_id) == ("pond", "id-maker")
    scene.creator("maker")
    scene.later(seconds=1)
    assert scene.states(ada) == ["counts"]


def test_only_things_and_addresses_whose_flattrs_wait_are_asked_about(scene):
    scene.patron("ada")
    said(scene, "ada")
    said(scene, "ada", "https://elsewhere.example/page")
    scene.like("ada", "unheard-of", None)
    own = scene.thing("unheard-of").url
    assert unowned(scene) == [own, "https://elsewhere.example/page", OLD]
    with scene.db.reading() as tx:
        others = [ref.url for ref in uniting.unowned(tx, "lake")]
    assert others == ["https://elsewhere.example/page", OLD]
    scene.close_month()
    assert unowned(scene) == [own, "https://elsewhere.example/page", OLD], "what is pending waits for 90 days"
    scene.later(days=90)
    scene.advance()
    assert unowned(scene) == []


def test_a_month_that_is_over_learns_its_author_too_if_they_could_not_be_paid_then(scene):
    ada = scene.patron("ada")
    scene.like("ada", "other", "maker")
    said(scene, "ada")
    scene.patron("eve")
    scene.like("eve", "repo")
    scene.close_month()
    unite(scene)
    assert {flattr.author_id for flattr in flattrs(scene)} == {flattrs(scene)[0].author_id}
    scene.creator("maker")
    assert sorted(scene.states(ada)) == ["counts", "counts"], "both join in the month of the claim"


def test_who_could_have_been_paid_then_is_not_paid_for_a_month_that_is_over(scene):
    ada = scene.patron("ada")
    scene.creator("maker")
    scene.patron("eve")
    scene.like("eve", "repo")
    said(scene, "ada")
    scene.close_month()
    unite(scene)
    assert scene.states(ada, NOVEMBER) == ["pending"]
    assert [flattr.author_id is None for flattr in flattrs(scene)] == [False, True]


def test_without_an_author_the_thing_is_known_all_the_same(scene):
    ada = scene.patron("ada")
    said(scene, "ada")
    unite(scene, author=None)
    assert [(line.url, line.state) for line in scene.status(ada).lines] == [(NEW, "pending")]
