"""Rings and farms: an account without money moves none, and a farm moves only its own (money.md, "Abuse")."""

from __future__ import annotations

from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.database import Database
from tests.core.holds.world import World
from tests.scene import EUR

FRESH = count(1)


def balances(world: World, people: dict[str, int]) -> dict[str, int]:
    return {name: world.due(person) for name, person in people.items()}


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_farm_moves_no_more_than_its_own_money(data: st.DataObject, db: Database, rules, at):
    world = World(db, rules, at)
    tag = next(FRESH)
    world.at = world.at.replace(year=2026 + 2 * tag)  # one database serves all examples, each in its own November
    farm = [f"farm{tag}-{number}" for number in range(data.draw(st.integers(2, 6)))]
    honest = [f"honest{tag}-{number}" for number in range(data.draw(st.integers(1, 3)))]
    # Everybody receives; some of the farm have a card and a budget, and all like each other as often as they please.
    people = {name: world.creator(name) for name in [*farm, *honest]}
    budgets = {name: data.draw(st.sampled_from([0, 0, 2, 5, 30]), label=name) for name in farm}
    budgets |= {name: data.draw(st.sampled_from([0, 2, 10]), label=name) for name in honest}
    for name, budget in budgets.items():
        if budget:
            world.patron(name, budget)
    before = balances(world, people)
    likes = data.draw(st.lists(st.tuples(st.sampled_from(farm), st.sampled_from([*farm, *honest])), max_size=25))
    for number, (who, whom) in enumerate(likes):
        world.like(who, f"{tag}-{number}", whom)
    # The honest like only each other, and one of them likes one of the farm's things as if it were good.
    kind = data.draw(st.none() | st.tuples(st.sampled_from(honest), st.sampled_from(farm)))
    for number, who in enumerate(honest):
        world.like(who, f"{tag}-h{number}", honest[number - 1])
    if kind:
        world.like(kind[0], f"{tag}-k", kind[1])
    world.close_month()
    came = {name: due - before[name] for name, due in balances(world, people).items()}
    farms_own = sum(budgets[name] for name in farm) * EUR
    gift = budgets[kind[0]] * EUR if kind else 0
    assert sum(came[name] for name in farm) <= farms_own * 9 // 10 + gift * 9 // 10
    assert sum(came.values()) <= sum(budgets.values()) * EUR * 9 // 10
    moved = {name for name, budget in budgets.items() if not budget}
    for name in moved:
        with db.reading() as tx:
            charged = tx.connection().exec_driver_sql(
                f"select count(*) from posting where kind = 'charge' and credit = {8 * people[name] + 2}"
            )
            assert charged.scalar_one() == 0
    assert world.broken() == []


def test_a_ring_without_money_moves_none(db: Database, rules, at):
    world = World(db, rules, at)
    ring = {f"r{number}": world.creator(f"r{number}") for number in range(5)}
    names = list(ring)
    for name in names:
        for other in names:
            if other != name:
                world.like(name, f"{name}-{other}", other)
    world.close_month()
    assert set(balances(world, ring).values()) == {0}
    assert world.books() == {}


def test_the_money_of_a_stolen_card_between_accomplices_waits_for_the_operator(db: Database, rules, at):
    world = World(db, rules, at)
    thief, accomplice = world.patron("thief", 500), world.creator("accomplice")
    for number in range(9):
        world.like("thief", f"song-{number}", "accomplice")
    month = world.close_month()
    world.until_settled(month)
    for _ in range(4):
        world.later(days=31)
        world.advance()
    assert world.held() == {(thief, accomplice): "one_patron new_pair"}
    assert world.due(accomplice) == 450 * EUR  # still here
    assert world.broken() == []
