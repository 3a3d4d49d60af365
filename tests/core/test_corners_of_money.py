"""Corners where money could have stuck, or the hub with it: what comes to nothing, never answers, or meets halfway."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Event

import pytest
import sqlalchemy as sa
from sqlmodel import select

from core.books import reversals
from core.charges import collecting
from core.charges.answering import UNANSWERED
from core.errands.tables import Errand
from core.holds import deciding
from core.holds.tables import Hold
from core.months import closing
from core.months.tables import Statement
from core.payments import counterparts
from core.payments.states import RefundState
from core.people import leaving
from core.recipients import onboarding
from core.returns import disputes, refunds
from tests.core.holds.world import World
from tests.core.scripted import hosted
from tests.core.test_giving_up import charges, month_of, statement_id
from tests.core.test_recipients import began, notes
from tests.core.test_returns import collected, disputed, hear, log, posted, refunded
from tests.processor import Processor
from tests.scene import DECLINES, EUR, Scene


def test_a_dispute_that_was_given_again_once_and_came_back_for_refunded_money_can_be_won_again(scene: Scene):
    hosted(scene)
    statement = collected(scene, 2)
    for taken in (1000, 0):
        hear(scene, disputes, disputed(statement, taken))
    hear(scene, refunds, refunded(statement, "re_1"))
    hear(scene, disputes, disputed(statement, 1000))
    assert posted(scene, "loss") == 10 * EUR
    hear(scene, disputes, disputed(statement, 0))
    assert posted(scene, "loss_again") == 10 * EUR
    assert scene.broken() == []


def test_news_about_money_of_a_statement_that_was_given_up_waits_for_nothing(scene: Scene):
    hosted(scene)
    statement = collected(scene, 1, card=DECLINES)
    scene.until_settled(statement.month)
    state = RefundState(reference="re_1", intent=f"pi-{statement.id}", amount_minor=100, state="succeeded")
    hear(scene, refunds, state)
    with scene.db.reading() as tx:
        assert tx.exec(select(Errand)).all() == []
        assert tx.get_one(Statement, statement.id).state == "lapsed"


@pytest.mark.parametrize("collected_after_all", [False, True])
def test_a_charge_that_is_never_answered_is_given_up_in_the_end(scene: Scene, collected_after_all: bool):
    scene.gateway = processor = Processor()
    [patron], _, month = month_of(scene, "request lost")
    statement = statement_id(scene, patron, month)
    began_at = scene.at
    says = "answer lost" if collected_after_all else "request lost"
    last_day = timedelta(days=scene.rules.collect_days[-1])
    assert timedelta(days=30) == UNANSWERED, "as docs/money.md says"
    while scene.at < began_at + last_day + UNANSWERED:
        assert charges(scene, statement) == [(1, "asked", None)], "a silence is no answer"
        assert processor.given_up == []
        processor.says[:] = ["request lost"]
        scene.later(days=1)
        scene.advance() if scene.at < began_at + last_day + UNANSWERED else None
    processor.says[:] = [says]
    scene.advance()
    assert processor.given_up == [statement]
    assert scene.statement(patron, month).state == ("collected" if collected_after_all else "lapsed")
    assert scene.stage(month) == "settled"
    assert scene.broken() == []


def test_reminding_reads_nobody_who_has_had_the_reminder_of_their_day_or_left(scene: Scene):
    hosted(scene)
    people = [began(scene, f"maker-{number}") for number in range(6)]
    scene.later(days=1)
    asked: list[str] = []
    with scene.db.transaction() as tx:
        leaving.stop(tx, scene.rules, people[0], scene.at)
    with scene.db.transaction() as tx:
        assert onboarding.remind(tx, scene.rules, scene.at) == 5
    listener = lambda *call: asked.append(call[2])  # noqa: E731
    sa.event.listen(scene.db.engine, "before_cursor_execute", listener)
    for _ in range(3):
        scene.later(days=1)
        with scene.db.transaction() as tx:
            assert onboarding.remind(tx, scene.rules, scene.at) == 0
    sa.event.remove(scene.db.engine, "before_cursor_execute", listener)
    assert len([each for each in asked if "recipient" in each]) == 3, "one question a round, however many they are"
    assert len(notes(scene, "onboarding")) == 5


def test_a_dispute_won_after_its_hold_was_voided_keeps_no_round_busy(db, rules, at):
    world = World(db, replace(rules, fee_bp=0), at)  # without a fee the crumbs are the creator's
    world.creator("maker")
    ada = world.patron("ada", 10)
    for number in range(7):
        world.like("ada", f"song-{number}")
    statement = world.statement(ada, world.close_month())
    with db.transaction() as tx:
        counterparts.keep(tx, "intent", statement.id, f"pi-{statement.id}", world.at)
    hear(world, disputes, disputed(statement, 333))
    world.void(world.holds()[0].id)
    world.settle_holds()
    assert posted(world, "void") > 0
    hear(world, disputes, disputed(statement, 0))
    world.settle_holds()
    assert [world.settle_holds() for _ in range(2)] == [0, 0]
    assert ("creator:1" in world.books(), world.income()) == (False, posted(world, "void"))
    assert f"`flattr refund {statement.id} 3.32` gives it to the patron" in log(world, "hold")[-1]
    assert world.broken() == []


def test_voided_holds_and_a_refund_of_the_same_statement_do_not_wait_for_each_other(db, rules, at):
    """PostgreSQL finds out that two wait in a circle, and ends one of them with an error."""
    if db.is_sqlite:
        pytest.skip("SQLite has one writer at a time")
    world = World(db, rules, at)
    people = ("ada", "bob")
    for name in people:
        world.creator(f"maker-{name}")
        world.patron(name, 10)
        world.like(name, f"song-{name}", f"maker-{name}")
    month = world.month_over()
    world.advance()
    world.later(hours=48)
    with db.transaction() as tx:  # closed, but not collected
        while closing.close_chunk(tx, world.rules, month, world.at):
            pass
    for hold in world.holds():
        world.void(hold.id)
    with db.transaction() as tx:
        collecting.begin(tx, month)
    collecting.collect(db, world.rules, world.gateway, month, world.at)
    with db.reading() as tx:
        last = tx.exec(select(Statement.id).join(Hold, Hold.patron_id == Statement.patron_id).order_by(Hold.id)).all()[
            -1
        ]
    locked = Event()

    def settle() -> int:
        locked.wait(timeout=10)
        with db.transaction() as tx:
            return deciding.settle(tx, world.rules, world.at)

    with ThreadPoolExecutor(1) as pool:
        settling = pool.submit(settle)
        with db.transaction() as tx:
            tx.get_one(Statement, last, with_for_update=True)
            locked.set()
            until = time.monotonic() + 10
            waiting = sa.text("select count(*) from pg_locks where not granted")
            while not settling.done() and time.monotonic() < until:
                with db.reading() as other:
                    if other.execute(waiting).scalar_one():
                        break
            reversals.take_back(tx, statement_id=last, amount_micros=EUR, source="re_1", at=world.at)
        assert settling.result(timeout=10) == 2
    assert world.broken() == []
