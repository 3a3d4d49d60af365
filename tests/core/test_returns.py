"""Money on its way back to patrons: refunds, disputes, early fraud warnings; in any order, and heard more than once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import pytest
from sqlmodel import col, select

from core.books import reversals
from core.books.tables import Posting
from core.errands import keeping
from core.errands.tables import Errand
from core.holds.tables import Hold
from core.mail.tables import OutboxNote
from core.months import payouts
from core.months.tables import PayoutRun, Share, Statement
from core.payments import counterparts
from core.payments.gateway import Done, Refused, Unknown
from core.payments.states import DisputeState, RefundState, WarningState
from core.people import persons
from core.people.tables import Audit
from core.returns import disputes, refunds, warnings
from core.returns.tables import Dispute, Refund
from tests.core.scripted import Processor, hosted, paid_creator
from tests.scene import DECLINES, EUR, Scene


@pytest.fixture
def house(scene: Scene) -> Processor:
    return hosted(scene)


def collected(scene: Scene, *flattrs: int, budget: float = 10, by: str = "ada", card=None) -> Statement:
    """A statement over so many flattrs of maker-0, maker-1, ...; its intent is ``pi-N``."""
    more = {"card": card} if card else {}
    patron = scene.patron(by, budget, **more)
    for maker, count in enumerate(flattrs):
        paid_creator(scene, f"maker-{maker}")
        for number in range(count):
            scene.like(by, f"{by}-{maker}-{number}", f"maker-{maker}")
    statement = scene.statement(patron, scene.close_month())
    with scene.db.transaction() as tx:
        counterparts.keep(tx, "intent", statement.id, f"pi-{statement.id}", scene.at)
    return statement


def pay_out(scene: Scene) -> None:
    """Two runs later everything due is paid."""
    for _ in range(2):
        with scene.db.transaction() as tx:
            period = 901 + len(tx.exec(select(PayoutRun)).all())
            payouts.begin(tx, scene.rules, period, scene.at)
        payouts.send(scene.db, scene.rules, scene.gateway, scene.at)
        scene.later(days=20)


def ask(scene: Scene, statement: Statement, micros: int = 10 * EUR, reason: str = "operator", **more) -> int:
    with scene.db.transaction() as tx:
        row = refunds.ask(
            tx, scene.rules, statement_id=statement.id, amount_micros=micros, reason=reason, at=scene.at, **more
        )
        return row.id or 0


def send(scene: Scene) -> int:
    return refunds.send(scene.db, scene.rules, scene.gateway, scene.at)


def refund(scene: Scene, number: int = 1) -> Refund:
    with scene.db.reading() as tx:
        return tx.get_one(Refund, number)


def hear(scene: Scene, what, state, times: int = 2) -> None:
    for _ in range(times):
        with scene.db.transaction() as tx:
            what.learn(tx, scene.rules, state, scene.at)


def refunded(statement: Statement, reference: str, minor: int = 1000, **more) -> RefundState:
    return RefundState(
        reference=reference, intent=f"pi-{statement.id}", amount_minor=minor, **{"state": "succeeded", **more}
    )


def disputed(statement: Statement, taken: int, reference: str = "dp_1", **more) -> DisputeState:
    return DisputeState(
        reference=reference, intent=f"pi-{statement.id}", amount_minor=1000, taken_minor=taken,
        **{"status": "needs_response", **more},
    )  # fmt: skip


def posted(scene: Scene, *kinds: str) -> int:
    with scene.db.reading() as tx:
        return sum(tx.exec(select(Posting.amount_micros).where(col(Posting.kind).in_(kinds))))


def sources(scene: Scene, *kinds: str) -> list[tuple[str, str, int]]:
    with scene.db.reading() as tx:
        rows = tx.exec(select(Posting).where(col(Posting.kind).in_(kinds)).order_by(col(Posting.id)))
        return [(row.kind, row.source, row.amount_micros) for row in rows]


def notes(scene: Scene, kind: str) -> list[tuple[str, str | None]]:
    with scene.db.reading() as tx:
        query = select(OutboxNote).where(OutboxNote.kind == kind).order_by(col(OutboxNote.id))
        return [(note.source, note.text) for note in tx.exec(query)]


def log(scene: Scene, action: str) -> list[str]:
    with scene.db.reading() as tx:
        return list(tx.exec(select(Audit.detail).where(Audit.action == action).order_by(col(Audit.id))))


# Refunds that the hub asks for


def test_a_refund_goes_back_once_and_the_patron_is_told(scene, house):
    statement = collected(scene, 2)
    number = ask(scene, statement, 4 * EUR)
    assert (send(scene), send(scene)) == (1, 0)
    assert house.refunded == {f"re-{statement.id}-1": 400}
    assert (refund(scene).state, notes(scene, "refund")) == ("sent", [(f"refund:{number}", None)])
    assert (posted(scene, "charge_back"), posted(scene, "share_back"), posted(scene, "fee_back")) == (
        4 * EUR, 3_600_000, 400_000,
    )  # fmt: skip
    hear(scene, refunds, refunded(statement, f"re-{statement.id}-1", 400))
    assert (posted(scene, "charge_back"), len(notes(scene, "refund"))) == (4 * EUR, 1)


def test_no_more_can_be_asked_for_than_was_collected_and_not_given_back(scene, house):
    statement = collected(scene, 1)
    ask(scene, statement, 4 * EUR)
    hear(scene, disputes, disputed(statement, 100))
    for micros in (0, -EUR, 5_010_000):
        with pytest.raises(ValueError, match=r"what is left of it is 5.00 EUR"):
            ask(scene, statement, micros)
    with pytest.raises(ValueError, match="whole minor units"):
        ask(scene, statement, 5_000)
    assert ask(scene, statement, 5 * EUR) == 2
    assert (send(scene), refund(scene, 2).number) == (2, 2)


def test_what_was_not_collected_cannot_be_given_back(scene, house):
    statement = collected(scene, 1, card=DECLINES)
    with pytest.raises(ValueError, match=r"\(due\); what is left of it is 0.00 EUR"):
        ask(scene, statement, EUR)


def test_a_lost_answer_is_asked_for_again_under_the_same_key_and_given_back_once(scene, house):
    statement = collected(scene, 1)
    ask(scene, statement)
    house.lost_answers = 1
    assert (send(scene), send(scene), refund(scene).why_not) == (1, 0, "the answer got lost")
    scene.at += scene.rules.retry_unknown
    assert (send(scene), refund(scene).state) == (1, "sent")
    assert [(each.key, each.asked_before) for each in house.refunds_asked] == [
        (f"re-{statement.id}-1", False), (f"re-{statement.id}-1", True),
    ]  # fmt: skip
    assert posted(scene, "charge_back") == 10 * EUR


def test_a_refusal_that_passes_is_asked_for_anew_under_another_key(scene, house):
    statement = collected(scene, 1)
    ask(scene, statement)
    house.say[1] = [Refused("not enough available", passes=True)]
    assert (send(scene), refund(scene).state, refund(scene).number) == (1, "asked", 2)
    scene.at += scene.rules.retry_unknown
    assert (send(scene), refund(scene).state) == (1, "sent")
    assert house.refunded == {f"re-{statement.id}-2": 1000}


def test_a_refusal_for_good_moves_nothing_and_the_operator_is_told(scene, house):
    statement = collected(scene, 1)
    ask(scene, statement)
    house.say[1] = [Refused("the charge is too old")]
    assert (send(scene), send(scene), refund(scene).state) == (1, 0, "refused")
    assert (posted(scene, "charge_back"), notes(scene, "refund")) == (0, [])
    assert log(scene, "refund") == [
        f"refund 1 of 10.00 EUR of statement {statement.id} was refused: the charge is too old"
    ]
    assert ask(scene, statement) == 2  # it is all there to be asked for again


def test_a_bug_in_one_refund_stops_no_other(scene, house, caplog):
    statement = collected(scene, 1)
    for _ in range(3):
        ask(scene, statement, EUR)
    house.say[2] = [ZeroDivisionError()]
    assert send(scene) == 3
    assert [refund(scene, number).state for number in (1, 2, 3)] == ["sent", "asked", "sent"]
    assert "ZeroDivisionError at tests/core/scripted.py" in caplog.text
    scene.at += scene.rules.retry_unknown
    assert (send(scene), refund(scene, 2).state) == (1, "sent")


# What the processor tells of refunds


def test_news_that_overtakes_the_answer_is_taken_for_the_refund_that_was_asked(scene, house):
    statement = collected(scene, 1)
    ask(scene, statement)
    house.lost_answers = 1
    send(scene)
    hear(scene, refunds, refunded(statement, f"re-{statement.id}-1"))
    assert (refund(scene).state, refund(scene).reference) == ("sent", f"re-{statement.id}-1")
    scene.at += scene.rules.retry_unknown
    assert (send(scene), posted(scene, "charge_back")) == (0, 10 * EUR)


def test_a_refund_made_by_hand_of_the_same_amount_meanwhile_is_not_lost(scene, house):
    statement = collected(scene, 1)
    ask(scene, statement, 4 * EUR)
    house.say[1] = [Unknown("no answer")]
    send(scene)
    hear(scene, refunds, refunded(statement, "re_hand", 400))
    with scene.db.transaction() as tx:
        refunds.record(tx, scene.rules, 1, Done("re_own"), scene.at)
    assert posted(scene, "charge_back") == 8 * EUR
    hear(scene, refunds, refunded(statement, "re_own", 400))
    assert posted(scene, "charge_back") == 8 * EUR
    assert sorted(source for _, source, _ in sources(scene, "charge_back")) == [
        f"re_hand/statement:{statement.id}", f"re_own/statement:{statement.id}",
    ]  # fmt: skip


@pytest.mark.parametrize("late", [Unknown("no answer"), Refused("no"), Refused("later", passes=True), Done("re-1-1")])
def test_whatever_is_heard_again_of_a_refund_that_was_sent_changes_nothing(scene, house, late):
    statement = collected(scene, 1)
    number = ask(scene, statement, 4 * EUR)
    send(scene)
    with scene.db.transaction() as tx:
        refunds.record(tx, scene.rules, number, late, scene.at)
    assert (refund(scene).state, refund(scene).reference) == ("sent", f"re-{statement.id}-1")
    assert posted(scene, "charge_back") == 4 * EUR


def test_a_refund_made_by_hand_is_taken_back_and_told_in_words(scene, house):
    statement = collected(scene, 1)
    hear(scene, refunds, refunded(statement, "re_hand", 400, state="pending"))
    hear(scene, refunds, refunded(statement, "re_hand", 400))
    assert posted(scene, "charge_back") == 4 * EUR
    assert notes(scene, "refund") == [
        ("refund:re_hand", "4.00 EUR of your payment for 2026-11 were given back to your card.")
    ]


def test_a_refund_that_failed_gives_again_what_it_took_to_whom_it_took_it_from(scene, house):
    statement = collected(scene, 3, 2)
    books = scene.books()
    ask(scene, statement, 7 * EUR)
    send(scene)
    reference = f"re-{statement.id}-1"
    assert scene.books() != books
    hear(scene, refunds, refunded(statement, reference, 700, state="failed", reason="the card is closed"))
    assert scene.books() == books
    assert (refund(scene).state, refund(scene).why_not) == ("failed", "the card is closed")
    text = (
        "7.00 EUR of your payment for 2026-11 could not be given back to your card: the card is closed. Whoever runs"
        " this hub was told; write to them for another way."
    )
    assert notes(scene, "refund_failed") == [(f"refund_failed:{reference}", text)]
    assert log(scene, "refund") == [f"refund 1 of 7.00 EUR of statement {statement.id} failed: the card is closed"]
    hear(scene, refunds, refunded(statement, reference, 700))  # late news of before
    assert scene.books() == books
    assert ask(scene, statement, 10 * EUR) == 2


@pytest.mark.parametrize("asked", [False, True])
def test_a_refund_first_heard_of_when_it_had_failed_leaves_the_books_as_they_were(scene, house, asked):
    statement = collected(scene, 1)
    books = scene.books()
    if asked:
        ask(scene, statement)
        house.lost_answers = 1
        send(scene)
    hear(scene, refunds, refunded(statement, "re_1", state="failed"))
    assert scene.books() == books
    assert [(kind, source) for kind, source, _ in sources(scene, "charge_back", "charge_again")] == [
        ("charge_back", f"re_1/statement:{statement.id}"), ("charge_again", f"re_1/statement:{statement.id}"),
    ]  # fmt: skip
    if asked:
        assert refund(scene).state == "failed"


def test_refunds_and_disputes_of_what_is_not_this_hub_s_are_passed_over(scene, house):
    statement = replace_id(collected(scene, 1), 4711)
    hear(scene, refunds, refunded(statement, "re_1"))
    hear(scene, refunds, replace(refunded(statement, "re_2"), intent=None))
    hear(scene, disputes, disputed(statement, 1000))
    hear(scene, warnings, warning(statement))
    assert posted(scene, "charge_back", "loss") == 0
    with scene.db.reading() as tx:
        assert tx.exec(select(Errand)).all() == []
        assert tx.exec(select(Dispute)).all() == []


def replace_id(statement: Statement, number: int) -> Statement:
    return Statement(**{**statement.model_dump(), "id": number})


# Voided holds


def test_the_refund_of_a_voided_hold_takes_its_shares_whole_and_the_rest_from_income(scene, house):
    statement = collected(scene, 3, 2)
    with scene.db.transaction() as tx:
        share = tx.exec(select(Share).order_by(col(Share.flattr_id)).limit(1)).one()
        hold = Hold(
            month=statement.month, patron_id=statement.patron_id, creator_id=share.creator_id, micros=5_400_000,
            reasons="one_patron", state="voided", made_at=scene.at,
        )  # fmt: skip
        tx.add(hold)
        tx.flush()
        number = hold.id
    first = ask(scene, statement, 6 * EUR, "hold", hold_id=number)
    assert ask(scene, statement, 6 * EUR, "hold", hold_id=number) == first
    send(scene)
    assert sorted(micros for _, _, micros in sources(scene, "share_back")) == [1_800_000] * 3
    assert (posted(scene, "fee_back"), scene.due(share.creator_id)) == (600_000, 0)
    # What is left goes back in proportion, as if the other had never been.
    hear(scene, disputes, disputed(statement, 200))
    assert sorted(micros for _, _, micros in sources(scene, "share_back"))[:2] == [900_000] * 2
    hear(scene, disputes, disputed(statement, 400))
    assert scene.books() == {}


# Disputes


def dispute(scene: Scene, reference: str = "dp_1") -> Dispute:
    with scene.db.reading() as tx:
        return tx.get_one(Dispute, reference)


def test_a_dispute_takes_what_it_took_and_a_win_gives_exactly_that_again(scene, house):
    statement = collected(scene, 3, 2)
    books = scene.books()
    hear(scene, disputes, disputed(statement, 0, status="needs_response"))
    assert scene.books() == books
    hear(scene, disputes, disputed(statement, 1000))
    assert scene.books() == {}
    hear(scene, disputes, disputed(statement, 0, status="won", closed=True))
    assert scene.books() == books
    assert (dispute(scene).rounds, dispute(scene).taken_micros, dispute(scene).closed_at) == (2, 0, scene.at)
    assert log(scene, "dispute") == [
        f"dp_1 of statement {statement.id}: needs_response", f"dp_1 of statement {statement.id}: won",
    ]  # fmt: skip


def test_a_dispute_that_goes_back_and_forth_in_parts_ends_as_it_says(scene, house):
    statement = collected(scene, 3, 2)
    books = scene.books()
    for taken in (1000, 333, 700, 1, 1000, 999, 0, 1000):
        hear(scene, disputes, disputed(statement, taken))
        assert posted(scene, "charge_back") - posted(scene, "charge_again") == taken * 10_000
    assert scene.books() == {}
    hear(scene, disputes, disputed(statement, 0, closed=True))
    assert (scene.books(), dispute(scene).rounds) == (books, 9)


def test_a_dispute_opened_again_is_not_closed(scene, house):
    statement = collected(scene, 1)
    hear(scene, disputes, disputed(statement, 1000, status="lost", reason="fraudulent", closed=True))
    hear(scene, disputes, disputed(statement, 1000, status="under_review"))
    assert (dispute(scene).closed_at, dispute(scene).status) == (None, "under_review")
    assert log(scene, "dispute")[0] == f"dp_1 of statement {statement.id}: lost, fraudulent"


def test_a_creator_paid_before_the_dispute_keeps_it_and_the_hub_has_its_loss_again_after_a_win(scene, house):
    statement = collected(scene, 2)
    with scene.db.reading() as tx:
        maker = tx.exec(select(Share.creator_id)).first()
    pay_out(scene)
    assert scene.due(maker) == 0
    hear(scene, disputes, disputed(statement, 1000))
    assert (scene.due(maker), scene.books()["loss"]) == (0, -9 * EUR)
    hear(scene, disputes, disputed(statement, 0, closed=True))
    assert (scene.due(maker), scene.income(), "loss" in scene.books()) == (0, EUR, False)


def test_what_was_given_again_after_a_payout_is_taken_first_by_the_next_dispute(scene, house):
    statement = collected(scene, 2)
    collected(scene, 2, by="bob", budget=20)
    with scene.db.reading() as tx:
        maker = tx.exec(select(Share.creator_id)).first()
    hear(scene, disputes, disputed(statement, 1000))
    pay_out(scene)
    assert (house.sent(maker), scene.due(maker)) == (1800, 0)
    hear(scene, disputes, disputed(statement, 0))
    assert scene.due(maker) == 9 * EUR
    hear(scene, disputes, disputed(statement, 1000))
    assert (scene.due(maker), posted(scene, "loss")) == (0, 0)
    hear(scene, disputes, disputed(statement, 0, closed=True))
    pay_out(scene)
    assert (house.sent(maker), scene.due(maker)) == (2700, 0)


def test_a_share_given_again_is_as_old_as_the_share(scene, house):
    statement = collected(scene, 1)
    with scene.db.reading() as tx:
        maker = tx.exec(select(Share.creator_id)).first()
    hear(scene, disputes, disputed(statement, 1000))
    scene.later(days=100)
    hear(scene, disputes, disputed(statement, 0))
    scene.rules = replace(scene.rules, payout_min_micros=50 * EUR)
    pay_out(scene)
    assert (house.sent(maker), scene.due(maker)) == (900, 0)


def test_a_refund_and_a_dispute_of_the_same_money_cost_the_hub_and_nobody_else(scene, house):
    statement = collected(scene, 1)
    ask(scene, statement)
    send(scene)
    hear(scene, disputes, disputed(statement, 1000))
    assert scene.books() == {"stripe": 10 * EUR, "loss": -10 * EUR}
    hear(scene, disputes, disputed(statement, 400))
    assert scene.books() == {"stripe": 4 * EUR, "loss": -4 * EUR}
    hear(scene, disputes, disputed(statement, 0, closed=True))
    assert scene.books() == {}


def test_money_beyond_the_charge_comes_back_first(scene, house):
    statement = collected(scene, 1)
    ask(scene, statement, 6 * EUR)
    send(scene)
    hear(scene, disputes, disputed(statement, 1000))
    assert (posted(scene, "charge_back"), scene.books()["loss"]) == (10 * EUR, -6 * EUR)
    hear(scene, disputes, disputed(statement, 300))
    assert (posted(scene, "charge_again"), posted(scene, "loss_again")) == (EUR, 6 * EUR)


def test_nothing_is_given_again_that_was_not_taken(scene, house):
    statement = collected(scene, 1)
    hear(scene, disputes, disputed(statement, 400))
    for micros in (0, -1, 4 * EUR + 1):
        with scene.db.transaction() as tx, pytest.raises(ValueError, match="there are 4000000 micros to be given"):
            reversals.give_again(
                tx, statement_id=statement.id, amount_micros=micros, of="dp_1#", source="dp_1#9", at=scene.at
            )
    with scene.db.transaction() as tx, pytest.raises(ValueError, match="there are 0 micros"):
        # An underscore is itself, and the start is a start.
        reversals.give_again(tx, statement_id=statement.id, amount_micros=1, of="dpx1#", source="x", at=scene.at)


# News that overtakes that of the charge


@pytest.mark.parametrize("kind", ["refund", "dispute", "warning"])
def test_news_of_a_charge_not_known_to_be_collected_waits_until_it_is(scene, house, kind):
    statement = collected(scene, 1, card=DECLINES)
    what, state = {
        "refund": (refunds, refunded(statement, "x_1")),
        "dispute": (disputes, disputed(statement, 1000, "x_1")),
        "warning": (warnings, warning(statement, "x_1")),
    }[kind]
    with scene.db.transaction() as tx:
        keeping.note(tx, kind, "x_1", scene.at)
        version = tx.exec(select(Errand.version)).one()
        what.learn(tx, scene.rules, state, scene.at)
        errand = tx.exec(select(Errand).where(Errand.kind == kind)).one()
        assert not keeping.done(tx, errand.id, version, scene.at)
    with scene.db.reading() as tx:
        found = {errand.kind: errand for errand in tx.exec(select(Errand))}
    assert (found["intent"].reference, found["intent"].due_at) == (f"pi-{statement.id}", scene.at)
    assert (found[kind].state, found[kind].due_at) == ("waiting", scene.at + scene.rules.retry_unknown)
    assert posted(scene, "charge_back", "loss") == 0


# Early fraud warnings


def warning(statement: Statement, reference: str = "issfr_1", *, actionable: bool = True) -> WarningState:
    return WarningState(reference=reference, intent=f"pi-{statement.id}", actionable=actionable)


def test_after_an_early_warning_nothing_is_refunded_if_one_of_the_creators_was_paid(scene, house):
    statement = collected(scene, 1, 1)
    with scene.db.transaction() as tx:
        waits = persons.person_of(tx, scene.account("maker-1"))
        waits.cooling_until = scene.at + timedelta(days=400)
        tx.add(waits)
    pay_out(scene)
    hear(scene, warnings, warning(statement))
    assert posted(scene, "sent") == 4_500_000
    with scene.db.reading() as tx:
        assert tx.exec(select(Refund)).all() == []


def test_an_early_warning_refunds_all_that_is_left_while_nothing_was_paid_out(scene, house):
    statement = collected(scene, 2)
    ask(scene, statement, 4 * EUR)
    hear(scene, warnings, warning(statement))
    hear(scene, warnings, warning(statement, "issfr_2"))
    assert (refund(scene, 2).reason, refund(scene, 2).amount_micros) == ("fraud", 6 * EUR)
    assert log(scene, "warning") == [
        f"issfr_1 on statement {statement.id}: all that is left is refunded",
        f"issfr_2 on statement {statement.id}: nothing is left to give back",
    ]
    assert (send(scene), scene.books()) == (2, {})


def test_a_warning_that_comes_after_the_payout_is_for_the_operator_only(scene, house):
    statement = collected(scene, 2, 2)
    pay_out(scene)
    hear(scene, warnings, warning(statement))
    [told] = log(scene, "warning")
    assert "creators were paid of it already" in told
    with scene.db.reading() as tx:
        assert tx.exec(select(Refund)).all() == []


def test_a_warning_that_nothing_can_be_done_about_is_passed_over(scene, house):
    statement = collected(scene, 1)
    hear(scene, warnings, warning(statement, actionable=False))
    assert log(scene, "warning") == []
    hear(scene, warnings, warning(statement))
    assert len(log(scene, "warning")) == 1


# Two at once


@pytest.mark.parametrize("other", ["run", "dispute"])
def test_two_who_take_from_the_same_dues_at_once_leave_no_debt(scene, house, other):
    """PostgreSQL lets both see the same money; SQLite has one writer at a time."""
    statement = collected(scene, 1)
    with scene.db.transaction() as tx:
        payouts.begin(tx, scene.rules, 901, scene.at)
    scene.later(days=31)
    ready = Barrier(2)

    def take(reference: str) -> None:
        with scene.db.transaction() as tx:
            if not scene.db.is_sqlite:
                ready.wait(timeout=10)
            if reference == "run":
                payouts.begin(tx, scene.rules, 902, scene.at)
            else:
                disputes.learn(tx, scene.rules, disputed(statement, 1000, reference), scene.at)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(take, ("dp_1", "dp_2" if other == "dispute" else "run")))
    with scene.db.reading() as tx:
        maker = tx.exec(select(Share.creator_id)).one()
    assert scene.due(maker) == 0
