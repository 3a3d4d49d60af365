"""Makes many calls to the processor, some side by side, so that a bug in one of them stops none of the others."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from typing import TypeVar

from sqlmodel import Session

from core.database import Database, is_away
from core.mail.faults import place_of
from core.payments.gateway import Outcome, Unknown

log = logging.getLogger("flattr.payments")

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


def answers(
    call: Callable[[Asked, datetime], Answer],
    requests: Sequence[Asked],
    at: datetime,
    *,
    at_once: int,
    patience: float | None = None,
) -> Iterator[tuple[Asked, Answer | Unknown]]:
    """Each request with its answer, in their order; ``at_once`` of them are under way together.

    None is begun any more once ``patience`` seconds are over, but the first always is. A call that raises is a bug.
    It is logged by its place, and its outcome is not known: money may have moved.
    """
    enough = None if patience is None else time.monotonic() + patience

    def one(request: Asked) -> tuple[Asked, Answer | Unknown]:
        try:
            return request, call(request, at)
        except Exception as bug:  # noqa: BLE001 - logged; the others go on
            return request, Unknown(report("a call to the processor", bug))

    def over() -> bool:
        return enough is not None and time.monotonic() > enough

    if at_once <= 1 or len(requests) <= 1:
        for request in requests:
            yield one(request)
            if over():
                return
        return
    with ThreadPoolExecutor(at_once) as pool:
        under_way: deque[Future[tuple[Asked, Answer | Unknown]]] = deque()
        for request in requests:
            under_way.append(pool.submit(one, request))
            if len(under_way) >= 2 * at_once:  # as many again wait, so that a slow one holds few others up
                yield under_way.popleft().result()
            if over():
                break
        while under_way:
            yield under_way.popleft().result()


def keep(db: Database, record: Callable[[Session, Outcome], None], outcome: Outcome, what: str) -> None:
    """Record an answer in a transaction of its own; if that fails by a bug, it is as if there had been no answer.

    Only a database that is away stops everything: then nothing could be put off either.
    """
    try:
        with db.transaction() as tx:
            record(tx, outcome)
    except Exception as bug:
        if is_away(bug):
            raise
        with db.transaction() as tx:
            record(tx, Unknown(report(what, bug)))


def report(what: str, bug: Exception) -> str:
    """Log a bug by its type and place; the same words, to be kept as the reason."""
    place = place_of(bug)
    log.error("%s failed by a bug of the hub: %s", what, place)
    return f"a bug of the hub: {place}"
