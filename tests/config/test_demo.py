"""The demo proves its figures, and would notice if one were off."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.testing import Result

from config import demo
from config.proof import Story


@pytest.fixture(scope="module")
def story() -> Story:
    return demo.play()


def test_ten_shares_of_3_15_and_a_fee_of_3_50_make_35(story: Story) -> None:
    ada = story.statements["Ada"]
    assert [line.micros for line in ada.shares] == [3_150_000] * 10
    assert (ada.fee_micros, ada.charge_micros) == (3_500_000, 35_000_000)
    assert len(ada.pending) == 1
    assert [check for check in story.checks if not check.right] == []


def test_the_story_has_all_its_turns(story: Story) -> None:
    what = {check.what for check in story.checks}
    assert "Hugo is one person on two networks" in what
    assert "a forged delivery is turned away" in what
    assert "closing the month again: tables of money that changed" in what
    assert story.statements["Greta"].state == "lapsed"
    assert [paid.micros for paid in story.payouts if paid.creator == "Finn"] == [2_250_000]
    assert any("pending" in answer for who, said, answer in story.talk if (who, said) == ("Hugo on Square", "status"))


def test_it_is_told_as_tables_and_as_json(
    story: Story, flattr: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "play", lambda: story)
    told = flattr("demo")
    assert told.exit_code == 0
    assert "ten shares of 3.15 and a fee of 3.50 make 35.00" in told.output
    assert told.output.count(" 3.15 ") >= 10
    as_json = flattr("demo", "--json")
    assert as_json.exit_code == 0
    assert json.loads(as_json.stdout)["statements"]["Ada"]["charge_micros"] == 35_000_000


def test_a_figure_that_is_off_is_named_and_the_exit_status_is_1(
    story: Story, flattr: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = Story(month=story.month, currency="EUR", statements=story.statements)
    wrong.check("Ada's shares", 3_150_000, 3_149_999)
    monkeypatch.setattr(demo, "play", lambda: wrong)
    told = flattr("demo")
    assert told.exit_code == 1
    assert "WRONG  Ada's shares: expected 3150000, found 3149999" in told.output
    assert flattr("demo", "--json").exit_code == 1


def test_a_story_that_proved_nothing_is_not_right() -> None:
    assert not Story(month=1, currency="EUR").right
