"""The running hub, killed (-9) at the steps of a month's end and started again, ends with the same books (R6).

Each kind of step is taken once, where it is first passed; KILLED=all takes every step (`make killed`).
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.database import Database
from core.rules import Rules
from tests.config.hub_process import ROOT, wait_until
from tests.scene import DECLINES, EXPIRED, Scene

FACTS: dict[str, str] = {
    "postings": "select kind, source, debit, credit, amount_micros from posting",
    "statements": "select patron_id, month, budget_micros, state, flattrs, charge_micros, fee_micros, attempts, early"
    " from statement",
    "shares": "select flattr_id, statement_id, creator_id, micros from share",
    "charges": "select statement_id, attempt, state, reference, reason from charge",
    "months": "select id, stage from month",
    "payouts": "select creator_id, amount_micros, state, attempt, reference from payout",
    "the processor's own memory": "select key, kind, amount_minor, outcome from sandbox_movement",
    "what people are told": "select kind, source, person_id from outbox",
}
"""What must be the same, however often the hub was killed; times are not in it."""


@pytest.fixture
def eve(tmp_path: Path, sqlite_template: Path, rules: Rules) -> Path:
    """A data directory as it was when the hub went down, with a month to close and money to pay."""
    folder = tmp_path / "eve"
    folder.mkdir()
    shutil.copyfile(sqlite_template, folder / "hub.db")
    db = Database(f"sqlite:///{folder / 'hub.db'}")
    scene = Scene(db, replace(rules, review=timedelta(0)), datetime(2026, 6, 10, tzinfo=UTC))
    for creator in ("maker", "other"):
        scene.creator(creator)
    scene.patron("ada", 35)
    scene.patron("bob", 10)
    for _month in range(3):
        for by in ("ada", "bob"):
            for number in range(5):
                scene.like(by, f"song-{number}-{scene.at:%m}", "maker" if number % 2 else "other")
        if _month < 2:
            month = scene.close_month()
            scene.until_settled(month)
            scene.later(days=6)
    scene.patron("cy", 7, DECLINES)
    scene.patron("di", 7, EXPIRED)
    for by in ("cy", "di"):
        scene.like(by, f"only-{by}", "maker")
    db.dispose()
    return folder


def run(folder: Path, kill_at: int) -> tuple[int, list[str]]:
    """Start the hub on this data; its exit status, and the points it passed if it lived to the end of its work."""
    points = folder / "points.txt"
    points.unlink(missing_ok=True)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FLATTR_")}
    settings = {
        "FLATTR__HUB__PORT": "0",
        "FLATTR__HUB__DATA_DIR": str(folder),
        "FLATTR__HUB__DATABASE": f"sqlite:///{folder / 'hub.db'}",
        "FLATTR__SANDBOX__ENABLED": "false",
        "FLATTR__MONEY__REVIEW_HOURS": "0",
        "FLATTR__MONEY__PAYOUT_DAY": "1",
        "KILL_AT": str(kill_at),
        "POINTS": str(points),
    }
    with (folder / "output.txt").open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__).parent / "killed_hub.py"), "run"],
            cwd=folder,
            env={**clean, "PYTHONPATH": str(ROOT), **settings},
            stdout=output,
            stderr=output,
        )
        wait_until(lambda: points.exists() or process.poll() is not None, seconds=60)
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        status = process.wait(timeout=60)
    return status, points.read_text().splitlines() if points.exists() else []


def facts(folder: Path) -> dict[str, Sequence[tuple[object, ...]]]:
    with sqlite3.connect(folder / "hub.db") as connection:
        found = {name: sorted(connection.execute(query), key=repr) for name, query in FACTS.items()}
    connection.close()
    return found


def test_the_same_books_wherever_the_hub_is_killed(eve: Path, tmp_path: Path, rules: Rules, at: datetime):
    calm = tmp_path / "calm"
    shutil.copytree(eve, calm)
    status, points = run(calm, 0)
    assert status == 0, (calm / "output.txt").read_text()
    undisturbed = facts(calm)
    assert {
        "after the commit in runner._advance_month",
        "after the commit in runner._close",
        "before the commit in collecting.collect",
        "before the charge in collecting.collect",
        "before the commit in collecting._take",
        "after the give_up in collecting.give_up",
        "after the commit in runner._pay",
        "after the transfer in payouts.send",
    } <= set(points), "the month did not go through every stage"
    assert [row for row in undisturbed["payouts"] if row[2] == "sent"]

    first = {point: number for number, point in reversed(list(enumerate(points, 1)))}
    chosen = range(1, len(points) + 1) if os.environ.get("KILLED") == "all" else sorted(first.values())

    def killed_at(number: int) -> str | None:
        folder = tmp_path / f"killed-{number}"
        shutil.copytree(eve, folder)
        status, _ = run(folder, number)
        if status != -signal.SIGKILL:
            return f"{number} ({points[number - 1]}): not killed but ended with {status}"
        status, _ = run(folder, 0)
        scene = Scene(Database(f"sqlite:///{folder / 'hub.db'}"), rules, at)
        broken = scene.broken()
        scene.db.dispose()
        wrong = [name for name, rows in facts(folder).items() if rows != undisturbed[name]]
        shutil.rmtree(folder)
        return None if not (status or broken or wrong) else f"{points[number - 1]}: {status} {broken} {wrong}"

    with ThreadPoolExecutor(2) as pool:
        told = [each for each in pool.map(killed_at, chosen) if each]
    assert told == []
