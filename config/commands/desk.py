"""What every subcommand shares: settings and parts opened when needed, arguments that name things."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from sqlmodel import Session

from config import reading
from config.commands import logs
from config.complaints import Impossible, closest
from config.networks.roster import found
from config.parts import Parts, assemble
from config.settings import Settings
from core.events import AccountRef
from core.people import persons
from core.periods import parse_month

F = TypeVar("F", bound=Callable[..., Any])
_ACCOUNT = re.compile(r"(?P<platform>[a-z][a-z0-9_]*):(?P<id>\S{1,200})")


class Desk:
    """Opens what a subcommand asks for, once, and closes it at the end."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._settings: Settings | None = None
        self._parts: Parts | None = None

    @property
    def settings(self) -> Settings:
        """The settings; Misconfigured if they cannot be used."""
        if self._settings is None:
            self._settings = reading.read(self._path)
            logs.set_up(self._settings.hub)
        return self._settings

    @property
    def parts(self) -> Parts:
        """Database, rules, connectors."""
        if self._parts is None:
            self._parts = assemble(self.settings)
        return self._parts

    def close(self) -> None:
        """Close what was opened."""
        if self._parts is not None:
            self._parts.close()


def json_option(command: F) -> F:
    """Adds ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of tables.")(command)


class Account(click.ParamType[Any]):
    """PLATFORM:ACCOUNT_ID, the platform being one that an installed connector (or the web) knows."""

    name = "account"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> AccountRef:
        """The account, or a usage error that names the remedy."""
        if isinstance(value, AccountRef):
            return value
        match = _ACCOUNT.fullmatch(value)
        if not match:
            self.fail(
                f"{value!r} is not an account; write PLATFORM:ACCOUNT_ID, like discord:80351110224678912",
                param,
                ctx,
            )
        connectors = found()[0]
        known = {*connectors, "web"}
        if match["platform"] not in known:
            self.fail(f"no connector named {match['platform']}: {closest(match['platform'], known)}", param, ctx)
        if connector := connectors.get(match["platform"]):
            card = connector.card
            if not re.fullmatch(card.account_id_pattern, match["id"]):
                how = card.account_id_how or f"an id matches {card.account_id_pattern}"
                self.fail(f"{match['id']!r} is not an account id of {card.title}; {how}", param, ctx)
        return AccountRef(platform=match["platform"], account_id=match["id"])


class MonthName(click.ParamType[Any]):
    """A month like 2026-11, as the core counts them."""

    name = "month"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The month's number, or a usage error."""
        if isinstance(value, int):
            return value
        try:
            return parse_month(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def person_id(parts: Parts, tx: Session, text: str) -> int:
    """A person by id or by one of their accounts; Impossible names the remedy."""
    try:
        person = persons.find(tx, text)
    except LookupError as error:
        raise Impossible(str(error.args[0] if error.args else error)) from None
    return int(person.id or 0)
