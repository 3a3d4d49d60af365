"""What is held when a month closes, and what is not (money.md, "Abuse")."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import col, select

from core.database import Database
from core.holds import judging
from core.holds.held import held_of_creator, held_of_patron
from core.mail.tables import OutboxNote
from core.people import merging
from tests.core.holds.world import World
from tests.scene import EUR


@pytest.fixture
def world(db: Database, rules, at):
    made = World(db, rules, at)
    yield made
    assert made.broken() == []


def notes(world: World, kind: str) -> list[tuple[str, int | None]]:
    with world.db.reading() as tx:
        found = tx.exec(select(OutboxNote).where(OutboxNote.kind == kind).order_by(col(OutboxNote.id)))
        return [(note.source, note.person_id) for note in found]


# One patron


def give(world: World, budget: float, others: int) -> tuple[int, int]:
    """Ada gives a creator nine tenths of the budget; of each of the others they get 0.90."""
    maker = world.old_creator("maker")
    world.old_creator("smith")
    ada = world.old_patron("ada", budget)
    world.like("ada", "song")
    for number in range(others):
        world.old_patron(f"p{number}", 2)
        world.like(f"p{number}", "song")
        world.like(f"p{number}", "nail", "smith")
    world.close_month()
    return ada, maker


def test_more_than_four_fifths_of_a_month_and_more_than_twenty_is_held(world):
    ada, maker = give(world, 22.30, 5)  # 20.07 of 24.57, which is 81.7 %
    (hold,) = world.holds()
    assert (hold.patron_id, hold.creator_id, hold.reasons, hold.state) == (ada, maker, "one_patron", "held")
    assert hold.micros == 20_070_000


def test_twenty_itself_is_not_more_than_twenty(world):
    world.rules = type(world.rules)(money=world.rules.money, pseudonym_key=b"", fee_bp=0)
    give(world, 20, 0)
    assert world.held() == {}


def test_twenty_is_not_held_where_others_give_a_fifth(world):
    give(world, 22.30, 6)  # 20.07 of 25.47, which is 78.8 %
    assert world.held() == {}


def test_a_large_part_of_a_small_month_is_not_held(world):
    give(world, 22.20, 0)  # 19.98, all of it
    assert world.held() == {}


def test_exactly_four_fifths_is_not_more(world):
    world.rules = type(world.rules)(money=world.rules.money, pseudonym_key=b"", fee_bp=0, hold_micros=4 * EUR)
    maker = world.old_creator("maker")
    ada = world.old_patron("ada", 8)
    world.old_patron("bob", 2)
    world.like("ada", "song")
    world.like("bob", "song")
    world.close_month()
    assert world.due(maker) == 10 * EUR
    assert (ada, maker) not in world.held()


def test_all_flattrs_of_one_patron_for_one_creator_count_together(world):
    maker = world.old_creator("maker")
    ada = world.old_patron("ada", 30)
    for number in range(30):
        world.like("ada", f"song-{number}")
    world.close_month()
    assert world.held() == {(ada, maker): "one_patron"}
    assert world.holds()[0].micros == 27 * EUR


# Mutual


def friends(world: World, others: int) -> tuple[int, int]:
    """Ann and Ben like each other, and each of the others likes both: 0.90 to each."""
    for name in ("ann", "ben"):
        world.old_creator(name)
    people = [world.old_patron(name, 2) for name in ("ann", "ben")]
    world.old_creator("smith")
    world.like("ann", "b", "ben")
    world.like("ann", "nail", "smith")
    world.like("ben", "a", "ann")
    world.like("ben", "nail", "smith")
    for number in range(others):
        world.old_patron(f"p{number}", 2)
        world.like(f"p{number}", "a", "ann")
        world.like(f"p{number}", "b", "ben")
    world.close_month()
    return people[0], people[1]


def test_two_who_send_each_other_much_are_held_in_both_directions(world):
    ann, ben = friends(world, 2)  # a third of each one's month
    assert world.held() == {(ann, ben): "mutual", (ben, ann): "mutual"}


def test_two_who_send_each_other_little_are_left_alone(world):
    friends(world, 3)  # a quarter
    assert world.held() == {}


def test_it_is_enough_that_it_is_much_for_one_of_the_two(world):
    ann, ben = (world.old_creator(name) for name in ("ann", "ben"))
    for name in ("ann", "ben"):
        world.old_patron(name, 2)
    world.like("ann", "b", "ben")
    world.like("ben", "a", "ann")
    for number in range(9):
        world.old_patron(f"p{number}", 2)
        world.like(f"p{number}", "a", "ann")
    world.close_month()
    assert world.held() == {(ann, ben): "mutual", (ben, ann): "mutual"}


def test_who_gives_and_gets_nothing_back_is_left_alone(world):
    world.old_creator("ann")
    world.old_creator("ben")
    world.old_patron("ann", 2)
    world.like("ann", "b", "ben")
    world.close_month()
    assert world.held() == {}


def test_a_ring_of_three_is_no_pair(world):
    ring = ["ann", "ben", "cy"]
    for name in ring:
        world.old_creator(name)
        world.old_patron(name, 2)
    for name, next_ in zip(ring, [*ring[1:], ring[0]], strict=True):
        world.like(name, f"of-{next_}", next_)
    world.close_month()
    assert world.held() == {}


# New pairs


def test_a_new_card_and_a_new_creator_who_have_only_each_other_are_held(world):
    maker, ada = world.creator("maker"), world.patron("ada", 2)
    world.like("ada", "song")
    world.like("ada", "tune")
    world.close_month()
    assert world.held() == {(ada, maker): "new_pair"}


@pytest.mark.parametrize("old", ["maker", "ada"])
def test_of_a_new_pair_both_are_new(world, old):
    people = {"maker": world.creator("maker"), "ada": world.patron("ada", 2)}
    world.long_here(people[old])
    world.like("ada", "song")
    world.close_month()
    assert world.held() == {}


def test_a_patron_who_gives_somebody_else_too_is_no_pair(world):
    world.creator("maker")
    world.creator("smith")
    world.patron("ada", 2)
    world.like("ada", "song")
    world.like("ada", "nail", "smith")
    world.close_month()
    assert world.held() == {}


def test_a_creator_who_gets_from_somebody_else_too_is_no_pair(world):
    world.creator("maker")
    for name in ("ada", "bob"):
        world.patron(name, 2)
        world.like(name, "song")
    world.close_month()
    assert world.held() == {}


def test_thirty_days_later_nobody_is_new(world):
    world.creator("maker")
    world.patron("ada", 2)
    world.rules = type(world.rules)(money=world.rules.money, pseudonym_key=b"", hold_new=timedelta(days=10))
    world.like("ada", "song")
    world.close_month()  # three weeks later
    assert world.held() == {}


# Holds


def test_one_pair_is_one_hold_with_all_its_reasons(world):
    maker, ada = world.creator("maker"), world.patron("ada", 30)
    world.like("ada", "song")
    world.close_month()
    assert world.held() == {(ada, maker): "one_patron new_pair"}


def test_both_sides_are_told_once_and_can_look_it_up(world):
    maker, ada = world.creator("maker"), world.patron("ada", 2)
    world.like("ada", "song")
    month = world.close_month()
    with world.db.transaction() as tx:
        judging.judge(tx, world.rules, month, world.at)  # nothing is due any more; nothing changes
    (hold,) = world.holds()
    assert notes(world, "hold_patron") == [(f"hold_patron:{hold.id}", ada)]
    assert notes(world, "hold_creator") == [(f"hold_creator:{hold.id}", maker)]
    with world.db.reading() as tx:
        (mine,) = held_of_patron(tx, [ada])
        (theirs,) = held_of_creator(tx, [maker], month)
        assert held_of_creator(tx, [maker], month + 1) == held_of_patron(tx, [maker]) == []
    assert (mine.micros, mine.state, theirs.micros) == (1_800_000, "held", 1_800_000)
    assert mine.reasons != theirs.reasons
    assert "ada" not in str(theirs)


def test_judging_twice_before_collecting_changes_nothing(world):
    world.creator("maker")
    world.patron("ada", 2)
    world.like("ada", "song")
    month = world.month_over()
    world.advance()
    world.at += world.rules.review
    from core.months import closing

    with world.db.transaction() as tx:
        assert closing.close_chunk(tx, world.rules, month, world.at) == 1
        assert closing.close_chunk(tx, world.rules, month, world.at) == 0
        assert judging.judge(tx, world.rules, month, world.at) == 1
    assert len(world.holds()) == 1
    assert len(notes(world, "hold_patron")) == 1


# One card on both sides


def one_card(world: World) -> tuple[int, int, int]:
    """Ada, a creator with her card, and another creator."""
    world.old_creator("maker")
    smith = world.old_creator("smith")
    ada, maker = world.old_patron("ada", 10), world.old_patron("maker", 2)
    for person in (ada, maker):
        world.fingerprint(person, "the same")
    world.like("ada", "song")
    world.like("ada", "nail", "smith")
    return ada, maker, smith


def test_what_goes_to_ones_own_card_is_void_from_the_review_on(world):
    ada, maker, smith = one_card(world)
    assert world.states(ada) == ["counts", "counts"]
    month = world.month_over()
    world.advance()
    assert world.states(ada, month) == ["same_card", "counts"]
    world.at += world.rules.review
    world.advance()
    assert (world.due(maker), world.due(smith)) == (0, 9 * EUR)
    assert world.statement(ada, month).flattrs == 1
    assert world.states(ada, month) == ["same_card", "counts"]


def test_a_card_that_is_entered_during_the_review_is_seen_at_the_closing(world):
    ada, maker, smith = one_card(world)
    world.fingerprint(maker, "another")
    month = world.month_over()
    world.advance()
    assert world.states(ada, month) == ["counts", "counts"]
    world.fingerprint(maker, "the same")
    world.at += world.rules.review
    world.advance()
    assert world.states(ada, month) == ["same_card", "counts"]
    assert (world.due(maker), world.due(smith)) == (0, 9 * EUR)


def test_unknown_fingerprints_are_not_the_same(world):
    ada, maker, _ = one_card(world)
    for person in (ada, maker):
        world.fingerprint(person, None)
    month = world.close_month()
    assert world.states(ada, month) == ["counts", "counts"]


def test_ones_own_things_stay_ones_own(world):
    ada, maker, _ = one_card(world)
    with world.db.transaction() as tx:
        merging.merge(tx, world.rules, keep_id=ada, lose_id=maker, at=world.at)
    month = world.close_month()
    assert world.states(ada, month) == ["own", "counts"]
