"""Facts about how bugs are named."""

from __future__ import annotations

from core.mail.faults import hash_of, place_of


def fault(secret: str, *, other: bool = False) -> Exception:
    try:
        if other:
            raise KeyError(secret)
        raise ValueError(secret)
    except (KeyError, ValueError) as error:
        return error


def test_a_bug_is_named_by_type_and_place_without_its_contents() -> None:
    name = place_of(fault("canary-secret"))
    assert name.startswith("ValueError at tests/core/mail/test_faults.py:")
    assert "canary" not in name


def test_the_same_bug_has_the_same_hash_whatever_it_was_about() -> None:
    assert hash_of(fault("a")) == hash_of(fault("b"))
    assert hash_of(fault("a")) != hash_of(fault("a", other=True))


def test_an_exception_that_was_never_raised_has_a_name() -> None:
    assert place_of(ValueError("x")) == "ValueError"
