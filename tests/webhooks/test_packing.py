"""Facts about how a delivery is kept."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Delivery
from webhooks.packing import pack, unpack

AT = datetime(2026, 11, 10, 12, tzinfo=UTC)
TEXT = st.text(st.characters(codec=None))


@given(
    method=TEXT,
    path=TEXT,
    query=st.dictionaries(TEXT, TEXT),
    headers=st.dictionaries(TEXT, st.lists(TEXT, min_size=1).map(tuple)),
    body=st.binary(),
    hurry=st.booleans(),
)
def test_a_delivery_comes_back_exactly_as_it_was(
    method: str, path: str, query: dict[str, str], headers: dict[str, tuple[str, ...]], body: bytes, hurry: bool
) -> None:
    delivery = Delivery(method=method, path=path, query=query, headers=headers, body=body, received_at=AT)
    assert unpack(pack(delivery, hurry=hurry), AT) == delivery


@pytest.mark.parametrize("packed", [b"", b"x", b"z", b"p", b"z\x78\x9c\x03\x00\x00\x00\x00\x01"])
def test_other_bytes_are_no_delivery(packed: bytes) -> None:
    with pytest.raises(ValueError, match=r"packed|Expecting"):
        unpack(packed, AT)
