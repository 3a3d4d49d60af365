"""Refunds: made, waiting for money, failing later."""

from __future__ import annotations

from tests.platforms.stripe.errors import StripeError, malformed, no_such, parameter_missing
from tests.platforms.stripe.forms import Params, number, text
from tests.platforms.stripe.intents import Intents
from tests.platforms.stripe.routing import route
from tests.platforms.stripe.world import Object


class Refunding(Intents):
    """Money that goes back to a card."""

    def charge_of(self, told: str) -> Object:
        """A charge by its id or its intent's."""
        found = self.objects.get(told)
        if found is not None and found["object"] == "payment_intent":
            if found["latest_charge"] is None:
                raise StripeError(400, f"This PaymentIntent ({told}) does not have a successful charge to refund.")
            found = self.objects[found["latest_charge"]]
        if found is None or found["object"] != "charge":
            raise no_such("charge", told, "charge")
        return found

    @route("POST /v1/refunds")
    def refund_create(self, params: Params) -> Object:
        intent, told = text(params, "payment_intent"), text(params, "charge")
        if intent is None and told is None:
            raise parameter_missing("payment_intent")
        if intent is not None:
            self.get("payment_intent", intent, param="payment_intent")
        charge = self.charge_of(intent or told or "")
        if charge["status"] != "succeeded":
            raise StripeError(
                400,
                f"This PaymentIntent ({charge['payment_intent']}) does not have a successful charge to refund."
                if intent
                else f"Charge {charge['id']} is not successful and cannot be refunded.",
            )
        if charge["disputed"]:
            raise StripeError(
                400, f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed"
            )
        left = charge["amount"] - charge["amount_refunded"]
        amount = number(params, "amount")
        if left == 0:
            raise StripeError(400, f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
        if amount is not None and amount < 1:
            raise malformed("Invalid positive integer", "amount", code="parameter_invalid_integer")
        if amount is not None and amount > left:
            raise StripeError(
                400,
                f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})",
                param="amount",
            )
        made = self.add(
            "refund",
            "re",
            bare=True,
            amount=left if amount is None else amount,
            balance_transaction=None,
            charge=charge["id"],
            currency=charge["currency"],
            destination_details={
                "card": {
                    "reference_status": "pending",
                    "reference_type": "acquirer_reference_number",
                    "type": "refund",
                },
                "type": "card",
            },
            metadata={},
            payment_intent=charge["payment_intent"],
            reason=text(params, "reason"),
            receipt_number=None,
            source_transfer_reversal=None,
            status="pending",
            transfer_reversal=None,
        )
        self.noted(made, params)
        before = charge["amount_refunded"]
        charge["amount_refunded"] += made["amount"]
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]
        if self.refunds_wait and made["amount"] > self.available:
            made["pending_reason"] = "insufficient_funds"
            self._waiting_refunds.append(made)
            self.emit("refund.created", made)
        else:
            self._refunded(made)
            self.emit("refund.created", made)
        self.emit("charge.refunded", charge, before={"amount_refunded": before})
        if charge["refunded"]:
            for warning in self.all("radar.early_fraud_warning"):
                if warning["charge"] == charge["id"] and warning["actionable"]:
                    warning["actionable"] = False
                    self.emit("radar.early_fraud_warning.updated", warning, before={"actionable": True})
        return made

    def _refunded(self, made: Object) -> None:
        made["balance_transaction"] = self.moved("refund", -made["amount"], made["id"])["id"]
        made["status"] = "succeeded"
        made.pop("pending_reason", None)

    def refund_covered(self, refund: Object) -> None:
        """A refund that waited for money is made."""
        self._refunded(refund)
        self.emit("refund.updated", refund, before={"status": "pending"})
        self.emit("charge.refund.updated", refund, before={"status": "pending"})

    @route("GET /v1/refunds/{refund}")
    def refund_retrieve(self, params: Params, id: str) -> Object:  # noqa: A002
        return self.get("refund", id)

    @route("POST /v1/refunds/{refund}")
    def refund_update(self, params: Params, id: str) -> Object:  # noqa: A002
        made = self.get("refund", id)
        self.noted(made, params)
        self.emit("refund.updated", made)
        return made

    @route("POST /v1/refunds/{refund}/cancel")
    def refund_cancel(self, params: Params, id: str) -> Object:  # noqa: A002
        made = self.get("refund", id)
        raise StripeError(400, f"The refund {id} can't be canceled because it has a status of {made['status']}.")

    @route("GET /v1/refunds")
    def refund_list(self, params: Params) -> Object:
        intent, charge = text(params, "payment_intent"), text(params, "charge")
        found = [
            each
            for each in self.all("refund")
            if intent in (None, each["payment_intent"]) and charge in (None, each["charge"])
        ]
        return self.page(found, params, "/v1/refunds")

    # What the operator and the banks do

    def refund_by_operator(self, of: str, amount: int | None = None) -> str:
        """The operator refunds an intent (or a charge) in the dashboard."""
        with self.lock:
            self.tick()
            told: Params = {"charge": self.charge_of(of)["id"], "reason": "requested_by_customer"}
            return str(self.refund_create(told if amount is None else told | {"amount": amount})["id"])

    def refund_fails(self, refund: str, *, reason: str = "lost_or_stolen_card", state: str = "failed") -> None:
        """The bank sends a refund back (or, ``state`` canceled, Stripe takes it back): the money is here again."""
        with self.lock:
            self.tick()
            made = self.objects[refund]
            assert made["status"] in ("succeeded", "pending"), made["status"]
            before = {"status": made["status"]}
            if made["balance_transaction"] is None:
                self._waiting_refunds.remove(made)
            else:
                back = self.moved("refund_failure", made["amount"], made["id"])
                made["failure_balance_transaction"] = back["id"]
            made |= {"status": state, "failure_reason": reason}
            charge = self.objects[made["charge"]]
            charge["amount_refunded"] -= made["amount"]
            charge["refunded"] = False
            if state == "failed":
                self.emit("refund.failed", made)
            self.emit("refund.updated", made, before=before)
            self.emit("charge.refund.updated", made, before=before)

    def virtual(self, shown: Object, name: str) -> bool:
        """A charge's refunds are there only when asked for."""
        if shown.get("object") == "charge" and name == "refunds":
            mine = [self.shown(each) for each in reversed(self.all("refund")) if each["charge"] == shown["id"]]
            url = f"/v1/charges/{shown['id']}/refunds"
            shown["refunds"] = {"object": "list", "data": mine, "has_more": False, "url": url}
            return True
        return super().virtual(shown, name)
