"""A hub as a process of its own, and how tests talk to it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from click.testing import Result

ROOT = Path(__file__).parents[2]


class Process:
    """`flattr run` as a process of its own, on a free port of the loopback."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("FLATTR_", "COLUMNS"))}
        self._output = folder / "stdout.txt"
        self._errors = folder / "stderr.txt"
        with self._output.open("wb") as output, self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-c", "from config.command import main; main()", "run"],
                cwd=folder,
                env={**clean, "PYTHONPATH": str(ROOT), "FLATTR__HUB__PORT": "0", **environment},
                stdout=output,
                stderr=errors,
            )

    @property
    def output(self) -> str:
        return self._output.read_text()

    @property
    def errors(self) -> str:
        return self._errors.read_text()

    @property
    def address(self) -> str:
        """Where its page is, once it has said so."""
        wait_until(lambda: "page to open" in self.output or self.process.poll() is not None)
        assert self.process.poll() is None, self.errors
        line = next(line for line in self.output.splitlines() if "page to open" in line)
        return line.split()[-1].rstrip("/")

    def get(self, path: str) -> tuple[int, str]:
        return request(self.address + path)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=20)


def wait_until(so: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not so():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.02)


def request(address: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> tuple[int, str]:
    asked = urllib.request.Request(address, data=body, headers=headers or {})
    try:
        with contextlib.closing(urllib.request.urlopen(asked, timeout=20)) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def data(result: Result) -> Any:
    """What a command printed with --json."""
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)
