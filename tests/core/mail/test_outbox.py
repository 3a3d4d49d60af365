"""Facts about the outbox."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from core.database import Database
from core.events import AccountRef
from core.mail import outbox

ANNA = AccountRef(platform="square", account_id="anna:1")


def put(db: Database, at: datetime, source: str = "square:1", text: str | None = "hello") -> bool:
    with db.transaction() as tx:
        return outbox.put(tx, kind="answer", source=source, at=at, to=ANNA, text=text, buttons=[("Yes", "yes")])


def test_the_same_thing_is_put_once(db: Database, at: datetime) -> None:
    assert put(db, at)
    assert not put(db, at, text="something else")
    assert put(db, at, source="square:2")
    with db.reading() as tx:
        notes = outbox.listing(tx)
        assert [(note.source, note.text) for note in notes] == [("square:2", "hello"), ("square:1", "hello")]
        assert outbox.buttons_of(notes[0]) == [("Yes", "yes")]


def test_a_note_is_for_somebody(db: Database, at: datetime) -> None:
    with db.transaction() as tx, pytest.raises(ValueError, match="person or an account"):
        outbox.put(tx, kind="review", source="review:1:1", at=at)


def test_a_note_is_due_from_its_time_on_and_claimed_once(db: Database, at: datetime) -> None:
    put(db, at)
    with db.reading() as tx:
        assert outbox.due(tx, at - timedelta(seconds=1), 10) == []
        (note_id,) = outbox.due(tx, at, 10)
    with db.transaction() as tx:
        note = outbox.claim(tx, note_id, at)
        assert note is not None
        outbox.mark_sending(tx, note, to=ANNA, at=at)
        assert outbox.claim(tx, note_id, at) is None
    with db.transaction() as tx:
        assert outbox.due(tx, at, 10) == []
        outbox.mark_failed(tx, note_id, "busy", final=False, next_at=at + timedelta(seconds=5))
        assert outbox.due(tx, at, 10) == []
        assert outbox.due(tx, at + timedelta(seconds=5), 10) == [note_id]


def test_after_a_crash_a_note_is_said_again_only_where_that_shows_it_once(db: Database, at: datetime) -> None:
    forgetful = AccountRef(platform="squarely", account_id="1")
    for source, to in (("1", ANNA), ("2", forgetful)):
        with db.transaction() as tx:
            outbox.put(tx, kind="answer", source=source, at=at, to=to, text="hello")
        with db.transaction() as tx:
            note = outbox.claim(tx, outbox.due(tx, at, 1)[0], at)
            assert note is not None
            outbox.mark_sending(tx, note, to=to, at=at)
    for expected in ((1, 1), (0, 0)):
        with db.transaction() as tx:
            assert outbox.recover(tx, ["square"], at) == expected
    with db.reading() as tx:
        assert [(n.source, n.state, n.error) for n in outbox.listing(tx)] == [
            ("2", "failed", outbox.UNKNOWN),
            ("1", "waiting", None),
        ]


def test_an_operator_can_have_a_failed_note_tried_again(db: Database, at: datetime) -> None:
    put(db, at)
    with db.transaction() as tx:
        (note_id,) = outbox.due(tx, at, 1)
        outbox.mark_failed(tx, note_id, "blocked", final=True, next_at=at)
    with db.transaction() as tx:
        assert outbox.retry(tx, [note_id], at) == 1
        assert outbox.retry(tx, [note_id], at) == 0
        assert outbox.due(tx, at, 1) == [note_id]


def test_the_purge_forgets_what_was_said_but_not_that_it_was(db: Database, at: datetime) -> None:
    put(db, at)
    with db.transaction() as tx:
        outbox.mark_sent(tx, outbox.due(tx, at, 1)[0], at)
    with db.transaction() as tx:
        assert outbox.purge(tx, at) == 0
        assert outbox.purge(tx, at + timedelta(seconds=1)) == 1
    with db.reading() as tx:
        (note,) = outbox.listing(tx)
        assert (note.text, note.buttons, note.state) == (None, None, "sent")
        assert outbox.counts(tx) == outbox.OutboxCounts(waiting=0, sending=0, sent=1, failed=0)
    assert not put(db, at)
