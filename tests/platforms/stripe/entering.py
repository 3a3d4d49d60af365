"""Entering a card: setup intents and Checkout sessions in setup mode."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from tests.platforms.stripe import cards
from tests.platforms.stripe.balances import DAY
from tests.platforms.stripe.cards import Card, CardRefused
from tests.platforms.stripe.errors import StripeError, malformed, parameter_missing, unexpected_state
from tests.platforms.stripe.forms import Params, flag, inside, needed, number, several, text
from tests.platforms.stripe.patrons import Patrons
from tests.platforms.stripe.routing import route
from tests.platforms.stripe.world import Object

_AUTHENTICATION = (
    "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new PaymentMethod "
    "to attempt to fulfill this SetupIntent again."
)


class Entering(Patrons):
    """Cards come in through Stripe's own page."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self._open_sessions: list[Object] = []

    def _new_setup(self, params: Params, customer: str | None) -> Object:
        made = self.add(
            "setup_intent",
            "seti",
            application=None,
            automatic_payment_methods={"allow_redirects": "always", "enabled": True},
            cancellation_reason=None,
            customer=customer,
            description=text(params, "description"),
            last_setup_error=None,
            latest_attempt=None,
            mandate=None,
            metadata={},
            next_action=None,
            on_behalf_of=None,
            payment_method=None,
            payment_method_types=["card"],
            single_use_mandate=None,
            status="requires_payment_method",
            usage=text(params, "usage") or "off_session",
        )
        made["client_secret"] = f"{made['id']}_secret_fake"
        self.noted(made, params)
        self.emit("setup_intent.created", made)
        return made

    @route("POST /v1/setup_intents")
    def setup_create(self, params: Params) -> Object:
        customer = text(params, "customer")
        if customer is not None:
            self.customer(customer, "customer")
        made = self._new_setup(params, customer)
        return self.setup_confirm(params, made["id"]) if flag(params, "confirm") else made

    @route("GET /v1/setup_intents/{intent}")
    def setup_retrieve(self, params: Params, id: str) -> Object:  # noqa: A002
        return self.get("setup_intent", id)

    @route("GET /v1/setup_intents")
    def setup_list(self, params: Params) -> Object:
        customer = text(params, "customer")
        found = [each for each in self.all("setup_intent") if customer in (None, each["customer"])]
        return self.page(found, params, "/v1/setup_intents")

    @route("POST /v1/setup_intents/{intent}/confirm")
    def setup_confirm(self, params: Params, id: str) -> Object:  # noqa: A002
        made = self.get("setup_intent", id)
        if made["status"] in ("succeeded", "canceled"):
            raise unexpected_state(
                f"You cannot confirm this SetupIntent because it has a status of {made['status']}.",
                self.shown(made),
                of="setup_intent",
            )
        method = self.method(needed(params, "payment_method"))
        self.usable(method, made["customer"])
        error = self._enters(made, method)
        if error is not None:
            raise StripeError(
                402, error["message"], type=error["type"], code=error["code"], setup_intent=self.shown(made)
            )
        return made

    @route("POST /v1/setup_intents/{intent}/cancel")
    def setup_cancel(self, params: Params, id: str) -> Object:  # noqa: A002
        made = self.get("setup_intent", id)
        if made["status"] in ("succeeded", "canceled", "processing"):
            raise unexpected_state(
                f"You cannot cancel this SetupIntent because it has a status of {made['status']}.",
                self.shown(made),
                of="setup_intent",
            )
        made |= {"status": "canceled", "cancellation_reason": text(params, "cancellation_reason")}
        self.emit("setup_intent.canceled", made)
        return made

    def _enters(self, setup: Object, method: Object, *, passes: bool = True) -> Object | None:
        """A card is checked with its bank; None, or what is wrong with it."""
        card = self.card_of[method["id"]]
        if card.setup in ("asks", "fails"):
            self.emit("setup_intent.requires_action", {**setup, "status": "requires_action"})
        if card.setup == "fails" or (card.setup == "asks" and not passes):
            code = "setup_intent_authentication_failure"
            error = {"code": code, "message": _AUTHENTICATION, "type": "invalid_request_error"}
        elif card.setup == "declined":
            first = card.answers[0]
            error = {
                "code": first.code or "card_declined",
                "decline_code": first.decline or "generic_decline",
                "message": first.message,
                "type": "card_error",
            }
        else:
            if setup["customer"] is not None and method["customer"] is None:
                self.attach(method, setup["customer"])
            setup |= {"status": "succeeded", "payment_method": method["id"], "last_setup_error": None}
            self.emit("setup_intent.succeeded", setup)
            return None
        setup["last_setup_error"] = error | {"payment_method": self.shown(method)}
        self.emit("setup_intent.setup_failed", setup)
        return error

    # Checkout

    @route("POST /v1/checkout/sessions")
    def session_create(self, params: Params) -> Object:
        if text(params, "mode") != "setup":
            raise malformed("This fake knows Checkout in setup mode only.", "mode")
        hosted = text(params, "ui_mode") in (None, "hosted_page")
        if hosted and text(params, "success_url") is None:
            raise parameter_missing("success_url")
        if text(params, "currency") is None and not several(params, "allowed_payment_method_types"):
            raise malformed(
                "You must provide a currency in setup mode when allowed_payment_method_types is not set.",
                "currency",
                code="parameter_missing",
            )
        customer = text(params, "customer")
        if customer is not None:
            self.customer(customer, "customer")
        expires = number(params, "expires_at") or self.now() + DAY
        if not self.now() + 1800 <= expires <= self.now() + DAY:
            raise malformed(
                "The `expires_at` timestamp must be between 30 minutes and 24 hours from now.", "expires_at"
            )
        setup = self._new_setup(dict(inside(params, "setup_intent_data")), customer)
        made = self.add(
            "checkout.session",
            "cs_test",
            amount_subtotal=None,
            amount_total=None,
            automatic_tax={"enabled": False, "liability": None, "provider": None, "status": None},
            cancel_url=text(params, "cancel_url"),
            client_reference_id=text(params, "client_reference_id"),
            currency=text(params, "currency"),
            custom_fields=[],
            custom_text={"after_submit": None, "submit": None},
            customer=customer,
            customer_creation=text(params, "customer_creation"),
            customer_details=None,
            customer_email=text(params, "customer_email"),
            expires_at=expires,
            locale=text(params, "locale"),
            metadata={},
            mode="setup",
            payment_intent=None,
            payment_method_types=["card"],
            payment_status="no_payment_required",
            setup_intent=setup["id"],
            shipping_options=[],
            status="open",
            success_url=text(params, "success_url"),
            ui_mode="hosted_page",
        )
        made["url"] = f"{self.address}/c/pay/{made['id']}"
        self.noted(made, params)
        self._open_sessions.append(made)
        return made

    @route("GET /v1/checkout/sessions/{session}")
    def session_retrieve(self, params: Params, id: str) -> Object:  # noqa: A002
        return self.get("checkout.session", id)

    @route("GET /v1/checkout/sessions")
    def session_list(self, params: Params) -> Object:
        customer, status = text(params, "customer"), text(params, "status")
        found = [
            each
            for each in self.all("checkout.session")
            if customer in (None, each["customer"]) and status in (None, each["status"])
        ]
        return self.page(found, params, "/v1/checkout/sessions")

    @route("POST /v1/checkout/sessions/{session}/expire")
    def session_expire(self, params: Params, id: str) -> Object:  # noqa: A002
        made = self.get("checkout.session", id)
        if made["status"] != "open":
            raise StripeError(
                400,
                "Only Checkout Sessions with a status in [open] can be expired. This Checkout Session has a status of "
                f"{made['status']}.",
            )
        self._expires(made)
        return made

    def _expires(self, session: Object) -> None:
        session |= {"status": "expired", "url": None}
        self._open_sessions.remove(session)
        self.emit("checkout.session.expired", session)

    def passes(self) -> None:
        """Sessions end after a day."""
        super().passes()
        for each in [each for each in self._open_sessions if each["expires_at"] <= self.now()]:
            self._expires(each)

    # The person at the page

    def _session(self, told: str) -> Object:
        self.tick()
        return self.objects[urlsplit(told).path.rsplit("/", 1)[-1]]

    def person_enters_card(self, session: str, card: Card = cards.PAYS, *, passes: bool = True) -> str:
        """A person enters a card at the page (by its address or the session's id); where they are sent then."""
        with self.lock:
            made = self._session(session)
            if made["status"] != "open":
                raise CardRefused("the page has ended")
            setup = self.objects[made["setup_intent"]]
            if setup["customer"] is None and made["customer_creation"] == "always":
                made["customer"] = setup["customer"] = self.customer_create({})["id"]
            error = self._enters(setup, self.new_method(card), passes=passes)
            if error is not None:
                raise CardRefused(str(error["message"]))
            made |= {"status": "complete", "url": None}
            self._open_sessions.remove(made)
            self.emit("checkout.session.completed", made)
            return str(made["success_url"]).replace("{CHECKOUT_SESSION_ID}", made["id"])

    def person_cancels(self, session: str) -> str:
        """A person goes back without entering a card; the page stays open."""
        with self.lock:
            return str(self._session(session)["cancel_url"])
