"""The hub's own keys are made once, kept private, and missed when they are gone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from config import keys
from config.complaints import Misconfigured
from config.settings import KeysSection

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
