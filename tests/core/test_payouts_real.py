"""Payouts through a processor in another house: what is available, lost answers, accounts, what comes back."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlmodel import col, select

from core.books import ledger, reversals
from core.books.tables import Posting
from core.holds.tables import Hold
from core.mail.tables import OutboxNote
from core.months import payouts
from core.months.tables import Payout, PayoutRun
from core.payments.gateway import Done, Refused, Unknown
from core.payments.states import TransferState
from core.people import leaving
from core.people.tables import Audit
from tests.core.scripted import Processor, hosted, onboard, paid_creator
from tests.scene import EUR, Scene


@pytest.fixture
def house(scene: Scene) -> Processor:
    # The money of the first two months would wait a run longer; here it is payouts that are looked at.
    return hosted(scene)


def earn(scene: Scene, *amounts: float, by: str = "pat") -> list[int]:
    """Creators who are owed nine tenths of these, by patrons of their own; the first run is over before."""
    makers = []
    for number, amount in enumerate(amounts):
        makers.append(paid_creator(scene, f"maker-{by}-{number}"))
        scene.patron(f"{by}-{number}", amount)
        scene.like(f"{by}-{number}", f"song-{by}-{number}", f"maker-{by}-{number}")
    scene.close_month()
    with scene.db.transaction() as tx:
        payouts.begin(tx, scene.rules, 1, scene.at)
        assert tx.exec(select(Payout)).all() == []
    scene.later(days=20)
    return makers


def reserve(scene: Scene, period: int = 2) -> list[int]:
    with scene.db.transaction() as tx:
        payouts.begin(tx, scene.rules, period, scene.at)
        return [each or 0 for each in tx.exec(select(Payout.id).order_by(col(Payout.id)))]


def send(scene: Scene) -> int:
    return payouts.send(scene.db, scene.rules, scene.gateway, scene.at)


def states(scene: Scene) -> list[str]:
    with scene.db.reading() as tx:
        return list(tx.exec(select(Payout.state).order_by(col(Payout.id))))


def payout(scene: Scene, number: int) -> Payout:
    with scene.db.reading() as tx:
        return tx.get_one(Payout, number)


def learn(scene: Scene, state: TransferState | None, times: int = 2) -> None:
    assert state is not None
    for _ in range(times):
        with scene.db.transaction() as tx:
            payouts.learn(tx, scene.rules, state, scene.at)


def told(scene: Scene, kind: str) -> list[OutboxNote]:
    with scene.db.reading() as tx:
        return list(tx.exec(select(OutboxNote).where(OutboxNote.kind == kind).order_by(col(OutboxNote.id))))


def unfinished(scene: Scene) -> int:
    with scene.db.reading() as tx:
        return len(tx.exec(select(PayoutRun).where(col(PayoutRun.finished_at).is_(None))).all())


# What is available


def test_only_what_the_available_balance_covers_is_sent_and_the_rest_when_more_is(scene, house):
    makers = earn(scene, 10, 20, 30)
    house.available = 2700
    reserve(scene)
    assert (send(scene), states(scene), unfinished(scene)) == (2, ["sent", "sent", "asked"], 1)
    assert house.available == 0
    house.available = 10_000
    assert send(scene) == 0  # not before somebody says so, or an hour has gone by
    with scene.db.transaction() as tx:
        assert (payouts.hurry(tx, scene.rules, scene.at), payouts.hurry(tx, scene.rules, scene.at)) == (1, 0)
    assert (send(scene), states(scene), unfinished(scene)) == (1, ["sent"] * 3, 0)
    assert [house.sent(maker) for maker in makers] == [900, 1800, 2700]
    assert [scene.due(maker) for maker in makers] == [0, 0, 0]


def test_what_waits_for_available_money_is_looked_at_again_after_a_while(scene, house):
    earn(scene, 10)
    house.available = 899
    [number] = reserve(scene)
    assert (send(scene), payout(scene, number).reason) == (0, "waits until the processor has enough available money")
    house.available = 900
    scene.at += scene.rules.retry_unknown
    assert (send(scene), states(scene)) == (1, ["sent"])
    assert [each.attempt for each in house.asked] == [1]


def test_waiting_for_available_money_is_no_news(scene, house):
    earn(scene, 10)
    reserve(scene)
    house.available = 0
    scene.advance()  # a run of this month's own, with nothing left to reserve
    assert scene.advance() == []
    house.available = 900
    scene.at += scene.rules.retry_unknown
    assert scene.advance() == ["1 payouts sent"]
    assert scene.advance() == []


def test_a_smaller_payout_may_overtake_one_that_does_not_fit_but_not_for_ever(scene, house):
    earn(scene, 50, 10, 10, 10)
    reserve(scene)
    house.available = 1000
    assert (send(scene), states(scene)) == (1, ["asked", "sent", "asked", "asked"])
    scene.later(days=3)
    house.available = 1000
    assert (send(scene), states(scene)) == (1, ["asked", "sent", "sent", "asked"])
    scene.later(hours=2)
    house.available = 1000
    assert send(scene) == 0
    house.available = 4500
    scene.later(hours=2)
    assert (send(scene), states(scene)) == (1, ["sent", "sent", "sent", "asked"])


def test_nothing_is_sent_while_the_balance_is_not_known(scene, house):
    earn(scene, 10)
    reserve(scene)
    house.available = None
    assert (send(scene), house.asked) == (0, [])
    house.available = 900
    assert (send(scene), states(scene)) == (1, ["sent"])


def test_a_balance_that_sinks_meanwhile_makes_the_next_try_a_new_attempt(scene, house):
    earn(scene, 10)
    [number] = reserve(scene)
    house.say[number] = [Refused("not enough available", passes=True)]
    assert (send(scene), states(scene)) == (1, ["asked"])
    row = payout(scene, number)
    assert (row.attempt, row.calls, row.asked_at) == (2, 0, scene.at + scene.rules.retry_unknown)
    assert told(scene, "payout") == []
    with scene.db.transaction() as tx:
        assert payouts.hurry(tx, scene.rules, scene.at) == 1
    assert (send(scene), states(scene)) == (1, ["sent"])
    assert [(each.key, each.asked_before) for each in house.asked] == [
        (f"tr-{number}-1", False),
        (f"tr-{number}-2", False),
    ]


# Answers that get lost, and bugs


def test_a_lost_answer_is_asked_for_again_under_the_same_key_and_paid_once(scene, house):
    [maker] = earn(scene, 10)
    [number] = reserve(scene)
    house.lost_answers = 2
    assert (send(scene), send(scene), states(scene)) == (1, 0, ["asked"])
    with scene.db.transaction() as tx:
        assert payouts.hurry(tx, scene.rules, scene.at) == 0  # money is not what it waits for
    for _ in range(2):
        scene.at += scene.rules.retry_unknown
        assert send(scene) == 1
    assert [(each.key, each.asked_before) for each in house.asked] == [
        (f"tr-{number}-1", False), (f"tr-{number}-1", True), (f"tr-{number}-1", True),
    ]  # fmt: skip
    assert (states(scene), house.sent(maker), scene.due(maker)) == (["sent"], 900, 0)


def test_one_without_an_answer_is_asked_for_first_and_whatever_is_available(scene, house):
    earn(scene, 10, 10)
    first, second = reserve(scene)
    house.lost_answers = 1
    house.available = 900
    assert send(scene) == 1
    scene.at += scene.rules.retry_unknown
    assert (send(scene), states(scene)) == (1, ["sent", "asked"])
    assert [each.payout_id for each in house.asked] == [first, first]
    assert payout(scene, second).calls == 0


def test_a_hub_killed_between_asking_and_recording_has_the_processor_look_first(scene, house):
    earn(scene, 10)
    reserve(scene)

    class Killed(BaseException):
        pass

    working = house.transfer

    def kills(request, at):
        working(request, at)
        raise Killed

    house.transfer = kills
    with pytest.raises(Killed):
        send(scene)
    house.transfer = working
    assert (send(scene), states(scene)) == (1, ["sent"])
    assert [each.asked_before for each in house.asked] == [False, True]
    assert len(house.moved) == 1


@pytest.mark.parametrize("at_once", [1, 4])
def test_a_bug_in_one_payout_stops_no_other(scene, house, at_once, caplog):
    house.at_once = at_once
    earn(scene, 10, 10, 10, 10, 10)
    numbers = reserve(scene)
    house.say[numbers[1]] = [ZeroDivisionError("secret")]
    house.say[numbers[3]] = [Done("trf-wrong\x00")] if not scene.db.is_sqlite else [ZeroDivisionError()]
    assert send(scene) == 5
    assert states(scene) == ["sent", "asked", "sent", "asked", "sent"]
    assert "ZeroDivisionError at tests/core/scripted.py" in caplog.text
    assert "secret" not in caplog.text
    assert payout(scene, numbers[1]).reason.startswith("a bug of the hub: ZeroDivisionError")
    scene.at += scene.rules.retry_unknown
    assert (send(scene), states(scene)) == (2, ["sent"] * 5)
    assert Counter(each.payout_id for each in house.asked)[numbers[1]] == 2


def test_more_payouts_than_fit_one_commit_are_all_sent_once(scene, house, monkeypatch):
    monkeypatch.setattr(payouts, "BATCH", 2)
    house.at_once = 3
    makers = earn(scene, *[10] * 5)
    reserve(scene)
    assert (send(scene), send(scene)) == (5, 0)
    assert [house.sent(maker) for maker in makers] == [900] * 5


# Where it goes


def test_a_payout_goes_to_the_account_it_was_reserved_for(scene, house):
    [maker] = earn(scene, 10)
    [number] = reserve(scene)
    house.lost_answers = 1
    send(scene)
    onboard(scene, maker, active=False, closed=True)
    onboard(scene, maker, "acct-new")
    scene.at += scene.rules.retry_unknown
    send(scene)
    assert [each.destination for each in house.asked] == [f"acct-{maker}"] * 2
    assert payout(scene, number).destination == f"acct-{maker}"


def test_who_cannot_be_paid_is_left_out_and_paid_once_they_can(scene, house):
    [maker] = earn(scene, 10)
    onboard(scene, maker, active=False)
    assert reserve(scene) == []
    onboard(scene, maker)
    reserve(scene, 3)
    assert (send(scene), house.sent(maker)) == (1, 900)


def test_money_refused_for_want_of_an_account_is_due_again(scene, house):
    scene.creator("maker")
    scene.patron("ada", 10)
    scene.like("ada", "song")
    scene.close_month()
    reserve(scene, 1)
    reserve(scene, 2)
    assert (send(scene), states(scene)) == (1, ["refused"])
    assert [note.source for note in told(scene, "payout")] == ["payout:1"]


def test_who_left_is_still_paid(scene, house):
    [maker] = earn(scene, 10)
    with scene.db.transaction() as tx:
        leaving.stop(tx, scene.rules, maker, scene.at)
    reserve(scene)
    assert (send(scene), house.sent(maker)) == (1, 900)


# What the processor tells of transfers


def test_news_of_a_transfer_records_a_payout_whose_answer_was_lost(scene, house):
    [maker] = earn(scene, 10)
    [number] = reserve(scene)
    house.lost_answers = 1
    send(scene)
    learn(scene, house.look_at_transfer(f"trf-tr-{number}-1"))
    assert (states(scene), scene.due(maker), len(told(scene, "payout"))) == (["sent"], 0, 1)
    scene.at += scene.rules.retry_unknown
    assert send(scene) == 0


def test_news_of_transfers_that_are_none_of_this_hub_s_is_passed_over(scene, house):
    learn(scene, TransferState(reference="tr-x", payout_id=None, attempt=1, amount_minor=5))
    learn(scene, TransferState(reference="tr-x", payout_id=77, attempt=1, amount_minor=5))


def test_news_that_the_books_cannot_agree_with_is_not_taken_in(scene, house):
    earn(scene, 10)
    [number] = reserve(scene)
    send(scene)
    books = scene.books()
    wrong = TransferState(reference=f"trf-tr-{number}-1", payout_id=number, attempt=1, amount_minor=901)
    with scene.db.transaction() as tx, pytest.raises(ValueError, match="another amount"):
        payouts.learn(tx, scene.rules, wrong, scene.at)
    second = TransferState(reference="trf-other", payout_id=number, attempt=1, amount_minor=900)
    with scene.db.transaction() as tx, pytest.raises(ValueError, match="made for it too"):
        payouts.learn(tx, scene.rules, second, scene.at)
    assert scene.books() == books


# What comes back


def test_what_is_taken_back_of_a_payout_is_due_again_and_paid_by_the_next_run(scene, house):
    [maker] = earn(scene, 10)
    [number] = reserve(scene)
    send(scene)
    transfer = f"trf-tr-{number}-1"
    house.reverse(transfer, 300, key="trr-by-hand")
    learn(scene, house.look_at_transfer(transfer))
    assert (states(scene), scene.due(maker)) == (["sent"], 3 * EUR)
    house.reverse(transfer, 600, key="trr-rest")
    learn(scene, house.look_at_transfer(transfer))
    assert (states(scene), scene.due(maker), house.sent(maker)) == (["reversed"], 9 * EUR, 0)
    assert [note.text for note in told(scene, "payout_reversed")] == [
        f"{amount} EUR of your payout of 9.00 EUR were taken back from your account with the payment processor. You are"
        " owed them again, and the next payout run sends them."
        for amount in ("3.00", "6.00")
    ]
    scene.later(days=31)
    reserve(scene, 3)
    assert (send(scene), states(scene), scene.due(maker)) == (1, ["reversed", "sent"], 0)


def test_money_sent_back_is_as_old_as_it_was(scene, house):
    [maker] = earn(scene, 10)
    scene.rules = replace(scene.rules, payout_min_micros=8 * EUR)
    [number] = reserve(scene)
    send(scene)
    house.reverse(f"trf-tr-{number}-1", 300, key="trr")
    learn(scene, house.look_at_transfer(f"trf-tr-{number}-1"))
    scene.later(days=31)
    assert len(reserve(scene, 3)) == 1
    scene.later(days=50)  # the money is 101 days old; it came back 81 days ago
    assert len(reserve(scene, 4)) == 2
    assert (send(scene), scene.due(maker)) == (1, 0)


def test_the_operator_takes_a_payout_back_once_even_if_the_answer_gets_lost(scene, house):
    [maker] = earn(scene, 10)
    [number] = reserve(scene)
    send(scene)
    house.lost_answers = 1
    answers = [payouts.reverse(scene.db, scene.rules, house, number, scene.at) for _ in range(2)]
    assert answers == [Unknown("the answer got lost"), Done(f"trr-{number}-1")]
    assert (states(scene), scene.due(maker), house.sent(maker)) == (["reversed"], 9 * EUR, 0)
    with scene.db.reading() as tx:
        acts = tx.exec(select(Audit.detail).where(Audit.action == "reverse")).all()
    assert acts == [f"payout {number}, 900 minor units: the answer got lost"]


def test_the_operator_takes_back_what_is_left_of_a_payout_or_is_told_why_not(scene, house):
    [maker] = earn(scene, 10)
    [number] = reserve(scene)
    with pytest.raises(ValueError, match="is asked; only one that was sent"):
        payouts.reverse(scene.db, scene.rules, house, number, scene.at)
    with pytest.raises(ValueError, match="payout 99 is unknown"):
        payouts.reverse(scene.db, scene.rules, house, 99, scene.at)
    send(scene)
    transfer = f"trf-tr-{number}-1"
    house.reverse(transfer, 300, key="trr-by-hand")
    house.balances[transfer] = 500
    assert payouts.reverse(scene.db, scene.rules, house, number, scene.at) == Refused(
        "the creator's balance does not cover it"
    )
    assert (states(scene), scene.due(maker)) == (["sent"], 3 * EUR)
    house.balances[transfer] = 600
    assert payouts.reverse(scene.db, scene.rules, house, number, scene.at) == Done(f"trr-{number}-2")
    assert (states(scene), scene.due(maker)) == (["reversed"], 9 * EUR)
    house.moved.clear()
    with pytest.raises(ValueError, match="knows no transfer"):
        payouts.reverse(scene.db, scene.rules, house, number, scene.at)


def test_a_pretend_processor_takes_nothing_back(scene):
    maker = scene.creator("maker")
    scene.patron("ada", 10)
    scene.like("ada", "song")
    scene.close_month()
    for period in (1, 2):
        reserve(scene, period)
    send(scene)
    with pytest.raises(ValueError, match="sandbox takes nothing back"):
        payouts.reverse(scene.db, scene.rules, scene.gateway, 1, scene.at)
    assert scene.due(maker) == 0


def dispute(scene: Scene, source: str, micros: int | None = None) -> None:
    with scene.db.transaction() as tx:
        statement, charge = tx.execute(sa.text("select id, charge_micros from statement order by id limit 1")).one()
        reversals.take_back(tx, statement_id=statement, amount_micros=micros or charge, source=source, at=scene.at)


def posted(scene: Scene, *kinds: str) -> int:
    with scene.db.reading() as tx:
        return sum(tx.exec(select(Posting.amount_micros).where(col(Posting.kind).in_(kinds))))


@pytest.mark.parametrize(("back", "taken"), [(900, 9 * EUR), (300, 0)])
def test_a_chargeback_takes_shares_whose_payout_came_back_whole_and_no_others(scene, house, back, taken):
    [maker] = earn(scene, 10)
    [number] = reserve(scene)
    send(scene)
    house.reverse(f"trf-tr-{number}-1", back, key="trr")
    learn(scene, house.look_at_transfer(f"trf-tr-{number}-1"))
    dispute(scene, "dp_1")
    assert (posted(scene, "share_back"), scene.due(maker)) == (taken, back * 10_000 - taken)


# Holds


def hold(scene: Scene, creator: int, state: str = "held") -> int:
    """A hold on what the first statement brings its creator, made when the month closed."""
    with scene.db.transaction() as tx:
        month, patron = tx.execute(sa.text("select month, patron_id from statement order by id limit 1")).one()
        row = Hold(
            month=month, patron_id=patron, creator_id=creator, micros=9 * EUR, reasons="one_patron", state=state,
            made_at=scene.at,
        )  # fmt: skip
        tx.add(row)
        tx.flush()
        return row.id or 0


def decide(scene: Scene, number: int, state: str) -> None:
    with scene.db.transaction() as tx:
        row = tx.get_one(Hold, number)
        row.state, row.decided_at = state, scene.at


def test_what_is_under_a_hold_waits_until_it_is_released(scene, house):
    [maker] = earn(scene, 10)
    scene.patron("bob", 20)
    scene.like("bob", "tune", "maker-pat-0")
    held = hold(scene, maker)
    scene.close_month()
    scene.later(days=31)
    reserve(scene, 2)
    reserve(scene, 3)
    send(scene)
    assert (house.sent(maker), scene.due(maker)) == (1800, 9 * EUR)
    scene.later(days=100)
    reserve(scene, 4)
    assert send(scene) == 0
    decide(scene, held, "released")
    scene.later(days=1)
    reserve(scene, 5)
    assert (send(scene), house.sent(maker), scene.due(maker)) == (1, 2700, 0)


def test_early_money_under_a_hold_is_left_out_once(scene, house):
    maker = paid_creator(scene, "maker")
    for name, budget in (("ada", 10), ("bob", 20)):
        scene.patron(name, budget)
        scene.like(name, "song")
    scene.close_month()
    hold(scene, maker)
    reserve(scene, 1)
    scene.later(days=31)
    reserve(scene, 2)
    assert (send(scene), house.sent(maker), scene.due(maker)) == (1, 1800, 9 * EUR)


@pytest.mark.parametrize(
    ("state", "later", "taken"),
    [("held", 0, 9 * EUR), ("voided", 0, 9 * EUR), ("released", 1, 9 * EUR), ("released", -1, 0)],
)
def test_a_chargeback_takes_held_shares_though_others_were_paid_since(scene, house, state, later, taken):
    [maker] = earn(scene, 10)
    held = hold(scene, maker)
    paid_creator(scene, "other")
    scene.patron("bob", 20)
    scene.like("bob", "tune", "maker-pat-0")
    scene.close_month()
    scene.later(days=31)
    if later < 0:
        decide(scene, held, state)
    reserve(scene, 2)
    scene.later(days=31)
    reserve(scene, 3)
    send(scene)
    if later >= 0:
        scene.later(hours=1)
        decide(scene, held, state)
    dispute(scene, "dp_1")
    assert (posted(scene, "share_back"), scene.due(maker)) == (taken, 0)


def test_crumbs_of_a_voided_share_are_taken_once(scene, house):
    [maker] = earn(scene, 10)
    held = hold(scene, maker, "voided")
    with scene.db.transaction() as tx:
        [(flattr, statement)] = tx.execute(sa.text("select flattr_id, statement_id from share")).all()
        reversals.take_back(
            tx, statement_id=statement, amount_micros=8_990_000, source="re_1", at=scene.at, only=frozenset({flattr})
        )
        ledger.post(
            tx, kind="void", source=f"hold:{held}/flattr:{flattr}", at=scene.at,
            debit=ledger.creator(maker), credit=ledger.INCOME, amount_micros=10_000,
        )  # fmt: skip
    assert (scene.due(maker), scene.income()) == (0, EUR + 10_000)
    scene.patron("bob", 20)
    scene.like("bob", "tune", "maker-pat-0")
    scene.close_month()
    dispute(scene, "dp_1", 1_010_000)  # all that is left, of which the crumb is income by now
    assert (posted(scene, "share_back"), posted(scene, "fee_back"), posted(scene, "loss")) == (8_990_000, 1_010_000, 0)
    for period in (2, 3):
        scene.later(days=31)
        reserve(scene, period)
    assert (send(scene), house.sent(maker), scene.due(maker)) == (1, 1800, 0)


def test_a_held_share_does_not_hurry_young_money(scene, house):
    [maker] = earn(scene, 10)
    hold(scene, maker)
    scene.rules = replace(scene.rules, payout_min_micros=50 * EUR)
    scene.later(days=100)
    scene.patron("bob", 20)
    scene.like("bob", "tune", "maker-pat-0")
    scene.close_month()
    scene.at += timedelta(days=31)
    reserve(scene, 2)
    assert reserve(scene, 3) == []
