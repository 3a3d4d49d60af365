"""Reads the settings from ``flattr.toml`` and the environment; says in one line what is wrong."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_settings import SettingsError

from config.complaints import Misconfigured, closest, one_line
from config.settings import PREFIX, Settings

DEFAULT_FILE = Path("flattr.toml")

_WHOLE, _NUMBER = "should be a whole number", "should be a number"
_SECTION = "is a section, not one value: write [{name}] and its settings below it"
_PLAINLY = {
    "int_parsing": _WHOLE,
    "int_type": _WHOLE,
    "int_from_float": _WHOLE,
    "decimal_parsing": _NUMBER,
    "decimal_type": _NUMBER,
    "bool_parsing": "should be true or false",
    "bool_type": "should be true or false",
    "string_type": "should be a text between quotes",
    "model_type": _SECTION,
    "dict_type": _SECTION,
}
"""Plain words for errors that the checking library tells in its own."""


def read(path: Path | None = None) -> Settings:
    """The settings from a file and the environment; Misconfigured names the first thing that is wrong.

    Without a path: ``FLATTR_CONFIG``, else ``flattr.toml`` in the working directory if there is one.
    """
    named = path or (Path(os.environ["FLATTR_CONFIG"]) if os.environ.get("FLATTR_CONFIG") else None)
    content = _file(named or DEFAULT_FILE, must_exist=named is not None)
    _check_environment()
    try:
        return Settings(**content)
    except ValidationError as error:
        raise Misconfigured(_in_words(error, str(named or DEFAULT_FILE))) from None
    except SettingsError as error:
        raise Misconfigured(f"{one_line(str(error))}; a whole section in one variable must be JSON") from None


def _file(path: Path, *, must_exist: bool) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if must_exist:
            raise Misconfigured(
                f"there is no file {path}; copy flattr.toml.example there or correct --config (FLATTR_CONFIG)"
            ) from None
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"cannot read {path}: {error}; it must be a readable UTF-8 file") from None
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(f"{path} is not TOML: {error}; see flattr.toml.example") from None


def _check_environment() -> None:
    """Variables of ours that name no section; the names within a section are checked with the file's."""
    sections = Settings.model_fields
    for variable in sorted(os.environ):
        name = variable.upper()
        if name.startswith("FLATTR_") and "__" in name and not name.startswith(PREFIX):
            raise Misconfigured(f"the environment variable {variable} is not read; settings begin with {PREFIX}")
        if name.startswith(PREFIX) and name.removeprefix(PREFIX).split("__")[0].lower() not in sections:
            known = [f"{PREFIX}{section.upper()}" for section in sections]
            head = "__".join(name.split("__")[:2])
            raise Misconfigured(f"the environment variable {variable} sets nothing: {closest(head, known)}")


def _in_words(error: ValidationError, file: str) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    path = [str(part) for part in first["loc"]]
    variable = PREFIX + "__".join(path).upper()
    name, source = ".".join(path), variable if variable in os.environ else file
    if first["type"] == "extra_forbidden":
        return f"unknown setting {name} in {source}: {closest(path[-1], _names(path[:-1]))}"
    reason = _PLAINLY.get(first["type"]) or first["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return one_line(f"{name} in {source} {reason.format(name=name)}; see flattr.toml.example")


def _names(section: list[str]) -> list[str]:
    model: type[BaseModel] = Settings
    for name in section:
        annotation = model.model_fields[name].annotation if name in model.model_fields else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)
