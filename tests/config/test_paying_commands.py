"""The subcommands about money at the processor: what they print, and the exit status that scripts go by."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import Result
from sqlmodel import select

from config.commands.desk import Desk
from config.parts import Parts
from core.books import invariants, ledger
from core.months import affording, payouts
from core.months.tables import Payout, Share, Statement
from core.payments import counterparts
from core.payments.states import DisputeState
from core.people.tables import Audit
from core.recipients import onboarding
from core.recipients.tables import Recipient
from core.returns import disputes, refunds
from core.returns.tables import Refund
from tests.config.hub_process import data
from tests.platforms.stripe.fake import FakeStripe
from tests.platforms.stripe.trouble import LOSE_REQUEST
from tests.scene import EUR, Scene
from webhooks.stripe import ACCOUNT_EVENTS, CONNECTED_EVENTS, OWN_EVENTS

Run = Callable[..., Result]


@pytest.fixture
def stripe(flattr: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeStripe]:
    """A Stripe on loopback, to which the command's settings point."""
    with FakeStripe.serve() as fake:
        monkeypatch.setenv("FLATTR__MONEY__PAYMENTS", "stripe")
        monkeypatch.setenv("FLATTR__STRIPE__SECRET_KEY", fake.key)
        monkeypatch.setenv("FLATTR__STRIPE__API", fake.address)
        yield fake


@pytest.fixture
def parts(flattr: Run) -> Iterator[Parts]:
    desk = Desk(None)
    yield desk.parts
    desk.close()


def collected(parts: Parts) -> Statement:
    """A month with one patron, collected, in the sandbox's books."""
    scene = Scene(parts.db, parts.rules, parts.clock() - timedelta(days=60))
    patron = scene.patron("ada", 35)
    for number in range(2):
        scene.creator(f"maker {number}")
        scene.like("ada", f"thing {number}", f"maker {number}")
    return scene.statement(patron, scene.close_month())


@pytest.mark.parametrize("words", [("reconcile",), ("reverse", "1")])
def test_without_a_processor_there_is_nothing_to_ask(flattr: Run, words: tuple[str, ...]) -> None:
    result = flattr(*words)
    assert result.exit_code == 1
    assert "payments are pretend here (money.payments is sandbox)" in result.stderr


def test_a_reconciliation_is_clean_or_names_what_is_not(flattr: Run, stripe: FakeStripe) -> None:
    stripe.top_up(2000)
    stripe.stripe_fee(210)
    clean = flattr("reconcile")
    assert clean.exit_code == 0, clean.output
    assert "At Stripe lie 17.90 EUR, by the books 17.90 EUR." in clean.stdout
    assert "No differences." in clean.stdout

    with stripe.lock:
        stripe.moved("contribution", -5, None)
    told = flattr("reconcile", "--all", "--json")
    assert told.exit_code == 1
    found = json.loads(told.stdout)["result"]
    assert (found["since"], found["seen"], len(found["differences"])) == (None, 3, 1)
    assert "the hub knows no contribution" in found["differences"][0]["text"]
    assert flattr("reconcile").exit_code == 1, "it stays until it is settled"

    doctor = flattr("doctor", "--offline", "--json")
    assert doctor.exit_code == 1, "a difference is alarming"
    [finding] = [each for each in json.loads(doctor.stdout)["findings"] if each["what"] == "reconciliation"]
    assert finding["state"] == "broken"
    assert "`flattr reconcile` lists each" in finding["remedy"]
    line = found["differences"][0]["name"]
    assert flattr("settle", line).exit_code == 2, "it wants a note"
    assert flattr("settle", "txn_unknown", "--note", "?").exit_code == 1
    settled = flattr("settle", line, "--note", "a product that is off now", "--yes")
    assert "is a loss of the hub's now" in settled.stdout, settled.output
    assert flattr("reconcile").exit_code == 0
    shown = flattr("payments")
    assert shown.exit_code == 0
    assert "topup" in shown.stdout
    assert len(data(flattr("payments", "--lines", "2", "--json"))["lines"]) == 2


