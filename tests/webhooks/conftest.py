"""What the intake's tests share."""

from __future__ import annotations

from datetime import datetime

import pytest

from core.database import Database
from tests.webhooks.post import Office


@pytest.fixture
def office(sqlite_db: Database, at: datetime) -> Office:
    return Office(sqlite_db, at)
