"""A town for every test: its hub is closed, and its books are checked, when the test is done."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.config.networks.town import Town


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    town = Town(tmp_path)
    yield town
    for hub in town.hubs:
        await hub.close()
    for listener in town.listeners:
        listener.socket.close()
