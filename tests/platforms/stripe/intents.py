"""Payment intents: the machine of their states, as strict as the real one; an intent succeeds once or never."""

from __future__ import annotations

import re
from typing import Any

from tests.platforms.stripe.charging import Charging
from tests.platforms.stripe.errors import StripeError, malformed, parameter_missing, unexpected_state
from tests.platforms.stripe.forms import Params, flag, inside, needed, number, several, text
from tests.platforms.stripe.routing import route
from tests.platforms.stripe.world import Object

_SUFFIX = re.compile(r"(?=.*[A-Za-z])[^<>\\'\"*]{1,22}")
_LEAST = 50
_MOST = 99_999_999
_CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
_REDIRECTS = (
    "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some of these "
    "payment methods might redirect your customer off of your page, you must provide a `return_url`. If you don't want "
    "to accept redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` and "
    "`automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and Payment Intents."
)
_CLAUSE = re.compile(r"""\s*(-?)(\w+)(?:\[["'](.+?)["']\])?:["'](.*?)["']\s*""")


class Intents(Charging):
    """What is to be collected."""

    search_lag = 60
    """Seconds until an object is found by searching."""

    def _amount(self, params: Params) -> int:
        amount = number(params, "amount")
        if amount is None:
            raise parameter_missing("amount")
        if amount < _LEAST:
            raise StripeError(
                400,
                f"Amount must be at least {_LEAST / 100:.2f} {self.currency}",
                code="amount_too_small",
                param="amount",
            )
        if amount > _MOST:
            raise StripeError(400, "Amount must be no more than 999,999.99", code="amount_too_large", param="amount")
        return amount

    def _suffix(self, params: Params) -> str | None:
        suffix = text(params, "statement_descriptor_suffix")
        if suffix is not None and not _SUFFIX.fullmatch(suffix):
            raise malformed(
                "The statement descriptor suffix must have at least one letter, at most 22 characters, and none of "
                "< > \\ ' \" *.",
                "statement_descriptor_suffix",
            )
        return suffix

    @route("POST /v1/payment_intents")
    def intent_create(self, params: Params) -> Object:
        amount, currency = self._amount(params), needed(params, "currency")
        if currency != currency.lower() or currency != self.currency:
            raise malformed(f"Invalid currency: {currency}.", "currency")
        confirm = flag(params, "confirm")
        if not confirm:
            for only in ("off_session", "return_url", "error_on_requires_action", "mandate_data"):
                if only in params:
                    raise malformed(f"`{only}` can only be used with `confirm=true`.", only)
        customer, method = text(params, "customer"), text(params, "payment_method")
        if customer is not None:
            self.customer(customer, "customer")
        if method is not None:
            found = self.method(method)
            self.usable(found, customer)
            method = found["id"]
        automatic = inside(params, "automatic_payment_methods")
        types = several(params, "allowed_payment_method_types")
        made = self.add(
            "payment_intent",
            "pi",
            amount=amount,
            amount_capturable=0,
            amount_details={"tip": {}},
            amount_received=0,
            application=None,
            application_fee_amount=None,
            automatic_payment_methods=None
            if types
            else {"allow_redirects": automatic.get("allow_redirects", "always"), "enabled": True},
            canceled_at=None,
            cancellation_reason=None,
            capture_method=text(params, "capture_method") or "automatic_async",
            confirmation_method=text(params, "confirmation_method") or "automatic",
            currency=currency,
            customer=customer,
            description=text(params, "description"),
            last_payment_error=None,
            latest_charge=None,
            metadata={},
            next_action=None,
            on_behalf_of=None,
            payment_method=method,
            payment_method_options={"card": {"installments": None, "request_three_d_secure": "automatic"}},
            payment_method_types=types or ["card"],
            processing=None,
            receipt_email=text(params, "receipt_email"),
            review=None,
            setup_future_usage=text(params, "setup_future_usage"),
            shipping=None,
            source=None,
            statement_descriptor=text(params, "statement_descriptor"),
            statement_descriptor_suffix=self._suffix(params),
            status="requires_confirmation" if method else "requires_payment_method",
            transfer_data=None,
            transfer_group=text(params, "transfer_group"),
        )
        if types:
            made["allowed_payment_method_types"] = types
        made["client_secret"] = f"{made['id']}_secret_fake"
        self.noted(made, params)
        self.emit("payment_intent.created", made)
        return self._confirm(made, params) if confirm else made

    @route("GET /v1/payment_intents/{intent}")
    def intent_retrieve(self, params: Params, id: str) -> Object:  # noqa: A002
        return self.get("payment_intent", id, param="intent")

    @route("GET /v1/payment_intents")
    def intent_list(self, params: Params) -> Object:
        customer = text(params, "customer")
        found = [each for each in self.all("payment_intent") if customer in (None, each["customer"])]
        return self.page(found, params, "/v1/payment_intents")

    @route("GET /v1/payment_intents/search")
    def intent_search(self, params: Params) -> Object:
        """Searching lags behind: what is younger than `search_lag` isn't found."""
        query = needed(params, "query")
        if " OR " in query and " AND " in query:
            raise malformed("We were unable to parse your search query.", "query")
        clauses = [_CLAUSE.fullmatch(each) for each in re.split(" AND | OR ", query)]
        if None in clauses:
            raise malformed("We were unable to parse your search query.", "query")
        every = any if " OR " in query else all
        found = []
        for each in self.all("payment_intent"):
            hits = []
            for clause in clauses:
                assert clause is not None
                value = each.get(clause[2]) if clause[3] is None else each["metadata"].get(clause[3])
                hits.append((value == clause[4]) != bool(clause[1]))
            if every(hits) and each["created"] + self.search_lag <= self.now():
                found.append(each)
        limit = number(params, "limit") or 10
        at = number(params, "page") or 0
        page = list(reversed(found))[at : at + limit]
        more = len(found) > at + limit
        return {
            "object": "search_result",
            "data": [self.shown(each) for each in page],
            "has_more": more,
            "next_page": str(at + limit) if more else None,
            "url": "/v1/payment_intents/search",
        }

    @route("POST /v1/payment_intents/{intent}")
    def intent_update(self, params: Params, id: str) -> Object:  # noqa: A002
        made = self.get("payment_intent", id, param="intent")
        money = {"amount", "currency", "customer", "payment_method", "transfer_group"} & params.keys()
        if money and made["status"] in ("succeeded", "canceled", "processing"):
            raise unexpected_state(
                f"This PaymentIntent's {sorted(money)[0]} could not be updated because it has a status of "
                f"{made['status']}. You may only update it before it succeeds.",
                self.shown(made),
            )
        if "amount" in params:
            made["amount"] = self._amount(params)
        if "customer" in params:
            made["customer"] = self.customer(needed(params, "customer"), "customer")["id"]
        if text(params, "payment_method"):
            method = self.method(needed(params, "payment_method"))
            self.usable(method, made["customer"])
            made |= {"payment_method": method["id"], "status": "requires_confirmation", "next_action": None}
        if "statement_descriptor_suffix" in params:
            made["statement_descriptor_suffix"] = self._suffix(params)
        for name in ("description", "transfer_group", "receipt_email"):
            if name in params:
                made[name] = text(params, name)
        self.noted(made, params)
        return made

    @route("POST /v1/payment_intents/{intent}/confirm")
    def intent_confirm(self, params: Params, id: str) -> Object:  # noqa: A002
        return self._confirm(self.get("payment_intent", id, param="intent"), params)

    def _confirm(self, made: Object, params: Params) -> Object:
        status = made["status"]
        if status == "succeeded":
            raise unexpected_state(
                "You cannot confirm this PaymentIntent because it has already succeeded after being previously "
                "confirmed.",
                self.shown(made),
            )
        if status not in _CONFIRMABLE:
            raise unexpected_state(
                f"You cannot confirm this PaymentIntent because it has a status of {status}. Only a PaymentIntent with "
                "one of the following statuses may be confirmed: requires_confirmation, requires_action.",
                self.shown(made),
            )
        told = text(params, "payment_method") or made["payment_method"]
        if told is None:
            raise unexpected_state(
                "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update "
                "the PaymentIntent with a payment method and then confirm it again, or confirm it again directly with "
                "a payment method or ConfirmationToken.",
                self.shown(made),
            )
        method = self.method(told)
        self.usable(method, made["customer"])
        off_session = params.get("off_session") not in (None, "", False, "false")
        back, automatic = text(params, "return_url"), made["automatic_payment_methods"]
        if back is None and not off_session and automatic and automatic["allow_redirects"] != "never":
            raise malformed(_REDIRECTS, "return_url")
        strict = flag(params, "error_on_requires_action")
        error = self.attempt(made, method, on_session=not (off_session or strict), back=back)
        if error is not None:
            raise StripeError(402, error["message"], **{**_named(error), "payment_intent": self.shown(made)})
        return made

    @route("POST /v1/payment_intents/{intent}/cancel")
    def intent_cancel(self, params: Params, id: str) -> Object:  # noqa: A002
        made = self.get("payment_intent", id, param="intent")
        if made["status"] not in (*_CONFIRMABLE, "requires_capture"):
            raise unexpected_state(
                f"You cannot cancel this PaymentIntent because it has a status of {made['status']}. Only a "
                "PaymentIntent with one of the following statuses may be canceled: requires_payment_method, "
                "requires_capture, requires_confirmation, requires_action.",
                self.shown(made),
            )
        made |= {
            "status": "canceled",
            "canceled_at": self.now(),
            "cancellation_reason": text(params, "cancellation_reason"),
            "next_action": None,
        }
        self.emit("payment_intent.canceled", made)
        return made

    @route("GET /v1/charges/{charge}")
    def charge_retrieve(self, params: Params, id: str) -> Object:  # noqa: A002
        return self.get("charge", id)

    @route("GET /v1/charges")
    def charge_list(self, params: Params) -> Object:
        intent, customer = text(params, "payment_intent"), text(params, "customer")
        group = text(params, "transfer_group")
        found = [
            each
            for each in self.all("charge")
            if intent in (None, each["payment_intent"])
            and customer in (None, each["customer"])
            and group in (None, each["transfer_group"])
        ]
        return self.page(found, params, "/v1/charges")


def _named(error: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in error.items() if name not in ("message", "doc_url")}
