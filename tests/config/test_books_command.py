"""`flattr book` and `flattr export`, on the books that a real hub made."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from config.parts import assemble
from config.reading import read
from core.books import check_book
from tests.core.books.busy import post_some
from tests.scene import Scene

Run = Callable[..., Result]


@pytest.fixture(params=["sqlite", "postgresql"])
def filled(request, flattr: Run, alone: Path, monkeypatch: pytest.MonkeyPatch, rules, at) -> Run:
    """The command on a hub with three postings in November."""
    if request.param == "postgresql":
        database = request.getfixturevalue("postgres_db")
        monkeypatch.setenv("FLATTR__HUB__DATABASE", database.url.render_as_string(hide_password=False))
    assert flattr("months").exit_code == 0  # makes what the first start makes
    parts = assemble(read(None))
    post_some(Scene(parts.db, rules, at), 1, 3)
    parts.close()
    return flattr


def test_a_book_is_sealed_listed_and_handed_out(filled: Run, alone: Path) -> None:
    assert "sealed so far: none yet" in filled("book", "2026-11").output
    assert json.loads(filled("book", "list", "--json").output) == {"books": [], "unsealed": 3}
    assert filled("book", "seal").output == "3 postings were sealed.\n"
    assert json.loads(filled("book", "seal", "--json").output) == {"sealed": 0}
    assert json.loads(filled("book", "2026-11").output)["month"] == "2026-11"
    result = filled("book", "2026-11", "--output", "book.json")
    assert (result.exit_code, result.output) == (0, "")
    assert check_book.main(["book.json"]) == 0
    assert (alone / "book.json").stat().st_mode & 0o777 == 0o600
    (found,) = json.loads(filled("book", "list", "--json").output)["books"]
    assert (found["month"], found["postings"]) == ("2026-11", 3)
    assert "2026-11" in filled("book", "list").output


def test_a_book_that_is_not_there_leaves_no_file(filled: Run, alone: Path) -> None:
    result = filled("book", "2026-10", "--output", "book.json")
    assert result.exit_code == 1
    assert "there is no book of 2026-10" in result.output
    assert not (alone / "book.json").exists()


def test_the_ledger_is_exported_as_beancount_reads_it(filled: Run) -> None:
    assert filled("export", "--beancount", "--output", "x.beancount").exit_code == 0
    words = [sys.executable, "-m", "beancount.scripts.check", "x.beancount"]
    assert subprocess.run(words, capture_output=True, check=False).returncode == 0
    assert filled("export", "--beancount").output.startswith("; The ledger of a Flattr Hub, 3 postings.")


def test_all_about_a_person_is_exported(filled: Run) -> None:
    filled("say", "sandbox:ada", "budget 35 now")
    found = json.loads(filled("export", "sandbox:ada").output)
    assert found["format"] == "flattr-hub-person/1"
    assert found["budgets"][0]["amount"]["amount"] == "35.00 EUR"
    assert {found[each] == [] for each in ("refunds", "disputes", "held_of_yours", "held_for_you", "payee")} == {True}


@pytest.mark.parametrize(
    ("words", "help_", "status"),
    [
        (["export"], "name a person, or say --beancount", 2),
        (["export", "1", "--beancount"], "name a person, or say --beancount", 2),
        (["export", "999"], "999", 1),
        (["export", "--beancount", "--output", "none/x"], "cannot write none/x", 1),
        (["book", "2026-13"], "write it like 2026-11", 2),
        (["book", "burn"], "No such command", 2),
    ],
)
def test_a_mistake_is_answered_with_help(filled: Run, words: list[str], help_: str, status: int) -> None:
    result = filled(*words)
    assert help_ in result.output
    assert result.exit_code == status
