"""Facts about taking deliveries in: what is answered, and what is stored by then."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import pytest

from core.database import Database
from core.mail import inbox
from core.mail.tables import InboxItem
from tests.webhooks.post import LARGEST, SEAL, Office, body_of, delivery_of, signed
from webhooks.packing import unpack

BODY = body_of(number=1)


def stored(db: Database) -> list[InboxItem]:
    with db.reading() as tx:
        return inbox.listing(tx, limit=10_000)


@contextmanager
def locked(db: Database) -> Iterator[None]:
    """Another process that holds the database's write lock."""
    other = sqlite3.connect(str(db.url.database), isolation_level=None, check_same_thread=False)
    other.execute("begin immediate")
    try:
        yield
    finally:
        other.close()


async def test_a_new_delivery_is_stored_as_it_came_before_it_is_answered(office: Office) -> None:
    async with office.open():
        headers = [*signed(BODY).items(), ("X-Twice", "one"), ("X-Twice", "two")]
        async with office.client.post("/webhooks/post?a=%C3%A4&b=", data=BODY, headers=headers) as response:
            assert response.status == 202
        (item,) = await asyncio.to_thread(stored, office.db)
        assert item.sealed is not None
        delivery = unpack(SEAL.open(item.sealed), item.received_at)
        assert delivery.body == BODY
        assert (delivery.method, delivery.path, delivery.query) == ("POST", "/webhooks/post", {"a": "ä", "b": ""})
        assert delivery.headers["x-twice"] == ("one", "two")
        assert delivery.received_at == office.at
        assert office.pokes == 1


async def test_a_repeat_is_answered_200_and_stored_once(office: Office) -> None:
    async with office.open():
        assert [await office.send(BODY) for _ in range(3)] == [202, 200, 200]
        assert [(item.repeats, item.state) for item in await asyncio.to_thread(stored, office.db)] == [(2, "waiting")]


async def test_deliveries_that_wait_share_a_commit(office: Office) -> None:
    async with office.open():
        bodies = [body_of(number=number) for number in range(200)]
        statuses = await asyncio.gather(*(office.send(body) for body in [*bodies, *bodies]))
        assert sorted(statuses) == [200] * 200 + [202] * 200
        assert len(await asyncio.to_thread(stored, office.db)) == 200
        assert await office.figure("flattr_inbox_batch_count") < 200


async def test_what_is_not_the_platforms_is_answered_401_and_not_stored(office: Office) -> None:
    flipped = bytes([BODY[0] ^ 1, *BODY[1:]])
    async with office.open():
        assert await office.send(BODY, {}) == 401
        assert await office.send(BODY, signed(BODY, b"wrong")) == 401
        assert await office.send(flipped, signed(BODY)) == 401
        assert await office.send(BODY[:-1], signed(BODY)) == 401
        assert await office.send(b"\xff\xfe\x00", signed(BODY)) == 401
        assert await office.send(BODY, {"X-Signature": "ä" * 64}) == 401
        assert await asyncio.to_thread(stored, office.db) == []
        async with office.client.get("/webhooks/post") as response:
            assert response.status == 401
            assert await response.text() == "not believed: x-signature is missing"


async def test_a_signed_body_that_nobody_can_read_is_stored(office: Office) -> None:
    async with office.open():
        assert await office.send(b"\xff\xfe\x00") == 202
        assert len(await asyncio.to_thread(stored, office.db)) == 1


async def test_raw_bytes_in_headers_are_kept_or_turned_away_but_break_nothing(office: Office) -> None:
    async with office.open():
        for line in (b"X-Signature: \xff\xfe", b"X-Other: \xc3\xa4\xff"):
            head = b"POST /webhooks/post HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n" + line + b"\r\n"
            assert await raw(office, head + b"\r\n{}") in (400, 401)
        signature = signed(b"{}")["X-Signature"].encode()
        head = b"POST /webhooks/post HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nX-Signature: " + signature
        assert await raw(office, head + b"\r\nX-Other: \xff\xfe\r\n\r\n{}") == 202
        (item,) = await asyncio.to_thread(stored, office.db)
        assert item.sealed is not None
        (other,) = unpack(SEAL.open(item.sealed), item.received_at).headers["x-other"]
        assert other.encode("utf-8", "surrogateescape") == b"\xff\xfe"


