"""Stripe's events: which are believed, and which object of Stripe's each says to look at.

An event is a hint and no more: what it tells about money is never read. The object is fetched from Stripe itself, and
goes the same way as the answer to a call of ours, so that lost, doubled, late and shuffled events do no harm.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from connectors.base import Answer, Card, Delivery, Light, Rejected, Secret, Secrets, Unreadable, read_json
from core.errands.keeping import Notified

SIGNATURE = "stripe-signature"
"""The header: ``t=SECONDS,v1=HEX``, the code several times while the endpoint's secret is rolled at Stripe."""

SECRET = "webhook_secret"  # noqa: S105 - its name
"""Its setting; several values are valid at once: two endpoints have two, and a rolled one has two for a while."""

OLDEST = 300
"""Seconds between signing and receipt; Stripe signs every attempt anew."""

FUTURE = 60
"""Seconds that Stripe's clock may be ahead of ours; the library accepts any time of the future."""

_MOST_CODES = 20
_PART = re.compile(r"(?P<scheme>[a-z][a-z0-9]{0,9})=(?P<value>[0-9a-zA-Z]{1,200})", re.ASCII)
_SECONDS = re.compile(r"[0-9]{1,12}", re.ASCII)
_CODE = re.compile(r"[0-9a-f]{64}", re.ASCII)
_REFERENCE = re.compile(r"[A-Za-z0-9_]{1,255}", re.ASCII)
_EVENT_ID = re.compile(r"[A-Za-z0-9_]{1,190}", re.ASCII)

_Kind = str | Callable[[Mapping[str, Any]], str | None]


def _session(session: Mapping[str, Any]) -> str | None:
    """A session in which a card was entered; those of other modes are not the hub's."""
    return "setup" if session.get("mode", "setup") == "setup" else None


OWN_EVENTS: Mapping[str, _Kind] = {
    "checkout.session.completed": _session,
    "setup_intent.succeeded": "setup",
    "setup_intent.setup_failed": "setup",
    "payment_method.automatically_updated": "card",
    "payment_method.detached": "card",
    "payment_intent.succeeded": "intent",
    "payment_intent.payment_failed": "intent",
    "payment_intent.processing": "intent",
    "payment_intent.canceled": "intent",
    "payment_intent.requires_action": "intent",
    "refund.created": "refund",
    "refund.updated": "refund",
    "refund.failed": "refund",
    "charge.dispute.created": "dispute",
    "charge.dispute.updated": "dispute",
    "charge.dispute.closed": "dispute",
    "charge.dispute.funds_withdrawn": "dispute",
    "charge.dispute.funds_reinstated": "dispute",
    "radar.early_fraud_warning.created": "warning",
    "radar.early_fraud_warning.updated": "warning",
    "transfer.reversed": "transfer",
    "transfer.updated": "transfer",
    "balance.available": "balance",
}
"""Events of the operator's own account, and the kind of errand that each is."""

CONNECTED_EVENTS: Mapping[str, _Kind] = {"payout.failed": "bank_payout"}
"""Events of creators' accounts."""

ACCOUNT_EVENTS = (
    "v2.core.account.updated",
    "v2.core.account.closed",
    "v2.core.account[requirements].updated",
    "v2.core.account[identity].updated",
    "v2.core.account[configuration.recipient].updated",
    "v2.core.account[configuration.recipient].capability_status_updated",
)
"""Thin events about creators' accounts; all that begin with ``v2.core.account`` and name one are taken."""

_ACCOUNT = re.compile(r"v2\.core\.account[.\[]", re.ASCII)

BALANCE = "available"
"""The reference of errands of the kind balance: there is one balance."""


class StripeEvents:
    """What `/webhooks/stripe` takes; a connector in shape, but of no network, and its events are errands."""

    @property
    def card(self) -> Card:
        """The facts about it."""
        return _CARD

    def challenge(self, delivery: Delivery, secrets: Secrets) -> Answer | None:
        """Stripe asks nothing."""
        return None

    def verify(self, delivery: Delivery, secrets: Secrets) -> str:
        """The event's id, which stays the same when Stripe sends it again; or Rejected.

        https://docs.stripe.com/webhooks#verify-manually, and stricter: an age is always checked, the future too.
        """
        seconds, codes = _signed(delivery.header(SIGNATURE))
        message = seconds.encode() + b"." + delivery.body
        valid = False
        for secret in secrets.get(SECRET, ()):
            wanted = hmac.new(secret, message, hashlib.sha256).hexdigest()
            for code in codes:
                # No early end: how long it takes must not tell which secret was the right one.
                valid |= bool(secret) and hmac.compare_digest(wanted, code)
        if not valid:
            raise Rejected("the signature does not fit the body under any secret of this hub")
        age = delivery.received_at.timestamp() - int(seconds)
        if age > OLDEST:
            raise Rejected(f"it was signed more than {OLDEST} seconds before its receipt; see this machine's clock")
        if age < -FUTURE:
            raise Rejected(f"it was signed more than {FUTURE} seconds after its receipt; see this machine's clock")
        return _key(delivery.body)

    def translate(self, delivery: Delivery) -> Sequence[Notified]:
        """The object to look at; nothing for types of events that the hub does not need."""
        event = read_json(delivery.body)
        match event.get("object"):
            case "event":
                return _snapshot(event)
            case "v2.core.event":
                return _thin(event)
        raise Unreadable("it is neither an event nor a v2.core.event of Stripe's")


