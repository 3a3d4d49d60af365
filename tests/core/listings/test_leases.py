"""One process an account: whoever has claimed it, and only as long."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlmodel import select

from core.access.tables import Access
from core.database import Database
from core.events import AccountRef, Liked, Revoked, ThingRef
from core.listings import feeds, keeping, leases, passed
from core.listings.leases import Claimed, LeaseLost
from core.listings.reading import Reading
from core.listings.tables import Listing
from core.listings.terms import Terms
from core.people import linking, persons
from core.people.tables import Account
from core.tables import Like
from tests.scene import Scene

LEASE = timedelta(minutes=5)
OPEN = Terms(
    often=timedelta(minutes=10),
    seldom=timedelta(hours=2),
    whole=timedelta(hours=6),
    newest_first=True,
    timed=True,
    needs_grant=False,
)
GRANTED = Terms(**{name: getattr(OPEN, name) for name in Terms.__slots__ if name != "needs_grant"})


def ref(name: str) -> AccountRef:
    return AccountRef(platform="toy", account_id=name)


def join(scene: Scene, *names: str) -> None:
    for name in names:
        person = scene.patron(name, card=None)
        with scene.db.transaction() as tx:
            linking.bind(tx, ref(name), person_id=person, since=scene.at, actor="test", at=scene.at)


def sync(scene: Scene, terms: Terms = OPEN) -> list[str]:
    with scene.db.transaction() as tx:
        leases.sync(tx, {"toy": terms}, scene.at)
    with scene.db.reading() as tx:
        assert not leases.out_of_step(tx, {"toy": terms})
        query = select(Account.account_id).join(Listing, Listing.account_id == Account.id).order_by(Account.account_id)
        return list(tx.exec(query).all())


def claim(scene: Scene, lease: str = "one", *, limit: int = 100, at: datetime | None = None) -> list[Claimed]:
    at = at or scene.at
    with scene.db.transaction() as tx:
        return leases.claim(tx, "toy", OPEN, lease=lease, at=at, until=at + LEASE, limit=limit)


def finish(scene: Scene, claimed: Claimed, *liked: str) -> None:
    reading = Reading.begin(claimed, OPEN, scene.at)
    likes = [
        Liked(
            by=claimed.account,
            thing=ThingRef(platform="toy", native_id=name, url=f"https://toy.example/{name}"),
            author=ref("maker"),
            at=scene.at,
        )
        for name in liked
    ]
    events, _ = reading.take(likes, (), scene.at)
    events += reading.end("everything", None, early=False)
    with scene.db.transaction() as tx:
        keeping.finish(tx, scene.rules, reading, events, asked_at=scene.at, at=scene.at, until=scene.at + LEASE)


def test_exactly_the_linked_accounts_are_read(scene: Scene) -> None:
    join(scene, "ada", "bob")
    scene.person("cid")
    assert sync(scene) == ["ada", "bob"]
    with scene.db.transaction() as tx:
        linking.unlink(tx, persons.account_of(tx, ref("ada")), scene.at)
    assert sync(scene) == ["bob"]


def test_an_account_is_read_once_its_owner_has_given_access(scene: Scene) -> None:
    join(scene, "ada")
    assert sync(scene, GRANTED) == []
    with scene.db.transaction() as tx:
        account_id = persons.key(persons.account_of(tx, ref("ada")))
        tx.add(Access(account_id=account_id, sealed=b"-", given_at=scene.at, version=1))
    assert sync(scene, GRANTED) == ["ada"]


def test_what_is_being_read_is_not_the_next_persons(scene: Scene) -> None:
    join(scene, "ada", "ben")
    sync(scene)
    claimed = next(each for each in claim(scene) if each.account == ref("ada"))
    scene.later(seconds=2)
    ben = scene.person("ben")
    with scene.db.transaction() as tx:
        linking.unlink(tx, persons.account_of(tx, ref("ada")), scene.at)
        linking.bind(tx, ref("ada"), person_id=ben, since=scene.at, actor="test", at=scene.at)
    scene.later(seconds=2)
    with pytest.raises(LeaseLost):
        finish(scene, claimed, "song")
    assert scene.status(ben).lines == ()


def test_an_account_linked_anew_begins_anew(scene: Scene) -> None:
    join(scene, "ada")
    sync(scene)
    finish(scene, claim(scene)[0], "song")
    with scene.db.transaction() as tx:
        account = persons.account_of(tx, ref("ada"))
        linking.unlink(tx, account, scene.at)
        scene.later(minutes=1)
        linking.bind(tx, ref("ada"), person_id=1, since=scene.at, actor="test", at=scene.at)
    sync(scene)
    with scene.db.reading() as tx:
        assert tx.exec(select(Listing)).one().marked_at is None


def test_those_due_longest_come_first(scene: Scene) -> None:
    join(scene, "ada", "bob", "cid")
    sync(scene)
    for name in ("bob", "ada"):
        scene.later(minutes=1)
        for each in claim(scene):
            if each.account.account_id == name:
                finish(scene, each)
            else:
                with scene.db.transaction() as tx:
                    leases.release(tx, [each])
    scene.later(hours=1)
    assert [each.account.account_id for each in claim(scene)] == ["cid", "bob", "ada"]


def test_a_lease_ends_by_time_and_what_comes_later_is_not_kept(scene: Scene) -> None:
    join(scene, "ada")
    sync(scene)
    slow = claim(scene)[0]
    assert claim(scene, "two") == []
    scene.later(minutes=6)
    quick = claim(scene, "two")[0]
    with pytest.raises(LeaseLost):
        finish(scene, slow, "from the slow one")
    finish(scene, quick, "song")
    with scene.db.reading() as tx:
        assert [like.fact for like in tx.exec(select(Like)).all()] == ["toy:song|like"]
    with scene.db.transaction() as tx:
        leases.release(tx, [slow])
    with scene.db.reading() as tx:
        assert tx.exec(select(Listing)).one().read_at == scene.at


def test_an_account_without_access_is_not_read_and_is_due_at_once_when_it_is_back(scene: Scene) -> None:
    join(scene, "ada")
    sync(scene)
    with scene.db.transaction() as tx:
        keeping.stop(tx, claim_in(tx, scene), at=scene.at)
    scene.record(Revoked(by=ref("ada")))
    scene.later(hours=5)
    assert claim(scene) == []
    with scene.db.transaction() as tx:
        persons.account_of(tx, ref("ada")).needs_relink_at = None
    assert len(claim(scene)) == 1


def claim_in(tx, scene: Scene) -> Claimed:
    return leases.claim(tx, "toy", OPEN, lease="one", at=scene.at, until=scene.at + LEASE, limit=1)[0]


def test_a_month_waits_for_every_account_that_can_be_read(scene: Scene) -> None:
    end = scene.at + timedelta(hours=1)

    def all_passed() -> bool:
        with scene.db.reading() as tx:
            return passed(tx, end)

    assert not all_passed(), "nobody is read at all"
    join(scene, "ada", "bob")
    sync(scene)
    scene.later(hours=2)
    finish(scene, claim(scene, limit=1)[0])
    assert not all_passed()
    ada, bob = [ref(name) for name in ("ada", "bob")]
    with scene.db.transaction() as tx:
        keeping.fail(tx, claim_in(tx, scene), error="away", wait=timedelta(minutes=1), at=scene.at)
    assert not all_passed()
    assert ada != bob
    scene.record(Revoked(by=bob))
    assert all_passed(), "whoever took the access back is not waited for"


def work(url: str, barrier, taken, rounds: int, at: datetime) -> None:
    """One process: claims and gives back until nothing is due."""
    db = Database(url)
    barrier.wait()
    for number in range(rounds):
        with db.transaction() as tx:
            claimed = leases.claim(
                tx,
                "toy",
                OPEN,
                lease=f"{multiprocessing.current_process().name}:{number}",
                at=at,
                until=at + LEASE,
                limit=3,
            )
        for each in claimed:
            taken.put(each.account.account_id)
    db.dispose()


def test_several_processes_never_have_the_same_account(scene: Scene) -> None:
    names = [f"p{number}" for number in range(40)]
    join(scene, *names)
    sync(scene)
    context = multiprocessing.get_context("spawn")
    barrier, taken = context.Barrier(3), context.Queue()
    url = scene.db.url.render_as_string(hide_password=False)
    processes = [context.Process(target=work, args=(url, barrier, taken, 30, scene.at)) for _ in range(3)]
    for process in processes:
        process.start()
    got = [taken.get(timeout=60) for _ in names]
    for process in processes:
        process.join(60)
    assert Counter(got) == Counter(names)
    assert taken.empty()


def test_many_threads_never_have_the_same_account(scene: Scene) -> None:
    names = [f"p{number}" for number in range(60)]
    join(scene, *names)
    sync(scene)
    with ThreadPoolExecutor(8) as pool:
        claims = pool.map(lambda number: claim(scene, f"{number}", limit=3), range(40))
    got = [each.account.account_id for some in claims for each in some]
    assert Counter(got) == Counter(names)


def test_a_feed_is_read_by_one_and_goes_on_where_it_was(scene: Scene) -> None:
    with scene.db.transaction() as tx:
        mine = feeds.claim(tx, "toy", "mentions", by="one", at=scene.at, lease=LEASE)
    with scene.db.transaction() as tx:
        assert feeds.claim(tx, "toy", "mentions", by="two", at=scene.at, lease=LEASE) is None
    with scene.db.transaction() as tx:
        feeds.keep(tx, mine, cursor="7", next_at=scene.at + timedelta(minutes=1), at=scene.at)
    with scene.db.transaction() as tx:
        assert feeds.claim(tx, "toy", "mentions", by="two", at=scene.at, lease=LEASE) is None
    scene.later(minutes=1)
    with scene.db.transaction() as tx:
        theirs = feeds.claim(tx, "toy", "mentions", by="two", at=scene.at, lease=LEASE)
    assert theirs.cursor == "7"
    scene.later(minutes=6)
    with scene.db.transaction() as tx:
        assert feeds.claim(tx, "toy", "mentions", by="three", at=scene.at, lease=LEASE) is not None
    with pytest.raises(LeaseLost), scene.db.transaction() as tx:
        feeds.keep(tx, theirs, cursor="8", next_at=scene.at, at=scene.at)
