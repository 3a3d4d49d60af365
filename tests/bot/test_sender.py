"""Facts about delivering what the hub has to say."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session

from bot.sender import GIVE_UP, PICTURES, Sender
from bot.splitting import split
from connectors.speaking import Button, Picture, Unheard
from core.database import Database
from core.events import AccountRef
from core.mail import outbox
from core.mail.tables import OutboxNote
from core.people import persons

ANNA = AccountRef(platform="square", account_id="anna")


@dataclass
class Mouth:
    """A platform that shows what it was told, and fails as it is told to."""

    platform: str = "square"
    limit: int = 20
    remembers_keys: bool = False
    heard: list[tuple[str, str, str, tuple[str, ...]]] = field(default_factory=list)
    seen: list[Picture | None] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    asked: asyncio.Event | None = None
    spoke: asyncio.Event = field(default_factory=asyncio.Event)

    async def say(
        self,
        account_id: str,
        text: str,
        *,
        key: str,
        buttons: Sequence[Button] = (),
        picture: Picture | None = None,
    ) -> None:
        failure = self.failures.pop(0) if self.failures else None
        if isinstance(failure, Unheard):
            raise failure
        if self.asked is not None:
            self.asked.set()
            await asyncio.Event().wait()  # never answers
        if not (self.remembers_keys and key in self.keys):
            self.heard.append((account_id, text, key, tuple(button.label for button in buttons)))
            self.seen.append(picture)
            self.keys.add(key)
        self.spoke.set()
        if failure is not None:
            raise failure


@dataclass
class Reply:
    text: str
    buttons: Sequence[Button] = ()
    picture: str | None = None


@dataclass
class Desk:
    """A sender, its mouths and its clock."""

    db: Database
    at: datetime
    mouth: Mouth = field(default_factory=Mouth)
    rendered: int = 0
    picture: str | None = None
    words: str = "rendered"
    more: dict[str, Mouth] = field(default_factory=dict)

    def sender(self, patience: float = 5) -> Sender:
        mouths = {self.mouth.platform: self.mouth, **self.more}
        return Sender(self.db, mouths, self.render, lambda: self.at, chance=lambda: 0.5, patience=patience)

    def render(self, tx: Session, note: OutboxNote) -> Reply:
        self.rendered += 1
        if self.words == "bug":
            raise KeyError("canary")
        return Reply(f"{self.words} {note.kind} {self.rendered}", [Button(label="Yes", text="yes")], self.picture)

    def put(self, text: str | None = "hello", source: str = "1", to: AccountRef | None = ANNA, **more: int) -> None:
        with self.db.transaction() as tx:
            outbox.put(tx, kind="answer", source=source, at=self.at, to=to, text=text, **more)

    def notes(self) -> list[OutboxNote]:
        with self.db.reading() as tx:
            return list(reversed(outbox.listing(tx)))

    def states(self) -> list[tuple[str, str | None]]:
        return [(note.state, note.error) for note in self.notes()]

    def drain(self, patience: float = 5) -> None:
        asyncio.run(self.sender(patience).drain())

    def texts(self) -> list[str]:
        return [text for _, text, _, _ in self.mouth.heard]


@pytest.fixture
def desk(db: Database, at: datetime) -> Desk:
    return Desk(db, at)


def test_a_note_is_said_once_to_its_account(desk: Desk) -> None:
    desk.put()
    for _ in range(2):
        desk.drain()
        assert desk.mouth.heard == [("anna", "hello", f"{desk.notes()[0].id}-0", ())]
    (note,) = desk.notes()
    assert (note.state, note.sent_at, note.attempts) == ("sent", desk.at, 1)


def test_notes_are_said_in_the_order_in_which_they_were_put(desk: Desk) -> None:
    for number in range(150):
        desk.put(f"{number}", source=f"{number}")
    desk.drain()
    assert desk.texts() == [f"{number}" for number in range(150)]


def test_a_note_without_text_is_rendered_when_it_is_said_and_keeps_its_words(desk: Desk) -> None:
    desk.put(None)
    desk.mouth.failures = [Unheard("busy")]
    desk.drain()
    desk.at += timedelta(hours=1)
    desk.drain()
    assert desk.mouth.heard == [("anna", "rendered answer 1", f"{desk.notes()[0].id}-0", ("Yes",))]


def test_a_note_for_a_person_goes_where_they_last_spoke(desk: Desk) -> None:
    desk.more["harbour"] = Mouth("harbour")
    with desk.db.transaction() as tx:
        person = persons.ensure_person(tx, ANNA, desk.at)
        other = AccountRef(platform="harbour", account_id="anna-h")
        persons.attach(persons.ensure_account(tx, other), person, desk.at)
        person_id = persons.key(person)
    desk.put(to=None, person_id=person_id)
    desk.drain()
    assert desk.states() == [("waiting", f"person {person_id} never spoke here")]
    for ref, minutes in ((other, 1), (ANNA, 0)):
        with desk.db.transaction() as tx:
            persons.mark_spoken(tx, ref, desk.at + timedelta(minutes=minutes))
    desk.at += timedelta(hours=1)
    desk.drain()
    assert desk.texts() == []
    assert [account for account, *_ in desk.more["harbour"].heard] == ["anna-h"]


def test_a_long_answer_comes_in_parts_with_the_buttons_under_the_last(desk: Desk) -> None:
    with desk.db.transaction() as tx:
        outbox.put(
            tx,
            kind="answer",
            source="1",
            at=desk.at,
            to=ANNA,
            text="one two three four\nfive six seven eight nine",
            buttons=[("Yes", "yes")],
        )
    desk.drain()
    note_id = desk.notes()[0].id
    assert desk.mouth.heard == [
        ("anna", "one two three four", f"{note_id}-0", ()),
        ("anna", "five six seven eight", f"{note_id}-1", ()),
        ("anna", "nine", f"{note_id}-2", ("Yes",)),
    ]


def test_a_retry_repeats_no_part_that_arrived(desk: Desk) -> None:
    desk.put("one two three four\nfive six seven eight nine")

    class Later(Mouth):
        async def say(self, account_id: str, text: str, **more) -> None:
            if text.startswith("five") and not self.failures:
                self.failures.append(Unheard("spent"))
                raise Unheard("busy")
            self.failures.clear()
            await super().say(account_id, text, **more)

    desk.mouth = Later()
    desk.drain()
    assert desk.texts() == ["one two three four"]
    desk.at += timedelta(hours=1)
    desk.mouth.failures = [Unheard("spent")]
    desk.drain()
    assert desk.texts() == ["one two three four", "five six seven eight", "nine"]


def test_retries_wait_longer_each_time_and_as_long_as_the_platform_says(desk: Desk) -> None:
    desk.put()
    waits = []
    for failure in (Unheard("busy"), Unheard("busy"), Unheard("busy"), Unheard("busy", retry_after=3600)):
        desk.mouth.failures = [failure]
        desk.drain()
        desk.drain()  # it is not due yet
        (note,) = desk.notes()
        waits.append((note.next_at - desk.at).total_seconds())
        desk.at = note.next_at
    assert waits == [2.5, 5, 10, 3600]
    desk.drain()
    assert desk.texts() == ["hello"]


def test_a_note_is_given_up_when_trying_is_useless_or_has_lasted_days(desk: Desk) -> None:
    desk.put(source="1")
    desk.mouth.failures = [Unheard("blocked the bot", final=True)]
    desk.drain()
    desk.put(source="2")
    started = desk.at
    while desk.states()[1][0] == "waiting":
        desk.mouth.failures = [Unheard("busy")]
        desk.drain()
        desk.at = max(desk.at, desk.notes()[1].next_at)
    assert desk.states() == [("failed", "blocked the bot"), ("failed", "busy")]
    assert GIVE_UP < desk.at - started < 2 * GIVE_UP
    assert desk.notes()[1].attempts < 60


def test_a_note_for_a_network_without_a_mouth_waits_for_one(desk: Desk) -> None:
    desk.put(to=AccountRef(platform="harbour", account_id="anna-h"))
    for _ in range(3):
        desk.drain()
        assert desk.states() == [("waiting", "no way to speak on harbour")]
        desk.at += timedelta(days=10)
    desk.more["harbour"] = Mouth("harbour")
    desk.drain()
    assert desk.states() == [("sent", None)]


@pytest.mark.parametrize("remembers", [True, False])
def test_what_may_have_arrived_is_said_again_only_where_it_shows_once(desk: Desk, remembers: bool) -> None:
    desk.mouth.remembers_keys = remembers
    desk.put()
    desk.mouth.failures = [ConnectionError("canary")]
    desk.drain()
    assert desk.states() == [("waiting" if remembers else "failed", outbox.UNKNOWN)]
    desk.at += timedelta(hours=1)
    desk.drain()
    assert desk.texts() == ["hello"]
    assert desk.states()[0][0] == ("sent" if remembers else "failed")


@pytest.mark.parametrize("remembers", [True, False])
def test_after_a_crash_in_the_middle_nothing_is_said_twice(desk: Desk, remembers: bool) -> None:
    desk.mouth.remembers_keys = remembers
    desk.put()

    async def crash() -> None:
        desk.mouth.asked = asyncio.Event()
        work = asyncio.create_task(desk.sender().drain())
        await desk.mouth.asked.wait()
        work.cancel()
        await asyncio.wait((work,))
        desk.mouth.asked = None

    asyncio.run(crash())
    assert desk.states() == [("sending", None)]
    desk.mouth.heard.append(("anna", "hello", f"{desk.notes()[0].id}-0", ()))  # it had arrived
    desk.mouth.keys.add(f"{desk.notes()[0].id}-0")
    desk.drain()
    assert desk.texts() == ["hello"]
    assert desk.states() == [("sent", None) if remembers else ("failed", outbox.UNKNOWN)]


def test_a_platform_that_never_answers_holds_nobody_up(desk: Desk) -> None:
    async def run() -> None:
        desk.mouth.asked = asyncio.Event()
        await desk.sender(patience=0.2).drain()

    desk.more["harbour"] = Mouth("harbour")
    desk.put(source="1")
    desk.put(source="2", to=AccountRef(platform="harbour", account_id="anna-h"))
    asyncio.run(run())
    assert [text for _, text, _, _ in desk.more["harbour"].heard] == ["hello"]
    assert desk.states() == [("failed", outbox.UNKNOWN), ("sent", None)]


def test_a_note_that_cannot_be_rendered_is_given_up_and_blocks_no_other(desk: Desk) -> None:
    desk.words = "bug"
    desk.put(None, source="1")
    desk.put("hello", source="2")
    desk.drain()
    (failed, _), (sent, _) = desk.states()
    assert (failed, sent) == ("failed", "sent")
    assert "KeyError at tests/bot/test_sender.py" in str(desk.notes()[0].error)
    assert "canary" not in str(desk.notes()[0].error)


# Pictures


def picture_of(tx: Session, note: OutboxNote) -> Picture:
    return Picture(name="a.png", content=b"png", alt=f"of {note.picture}")


def drain_with(desk: Desk, picture=picture_of) -> None:
    mouths = {desk.mouth.platform: desk.mouth}
    sender = Sender(desk.db, mouths, desk.render, lambda: desk.at, picture=picture, chance=lambda: 0.5)
    asyncio.run(sender.drain())


def put_pictured(desk: Desk, text: str | None = "one two three four\nfive six") -> None:
    with desk.db.transaction() as tx:
        outbox.put(tx, kind="answer", source="1", at=desk.at, to=ANNA, text=text, picture="statement:7")


def test_a_picture_goes_with_the_last_part_and_only_its_name_is_kept(desk: Desk) -> None:
    put_pictured(desk)
    drain_with(desk)
    assert desk.mouth.seen == [None, Picture(name="a.png", content=b"png", alt="of statement:7")]
    assert desk.notes()[0].picture == "statement:7"


def test_a_rendered_note_has_the_picture_that_its_words_name(desk: Desk) -> None:
    desk.put(None)
    desk.picture = "statement:9"
    drain_with(desk)
    assert [each and each.alt for each in desk.mouth.seen] == ["of statement:9"]


def test_a_note_without_a_picture_is_drawn_none(desk: Desk) -> None:
    desk.put()
    drain_with(desk, picture=lambda tx, note: 1 / 0)
    assert (desk.mouth.seen, desk.states()) == ([None], [("sent", None)])


def test_a_picture_that_cannot_be_made_never_costs_the_words(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    put_pictured(desk, "hello")
    drain_with(desk, picture=lambda tx, note: 1 / 0)
    assert (desk.texts(), desk.mouth.seen, desk.states()) == (["hello"], [None], [("sent", None)])
    assert "its picture cannot be made: ZeroDivisionError" in caplog.text


def test_what_fails_with_its_picture_again_and_again_goes_out_without_it(desk: Desk) -> None:
    class NoPictures(Mouth):
        async def say(self, account_id: str, text: str, **more) -> None:
            if more["picture"] is not None:
                raise Unheard("this platform chokes on pictures")
            await super().say(account_id, text, **more)

    desk.mouth = NoPictures()
    put_pictured(desk, "hello")
    tries = 0
    while desk.states()[0][0] == "waiting":
        drain_with(desk)
        tries += 1
        desk.at += timedelta(days=1) / 8
    assert (desk.texts(), desk.states(), tries) == (["hello"], [("sent", None)], PICTURES + 1)


async def test_a_running_sender_says_what_it_is_told_of_and_ends_cleanly(sqlite_db: Database, at: datetime) -> None:
    desk = Desk(sqlite_db, at)
    sender = desk.sender()
    running = asyncio.create_task(sender.run())
    await asyncio.to_thread(desk.put)
    sender.poke()
    async with asyncio.timeout(5):
        await desk.mouth.spoke.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert desk.texts() == ["hello"]
    assert await asyncio.to_thread(desk.states) == [("sent", None)]


@given(st.text(), st.integers(1, 30))
def test_splitting_keeps_the_limit_and_loses_only_white_space(text: str, limit: int) -> None:
    parts = split(text, limit)
    assert all(0 < len(part) <= limit for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())


def test_splitting_prefers_lines_then_words() -> None:
    assert split("one two\nthree", 10) == ["one two", "three"]
    assert split("one two three", 10) == ["one two", "three"]
    assert split("a" * 25, 10) == ["a" * 10, "a" * 10, "a" * 5]
    assert split("  ", 10) == []
