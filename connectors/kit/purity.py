"""Rules of purity: translation is a function of the delivery, today, in replay and under fuzzing."""

from __future__ import annotations

import builtins
import datetime as dt
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

from connectors.base import Delivery, Secrets
from connectors.kit.subject import Rule, Subject, alike, broken, handed

_CLOCKS = ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns")
_OUTSIDE = (
    "open",
    "socket.",
    "subprocess.",
    "os.system",
    "os.listdir",
    "os.scandir",
    "os.putenv",
    "sqlite3.",
)


class _Touched(BaseException):
    """Stops a connector that reaches outside; not an Exception, so that it cannot be swallowed."""


class _Guard:
    """An audit hook (Python never removes one) that acts only while it is armed, on one thread."""

    def __init__(self) -> None:
        self.thread: int | None = None
        self.installed = False
        self.touched: list[str] = []

    def __call__(self, event: str, arguments: Sequence[Any]) -> None:
        if self.thread == threading.get_ident() and event.startswith(_OUTSIDE):
            self.touch(f"{event}{arguments!r:.100}")

    def touch(self, what: str) -> None:
        self.touched.append(what)
        raise _Touched(what)


_guard = _Guard()


def repeatable(subject: Subject) -> None:
    """The same delivery says the same every time, whatever was translated or verified in between."""
    expected = [subject.told(vector.delivery, vector.name) for vector in subject.genuine]
    for order in (subject.genuine, subject.genuine[::-1]):
        for vector in order:
            subject.verdict(vector.delivery, vector.secrets, vector.name)
        for vector in order:
            events = expected[subject.genuine.index(vector)]
            later = replace(vector.delivery, received_at=vector.delivery.received_at + timedelta(days=9))
            for delivery, what in ((vector.delivery, "again"), (later, "with a later time of receipt")):
                if not alike(subject.told(delivery, vector.name), events):
                    broken(
                        f"{vector.name}, translated {what}, means something else",
                        "keep no state in the connector; leave the time of receipt to the core",
                    )


def outside(subject: Subject) -> None:
    """No socket, no file, no process, no clock."""
    for vector in subject.genuine:
        for name, call in _calls(subject, handed(vector.delivery), dict(vector.secrets)).items():
            _quietly(call)  # once before, since Python itself opens files when it imports lazily
            touched = _watched(subject, call)
            if touched:
                broken(
                    f"{name} reached outside on {vector.name}: {touched[0]}",
                    "work on the delivery alone: no socket, file, process or clock (delivery.received_at is "
                    "the time in verify; the core judges times)",
                )


def untouched(subject: Subject) -> None:
    """What is handed in stays as it is."""
    for vector in subject.genuine:
        delivery, secrets = handed(vector.delivery), dict(vector.secrets)
        for call in _calls(subject, delivery, secrets).values():
            _quietly(call)
            if delivery != vector.delivery or secrets != vector.secrets:
                broken(f"{vector.name} was changed by the connector", "copy what has to be altered")


def _calls(subject: Subject, delivery: Delivery, secrets: Secrets) -> dict[str, Callable[[], object]]:
    return {
        "challenge": lambda: subject.connector.challenge(delivery, secrets),
        "verify": lambda: subject.connector.verify(delivery, secrets),
        "translate": lambda: subject.connector.translate(delivery),
    }


def _quietly(call: Callable[[], object]) -> None:
    with suppress(Exception):  # other rules judge what is raised
        call()


def _watched(subject: Subject, call: Callable[[], object]) -> list[str]:
    # What was touched is noted; other rules judge the rest.
    with _stopped_clocks(subject), watched() as touched, suppress(Exception):
        call()
    return touched


@contextmanager
def watched() -> Iterator[list[str]]:
    """What reaches outside on this thread meanwhile; it is stopped, and the block ends."""
    if not _guard.installed:
        sys.addaudithook(_guard)
        _guard.installed = True
    _guard.touched = []
    _guard.thread = threading.get_ident()
    try:
        with suppress(_Touched):
            yield _guard.touched
    finally:
        _guard.thread = None


@contextmanager
def _stopped_clocks(subject: Subject) -> Iterator[None]:
    """Every way to ask for the time, in `time`, in `datetime`, and as the connector's module imported it."""
    replaced: dict[int, Any] = {id(getattr(time, name)): _no_clock(f"time.{name}") for name in _CLOCKS}
    replaced[id(dt.datetime)] = _NoNow
    replaced[id(dt.date)] = _NoToday
    modules = [time, dt]
    modules += [sys.modules[kind.__module__] for kind in type(subject.connector).__mro__ if kind is not object]
    undo: list[tuple[Any, str, Any]] = []
    try:
        for module in modules:
            if module is builtins:
                continue
            for name, value in list(vars(module).items()):
                if id(value) in replaced:
                    undo.append((module, name, value))
                    setattr(module, name, replaced[id(value)])
        yield
    finally:
        for module, name, value in undo:
            setattr(module, name, value)


def _no_clock(name: str) -> Callable[..., Any]:
    def ask(*arguments: Any) -> Any:
        _guard.touch(f"{name}()")

    return ask


class _Passing(type):
    """Lets real times pass for the class that stands in for theirs."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, cls.__mro__[1])


class _NoNow(dt.datetime, metaclass=_Passing):
    now = utcnow = today = classmethod(_no_clock("datetime.now"))


class _NoToday(dt.date, metaclass=_Passing):
    today = classmethod(_no_clock("date.today"))


RULES: tuple[tuple[str, Rule], ...] = (
    ("translate gives the same every time", repeatable),
    ("nothing outside is touched", outside),
    ("the delivery stays as it was", untouched),
)
