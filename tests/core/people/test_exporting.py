"""The export of everything about a person: no table that says something of a person is forgotten."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import pytest
from sqlmodel import SQLModel

import core
from core.people import exporting, persons
from core.recipients import onboarding
from core.returns import refunds
from tests.scene import Scene

TOLD_ELSEWHERE = {"payable": "whose flattrs of a month could be paid; what came of it is in `earned`"}


def tables_about_people() -> list[str]:
    for path in sorted(Path(core.__file__).parent.rglob("tables.py")):
        importlib.import_module("core." + ".".join(path.relative_to(Path(core.__file__).parent).with_suffix("").parts))
    about = ("person_id", "patron_id", "creator_id", "own_id")
    return [
        table.name
        for table in SQLModel.metadata.sorted_tables
        if any(each.name.endswith(about) for each in table.columns)
    ]


@pytest.mark.parametrize("table", [each for each in tables_about_people() if each not in TOLD_ELSEWHERE])
def test_every_table_about_people_is_in_the_export(table: str) -> None:
    assert re.search(rf"(from|join) {table}\b", inspect.getsource(exporting))


def test_what_the_processor_and_the_operator_did_is_in_it(scene: Scene) -> None:
    scene.creator("maker")
    ada = scene.patron("ada", 10)
    scene.like("ada", "song", "maker")
    month = scene.close_month()
    scene.until_settled(month)
    with scene.db.transaction() as tx:
        person = persons.person_of(tx, scene.account("maker"))
        assert person is not None
        maker = persons.key(person)
        onboarding.ensure(tx, maker, scene.at)
        statement = scene.statement(ada, month).id or 0
        refunds.ask(tx, scene.rules, statement_id=statement, amount_micros=2_500_000, reason="operator", at=scene.at)
    with scene.db.reading() as tx:
        of_ada, of_maker = (exporting.export(tx, scene.rules, each, scene.at) for each in (ada, maker))
    assert [(each["amount"]["amount"], each["state"]) for each in of_ada["refunds"]] == [("2.50 EUR", "asked")]
    assert [each["state"] for each in of_maker["payee"]] == ["unfinished"]
    assert (of_ada["payee"], of_maker["refunds"]) == ([], [])
