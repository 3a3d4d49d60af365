"""Kill the hub before or after any commit or any request of its work with money: the books end as if nothing had been.

The steps are not listed by hand: one undisturbed run of the story (`month_machine_story`) tells them all. Of each kind
of step (before or after, a commit or a request, and the line of the core that makes it) the first is taken, of those
that move something at Stripe the last as well: more than a hundred. KILLED=all takes every one, some seven hundred.
"""

from __future__ import annotations

import os
import pickle
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.core.month_machine import World, world_in
from tests.core.month_machine_rest import unfinished
from tests.core.month_machine_story import STORY, Scene
from tests.platforms.stripe.fake import FakeStripe

NOT_KEPT = {"clock", "spec", "lock", "address", "troubles", "closing", "names", "_routes"}
"""Of the fake: what is no memory of it."""

BOOKS = {
    "postings": "select kind, source, debit, credit, amount_micros from posting",
    "statements": "select id, patron_id, month, state, ends_as, charge_micros, fee_micros, attempts from statement",
    "charges": "select statement_id, attempt, state, on_session, reference from charge",
    "payouts": "select id, run_id, creator_id, amount_micros, state, attempt, reference, reason from payout",
    "refunds": "select statement_id, number, amount_micros, reason, state, reference from refund",
    "disputes": "select reference, statement_id, amount_micros, taken_micros, status, rounds from dispute",
    "movements": "select reference, kind, amount_micros, fee_micros, difference from movement",
    "recipients": "select person_id, account, state, needs from recipient",
    "cards": "select person_id, reference, last4 from card",
    "notes": "select kind, person_id from outbox where kind <> 'card_taken'",
    "errands": "select kind, reference, state from errand"
    " where kind not in ('setup', 'card', 'forget_card', 'balance')",
}
"""All that must be the same; not how often Stripe was asked, and when. A card may be entered twice: by who was at
Stripe's page when the hub died, and goes there again."""


@dataclass(frozen=True)
class Checkpoint:
    """The whole world before a scene."""

    database: Path
    stripe: bytes
    wanted: bytes
    at: datetime


class Stage:
    """Plays the story, from anywhere, with or without a killing."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world, self.folder = world, folder
        self.checkpoints: dict[int, Checkpoint] = {}
        self.steps: list[tuple[int, int, str]] = []
        """Every step of the hub's work: the scene, the number of the step in it, and what it is."""

    def play(self) -> dict[str, Counter[Any]]:
        """All of it, undisturbed; the books."""
        for number, scene in enumerate(STORY):
            if scene.hub:
                self.checkpoints[number] = self._keep(number)
            self.world.fate.steps.clear()
            self._play(scene)
            if scene.hub:
                self.steps += [(number, step, what) for step, what in enumerate(self.world.fate.steps)]
        return self._books()

    def play_killed(self, number: int, step: int) -> dict[str, Counter[Any]]:
        """From a scene on, of which the hub does not survive a step; started again it does the same, and the rest."""
        self._restore(self.checkpoints[number])
        assert self.world.killed_at(step, lambda: self._play(STORY[number]))
        for scene in STORY[number:]:
            self._play(scene)
        return self._books()

    def _play(self, scene: Scene) -> None:
        self.world.fate.idle = not scene.hub
        scene.play(self.world)

    def _keep(self, number: int) -> Checkpoint:
        world = self.world
        world.stripe.tick()
        world.start()  # with the last connection the log goes into the file
        kept = self.folder / f"{number}.db"
        shutil.copyfile(str(world.db.url.database), kept)
        memory = {name: value for name, value in vars(world.stripe).items() if name not in NOT_KEPT}
        return Checkpoint(kept, pickle.dumps(memory), pickle.dumps(world.stripe.troubles._wanted), world.at)

    def _restore(self, point: Checkpoint) -> None:
        world = self.world
        world.db.dispose()
        for end in ("-wal", "-shm"):
            Path(f"{world.db.url.database}{end}").unlink(missing_ok=True)
        shutil.copyfile(point.database, str(world.db.url.database))
        vars(world.stripe).update(pickle.loads(point.stripe))
        world.stripe.troubles._wanted = pickle.loads(point.wanted)
        world.at = world.scene.at = point.at
        world.start()

    def _books(self) -> dict[str, Counter[Any]]:
        self.world.check()
        assert unfinished(self.world.db) == {}
        self.world.stripe.assert_honest()
        names = Names(self.world.stripe)
        with self.world.db.reading() as tx:
            assert tx.execute(sa.text("select count(*) from movement where difference is not null")).scalar() == 0
            rows = {table: tx.execute(sa.text(query)).all() for table, query in BOOKS.items()}
        return {
            table: Counter(
                tuple(names.of(value) if isinstance(value, str) else value for value in row) for row in found
            )
            for table, found in rows.items()
        }


class Names:
    """What Stripe's objects are, whatever they are called: another run has other ids."""

    _ID = re.compile(r"\b[a-z]+_1Fake[0-9a-f]{18}")

    def __init__(self, stripe: FakeStripe) -> None:
        self._stripe = stripe

    def of(self, text: str) -> str:
        return self._ID.sub(lambda found: self._name(found[0]), text)

    def _name(self, reference: str) -> str:
        thing = self._stripe.objects[reference]
        match thing["object"]:
            case "payment_intent":
                return f"intent of statement {thing['metadata']['statement']}"
            case "charge":
                tries = [
                    each for each in self._stripe.all("charge") if each["payment_intent"] == thing["payment_intent"]
                ]
                return f"try {tries.index(thing) + 1} of {self._name(thing['payment_intent'])}"
            case "refund":
                return (
                    f"{thing['amount']} {thing['metadata'].get('number', 'by hand')} of {self._name(thing['charge'])}"
                )
            case "dispute" | "radar.early_fraud_warning" as kind:
                return f"{kind} of {self._name(thing['charge'])}"
            case "transfer":
                return f"payout {thing['metadata']['payout']}-{thing['metadata']['attempt']}"
            case "transfer_reversal":
                return f"{thing['amount']} of {self._name(thing['transfer'])}"
            case "balance_transaction":
                return f"{thing['type']} {thing['amount']} of {self._name(thing['source'])}"
            case "v2.core.account":
                return f"account of {thing['metadata']['person']}"
            case "payment_method":
                return f"card {thing['card']['last4']}"
            case other:
                return str(other)


@pytest.fixture(scope="module")
def stage(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("killed")
    with world_in(folder, sqlite_template) as world:
        yield Stage(world, folder)


def chosen(steps: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    if os.environ.get("KILLED") == "all":
        return steps
    first = {what: (number, step, what) for number, step, what in reversed(steps)}
    last = {what: (number, step, what) for number, step, what in steps if " post " in what}
    return sorted({*first.values(), *last.values()})


def test_killed_at_each_kind_of_step_of_collecting_and_paying_the_books_end_the_same(stage: Stage) -> None:
    undisturbed = stage.play()
    for number, step, what in chosen(stage.steps):
        books = stage.play_killed(number, step)
        for table, rows in undisturbed.items():
            there = f"killed in scene {number} ({STORY[number].name}), step {step}, {what}: {table}"
            assert books[table] == rows, f"{there}: lacks {rows - books[table]}, has {books[table] - rows}"
