"""Facts about Stripe's events: which are believed, what they say, and that they become errands once."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import stripe
from sqlmodel import select

from connectors.base import Delivery, Rejected, Secrets, Unreadable
from connectors.kit import hostile, purity, secrecy, signature
from connectors.kit.subject import Subject, handed
from connectors.kit.vectors import Vector
from core.database import Database
from core.errands.keeping import Notified
from core.errands.tables import Errand
from core.mail import inbox
from core.mail.inbox import Incoming
from core.rules import Rules
from tests.webhooks.post import SEAL
from webhooks.packing import pack
from webhooks.stripe import (
    ACCOUNT_EVENTS,
    CONNECTED_EVENTS,
    FUTURE,
    OLDEST,
    OWN_EVENTS,
    SECRET,
    SIGNATURE,
    StripeEvents,
)
from webhooks.worker import Worker

AT = datetime(2026, 11, 10, 12, tzinfo=UTC)
KEY = b"whsec_canary-of-the-snapshots"
SECRETS: Secrets = {SECRET: (KEY,)}
EVENTS = StripeEvents()
SPEC = Path(__file__).parents[3] / "shared" / "stripe" / "spec-subset.json"


def snapshot(type_: str, found: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "evt_1", "object": "event", "type": type_, "livemode": False, "data": {"object": found}, **more}


def thin(type_: str, id_: str = "acct_1", kind: str = "v2.core.account", **more: Any) -> dict[str, Any]:
    related = {"id": id_, "type": kind, "url": f"/v2/core/accounts/{id_}"}
    return {"id": "evt_2", "object": "v2.core.event", "type": type_, "related_object": related, **more}


def delivery(event: Any, *, age: float = 0, keys: tuple[bytes, ...] = (KEY,), header: str | None = None) -> Delivery:
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    bare = Delivery(method="POST", path="/webhooks/stripe", body=body, received_at=AT)
    if header is not None:
        return replace(bare, headers={SIGNATURE: (header,)})
    return sign(bare, {SECRET: keys}, seconds=int(AT.timestamp() - age))


def sign(bare: Delivery, secrets: Secrets, *, seconds: int | None = None) -> Delivery:
    """By the library's own hand where the body is text; it cannot sign other bytes, and Stripe sends none."""
    seconds = int(bare.received_at.timestamp()) if seconds is None else seconds
    text = bare.body.decode("latin-1")
    if text.isascii():
        make = stripe.WebhookSignature.generate_signature_header
        header = make(text, secrets[SECRET][0].decode(), seconds)
    else:
        code = hmac.new(secrets[SECRET][0], b"%d." % seconds + bare.body, hashlib.sha256).hexdigest()
        header = f"t={seconds},v1={code}"
    return replace(bare, headers={**bare.headers, SIGNATURE: (header,)})


def says(event: Any) -> list[tuple[str, str]]:
    return [(each.kind, each.reference) for each in EVENTS.translate(delivery(event))]


class Errands(Subject):
    """The kit's subject, for a caller whose events are errands."""

    def told(self, delivery: Delivery, what: str) -> Any:
        try:
            events = self.connector.translate(handed(delivery))
        except Unreadable:
            return None
        assert all(isinstance(each, Notified) and isinstance(each.reference, str) for each in events), what
        return tuple(events)


VECTORS = {
    "intent": snapshot("payment_intent.succeeded", {"id": "pi_1", "object": "payment_intent"}),
    "bank": {
        **snapshot("payout.failed", {"id": "po_1", "object": "payout"}, account="acct_1"),
        "id": "evt_3",
    },
    "thin": thin("v2.core.account[requirements].updated"),
    "other": {**snapshot("invoice.paid", {"id": "in_1"}), "id": "evt_4"},
}
SUBJECT = Errands(
    connector=EVENTS,  # type: ignore[arg-type]
    vectors=tuple(
        Vector(name=name, delivery=delivery(event), secrets=SECRETS, outcome="events")
        for name, event in VECTORS.items()
    ),
    sign=sign,
)
RULES = [
    *signature.RULES,
    *(rule for rule in hostile.RULES if rule[1] is not hostile.signed_bodies),
    *purity.RULES,
    *secrecy.RULES,
]


