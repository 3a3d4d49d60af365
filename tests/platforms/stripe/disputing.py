"""Disputes and early fraud warnings: what cardholders and their banks bring about."""

from __future__ import annotations

from typing import Any

from tests.platforms.stripe.balances import DAY
from tests.platforms.stripe.errors import StripeError
from tests.platforms.stripe.forms import Params, flag, text
from tests.platforms.stripe.refunding import Refunding
from tests.platforms.stripe.routing import route
from tests.platforms.stripe.world import Object

OPEN = ("needs_response", "under_review", "warning_needs_response", "warning_under_review")


class Disputing(Refunding):
    """Money that a bank takes back."""

    def dispute(self, of: str, amount: int | None = None, reason: str = "fraudulent") -> str:
        """A cardholder disputes a charge (or an intent's): its money and a fee are withdrawn."""
        with self.lock:
            self.tick()
            made = self._dispute(of, amount, reason, status="needs_response")
            self.emit("charge.dispute.created", made)
            self._withdraw(made)
            self.emit("charge.dispute.funds_withdrawn", made)
            return str(made["id"])

    def inquiry(self, of: str, amount: int | None = None, reason: str = "general") -> str:
        """The bank only asks for now: no money moves, until `inquiry_escalates` (or `dispute_closes`)."""
        with self.lock:
            self.tick()
            made = self._dispute(of, amount, reason, status="warning_needs_response")
            self.emit("charge.dispute.created", made)
            return str(made["id"])

    def inquiry_escalates(self, dispute: str) -> None:
        """An inquiry becomes a dispute with money."""
        with self.lock:
            self.tick()
            made = self.objects[dispute]
            before = {"status": made["status"]}
            made["status"] = "needs_response"
            self._withdraw(made)
            self.emit("charge.dispute.funds_withdrawn", made)
            self.emit("charge.dispute.updated", made, before=before)

    def inquiry_closes(self, dispute: str) -> None:
        """An inquiry ends without anything."""
        with self.lock:
            self.tick()
            made = self.objects[dispute]
            made["status"] = "warning_closed"
            self.objects[made["charge"]]["disputed"] = False
            self.emit("charge.dispute.closed", made)

    def _dispute(self, of: str, amount: int | None, reason: str, *, status: str) -> Object:
        charge = self.charge_of(of)
        assert charge["status"] == "succeeded", charge["status"]
        for other in self.all("radar.early_fraud_warning"):
            if other["charge"] == charge["id"]:
                other["actionable"] = False
        made = self.add(
            "dispute",
            "dp",
            _moves=[],
            amount=charge["amount"] if amount is None else amount,
            charge=charge["id"],
            currency=charge["currency"],
            enhanced_eligibility_types=[],
            evidence={"enhanced_evidence": {}},
            evidence_details={
                "due_by": self.now() + 9 * DAY,
                "enhanced_eligibility": {},
                "has_evidence": False,
                "past_due": False,
                "submission_count": 0,
                "submission_method": "not_submitted",
            },
            is_charge_refundable=status.startswith("warning"),
            metadata={},
            network_reason_code="83",
            payment_intent=charge["payment_intent"],
            payment_method_details={
                "card": {"brand": "visa", "case_type": "chargeback", "network": "visa", "network_reason_code": "83"},
                "type": "card",
            },
            reason=reason,
            status=status,
        )
        charge["disputed"] = True
        return made

    def _withdraw(self, made: Object) -> None:
        about = f"Chargeback withdrawal for {made['charge']}"
        move = self.moved(
            "adjustment", -made["amount"], made["id"], fee=self.dispute_fee, category="dispute", about=about
        )
        made["_moves"].append(move["id"])
        made["is_charge_refundable"] = False

    def dispute_won(self, dispute: str) -> None:
        """The bank finds for the operator: the money comes back."""
        with self.lock:
            self.tick()
            made = self.objects[dispute]
            assert made["status"] in OPEN, made["status"]
            made["status"] = "won"
            self.emit("charge.dispute.closed", made)
            fee = -self.dispute_fee if self.dispute_fee_returned else 0
            about = f"Chargeback reversal for {made['charge']}"
            move = self.moved(
                "adjustment", made["amount"], made["id"], fee=fee, category="dispute_reversal", about=about
            )
            made["_moves"].append(move["id"])
            self.emit("charge.dispute.funds_reinstated", made)

    def dispute_lost(self, dispute: str) -> None:
        """The bank finds for the cardholder: what is gone stays gone."""
        with self.lock:
            self.tick()
            made = self.objects[dispute]
            assert made["status"] in OPEN, made["status"]
            made["status"] = "lost"
            self.emit("charge.dispute.closed", made)

    def complete(self, made: Object, shown: Object) -> None:
        """A dispute shows its movements in full."""
        super().complete(made, shown)
        if made["object"] == "dispute":
            shown["balance_transactions"] = [self.shown(self.objects[each]) for each in made["_moves"]]

    @route("GET /v1/disputes/{dispute}")
    def dispute_retrieve(self, params: Params, id: str) -> Object:  # noqa: A002
        return self.get("dispute", id)

    @route("GET /v1/disputes")
    def dispute_list(self, params: Params) -> Object:
        intent, charge = text(params, "payment_intent"), text(params, "charge")
        found = [
            each
            for each in self.all("dispute")
            if intent in (None, each["payment_intent"]) and charge in (None, each["charge"])
        ]
        return self.page(found, params, "/v1/disputes")

    @route("POST /v1/disputes/{dispute}")
    def dispute_update(self, params: Params, id: str) -> Object:  # noqa: A002
        made = self.get("dispute", id)
        if made["status"] not in OPEN:
            raise StripeError(400, f"This dispute is already closed: {made['status']}.")
        evidence: dict[str, Any] = params.get("evidence") or {}
        made["evidence"] |= evidence
        made["evidence_details"]["has_evidence"] = bool(evidence) or made["evidence_details"]["has_evidence"]
        self.noted(made, params)
        before = {"status": made["status"]}
        if flag(params, "submit"):
            made["evidence_details"] |= {"submission_count": 1, "submission_method": "manual"}
            made["status"] = "under_review"
        self.emit("charge.dispute.updated", made, before=before)
        return made

    @route("POST /v1/disputes/{dispute}/close")
    def dispute_close(self, params: Params, id: str) -> Object:  # noqa: A002
        self.get("dispute", id)
        self.dispute_lost(id)
        return self.objects[id]

    # Early fraud warnings

    def warning(self, of: str) -> str:
        """The card's network warns that a charge is likely fraud."""
        with self.lock:
            self.tick()
            charge = self.charge_of(of)
            made = self.add(
                "radar.early_fraud_warning",
                "issfr",
                actionable=not charge["refunded"] and not charge["disputed"],
                charge=charge["id"],
                fraud_type="unauthorized_use_of_card",
                payment_intent=charge["payment_intent"],
            )
            self.emit("radar.early_fraud_warning.created", made)
            return str(made["id"])

    @route("GET /v1/radar/early_fraud_warnings/{early_fraud_warning}")
    def warning_retrieve(self, params: Params, id: str) -> Object:  # noqa: A002
        return self.get("radar.early_fraud_warning", id)

    @route("GET /v1/radar/early_fraud_warnings")
    def warning_list(self, params: Params) -> Object:
        intent, charge = text(params, "payment_intent"), text(params, "charge")
        found = [
            each
            for each in self.all("radar.early_fraud_warning")
            if intent in (None, each["payment_intent"]) and charge in (None, each["charge"])
        ]
        return self.page(found, params, "/v1/radar/early_fraud_warnings")
