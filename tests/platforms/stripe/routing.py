"""Which method answers which request: `@route("POST /v1/customers")` on a method of a part of the fake."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Handler = Callable[..., dict[str, Any]]
_Handler = TypeVar("_Handler", bound=Callable[..., Any])
MARK = "answers_route"


def route(*what: str) -> Callable[[_Handler], _Handler]:
    """A method that answers requests: called with the parameters and the path's ids."""

    def mark(method: _Handler) -> _Handler:
        setattr(method, MARK, what)
        return method

    return mark


class Routes:
    """Finds the method for a request among all that a fake has."""

    def __init__(self, fake: object) -> None:
        self._all: list[tuple[str, list[str], Handler]] = []
        for name in dir(type(fake)):
            for what in getattr(getattr(type(fake), name), MARK, ()):
                method, path = what.split(" ")
                self._all.append((method, path.split("/"), getattr(fake, name)))

    def find(self, method: str, path: str) -> tuple[Handler, list[str]] | None:
        """The method and the ids in the path; a path said in full goes before one with an id in it."""
        steps = path.split("/")
        found: list[tuple[int, Handler, list[str]]] = []
        for wanted, pattern, handler in self._all:
            if wanted == method and len(pattern) == len(steps):
                ids = [step for part, step in zip(pattern, steps, strict=True) if part.startswith("{")]
                if all(part.startswith("{") or part == step for part, step in zip(pattern, steps, strict=True)):
                    found.append((len(ids), handler, ids))
        if not found:
            return None
        _, handler, ids = min(found, key=lambda each: each[0])
        return handler, ids
