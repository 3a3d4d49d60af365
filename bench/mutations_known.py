"""What the tests do with the code as it is: which lines each executes, and how long it takes."""

from __future__ import annotations

import hashlib
import os
import pickle
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.mutations import ROOT, Mutant
from bench.mutations_loaded import users_of


@dataclass
class Known:
    """What the run over the code as it is told."""

    seconds: list[float]
    """By test."""
    by_line: dict[str, dict[int, set[int]]]
    """By module and line, the tests that execute it."""

    def tests(self, mutant: Mutant) -> set[int]:
        """Those that execute what is changed: its line; or those of the functions that use a constant."""
        lines = self.by_line.get(mutant.module, {})
        if found := lines.get(mutant.line):
            return found
        users = users_of(mutant)
        found = {test for module, numbers in users.items() for line in numbers
                 for test in self.by_line.get(module, {}).get(line, ())}  # fmt: skip
        return found or {test for tests in lines.values() for test in tests}


@dataclass(frozen=True, slots=True)
class Learnt:
    """What one test does with the code as it is."""

    seconds: float
    lines: dict[str, list[int]]
    """Executed, by module."""


def learn(session: pytest.Session, side_by_side: int, kept: Path | None) -> Known:
    """Run every test over the code as it is, but for those that are known from a run over the same code and tests."""
    same = hashlib.sha256(b"".join(each.read_bytes() for each in sorted((ROOT / "core").rglob("*.py")))).hexdigest()
    tests = {each.path: hashlib.sha256(each.path.read_bytes()).hexdigest() for each in session.items}
    known: dict[tuple[str, ...], Learnt] = pickle.loads(kept.read_bytes()) if kept and kept.exists() else {}
    keys = [(same, tests[each.path], each.nodeid) for each in session.items]
    _run_once(session, [0])  # here, so that the session's fixtures are up for all children
    missing = [number for number, key in enumerate(keys) if key not in known]
    with tempfile.TemporaryDirectory(dir=quick_folder()) as folder:
        children = {}
        for part in range(side_by_side):
            child = os.fork()
            if not child:
                os.setsid()
                try:
                    mine = missing[part::side_by_side]
                    told = dict(zip([keys[each] for each in mine], _run_once(session, mine), strict=True))
                    (Path(folder) / str(part)).write_bytes(pickle.dumps(told))
                    os._exit(0)
                except BaseException:  # noqa: BLE001 - a forked child must never return
                    traceback.print_exc()
                    os._exit(1)
            children[child] = part
        for child, part in children.items():
            if os.waitpid(child, 0)[1]:
                raise RuntimeError("the tests did not run over the code as it is")
            known |= pickle.loads((Path(folder) / str(part)).read_bytes())
    if kept:
        kept.write_bytes(pickle.dumps(known))
    by_line: dict[str, dict[int, set[int]]] = {}
    for number, key in enumerate(keys):
        for module, lines in known[key].lines.items():
            for line in lines:
                by_line.setdefault(module, {}).setdefault(line, set()).add(number)
    return Known([known[key].seconds for key in keys], by_line)


def _run_once(session: pytest.Session, numbers: Sequence[int]) -> list[Learnt]:
    """Run these tests over the code as it is."""
    import coverage
    from _pytest.runner import runtestprotocol

    found = []
    for place, number in enumerate(numbers):
        item = session.items[number]
        measured = coverage.Coverage(data_file=None, source=[str(ROOT / "core")], config_file=False, messages=False)
        measured._warn_unimported_source = False
        measured._warn_no_data = False
        if place == 0:
            session._setupstate.teardown_exact(item)
        before = time.process_time()
        # Any other item leaves the session's fixtures up.
        following = session.items[numbers[place + 1] if place + 1 < len(numbers) else number - 1]
        measured.start()
        reports = runtestprotocol(item, log=False, nextitem=following)
        measured.stop()
        seconds, data = time.process_time() - before, measured.get_data()
        if failed := [report.longreprtext for report in reports if report.failed]:
            print(f"left out, since it fails on the code as it is: {item.nodeid}\n{failed[0][-1500:]}", flush=True)
            seconds = float("inf")
        lines = {str(Path(name).relative_to(ROOT)): data.lines(name) or [] for name in data.measured_files()}
        found.append(Learnt(seconds, lines))
    return found


def quick_folder() -> str | None:
    """A folder in memory, if there is one."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