@pytest.mark.parametrize("rule", [rule for _, rule in RULES], ids=[name for name, _ in RULES])
def test_it_keeps_the_contract_of_connectors(rule: Callable[[Subject], None]) -> None:
    rule(SUBJECT)


def test_a_signed_but_hostile_body_is_unreadable_at_worst() -> None:
    for vector in SUBJECT.vectors:
        for sent, what in hostile._signed(SUBJECT, vector):
            assert SUBJECT.verdict(sent, SECRETS, what) is not None
            for event in SUBJECT.told(sent, what) or ():
                assert event.reference.replace("_", "").replace("/", "").isalnum()


# What is believed


@pytest.mark.parametrize("keys", [(KEY, b"whsec_of-the-thin-ones"), (b"whsec_older", KEY), (b"", KEY)])
def test_several_secrets_are_valid_at_once(keys: tuple[bytes, ...]) -> None:
    assert EVENTS.verify(delivery(VECTORS["intent"]), {SECRET: keys}) == "evt_1"


def test_one_of_several_codes_is_enough_while_stripe_rolls_the_secret() -> None:
    sent = delivery(VECTORS["intent"])
    seconds, code = sent.headers[SIGNATURE][0].split(",")
    other = "v1=" + "0" * 64
    for header in (f"{seconds},{other},{code}", f"{seconds},{code},{other}", f"{code},{seconds},v0=abc"):
        assert EVENTS.verify(replace(sent, headers={SIGNATURE: (header,)}), SECRETS) == "evt_1"


@pytest.mark.parametrize("age", [OLDEST, 0, -FUTURE])
def test_a_fresh_signature_is_believed(age: int) -> None:
    assert EVENTS.verify(delivery(VECTORS["intent"], age=age), SECRETS) == "evt_1"


@pytest.mark.parametrize("age", [OLDEST + 1, 10**9, -FUTURE - 1, -(10**9)])
def test_an_old_signature_and_one_of_the_future_are_turned_away(age: int) -> None:
    with pytest.raises(Rejected, match=r"seconds (before|after) its receipt"):
        EVENTS.verify(delivery(VECTORS["intent"], age=age), SECRETS)


def test_a_time_of_another_spelling_is_not_the_signed_one() -> None:
    sent = delivery(VECTORS["intent"])
    for spelled in ("t=0", "t=+", "t= ", "t=-"):
        header = sent.headers[SIGNATURE][0].replace("t=", spelled)
        with pytest.raises(Rejected):
            EVENTS.verify(replace(sent, headers={SIGNATURE: (header,)}), SECRETS)


def test_an_event_sent_again_has_the_same_key_though_it_is_signed_anew() -> None:
    first, again = delivery(VECTORS["intent"], age=200), delivery(VECTORS["intent"], keys=(b"whsec_new",))
    assert EVENTS.verify(first, SECRETS) == EVENTS.verify(again, {SECRET: (KEY, b"whsec_new")})


@pytest.mark.parametrize("name", [None, 7, "", "evt 1", "x" * 191, ["evt_1"]])
def test_without_an_id_the_body_itself_is_the_key(name: object) -> None:
    key = EVENTS.verify(delivery({**VECTORS["intent"], "id": name}), SECRETS)
    assert len(key) == 64
    assert key != EVENTS.verify(delivery({**VECTORS["thin"], "id": name}), SECRETS)


