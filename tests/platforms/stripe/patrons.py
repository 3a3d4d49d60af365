"""Customers and their cards: payment methods, setup intents, Checkout in setup mode."""

from __future__ import annotations

from typing import Any

from tests.platforms.stripe import cards
from tests.platforms.stripe.balances import Balances
from tests.platforms.stripe.cards import Card, Outcome
from tests.platforms.stripe.errors import StripeError, malformed, no_such
from tests.platforms.stripe.forms import Params, inside, needed, several, text
from tests.platforms.stripe.routing import route
from tests.platforms.stripe.world import Object, listed

_NOBODY = {"address": None, "email": None, "name": None, "phone": None, "tax_id": None}
REUSED = (
    "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, shared with a "
    "connected account without Customer attachment, or was detached from a Customer. It may not be used again. To use "
    "a PaymentMethod multiple times, you must attach it to a Customer first."
)


class Patrons(Balances):
    """Who pays, and with which card."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self.card_of: dict[str, Card] = {}
        """What stands behind each payment method."""
        self.tries: dict[str, int] = {}
        """How often each payment method was charged."""
        self._used_up: set[str] = set()

    # Metadata, the same everywhere

    def noted(self, made: Object, params: Params) -> None:
        """Merge the metadata of a request into an object's."""
        given = params.get("metadata")
        if given is None:
            return
        if given == "":
            made["metadata"] = {}
            return
        for key, value in given.items():
            if len(str(key)) > 40 or len(str(value)) > 500:
                raise malformed(f"Metadata is too long: {key}", f"metadata[{key}]")
            if value in ("", None):
                made["metadata"].pop(key, None)
            else:
                made["metadata"][key] = str(value)
        if len(made["metadata"]) > 50:
            raise malformed("Metadata can have up to 50 keys", "metadata")

    def page(self, found: list[Object], params: Params, url: str) -> Object:
        """A page of a list of objects."""
        account = self.request.account if self.request else None
        mine = [each for each in found if self.home.get(each["id"]) == account]
        return listed(mine, params, url, self.shown, several(params, "expand"))

    # Customers

    @route("POST /v1/customers")
    def customer_create(self, params: Params) -> Object:
        made = self.add(
            "customer",
            "cus",
            address=None,
            balance=0,
            currency=None,
            default_source=None,
            delinquent=False,
            description=text(params, "description"),
            discount=None,
            email=text(params, "email"),
            invoice_settings={"custom_fields": None, "default_payment_method": None, "footer": None},
            metadata={},
            name=text(params, "name"),
            phone=None,
            preferred_locales=several(params, "preferred_locales"),
            shipping=None,
            tax_exempt="none",
            test_clock=None,
        )
        self.noted(made, params)
        self.emit("customer.created", made)
        return made

    def customer(self, id: str, param: str | None = None) -> Object:  # noqa: A002
        """A customer that is still there."""
        found = self.get("customer", id, param=param)
        if found.get("deleted"):
            raise no_such("customer", id, param)
        return found

    @route("GET /v1/customers/{customer}")
    def customer_retrieve(self, params: Params, id: str) -> Object:  # noqa: A002
        found = self.get("customer", id)
        return {"id": id, "object": "customer", "deleted": True} if found.get("deleted") else found

    @route("POST /v1/customers/{customer}")
    def customer_update(self, params: Params, id: str) -> Object:  # noqa: A002
        found = self.customer(id)
        for name in ("description", "email", "name"):
            if name in params:
                found[name] = text(params, name)
        if "default_payment_method" in inside(params, "invoice_settings"):
            method = text(dict(inside(params, "invoice_settings")), "default_payment_method")
            found["invoice_settings"]["default_payment_method"] = method
        self.noted(found, params)
        self.emit("customer.updated", found)
        return found

    @route("DELETE /v1/customers/{customer}")
    def customer_delete(self, params: Params, id: str) -> Object:  # noqa: A002
        found = self.customer(id)
        for method in self.all("payment_method"):
            if method["customer"] == id:
                self._detach(method)
        self.emit("customer.deleted", found)
        found["deleted"] = True
        return {"id": id, "object": "customer", "deleted": True}

    @route("GET /v1/customers")
    def customer_list(self, params: Params) -> Object:
        there = [each for each in self.all("customer") if not each.get("deleted")]
        email = text(params, "email")
        return self.page([each for each in there if email in (None, each["email"])], params, "/v1/customers")

    # Payment methods

    def new_method(self, card: Card) -> Object:
        """A card as the API keeps it."""
        made = self.add(
            "payment_method",
            "pm",
            allow_redisplay="limited",
            billing_details=dict(_NOBODY),
            card={
                "brand": card.brand,
                "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
                "country": card.country,
                "display_brand": card.brand,
                "exp_month": card.exp_month,
                "exp_year": card.exp_year,
                "fingerprint": card.fingerprint,
                "funding": "credit",
                "last4": card.last4,
                "networks": {"available": [card.brand], "preferred": None},
                "three_d_secure_usage": {"supported": True},
                "wallet": None,
            },
            customer=None,
            metadata={},
            type="card",
        )
        self.card_of[made["id"]] = card
        return made

    def method(self, id: str) -> Object:  # noqa: A002
        """A payment method; `pm_card_visa` and the like make one."""
        if id in cards.BY_TOKEN:
            return self.new_method(cards.BY_TOKEN[id])
        return self.get("payment_method", id, param="payment_method")

    def outcome(self, method: Object) -> Outcome:
        """What the bank says to this try, which counts."""
        answers = self.card_of[method["id"]].answers
        tried = self.tries.get(method["id"], 0)
        self.tries[method["id"]] = tried + 1
        return answers[min(tried, len(answers) - 1)]

    def attach(self, method: Object, customer: str) -> None:
        """A card belongs to a customer from now on."""
        if method["id"] in self._used_up:
            raise StripeError(400, REUSED)
        if method["customer"] not in (None, customer):
            raise StripeError(
                400, "The payment method you provided has already been attached to a customer.", param="payment_method"
            )
        method["customer"] = customer
        self.emit("payment_method.attached", method)

    def _detach(self, method: Object) -> None:
        before = method["customer"]
        method["customer"] = None
        self._used_up.add(method["id"])
        self.emit("payment_method.detached", method, before={"customer": before})

    def usable(self, method: Object, customer: str | None) -> None:
        """A payment method that a customer may pay with."""
        if method["id"] in self._used_up:
            raise StripeError(400, REUSED, payment_method=self.shown(method))
        if method["customer"] is not None and customer is None:
            raise StripeError(
                400,
                f"The payment method you provided ({method['id']}) belongs to a customer. You must pass the customer.",
                param="payment_method",
            )
        if method["customer"] not in (None, customer):
            raise StripeError(
                400,
                f"The customer does not have a payment method with the ID {method['id']}. The payment method must "
                "belong to the customer.",
                code="resource_missing",
                param="payment_method",
            )

    @route("GET /v1/payment_methods/{payment_method}")
    def method_retrieve(self, params: Params, id: str) -> Object:  # noqa: A002
        return self.get("payment_method", id, param="payment_method" if id.startswith("pm_card") else None)

    @route("GET /v1/customers/{customer}/payment_methods/{payment_method}")
    def method_of_customer(self, params: Params, customer: str, id: str) -> Object:  # noqa: A002
        self.customer(customer)
        found = self.get("payment_method", id)
        if found["customer"] != customer:
            raise no_such("payment_method", id)
        return found

    @route("GET /v1/customers/{customer}/payment_methods")
    def methods_of_customer(self, params: Params, customer: str) -> Object:
        self.customer(customer)
        mine = [each for each in self.all("payment_method") if each["customer"] == customer]
        return self.page(mine, params, f"/v1/customers/{customer}/payment_methods")

    @route("GET /v1/payment_methods")
    def method_list(self, params: Params) -> Object:
        customer = text(params, "customer")
        mine = [each for each in self.all("payment_method") if customer is not None and each["customer"] == customer]
        return self.page(mine, params, "/v1/payment_methods")

    @route("POST /v1/payment_methods/{payment_method}/attach")
    def method_attach(self, params: Params, id: str) -> Object:  # noqa: A002
        method = self.method(id)
        self.attach(method, self.customer(needed(params, "customer"), "customer")["id"])
        return method

    @route("POST /v1/payment_methods/{payment_method}/detach")
    def method_detach(self, params: Params, id: str) -> Object:  # noqa: A002
        method = self.get("payment_method", id)
        if method["customer"] is None:
            raise StripeError(
                400, "The payment method you provided is not attached to a customer so detachment is impossible."
            )
        self._detach(method)
        return method

    # What happens to cards by themselves

    def card_becomes(self, payment_method: str, card: Card) -> None:
        """From the next try on, a stored card does what another one does."""
        with self.lock:
            self.card_of[payment_method] = card
            self.tries[payment_method] = 0

    def card_renewed(self, payment_method: str, *, years: int = 4) -> None:
        """The bank told Stripe a card's new date."""
        with self.lock:
            self.tick()
            method = self.objects[payment_method]
            before = {"card": {"exp_year": method["card"]["exp_year"]}}
            method["card"]["exp_year"] += years
            self.emit("payment_method.automatically_updated", method, before=before)

    def card_detached(self, payment_method: str) -> None:
        """The operator removes a card in the dashboard."""
        with self.lock:
            self.tick()
            self._detach(self.objects[payment_method])

    def gives_card(self, card: Card = cards.PAYS, person: int | None = None) -> tuple[str, str]:
        """A customer with a stored card (customer, payment method), for tests about something else."""
        with self.lock:
            metadata = {} if person is None else {self.names.person: str(person)}
            customer = self.customer_create({"metadata": metadata})
            method = self.new_method(card)
            self.attach(method, customer["id"])
            return customer["id"], method["id"]
