"""Stripe's nested forms: `a[b][0]=c` becomes a tree, and what a tree says is read without knowing its schema."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from tests.platforms.stripe.errors import StripeError, parameter_missing

_NAME = re.compile(r"^([^\[\]]+)((?:\[[^\[\]]*\])*)$")
_PART = re.compile(r"\[([^\[\]]*)\]")

Params = dict[str, Any]


def nested(pairs: Iterable[tuple[str, str]]) -> Params:
    """The tree that a form's pairs describe: every leaf a string, an array a dict of numbers (or a list, for `[]`)."""
    tree: Params = {}
    for name, value in pairs:
        match = _NAME.match(name)
        if match is None:
            raise StripeError(400, f"Invalid request: unable to understand the parameter {name}", param=name)
        steps = [match[1], *_PART.findall(match[2])]
        at: Any = tree
        for step, further in zip(steps, [*steps[1:], None], strict=True):
            if further is None:
                if isinstance(at, list):
                    at.append(value)
                elif not isinstance(at, dict) or step in at:
                    raise StripeError(400, f"The parameter {name} came twice, or in two shapes.", param=name)
                else:
                    at[step] = value
            elif isinstance(at, list):
                raise StripeError(400, f"Objects in [] need their number: {name}", param=name)
            else:
                at = at.setdefault(step, [] if further == "" else {})
                if not isinstance(at, dict | list):
                    raise StripeError(400, f"The parameter {name} came in two shapes.", param=name)
    return tree


def numbered(value: Any) -> list[Any] | None:
    """An array however it was written; None: it is none."""
    if isinstance(value, list):
        return value
    if isinstance(value, dict) and all(each.isdigit() for each in value):
        return [value[each] for each in sorted(value, key=int)]
    return None


def text(params: Mapping[str, Any], name: str) -> str | None:
    """A string, or None where it isn't given or is cleared."""
    value = params.get(name)
    return None if value in (None, "") else str(value)


def needed(params: Mapping[str, Any], name: str) -> str:
    """A string that must be given."""
    value = text(params, name)
    if value is None:
        raise parameter_missing(name)
    return value


def number(params: Mapping[str, Any], name: str) -> int | None:
    """An integer, or None where it isn't given."""
    value = params.get(name)
    if value in (None, ""):
        return None
    try:
        return int(value)
    except ValueError:
        raise StripeError(400, f"Invalid integer: {value}", code="parameter_invalid_integer", param=name) from None


def flag(params: Mapping[str, Any], name: str) -> bool:
    """Whether something is said to be true."""
    return params.get(name) in (True, "true")


def several(params: Mapping[str, Any], name: str) -> list[str]:
    """An array of strings."""
    value = params.get(name)
    return [] if value in (None, "") else [str(each) for each in numbered(value) or [value]]


def inside(params: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """What is nested below names; empty where it isn't given."""
    at: Any = params
    for name in names:
        at = at.get(name) if isinstance(at, Mapping) else None
    return at if isinstance(at, Mapping) else {}