def test_stripes_library_believes_what_we_believe() -> None:
    """Ours is stricter about time and form; about the code itself the two agree, over random headers too."""
    chance = random.Random(4)
    for _ in range(300):
        sent = delivery(VECTORS[chance.choice(list(VECTORS))], age=chance.choice([0, 100]))
        header = sent.headers[SIGNATURE][0]
        if chance.random() < 0.7:
            place = chance.randrange(len(header))
            header = header[:place] + chance.choice("0123456789abcdef,=tv") + header[place + 1 :]
        try:
            EVENTS.verify(replace(sent, headers={SIGNATURE: (header,)}), SECRETS)
        except Rejected:
            continue
        assert stripe.WebhookSignature.verify_header(sent.body.decode(), header, KEY.decode())


# What it says


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (snapshot("checkout.session.completed", {"id": "cs_1", "mode": "setup"}), [("setup", "cs_1")]),
        (snapshot("checkout.session.completed", {"id": "cs_1", "mode": "payment"}), []),
        (snapshot("setup_intent.setup_failed", {"id": "seti_1"}), [("setup", "seti_1")]),
        (snapshot("setup_intent.succeeded", {"id": "seti_1"}), [("setup", "seti_1")]),
        (snapshot("payment_method.detached", {"id": "pm_1"}), [("card", "pm_1")]),
        (snapshot("payment_method.automatically_updated", {"id": "pm_1"}), [("card", "pm_1")]),
        (snapshot("payment_intent.succeeded", {"id": "pi_1"}), [("intent", "pi_1")]),
        (snapshot("payment_intent.payment_failed", {"id": "pi_1"}), [("intent", "pi_1")]),
        (snapshot("payment_intent.processing", {"id": "pi_1"}), [("intent", "pi_1")]),
        (snapshot("payment_intent.canceled", {"id": "pi_1"}), [("intent", "pi_1")]),
        (snapshot("payment_intent.requires_action", {"id": "pi_1"}), [("intent", "pi_1")]),
        (snapshot("refund.created", {"id": "re_1"}), [("refund", "re_1")]),
        (snapshot("refund.updated", {"id": "re_1"}), [("refund", "re_1")]),
        (snapshot("refund.failed", {"id": "re_1"}), [("refund", "re_1")]),
        (snapshot("charge.dispute.created", {"id": "dp_1"}), [("dispute", "dp_1")]),
        (snapshot("charge.dispute.funds_withdrawn", {"id": "dp_1"}), [("dispute", "dp_1")]),
        (snapshot("charge.dispute.funds_reinstated", {"id": "dp_1"}), [("dispute", "dp_1")]),
        (snapshot("charge.dispute.updated", {"id": "du_1"}), [("dispute", "du_1")]),
        (snapshot("charge.dispute.closed", {"id": "dp_1"}), [("dispute", "dp_1")]),
        (snapshot("radar.early_fraud_warning.created", {"id": "issfr_1"}), [("warning", "issfr_1")]),
        (snapshot("radar.early_fraud_warning.updated", {"id": "issfr_1"}), [("warning", "issfr_1")]),
        (snapshot("transfer.reversed", {"id": "tr_1"}), [("transfer", "tr_1")]),
        (snapshot("transfer.updated", {"id": "tr_1"}), [("transfer", "tr_1")]),
        (snapshot("balance.available", {"object": "balance"}), [("balance", "available")]),
        (snapshot("payout.failed", {"id": "po_1"}, account="acct_1"), [("bank_payout", "acct_1/po_1")]),
        (snapshot("payout.failed", {"id": "po_1"}), []),
        (thin("v2.core.account.closed"), [("account", "acct_1")]),
        (thin("v2.core.account[configuration.recipient].capability_status_updated"), [("account", "acct_1")]),
        (thin("v2.core.account[something.new].updated"), [("account", "acct_1")]),
        (thin("v2.core.account_person.updated", "person_1", "v2.core.account_person"), []),
        (thin("v2.core.account_link.returned", "acct_1"), []),
        (thin("v1.payment_intent.succeeded", "pi_1", "payment_intent"), [("intent", "pi_1")]),
        (thin("v1.payout.failed", "po_1", "payout", context="acct_1"), [("bank_payout", "acct_1/po_1")]),
        (thin("v1.balance.available", "", "balance"), [("balance", "available")]),
        (thin("v2.money_management.payout_method.created", "x", "y"), []),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else "",
)
def test_an_event_says_what_to_look_at(event: dict[str, Any], said: list[tuple[str, str]]) -> None:
    assert says(event) == said


