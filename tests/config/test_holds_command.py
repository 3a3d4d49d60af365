"""`flattr holds`, on money that a real closing held."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from config.parts import assemble
from config.reading import read
from tests.core.holds.world import World

Run = Callable[..., Result]


@pytest.fixture(params=["sqlite", "postgresql"])
def held(request, flattr: Run, alone: Path, monkeypatch: pytest.MonkeyPatch, rules, at) -> Run:
    """The command on a hub where 9.00 of a new pair are held."""
    if request.param == "postgresql":
        database = request.getfixturevalue("postgres_db")
        monkeypatch.setenv("FLATTR__HUB__DATABASE", database.url.render_as_string(hide_password=False))
    assert flattr("months").exit_code == 0  # makes what the first start makes
    parts = assemble(read(None))
    world = World(parts.db, rules, at)
    world.creator("maker")
    world.patron("ada", 10)
    world.like("ada", "song")
    world.close_month()
    parts.close()
    return flattr


def found(run: Run, *words: str) -> list[dict[str, object]]:
    result = run("holds", "list", "--json", *words)
    assert result.exit_code == 0, result.output
    holds: list[dict[str, object]] = json.loads(result.stdout)["holds"]
    return holds


def test_what_is_held_is_listed_with_its_reason(held: Run) -> None:
    (hold,) = found(held)
    assert (hold["month"], hold["micros"], hold["reasons"]) == ("2026-11", 9_000_000, ["new_pair"])
    assert (hold["state"], hold["charge"]) == ("held", "collected")
    assert "9.00" in held("holds").output
    assert held("holds").output == held("holds", "list").output


def test_one_hold_is_shown_with_what_is_around_it(held: Run) -> None:
    shown = held("holds", "show", "1").output
    assert "a new card and a new creator who have only each other" in shown
    assert "patron gives to creators" in shown
    assert re.search(r"patron accounts: +\w+:\w+", shown), "who it is, and not a number alone"
    assert json.loads(held("holds", "show", "1", "--json").stdout)["creator_gets_micros"] == 9_000_000


def test_a_released_hold_is_off_the_list(held: Run) -> None:
    result = held("holds", "release", "1", "--note", "known to us")
    assert (result.exit_code, "next payout run" in result.output) == (0, True)
    assert found(held) == []
    assert held("holds").output == "Nothing is held.\n"
    (hold,) = found(held, "--all")
    assert (hold["state"], hold["note"], hold["decided_by"]) == ("released", "known to us", "operator")


def test_a_void_hold_goes_back_to_the_patron(held: Run) -> None:
    assert held("holds", "void", "1", input="n\n").exit_code == 1, "who does not confirm decides nothing"
    result = held("holds", "void", "1", "--note", "the same household", input="y\n")
    assert "10.00 EUR go back to the patron" in result.output
    (hold,) = found(held, "--all")
    assert (hold["state"], hold["refund"]) == ("voided", "asked")
    assert "refund" in held("holds", "show", "1").output


@pytest.mark.parametrize("words", [["release", "7"], ["void", "7"], ["show", "7"]])
def test_a_hold_that_is_not_there_is_said_in_one_line(held: Run, words: list[str]) -> None:
    result = held("holds", *words)
    assert result.exit_code == 1
    assert "there is no hold 7" in result.output


def test_a_hold_is_decided_once(held: Run) -> None:
    held("holds", "void", "1", "--yes")
    assert "was voided before" in held("holds", "void", "1").output
    result = held("holds", "release", "1")
    assert result.exit_code == 1
    assert "its money goes back to the patron" in result.output


def test_nothing_held_is_said(flattr: Run) -> None:
    assert flattr("holds").output == "Nothing is held.\n"
    assert flattr("holds", "list", "--all").output == "There was never a hold.\n"
