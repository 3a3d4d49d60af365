"""The hub's own keys: made on the first start in a file that only its owner can read, never printed."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.fernet import Fernet

from config.complaints import Misconfigured
from config.settings import KeysSection

_log = logging.getLogger(__name__)

WHAT_A_LOSS_MEANS = (
    "deliveries that wait in the inbox become unreadable, accounts that were linked by signing in have to be linked"
    " again, accounts that declined are no longer recognised, and receipts can no longer be proved by the sealed book;"
    " the money in the books is not affected"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """What the hub keeps secret of its own."""

    sealing: tuple[bytes, ...]
    """Fernet keys: the first encrypts, all of them decrypt."""
    pseudonym: bytes
    """Keys the hash under which a declined account is remembered."""
    sandbox: bytes
    """Signs what the pretend networks send to the hub."""
    book: bytes
    """Makes the salts of the month's book."""

    def __repr__(self) -> str:
        return f"Keys({len(self.sealing)} sealing keys)"


def path_in(data_dir: Path) -> Path:
    """The keys' file."""
    return data_dir / "keys.json"


def load(data_dir: Path, given: KeysSection, *, is_used: Callable[[], bool]) -> Keys:
    """The keys from the settings and the file, which is made if this is the first start.

    ``is_used`` tells whether the database already holds what the old keys are needed for: then a missing
    file is a loss, not a first start, and Misconfigured says what to do.
    """
    path = path_in(data_dir)
    if path.exists():
        keys = read(path)
    elif given.sealing and given.pseudonym.get_secret_value():
        pseudonym = given.pseudonym.get_secret_value().encode()
        sandbox = hashlib.sha256(b"sandbox" + pseudonym).hexdigest().encode()
        keys = replace(fresh(), sandbox=sandbox, book=_book_of(pseudonym))
    elif is_used():
        raise Misconfigured(
            f"{path} is missing though the database is in use; restore it from your backup, or, if it is lost"
            f" for good, run `flattr keys new` (then {WHAT_A_LOSS_MEANS})"
        )
    else:
        keys = fresh()
        write(path, keys)
    return _overridden(keys, given)


def fresh() -> Keys:
    """New random keys."""
    return Keys(
        sealing=(Fernet.generate_key(),),
        pseudonym=secrets.token_bytes(32),
        sandbox=secrets.token_hex(32).encode(),
        book=secrets.token_bytes(32),
    )


def rotated(keys: Keys) -> Keys:
    """The same keys with a new sealing key in front; the old ones still decrypt."""
    return replace(keys, sealing=(Fernet.generate_key(), *keys.sealing))


def reloading(data_dir: Path, given: KeysSection) -> Callable[[], Sequence[bytes]] | None:
    """Tells a running hub the sealing keys that the file has by now; None: they are given by the settings.

    Empty where the file cannot be read at the moment; the log says why.
    """
    if given.sealing:
        return None

    def present() -> Sequence[bytes]:
        try:
            return read(path_in(data_dir)).sealing
        except Misconfigured as error:
            _log.warning("%s", error)
            return ()

    return present


def write(path: Path, keys: Keys) -> None:
    """Write the file as a whole, readable by its owner only from its first byte on."""
    content = {
        "about": "Keep this file in your backups and away from others: without it " + WHAT_A_LOSS_MEANS + ".",
        "sealing": [key.decode() for key in keys.sealing],
        "pseudonym": keys.pseudonym.hex(),
        "sandbox": keys.sandbox.decode(),
        "book": keys.book.hex(),
    }
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise Misconfigured(
            f"cannot write {path}: {error.strerror}; make the directory writable or set hub.data_dir"
        ) from None


def open_to_others(path: Path) -> bool:
    """Whether anybody but its owner may read the file."""
    return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)


def read(path: Path) -> Keys:
    """The keys of the file; Misconfigured if it cannot be used."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        pseudonym = bytes.fromhex(content["pseudonym"])
        keys = Keys(
            sealing=tuple(_fernet(key) for key in content["sealing"]),
            pseudonym=pseudonym,
            sandbox=content["sandbox"].encode(),
            book=bytes.fromhex(content["book"]) if "book" in content else _book_of(pseudonym),
        )
    except OSError as error:
        raise Misconfigured(f"cannot read {path}: {error.strerror}; it must belong to the hub's user") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Misconfigured(f"{path} is damaged; restore it from your backup") from None
    if not keys.sealing:
        raise Misconfigured(f"{path} has no sealing key; restore it from your backup")
    return keys


def _overridden(keys: Keys, given: KeysSection) -> Keys:
    if given.sealing:
        try:
            keys = replace(keys, sealing=tuple(_fernet(key.get_secret_value()) for key in given.sealing))
        except ValueError:
            raise Misconfigured(
                "keys.sealing must be Fernet keys (44 characters of base64); without it the hub makes its own"
            ) from None
    if text := given.pseudonym.get_secret_value():
        try:
            keys = replace(keys, pseudonym=bytes.fromhex(text))
        except ValueError:
            raise Misconfigured("keys.pseudonym must be hex digits; without it the hub makes its own") from None
    if text := given.book.get_secret_value():
        try:
            keys = replace(keys, book=bytes.fromhex(text))
        except ValueError:
            raise Misconfigured("keys.book must be hex digits; without it the hub makes its own") from None
    return keys


def _book_of(pseudonym: bytes) -> bytes:
    """The book's key where none was given: of a file from before there was one, the same in all its copies."""
    return hashlib.sha256(b"book" + pseudonym).digest()


def _fernet(text: str) -> bytes:
    key = text.encode()
    Fernet(key)
    return key
