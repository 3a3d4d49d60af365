"""Lets a world come to rest: fair weather, everything delivered, and time until nothing is left to do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import sqlalchemy as sa

from core.database import Database, from_micros
from core.periods import month_end, month_of, month_start
from tests.core.month_machine import World

_UNFINISHED = {
    "months": "select count(*) from month m where m.stage <> 'settled'"
    " and exists (select 1 from flattr f where f.month = m.id)",
    "statements": "select count(*) from statement where state in ('review', 'due')",
    "payouts": "select count(*) from payout where state = 'asked'",
    "refunds": "select count(*) from refund where state = 'asked'",
    "errands": "select count(*) from errand where state <> 'done'",
}

_DUE = (
    "select min(next_attempt_at) from statement where state = 'due'",
    "select min(review_ends_at) from month where stage = 'review'",
    "select min(due_at) from errand where state = 'waiting'",
    "select min(asked_at) from payout where state = 'asked'",
    "select min(asked_at) from refund where state = 'asked'",
)


def unfinished(db: Database) -> dict[str, int]:
    """What is left to do, by its kind; nothing of which there is none."""
    with db.reading() as tx:
        counts = {name: int(tx.execute(sa.text(query)).scalar_one()) for name, query in _UNFINISHED.items()}
    return {name: number for name, number in counts.items() if number}


def settle_down(world: World, observe: Callable[[], None]) -> None:
    """Months settle, payouts go out, refunds and errands are done; who is still at their bank's page never returns."""
    world.stripe.fair()
    world.stripe.top_up(1_000_000)
    for _ in range(150):
        for intent in world.stripe.all("payment_intent"):
            if intent["status"] == "processing":
                world.stripe.settles(intent["id"])
        world.hear()
        for work in (world.run_errands, world.advance):
            work()
            observe()
        if not unfinished(world.db) and not world.stripe.undelivered:
            return
        pass_until_due(world)
    raise AssertionError(f"it does not come to rest: {unfinished(world.db)}")


def pass_until_due(world: World) -> None:
    """To when something is due, and some hours at least."""
    month, payday = month_of(world.at), timedelta(days=world.rules.payout_day - 1)
    due = [month_end(month) + world.rules.grace, month_start(month) + payday, month_end(month) + payday]
    with world.db.reading() as tx:
        rows = [tx.execute(sa.text(query)).scalar_one() for query in _DUE]
    due += [from_micros(int(micros)) for micros in rows if micros is not None]
    next_ = max(world.at + timedelta(hours=8), min(each for each in due if each > world.at))
    world.later(seconds=(next_ - world.at).total_seconds() + 1)
