"""Encryption at rest: what the first key seals, any of the keys opens, so that keys can be changed."""

from __future__ import annotations

import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12
_USES = 2**20
"""How often a data key is used; random nonces of 96 bits are safe for far more (NIST SP 800-38D: 2**32)."""


class Unsealable(Exception):
    """None of the keys opens this; the message names the remedy."""


class Seal:
    """Seals with the first of the keys, opens with all of them.

    The keys (Fernet's) encrypt data keys, which encrypt the contents with AES-256-GCM: a tenth of the time of
    Fernet, in which a delivery waits for its answer. Each sealed content carries its encrypted data key.

    To change keys put the new one first, and drop the old one when everything sealed with it is purged.
    Raises ValueError if there is no key, or one that is not 32 bytes in URL-safe base64.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys:
            raise ValueError("no key to seal deliveries with; make one with core.mail.sealing.new_key()")
        self._keys = MultiFernet([Fernet(key) for key in keys])
        self._opened: dict[bytes, AESGCM] = {}
        self._renew()

    def _renew(self) -> None:
        data_key = AESGCM.generate_key(256)
        self._cipher = AESGCM(data_key)
        self._wrapped = self._keys.encrypt(data_key)  # base64, so the dot that follows it is unambiguous
        self._left = _USES

    def seal(self, content: bytes) -> bytes:
        """The content, unreadable without a key."""
        if not self._left:
            self._renew()
        self._left -= 1
        nonce = os.urandom(_NONCE)
        return b"%b.%b%b" % (self._wrapped, nonce, self._cipher.encrypt(nonce, content, self._wrapped))

    def open(self, sealed: bytes) -> bytes:
        """The content again; Unsealable if no key fits or a bit was changed."""
        wrapped, _, rest = sealed.partition(b".")
        try:
            cipher = self._opened.get(wrapped)
            if cipher is None:
                cipher = AESGCM(self._keys.decrypt(wrapped))
                if len(self._opened) >= 100:
                    self._opened.clear()
                self._opened[wrapped] = cipher
            return cipher.decrypt(rest[:_NONCE], rest[_NONCE:], wrapped)
        except (InvalidToken, InvalidTag, ValueError):
            raise Unsealable("sealed with a key that is not set; put the old key back after the new one") from None


def new_key() -> bytes:
    """A fresh key, as `Seal` and the settings want it."""
    return Fernet.generate_key()
