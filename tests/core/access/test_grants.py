"""Facts about stored access: one turn at a time, nothing newer is overwritten, nothing is readable without a key."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier

import pytest
import sqlalchemy as sa
from sqlmodel import select

from core.access import grants, visits
from core.access.grants import Kept
from core.access.tables import Access, Visit
from core.database import Database
from core.events import AccountRef, Revoked
from core.mail.sealing import Seal, new_key
from core.people import leaving, linking, persons
from core.people.tables import Account
from tests.scene import Scene

ADA = AccountRef(platform="lake", account_id="7")
BOB = AccountRef(platform="lake", account_id="8")
SEAL = Seal([new_key()])
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def keep(scene: Scene, content: bytes = b"first", account: AccountRef = ADA, life: timedelta | None = HOUR) -> Kept:
    with scene.db.transaction() as tx:
        expires_at = scene.at + life if life else None
        grants.keep(tx, account, SEAL.seal(content), expires_at=expires_at, at=scene.at)
    kept = load(scene, account)
    assert kept is not None
    return kept


def load(scene: Scene, account: AccountRef = ADA) -> Kept | None:
    with scene.db.reading() as tx:
        return grants.load(tx, account)


def content(scene: Scene, account: AccountRef = ADA) -> bytes | None:
    kept = load(scene, account)
    return SEAL.open(kept.sealed) if kept else None


def take(scene: Scene, by: str, life: timedelta = MINUTE) -> bool:
    with scene.db.transaction() as tx:
        return grants.take_turn(tx, ADA, by=by, at=scene.at, until=scene.at + life)


def put(scene: Scene, was: Kept, what: bytes) -> bool:
    with scene.db.transaction() as tx:
        return grants.put_refreshed(tx, was, SEAL.seal(what), expires_at=scene.at + HOUR, at=scene.at)


def member(scene: Scene) -> int:
    """Ada, who linked her account on the lake to another one."""
    ada = scene.patron("ada")
    with scene.db.transaction() as tx:
        linking.bind(tx, ADA, person_id=ada, since=scene.at, actor="test", at=scene.at)
    return ada


def test_access_is_kept_sealed_and_shown_by_no_repr(scene: Scene) -> None:
    kept = keep(scene, b"canary")
    assert b"canary" not in kept.sealed
    assert "sealed" not in repr(kept)
    assert SEAL.open(kept.sealed) == b"canary"


def test_signing_in_again_replaces_the_access_and_ends_the_pause(scene: Scene) -> None:
    member(scene)
    first = keep(scene)
    scene.record(Revoked(by=ADA))
    with scene.db.reading() as tx:
        linked_at = tx.exec(select(Account).where(Account.account_id == "7")).one().linked_at
    assert load(scene).needs_relink
    take(scene, "somebody")
    scene.later(minutes=3)
    second = keep(scene, b"second")
    assert (second.needs_relink, second.refreshing_by, second.given_at) == (False, None, scene.at)
    assert not second.is_same(first)
    with scene.db.reading() as tx:
        assert tx.exec(select(Account).where(Account.account_id == "7")).one().linked_at == linked_at


def test_one_at_a_time_has_the_turn_until_it_is_given_up(scene: Scene) -> None:
    keep(scene)
    assert take(scene, "one")
    assert not take(scene, "two")
    assert load(scene).is_taken(scene.at)
    scene.later(minutes=1)
    assert not load(scene).is_taken(scene.at)
    assert take(scene, "two")  # the first was killed, or might as well have been
    with scene.db.transaction() as tx:
        grants.release(tx, ADA, by="one")
    assert not take(scene, "three")
    with scene.db.transaction() as tx:
        grants.release(tx, ADA, by="two", retry_at=scene.at + HOUR)
    assert load(scene).retry_at == scene.at + HOUR
    assert take(scene, "three")


def test_of_many_who_ask_at_once_one_gets_the_turn(scene: Scene) -> None:
    keep(scene)
    ready = Barrier(8)

    def ask(number: int) -> bool:
        ready.wait(timeout=30)
        return take(scene, f"process {number}")

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(8))) == 1


def test_there_is_no_turn_at_what_nobody_granted(scene: Scene) -> None:
    assert not take(scene, "one")
    assert load(scene) is None


def test_what_was_refreshed_late_replaces_only_what_it_came_from(scene: Scene) -> None:
    first = keep(scene)
    take(scene, "slow")
    scene.later(minutes=2)
    take(scene, "next")
    assert put(scene, first, b"the only token that works")  # though the turn is another's by now
    assert content(scene) == b"the only token that works"
    assert not put(scene, first, b"of the next, from a token that was used")
    second = load(scene)
    scene.later(minutes=2)
    keep(scene, b"signed in anew")
    assert not put(scene, second, b"older than that")
    assert content(scene) == b"signed in anew"


@pytest.mark.parametrize(
    ("life", "early"),
    [
        (timedelta(hours=1), timedelta(minutes=10)),
        (timedelta(hours=20), timedelta(hours=2)),
        (timedelta(days=60), timedelta(days=6)),
        (timedelta(minutes=10), timedelta(minutes=5)),
    ],
)
def test_refreshing_begins_while_the_old_token_works(
    scene: Scene, at: datetime, life: timedelta, early: timedelta
) -> None:
    kept = keep(scene, life=life)
    assert not kept.is_due(at + life - early - MINUTE)
    assert kept.is_due(at + life - early)
    assert kept.works(at + life - early)
    assert not kept.works(at + life)


def test_what_has_no_end_is_never_due(scene: Scene, at: datetime) -> None:
    kept = keep(scene, life=None)
    assert kept.works(at + 999 * DAY)
    assert not kept.is_due(at + 999 * DAY)


def test_unlinking_ends_the_access_and_leaves_it_to_be_given_back(scene: Scene) -> None:
    member(scene)
    kept = keep(scene)
    with scene.db.transaction() as tx:
        visits.begin(tx, by=ADA, platform="pond", intent="link", at=scene.at)
        linking.unlink(tx, tx.exec(select(Account).where(Account.account_id == "7")).one(), scene.at)
    assert load(scene) is None
    assert not take(scene, "one")
    with scene.db.transaction() as tx:
        assert [each.is_same(kept) for each in grants.ended(tx, ADA)] == [True]
        assert grants.ended(tx, BOB) == []
        assert tx.exec(select(Visit)).all() == []
        assert grants.forget(tx, kept)
        assert grants.ended(tx) == []


def test_what_was_ended_is_not_forgotten_once_its_owner_signs_in_again(scene: Scene) -> None:
    member(scene)
    kept = keep(scene)
    with scene.db.transaction() as tx:
        grants.end(tx, tx.exec(select(Account).where(Account.account_id == "7")).one(), scene.at)
    keep(scene, b"again")
    with scene.db.transaction() as tx:
        assert grants.ended(tx) == []
        assert not grants.forget(tx, kept)
    assert content(scene) == b"again"


def test_a_refresh_that_ends_after_the_access_is_kept_to_be_given_back(scene: Scene) -> None:
    member(scene)
    kept = keep(scene)
    take(scene, "one")
    with scene.db.transaction() as tx:
        grants.end(tx, tx.exec(select(Account).where(Account.account_id == "7")).one(), scene.at)
    assert put(scene, kept, b"the one to give back")
    with scene.db.reading() as tx:
        assert [SEAL.open(each.sealed) for each in grants.ended(tx)] == [b"the one to give back"]


def test_who_leaves_takes_all_access_and_visits_along(scene: Scene) -> None:
    ada = member(scene)
    keep(scene)
    keep(scene, b"bob's", BOB)
    with scene.db.transaction() as tx:
        visits.begin(tx, by=ADA, platform="pond", intent="link", at=scene.at)
        leaving.stop(tx, scene.rules, ada, scene.at)
    with scene.db.transaction() as tx:
        assert tx.exec(select(Visit)).all() == []
        for kept in grants.ended(tx):
            grants.forget(tx, kept)
        assert tx.exec(select(Access.account_id)).all() == [load(scene, BOB).row]


def test_dropped_access_is_gone_at_once(scene: Scene) -> None:
    keep(scene)
    with scene.db.transaction() as tx:
        grants.drop(tx, ADA)
        assert tx.exec(select(Access)).all() == []


def test_resealing_goes_through_all_rows_in_chunks_and_again_changes_nothing(scene: Scene) -> None:
    old, new = new_key(), new_key()
    before, after = Seal([old]), Seal([new, old])
    with scene.db.transaction() as tx:
        for number in range(5):
            ref = AccountRef(platform="lake", account_id=str(number))
            grants.keep(tx, ref, before.seal(b"of %d" % number), expires_at=None, at=scene.at)
        persons.ensure_person(tx, ADA, scene.at)
        token = visits.begin(tx, by=ADA, platform="pond", intent="link", at=scene.at)
        visits.depart(tx, token, state="s", kept=before.seal(b"verifier"), session="b", at=scene.at)

    def go() -> tuple[int, int, int]:
        steps, seen, changed, place = 0, 0, 0, (0, 0)
        while place is not None:
            with scene.db.transaction() as tx:
                done = grants.reseal(tx, after, place, limit=2)
            steps, seen, changed, place = steps + 1, seen + done.seen, changed + done.changed, done.after
        return steps, seen, changed

    with scene.db.reading() as tx:
        assert grants.sealed_rows(tx) == 6
    assert go() == (4, 6, 6)
    assert go() == (4, 6, 0)
    alone = Seal([new])
    with scene.db.reading() as tx:
        contents = [alone.open(row.sealed) for row in tx.exec(select(Access).order_by(sa.text("account_id"))).all()]
        assert contents == [b"of %d" % number for number in range(5)]
        assert alone.open(tx.exec(select(Visit)).one().kept) == b"verifier"
        assert grants.unreadable(tx, alone) == []
        assert len(grants.unreadable(tx, before)) == 5


def test_what_no_key_opens_is_counted_and_left_as_it_is(scene: Scene) -> None:
    kept = keep(scene)
    with scene.db.transaction() as tx:
        done = grants.reseal(tx, Seal([new_key()]))
    assert (done.seen, done.changed, done.unreadable) == (1, 0, 1)
    assert load(scene).sealed == kept.sealed


def test_resealing_does_not_undo_a_refresh_beside_it(db: Database, scene: Scene) -> None:
    kept = keep(scene)
    new = Seal([new_key()], reload=None)
    with db.transaction() as tx:  # the new grant came between reading and writing
        fresh = SEAL.seal(b"fresh")
        grants.put_refreshed(tx, kept, fresh, expires_at=None, at=scene.at)
        change = sa.update(Access).where(Access.sealed == kept.sealed).values(sealed=new.seal(b"first"))
        assert tx.connection().execute(change).rowcount == 0
    assert content(scene) == b"fresh"


def test_signing_in_leaving_again_refreshing_and_asking_at_once_do_not_wait_for_each_other_forever(
    scene: Scene,
) -> None:
    ada = member(scene)
    keep(scene)

    def sign_in() -> None:  # without a look at it: another may have left by then
        with scene.db.transaction() as tx:
            grants.keep(tx, ADA, SEAL.seal(b"again"), expires_at=scene.at + HOUR, at=scene.at)

    def unlink_and_link() -> None:
        with scene.db.transaction() as tx:
            linking.unlink(tx, tx.exec(select(Account).where(Account.account_id == "7")).one(), scene.at)
        with scene.db.transaction() as tx:
            linking.bind(tx, ADA, person_id=ada, since=scene.at, actor="test", at=scene.at)

    def refresh() -> None:
        if take(scene, "one") and (was := load(scene)) is not None:
            put(scene, was, b"fresh")

    def ask() -> None:
        with scene.db.transaction() as tx, contextlib.suppress(visits.VisitRefused):
            visits.begin(tx, by=ADA, platform="pond", intent="link", at=scene.at + 3 * HOUR)
            visits.begin(tx, by=ADA, platform="pond", intent="link", at=scene.at)

    def refuse() -> None:
        scene.record(Revoked(by=ADA))

    def often(act: Callable[[], None]) -> None:
        for _ in range(15):
            act()

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(often, (sign_in, unlink_and_link, refresh, ask, refuse)))
    keep(scene, b"last")
    assert content(scene) == b"last"
