"""Writes ``flattr.toml.example`` from settings and connectors' cards: ``python -m config.commands.example``."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from config.money import usual_bounds
from config.networks.roster import found
from config.settings import PREFIX, Settings
from connectors.base import Connector

_HEAD = f"""\
# Settings of a Flattr Hub. Copy this file to flattr.toml and uncomment what you change; what is
# commented out shows the default. Every setting can also be given in the environment, which wins:
#   hub.port                         {PREFIX}HUB__PORT=9000
#   connectors.github.webhook_secret {PREFIX}CONNECTORS__GITHUB__WEBHOOK_SECRET=...
# Keep secrets in the environment, or this file readable by the hub's user only (chmod 600).
"""


def example(connectors: Mapping[str, Connector]) -> str:
    """The text of the file."""
    parts = [_HEAD, *_line("accept_policy_risk", Settings.model_fields["accept_policy_risk"], {})]
    for name, field in Settings.model_fields.items():
        model = field.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            parts += ["", *_comment(_about(model)), f"[{name}]"]
            usual = usual_bounds("EUR") if name == "money" else {}
            for key, each in model.model_fields.items():
                parts += _line(key, each, usual)
    for name, connector in sorted(connectors.items()):
        if not connector.card.pretend:
            parts += ["", *_connector(name, connector)]
    return "\n".join(parts).rstrip() + "\n"


def _connector(name: str, connector: Connector) -> Iterable[str]:
    card = connector.card
    yield from _comment(f"{card.title}. {card.what_counts}")
    yield from _comment("`flattr doctor` says what to create where. Two values in a list are both valid (rotation).")
    yield f"# [connectors.{name}]"
    for secret in card.secrets:
        yield from _comment(("" if secret.required else "(optional) ") + secret.how)
        yield f'# {secret.name} = "..."'
    for setting, about in card.settings.items():
        yield from _comment(about)
        yield f'# {setting} = "..."'


def _about(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split())


def _line(name: str, field: FieldInfo, usual: Mapping[str, str]) -> list[str]:
    value = _toml(field.get_default(call_default_factory=True))
    if value is None:
        value = usual.get(name) or json.dumps((field.examples or ["..."])[0])
    about = (field.description or "") + (" (as usual for EUR)" if name in usual else "")
    return [*_comment(about), f"# {name} = {value}"]


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, 95, initial_indent="# ", subsequent_indent="# ") if text else []


def _toml(value: Any) -> str | None:
    match value:
        case None | () | SecretStr() if not value:
            return "[]" if value == () else None
        case bool():
            return "true" if value else "false"
        case Decimal() | int():
            return str(value)
        case tuple():
            return "[" + ", ".join(_toml(each) or "" for each in value) + "]"
    return json.dumps(str(value)) if str(value) else None


if __name__ == "__main__":
    Path("flattr.toml.example").write_text(example(found()[0]), encoding="utf-8")