def test_a_processor_that_does_not_answer_is_no_difference(flattr: Run, stripe: FakeStripe, parts: Parts) -> None:
    stripe.trouble(LOSE_REQUEST, method="GET", times=50)
    result = flattr("reconcile")
    stripe.fair()
    assert result.exit_code == 1
    assert "Stripe did not answer" in result.stderr
    assert flattr("reconcile").exit_code == 0


def test_the_doctor_tries_the_key_and_tells_every_destination(flattr: Run, stripe: FakeStripe) -> None:
    found = data(flattr("doctor", "--json"))
    texts = [each["text"] for each in found["findings"] if each["what"] == "stripe"]
    assert any("key: taken" in text for text in texts), texts
    assert any("stripe.webhook_secret is missing" in text for text in texts)
    assert [(each["payload"], each["events"]) for each in found["stripe"]] == [
        ("snapshot", list(OWN_EVENTS)),
        ("snapshot", list(CONNECTED_EVENTS)),
        ("thin", list(ACCOUNT_EVENTS)),
    ]
    printed = flattr("doctor").stdout
    for event in (*OWN_EVENTS, *CONNECTED_EVENTS, *ACCOUNT_EVENTS):
        assert event in printed


@pytest.mark.parametrize(
    ("secrets", "text"),
    [
        (["whsec_one", "sk_test_two"], "a value of stripe.webhook_secret is no signing secret of Stripe's"),
        (["whsec_one", "whsec_two"], "stripe.webhook_secret has 2 of 3 signing secrets"),
    ],
)
def test_signing_secrets_that_lack_are_named(
    flattr: Run, stripe: FakeStripe, monkeypatch: pytest.MonkeyPatch, secrets: list[str], text: str
) -> None:
    monkeypatch.setenv("FLATTR__STRIPE__WEBHOOK_SECRET", json.dumps(secrets))
    assert any(text in each["text"] for each in data(flattr("doctor", "--offline", "--json"))["findings"])