@pytest.mark.parametrize("type_", [*OWN_EVENTS, "customer.created", "charge.succeeded"])
def test_what_happens_on_creators_own_accounts_is_theirs(type_: str) -> None:
    assert says(snapshot(type_, {"id": "x_1"}, account="acct_1")) == []


@pytest.mark.parametrize(
    "event",
    [
        {"object": "event", "data": {"object": {"id": "pi_1"}}},
        snapshot("payment_intent.succeeded", {}),
        snapshot("payment_intent.succeeded", {"id": "pi_1/../refunds"}),
        {**snapshot("payment_intent.succeeded", {}), "data": None},
        snapshot("payout.failed", {"id": "po_1"}, account=7),
        {**thin("v1.refund.created"), "related_object": None},
        {"object": "list", "type": "payment_intent.succeeded"},
        {},
        b"[]",
        b"\xff",
    ],
)
def test_a_genuine_event_that_cannot_be_read_is_a_dead_letter(event: Any) -> None:
    with pytest.raises(Unreadable):
        EVENTS.translate(delivery(event))


def test_every_event_that_is_asked_for_exists() -> None:
    if not SPEC.is_file():
        pytest.skip(f"the description of Stripe's requests is not at {SPEC}")
    known = json.loads(SPEC.read_text())["x-events"]
    assert set(OWN_EVENTS) | set(CONNECTED_EVENTS) <= set(known["snapshot"])


def test_the_library_knows_every_event_about_accounts() -> None:
    from stripe.events import _event_classes

    assert set(ACCOUNT_EVENTS) <= set(_event_classes._V2_EVENT_CLASS_LOOKUP)


# What becomes of it


async def test_events_become_errands_in_the_transaction_that_marks_them_done(db: Database, rules: Rules) -> None:
    noted: list[bool] = []
    worker = Worker(
        db, rules, {"stripe": EVENTS}, SEAL, lambda *_: None, lambda: AT, noted=lambda: noted.append(True)
    )  # fmt: skip

    def store(*events: dict[str, Any]) -> None:
        with db.transaction() as tx:
            items = [(EVENTS.verify(each, SECRETS), each) for each in map(delivery, events)]
            inbox.store(
                tx,
                [
                    Incoming(platform="stripe", key=key, received_at=each.received_at, sealed=SEAL.seal(pack(each)))
                    for key, each in items
                ],
            )

    def errands() -> list[tuple[str, str, int]]:
        with db.reading() as tx:
            return sorted((each.kind, each.reference, each.version) for each in tx.exec(select(Errand)))

    def letters() -> tuple[int, int]:
        with db.reading() as tx:
            counts = inbox.counts(tx)
        return counts.done, counts.dead

    await asyncio.to_thread(store, *VECTORS.values(), VECTORS["intent"])
    await worker.drain()
    once = [("account", "acct_1", 1), ("bank_payout", "acct_1/po_1", 1), ("intent", "pi_1", 1)]
    assert await asyncio.to_thread(errands) == once
    assert noted == [True]
    await asyncio.to_thread(store, *VECTORS.values())
    await worker.drain()
    assert await asyncio.to_thread(errands) == once, "a repeated event is no news"
    later = {**VECTORS["intent"], "id": "evt_9"}
    await asyncio.to_thread(store, later)
    await worker.drain()
    assert (await asyncio.to_thread(errands))[2] == ("intent", "pi_1", 2)
    assert await asyncio.to_thread(letters) == (5, 0)
