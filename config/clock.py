"""What time it is: the real time or, while the sandbox is on, the real time plus what was skipped by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from config.complaints import Misconfigured

Clock = Callable[[], datetime]


def real() -> datetime:
    """The time of this machine, aware UTC."""
    return datetime.now(UTC)


def path_in(data_dir: Path) -> Path:
    """The file in which the skipped time is kept."""
    return data_dir / "clock.json"


def choose(data_dir: Path, *, sandbox: bool, follows: bool = False) -> Clock:
    """The sandbox's clock or the real one; Misconfigured where skipped time would get into real books.

    ``follows``: somebody else has a part in the books who cannot skip time, as Stripe has in its test mode: its events
    would seem too old, and its pages and its account would be asked about a time that has not come.
    """
    skipping = SandboxClock(path_in(data_dir))
    if sandbox and not follows:
        return skipping
    if sandbox and skipping.skipped:
        raise Misconfigured(
            f"this data_dir skipped its clock to {skipping():%Y-%m-%d}, and Stripe's cannot be skipped; use a fresh"
            " hub.data_dir and database"
        )
    if skipping.skipped:
        raise Misconfigured(
            f"this data_dir played in the sandbox until {skipping():%Y-%m-%d}, so its books lie in the"
            " future; use a fresh hub.data_dir and database, or switch the sandbox on again"
        )
    return real


class SandboxClock:
    """The real time plus an offset that survives restarts and that every process of this hub shares."""

    def __init__(self, path: Path, source: Clock = real) -> None:
        self._path = path
        self._source = source
        # One value, so that no thread ever sees a new file's stamp beside an old file's time.
        self._read: tuple[tuple[int, int], timedelta] | None = None

    def __call__(self) -> datetime:
        """Now."""
        return self._source() + self.skipped

    @property
    def skipped(self) -> timedelta:
        """How far this clock is ahead of the real one."""
        try:
            file = self._path.stat()
        except FileNotFoundError:
            self._read = None
            return timedelta()
        stamp, read = (file.st_mtime_ns, file.st_ino), self._read
        if read is None or read[0] != stamp:  # another process (`flattr close`) may have moved it
            try:
                seconds = float(json.loads(self._path.read_text(encoding="utf-8"))["skipped_seconds"])
            except (ValueError, KeyError, TypeError):
                raise Misconfigured(f"{self._path} is damaged; use a fresh hub.data_dir and database") from None
            self._read = read = stamp, timedelta(seconds=seconds)
        return read[1]

    def jump_to(self, at: datetime) -> None:
        """Make it this time; never backwards, since what happened cannot happen again later."""
        ahead = self.skipped + max(at - self(), timedelta())
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._path.with_suffix(".new")
        draft.write_text(json.dumps({"skipped_seconds": ahead.total_seconds()}), encoding="utf-8")
        draft.replace(self._path)
