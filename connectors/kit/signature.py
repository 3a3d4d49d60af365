"""Rules of the signature: nothing forged is believed, secrets can be rotated, identity is what was signed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from connectors.base import Delivery, Secrets
from connectors.kit.subject import Rule, Subject, alike, broken, places, with_header
from connectors.kit.vectors import Vector
from connectors.kit.watched import watch

_COVER = "compute the signature over every byte of delivery.body as received, and compare all of it"
_KEY = re.compile(r"[!-~]{1,200}")
_UNSIGNED = "use signed content only (the body) for the key, for the type and for what the events say"


def flipped_body(subject: Subject) -> None:
    """A body with one changed bit is not the platform's."""
    for vector in subject.genuine:
        if not subject.covers_body(vector):
            continue
        body = bytearray(vector.delivery.body)
        for place in places(len(body)):
            for bit in (1, 32):
                body[place] ^= bit
                _rejected(subject, vector, bytes(body), f"{vector.name} with byte {place} flipped")
                body[place] ^= bit


def truncated_body(subject: Subject) -> None:
    """A body that ends too early or too late is not the platform's."""
    for vector in subject.genuine:
        if not subject.covers_body(vector):
            continue
        body = vector.delivery.body
        for length in places(len(body)):
            _rejected(subject, vector, body[:length], f"{vector.name} cut to {length} bytes")
        for more in (b" ", b"\n", b"\0", body):
            if body + more != body:
                _rejected(subject, vector, body + more, f"{vector.name} with {len(more)} bytes appended")


def flipped_signature(subject: Subject) -> None:
    """A signature with one changed character, cut or lengthened, is none."""
    for vector in subject.genuine:
        for name in subject.credentials(vector):
            value = _value(vector, name)
            changed = [value[:place] + chr(ord(value[place]) ^ 1) + value[place + 1 :] for place in range(len(value))]
            changed += [value[:length] for length in range(len(value))]
            changed += [f"{value}0", f" {value}", f"{value} ", f"{value}\n", f"{value},{value}"]
            for sent in changed:
                delivery = with_header(vector.delivery, name, sent)
                what = f"{vector.name} with {name} changed from {value!r} to {sent!r}"
                if subject.verdict(delivery, vector.secrets, what) is not None:
                    broken(
                        f"{what} is accepted",
                        "match the header's whole text (fullmatch), compare it as text, not as decoded bytes",
                    )


def wrong_secret(subject: Subject) -> None:
    """What another secret signed is rejected, and so is everything under a secret that is gone."""
    for vector in subject.genuine:
        forged = subject.signed(vector.delivery, subject.with_secrets(vector, 3))
        for delivery, secrets, what in (
            (forged, vector.secrets, f"{vector.name} signed with another secret"),
            (
                vector.delivery,
                subject.with_secrets(vector, 4),
                f"{vector.name} after its secret was replaced",
            ),
        ):
            if subject.verdict(delivery, secrets, what) is not None:
                broken(f"{what} is accepted", "compare with the signature made with the hub's own secrets")


def no_secret(subject: Subject) -> None:
    """Without a secret, or with an empty one (which everybody knows), nothing is believed."""
    for vector in subject.genuine:
        empty: Secrets = dict.fromkeys(vector.secrets, (b"",))
        nothing: Secrets = dict.fromkeys(vector.secrets, ())
        try:
            forged = subject.sign(vector.delivery, empty)
        except Exception:  # noqa: BLE001 - some signers cannot sign with an empty key, and so can no forger
            forged = vector.delivery
        for secrets in (empty, nothing, {}):
            for delivery in (forged, vector.delivery):
                if subject.verdict(delivery, secrets, f"{vector.name} under {secrets}") is not None:
                    broken(
                        f"{vector.name} is accepted under the secrets {secrets}",
                        "skip empty secrets, and reject where none is left",
                    )


def rotation(subject: Subject) -> None:
    """While a secret is rotated both values are valid, in any order, and the key is the same under each."""
    for vector in subject.genuine:
        signers = [subject.with_secrets(vector, number) for number in (5, 6, 7)]
        keys = set()
        for signer in signers:
            delivery = subject.signed(vector.delivery, signer)
            for order in (signers, signers[::-1]):
                valid = {name: tuple(each[name][0] for each in order) for name in vector.secrets}
                key = subject.verdict(delivery, valid, f"{vector.name} while a secret is rotated")
                if key is None:
                    broken(
                        f"{vector.name} is rejected although one of three valid secrets signed it",
                        "try every value of the secret, not the first or the last",
                    )
                keys.add(key)
        if len(keys) > 1:
            broken(
                f"the key of {vector.name} depends on which secret signed it",
                "make the key of the signed content, not of the signature",
            )