def test_a_wrong_key_is_named(flattr: Run, stripe: FakeStripe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLATTR__STRIPE__SECRET_KEY", "sk_test_another")
    findings = data(flattr("doctor", "--json"))["findings"]
    assert any("the key was not taken" in each["text"] for each in findings if each["what"] == "stripe")


def test_a_refund_is_asked_for_and_logged(flattr: Run, parts: Parts) -> None:
    statement = collected(parts)
    number = str(statement.id)
    assert flattr("refund", number, input="n\n").exit_code == 1, "who does not confirm refunds nothing"
    assert flattr("refund", number, "5", "--yes").exit_code == 0
    rest = flattr("refund", number, "--yes")
    assert "30.00 EUR of statement" in rest.stdout
    assert "charged 35.00 EUR" in rest.stdout
    for words in ((number, "--yes"), (number, "0.01", "--yes"), ("999", "--yes")):
        assert flattr("refund", *words).exit_code == 1
    assert flattr("refund", number, "much").exit_code == 2
    with parts.db.reading() as tx:
        assert [each.amount_micros for each in tx.exec(select(Refund).order_by(Refund.number))] == [5 * EUR, 30 * EUR]
        assert [each.action for each in tx.exec(select(Audit)) if each.actor == "operator"] == ["refund", "refund"]


def test_an_open_dispute_is_listed_with_the_day_until_which_it_can_be_answered(
    flattr: Run, stripe: FakeStripe, parts: Parts
) -> None:
    statement = collected(parts)
    state = DisputeState(
        reference="dp_1",
        intent="pi_1",
        amount_minor=3500,
        taken_minor=3500,
        status="needs_response",
        answer_by=datetime(2026, 12, 24, 18, tzinfo=UTC),
    )
    with parts.db.transaction() as tx:
        counterparts.keep(tx, "intent", statement.id or 0, "pi_1", parts.clock())
        disputes.learn(tx, parts.rules, state, parts.clock())
    shown = flattr("payments", "--json")
    assert data(shown)["disputes"][0]["answer_by"].startswith("2026-12-24T18:00")
    assert "2026-12-24" in flattr("payments").stdout


def test_what_is_not_made_yet_is_listed_with_the_reason(flattr: Run, stripe: FakeStripe, parts: Parts) -> None:
    statement = collected(parts)
    at = parts.clock()
    with parts.db.transaction() as tx:
        maker = tx.exec(select(Share.creator_id).where(Share.statement_id == statement.id)).first()
        assert maker is not None
        onboarding.keep_account(tx, maker, stripe.has_account(), at)
        tx.get_one(Recipient, maker).state = "active"
        for period in (901, 902):
            payouts.begin(tx, parts.rules, period, at - timedelta(days=2))
        refunds.ask(tx, parts.rules, statement_id=statement.id or 0, amount_micros=5 * EUR, reason="operator", at=at)
    assert payouts.send(parts.db, parts.rules, parts.gateway, at) == 0, "nothing is available"
    found = data(flattr("payments", "--json"))
    assert [each["amount_micros"] for each in found["refunds_waiting"]] == [5 * EUR]
    assert [each["reason"] for each in found["payouts_waiting"]] == [affording.WAITS] * 2
    printed = flattr("payments").stdout
    assert "Not made yet" in printed
    assert f"creator {maker}" in printed
    assert f"statement {statement.id}" in printed


def test_the_tariff_is_computed(flattr: Run, alone: Path) -> None:
    found = data(flattr("tariff", "--percent", "2.9", "--fixed", "0.30", "--json"))
    assert found["smallest_budget_micros"] == 4_230_000
    assert [line["card_micros"] for line in found["lines"][:4]] == [360_000, 430_000, 590_000, 1_320_000]
    printed = flattr("tariff", "--percent", "2.9", "--fixed", "0.30").stdout
    assert "The fee covers the card from 4.23 EUR a month." in printed
    assert "never covers the card" in flattr("tariff", "--percent", "12").stdout


def test_the_check_includes_the_sealed_book(flattr: Run, parts: Parts) -> None:
    collected(parts)
    assert flattr("check").exit_code == 0
    assert flattr("book", "seal").exit_code == 0
    assert flattr("check").exit_code == 0


def test_a_payout_is_taken_back_as_far_as_it_is_still_there_and_is_due_again(
    flattr: Run, stripe: FakeStripe, parts: Parts
) -> None:
    stripe.top_up(5000)
    statement = collected(parts)
    account = stripe.has_account()
    with parts.db.transaction() as tx:
        maker = tx.exec(select(Share.creator_id).where(Share.statement_id == statement.id)).first()
        assert maker is not None
        onboarding.keep_account(tx, maker, account, parts.clock())
        tx.get_one(Recipient, maker).state = "active"
        for period in (901, 902):  # the money of a patron's first months waits a run longer
            payouts.begin(tx, parts.rules, period, parts.clock() - timedelta(days=2))
    assert payouts.send(parts.db, parts.rules, parts.gateway, parts.clock()) == 2
    with parts.db.reading() as tx:
        number = tx.exec(select(Payout.id).where(Payout.state == "sent")).one()
    done = flattr("reverse", str(number), "--yes")
    assert done.exit_code == 0, done.output
    assert "Done; the books have it." in done.stdout
    alone = json.loads(flattr("reconcile", "--json").stdout)["result"]["differences"]
    assert [each["name"] for each in alone] == [f"charge statement:{statement.id}"], "what was never at Stripe"
    assert f"payout {number}" in flattr("payments").stdout, "the number that `flattr reverse` takes"
    with parts.db.reading() as tx:
        assert ledger.owed(tx, ledger.creator(maker)) == 15_750_000
        assert tx.exec(select(Payout.state).where(Payout.id == number)).one() == "reversed"
        assert invariants.broken(tx) == []
    for words in (("reverse", "99", "--yes"), ("reverse", str(3 - int(number or 0)), "--yes")):
        refused = flattr(*words)
        assert refused.exit_code == 1
        assert "only one that was sent can be taken back" in refused.stderr
