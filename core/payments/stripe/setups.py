"""Lets patrons enter a card at Stripe (Checkout in setup mode), and looks at what they entered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from core.payments import counterparts
from core.payments.gateway import CardOffer
from core.payments.states import Redirect, SetupState
from core.payments.stripe import declines
from core.payments.stripe.client import Trouble
from core.payments.stripe.desk import Desk, name_of, noted, unanswered, when

OPEN_FOR = timedelta(hours=1)
"""How long the page for the card stays open; Stripe allows 30 minutes to a day."""

_BRANDS = {
    "amex": "American Express",
    "cartes_bancaires": "Cartes Bancaires",
    "diners": "Diners Club",
    "eftpos_au": "eftpos",
    "jcb": "JCB",
    "mastercard": "Mastercard",
    "unionpay": "UnionPay",
}


def enter_card(desk: Desk, person_id: int, done: str, cancelled: str, at: datetime) -> Redirect:
    """A page of Stripe's where the card is entered and its bank asked (3-D Secure), for charges while they are away."""
    back = (
        done
        if "{CHECKOUT_SESSION_ID}" in done
        else f"{done}{'&' if '?' in done else '?'}session_id={{CHECKOUT_SESSION_ID}}"
    )
    second = int(at.timestamp())
    try:
        customer = _customer(desk, person_id, at)
        session = desk.stripe.ask(
            lambda api: api.v1.checkout.sessions.create(
                {
                    "mode": "setup",
                    "currency": desk.currency,
                    "customer": customer,
                    "allowed_payment_method_types": ["card"],
                    "payment_method_options": {"card": {"request_three_d_secure": "any"}},
                    "setup_intent_data": {"metadata": desk.notes(person=person_id)},
                    "metadata": desk.notes(person=person_id),
                    "success_url": back,
                    "cancel_url": cancelled,
                    "expires_at": second + int(OPEN_FOR.total_seconds()),
                },
                # Each visit is a session of its own, since one that was left may be used up.
                {"idempotency_key": f"cs-{person_id}-{second}"},
            )
        )
    except Trouble as trouble:
        raise unanswered(trouble) from None
    return Redirect(str(session["url"]))


def _customer(desk: Desk, person_id: int, at: datetime) -> str:
    """The person's customer, made on first need. It has no name and no e-mail address: the hub knows none."""
    with desk.db.reading() as tx:
        known = counterparts.name(tx, "customer", person_id)
    if known is not None:
        return known
    made = desk.stripe.ask(
        lambda api: api.v1.customers.create(
            {"metadata": desk.notes(person=person_id)},
            # With the hour, so that a stored failure is in nobody's way for a day; one that is made and never kept
            # has no card, and costs nothing.
            {"idempotency_key": f"cus-{person_id}-{int(at.timestamp()) // 3600}"},
        )
    )
    with desk.db.transaction() as tx:
        return counterparts.keep(tx, "customer", person_id, str(made["id"]), at)


def look_at(desk: Desk, reference: str) -> SetupState | None:
    """What became of a Checkout session (``cs_``) or a setup intent (``seti_``)."""
    try:
        if reference.startswith("cs_"):
            session = desk.stripe.ask(
                lambda api: api.v1.checkout.sessions.retrieve(reference, {"expand": ["setup_intent.payment_method"]})
            )
            intent = session.get("setup_intent") or {}
            whole: Mapping[str, Any] = intent if isinstance(intent, Mapping) else {}
            person_id = _person(desk, session)
        else:
            whole = desk.stripe.ask(
                lambda api: api.v1.setup_intents.retrieve(reference, {"expand": ["payment_method"]})
            )
            person_id = _person(desk, whole)
    except Trouble as trouble:
        if trouble.kind == "missing":
            return None
        raise unanswered(trouble) from None
    error = whole.get("last_setup_error")
    succeeded = whole.get("status") == "succeeded"
    method = whole.get("payment_method")
    return SetupState(
        reference=reference,
        person_id=person_id,
        card=_offer(method) if succeeded and isinstance(method, Mapping) else None,
        failure=declines.reason(error) if error and not succeeded else None,
    )


def _person(desk: Desk, thing: Mapping[str, Any]) -> int | None:
    customer = name_of(thing.get("customer"))
    if customer is not None:
        with desk.db.reading() as tx:
            if (owner := counterparts.owner(tx, "customer", customer)) is not None:
                return owner
    return noted(thing, "person")


def look_at_card(desk: Desk, reference: str) -> CardOffer | None:
    """The card as it is now; None: it was detached, so that it can never be charged again."""
    try:
        return _offer(desk.stripe.ask(lambda api: api.v1.payment_methods.retrieve(reference)))
    except Trouble as trouble:
        if trouble.kind == "missing":
            return None
        raise unanswered(trouble) from None


def forget_card(desk: Desk, reference: str) -> None:
    """Detach it. Stripe refuses to detach what is detached, so a refusal is held against the card itself."""
    try:
        desk.stripe.ask(
            lambda api: api.v1.payment_methods.detach(reference, None, {"idempotency_key": f"pm-detach-{reference}"})
        )
    except Trouble as trouble:
        if trouble.kind != "missing" and look_at_card(desk, reference) is not None:
            raise unanswered(trouble) from None


def _offer(method: Mapping[str, Any]) -> CardOffer | None:
    customer, card = name_of(method.get("customer")), method.get("card")
    if customer is None or not isinstance(card, Mapping):
        return None
    brand = str(card.get("display_brand") or card.get("brand") or "card")
    return CardOffer(
        brand=_BRANDS.get(brand) or brand.replace("_", " ").capitalize(),
        last4=str(card.get("last4") or ""),
        reference=str(method["id"]),
        customer=customer,
        fingerprint=card.get("fingerprint"),
        country=card.get("country"),
        entered_at=when(method.get("created")),
    )
