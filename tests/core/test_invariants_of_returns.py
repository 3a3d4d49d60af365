"""The books' own checks find it when money that came back, or was to wait, is not where it should be."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlmodel import select

from core.books import invariants
from core.holds.tables import Hold
from core.months import payouts
from core.months.tables import Share, Statement
from core.payments.states import TransferState
from core.people import persons
from core.returns import refunds
from tests.core.scripted import hosted
from tests.core.test_returns import ask, collected, disputed, disputes, hear, refunded, send
from tests.scene import EUR, Scene


@pytest.fixture
def returned(scene: Scene) -> Scene:
    """Three statements: one partly refunded and disputed, one whose refund failed and that is held, one paid out."""
    hosted(scene)
    first = collected(scene, 2)
    ask(scene, first, 4 * EUR)
    send(scene)
    hear(scene, disputes, disputed(first, 600))
    hear(scene, disputes, disputed(first, 500))
    second = collected(scene, 2, by="bob", budget=20)
    ask(scene, second, 20 * EUR)
    send(scene)
    hear(scene, refunds, refunded(second, f"re-{second.id}-1", 2000, state="failed"))
    collected(scene, 2, by="cy", budget=30)
    with scene.db.transaction() as tx:
        creator = tx.exec(select(Share.creator_id)).first()
        tx.add(
            Hold(
                month=second.month,
                patron_id=second.patron_id,
                creator_id=creator or 0,
                micros=18 * EUR,
                reasons="mutual",
                made_at=scene.at,
            )
        )
    for period in (901, 902):
        scene.later(days=31)
        with scene.db.transaction() as tx:
            payouts.begin(tx, scene.rules, period, scene.at)
    payouts.send(scene.db, scene.rules, scene.gateway, scene.at)
    with scene.db.transaction() as tx:
        state = TransferState(
            reference="trf-tr-1-1", payout_id=1, attempt=1, amount_minor=2790, reversals=(("trr_1", 2790),)
        )
        payouts.learn(tx, scene.rules, state, scene.at)
    assert scene.broken() == []
    return scene


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("update posting set amount_micros = 90000000 where kind = 'share_back'", "no creator owes"),
        ("update posting set amount_micros = 90000000 where kind = 'sent'", "no more is paid out than"),
        ("update payout set amount_micros = amount_micros + 1", "each payout is reserved in full"),
        ("update payout set state = 'refused'", "each payout is reserved in full"),
        ("update payout set state = 'asked'", "each payout is sent at most once"),
        ("update posting set amount_micros = amount_micros + 1 where kind = 'sent_back'", "no more of a creator's"),
        ("delete from posting where kind = 'sent_back'", "no more of a creator's"),
        ("update statement set ends_as = 'lapsed'", "only what is due can be given up"),
        ("update posting set amount_micros = 90000000 where kind = 'charge_back'", "no more goes back of a statement"),
        ("update posting set amount_micros = 90000000 where kind = 'charge_again'", "no more goes back of a statement"),
        ("update posting set amount_micros = 90000000 where kind = 'fee_again'", "no more goes back of a statement"),
        ("update posting set amount_micros = 90000000 where kind = 'share_back'", "no more is taken of a share"),
        ("update refund set state = 'asked'", "a refund that was sent"),
        ("update refund set state = 'sent'", "a refund that was sent"),
        ("update refund set state = 'failed'", "a refund that was sent"),
        ("delete from posting where kind = 'charge_again' and source like 're%'", "a refund that was sent"),
        ("update dispute set taken_micros = 0", "the books have just what each dispute took"),
        ("delete from posting where kind = 'charge_again' and source like 'dp%'", "the books have just what each"),
        ("update hold set micros = 1, state = 'voided'", None),
        ("update posting set amount_micros = 60000000 where kind = 'payout'", "what is under a hold was not paid out"),
    ],
)
def test_what_is_wrong_is_found(returned, change, rule):
    with returned.db.reading(writable=True) as tx:
        tx.execute(sa.text(change))
        found = [each.rule for each in invariants.broken(tx)]
    assert any(each.startswith(rule) for each in found) if rule else found == []


def test_a_statement_is_given_up_while_it_is_due(scene):
    with scene.db.reading(writable=True) as tx:
        patron = persons.ensure_person(tx, scene.account("pat"), scene.at).id or 0
        tx.execute(sa.text("insert into month (id, stage) values (24000, 'collecting')"))
        tx.add(Statement(patron_id=patron, month=24000, budget_micros=0, state="due", ends_as="void"))
        tx.flush()
        assert invariants.broken(tx) == []
