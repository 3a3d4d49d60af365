"""A folder of recorded requests beside the events they mean, as data."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from connectors.base import Answer, Delivery, Secrets
from core.events import (
    AccountRef,
    Cleared,
    Event,
    Gone,
    Liked,
    Messaged,
    Revoked,
    RoomRef,
    Seen,
    ThingRef,
    Unliked,
)

Outcome = Literal["events", "unreadable", "rejected", "answer"]

_KINDS: Mapping[str, type[Event]] = {
    kind.__name__: kind for kind in (Liked, Unliked, Cleared, Gone, Seen, Messaged, Revoked)
}
_PARTS: Mapping[str, type[Any]] = {
    "by": AccountRef,
    "author": AccountRef,
    "thing": ThingRef,
    "room": RoomRef,
}
_FIELDS = {"about", "request", "secrets", "key", "events", "unreadable", "rejected", "answer"}
_REQUEST = {"method", "path", "query", "headers", "body", "body_base64", "received_at"}
_NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
_OTHERS = ("poll-", "link-")
"""Beginnings of the names of recordings that are no requests to the hub."""


class BadVector(ValueError):
    """A recording that the kit cannot use; the message names the file and what to write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """One recorded request, the secrets it was signed with, and what it means."""

    name: str
    delivery: Delivery
    secrets: Secrets
    outcome: Outcome
    events: tuple[Event, ...] = ()
    answer: Answer | None = None
    key: str | None = None

    @property
    def genuine(self) -> bool:
        """Whether it must verify."""
        return self.outcome in ("events", "unreadable")


def read(folder: Path) -> tuple[Vector, ...]:
    """Every recorded request of a folder; BadVector if there is none, or one that is not as documented."""
    files = sorted(file for file in folder.glob("*.json") if not file.name.startswith(_OTHERS))
    if not files:
        raise BadVector(f"no recorded requests in {folder}: write one .json each, as docs/connectors.md shows")
    vectors = []
    for file in files:
        try:
            vectors.append(_vector(file.name, json.loads(file.read_text(encoding="utf-8"))))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise BadVector(f"{file}: {error!r}; docs/connectors.md shows what a recording holds") from error
    return tuple(vectors)


def said(event: Event) -> dict[str, Any]:
    """An event as a recording spells it: its kind, and every field that is not empty."""
    return {"event": type(event).__name__, **_filled(dataclasses.asdict(event))}


def _filled(fields: Mapping[str, Any]) -> dict[str, Any]:
    spelled: dict[str, Any] = {}
    for name, value in fields.items():
        match value:
            case None | () | False:
                continue
            case datetime():
                spelled[name] = value.isoformat()
            case tuple():
                spelled[name] = list(value)
            case dict():
                spelled[name] = _filled(value)
            case _:
                spelled[name] = value
    return spelled


def _vector(name: str, data: Mapping[str, Any]) -> Vector:
    only_known(data, _FIELDS, "the recording")
    outcomes: list[Outcome] = [each for each in ("events", "unreadable", "rejected", "answer") if each in data]
    if len(outcomes) != 1:
        raise ValueError("say exactly one of events, unreadable, rejected, answer")
    answer = data.get("answer")
    return Vector(
        name=name,
        delivery=_delivery(data["request"]),
        secrets={each: tuple(value.encode() for value in values) for each, values in data.get("secrets", {}).items()},
        outcome=outcomes[0],
        events=tuple(event_of(each) for each in data.get("events", ())),
        answer=Answer(answer["status"], answer.get("body", "").encode()) if answer else None,
        key=data.get("key"),
    )


def _delivery(request: Mapping[str, Any]) -> Delivery:
    only_known(request, _REQUEST, "the request")
    at = request.get("received_at")
    return Delivery(
        method=request.get("method", "POST"),
        path=request.get("path", "/"),
        query=dict(request.get("query", {})),
        headers={
            name.lower(): tuple(value) if isinstance(value, list) else (value,)
            for name, value in request.get("headers", {}).items()
        },
        body=_body(request),
        received_at=datetime.fromisoformat(at) if at else _NOON,
    )


def _body(request: Mapping[str, Any]) -> bytes:
    if "body_base64" in request:
        try:
            return base64.b64decode(request["body_base64"], validate=True)
        except ValueError as error:
            raise ValueError("body_base64 is not base64") from error
    body = request.get("body", "")
    # An object stands for its compact spelling, so that a recording of one's own can be read.
    return (body if isinstance(body, str) else compact(body)).encode("utf-8")


def compact(value: Any) -> str:
    """JSON without spaces, in the order given."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def event_of(data: Mapping[str, Any]) -> Event:
    """The inverse of `said`; ValueError or TypeError for what is no event."""
    kind = _KINDS.get(data["event"])
    if kind is None:
        raise ValueError(f"no event named {data['event']}; known: {', '.join(_KINDS)}")
    fields: dict[str, Any] = {}
    for name, value in data.items():
        if name == "event":
            continue
        if name in _PARTS and value is not None:
            fields[name] = _PARTS[name](**{**value, **({"tags": tuple(value["tags"])} if "tags" in value else {})})
        elif name == "at" and value is not None:
            fields[name] = datetime.fromisoformat(value)
        else:
            fields[name] = value
    if kind is Liked:
        fields.setdefault("author", None)
    return kind(**fields)


def only_known(data: Mapping[str, Any], known: set[str], what: str) -> None:
    """ValueError for a misspelt field."""
    if unknown := set(data) - known:
        raise ValueError(f"{what} has unknown fields {sorted(unknown)}; known: {sorted(known)}")
