"""Facts about the inbox."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from core.database import Database
from core.mail import inbox
from core.mail.inbox import Done, Incoming


def incoming(key: str, at: datetime, platform: str = "github") -> Incoming:
    return Incoming(platform=platform, key=key, received_at=at, body_hash="hash", sealed=b"sealed " + key.encode())


def ids(db: Database, state: str) -> dict[str, int]:
    with db.reading() as tx:
        return {item.key: item.id or 0 for item in inbox.listing(tx, state)}


def test_a_delivery_is_stored_once_and_its_repeats_are_counted(db: Database, at: datetime) -> None:
    with db.transaction() as tx:
        assert inbox.store(tx, [incoming("b", at), incoming("a", at), incoming("b", at)]) == [True, True, False]
    with db.transaction() as tx:
        later = at + timedelta(days=1)
        assert inbox.store(tx, [incoming("a", later), incoming("c", later), incoming("c", later)]) == [
            False,
            True,
            False,
        ]
        assert inbox.store(tx, [incoming("a", at)]) == [False]
        assert inbox.store(tx, [incoming("a", at, "discord")]) == [True]
        assert inbox.store(tx, []) == []
    with db.reading() as tx:
        rows = {(item.platform, item.key): (item.repeats, item.received_at) for item in inbox.listing(tx)}
        assert inbox.counts(tx) == inbox.InboxCounts(stored=4, waiting=4, done=0, dead=0)
    assert rows == {
        ("github", "a"): (2, at),
        ("github", "b"): (1, at),
        ("github", "c"): (1, later),
        ("discord", "a"): (0, at),
    }


def test_two_that_store_the_same_deliveries_at_once_store_each_once(db: Database, at: datetime) -> None:
    def store(turn: int) -> list[bool]:
        keys = [f"{number}" for number in range(40)]
        with db.transaction() as tx:
            return inbox.store(tx, [incoming(key, at) for key in (keys if turn % 2 else reversed(keys))])

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(store, range(4)))
    assert sum(new for answer in answers for new in answer) == 40
    with db.reading() as tx:
        assert inbox.counts(tx).stored == 40
        assert sum(item.repeats for item in inbox.listing(tx, limit=100)) == 120


def test_waiting_deliveries_come_in_order_and_are_claimed_once(db: Database, at: datetime) -> None:
    with db.transaction() as tx:
        inbox.store(tx, [incoming("z", at)])
        inbox.store(tx, [incoming("a", at)])
    with db.reading() as tx:
        found = inbox.waiting(tx, 10)
        assert [item.key for item in found] == ["z", "a"]
        assert [item.key for item in inbox.waiting(tx, 1)] == ["z"]
        assert found[0].sealed == b"sealed z"
        assert found[0].received_at == at
    with db.transaction() as tx:
        assert inbox.claim(tx, [item.id for item in found]) == {item.id for item in found}
        inbox.mark_done(tx, at, [Done(id=found[0].id, events=3), Done(id=found[1].id, events=1, keep=False)])
        assert inbox.claim(tx, [item.id for item in found]) == set()
    with db.reading() as tx:
        kept = {item.key: (item.state, item.events, item.sealed) for item in inbox.listing(tx)}
    assert kept == {"z": ("done", 3, b"sealed z"), "a": ("done", 1, None)}


def test_what_one_worker_holds_another_skips(postgres_db: Database, at: datetime) -> None:
    with postgres_db.transaction() as tx:
        inbox.store(tx, [incoming("a", at), incoming("b", at)])
    with postgres_db.transaction() as one, postgres_db.transaction() as other:
        first, second = (item.id for item in inbox.waiting(one, 2))
        assert inbox.claim(one, [first]) == {first}
        assert inbox.claim(other, [first, second]) == {second}


def test_dead_letters_are_kept_and_wait_again_when_replayed(db: Database, at: datetime) -> None:
    with db.transaction() as tx:
        inbox.store(tx, [incoming(key, at) for key in "abc"])
        for item in inbox.waiting(tx, 3):
            inbox.mark_dead(tx, item.id, error="Unreadable at x.py:1", error_hash="0" * 16, at=at)
        assert inbox.counts(tx) == inbox.InboxCounts(stored=3, waiting=0, done=0, dead=3)
    dead = ids(db, "dead")
    with db.transaction() as tx:
        assert inbox.replay(tx, [dead["b"], 999]) == 1
        assert inbox.replay(tx, [dead["b"]]) == 0
        assert inbox.find(tx, dead["b"]).error is None
    assert set(ids(db, "waiting")) == {"b"}
    with db.transaction() as tx:
        assert inbox.replay(tx) == 2
    assert set(ids(db, "waiting")) == {"a", "b", "c"}
    with db.reading() as tx, pytest.raises(LookupError, match="flattr inbox list"):
        inbox.find(tx, 999)


def test_the_purge_forgets_what_was_said_and_keeps_hash_and_counts(db: Database, at: datetime) -> None:
    with db.transaction() as tx:
        inbox.store(tx, [incoming(key, at) for key in ("old", "new", "dead", "waiting")])
        item = {item.key: item.id for item in inbox.waiting(tx, 4)}
        inbox.mark_done(tx, at, [Done(id=item["old"], events=2)])
        inbox.mark_done(tx, at + timedelta(days=1), [Done(id=item["new"], events=1)])
        inbox.mark_dead(tx, item["dead"], error="e", error_hash="h", at=at)
    for purged in (1, 0):
        with db.transaction() as tx:
            assert inbox.purge(tx, at + timedelta(days=1)) == purged
    with db.reading() as tx:
        kept = {each.key: each for each in inbox.listing(tx)}
    assert {key for key, each in kept.items() if each.sealed is not None} == {"new", "dead", "waiting"}
    assert (kept["old"].body_hash, kept["old"].events, kept["old"].state) == ("hash", 2, "done")


def test_a_probe_leaves_nothing(db: Database, at: datetime) -> None:
    for _ in range(2):
        with db.transaction() as tx:
            inbox.probe(tx, "probe", at)
    with db.reading() as tx:
        assert inbox.counts(tx).stored == 0
