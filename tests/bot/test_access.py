"""Members' access stays fresh: one refresh at a time, whatever crashes, whoever is silent, whichever key is set."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import Session, select

from bot import access as module
from bot.access import GIVE_BACK_FOR, TURN, AccessKeeper, Signed
from connectors.base import Asker
from connectors.client import Limited, Unanswered, Unreachable
from connectors.linking import Grant, Withdrawn
from core.access import grants
from core.access.grants import Kept
from core.access.tables import Access
from core.database import Database, DatabaseUnavailable
from core.mail.sealing import Seal, new_key
from core.mail.tables import OutboxNote
from core.people import leaving, linking, persons
from core.people.tables import Account
from core.schema import metadata
from tests.bot.token_book import ADA, HOUR, TokenBook
from tests.scene import Scene

KEY = new_key()
CHILD = Path(__file__).with_name("killed_keeper.py")
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


@dataclass
class World:
    """A member who signed in on the lake, and keepers of the access, each like a process of its own."""

    scene: Scene
    book: TokenBook
    seal: Seal = field(default_factory=lambda: Seal([KEY]))
    ada: int = 0

    def move_in(self) -> None:
        self.ada = self.scene.patron("ada")
        with self.scene.db.transaction() as tx:
            linking.bind(tx, ADA, person_id=self.ada, since=self.scene.at, actor="test", at=self.scene.at)
        self.signs_in()

    def signs_in(self, life: timedelta | None = HOUR) -> Grant:
        grant = self.book.lends()
        expires_at = self.scene.at + life if life else None
        grant = Grant(
            account=ADA, access_token=grant.access_token, refresh_token=grant.refresh_token, expires_at=expires_at
        )
        with self.scene.db.transaction() as tx:
            grants.keep(tx, ADA, self.seal.seal(grant.packed()), expires_at=expires_at, at=self.scene.at)
        return grant

    def keeper(self, holder: str = "one", **more: Any) -> AccessKeeper:
        asker = Asker(client=None, clock=lambda: self.scene.at)
        given = {
            "db": self.scene.db,
            "seal": self.seal,
            "platforms": {"lake": Signed(connector=self.book, asker=asker)},
        }
        return AccessKeeper(clock=lambda: self.scene.at, holder=holder, **given | more)

    def token(self, **more: Any) -> str | None:
        """What a process that begins now is given to ask with."""
        grant = run(self.keeper(**more).grant(ADA))
        return grant.access_token if grant else None

    def kept(self) -> Kept | None:
        with self.scene.db.reading() as tx:
            return grants.load(tx, ADA)

    def account(self) -> Account:
        with self.scene.db.reading() as tx:
            return persons.account_of(tx, ADA)

    def told(self) -> list[str]:
        with self.scene.db.reading() as tx:
            return [note.kind for note in tx.exec(select(OutboxNote)).all()]

    def unlink(self) -> None:
        with self.scene.db.transaction() as tx:
            linking.unlink(tx, persons.account_of(tx, ADA), self.scene.at)

    def stored(self) -> list[Any]:
        with self.scene.db.reading() as tx:
            return list(tx.exec(select(Access)).all())

    def killed(self, step: str) -> None:
        """Another process refreshes now, and is killed at that step."""
        words = [self.scene.db.url.render_as_string(hide_password=False), KEY.decode(), str(self.book.file)]
        child = subprocess.run([sys.executable, CHILD, *words, self.scene.at.isoformat(), step], capture_output=True)
        assert child.returncode == 9, child.stderr.decode()


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(coroutine)


@pytest.fixture
def world(scene: Scene, tmp_path: Path) -> World:
    made = World(scene, TokenBook(tmp_path / "tokens.json"))
    made.move_in()
    return made


def test_access_that_does_not_end_soon_is_handed_out_as_it_is(world: World) -> None:
    world.scene.later(minutes=49)
    assert world.token() == "access-canary-1"
    assert world.book.refreshes == 0


def test_access_that_ends_soon_is_refreshed_and_other_processes_see_it(world: World) -> None:
    other = world.keeper("other")
    assert run(other.grant(ADA)).access_token == "access-canary-1"
    world.scene.later(minutes=50)
    assert world.token() == "access-canary-2"
    assert run(other.grant(ADA)).access_token == "access-canary-2"
    assert world.book.refreshes == 1
    kept = world.kept()
    assert (kept.refreshed_at, kept.expires_at) == (world.scene.at, world.scene.at + HOUR)
    assert kept.refreshing_by is None


def test_access_without_an_end_is_refreshed_only_when_the_platform_does_not_take_it(world: World) -> None:
    stale = world.signs_in(life=None)
    world.scene.later(days=999)
    assert world.token() == stale.access_token
    assert run(world.keeper().refreshed(ADA, stale)).access_token == "access-canary-3"


def test_who_never_signed_in_has_no_access(world: World) -> None:
    nobody = type(ADA)(platform="lake", account_id="8")
    assert run(world.keeper().grant(nobody)) is None
    with pytest.raises(Withdrawn):
        run(world.keeper().refreshed(nobody, world.book.lends()))


@pytest.mark.parametrize("refused", [False, True])
def test_eight_processes_at_once_refresh_once_and_all_get_the_result(world: World, *, refused: bool) -> None:
    stale = run(world.keeper().grant(ADA))
    world.scene.later(minutes=50)
    ready = Barrier(8)

    def process(number: int) -> str:
        db = Database(world.scene.db.url.render_as_string(hide_password=False))
        keeper = world.keeper(f"process {number}", db=db, seal=Seal([KEY]))
        ready.wait(timeout=30)
        grant = run(keeper.refreshed(ADA, stale) if refused else keeper.grant(ADA))
        db.dispose()
        return grant.access_token

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(process, range(8))) == {"access-canary-2"}
    assert (world.book.refreshes, world.book.refusals) == (1, 0)


def test_eight_questions_in_one_process_share_one_refresh(world: World) -> None:
    world.scene.later(minutes=50)

    async def ask() -> set[str]:
        keeper = world.keeper()
        given = await asyncio.gather(*(keeper.grant(ADA) for _ in range(8)))
        return {grant.access_token for grant in given}

    assert run(ask()) == {"access-canary-2"}
    assert world.book.refreshes == 1


def test_a_process_that_is_killed_before_it_asked_leaves_its_turn_to_the_next(world: World) -> None:
    world.scene.later(minutes=50)
    world.killed("before")
    assert world.token(sleep=nothing) == "access-canary-1"  # it still works, and nobody else asks meanwhile
    assert world.book.refreshes == 0
    world.scene.at += TURN
    assert world.token() == "access-canary-2"
    assert world.told() == []


def test_what_is_lost_with_a_killed_process_pauses_nobody_before_the_old_access_ends(world: World) -> None:
    world.scene.later(minutes=50)
    world.killed("after")
    world.scene.at += TURN
    assert world.token() == "access-canary-1"
    assert world.token() == "access-canary-1"
    assert (world.book.refreshes, world.book.refusals) == (1, 1)  # not asked again with every question
    assert (world.told(), world.account().needs_relink_at) == ([], None)
    world.scene.later(minutes=9)
    assert world.token() is None
    assert (world.told(), world.account().needs_relink_at) == (["relink"], world.scene.at)
    linked_at = world.account().linked_at
    world.scene.later(days=1)
    assert world.token() is None
    assert world.told() == ["relink"]
    again = world.signs_in()
    assert world.token() == again.access_token
    assert (world.account().needs_relink_at, world.account().linked_at) == (None, linked_at)


def test_what_a_killed_process_has_stored_is_there(world: World) -> None:
    world.scene.later(minutes=50)
    world.killed("end")
    assert world.token() == "access-canary-2"
    assert world.book.refreshes == 1


async def nothing(_: float) -> None:
    """A sleep that takes no time."""


def test_an_answer_that_is_lost_changes_nothing_and_is_asked_for_later(world: World) -> None:
    world.scene.later(minutes=50)
    world.book.faults = [Unreachable("down")]
    assert world.token() == "access-canary-1"
    world.book.faults = [AssertionError("nobody asks within a minute")]
    assert world.token() == "access-canary-1"
    world.book.faults = []
    world.scene.later(minutes=1)
    assert world.token() == "access-canary-2"
    assert world.told() == []


def test_a_platform_that_is_silent_past_the_end_is_waited_for(world: World) -> None:
    world.scene.later(hours=2)
    world.book.faults = [Limited("later", retry_after=600.0)]
    with pytest.raises(Unanswered):
        world.token()
    with pytest.raises(Unanswered) as caught:
        world.token()
    assert not isinstance(caught.value, Unreachable)  # which would say that the platform is away for everybody
    assert caught.value.retry_after == 600.0
    assert (world.told(), world.account().needs_relink_at) == ([], None)
    world.scene.later(minutes=10)
    assert world.token() == "access-canary-2"


def test_a_connector_that_breaks_is_taken_for_silent_and_tells_the_log_no_secret(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.scene.later(minutes=50)
    world.book.faults = [ValueError("bad token refresh-canary-1")]
    assert world.token() == "access-canary-1"
    assert "ValueError" in caplog.text
    assert "canary" not in caplog.text


def test_access_that_the_platform_took_back_pauses_the_account_and_tells_its_owner_once(world: World) -> None:
    stale = run(world.keeper().grant(ADA))
    world.book.refuse_all()
    for _ in range(2):
        with pytest.raises(Withdrawn):
            run(world.keeper().refreshed(ADA, stale))
    assert world.token() is None
    assert world.told() == ["relink"]
    assert world.book.refusals == 1


def test_a_silent_platform_pauses_nobody_whose_access_it_does_not_take(world: World) -> None:
    stale = run(world.keeper().grant(ADA))
    world.book.faults = [Unreachable("down")]
    with pytest.raises(Unanswered):
        run(world.keeper().refreshed(ADA, stale))
    assert world.told() == []
    assert run(world.keeper().refreshed(ADA, stale)).access_token == "access-canary-2"
    assert run(world.keeper().refreshed(ADA, stale)).access_token == "access-canary-2"
    assert world.book.refreshes == 1


def test_a_refusal_of_older_access_does_not_pause_who_has_signed_in_again(world: World) -> None:
    stale = run(world.keeper().grant(ADA))
    world.signs_in()
    run(world.keeper().withdrawn(ADA, stale))
    assert (world.told(), world.account().needs_relink_at) == ([], None)
    run(world.keeper().withdrawn(ADA))
    assert world.told() == ["relink"]


def test_the_bot_s_own_account_is_marked_though_it_is_no_member_s(world: World) -> None:
    bot = type(ADA)(platform="lake", account_id="bot")
    with world.scene.db.transaction() as tx:
        grant = Grant(account=bot, access_token="t")
        grants.keep(tx, bot, world.seal.seal(grant.packed()), expires_at=None, at=world.scene.at)
    run(world.keeper().withdrawn(bot, grant))
    assert run(world.keeper().grant(bot)) is None
    assert world.told() == []


def test_an_account_that_is_nobody_s_any_more_is_not_paused(world: World) -> None:
    stale = run(world.keeper().grant(ADA))
    world.unlink()
    with pytest.raises(Withdrawn):
        run(world.keeper().refreshed(ADA, stale))
    run(world.keeper().withdrawn(ADA, stale))
    assert (world.told(), world.account().needs_relink_at) == ([], None)


def test_a_process_that_was_given_up_still_stores_the_only_token_that_works(world: World) -> None:
    world.scene.later(minutes=50)

    async def go() -> tuple[str, str, str]:
        world.book.hold = asyncio.Event()
        slow = asyncio.create_task(world.keeper("slow").grant(ADA))
        await world.book.holding.wait()
        world.scene.at += TURN
        other = await world.keeper("other").grant(ADA)
        world.book.hold.set()
        after = await slow
        return other.access_token, after.access_token, (await world.keeper("third").grant(ADA)).access_token

    assert run(go()) == ("access-canary-1", "access-canary-2", "access-canary-2")
    assert world.told() == []


def test_who_signs_in_during_a_refresh_keeps_what_they_brought(world: World) -> None:
    world.scene.later(minutes=50)
    brought: list[Grant] = []
    with ThreadPoolExecutor(1) as elsewhere:
        world.book.after = lambda: brought.append(elsewhere.submit(world.signs_in).result())
        token = world.token()
    assert token == brought[0].access_token
    assert world.token() == brought[0].access_token


def test_a_refresh_goes_on_when_who_asked_for_it_is_cancelled(world: World) -> None:
    world.scene.later(minutes=50)

    async def go() -> None:
        world.book.hold = asyncio.Event()
        keeper = world.keeper()
        asking = asyncio.create_task(keeper.grant(ADA))
        await world.book.holding.wait()
        asking.cancel()
        world.book.hold.set()
        await keeper.close()

    run(go())
    assert world.token() == "access-canary-2"
    assert world.book.refusals == 0


@dataclass
class Away:
    """The database, and whether it is away."""

    db: Database
    away: bool = False

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        self._check()
        with self.db.transaction() as tx:
            yield tx

    @contextmanager
    def reading(self) -> Iterator[Session]:
        self._check()
        with self.db.reading() as tx:
            yield tx

    def _check(self) -> None:
        if self.away:
            raise DatabaseUnavailable("away")


@pytest.mark.parametrize("stops", [False, True])
def test_a_new_token_waits_for_a_database_that_is_away(world: World, *, stops: bool) -> None:
    world.scene.later(minutes=50)
    db = Away(world.scene.db)

    async def go() -> str:
        keeper = world.keeper(db=db, sleep=nothing)
        world.book.after = lambda: setattr(db, "away", True)
        first = await keeper.grant(ADA)
        db.away = False
        await (keeper.close() if stops else keeper.grant(ADA))
        return first.access_token

    assert run(go()) == "access-canary-2"
    world.book.after = lambda: None
    assert world.token() == "access-canary-2"
    assert (world.book.refreshes, world.book.refusals) == (1, 0)


def test_unlinking_gives_the_access_back_once_the_platform_answers(world: World) -> None:
    world.unlink()
    assert world.token() is None
    world.book.faults = [Unreachable("down"), RuntimeError("broken")]
    run(world.keeper().give_back(ADA))
    run(world.keeper().round())
    assert len(world.stored()) == 1
    run(world.keeper().round())
    assert world.book.revoked == ["access-canary-1"]
    assert world.stored() == []
    run(world.keeper().round())
    assert len(world.book.revoked) == 1


def test_access_of_who_is_linked_is_never_given_back(world: World) -> None:
    run(world.keeper().give_back(ADA))
    run(world.keeper().round())
    assert world.book.revoked == []
    world.unlink()
    with world.scene.db.transaction() as tx:
        linking.bind(tx, ADA, person_id=world.ada, since=world.scene.at, actor="test", at=world.scene.at)
    again = world.signs_in()
    run(world.keeper().round())
    assert world.book.revoked == []
    assert world.token() == again.access_token


def test_a_platform_that_never_takes_it_back_is_asked_for_a_week(world: World) -> None:
    world.unlink()
    world.book.faults = [Unreachable("down")] * 2
    world.scene.at += GIVE_BACK_FOR - MINUTE
    run(world.keeper(platforms={}).round())
    run(world.keeper().round())
    assert len(world.stored()) == 1
    world.scene.later(minutes=1)
    run(world.keeper().round())
    assert world.stored() == []


def test_access_that_no_key_opens_waits_for_the_key_and_pauses_nobody(world: World) -> None:
    with pytest.raises(Unanswered, match="put the old key back"):
        world.token(seal=Seal([new_key()]))
    assert world.told() == []
    assert world.token(seal=Seal([new_key(), KEY])) == "access-canary-1"


def test_tokens_are_nowhere_in_clear(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    world.scene.later(minutes=50)
    grant = run(world.keeper().grant(ADA))
    world.book.faults = [Unreachable("down")]
    with pytest.raises(Unanswered):
        run(world.keeper().refreshed(ADA, grant))
    with world.scene.db.reading() as tx:
        rows = [row for table in metadata.sorted_tables for row in tx.execute(sa.select(table)).all()]
        exported = json.dumps(leaving.export(tx, world.scene.rules, world.ada, world.scene.at))
    stored = b"".join(cell if isinstance(cell, bytes) else str(cell).encode() for row in rows for cell in row)
    assert b"id-ada" in stored
    assert b"canary" not in stored
    assert "canary" not in exported
    assert "sealed" not in exported
    assert "canary" not in repr(grant) + repr(world.kept()) + caplog.text
    if world.scene.db.is_sqlite:
        file = Path(world.scene.db.url.database)
        assert [each.name for each in file.parent.glob("hub.db*") if b"canary" in each.read_bytes()] == []
    assert b"canary" in world.seal.open(world.kept().sealed)


def test_refreshes_wait_for_the_database_s_one_writer_in_one_thread(world: World) -> None:
    """Else a few of them keep all threads of the process, which reads nothing meanwhile."""
    keeper, inside, most = world.keeper(), 0, 0

    def writes() -> None:
        nonlocal inside, most
        inside, most = inside + 1, max(most, inside + 1)
        time.sleep(0.01)
        inside -= 1

    async def go() -> None:
        await asyncio.gather(*(keeper._written(writes) for _ in range(8)))

    run(go())
    assert most == 1


def test_the_times_of_a_turn_fit_each_other(at: datetime) -> None:
    assert at + module._PATIENCE * SECOND < at + TURN
    assert TURN < grants.EARLY