async def raw(office: Office, request: bytes, *, wait: float = 5) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", office.port)
    writer.write(request)
    async with asyncio.timeout(wait):
        line = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return int(line.split()[1])


@pytest.mark.parametrize(("name", "words"), [("tumbler", "known: post"), ("asleep", "asleep is switched off here")])
async def test_an_unknown_or_sleeping_connector_is_answered_404_with_a_word(
    office: Office, name: str, words: str
) -> None:
    async with office.open(), office.client.post(f"/webhooks/{name}", data=BODY) as response:
        assert response.status == 404
        assert words in await response.text()


async def test_a_challenge_is_answered_and_not_stored(office: Office) -> None:
    async with office.open():
        async with office.client.get("/webhooks/post?challenge=echo&token=right") as response:
            assert (response.status, await response.text()) == (200, "echo")
        async with office.client.get("/webhooks/post?challenge=echo&token=wrong") as response:
            assert response.status == 401
        assert await asyncio.to_thread(stored, office.db) == []


async def test_too_large_a_body_is_refused_before_it_is_read(office: Office) -> None:
    async with office.open():
        head = b"POST /webhooks/post HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n" % (LARGEST + 1)
        assert await raw(office, head + b"\r\n") == 413
        assert await raw(office, head + b"Expect: 100-continue\r\n\r\n") == 413
        small = b"POST /webhooks/post HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        assert await raw(office, small) == 100


async def test_too_large_a_body_that_hid_its_size_is_refused_while_it_is_read(office: Office) -> None:
    async with office.open():
        head = b"POST /webhooks/post HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        chunk = b"100\r\n" + b"x" * 256 + b"\r\n"
        assert await raw(office, head + 5 * chunk) == 413
        whole = body_of(filling="x" * (LARGEST - len(body_of(filling=""))))
        assert len(whole) == LARGEST
        assert await office.send(whole) == 202
        assert await office.send(whole + b" ") == 413


