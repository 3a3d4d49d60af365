"""The hub's own keys are made once, kept private, and missed when they are gone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from click.testing import Result
from cryptography.fernet import Fernet
from pydantic import SecretStr
from sqlmodel import select

from bot.access import AccessKeeper, Signed
from config import keys
from config.complaints import Misconfigured
from config.parts import assemble
from config.reading import read
from config.settings import KeysSection
from connectors.base import Asker
from connectors.linking import Grant
from core.access import grants
from core.access.tables import Access
from core.database import Database
from core.events import AccountRef
from core.mail.sealing import Seal
from core.mail.tables import OutboxNote
from tests.bot.token_book import ADA, TokenBook
from tests.scene import Scene

NONE_GIVEN = KeysSection()


def test_the_first_start_makes_keys_that_only_their_owner_can_read(tmp_path: Path) -> None:
    made = keys.load(tmp_path / "var", NONE_GIVEN, is_used=lambda: False)
    path = tmp_path / "var" / "keys.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert not keys.open_to_others(path)
    assert keys.load(tmp_path / "var", NONE_GIVEN, is_used=lambda: True) == made


def test_keys_are_not_shown(tmp_path: Path) -> None:
    made = keys.load(tmp_path, NONE_GIVEN, is_used=lambda: False)
    assert made.sealing[0].decode() not in repr(made)
    assert made.sandbox.decode() not in repr(made)


def test_lost_keys_of_a_used_database_are_not_replaced_in_silence(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"restore it from your backup.*flattr keys new"):
        keys.load(tmp_path, NONE_GIVEN, is_used=lambda: True)
    assert not (tmp_path / "keys.json").exists()


def test_given_keys_stand_above_the_file_and_need_none(tmp_path: Path) -> None:
    sealing = Fernet.generate_key().decode()
    given = KeysSection(sealing=(SecretStr(sealing),), pseudonym=SecretStr("ab" * 32))
    loaded = keys.load(tmp_path, given, is_used=lambda: True)
    assert loaded.sealing == (sealing.encode(),)
    assert loaded.pseudonym == b"\xab" * 32
    assert not (tmp_path / "keys.json").exists()
    assert keys.load(tmp_path, given, is_used=lambda: True).sandbox == loaded.sandbox


def test_a_rotated_key_stands_in_front_of_the_old_one(tmp_path: Path) -> None:
    old = keys.load(tmp_path, NONE_GIVEN, is_used=lambda: False)
    keys.write(keys.path_in(tmp_path), keys.rotated(old))
    new = keys.load(tmp_path, NONE_GIVEN, is_used=lambda: True)
    assert new.sealing[1:] == old.sealing
    assert new.pseudonym == old.pseudonym


@pytest.mark.parametrize("content", ["", "[]", "{}", json.dumps({"sealing": ["x"], "pseudonym": "", "sandbox": ""})])
def test_a_damaged_file_is_not_overwritten(tmp_path: Path, content: str) -> None:
    (tmp_path / "keys.json").write_text(content)
    with pytest.raises(Misconfigured, match="is damaged; restore it from your backup"):
        keys.load(tmp_path, NONE_GIVEN, is_used=lambda: False)
    assert (tmp_path / "keys.json").read_text() == content


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (KeysSection(sealing=(SecretStr("canary"),)), "keys.sealing must be Fernet keys"),
        (KeysSection(pseudonym=SecretStr("canary")), "keys.pseudonym must be hex digits"),
    ],
)
def test_a_given_key_that_is_none_is_refused_without_showing_it(
    tmp_path: Path, given: KeysSection, complaint: str
) -> None:
    with pytest.raises(Misconfigured) as caught:
        keys.load(tmp_path, given, is_used=lambda: False)
    assert str(caught.value).startswith(complaint)
    assert "canary" not in str(caught.value)


def test_a_file_that_cannot_be_read_at_the_moment_tells_no_keys(tmp_path: Path) -> None:
    made = keys.load(tmp_path, NONE_GIVEN, is_used=lambda: False)
    present = keys.reloading(tmp_path, NONE_GIVEN)
    assert present is not None
    assert present() == made.sealing
    (tmp_path / "keys.json").unlink()
    assert present() == ()


def test_given_keys_are_not_looked_up_in_the_file(tmp_path: Path) -> None:
    assert keys.reloading(tmp_path, KeysSection(sealing=(SecretStr(Fernet.generate_key().decode()),))) is None


def _keep(db: Database, seal: Seal, grant: Grant, at) -> None:
    with db.transaction() as tx:
        grants.keep(tx, grant.account, seal.seal(grant.packed()), expires_at=None, at=at)


def _others() -> list[Grant]:
    refs = [AccountRef(platform="lake", account_id=f"other-{number}") for number in range(20)]
    return [Grant(account=ref, access_token=f"token of {ref}") for ref in refs]


def test_keys_are_rotated_while_hubs_refresh_seal_and_open_and_nothing_becomes_unreadable(
    db: Database, scene: Scene, tmp_path: Path
) -> None:
    first = keys.load(tmp_path, NONE_GIVEN, is_used=lambda: False)
    book, stop = TokenBook(tmp_path / "tokens.json"), Event()

    def process() -> Seal:
        return Seal(first.sealing, reload=keys.reloading(tmp_path, NONE_GIVEN))

    def keeper(name: str) -> AccessKeeper:
        asker = Asker(client=None, clock=lambda: scene.at)
        signed = {"lake": Signed(connector=book, asker=asker)}
        return AccessKeeper(db=db, seal=process(), platforms=signed, clock=lambda: scene.at, holder=name)

    for grant in (book.lends(), *_others()):
        _keep(db, process(), grant, scene.at)

    async def refreshing(name: str) -> int:
        access, done = keeper(name), 0
        while not stop.is_set() or done < 10:
            grant = await access.grant(ADA)
            assert grant is not None
            await access.refreshed(ADA, grant)
            done += 1
        return done

    async def reading() -> int:
        access, done = keeper("reader"), 0
        while not stop.is_set() or done < 10:
            for each in _others():
                assert await access.grant(each.account) == each
            done += 1
        return done

    def posting() -> int:
        one, other, done = process(), process(), 0
        while not stop.is_set() or done < 10:
            assert other.open(one.seal(b"delivery")) == one.open(other.seal(b"delivery")) == b"delivery"
            done += 1
        return done

    with ThreadPoolExecutor(4) as pool:
        working = [
            pool.submit(lambda: asyncio.run(refreshing("one"))),
            pool.submit(lambda: asyncio.run(refreshing("two"))),
            pool.submit(lambda: asyncio.run(reading())),
            pool.submit(posting),
        ]
        for _ in range(5):
            path = keys.path_in(tmp_path)
            keys.write(path, keys.rotated(keys.read(path)))
            _reseal(db, Seal(keys.read(path).sealing), limit=7)
        stop.set()
        assert all(each.result() >= 10 for each in working)
    assert book.refusals == 0
    newest = keys.read(keys.path_in(tmp_path)).sealing
    _reseal(db, Seal(newest), limit=7)
    alone = Seal(newest[:1])
    with db.reading() as tx:
        assert len([alone.open(row.sealed) for row in tx.exec(select(Access)).all()]) == 21


def _reseal(db: Database, seal: Seal, *, limit: int) -> None:
    place: tuple[int, int] | None = (0, 0)
    while place is not None:
        with db.transaction() as tx:
            done = grants.reseal(tx, seal, place, limit=limit)
        assert done.unreadable == 0
        place = done.after


def test_the_command_rotates_beside_a_hub_that_runs(flattr: Callable[..., Result], alone: Path) -> None:
    flattr("check")
    hub = assemble(read())
    for grant in _others():
        _keep(hub.db, hub.seal, grant, hub.clock())
    said = flattr("keys", "rotate").output
    assert "2 sealing keys" in said
    assert "20 of 20 were sealed anew" in said
    newest = Seal(keys.read(alone / "var" / "keys.json").sealing[:1])
    with hub.db.reading() as tx:
        rows = tx.exec(select(Access)).all()
        assert [hub.seal.open(row.sealed) for row in rows] == [newest.open(row.sealed) for row in rows]
    assert newest.open(hub.seal.seal(b"a delivery")) == b"a delivery"  # the hub has taken the new key up
    assert "0 of 20 were sealed anew" in flattr("keys", "reseal").output
    hub.close()


def test_keys_given_by_the_settings_are_rotated_there(
    flattr: Callable[..., Result], alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    monkeypatch.setenv("FLATTR__KEYS__SEALING", json.dumps([old]))
    flattr("check")
    hub = assemble(read())
    for grant in _others():
        _keep(hub.db, hub.seal, grant, hub.clock())
    refused = flattr("keys", "rotate")
    assert refused.exit_code == 1
    assert "put a new one in front of keys.sealing" in refused.stderr
    monkeypatch.setenv("FLATTR__KEYS__SEALING", json.dumps([new, old]))
    assert "20 of 20 were sealed anew" in flattr("keys", "reseal").output
    with hub.db.reading() as tx:
        assert grants.unreadable(tx, Seal([new.encode()])) == []
    hub.close()


def test_after_a_loss_of_the_keys_members_are_asked_to_sign_in_again(
    flattr: Callable[..., Result], alone: Path
) -> None:
    flattr("check")
    flattr("say", "sandbox:ada", "budget 35 now")
    hub = assemble(read())
    ada = AccountRef(platform="sandbox", account_id="ada")
    _keep(hub.db, hub.seal, Grant(account=ada, access_token="t"), hub.clock())
    (alone / "var" / "keys.json").unlink()
    assert "restore it from your backup" in flattr("check").stderr
    assert "1 accounts have to be linked again" in flattr("keys", "new", "--yes").output
    with hub.db.reading() as tx:
        assert tx.exec(select(Access)).all() == []
        assert "relink" in [note.kind for note in tx.exec(select(OutboxNote)).all()]
    hub.close()
