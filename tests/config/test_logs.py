"""What the log says of deliveries, in words and as JSON."""

from __future__ import annotations

import json
import logging

import pytest

from config.commands.logs import JsonLines, Lines

TURN = (
    '{"platform": "github", "outcome": "stored", "status": 202, "key": "a", "ms": 1.5}\n'
    '{"platform": "github", "outcome": "repeated", "status": 200, "key": "b", "ms": 0.5}'
)


@pytest.fixture
def turn() -> logging.LogRecord:
    """Two deliveries that were answered in one turn of the loop, as webhooks.journal tells them."""
    return logging.makeLogRecord({"name": "flattr.deliveries", "levelno": logging.INFO, "msg": TURN})


def test_each_delivery_of_a_turn_has_a_line(turn: logging.LogRecord) -> None:
    first, second = Lines().format(turn).splitlines()
    assert first.endswith("delivery from github: stored (202), 1.5 ms")
    assert second.endswith("delivery from github: repeated (200), 0.5 ms")


def test_each_delivery_of_a_turn_is_an_object_with_its_time(turn: logging.LogRecord) -> None:
    told = [json.loads(line) for line in JsonLines().format(turn).splitlines()]
    assert [each["outcome"] for each in told] == ["stored", "repeated"]
    assert all(each["at"] and each["message"] == "delivery" for each in told)
