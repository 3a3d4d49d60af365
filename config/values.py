"""How the values of settings are read: lists, secrets, amounts, and tables of them."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr
from pydantic_settings import NoDecode


def _listed(value: Any) -> Any:
    """A list from what an environment variable can hold: JSON, or words between commas."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return _json_list(value) or []
    return [word.strip() for word in value.split(",") if word.strip()]


def _several(value: Any) -> Any:
    """One value or a list of them, as a list; a lone text stays whole, whatever commas it has."""
    if isinstance(value, bool | int | float):
        raise ValueError("must be a text: put it between quotes")
    if isinstance(value, str):
        return _json_list(value) or [value]
    return value


def _json_list(text: str) -> list[Any] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, list) else None


Item = TypeVar("Item")
Listed = Annotated[tuple[Item, ...], NoDecode, BeforeValidator(_listed)]
Several = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_several)]
"""Several values of one secret are valid at once while it is rotated; the first is the newest."""

Amount = Annotated[Decimal, Field(ge=0, max_digits=14)]


class Section(BaseModel):
    """A table of the file; an unknown name in it is refused, and no error ever shows a value."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, frozen=True)
