"""The ledger as a Beancount file, checked by Beancount itself."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from core.books import beancount, ledger
from core.money import currency
from tests.core.books.busy import EVERY_KIND, post_every_kind
from tests.scene import DECLINES, Scene


def written(scene: Scene, folder: Path) -> Path:
    path = folder / "ledger.beancount"
    with scene.db.reading() as tx:
        path.write_text("".join(beancount.lines(tx, scene.rules.money, pretend=True)))
    return path


def bean_check(path: Path) -> tuple[int, str]:
    words = [sys.executable, "-m", "beancount.scripts.check", str(path)]
    run = subprocess.run(words, capture_output=True, text=True, check=False)
    return run.returncode, run.stdout + run.stderr


@pytest.fixture
def busy(scene: Scene) -> Scene:
    """Three months of several people, some money carried on, a payout sent."""
    for name in ("maker", "smith"):
        scene.creator(name)
    scene.patron("ada", 10)
    scene.patron("bob", 5)
    scene.patron("eve", 7, DECLINES)
    for month in range(3):
        for number in range(7):
            scene.like("ada", f"song-{month}-{number}", "maker" if number % 2 else "smith")
            scene.like("bob", f"tune-{month}-{number}", "smith")
            scene.like("eve", f"tune-{month}-{number}", "smith")
        scene.until_settled(scene.close_month())
        scene.later(days=12)
        scene.advance()
    return scene


def test_bean_check_passes_a_busy_ledger(busy, tmp_path):
    with busy.db.reading() as tx:
        assert ledger.owed(tx, ledger.TRANSIT) == 0
    path = written(busy, tmp_path)
    assert "sent payout:1" in path.read_text()
    assert bean_check(path) == (0, "")


@pytest.mark.parametrize("code", ["EUR", "JPY"])
def test_bean_check_passes_every_kind_of_posting(db, rules, at, tmp_path, code):
    scene = Scene(db, dataclasses.replace(rules, money=currency(code)), at)
    post_every_kind(scene)
    path = written(scene, tmp_path)
    assert path.read_text().count('"odd') == 2
    assert path.read_text().count(" * ") == len(EVERY_KIND)
    assert bean_check(path) == (0, "")


def test_a_single_micro_is_not_overlooked(busy, tmp_path):
    path = written(busy, tmp_path)
    text = path.read_text()
    where = text.index("balance Liabilities:Creators")
    digit = text.index(" ~ 0", where) - 1
    path.write_text(text[:digit] + str((int(text[digit]) + 1) % 10) + text[digit + 1 :])
    status, said = bean_check(path)
    assert status == 1
    assert "Balance failed" in said


@pytest.mark.parametrize("pretend", [True, False])
def test_the_file_says_whether_its_money_is_pretend(busy, tmp_path, pretend):
    path = tmp_path / "ledger.beancount"
    with busy.db.reading() as tx:
        path.write_text("".join(beancount.lines(tx, busy.rules.money, pretend=pretend)))
    assert ('option "title" "Flattr Hub (pretend money)"' in path.read_text()) == pretend
    assert bean_check(path) == (0, "")


def test_nothing_posted_is_a_file_too(scene, tmp_path):
    assert bean_check(written(scene, tmp_path)) == (0, "")


def test_every_kind_of_account_has_a_name():
    assert {beancount.account(8 * 5 + kind) for kind in (2, 3)} == {
        "Liabilities:Patrons:P5",
        "Liabilities:Creators:P5",
    }
    assert len({beancount.account(kind) for kind in (0, 1, 4, 5, 6, 7)}) == 6
