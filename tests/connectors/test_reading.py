"""What decorates a thing is read soundly, or left out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

import pytest

from connectors.base import Asker
from connectors.client import Client
from connectors.reading import moment, plain_text


@pytest.mark.parametrize("value", [None, 7, True, [], {}, b"x", "", " \n", "a\x00b", "half \ud83d"], ids=repr)
def test_what_cannot_be_kept_is_no_text(value: object) -> None:
    assert plain_text(value) is None


def test_a_text_is_kept_without_the_space_around_it() -> None:
    assert plain_text(" Fa\u00df \U0001f600\n") == "Fa\u00df \U0001f600"


@pytest.mark.parametrize(
    "value",
    [None, 7, True, "", "soon", "2026-11-22T12:00:00", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"],
    ids=repr,
)
def test_what_has_no_zone_or_no_place_in_the_calendar_is_no_time(value: object) -> None:
    assert moment(value) is None


@pytest.mark.parametrize("text", ["2026-11-22T12:00:00Z", "2026-11-22T12:00:00.000+0000", "2026-11-22T14:00:00+02:00"])
def test_a_time_is_in_utc(text: str) -> None:
    at = moment(text)
    assert at is not None
    assert (at, at.tzinfo) == (datetime(2026, 11, 22, 12, tzinfo=UTC), UTC)


@pytest.mark.parametrize("given", ["", "  ", "https://api.example", "https://api.example/", " https://api.example// "])
def test_a_base_address_has_no_slash_at_its_end_and_an_empty_one_is_the_platforms(given: str) -> None:
    asker = Asker(client=cast("Client", None), settings={"api": given})
    assert asker.address("api", "https://api.example") == "https://api.example"
    assert asker.address("site", "https://example.org/") == "https://example.org"
