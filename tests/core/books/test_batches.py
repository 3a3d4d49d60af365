"""The sealed book: every posting once, in chained batches that show whatever was changed."""

from __future__ import annotations

import dataclasses
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from core.books import batches, ledger
from core.books.batches import Batch, Sealed, wrong_heads, wrong_in
from core.books.commitments import START, Columns, batch_hash, commitment, text
from core.database import Database, to_micros
from core.periods import parse_month
from tests.core.books.busy import post_every_kind, post_some
from tests.scene import EUR, Scene

KEY = bytes(range(32))
EVERY_COLUMN = {
    "at": "at + 1",
    "kind": "kind || 'x'",
    "source": "source || '1'",
    "debit": "debit + 8",
    "credit": "credit + 8",
    "amount_micros": "amount_micros + 1",
}


@pytest.fixture
def world(db: Database, rules, at) -> Scene:
    """A world whose books need not balance: some of its postings mean nothing."""
    return Scene(db, rules, at)


def seal(scene: Scene, **how) -> int:
    with scene.db.transaction() as tx:
        return batches.seal(tx, KEY, scene.rules.money, scene.at, **how)


def wrong(scene: Scene, key: bytes = KEY) -> list[str]:
    with scene.db.reading() as tx:
        return batches.verify(tx, key, scene.rules.money)


def change(scene: Scene, *statements: str) -> None:
    """Change the database behind the hub's back, whatever refers to it."""
    connection = scene.db.engine.raw_connection()
    cursor = connection.cursor()
    off = "PRAGMA foreign_keys=OFF" if scene.db.is_sqlite else "set session_replication_role = replica"
    for statement in (off, *statements):
        cursor.execute(statement)
    connection.commit()
    cursor.close()
    connection.invalidate()  # nobody else gets a connection that checks nothing


def heads(scene: Scene) -> list[Batch]:
    with scene.db.reading() as tx:
        return batches.batches(tx)


# Sealing


def test_nothing_posted_is_nothing_sealed(world):
    assert seal(world) == 0
    assert wrong(world) == []
    assert heads(world) == []


def test_every_posting_is_sealed_once(world):
    post_every_kind(world)
    with world.db.reading() as tx:
        count = batches.unsealed(tx)
    assert seal(world) == count
    assert seal(world) == 0
    assert [head.postings for head in heads(world)] == [count]
    assert wrong(world) == []


def test_a_real_month_is_sealed_with_its_receipts(scene):
    maker = scene.creator("maker")
    scene.patron("ada", 10)
    scene.like("ada", "song")
    scene.close_month()
    assert scene.due(maker) == 9 * EUR
    assert seal(scene) == 3
    assert wrong(scene) == []


def test_batches_are_bounded_and_chained(world):
    post_some(world, 1, 25)
    assert [seal(world, chunk=10) for _ in range(4)] == [10, 10, 5, 0]
    first, second, third = heads(world)
    assert (first.previous, second.previous, third.previous) == (START, first.hash, second.hash)
    assert wrong(world) == []


def test_the_order_within_a_batch_is_that_of_the_commitments(world):
    post_some(world, 1, 50)
    seal(world)
    with world.db.reading() as tx:
        rows = tx.execute(sa.text("select commitment, posting_id from sealed_posting order by place")).all()
    assert [bytes(row[0]) for row in rows] == sorted(bytes(row[0]) for row in rows)
    assert [row[1] for row in rows] != sorted(row[1] for row in rows)


def test_each_month_has_batches_of_its_own(world):
    post_some(world, 1, 3)
    post_some(world, 4, 5, world.at + timedelta(days=30))
    assert seal(world) == 5
    assert [(head.month, head.postings) for head in heads(world)] == [
        (parse_month("2026-11"), 3),
        (parse_month("2026-12"), 2),
    ]


def test_what_comes_after_a_books_end_is_in_the_next(world):
    post_some(world, 1, 3, world.at + timedelta(days=30))
    seal(world)
    post_some(world, 4, 5, world.at)
    assert seal(world) == 2
    assert [head.month for head in heads(world)] == [parse_month("2026-12")] * 2
    assert wrong(world) == []


