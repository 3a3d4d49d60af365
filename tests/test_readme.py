"""What the README says is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from config.commands.root import flattr as main
from core.money import currency, show
from core.months.bill import bill
from core.rules import Rules

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_table_of_networks_is_the_generated_one():
    printed = CliRunner().invoke(main, ["connectors", "--markdown"]).stdout.strip()
    assert printed
    assert printed in README, "run `flattr connectors --markdown` and put its table into the README"


@pytest.mark.parametrize(
    "page", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/**/*.md")), ids=lambda page: page.name
)
def test_every_link_to_a_file_leads_somewhere(page: Path):
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("line", re.findall(r"^flattr (\w+)", README, flags=re.MULTILINE))
def test_every_command_named_exists(line: str):
    assert CliRunner().invoke(main, [line, "--help"]).exit_code == 0


def test_every_make_target_named_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z]+)", README, flags=re.MULTILINE)) <= targets


def test_the_worked_example_is_the_code_s():
    rules = Rules(money=currency("EUR"), pseudonym_key=b"")
    found = bill(rules, budget_micros=35_000_000, flattrs=10)
    assert f"| **{found.each_micros / 1e6:.2f}** |" in README
    assert show(found.fee_micros, rules.money) == "3.50 EUR"
    small = bill(rules, budget_micros=5_000_000, flattrs=62)
    assert f"forty shares are {small.each_micros + 1:,}" in README
    assert small.spare_micros == 40
