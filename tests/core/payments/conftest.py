"""What tests of the payment processor share: a hub at the fake Stripe."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest

from core.database import Database
from tests.core.payments.at_stripe import Hub, hub_at_stripe


@pytest.fixture
def hub(sqlite_db: Database, at: datetime) -> Iterator[Hub]:
    """On SQLite; leaving it asserts that Stripe saw nothing that must not be."""
    with hub_at_stripe(sqlite_db, at) as made:
        yield made


@pytest.fixture
def either_hub(db: Database, at: datetime) -> Iterator[Hub]:
    """On both databases."""
    with hub_at_stripe(db, at) as made:
        yield made
