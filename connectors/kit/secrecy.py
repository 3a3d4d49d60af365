"""Rule of secrecy: secrets and valid signatures appear in no log, output, exception, key, event or answer."""

from __future__ import annotations

import base64
import contextlib
import io
import logging
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import replace

from connectors.base import Delivery, Secrets
from connectors.kit.subject import Rule, Subject, broken, handed, with_header
from connectors.kit.vectors import Vector


def kept(subject: Subject) -> None:
    """Canary secrets are planted, then every kind of delivery is tried while everything said is overheard."""
    for vector in subject.genuine:
        secrets = subject.with_secrets(vector, 11)
        genuine = subject.signed(vector.delivery, secrets)
        needles = dict(_needles(secrets))
        for name in subject.credentials(vector):
            for value in genuine.headers[name]:
                needles[value] = f"the valid {name}"
                needles[value.rpartition("=")[2] or value] = f"the valid {name}"
        for delivery, what in _deliveries(subject, vector, genuine):
            overheard = _overheard(subject, delivery, secrets)
            # What was sent by the caller is no secret to the caller; but it may hold one (a bare token).
            for needle, meaning in needles.items():
                if len(needle) >= 8 and needle in overheard:
                    broken(
                        f"{meaning} is in what the connector said about {what}",
                        "name neither secrets nor computed signatures in messages, logs, keys or events",
                    )


def _deliveries(subject: Subject, vector: Vector, genuine: Delivery) -> Iterator[tuple[Delivery, str]]:
    yield genuine, f"{vector.name} itself"
    yield replace(genuine, body=genuine.body + b"x"), f"{vector.name} with another body"
    for name in subject.credentials(vector):
        yield with_header(genuine, name), f"{vector.name} without {name}"
        yield with_header(genuine, name, "é"), f"{vector.name} with a malformed {name}"
        # Flipped in its last character, so that it is well-formed and wrong.
        value = genuine.headers[name][0]
        yield (
            with_header(genuine, name, value[:-1] + chr(ord(value[-1]) ^ 1)),
            f"{vector.name} with a wrong {name}",
        )
    for body in (b"", b"{", b"[]", b"\xff"):
        yield (
            subject.signed(replace(genuine, body=body), subject.with_secrets(vector, 11)),
            f"the signed body {body!r}",
        )
    yield genuine, vector.name


def _needles(secrets: Secrets) -> Iterator[tuple[str, str]]:
    for name, values in secrets.items():
        for value in values:
            meaning = f"the secret {name}"
            yield value.decode("latin-1"), meaning
            yield value.hex(), meaning
            yield base64.b64encode(value).decode().rstrip("="), meaning
            yield repr(value)[2:-1], meaning


def _overheard(subject: Subject, delivery: Delivery, secrets: Secrets) -> str:
    """Everything that the connector says while it verifies, translates and answers one delivery."""
    heard = io.StringIO()
    root, handler = logging.getLogger(), logging.StreamHandler(heard)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s %(args)s %(exc_text)s"))
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with contextlib.redirect_stdout(heard), contextlib.redirect_stderr(heard), warnings.catch_warnings():
            warnings.simplefilter("always")
            for call in (
                lambda: subject.connector.challenge(handed(delivery), secrets),
                lambda: subject.connector.verify(handed(delivery), secrets),
                lambda: subject.connector.translate(handed(delivery)),
            ):
                try:
                    print(repr(call()))  # into what is overheard
                except Exception as error:  # noqa: BLE001 - whatever is raised is overheard
                    confess(heard, error)
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    return heard.getvalue()


def confess(heard: io.StringIO, error: BaseException | None) -> None:
    """An exception as logs and error trackers show it: its words, its arguments, its causes."""
    while error is not None:
        heard.write(f"{error} {error!r} {error.args!r} {vars(error)!r}\n")
        heard.write("".join(traceback.format_exception_only(error)))
        error = error.__cause__ or error.__context__


RULES: tuple[tuple[str, Rule], ...] = (("secrets and signatures are never said", kept),)
