"""Rules for hostile input: a rejection for what is not signed, `Unreadable` for what is, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from connectors.base import Delivery
from connectors.kit.meaning import sound
from connectors.kit.subject import Rule, Subject, broken, with_header
from connectors.kit.vectors import Vector

HEADERS: tuple[str, ...] = (
    "",
    " ",
    "é" * 64,
    "\udcff\udcfe" * 32,  # what a server makes of bytes that are not UTF-8
    "\x00",
    "\uff10" * 64,  # digits, but not ASCII
    "0" * 64,
    "f" * 100_000,
    "9" * 5_000,
    "-1",
    "1e999",
    "NaN",
    "t=NaN,v1=00",
    "t=" + "9" * 400 + ",v1=00",
    "sha256=",
    "sha256=" + "0" * 64,
    "sha1=" + "0" * 40,
    "v0=" + "0" * 64,
    "Bearer ",
    "=",
    "====",
    ",,,,",
    "%00%ff",
)

BODIES: tuple[bytes, ...] = (
    b"",
    b" ",
    b"\x00",
    b"\xff\xfe\xfd",
    b'{"a":"\xed\xa0\x80"}',
    b"\xef\xbb\xbf{}",
    '{"a":1}'.encode("utf-16"),
    b"null",
    b"true",
    b"0",
    b'""',
    b"[]",
    b"{}",
    b"[{}]",
    b"NaN",
    b"-Infinity",
    b'{"a":1e999}',
    b'{"a":' + b"9" * 5_000 + b"}",
    b"{" * 100_000,
    b"[" * 100_000,
    b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    b'{"a":1,"a":2}',
    b"payload=%7B%7D",
    b"payload=%ff",
    b"a=1&a=2",
    b"<xml/>",
    b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
)

VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    10**40,
    1e308,
    "",
    " ",
    "\x00",
    "\ud800",
    "x" * 20_000,
    "9" * 400,
    "9999-12-31T23:59:59-23:59",
    "0001-01-01T00:00:00+23:59",
    "2026-02-30T00:00:00Z",
    "javascript:alert(1)",
    "http://[::1",
    "https://user:secret@example.org/",
    [],
    {},
    [[[]]],
    {"id": {"id": []}},
)

_MOST_PLACES = 250


def hostile_headers(subject: Subject) -> None:
    """Headers that no platform sends."""
    for vector in subject.genuine:
        credentials = subject.credentials(vector)
        key = subject.accepted(vector)
        for name in sorted({*vector.delivery.headers, *credentials}):
            own = vector.delivery.headers.get(name, ("",))[0]
            sets = [(), *((value,) for value in HEADERS), (own, own), (own, "0"), ("0", own), ("", own)]
            for values in sets:
                what = f"{vector.name} with {name}: {[value[:40] for value in values]}"
                delivery = with_header(vector.delivery, name, *values)
                subject.challenged(delivery, vector.secrets, what)
                found = subject.verdict(delivery, vector.secrets, what)
                if found is not None and name in credentials:
                    broken(
                        f"{what} is accepted",
                        "read it with delivery.header(), which refuses one that is missing or came twice",
                    )
                if found not in (None, key):
                    broken(f"{what} has another key", "make the key of signed content only")


def hostile_bodies(subject: Subject) -> None:
    """Bodies that are not signed, or signed with somebody else's secret."""
    for vector in subject.genuine:
        covered = subject.covers_body(vector)
        for body in BODIES:
            what = f"the body {body[:40]!r} ({len(body)} bytes) under the headers of {vector.name}"
            delivery = replace(vector.delivery, body=body)
            subject.challenged(delivery, vector.secrets, what)
            for sent in (delivery, subject.signed(delivery, subject.with_secrets(vector, 8))):
                accepted = subject.verdict(sent, vector.secrets, what) is not None
                if accepted and covered and body != vector.delivery.body:
                    broken(f"{what} is accepted", "compute the signature over the body as received")


def signed_bodies(subject: Subject) -> None:
    """Genuine but hostile: bodies of every kind, and each recorded value replaced by each of `VALUES`."""
    for vector in subject.genuine:
        for delivery, what in _signed(subject, vector):
            if subject.verdict(delivery, vector.secrets, what) is None:
                continue
            for event in subject.told(delivery, what) or ():
                sound(subject.card, event, what)


def _signed(subject: Subject, vector: Vector) -> Iterator[tuple[Delivery, str]]:
    for body in BODIES:
        delivery = subject.signed(replace(vector.delivery, body=body), vector.secrets)
        yield delivery, f"the signed body {body[:40]!r} ({len(body)} bytes)"
    try:
        original = json.loads(vector.delivery.body)
    except ValueError:
        return
    for holder, step, spelled in list(_places(original, vector.name))[:_MOST_PLACES]:
        kept = holder[step]
        for value in VALUES:
            holder[step] = value
            yield _resigned(subject, vector, original), f"{spelled} = {str(value)[:40]!r}"
        holder[step] = kept
        if isinstance(holder, dict):
            del holder[step]
            yield _resigned(subject, vector, original), f"{spelled} left out"
            holder[step] = kept


def _resigned(subject: Subject, vector: Vector, value: Any) -> Delivery:
    # In ASCII, because half a surrogate pair can be escaped in JSON but not written in UTF-8.
    return subject.signed(replace(vector.delivery, body=json.dumps(value).encode()), vector.secrets)


def _places(value: Any, name: str) -> Iterator[tuple[Any, Any, str]]:
    """Every place in a JSON value: what holds it, under which key or index, and how to call it."""
    steps = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for step in steps:
        yield value, step, f"{name} {step}"
        yield from _places(value[step], f"{name} {step}")


RULES: tuple[tuple[str, Rule], ...] = (
    ("hostile headers are rejected", hostile_headers),
    ("hostile bodies are rejected", hostile_bodies),
    ("a signed but hostile body is unreadable at worst", signed_bodies),
)