def put(scene: Scene, *numbers: int, at: datetime | None = None) -> None:
    """Postings with these very numbers."""
    row = {"at": to_micros(at or scene.at), "debit": ledger.LOSS, "credit": ledger.INCOME, "micros": 9}
    query = "insert into posting (id, at, kind, source, debit, credit, amount_micros)"
    with scene.db.transaction() as tx:
        for number in numbers:
            values = " values (:number, :at, 'odd', :source, :debit, :credit, :micros)"
            tx.execute(sa.text(query + values), {**row, "number": number, "source": f"n:{number}"})


def test_a_posting_that_is_committed_late_is_in_a_later_batch(world):
    # As PostgreSQL does it: the number is taken before the commit, and others overtake.
    put(world, 1, 2, 4, 5)
    assert seal(world) == 4
    put(world, 3)
    assert seal(world) == 1
    assert [head.postings for head in heads(world)] == [4, 1]
    assert wrong(world) == []


def test_even_what_is_very_late_is_sealed_with_the_next_month(world):
    far = 3 * batches.LOOK_BACK
    put(world, 1, far)
    assert seal(world) == 2
    put(world, 2)
    assert seal(world) == 0  # further back than is looked at every time
    put(world, far + 1, at=world.at + timedelta(days=30))
    assert seal(world) == 2
    assert [head.postings for head in heads(world)] == [2, 1, 1]
    assert wrong(world) == []


def test_two_sealers_take_turns(world):
    post_some(world, 1, 400)
    with ThreadPoolExecutor(4) as pool:
        sealed = sum(pool.map(lambda _: seal(world, chunk=50), range(12)))
    assert sealed == 400
    assert wrong(world) == []


def test_the_text_names_the_receipt_that_people_see():
    share = Columns(5, 0, "share", "flattr:77", 10, 19, 3_150_000, parse_month("2026-11"))
    assert text(share, "EUR") == "share|2026-11-77|3150000|EUR"
    assert text(dataclasses.replace(share, kind="fee", source="statement:3"), "EUR") == "fee|statement:3|3150000|EUR"


# What shows


@pytest.mark.parametrize(("column", "value"), EVERY_COLUMN.items())
def test_an_edit_of_a_posting_shows_whatever_the_column(world, column, value):
    post_every_kind(world)
    seal(world)
    change(world, f"update posting set {column} = {value} where kind = 'share'")
    assert len(wrong(world)) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "update posting set source = 'flattr:x' where kind = 'share'",
        "update posting set source = 'flattr:99999999999999999999999' where kind = 'share'",
        "update posting set source = 'flattr:' where kind = 'share'",
        "delete from posting where kind = 'share'",
        "delete from sealed_posting where place = 3",
        "delete from book_batch where id = 1",
        "delete from book_batch where id = 2",
        "update book_batch set month = month - 1 where id = 1",
        "update book_batch set postings = postings - 1 where id = 1",
        "update book_batch set previous = hash where id = 2",
        "update book_batch set hash = substr(hash, 2) || substr(hash, 1, 1) where id = 2",
        "update book_batch set id = 7 where id = 2",
        "update sealed_posting set place = 99 where place = 3 and batch_id = 1",
        "update sealed_posting set batch_id = 2, place = 99 where place = 9 and batch_id = 1",
        "update posting set id = 999 where kind = 'share'",
    ],
)
def test_whatever_else_is_done_to_the_books_shows(world, statement):
    post_every_kind(world)
    while seal(world, chunk=10):
        pass
    assert wrong(world) == []
    change(world, statement)
    assert wrong(world) != []


def test_two_commitments_that_change_places_show(world):
    post_every_kind(world)
    seal(world)
    change(
        world,
        "update sealed_posting set place = 99 where place = 3",
        "update sealed_posting set place = 3 where place = 4",
        "update sealed_posting set place = 4 where place = 99",
    )
    assert wrong(world) != []


def test_a_posting_and_its_seal_taken_away_together_show(world):
    post_every_kind(world)
    seal(world)
    change(world, "delete from sealed_posting where posting_id = 5", "delete from posting where id = 5")
    assert wrong(world) == ["batch 1 (2026-11) is not the 25 commitments that were sealed"]


def test_another_key_seals_otherwise(world):
    post_every_kind(world)
    seal(world)
    assert len(wrong(world, b"another")) == batches.SHOWN  # of 25: what is listed is bounded


SIZE, EACH = 10_000, 20


