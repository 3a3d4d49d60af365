"""Facts about countries and about what a processor wants, as people read them."""

from __future__ import annotations

import pytest

from core import countries
from core.recipients import needs


@pytest.mark.parametrize(
    ("codes", "words"),
    [
        ((), "every country"),
        (("DE",), "Germany"),
        (("DE", "AT"), "Austria and Germany"),
        (("DE", "AT", "CH"), "Austria, Germany and Switzerland"),
        (("de", "xx"), "Germany and XX"),
        ([f"A{letter}" for letter in "ABCDEFGHIJKLM"], "13 countries"),
    ],
)
def test_countries_are_named(codes, words: str) -> None:
    assert countries.listed(codes) == words


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("", []),
        ("external_account", ["your bank account"]),
        ("individual.dob.day,individual.dob.month,individual.dob.year", ["your date of birth"]),
        ("identity.individual.address.city,individual.email", ["your address", "your e-mail address"]),
        ("individual.first_name,individual.last_name", ["your name"]),
        ("individual.verification.document", ["a picture of your identity document"]),
        ("configuration.recipient.default_outbound_destination", ["your bank account"]),
        ("business_profile.url", ["what you make, and where it is found"]),
        ("tos_acceptance.date,tos_acceptance.ip", ["your agreement to its terms"]),
        ("something.quite_new", [needs.SOMETHING]),
        ("something.quite_new, external_account ,", ["your bank account"]),
    ],
)
def test_what_is_missing_is_said_in_plain_words(wanted: str, words: list[str]) -> None:
    assert list(needs.in_words(wanted)) == words
