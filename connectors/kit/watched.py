"""Text that notices when it is compared in a way whose time tells where the first difference is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_SHORTEST = 16  # characters; a shorter thing is no signature

# What connectors take a header's value apart with; the parts are watched too.
_PARTS = (
    "__getitem__",
    "removeprefix",
    "removesuffix",
    "strip",
    "lower",
    "split",
    "partition",
    "rpartition",
    "encode",
)


class Watched(str):
    """A header's value that writes into ``seen`` how it was compared with something equal."""

    seen: list[str]

    def __eq__(self, other: object) -> bool:
        return _noticed(self, other, "==", equal=str.__eq__(self, other) is True)

    def __ne__(self, other: object) -> bool:
        return not _noticed(self, other, "!=", equal=str.__eq__(self, other) is True)

    def __hash__(self) -> int:
        return str.__hash__(self)


class WatchedBytes(bytes):
    """The same, encoded."""

    seen: list[str]

    def __eq__(self, other: object) -> bool:
        return _noticed(self, other, "==", equal=bytes.__eq__(self, other) is True)

    def __ne__(self, other: object) -> bool:
        return not _noticed(self, other, "!=", equal=bytes.__eq__(self, other) is True)

    def __hash__(self) -> int:
        return bytes.__hash__(self)


def watch(value: Any, seen: list[str]) -> Any:
    """The same text, watched; lists of texts likewise, anything else as it is."""
    match value:
        case str():
            text = Watched(value)
            text.seen = seen
            return text
        case bytes():
            data = WatchedBytes(value)
            data.seen = seen
            return data
        case list() | tuple():
            return type(value)(watch(each, seen) for each in value)
    return value


def _noticed(value: Watched | WatchedBytes, other: object, how: str, *, equal: bool) -> bool:
    if equal and len(value) >= _SHORTEST:
        value.seen.append(how)
    return equal


def _watching(method: Callable[..., Any]) -> Callable[..., Any]:
    def call(self: Watched | WatchedBytes, *arguments: Any) -> Any:
        return watch(method(self, *arguments), self.seen)

    return call


for _name in _PARTS:
    setattr(Watched, _name, _watching(getattr(str, _name)))
    if hasattr(bytes, _name):
        setattr(WatchedBytes, _name, _watching(getattr(bytes, _name)))