async def test_a_body_that_does_not_come_is_answered_408_and_the_connection_closed(office: Office) -> None:
    async with office.open(deadline=0.05):
        reader, writer = await asyncio.open_connection("127.0.0.1", office.port)
        writer.write(b"POST /webhooks/post HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
        async with asyncio.timeout(5):
            answer = await reader.read()  # until the server closes
        assert answer.startswith(b"HTTP/1.1 408 ")
        writer.close()
        await writer.wait_closed()
        assert await asyncio.to_thread(stored, office.db) == []


async def test_a_compressed_body_is_refused_unread(office: Office) -> None:
    async with office.open():
        assert await office.send(BODY, signed(BODY) | {"Content-Encoding": "gzip"}) == 415


async def test_while_the_database_is_away_503_says_when_to_come_again(office: Office, caplog) -> None:
    async with office.open(patience=0.05):
        with locked(office.db):
            async with office.client.post("/webhooks/post", data=BODY, headers=signed(BODY)) as response:
                assert response.status == 503
                assert int(response.headers["Retry-After"]) > 0
            assert await office.send(body_of(number=2)) == 503  # at once: it is known to be stuck
            async with office.client.get("/readyz") as response:
                assert response.status == 503
        async with asyncio.timeout(5):
            while await office.send(BODY) == 503:
                pass
        assert await office.send(BODY) == 200
        assert await office.send(body_of(number=2)) == 202
        assert len(await asyncio.to_thread(stored, office.db)) == 2


async def test_a_full_disk_is_answered_503_and_recovers(office: Office, caplog) -> None:
    async with office.open():
        await asyncio.to_thread(limit_pages, office.db)
        big = [body_of(number=number, filling=signed(b"%d" % number)["X-Signature"] * 10) for number in range(60)]
        statuses = [await office.send(body) for body in big]
        assert set(statuses) == {202, 503}
        assert len(await asyncio.to_thread(stored, office.db)) == statuses.count(202)
        await asyncio.to_thread(limit_pages, office.db, 1_000_000)
        assert {await office.send(body) for body in big} == {200, 202}
        assert len(await asyncio.to_thread(stored, office.db)) == len(big)


def limit_pages(db: Database, more: int = 3) -> None:
    with db.transaction() as tx:
        pages = tx.connection().exec_driver_sql("pragma page_count").scalar_one()
        tx.connection().exec_driver_sql(f"pragma max_page_count = {pages + more}")


async def test_little_room_on_the_disk_and_a_long_queue_are_answered_503(office: Office) -> None:
    async with office.open(room_mark=2**60):
        assert await office.send(BODY) == 503
    async with office.open(queue_mark=0):
        assert await office.send(BODY) == 503
    async with office.open(bytes_mark=0):
        assert await office.send(BODY) == 503
    assert await asyncio.to_thread(stored, office.db) == []


async def test_what_was_taken_is_committed_before_the_intake_closes(office: Office, at: datetime) -> None:
    async with office.open():
        deliveries = [delivery_of(body_of(number=number), at) for number in range(20)]
        taken = [asyncio.create_task(office.intake.receive("post", each)) for each in deliveries]
        await asyncio.sleep(0)
        await office.intake.close()
        assert [(await each).status for each in taken] == [202] * 20
        assert len(await asyncio.to_thread(stored, office.db)) == 20
        late = await office.intake.receive("post", delivery_of(body_of(number=99), at))
        assert late.status == 503


async def test_a_connectors_bug_is_answered_500_and_nothing_is_stored(office: Office, caplog) -> None:
    async with office.open():
        assert await office.send(body_of(why="bug in verify")) == 500
        assert await office.send(BODY) == 202
        assert len(await asyncio.to_thread(stored, office.db)) == 1
    assert "KeyError at tests/webhooks/post.py" in caplog.text
    assert "canary" not in caplog.text


async def test_one_that_cannot_be_stored_spoils_nobody_elses(office: Office, at: datetime, caplog) -> None:
    async with office.open():
        unstorable = office.intake.connectors["post"].connector
        verify = unstorable.verify
        unstorable.verify = lambda d, s: "\udcff" if b"half" in d.body else verify(d, s)  # type: ignore[method-assign]
        bodies = [body_of(why="half a character"), *(body_of(number=number) for number in range(5))]
        answers = await asyncio.gather(*(office.intake.receive("post", delivery_of(body, at)) for body in bodies))
        assert [answer.status for answer in answers] == [500, 202, 202, 202, 202, 202]


async def test_each_delivery_is_one_line_of_json_with_allowed_fields_only(office: Office, caplog) -> None:
    caplog.set_level(logging.INFO, "flattr.deliveries")
    async with office.open():
        await office.send(body_of(secret="canary"))
        await office.send(BODY, {"X-Signature": "canary"})
        await office.send(BODY, {}, to="canary")
    lines = [
        json.loads(line)
        for record in caplog.records
        if record.name == "flattr.deliveries"
        for line in record.getMessage().splitlines()
    ]
    assert [(line["platform"], line["outcome"], line["status"]) for line in lines] == [
        ("post", "stored", 202),
        ("post", "rejected", 401),
        ("unknown", "unknown", 404),
    ]
    assert all(set(line) == {"platform", "outcome", "status", "key", "ms"} for line in lines)
    assert len(lines[0]["key"]) == 16
    assert "canary" not in caplog.text


async def test_it_tells_that_it_lives_is_ready_and_how_it_is(office: Office) -> None:
    async with office.open():
        for path in ("/livez", "/readyz", "/readyz"):
            async with office.client.get(path) as response:
                assert response.status == 200
        for body in (BODY, BODY, body_of(number=2)):
            await office.send(body)
        assert await office.figure('flattr_deliveries_total{outcome="stored",platform="post"}') == 2
        assert await office.figure('flattr_deliveries_total{outcome="repeated",platform="post"}') == 1
        assert await office.figure('flattr_inbox{state="waiting"}') == 2
        assert await office.figure("flattr_inbox_unaccounted") == 0
        assert await office.figure('flattr_outbox{state="failed"}') == 0


async def test_it_is_not_ready_while_nothing_can_be_committed(office: Office) -> None:
    async with office.open():
        with locked(office.db):
            async with office.client.get("/readyz") as response:
                assert response.status == 503
                assert await response.text() == "not ready: TimeoutError\n"