def sealed_in_memory() -> list[tuple[Batch, list[Sealed]]]:
    """Ten thousand postings in small batches: an edit is looked for in its own batch, so that all can be tried."""
    month, previous, made = parse_month("2026-11"), START, []
    for number in range(1, SIZE // EACH + 1):
        postings = [
            Columns(id_, 1_760_000_000_000_000 + id_, "share", f"flattr:{id_}", 10, 19, 72_580 + id_ % 2, month)
            for id_ in range((number - 1) * EACH + 1, number * EACH + 1)
        ]
        values = sorted((commitment(KEY, each, "EUR"), each) for each in postings)
        head = Batch(number, month, EACH, previous, batch_hash(previous, number, month, (v for v, _ in values)))
        made.append((head, [Sealed(p.id, number, place, value, p) for place, (value, p) in enumerate(values)]))
        previous = head.hash
    return made


def edits_of(each: Sealed) -> list[Sealed]:
    assert each.posting is not None
    return [
        *(
            dataclasses.replace(each, posting=dataclasses.replace(each.posting, **{name: value}))
            for name, value in {
                "id": each.posting.id + 1,
                "at_micros": each.posting.at_micros + 1,
                "kind": "fee",
                "source": "flattr:0",
                "debit": each.posting.debit + 8,
                "credit": each.posting.credit + 8,
                "amount_micros": each.posting.amount_micros + 1,
                "month": None,
            }.items()
        ),
        dataclasses.replace(each, posting=None),
        dataclasses.replace(each, commitment=bytes(32)),
        dataclasses.replace(each, place=each.place + 1),
    ]


def test_no_single_edit_deletion_or_swap_of_ten_thousand_sealed_postings_goes_unseen():
    for head, sealed in sealed_in_memory():
        assert not list(wrong_in(KEY, "EUR", head, sealed))
        for place, each in enumerate(sealed):
            tried = [[*sealed[:place], edit, *sealed[place + 1 :]] for edit in edits_of(each)]
            tried.append([*sealed[:place], *sealed[place + 1 :]])  # gone, and a hole is left
            closed_up = [
                dataclasses.replace(row, place=number)
                for number, row in enumerate([*sealed[:place], *sealed[place + 1 :]])
            ]
            tried.append(closed_up)
            if place:
                swapped = sealed[:]
                before = sealed[place - 1]
                swapped[place - 1 : place + 1] = [
                    dataclasses.replace(each, place=place - 1),
                    dataclasses.replace(before, place=place),
                ]
                tried.append(swapped)
            for changed in tried:
                assert next(wrong_in(KEY, "EUR", head, changed), None) is not None


def test_no_single_edit_deletion_or_swap_of_batches_goes_unseen_by_the_chain():
    # A batch's own columns are in its hash; what is left is its place in the chain.
    all_heads = [head for head, _ in sealed_in_memory()]
    assert not list(wrong_heads(all_heads))
    for number in range(len(all_heads) - 1):
        without = [*all_heads[:number], *all_heads[number + 1 :]]
        other_hash = [*all_heads[:number], dataclasses.replace(all_heads[number], hash=START), *all_heads[number + 1 :]]
        swapped = all_heads[:]
        swapped[number], swapped[number + 1] = swapped[number + 1], swapped[number]
        for changed in (without, other_hash, swapped):
            assert next(wrong_heads(changed), None) is not None


def test_two_postings_that_are_swapped_show_wherever_they_are():
    rng = random.Random(7)
    made = sealed_in_memory()
    for _ in range(2_000):
        (a_head, a), (b_head, b) = rng.sample(made, 2)
        one, other = rng.choice(a), rng.choice(b)
        assert next(wrong_in(KEY, "EUR", a_head, [dataclasses.replace(r, posting=other.posting) if r is one else r
                                                  for r in a]), None)  # fmt: skip
        assert next(wrong_in(KEY, "EUR", b_head, [dataclasses.replace(r, commitment=one.commitment) if r is other else r
                                                  for r in b]), None)  # fmt: skip


def test_the_ledger_is_what_it_was_before_sealing(scene):
    scene.creator("maker")
    scene.patron("ada", 10)
    scene.like("ada", "song")
    scene.close_month()
    with scene.db.reading() as tx:
        before = ledger.balances(tx)
    seal(scene)
    with scene.db.reading() as tx:
        assert ledger.balances(tx) == before
