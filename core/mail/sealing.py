"""Encryption at rest: what the first key seals, any of the keys opens, so that keys can be changed."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12
_USES = 2**20
"""How often a data key is used; random nonces of 96 bits are safe for far more (NIST SP 800-38D: 2**32)."""


class Unsealable(Exception):
    """None of the keys opens this; the message names the remedy."""


@dataclass(frozen=True, slots=True, repr=False)
class _Keys:
    """One state of the keys: replaced as a whole, so that no thread sees half of a change."""

    given: tuple[bytes, ...]
    first: Fernet
    all: MultiFernet


@dataclass(frozen=True, slots=True, repr=False)
class _DataKey:
    """What contents are sealed with, and the same encrypted; the two belong together."""

    cipher: AESGCM
    wrapped: bytes


class Seal:
    """Seals with the first of the keys, opens with all of them; may be used by many threads.

    The keys (Fernet's) encrypt data keys, which encrypt the contents with AES-256-GCM: a tenth of the time of
    Fernet, in which a delivery waits for its answer. Each sealed content carries its encrypted data key.

    To change keys put the new one first, and drop the old one when everything sealed with it is purged or sealed
    anew (`resealed`). ``reload`` tells the present keys, newest first: it is called when something was sealed with a
    key that is not known here, because another process may have changed them; empty where it cannot tell.
    Raises ValueError if there is no key, or one that is not 32 bytes in URL-safe base64.
    """

    def __init__(self, keys: Sequence[bytes], *, reload: Callable[[], Sequence[bytes]] | None = None) -> None:
        if not keys:
            raise ValueError("no key to seal deliveries with; make one with core.mail.sealing.new_key()")
        self._reload = reload
        self._changing = threading.Lock()
        self._opened: dict[bytes, AESGCM] = {}
        self._take(keys)

    def _take(self, keys: Sequence[bytes]) -> None:
        fernets = [Fernet(key) for key in keys]
        self._keys = _Keys(tuple(keys), fernets[0], MultiFernet(fernets))
        self._renew()

    def _renew(self) -> None:
        data_key = AESGCM.generate_key(256)
        wrapped = self._keys.first.encrypt(data_key)  # base64, so the dot that follows it is unambiguous
        self._data_key = _DataKey(AESGCM(data_key), wrapped)
        self._left = _USES

    def seal(self, content: bytes) -> bytes:
        """The content, unreadable without a key."""
        if self._left <= 0:
            with self._changing:
                if self._left <= 0:
                    self._renew()
        self._left -= 1  # threads may miss each other's; the limit leaves room for far more
        using = self._data_key
        nonce = os.urandom(_NONCE)
        return b"%b.%b%b" % (using.wrapped, nonce, using.cipher.encrypt(nonce, content, using.wrapped))

    def open(self, sealed: bytes) -> bytes:
        """The content again; Unsealable if no key fits or a bit was changed."""
        wrapped, _, rest = sealed.partition(b".")
        try:
            cipher = self._opened.get(wrapped) or self._unwrapped(wrapped)
            return cipher.decrypt(rest[:_NONCE], rest[_NONCE:], wrapped)
        except (InvalidToken, InvalidTag, ValueError):
            raise Unsealable("sealed with a key that is not set; put the old key back after the new one") from None

    def resealed(self, sealed: bytes) -> bytes | None:
        """The same content under the first key; None: it is already. Unsealable as in `open`."""
        content = self.open(sealed)
        try:
            self._keys.first.decrypt(sealed.partition(b".")[0])
        except InvalidToken:
            return self.seal(content)
        return None

    def _unwrapped(self, wrapped: bytes) -> AESGCM:
        tried = self._keys
        try:
            data_key = tried.all.decrypt(wrapped)
        except InvalidToken:
            if not self._has_changed_since(tried):
                raise
            data_key = self._keys.all.decrypt(wrapped)
        cipher = AESGCM(data_key)
        if len(self._opened) >= 100:
            self._opened.clear()
        self._opened[wrapped] = cipher
        return cipher

    def _has_changed_since(self, tried: _Keys) -> bool:
        """Look whether there are other keys now than those that did not fit."""
        if self._reload is None:
            return False
        with self._changing:
            if self._keys is not tried:
                return True  # another thread was here first
            present = tuple(self._reload())
            if not present or present == tried.given:
                return False
            self._take(present)
            return True


def new_key() -> bytes:
    """A fresh key, as `Seal` and the settings want it."""
    return Fernet.generate_key()
