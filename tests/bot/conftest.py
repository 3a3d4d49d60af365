"""The counts of the plays with spoilt answers, told at the end of a soak."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.bot.faulted_polls import SOAK, Tally

_NAME = "faulted polls"


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Iterator[Tally]:
    """What came of a network's plays; the network is named by the test's module."""
    network = request.node.path.stem.removeprefix("test_").replace("polling", "").strip("_")
    counted = Tally(network)
    yield counted
    request.node.user_properties.append((_NAME, str(counted)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for each network."""
    if SOAK not in os.environ:
        return
    for report in terminalreporter.stats.get("", []):
        for name, line in getattr(report, "user_properties", []):
            if name == _NAME and report.when == "teardown":
                terminalreporter.write_line(line)
