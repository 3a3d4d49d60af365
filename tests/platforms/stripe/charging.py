"""Charges: what a bank's answer makes of a payment intent, and the charge and the money that come of it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.platforms.stripe.cards import Outcome
from tests.platforms.stripe.entering import Entering
from tests.platforms.stripe.errors import StripeError
from tests.platforms.stripe.world import Object

_AUTHENTICATION_FAILED = (
    "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new PaymentMethod "
    "to attempt to fulfill this PaymentIntent again."
)
_AUTHENTICATION_NEEDED = (
    "Your card was declined. This transaction requires authentication. Please check your card details and try again."
)


class Charging(Entering):
    """Tries of an intent: declined, waiting for the cardholder, processing, paid."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self._hard: dict[str, str] = {}
        """Payment methods that were declined for good, with the bank's word."""
        self._asked_bank: dict[str, Outcome] = {}
        """Intents that wait for their cardholder, with what the bank will say."""

    def attempt(self, intent: Object, method: Object, *, on_session: bool, back: str | None) -> Object | None:
        """Try to charge; None, or the error of the decline. The intent is where the try has brought it."""
        if method["id"] in self._hard:
            word = self._hard[method["id"]]
            self.lies.append(f"{method['id']} was declined for good ({word}) and was tried again by {intent['id']}")
        outcome = self.outcome(method)
        intent |= {"payment_method": method["id"], "next_action": None}
        if outcome.asks and not on_session:
            code = "authentication_required"
            return self._declined(intent, method, Outcome(code=code, decline=code, message=_AUTHENTICATION_NEEDED))
        if outcome.asks:
            self._asked_bank[intent["id"]] = outcome
            intent |= {
                "status": "requires_action",
                "next_action": {
                    "type": "redirect_to_url",
                    "redirect_to_url": {"url": f"{self.address}/bank/{intent['id']}", "return_url": back},
                },
            }
            self.emit("payment_intent.requires_action", intent)
            return None
        return self._banked(intent, method, outcome)

    def _banked(self, intent: Object, method: Object, outcome: Outcome) -> Object | None:
        if outcome.code is not None:
            return self._declined(intent, method, outcome)
        if outcome.waits:
            charge = self._charge(intent, method, status="pending")
            intent["status"] = "processing"
            self.emit("charge.pending", charge)
            self.emit("payment_intent.processing", intent)
            return None
        self._paid(intent, self._charge(intent, method, status="succeeded"), outcome)
        return None

    def _charge(self, intent: Object, method: Object, *, status: str) -> Object:
        charge = self.add(
            "charge",
            "ch",
            amount=intent["amount"],
            amount_captured=0,
            amount_refunded=0,
            application=None,
            application_fee=None,
            application_fee_amount=None,
            balance_transaction=None,
            billing_details=dict(method["billing_details"]),
            calculated_statement_descriptor=None,
            captured=status == "succeeded",
            currency=intent["currency"],
            customer=intent["customer"],
            description=intent["description"],
            disputed=False,
            failure_balance_transaction=None,
            failure_code=None,
            failure_message=None,
            fraud_details={},
            metadata=dict(intent["metadata"]),
            on_behalf_of=None,
            outcome={
                "advice_code": None,
                "network_advice_code": None,
                "network_decline_code": None,
                "network_status": "approved_by_network",
                "reason": None,
                "risk_level": "normal",
                "risk_score": 12,
                "seller_message": "Payment complete.",
                "type": "authorized",
            },
            paid=status == "succeeded",
            payment_intent=intent["id"],
            payment_method=method["id"],
            payment_method_details={
                "card": {
                    name: method["card"][name]
                    for name in ("brand", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4")
                },
                "type": "card",
            },
            receipt_email=None,
            receipt_number=None,
            receipt_url=None,
            refunded=False,
            review=None,
            shipping=None,
            source_transfer=None,
            statement_descriptor=None,
            statement_descriptor_suffix=intent["statement_descriptor_suffix"],
            status=status,
            transfer_data=None,
            transfer_group=intent["transfer_group"],
        )
        intent["latest_charge"] = charge["id"]
        return charge

    def _declined(self, intent: Object, method: Object, outcome: Outcome) -> Object:
        if outcome.hard:
            self._hard[method["id"]] = outcome.decline or "do_not_try_again"
        charge = self._charge(intent, method, status="failed")
        charge |= {"failure_code": outcome.code, "failure_message": outcome.message}
        charge["outcome"] |= {
            "advice_code": outcome.advice,
            "network_decline_code": "51" if outcome.decline == "insufficient_funds" else "05",
            "network_status": "declined_by_network",
            "reason": outcome.decline or outcome.code,
            "seller_message": "The bank did not return any further details with this decline.",
            "type": "issuer_declined",
        }
        error = StripeError(402, outcome.message, type="card_error", code=outcome.code, charge=charge["id"]).error
        if outcome.decline is not None:
            error["decline_code"] = outcome.decline
        if outcome.advice is not None:
            error["advice_code"] = outcome.advice
        error["network_decline_code"] = charge["outcome"]["network_decline_code"]
        error["payment_method"] = self.shown(method)
        self._failed(intent, error)
        self.emit("charge.failed", charge)
        self.emit("payment_intent.payment_failed", intent)
        return error

    def _failed(self, intent: Object, error: Object) -> None:
        intent |= {
            "status": "requires_payment_method",
            "payment_method": None,
            "next_action": None,
            "last_payment_error": error,
        }

    def _paid(self, intent: Object, charge: Object, outcome: Outcome) -> None:
        amount = charge["amount"]
        charge |= {"status": "succeeded", "paid": True, "captured": True, "amount_captured": amount}
        money = self.moved(
            "charge", amount, charge["id"], fee=self.card_fee(amount), later=self.available_after, about=None
        )
        intent |= {
            "status": "succeeded",
            "amount_received": amount,
            "last_payment_error": None,
            "next_action": None,
        }
        self.emit("charge.succeeded", charge)
        self.emit("payment_intent.succeeded", intent)
        self._once(intent)

        def captured() -> None:
            # Captured asynchronously (the default): the charge learns of its money a moment later.
            charge["balance_transaction"] = money["id"]
            self.emit("charge.updated", charge, before={"balance_transaction": None})
            if outcome.then == "warning":
                self.warning(charge["id"])
            elif outcome.then == "dispute":
                self.dispute(charge["id"])

        self.soon(captured)

    def _once(self, intent: Object) -> None:
        statement = intent["metadata"].get(self.names.statement)
        if statement is None:
            return
        paid = [each["id"] for each in self.intents_of(statement) if each["status"] in ("succeeded", "processing")]
        if len(paid) > 1:
            self.lies.append(f"statement {statement} was charged {len(paid)} times: {', '.join(paid)}")

    def intents_of(self, statement: object) -> list[Object]:
        """The intents of a statement, by their metadata."""
        wanted = str(statement)
        return [each for each in self.all("payment_intent") if each["metadata"].get(self.names.statement) == wanted]

    def warning(self, of: str) -> str:
        """An early fraud warning about a charge; `Disputing` makes it."""
        raise NotImplementedError

    def dispute(self, of: str, amount: int | None = None, reason: str = "fraudulent") -> str:
        """A cardholder disputes a charge; `Disputing` makes it."""
        raise NotImplementedError

    # The cardholder at the bank

    def intent_at(self, told: str) -> Object:
        """An intent by its id or by the address of the bank's page."""
        return self.objects[urlsplit(told).path.rsplit("/", 1)[-1]]

    def person_authenticates(self, intent: str, *, passes: bool | None = None) -> str:
        """A cardholder answers the bank (by the page's address or the intent's id); where they are sent back to.

        ``passes`` None: as the card says.
        """
        with self.lock:
            self.tick()
            made = self.intent_at(intent)
            outcome = self._asked_bank.pop(made["id"], None)
            if outcome is None or made["status"] != "requires_action":
                raise StripeError(400, f"{made['id']} doesn't wait for its cardholder: {made['status']}")
            back = made["next_action"]["redirect_to_url"]["return_url"]
            method = self.objects[made["payment_method"]]
            if outcome.authenticated if passes is None else passes:
                made |= {"next_action": None}
                self._banked(made, method, outcome)
            else:
                code = "payment_intent_authentication_failure"
                error = StripeError(400, _AUTHENTICATION_FAILED, code=code).error
                self._failed(made, error | {"payment_method": self.shown(method)})
                self.emit("payment_intent.payment_failed", made)
            told = {
                "payment_intent": made["id"],
                "payment_intent_client_secret": made["client_secret"],
                "redirect_status": "failed" if made["status"] == "requires_payment_method" else "succeeded",
            }
            return f"{back}{'&' if '?' in back else '?'}{urlencode(told)}"

    def settles(self, intent: str, *, ok: bool = True) -> None:
        """What was processing is paid, or declined after all."""
        with self.lock:
            self.tick()
            made = self.objects[intent]
            assert made["status"] == "processing", made["status"]
            charge = self.objects[made["latest_charge"]]
            if ok:
                self._paid(made, charge, Outcome())
                return
            charge |= {
                "status": "failed",
                "failure_code": "card_declined",
                "failure_message": "Your card was declined.",
            }
            error = StripeError(402, "Your card was declined.", type="card_error", code="card_declined").error
            method = self.shown(self.objects[made["payment_method"]])
            self._failed(
                made, error | {"decline_code": "generic_decline", "charge": charge["id"], "payment_method": method}
            )
            self.emit("charge.failed", charge)
            self.emit("payment_intent.payment_failed", made)
