"""Stripe's own description of its requests and answers, and what in a request or an answer goes against it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tests.platforms.stripe.errors import StripeError, parameter_missing
from tests.platforms.stripe.forms import numbered

PATH = Path(os.environ.get("FLATTR_STRIPE_SPEC") or Path(__file__).parents[4] / "shared/stripe/spec-subset.json")
MISSING = f"requests are not held against Stripe's description of them: {PATH} is not there (FLATTR_STRIPE_SPEC)"
_INTEGER = re.compile(r"-?\d{1,18}")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_SHOWN = 12


@dataclass(frozen=True)
class Operation:
    """One thing that can be asked of Stripe."""

    method: str
    path: str
    params: Mapping[str, Any]
    answer: Mapping[str, Any]
    form: bool
    """Values are strings (a form or a query), not JSON."""


@dataclass
class Reading:
    """A request as the description sees it."""

    values: dict[str, Any]
    problems: list[StripeError] = field(default_factory=list)


class Spec:
    """Stripe's description: ``read`` a request, ``judge`` an answer."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.version: str = document["info"]["version"]
        self.snapshots = frozenset(document["x-events"]["snapshot"])
        self.thins = frozenset(document["x-events"]["thin"])
        self._schemas: Mapping[str, Any] = document["components"]["schemas"]
        self._operations: list[tuple[list[str], Operation]] = []
        for path, methods in document["paths"].items():
            for method, told in methods.items():
                body = told.get("requestBody")
                self._operations.append(
                    (
                        path.split("/"),
                        Operation(
                            method=method.upper(),
                            path=path,
                            params=body if body is not None else told.get("query", {"type": "object"}),
                            answer=told["responses"]["200"],
                            form=told["encoding"] == "form" or body is None,
                        ),
                    )
                )

    def find(self, method: str, path: str) -> Operation | None:
        """What a method and a path ask for; a path said in full goes before one with a name in it."""
        steps = path.split("/")
        best: tuple[int, Operation] | None = None
        for pattern, operation in self._operations:
            if operation.method != method or len(pattern) != len(steps):
                continue
            named = 0
            for wanted, step in zip(pattern, steps, strict=True):
                if wanted.startswith("{"):
                    named += 1
                    if not step:
                        break
                elif wanted != step:
                    break
            else:
                if best is None or named < best[0]:
                    best = (named, operation)
        return best[1] if best else None

    def read(self, operation: Operation, params: Mapping[str, Any]) -> Reading:
        """The parameters with their types, and everything that is wrong with them."""
        reading = Reading({})
        reading.values = self._object(operation.params, params, "", reading.problems, form=operation.form)
        return reading

    def _object(
        self, schema: Mapping[str, Any], value: Any, name: str, problems: list[StripeError], *, form: bool
    ) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            problems.append(StripeError(400, f"Invalid object: {name}", code="invalid_hash", param=name, stored=False))
            return {}
        known: Mapping[str, Any] = schema.get("properties", {})
        others = schema.get("additionalProperties", not known)
        read: dict[str, Any] = {}
        for key, each in value.items():
            inner = f"{name}[{key}]" if name else key
            if key in known:
                read[key] = self._value(known[key], each, inner, problems, form=form)
            elif others is False:
                problems.append(
                    StripeError(
                        400,
                        f"Received unknown parameter: {inner}",
                        code="parameter_unknown",
                        param=inner,
                        stored=False,
                    )
                )
            else:
                read[key] = self._value(others if isinstance(others, Mapping) else {}, each, inner, problems, form=form)
        problems.extend(
            parameter_missing(f"{name}[{key}]" if name else key)
            for key in schema.get("required", ())
            if key not in value
        )
        return read

    def _value(
        self, schema: Mapping[str, Any], value: Any, name: str, problems: list[StripeError], *, form: bool
    ) -> Any:
        if "anyOf" in schema:
            for each in schema["anyOf"]:
                tried: list[StripeError] = []
                read = self._value(each, value, name, tried, form=form)
                if not tried:
                    return read
            problems.append(_invalid("value", value, name))
            return value
        if form and value == "" and name.split("[")[0] != "metadata":
            if not schema.get("x-clearable") and "type" in schema:
                problems.append(
                    StripeError(
                        400,
                        f"You passed an empty string for '{name}'. We assume empty values are an attempt to unset a "
                        f"parameter; however '{name}' cannot be unset.",
                        code="parameter_invalid_empty",
                        param=name,
                        stored=False,
                    )
                )
            return ""
        if value is None:
            return None
        return self._typed(schema, value, name, problems, form=form)

    def _typed(
        self, schema: Mapping[str, Any], value: Any, name: str, problems: list[StripeError], *, form: bool
    ) -> Any:
        match schema.get("type"):
            case "object":
                return self._object(schema, value, name, problems, form=form)
            case "array":
                listed = numbered(value) if form else value if isinstance(value, list) else None
                if listed is None:
                    problems.append(_invalid("array", value, name))
                    return []
                return [
                    self._value(schema.get("items", {}), each, f"{name}[{at}]", problems, form=form)
                    for at, each in enumerate(listed)
                ]
            case "integer" | "number" as kind:
                pattern = _INTEGER if kind == "integer" else _NUMBER
                if form and isinstance(value, str) and pattern.fullmatch(value):
                    return int(value) if kind == "integer" else float(value)
                if not form and isinstance(value, int) and not isinstance(value, bool):
                    return value
                problems.append(_invalid(kind, value, name, code=f"parameter_invalid_{kind}"))
            case "boolean":
                if form and value in ("true", "false"):
                    return value == "true"
                if not form and isinstance(value, bool):
                    return value
                problems.append(_invalid("boolean", value, name))
            case "string":
                if not isinstance(value, str):
                    problems.append(_invalid("string", value, name))
                elif "enum" in schema and value not in schema["enum"] and not schema.get("x-open-enum"):
                    wanted = ", ".join(map(str, schema["enum"][:_SHOWN]))
                    problems.append(
                        StripeError(400, f"Invalid {name}: must be one of {wanted}", param=name, stored=False)
                    )
        return value

    def judge(self, operation: Operation, answer: Any) -> list[str]:
        """What in an answer is not as the description says."""
        found: list[str] = []
        self._judge(operation.answer, answer, "", found)
        return found

    def judge_object(self, kind: str, answer: Any) -> list[str]:
        """The same for an object that nobody asked for (it is in an event)."""
        found: list[str] = []
        if kind in self._schemas:
            self._judge(self._schemas[kind], answer, kind, found)
        return found

    def _judge(self, schema: Mapping[str, Any], value: Any, at: str, found: list[str]) -> None:
        if "$ref" in schema:
            schema = self._schemas[schema["$ref"].rsplit("/", 1)[-1]]
            if isinstance(value, Mapping) and value.get("deleted") is True and "deleted" in schema["properties"]:
                return
        if schema.get("x-trimmed") or (value is None and schema.get("nullable")):
            return
        if "anyOf" in schema:
            tries: list[list[str]] = []
            for each in schema["anyOf"]:
                tries.append([])
                self._judge(each, value, at, tries[-1])
                if not tries[-1]:
                    return
            found.extend(sorted(tries, key=len)[0])
            return
        kind = schema.get("type")
        if kind == "object" and isinstance(value, Mapping):
            known = schema.get("properties", {})
            found.extend(f"{at}.{key} is missing" for key in schema.get("required", ()) if key not in value)
            for key, each in value.items():
                if key in known:
                    self._judge(known[key], each, f"{at}.{key}", found)
                elif known and "additionalProperties" not in schema and not schema.get("x-list"):
                    found.append(f"{at}.{key} is not known")
        elif kind == "array" and isinstance(value, list):
            for number, each in enumerate(value):
                self._judge(schema.get("items", {}), each, f"{at}[{number}]", found)
        elif kind is not None and not _IS[kind](value):
            found.append(f"{at} is {value!r}, not {kind}")
        elif "enum" in schema and value not in schema["enum"] and not schema.get("x-open-enum"):
            found.append(f"{at} is {value!r}, none of {schema['enum'][:_SHOWN]}")


_IS = {
    "object": lambda value: isinstance(value, Mapping),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}


def _invalid(kind: str, value: Any, name: str, *, code: str | None = None) -> StripeError:
    return StripeError(400, f"Invalid {kind}: {value}", code=code, param=name, stored=False)


@cache
def load() -> Spec | None:
    """The description where it is there, else None (and `MISSING` is the word for it)."""
    return Spec(json.loads(PATH.read_text())) if PATH.is_file() else None
