"""What the hub says on its own accord about real money: each note as its reader reads it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlmodel import select

from bot import announcements
from bot.talk import Reply
from core.access import visits
from core.database import to_micros
from core.holds.tables import Hold
from core.mail import outbox
from core.mail.tables import OutboxNote
from core.months.tables import Statement
from core.payments.gateway import Refused
from core.people import persons
from core.recipients import onboarding
from core.returns.tables import Refund
from tests.bot.paying_talk import PayingTalk
from tests.platforms.hosted_processor import AMERICAN, VISA, WANTS_YOU
from tests.scene import EUR, Scene


@pytest.fixture
def talk(scene: Scene) -> PayingTalk:
    return PayingTalk(scene)


def told(talk: PayingTalk, kind: str, number: int = -1) -> Reply:
    """A note that the core has put out, as it is said now."""
    with talk.scene.db.transaction() as tx:
        rows = tx.exec(select(OutboxNote).where(OutboxNote.kind == kind).order_by(OutboxNote.id)).all()
        return announcements.render(tx, talk.talk, rows[number], talk.scene.at)


def put(talk: PayingTalk, kind: str, source: str, name: str = "alice") -> Reply:
    with talk.scene.db.transaction() as tx:
        outbox.put(tx, kind=kind, source=source, at=talk.scene.at, person_id=talk.person(name))
        row = tx.exec(select(OutboxNote).where(OutboxNote.kind == kind, OutboxNote.source == source)).one()
        return announcements.render(tx, talk.talk, row, talk.scene.at)


# Charges and cards


def wanted(talk: PayingTalk) -> int:
    talk.house.answers[VISA.reference] = WANTS_YOU
    return talk.month()


def test_who_has_to_confirm_gets_amount_month_and_an_address_for_a_day(talk: PayingTalk) -> None:
    month = wanted(talk)
    talk.scene.later(hours=5)
    note = told(talk, "authenticate")
    for part in ("confirm 10.00 EUR for November 2026", "good for a day", "you owe nothing", "test money"):
        assert part in note.text
    visit = talk.visit(talk.addresses(note.text)["pay"])
    assert visit is not None
    assert visit.intent == f"pay:{talk.statement_of('alice', month)}"
    assert visit.expires_at == talk.scene.at + timedelta(days=1), "counted from when it is said"
    with talk.scene.db.reading() as tx:
        account = persons.account_of(tx, talk.scene.account("alice"))
        assert account is not None
        assert visit.account_id == account.id


@pytest.mark.parametrize("how", ["settled", "tried again", "given up"])
def test_a_request_to_confirm_that_is_stale_says_so(talk: PayingTalk, how: str) -> None:
    month = wanted(talk)
    statement = talk.statement_of("alice", month)
    with talk.scene.db.transaction() as tx:
        row = tx.get_one(Statement, statement)
        match how:
            case "settled":
                row.state = "void"
            case "tried again":
                row.attempts += 1
            case "given up":
                row.ends_as = "lapsed"
    note = told(talk, "authenticate")
    assert "Something changed" in note.text
    assert talk.addresses(note.text) == {}


def test_who_had_too_many_addresses_is_told_what_to_write(talk: PayingTalk) -> None:
    wanted(talk)
    for _ in range(visits.MOST):
        talk.say("alice", "card")
    note = told(talk, "authenticate")
    assert talk.addresses(note.text) == {}
    assert 'Write "card"' in note.text


def test_a_declined_card_can_be_replaced_or_paid_with_at_once(talk: PayingTalk) -> None:
    talk.house.answers[VISA.reference] = Refused("the card was declined")
    talk.month()
    assert '"card" lets you pay it now, or enter another card' in told(talk, "declined").text


def test_a_card_that_was_entered_is_named(talk: PayingTalk) -> None:
    talk.say("alice", "budget 10")
    talk.enters("alice")
    note = told(talk, "card_taken")
    assert "charged to your Visa card ending in 4242" in note.text
    assert "test money" in note.text
    assert [button.text for button in note.buttons] == ["card", "status"]
    talk.say("alice", "card remove")
    assert "Something changed" in told(talk, "card_taken").text


def test_a_new_card_after_a_decline_tells_what_is_tried_with_it(talk: PayingTalk) -> None:
    talk.house.answers[VISA.reference] = Refused("the card was declined")
    talk.month()
    talk.enters("alice", replace(VISA, reference="pm_2", last4="1111"))
    note = told(talk, "card_taken")
    assert "ending in 1111" in note.text
    assert (
        "10.00 EUR for November 2026 could not be collected yet. I try again on" in note.text
    )  # not the old card's why


def test_a_card_of_another_country_is_refused_with_the_rule(talk: PayingTalk) -> None:
    rules = replace(talk.scene.rules, countries=frozenset({"DE", "AT", "CH"}))
    talk.scene.rules = rules
    talk.talk = replace(talk.talk, rules=rules)
    talk.say("alice", "budget 10")
    talk.enters("alice", AMERICAN)
    note = told(talk, "card_refused")
    assert "takes cards from Austria, Germany and Switzerland only" in note.text
    assert "It was not kept" in note.text
    assert [button.text for button in note.buttons] == ["card"]
    talk.enters("alice")
    assert "As before, your month is charged to your Visa card ending in 4242" in told(talk, "card_refused").text


def test_a_card_that_is_gone_is_told_unless_there_is_another_by_then(talk: PayingTalk) -> None:
    talk.say("alice", "budget 10")
    source = f"card_gone:{talk.person('alice')}:{to_micros(talk.scene.at)}"
    note = put(talk, "card_gone", source)
    assert "was removed at Stripe" in note.text
    assert 'write "card"' in note.text
    talk.enters("alice")
    assert "Something changed" in told(talk, "card_gone").text


@pytest.mark.parametrize(
    ("reason", "words"),
    [("fraud", "may not have been made by you"), ("hold", "what was held"), ("operator", "gives it back to you")],
)
@pytest.mark.parametrize(
    ("state", "micros", "say"),
    [
        ("asked", 10 * EUR, "10.00 EUR for November 2026 is sent back"),
        ("sent", 4 * EUR, "4.00 EUR, of 10.00 EUR, for November 2026 has been sent back"),
        ("failed", 10 * EUR, "could not be given back"),
    ],
)
def test_money_that_goes_back_is_told_with_the_reason(
    talk: PayingTalk, reason: str, words: str, state: str, micros: int, say: str
) -> None:
    statement = talk.statement_of("alice", talk.month())
    with talk.scene.db.transaction() as tx:
        row = Refund(
            statement_id=statement, number=1, amount_micros=micros, reason=reason, state=state, asked_at=talk.scene.at
        )
        tx.add(row)
        tx.flush()
        source = f"refund:{row.id}"
    note = put(talk, "refund", source)
    with talk.scene.db.transaction() as tx:
        tx.delete(tx.exec(select(Refund)).one())
    assert say in note.text
    assert (words in note.text) == (state != "failed")


# Creators


def reminders(talk: PayingTalk, name: str = "carol") -> list[Reply]:
    person = talk.person(name)
    return [put(talk, "onboarding", f"onboarding:{person}:{number}", name) for number in (1, 2, 3)]


def test_reminders_have_a_fresh_address_and_the_last_says_so(talk: PayingTalk) -> None:
    talk.say("alice", "budget 10")
    talk.songs("alice", 2)
    talk.say("carol", "claim")
    notes = reminders(talk)
    for note in notes:
        assert "no money can be sent to you yet" in note.text
        assert "2 likes for your things wait for that" in note.text
        assert "alice" not in note.text
    assert ["last time" in note.text for note in notes] == [False, False, True]
    tokens = [talk.addresses(note.text)["payouts"] for note in notes]
    assert len(set(tokens)) == 3
    visit = talk.visit(tokens[-1])
    assert visit is not None
    assert visit.expires_at == talk.scene.at + timedelta(days=1)
    talk.told_processor("carol")
    assert "Something changed" in told(talk, "onboarding").text


def test_what_the_core_reminds_of_is_what_is_rendered(talk: PayingTalk) -> None:
    talk.say("carol", "claim")
    for wait in onboarding.REMINDERS:
        at = talk.scene.at + wait
        with talk.scene.db.transaction() as tx:
            assert onboarding.remind(tx, talk.scene.rules, at) == 1
    assert "last time" in told(talk, "onboarding").text


def test_who_can_be_paid_hears_it_and_what_counts(talk: PayingTalk) -> None:
    talk.joined("carol")
    note = told(talk, "payable")
    assert "Money can be sent to you now" in note.text
    assert "test money" in note.text
    talk.told_processor("carol", active=False, needs=("individual.id_number",))
    assert "Something changed" in told(talk, "payable").text
    note = told(talk, "restricted")
    assert "wants to know your tax or identity number" in note.text
    assert "payouts" in talk.addresses(note.text)


def test_who_can_be_paid_without_having_claimed_is_told_to(talk: PayingTalk) -> None:
    talk.say("dora", "budget 5")
    talk.told_processor("dora")
    assert 'say "claim"' in told(talk, "payable").text


def test_a_country_that_cannot_be_paid_is_told_with_the_rule_once(talk: PayingTalk) -> None:
    rules = replace(talk.scene.rules, countries=frozenset({"DE"}))
    talk.scene.rules = rules
    talk.talk = replace(talk.talk, rules=rules)
    talk.say("carol", "claim")
    talk.told_processor("carol", country="US")
    note = told(talk, "restricted")
    assert "to United States" in note.text
    assert "pays creators in Germany" in note.text
    assert talk.addresses(note.text) == {}
    assert "Something changed" in reminders(talk)[0].text, "there is nothing that they could finish"


def test_a_payout_that_the_bank_refused_has_the_cores_own_words(talk: PayingTalk) -> None:
    talk.say("carol", "claim")
    note = talk.note(kind="payout_failed", source="payout_failed:po_1", text="9.00 EUR could not be paid.")
    assert note.text.splitlines()[0] == "9.00 EUR could not be paid."


# Holds


def hold(talk: PayingTalk, reasons: str = "one_patron", state: str = "held", note: str = "") -> int:
    month = talk.month()
    with talk.scene.db.transaction() as tx:
        for known in tx.exec(select(Hold)).all():
            tx.delete(known)
        tx.flush()
        row = Hold(
            month=month,
            patron_id=talk.person("alice"),
            creator_id=talk.person("carol"),
            micros=9 * EUR,
            reasons=reasons,
            state=state,
            made_at=talk.scene.at,
            note=note,
        )
        tx.add(row)
        tx.flush()
        assert row.id is not None
        return row.id


def decide(talk: PayingTalk, hold_id: int, state: str, note: str = "") -> None:
    with talk.scene.db.transaction() as tx:
        row = tx.get_one(Hold, hold_id)
        row.state, row.note = state, note


def forget(talk: PayingTalk) -> None:
    """A hold that was only told of must not stay in the books."""
    with talk.scene.db.transaction() as tx:
        for row in tx.exec(select(Hold)).all():
            tx.delete(row)


@pytest.mark.parametrize(
    ("reasons", "patron", "creator"),
    [
        ("one_patron", "most of what this creator gets", "most of what you get that month is from one patron"),
        ("mutual", "you and this creator send each other money", "you and this patron send each other money"),
        ("new_pair", "your card and this creator are both new here", "are both new here"),
        ("one_patron new_pair", "a large sum; your card", "a large sum; you and this patron"),
    ],
)
def test_a_hold_is_told_to_both_sides_with_its_reason(
    talk: PayingTalk, reasons: str, patron: str, creator: str
) -> None:
    hold_id = hold(talk, reasons)
    to_patron = put(talk, "hold_patron", f"hold_patron:{hold_id}").text
    to_creator = put(talk, "hold_creator", f"hold_creator:{hold_id}", "carol").text
    forget(talk)
    assert patron in to_patron
    assert creator in to_creator
    assert "9.00 EUR that you give carol on Pond for November 2026" in to_patron
    assert "9.00 EUR for your things in November 2026" in to_creator
    assert "you get it back" in to_patron
    for text in (to_patron, to_creator):
        assert "The operator of this hub looks at it" in text
    assert "alice" not in to_creator


def test_the_patron_learns_of_no_account_that_they_did_not_like(talk: PayingTalk) -> None:
    hold_id = hold(talk)
    talk.link("carol", "secret")
    assert "secret" in talk.say("carol", "accounts")
    text = put(talk, "hold_patron", f"hold_patron:{hold_id}").text
    forget(talk)
    assert "carol on Pond" in text
    assert "secret" not in text
    assert "Lake" not in text


def test_the_decision_is_told_with_what_the_operator_wrote(talk: PayingTalk) -> None:
    hold_id = hold(talk)
    for kind in ("hold_decided_patron", "hold_decided_creator"):
        assert "Something changed" in put(talk, kind, f"{kind}:{hold_id}").text
    decide(talk, hold_id, "released", "Two\nold friends.")
    for kind in ("hold_decided_patron", "hold_decided_creator"):
        text = told(talk, kind).text
        assert "all is well" in text
        assert "The operator writes: Two old friends." in text
    decide(talk, hold_id, "voided")
    patron, creator = told(talk, "hold_decided_patron").text, told(talk, "hold_decided_creator").text
    again = [put(talk, kind, f"{kind}:{hold_id}", "carol").text for kind in ("hold_patron", "hold_creator")]
    forget(talk)
    assert "goes back to your card" in patron
    assert "goes back to who gave it" in creator
    assert "alice" not in creator
    assert all("Something changed" in text for text in again)


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        ("authenticate", "authenticate:99:1"),
        ("card_taken", "card_taken:99:1"),
        ("card_refused", "card_refused:99:1"),
        ("card_gone", "card_gone:99:1"),
        ("refund", "refund:99"),
        ("onboarding", "onboarding:99:1"),
        ("payable", "payable:99:1"),
        ("restricted", "restricted:99:1"),
        *(
            (kind, f"{kind}:99")
            for kind in ("hold_patron", "hold_creator", "hold_decided_patron", "hold_decided_creator")
        ),
        ("payable", "payable"),
    ],
)
def test_a_note_about_nothing_is_still_a_sentence(talk: PayingTalk, kind: str, source: str) -> None:
    talk.say("alice", "budget 5")
    text = put(talk, kind, source).text
    assert text.endswith(".")
    assert len(text) < 300
