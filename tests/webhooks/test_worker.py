"""Facts about working off the inbox."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import Session, select

from core.database import Database
from core.events import AccountRef, Messaged
from core.mail import inbox, outbox
from core.mail.inbox import Incoming
from core.mail.sealing import Seal, new_key
from core.people import persons
from core.rules import Rules
from core.tables import Flattr
from tests.webhooks.post import SEAL, Post, body_of, delivery_of
from webhooks.metrics import Metrics
from webhooks.packing import pack
from webhooks.worker import BATCH, Worker


@dataclass
class Back:
    """The back office: a worker, and what it is given."""

    db: Database
    rules: Rules
    at: datetime
    metrics: Metrics = field(default_factory=Metrics)
    connectors: dict[str, Post] = field(default_factory=lambda: {"post": Post()})
    spoke: list[bool] = field(default_factory=list)
    seal: Seal = SEAL
    before_answer: Callable[[], None] = lambda: None

    def worker(self) -> Worker:
        return Worker(
            self.db,
            self.rules,
            self.connectors,
            self.seal,
            self.converse,
            lambda: self.at + timedelta(seconds=3),
            metrics=self.metrics,
            spoken=lambda: self.spoke.append(True),
        )

    def converse(self, tx: Session, event: Messaged, received_at: datetime) -> None:
        self.before_answer()
        source = f"{event.by.platform}:{event.message_id}"
        outbox.put(tx, kind="answer", source=source, at=received_at, to=event.by, text=event.text.upper())

    def member(self, name: str) -> None:
        with self.db.transaction() as tx:
            ref = AccountRef(platform="post", account_id=name)
            persons.ensure_person(tx, ref, self.at - timedelta(days=1))

    def arrive(self, *bodies: bytes, platform: str = "post") -> None:
        deliveries = [delivery_of(body, self.at) for body in bodies]
        items = [
            Incoming(
                platform=platform,
                key=f"{number}:{each.body!r}",
                received_at=self.at,
                sealed=SEAL.seal(pack(each)),
            )
            for number, each in enumerate(deliveries)
        ]
        for item in items:
            with self.db.transaction() as tx:
                inbox.store(tx, [item])

    def like(self, by: str, thing: str = "a/1", **more: Any) -> dict[str, Any]:
        return {"by": by, "thing": thing, "at": self.at.isoformat()} | more

    def states(self) -> list[str]:
        with self.db.reading() as tx:
            return [item.state for item in reversed(inbox.listing(tx, limit=1000))]

    def standing(self) -> int:
        with self.db.reading() as tx:
            return len([each for each in tx.exec(select(Flattr)) if each.standing])


@pytest.fixture
def back(db: Database, rules: Rules, at: datetime) -> Back:
    return Back(db, rules, at)


def sync(work: Any) -> None:
    asyncio.run(work)


def test_a_stored_like_becomes_a_flattr_and_is_done_in_one_step(back: Back) -> None:
    back.member("anna")
    back.arrive(body_of(back.like("anna")))
    for _ in range(2):
        sync(back.worker().drain())
        assert (back.states(), back.standing()) == (["done"], 1)
    assert b"flattr_inbox_lag_seconds 3.0" in back.metrics.measure(back.db, back.at)
    assert b'flattr_events_total{platform="post",result="counted"} 1.0' in back.metrics.measure(back.db, back.at)


def test_deliveries_are_taken_in_the_order_in_which_they_came(back: Back) -> None:
    back.member("anna")
    later = (back.at + timedelta(seconds=-1)).isoformat()
    back.arrive(body_of(back.like("anna", at=later)), body_of(back.like("anna", unlike=True)))
    sync(back.worker().drain())
    assert (back.states(), back.standing()) == (["done", "done"], 0)


def test_more_than_a_batch_is_worked_off(back: Back) -> None:
    back.member("anna")
    back.arrive(*(body_of(back.like("anna", f"a/{number}")) for number in range(BATCH + 5)))
    sync(back.worker().drain())
    assert back.states() == ["done"] * (BATCH + 5)
    assert back.standing() == BATCH + 5


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (b"\xff\xfe", "not readable as JSON: UnicodeDecodeError"),
        (b"[" * 100_000, "not readable as JSON: RecursionError"),
        (b'{"no": "events canary"}', "there are no events in it"),
        (b'{"bug": "canary"}', "KeyError at "),
        (
            b'{"events": [{"by": "anna", "thing": "a/9", "at": "2026-11-10T12:00:00+00:00"}, {"text": "canary"}]}',
            "KeyError at ",
        ),
    ],
)
def test_what_cannot_be_taken_is_a_dead_letter_that_says_why_and_blocks_no_other(
    back: Back, bad: bytes, why: str
) -> None:
    back.member("anna")
    back.arrive(body_of(back.like("anna", "a/1")), bad, body_of(back.like("anna", "a/2")))
    sync(back.worker().drain())
    assert (back.states(), back.standing()) == (["done", "dead", "done"], 2)
    with back.db.reading() as tx:
        (dead,) = inbox.listing(tx, "dead")
        assert dead.sealed is not None
        assert dead.error is not None
        assert dead.error_hash is not None
        assert dead.error.startswith(why)
        assert dead.body_hash == hashlib.sha256(bad).hexdigest()
        assert "canary" not in dead.error
        assert len(dead.error_hash) == 16
    assert b'flattr_dead_letters_total{platform="post"} 1.0' in back.metrics.measure(back.db, back.at)


def test_a_delivery_that_fails_half_way_leaves_nothing_of_itself(back: Back) -> None:
    back.member("anna")

    def fail() -> None:
        raise ValueError("canary")

    back.before_answer = fail
    both = body_of(back.like("anna", "a/9"), {"by": "anna", "text": "hello", "id": "m1"})
    back.arrive(both, body_of(back.like("anna", "a/2")))
    sync(back.worker().drain())
    assert (back.states(), back.standing()) == (["dead", "done"], 1)
    back.before_answer = lambda: None
    with back.db.transaction() as tx:
        assert inbox.replay(tx) == 1
    sync(back.worker().drain())
    assert (back.states(), back.standing()) == (["done", "done"], 2)
    with back.db.reading() as tx:
        assert [note.text for note in outbox.listing(tx)] == ["HELLO"]
    assert back.spoke == [True]


def test_a_dead_letter_of_a_connector_that_is_off_says_so(back: Back) -> None:
    back.arrive(body_of(), platform="tumbler")
    sync(back.worker().drain())
    with back.db.reading() as tx:
        (dead,) = inbox.listing(tx)
    assert dead.error == "the connector tumbler is not on; switch it on and replay"


def test_without_its_key_a_delivery_is_a_dead_letter_until_the_key_is_back(back: Back) -> None:
    back.arrive(body_of())
    back.seal = Seal([new_key()])
    sync(back.worker().drain())
    assert back.states() == ["dead"]
    with back.db.reading() as tx:
        assert (inbox.listing(tx)[0].error or "").startswith("sealed with a key that is not set")
    back.seal = SEAL
    with back.db.transaction() as tx:
        inbox.replay(tx)
    sync(back.worker().drain())
    assert back.states() == ["done"]


def test_of_strangers_nothing_stays_but_hash_and_counts(back: Back) -> None:
    back.member("anna")
    bodies = [
        body_of(back.like("stranger"), back.like("other")),
        body_of(back.like("stranger"), back.like("anna")),
        body_of(),
    ]
    back.arrive(*bodies)
    sync(back.worker().drain())
    with back.db.reading() as tx:
        kept = [(item.events, item.sealed is not None, item.body_hash) for item in reversed(inbox.listing(tx))]
        accounts = set(tx.connection().execute(sa.text("select account_id from account")).scalars())
    assert kept == [
        (len(events), keeps, hashlib.sha256(body).hexdigest())
        for (events, keeps), body in zip([("12", False), ("12", True), ("", True)], bodies, strict=True)
    ]
    assert accounts == {"anna", "author"}


def test_while_the_database_is_away_nothing_becomes_a_dead_letter(back: Back) -> None:
    back.member("anna")
    back.arrive(body_of({"by": "anna", "text": "hello", "id": "m1"}))

    def away() -> None:
        raise sa.exc.OperationalError("insert", {}, OSError("gone"), connection_invalidated=True)

    back.before_answer = away
    with pytest.raises(sa.exc.OperationalError):
        sync(back.worker().drain())
    assert back.states() == ["waiting"]
    back.before_answer = lambda: None
    sync(back.worker().drain())
    assert back.states() == ["done"]


def test_two_workers_answer_a_message_once(back: Back) -> None:
    back.arrive(*(body_of({"by": "anna", "text": "hello", "id": f"m{number}"}) for number in range(BATCH * 2)))

    async def both() -> None:
        await asyncio.gather(back.worker().drain(), back.worker().drain())

    sync(both())
    assert set(back.states()) == {"done"}
    with back.db.reading() as tx:
        assert outbox.counts(tx).waiting == BATCH * 2
        events = back.metrics.registry.get_sample_value(
            "flattr_events_total", {"platform": "post", "result": "answered"}
        )
    assert events == BATCH * 2


async def test_a_running_worker_takes_what_it_is_told_of_and_ends_cleanly(sqlite_db, rules, at) -> None:
    back = Back(sqlite_db, rules, at)
    spoke = asyncio.Event()
    worker = Worker(back.db, rules, back.connectors, SEAL, back.converse, lambda: back.at, spoken=spoke.set)
    running = asyncio.create_task(worker.run())
    await asyncio.to_thread(back.arrive, body_of({"by": "anna", "text": "hello", "id": "m1"}))
    worker.poke()
    async with asyncio.timeout(5):
        await spoke.wait()
    assert await asyncio.to_thread(back.states) == ["done"]
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
