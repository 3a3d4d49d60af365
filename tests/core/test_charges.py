"""One charge a month: what was asked of the processor without an answer is asked again, never twice."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlmodel import select

from core.charges import collecting
from core.months.tables import Charge
from core.payments.gateway import ChargeRequest, Done, Refused, Unknown
from core.payments.sandbox import SandboxGateway
from core.payments.tables import SandboxMovement
from core.people import cards
from tests.scene import DECLINES, EUR, EXPIRED, LOSES_ANSWER, PAYS, Scene


def days(scene: Scene, count: int) -> None:
    for _ in range(count):
        scene.later(days=1)
        scene.advance()


def charged(scene: Scene) -> int:
    """What the processor took, in minor units."""
    with scene.db.reading() as tx:
        moved = tx.exec(select(SandboxMovement).where(SandboxMovement.kind == "charge")).all()
        return sum(each.amount_minor for each in moved if each.outcome == "done")


@pytest.mark.parametrize("card", [DECLINES, EXPIRED, PAYS, None], ids=["declines", "expired", "pays", "none"])
def test_a_patron_whose_card_changes_after_a_lost_answer_is_charged_once(scene, card):
    pat, maker = scene.patron("pat", 10, LOSES_ANSWER), scene.creator("maker")
    scene.like("pat", "song")
    month = scene.close_month()
    with scene.db.transaction() as tx:
        cards.choose(tx, pat, card, scene.at) if card else cards.remove(tx, pat, scene.at)
    scene.at += scene.rules.retry_unknown
    scene.advance()
    with scene.db.transaction() as tx:
        cards.choose(tx, pat, PAYS, scene.at)
    days(scene, 8)
    assert (charged(scene), scene.statement(pat, month).state, scene.due(maker)) == (1000, "collected", 9 * EUR)


def test_a_charge_without_an_answer_is_asked_for_again_with_the_card_it_was_asked_with(scene):
    pat = scene.patron("pat", 10, LOSES_ANSWER)
    scene.creator("maker")
    scene.like("pat", "song")
    asked: list[tuple[str, str | None]] = []

    class Mute(SandboxGateway):
        def charge(self, request, at):
            asked.append((request.key, request.card_reference))
            return Refused("not today") if len(asked) == 3 else Unknown("no answer")

    scene.gateway = Mute(scene.db)
    month = scene.close_month()
    with scene.db.transaction() as tx:
        cards.choose(tx, pat, PAYS, scene.at)
    days(scene, 2)
    key = f"pi-confirm-{scene.statement(pat, month).id}"
    old, new = LOSES_ANSWER.reference, PAYS.reference
    assert asked[:3] == [(f"{key}-1", old)] * 3
    days(scene, 1)
    assert asked[3] == (f"{key}-2", new)
    with scene.db.reading() as tx:
        assert [(each.attempt, each.card_reference) for each in tx.exec(select(Charge).order_by(Charge.id))] == [
            (1, old),
            (2, new),
        ]


def test_a_hub_killed_between_asking_and_recording_asks_with_the_same_card(scene):
    pat = scene.patron("pat", 10)
    scene.creator("maker")
    scene.like("pat", "song")
    month = scene.month_over()
    scene.advance()
    scene.at += scene.rules.review

    class Killed(BaseException):
        pass

    class Kills(SandboxGateway):
        def charge(self, request, at):
            super().charge(request, at)
            raise Killed

    working, scene.gateway = scene.gateway, Kills(scene.db)
    with pytest.raises(Killed):
        scene.advance()
    scene.gateway = working
    with scene.db.transaction() as tx:
        cards.choose(tx, pat, EXPIRED, scene.at)
    scene.advance()
    assert (charged(scene), scene.statement(pat, month).state) == (1000, "collected")


def test_only_statements_that_are_due_are_asked_for_and_each_once(scene, monkeypatch):
    monkeypatch.setattr(collecting, "BATCH", 2)
    scene.creator("maker")
    pats = [
        scene.patron(f"pat{number}", 10, card) for number, card in enumerate([LOSES_ANSWER, None, PAYS, PAYS, PAYS])
    ]
    for number in range(5):
        scene.like(f"pat{number}", "song")
    month = scene.close_month()
    assert [scene.statement(pat, month).state for pat in pats] == ["due", "due", *["collected"] * 3]
    scene.at += scene.rules.retry_unknown
    scene.advance()
    assert [scene.statement(pat, month).state for pat in pats] == ["collected", "due", *["collected"] * 3]
    with scene.db.reading() as tx:
        assert len(tx.exec(select(Charge)).all()) == 5


@pytest.mark.parametrize(
    ("first", "then", "answer"),
    [
        (DECLINES, PAYS, Refused("the card was declined")),
        (EXPIRED, PAYS, Refused("the card has expired", final=True)),
        (None, PAYS, Refused("there is no card")),
        (PAYS, DECLINES, Done("pretend-pi-confirm-7-1")),
        (LOSES_ANSWER, None, Done("pretend-pi-confirm-7-1")),
    ],
)
def test_the_pretend_processor_answers_a_key_once_for_ever(db, at, first, then, answer):
    request = ChargeRequest(
        statement_id=7, attempt=1, patron_id=1, month=1, amount_minor=500, currency="EUR",
        card_reference=first and first.reference,
    )  # fmt: skip
    gateway = SandboxGateway(db)
    gateway.charge(request, at)
    assert gateway.charge(replace(request, card_reference=then and then.reference), at) == answer
    with db.reading() as tx:
        assert len(tx.exec(select(SandboxMovement)).all()) == 1
    with pytest.raises(ValueError, match="keys belong to one request"):
        gateway.charge(replace(request, amount_minor=501), at)
