"""The `flattr` command, in this process or as a process of its own, on a data directory of the test's own."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from config.commands.root import flattr as main
from tests.config.hub_process import Process

TYPE_OF_RUN = Callable[..., Result]


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A working directory without settings around it."""
    for name in list(os.environ):
        if name.startswith("FLATTR_") or name == "COLUMNS":  # a parallel run sets it
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def flattr(alone: Path) -> Iterator[TYPE_OF_RUN]:
    """`flattr` with these words, in this process."""
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level

    def run(*words: str, **more: Any) -> Result:
        return CliRunner().invoke(main, words, catch_exceptions=False, **more)

    yield run
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)


@pytest.fixture
def start(alone: Path) -> Iterator[Callable[..., Process]]:
    """Starts hubs, and ends what a test left running."""
    started: list[Process] = []

    def go(**environment: str) -> Process:
        started.append(Process(alone, **environment))
        return started[-1]

    yield go
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
            each.process.wait()
