"""Facts about encryption at rest."""

from __future__ import annotations

import pytest

from core.mail.sealing import Seal, Unsealable, new_key


def test_what_is_sealed_cannot_be_read_and_opens_again() -> None:
    seal = Seal([new_key()])
    sealed = seal.seal(b"what they said")
    assert b"what they said" not in sealed
    assert seal.open(sealed) == b"what they said"
    assert seal.seal(b"what they said") != sealed


def test_after_a_change_of_keys_old_and_new_open_until_the_old_one_is_dropped() -> None:
    old, new = new_key(), new_key()
    before = Seal([old]).seal(b"before")
    both = Seal([new, old])
    after = both.seal(b"after")
    assert both.open(before) == b"before"
    assert Seal([new]).open(after) == b"after"  # the first key seals
    with pytest.raises(Unsealable, match="put the old key back"):
        Seal([new]).open(before)


def test_any_changed_or_missing_byte_is_noticed() -> None:
    seal = Seal([new_key()])
    sealed = seal.seal(b"{}")
    for place in range(len(sealed)):
        changed = bytes([*sealed[:place], sealed[place] ^ 1, *sealed[place + 1 :]])
        with pytest.raises(Unsealable):
            seal.open(changed)
        with pytest.raises(Unsealable):
            seal.open(sealed[:place])


@pytest.mark.parametrize("keys", [[], [b""], [b"too short"]])
def test_a_useless_key_is_refused(keys: list[bytes]) -> None:
    with pytest.raises(ValueError, match="key"):
        Seal(keys)
