"""Facts about encryption at rest."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from core.mail import sealing
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


def test_what_another_process_sealed_with_a_new_key_opens_after_one_look_at_the_keys() -> None:
    old, new = new_key(), new_key()
    looks: list[int] = []

    def present() -> list[bytes]:
        looks.append(1)
        return [new, old]

    here, there = Seal([old], reload=present), Seal([new, old])
    before = here.seal(b"before")
    for _ in range(2):
        assert here.open(there.seal(b"news")) == b"news"
    assert here.open(before) == b"before"
    assert looks == [1]
    assert Seal([new]).open(here.seal(b"after")) == b"after"  # the new key seals from now on


@pytest.mark.parametrize("present", [[], None], ids=["it cannot tell", "nothing has changed"])
def test_what_no_key_opens_after_a_look_either_stays_closed(present: list[bytes] | None) -> None:
    key = new_key()
    seal = Seal([key], reload=lambda: [key] if present is None else present)
    with pytest.raises(Unsealable, match="put the old key back"):
        seal.open(Seal([new_key()]).seal(b"foreign"))
    assert seal.open(seal.seal(b"own")) == b"own"


def test_sealing_anew_leaves_alone_what_is_under_the_newest_key() -> None:
    old, new = new_key(), new_key()
    seal = Seal([new, old])
    fresh = seal.resealed(Seal([old]).seal(b"old"))
    assert fresh is not None
    assert Seal([new]).open(fresh) == b"old"
    assert seal.resealed(fresh) is None
    with pytest.raises(Unsealable):
        seal.resealed(Seal([new_key()]).seal(b"foreign"))


def test_threads_seal_and_open_while_keys_and_data_keys_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "_USES", 5)
    keys = [new_key()]
    seals = [Seal(keys, reload=lambda: tuple(keys)) for _ in range(4)]
    stop = Event()

    def work(number: int) -> int:
        done = 0
        while not stop.is_set() or done < 200:
            content = b"%d of %d" % (done, number)
            assert seals[done % 4].open(seals[number % 4].seal(content)) == content
            done += 1
        return done

    with ThreadPoolExecutor(4) as pool:
        working = [pool.submit(work, number) for number in range(4)]
        for _ in range(20):
            keys.insert(0, new_key())
            newest = Seal(tuple(keys)).seal(b"newest")
            assert [seal.open(newest) for seal in seals] == [b"newest"] * 4
        stop.set()
        assert all(each.result() >= 200 for each in working)