def unsigned_parts(subject: Subject) -> None:
    """Whatever is not signed may be changed by anybody: it is either rejected or changes nothing."""
    for vector in subject.genuine:
        key, events = subject.accepted(vector), subject.told(vector.delivery, vector.name)
        for changed, what in _changes(subject, vector):
            found = subject.verdict(changed, vector.secrets, what)
            if found is None:
                continue
            if found != key:
                broken(f"{what} has another key: a captured request could be replayed", _UNSIGNED)
            if not alike(subject.told(changed, what), events):
                broken(f"{what} means something else", _UNSIGNED)


def _changes(subject: Subject, vector: Vector) -> Iterator[tuple[Delivery, str]]:
    delivery = vector.delivery
    names = {name for each in subject.vectors for name in each.delivery.headers}
    for name in sorted(names - subject.credentials(vector)):
        elsewhere = {value for each in subject.vectors for value in each.delivery.headers.get(name, ())}
        for value in sorted({*elsewhere, "", "0", "changed"}):
            yield with_header(delivery, name, value), f"{vector.name} with {name}: {value!r}"
        yield with_header(delivery, name), f"{vector.name} without {name}"
        yield with_header(delivery, name, "one", "two"), f"{vector.name} with {name} twice"
    for name in (*delivery.query, "x"):
        query = {**delivery.query, name: "changed"}
        yield replace(delivery, query=query), f"{vector.name} with another {name} in its query"
    yield replace(delivery, path="/elsewhere"), f"{vector.name} at another path"
    for shift in (timedelta(seconds=1), timedelta(days=400)):
        later = replace(delivery, received_at=delivery.received_at + shift)
        yield later, f"{vector.name} received {shift} later"


def distinct_keys(subject: Subject) -> None:
    """The same delivery has the same key every time; another one has another."""
    keys: dict[str, Vector] = {}
    for vector in subject.genuine:
        key = subject.accepted(vector)
        if subject.accepted(vector) != key:
            broken(f"{vector.name} has another key each time", "make the key of the signed content")
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            broken(f"the key of {vector.name} is {key!r}", "give 1 to 200 visible ASCII characters, as a hash")
        if vector.key not in (None, key):
            broken(f"the key of {vector.name} is {key!r}, not {vector.key!r}", "correct key or recording")
        other = keys.setdefault(key, vector)
        if other.delivery.body != vector.delivery.body and (vector.key is None or other.key is None):
            broken(
                f"{other.name} and {vector.name} have one key: the second would be dropped as a repetition",
                "make the key of the whole signed content; if the platform repeats itself with another body, "
                "say `key` in both recordings",
            )


def constant_time(subject: Subject) -> None:
    """The signature is compared in constant time, or its bytes can be guessed one by one."""
    for vector in subject.genuine:
        for name in subject.credentials(vector):
            compared: list[str] = []
            sent = watch(_value(vector, name), compared)
            subject.accepted(vector, with_header(vector.delivery, name, sent))
            if compared:
                broken(f"{name} is compared with {compared[0]}", "compare with hmac.compare_digest")


def _rejected(subject: Subject, vector: Vector, body: bytes, what: str) -> None:
    if subject.verdict(replace(vector.delivery, body=body), vector.secrets, what) is not None:
        broken(f"{what} is accepted", _COVER)


def _value(vector: Vector, name: str) -> str:
    values = vector.delivery.headers.get(name, ())
    if len(values) != 1:
        broken(f"{vector.name} has {len(values)} headers {name}", "record the request's signature header")
    return values[0]


RULES: tuple[tuple[str, Rule], ...] = (
    ("a flipped byte is rejected", flipped_body),
    ("a truncated or lengthened body is rejected", truncated_body),
    ("a changed signature is rejected", flipped_signature),
    ("a wrong or old secret is rejected", wrong_secret),
    ("a missing or empty secret is rejected", no_secret),
    ("every valid secret is tried, and the key does not depend on it", rotation),
    ("what is not signed changes nothing", unsigned_parts),
    ("a delivery has one key, and no other has it", distinct_keys),
    ("signatures are compared in constant time", constant_time),
)
