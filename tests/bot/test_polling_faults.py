"""Whatever goes wrong with a platform's answers: no like is taken back that stands, and the truth is found at last."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.database import Database
from core.rules import Rules
from tests.bot.polling_scene import Town, town
from tests.platforms.listed_api import MANGLES, Toy, plan
from tests.platforms.misbehaving import CUTS, DROPS, Says

HTTP = {
    "429": Says(429, {"Retry-After": "30"}),
    "500": Says(500),
    "503": Says(503, {"Retry-After": "60"}),
    "cut": CUTS,
    "dropped": DROPS,
}
SEEN = ("429", "500", "503", "cut", "dropped", "not json", "a list")
"""Faults that any connector sees."""
ORDER = ("reordered", "reversed", "doubled")
KINDS = {
    "timed": (Toy(), (*HTTP, *MANGLES), {}),
    "untimed": (Toy(timed=False), (*HTTP, *MANGLES), {"counts": True}),
    "oldest first": (Toy(timed=False, plan=plan(newest_first=False)), (*HTTP, *MANGLES), {"counts": True}),
    "indirect": (
        Toy(timed=False, plan=plan(direct=False, agreeing=2, agreeing_for=timedelta(hours=12))),
        (*SEEN, *ORDER, "empty"),
        {"counts": True},
    ),
}


@dataclass(frozen=True)
class Step:
    """Some time in which things are liked and unliked, and what is wrong when the hub looks next."""

    likes: int
    again: int
    unlikes: tuple[int, ...]
    faults: tuple[int, ...]
    minutes: int


STEPS = st.lists(
    st.builds(
        Step,
        likes=st.sampled_from([0, 1, 3, 12, 30]),
        again=st.integers(0, 2),
        unlikes=st.one_of(
            st.just(()),
            st.lists(st.integers(0, 99), max_size=4).map(tuple),
            st.just(tuple(range(0, 100, 2))),
        ),
        faults=st.lists(st.integers(0, 99), max_size=4).map(tuple),
        minutes=st.sampled_from([15, 60, 200, 400, 1500]),
    ),
    min_size=2,
    max_size=9,
)


async def play(place: Town, steps: list[Step], faults: tuple[str, ...]) -> None:
    made: list[str] = []
    unliked: set[str] = set()
    for step in steps:
        liked = place.toy.likes["ada"]
        for number in step.unlikes:
            if made and number < max(len(made), 5):
                name = made[number % len(made)]
                place.toy.unlike("ada", name)
                unliked.add(name)
        for _ in range(step.likes):
            place.later(seconds=1)
            made.append(f"new-{len(made)}")
            place.like(made[-1])
        for name in [each for each in made if each not in liked][: step.again]:
            place.later(seconds=1)
            place.like(name)
        for number in step.faults:
            fault = faults[number % len(faults)]
            if fault in HTTP:
                place.toy.suffer(*[HTTP[fault]] * 4)
            else:
                place.toy.mangles.append(fault)
        await place.round(minutes=step.minutes)
        await look(place, unliked)
    place.toy._faults.clear()
    place.toy.mangles.clear()
    await place.rounds(3, hours=4)
    await look(place, unliked)


async def look(place: Town, unliked: set[str]) -> None:
    """No false unlike, and nothing from before the link."""
    person = await place.books(place.scene.person, "ada")
    for name, state in (await place.states(person)).items():
        assert state != "withdrawn" or name in unliked, f"{name} was never unliked"
        assert not name.startswith("old"), f"{name} is from before the link"


def fresh(template: Path, folder: Path) -> Database:
    for each in folder.glob("hub.db*"):
        each.unlink()
    shutil.copyfile(template, folder / "hub.db")
    return Database(f"sqlite:///{folder / 'hub.db'}")


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(old=st.integers(0, 25), steps=STEPS, early=st.booleans())
async def test_no_false_unlike_and_every_true_one(
    sqlite_template: Path, tmp_path: Path, rules: Rules, at, kind: str, old: int, steps, early: bool
) -> None:
    connector, faults, listed = KINDS[kind]
    db = fresh(sqlite_template, tmp_path)
    # In the middle of a quiet time: what a month's end does is another test's.
    async with town(db, rules, at.replace(day=2), connector, **listed) as place:
        place.toy.likes["ada"] = {}
        for number in range(old):
            place.later(minutes=1)
            place.like(f"old-{number}")
        place.later(hours=1)
        await place.join()
        if not early:  # else the first listing is read among the faults
            await place.round()
        await play(place, steps, faults)
        truth = {name for name in place.toy.likes["ada"] if not name.startswith("old")}
        counted = await place.standing()
        assert counted <= truth
        if not early or connector.timed:
            assert counted == truth
    db.dispose()
