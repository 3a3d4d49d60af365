"""Breaks the money's code on purpose, one small change at a time, and counts how many of the breaks the tests notice.

Run: python -m bench.mutants [--sample 400] [--only core/books] [--seed 1]. The tests run once over the code as it is,
which tells what each of them executes and how long it takes; then every change has a child process that puts it into
the loaded code and runs the tests that execute its line, until one fails: first those that noticed others of the same
function, then the quickest. Prints every change that was not noticed, and the share that was, module by module.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bench.mutations import ROOT, Mutant, mutants
from bench.mutations_known import Known, learn, quick_folder

WHERE: dict[str, tuple[str, ...]] = {
    "core/money.py": ("Currency", "split"),  # the rest reads and writes amounts for people
    "core/books/ledger.py": (),
    "core/books/reversals.py": (),
    "core/books/costs.py": (),
    "core/charges": (),
    "core/months": (),
    "core/returns": (),
    "core/payments/stripe": (),
}
"""What is changed: a module or a folder of them, and the functions and classes, if not all."""

LEFT_OUT = ("tables.py", "__init__.py")
"""Tables are held against the migrations by a test of their own."""

TESTS = (
    "tests/core/test_busy_quarter.py", "tests/core/test_to_the_letter.py", "tests/core/test_months.py",
    "tests/core/test_charges.py", "tests/core/test_money_back.py",
    "tests/core/test_giving_up.py", "tests/core/test_authenticating.py", "tests/core/test_payouts_real.py",
    "tests/core/test_returns.py", "tests/core/test_invariants_of_returns.py", "tests/core/test_closing_law.py",
    "tests/core/test_returns_law.py", "tests/core/test_likes.py", "tests/core/test_errands.py",
    "tests/core/payments", "tests/core/holds", "tests/core/statements", "tests/core/reconciling/test_costs.py",
    "tests/core/test_corners_of_money.py", "tests/core/people/test_leaving.py", "tests/core/people/test_cards.py",
)  # fmt: skip

UNFIT = "not postgres and not order_keys and not farm_moves and not fake_stripe and not test_farms"
"""Tests that take too long, or test something else."""

FIRST: dict[str, tuple[str, ...]] = {
    "core/money.py": ("test_closing_law", "test_busy_quarter"),
    "core/books/ledger.py": ("test_busy_quarter", "test_to_the_letter", "test_months", "test_money_back"),
    "core/books/reversals.py": ("test_busy_quarter", "test_money_back", "test_returns.py", "test_returns_law"),
    "core/books/costs.py": ("test_costs", "test_busy_quarter"),
    "core/months/affording.py": ("test_payouts_real", "test_busy_quarter"),
    "core/charges/answering.py": ("test_charges", "test_giving_up", "test_authenticating", "test_busy_quarter"),
    "core/charges/authenticating.py": ("test_authenticating",),
    "core/months/bill.py": ("test_busy_quarter", "test_closing_law"),
    "core/months/closing.py": ("test_busy_quarter", "test_closing_law", "test_to_the_letter", "test_months"),
    "core/charges/collecting.py": ("test_charges", "test_giving_up", "test_busy_quarter", "test_to_the_letter"),
    "core/months/dues.py": ("test_busy_quarter", "test_payouts_real", "test_money_back", "test_returns.py"),
    "core/months/payouts.py": ("test_payouts_real", "test_busy_quarter", "test_to_the_letter"),
    "core/months/review.py": ("test_busy_quarter", "test_to_the_letter", "test_months", "test_judging"),
    "core/months/runner.py": ("test_to_the_letter", "test_busy_quarter", "test_months"),
    "core/months/shares.py": ("test_busy_quarter", "test_exactness", "test_files", "test_months"),
    "core/months/stages.py": ("test_to_the_letter", "test_months", "test_likes"),
    "core/months/statements.py": ("test_busy_quarter", "test_exactness", "test_files", "test_months"),
    "core/charges/unpaid.py": ("test_busy_quarter", "test_giving_up"),
    "core/months/verdicts.py": ("test_busy_quarter", "test_closing_law", "test_months", "test_likes"),
    "core/months/worth.py": ("test_busy_quarter", "test_months", "test_likes"),
    "core/returns": ("test_returns.py", "test_busy_quarter", "test_returns_law"),
}
"""The tests that are likeliest to notice; any other order gives the same answer, later."""

LONG = 25.0
"""Seconds; a test that takes longer is not run over changes."""


@dataclass
class Tries:
    """Changes tried side by side."""

    session: pytest.Session
    known: Known
    budget: float
    """CPU seconds of tests for a change that none of them notices."""
    side_by_side: int
    until: float = float("inf")
    """When, on the monotonic clock, no more are begun."""
    tried: list[Mutant] = field(default_factory=list)
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="mutants-", dir=quick_folder())))
    noticed_by: dict[tuple[str, str], Counter[int]] = field(default_factory=dict)

    def order(self, mutant: Mutant) -> list[int]:
        """The tests for a change, the likeliest first, as many as the budget allows."""
        here = self.noticed_by.get((mutant.module, mutant.within), Counter())
        near = self.noticed_by.get((mutant.module, ""), Counter())
        cost = self.known.seconds
        first = next((FIRST[place] for place in FIRST if mutant.module.startswith(place)), ())
        names = [each.nodeid for each in self.session.items]

        def likely(test: int) -> tuple[float, ...]:
            fits = next((place for place, name in enumerate(first) if name in names[test]), len(first))
            return -here[test], -min(1, near[test]), fits, cost[test]

        tests = sorted(self.known.tests(mutant), key=likely)
        chosen: list[int] = []
        spent = 0.0
        for test in tests:
            if cost[test] <= LONG and (spent + cost[test] <= self.budget or not chosen):
                chosen.append(test)
                spent += cost[test]
        return chosen

    def run(self, chosen: Sequence[Mutant]) -> list[Mutant]:
        """Those that no test noticed."""
        waiting, survivors, done = list(enumerate(chosen)), [], 0
        running: dict[int, tuple[int, Mutant, float]] = {}
        while waiting or running:
            if time.monotonic() > self.until:
                waiting = []
            while waiting and len(running) < self.side_by_side:
                number, mutant = waiting.pop(0)
                running[self._start(number, mutant)] = (number, mutant, time.monotonic())
            ended, status = os.waitpid(-1, os.WNOHANG)
            if not ended:
                for child, (_, _, since) in running.items():
                    if time.monotonic() - since > 60 + 10 * self.budget:
                        os.kill(child, signal.SIGKILL)  # it hangs, which is noticed too
                time.sleep(0.01)
                continue
            if ended not in running:
                continue
            number, mutant, _ = running.pop(ended)
            told = self.folder / f"{number}.told"
            test = told.read_text() if told.exists() else ""
            done += 1
            self.tried.append(mutant)
            if status == 0:
                survivors.append(mutant)
                print(f"  not noticed  {mutant}", flush=True)
            elif test:
                for place in ("", mutant.within):
                    self.noticed_by.setdefault((mutant.module, place), Counter())[int(test)] += 1
            else:
                print(f"  ended with {status}, which counts as noticed  {mutant}", flush=True)
            shutil.rmtree(self.folder / str(number), ignore_errors=True)
            if done % 50 == 0:
                print(f"  {done} of {len(chosen)}, {len(survivors)} not noticed", flush=True)
        return survivors

    def _start(self, number: int, mutant: Mutant) -> int:
        tests = self.order(mutant)
        child = os.fork()
        if child:
            return child
        status = 3
        os.setsid()
        try:
            handle = os.open(self.folder / f"{number}.log", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
            os.dup2(handle, 1)
            os.dup2(handle, 2)
            limit = int(time.process_time() + 15 + 3 * self.budget)
            resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
            test = self._first_to_fail(number, mutant, tests)
            if test is not None:
                (self.folder / f"{number}.told").write_text(str(test))
            status = 0 if test is None else 1
        finally:
            sys.stdout.flush()
            os._exit(status)

    def _first_to_fail(self, number: int, mutant: Mutant, tests: Sequence[int]) -> int | None:
        from _pytest.runner import runtestprotocol

        from bench.mutations_loaded import put_in

        items = self.session.items
        vars(self.session.config)["_tmp_path_factory"]._basetemp = self.folder / str(number)
        (self.folder / str(number)).mkdir()
        if tests:
            self.session._setupstate.teardown_exact(items[tests[0]])
        try:
            put_in(mutant)
        except Exception as error:  # noqa: BLE001 - the module cannot be loaded: every test would fail
            print(f"cannot be loaded: {error!r}")
            return tests[0] if tests else -1
        for place, test in enumerate(tests):
            following = items[tests[place + 1]] if place + 1 < len(tests) else None
            reports = runtestprotocol(items[test], log=False, nextitem=following)
            failed = [report for report in reports if report.failed]
            if failed:
                print(items[test].nodeid, failed[0].longreprtext, sep="\n")
                return test
        return None


class Plan:
    """The plugin that runs changes instead of the tests, once these are collected."""

    def __init__(self, chosen: Sequence[Mutant], options: argparse.Namespace) -> None:
        self._chosen, self._options = chosen, options
        self.tried: list[Mutant] = []
        self.survivors: list[Mutant] = []

    def pytest_sessionstart(self) -> None:
        """What fails need not be made small."""
        from hypothesis import Phase, settings

        phases = (Phase.explicit, Phase.generate)
        settings.register_profile("mutants", database=None, deadline=None, phases=phases, print_blob=False)
        settings.load_profile("mutants")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Learn from the unchanged code, then try the changes."""
        options = self._options
        known = learn(session, options.side_by_side, options.known)
        first = Tries(session, known, options.budget, options.side_by_side)
        first.until = time.monotonic() + 60 * options.minutes
        print(
            f"{len(session.items)} tests, {sum(each for each in known.seconds if each <= LONG):.0f} s; the changes:",
            flush=True,
        )
        missed = first.run(self._chosen)
        self.tried = first.tried
        if missed and options.again > options.budget:
            print(f"{len(missed)} once more, with more tests:", flush=True)
            second = Tries(session, known, options.again, options.side_by_side)
            second.noticed_by = first.noticed_by
            missed = second.run(missed)
        self.survivors = missed
        return True