def _signed(header: str) -> tuple[str, list[str]]:
    """Seconds and codes of a header; Rejected unless it is wholly of the documented form."""
    seconds: list[str] = []
    codes: list[str] = []
    if len(header) > 4096:
        raise Rejected(f"{SIGNATURE} is too long")
    for part in header.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise Rejected(f"{SIGNATURE} is not of the form t=SECONDS,v1=HEX")
        if match["scheme"] == "t":
            seconds.append(match["value"])
        elif match["scheme"] == "v1" and _CODE.fullmatch(match["value"]):
            codes.append(match["value"])  # other schemes are Stripe's business: v0 is of test events only
    if len(seconds) != 1 or not _SECONDS.fullmatch(seconds[0]):
        raise Rejected(f"{SIGNATURE} has no time, or more than one")
    if not 0 < len(codes) <= _MOST_CODES:
        raise Rejected(f"{SIGNATURE} has {len(codes)} codes of the scheme v1")
    return seconds[0], codes


def _key(body: bytes) -> str:
    """The event's id; of a body without one its hash, so that it is stored and becomes a dead letter."""
    try:
        name = read_json(body).get("id")
    except Unreadable:
        name = None
    if isinstance(name, str) and _EVENT_ID.fullmatch(name):
        return name
    return hashlib.sha256(body).hexdigest()


def _snapshot(event: Mapping[str, Any]) -> Sequence[Notified]:
    type_, account = _type(event), event.get("account")
    kind = (CONNECTED_EVENTS if account is not None else OWN_EVENTS).get(type_)
    if kind is None:
        return ()
    data = event.get("data")
    found = data.get("object") if isinstance(data, dict) else None
    if not isinstance(found, dict):
        raise Unreadable("it has no data.object")
    return _notified(kind, found, account)


def _thin(event: Mapping[str, Any]) -> Sequence[Notified]:
    type_, related, account = _type(event), event.get("related_object"), event.get("context")
    kind: _Kind | None
    if _ACCOUNT.match(type_):
        # Events about persons behind an account and about links come with an event about the account itself.
        if not isinstance(related, dict) or related.get("type") != "v2.core.account":
            return ()
        kind = "account"
    else:
        known = CONNECTED_EVENTS if account is not None else OWN_EVENTS
        kind = known.get(type_.removeprefix("v1.")) if type_.startswith("v1.") else None
    if kind is None:
        return ()
    if kind != "balance" and not isinstance(related, dict):
        raise Unreadable("it has no related_object")
    return _notified(kind, related if isinstance(related, dict) else {}, account)


def _notified(kind: _Kind, found: Mapping[str, Any], account: object) -> Sequence[Notified]:
    chosen = kind(found) if callable(kind) else kind
    match chosen:
        case None:
            return ()
        case "balance":
            return (Notified(chosen, BALANCE),)
        case "bank_payout":
            return (Notified(chosen, f"{_reference(account)}/{_reference(found.get('id'))}"),)
    return (Notified(chosen, _reference(found.get("id"))),)


def _type(event: Mapping[str, Any]) -> str:
    type_ = event.get("type")
    if not isinstance(type_, str):
        raise Unreadable("it has no type")
    return type_


def _reference(value: object) -> str:
    if not isinstance(value, str) or not _REFERENCE.fullmatch(value):
        raise Unreadable("the object that it is about has no id")
    return value


_CARD = Card(
    platform="stripe",
    title="Stripe",
    route="webhook",
    abilities=frozenset(),
    what_counts="nothing: it says what became of money",
    creator="nobody",
    secrets=(
        Secret(
            name=SECRET,
            how="Stripe's Dashboard, Workbench, Webhooks, your destination, Signing secret (whsec_...); all of them",
        ),
    ),
    success_status=200,
    retries="sends what was not taken again for up to three days, in no order",
    ids_signed=True,
    lights=(
        Light(
            action="events",
            colour="green",
            clause="endpoints are made to be called",
            url="https://docs.stripe.com/webhooks",
            read_on=date(2026, 11, 22),
        ),
    ),
    documentation="https://docs.stripe.com/webhooks",
)
