"""How the command prints: tables for people, JSON for programs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from connectors.base import Colour
from core.money import Currency, plain
from core.periods import month_name

LIGHTS: Mapping[Colour, str] = {
    "green": "[green]● green[/]",
    "amber": "[yellow]● amber[/]",
    "red": "[red]● red[/]",
}


def console(*, error: bool = False) -> Console:
    """A console that does not squeeze tables into 80 columns where nobody looks at a terminal."""
    stream = sys.stderr if error else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else 140
    return Console(file=stream, width=width, highlight=False, soft_wrap=False)


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]] = (),
    *,
    right: Sequence[str] = (),
    fold: Sequence[str] = (),
) -> Table:
    """A table; cells are shown as they are, ``right``: columns flush right, ``fold``: not squeezed."""
    made = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        made.add_column(
            column,
            justify="right" if column in right else "left",
            overflow="fold",
            min_width=24 if column in fold else None,
        )
    for row in rows:
        made.add_row(*(escape("" if cell is None else str(cell)) for cell in row))
    return made


def print_table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    right: Sequence[str] = (),
    fold: Sequence[str] = (),
) -> None:
    """A table under its title."""
    to = console()
    to.print(f"[bold]{escape(title)}[/]", soft_wrap=True)
    to.print(table(columns, rows, right=right, fold=fold))


def say(text: str = "") -> None:
    """A line for people."""
    console().print(escape(text), soft_wrap=True)


def put(data: Any) -> None:
    """Data for programs: one JSON document on standard output."""
    print(as_json(data))


def as_json(data: Any) -> str:
    """Data for programs: one JSON document."""
    return json.dumps(data, default=_plain, ensure_ascii=False, indent=2)


def amount(micros: int, money: Currency) -> str:
    """An amount in a column whose head names the currency."""
    return plain(micros, money)


_MONTHS = frozenset({"month", "reviewing"})
"""Fields that hold a month as the core counts them; programs read it as people do."""


def _named(name: str, value: Any) -> Any:
    return month_name(value) if name in _MONTHS and isinstance(value, int) else value


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _named(each.name, getattr(value, each.name)) for each in fields(value)}
    match value:
        case datetime() | date():
            return value.isoformat()
        case Enum():
            return value.value
        case frozenset() | set():
            return sorted(value)
        case Mapping():
            return dict(value)
    return str(value)