def every(only: str) -> list[Mutant]:
    """All changes of the modules whose path begins like this."""
    found = []
    for place, names in WHERE.items():
        path = ROOT / place
        for file in [path] if path.suffix else sorted(path.glob("*.py")):
            if file.name in LEFT_OUT or not str(file.relative_to(ROOT)).startswith(only):
                continue
            found += [each for each in mutants(file) if not names or each.within.split(".")[0] in names]
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, help="so many of the changes, drawn at random; default: all")
    parser.add_argument("--only", default="", help="modules whose path begins like this")
    parser.add_argument("--match", default="", help="changes whose description has this in it")
    parser.add_argument("--listed", type=Path, help="only the changes that are in this file, as they were printed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--budget", type=float, default=8, help="CPU seconds of tests per change at first")
    parser.add_argument("--again", type=float, default=45, help="and for those that were not noticed")
    parser.add_argument("--minutes", type=float, default=600, help="begin no more changes after this; drawn at random")
    parser.add_argument("--side-by-side", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--known", type=Path, help="a file that keeps what the unchanged code told, for another run")
    parser.add_argument("--list", action="store_true", help="print the changes and try none")
    parser.add_argument("--tests", nargs="*", default=list(TESTS))
    options = parser.parse_args()
    os.chdir(ROOT)
    all_of_them = [each for each in every(options.only) if options.match in str(each)]
    if options.listed:
        listed = options.listed.read_text()
        all_of_them = [each for each in all_of_them if str(each) in listed]
    chosen = list(all_of_them)
    random.Random(options.seed).shuffle(chosen)
    chosen = chosen[: options.sample]
    print(f"{len(all_of_them)} changes; trying {len(chosen)}", flush=True)
    if options.list:
        print(*sorted(map(str, chosen)), sep="\n")
        return
    plan = Plan(chosen, options)
    folder = tempfile.mkdtemp(prefix="mutants-known-", dir=quick_folder())
    quiet = ["-q", "-s", "-p", "no:cacheprovider", "-p", "no:xdist", "-k", UNFIT, "--hypothesis-seed=1"]
    pytest.main([*quiet, f"--basetemp={folder}", *options.tests], plugins=[plan])
    shutil.rmtree(folder, ignore_errors=True)
    if not plan.tried:
        raise SystemExit("nothing was tried; see above")
    print(f"\n{'module':<44}{'tried':>7}{'noticed':>9}{'share':>8}")
    for module in [*sorted({each.module for each in plan.tried}), ""]:
        tried = [each for each in plan.tried if module in ("", each.module)]
        missed = [each for each in plan.survivors if module in ("", each.module)]
        share = f"{1 - len(missed) / len(tried):>8.1%}"
        print(f"{module or 'all':<44}{len(tried):>7}{len(tried) - len(missed):>9}{share}")
    print(*sorted(map(str, plan.survivors)), sep="\n")


if __name__ == "__main__":
    main()
