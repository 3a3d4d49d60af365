"""Money that goes back to patrons: refunds that the hub asks for, disputes and fraud warnings that it hears of."""

from __future__ import annotations

from typing import Any, Literal

from core.payments import counterparts
from core.payments.gateway import Done, Outcome, RefundRequest, Refused
from core.payments.states import DisputeState, RefundState, WarningState
from core.payments.stripe.client import Trouble
from core.payments.stripe.desk import Desk, name_of, noted, unanswered, unknown, when

_STATES: dict[str, Literal["pending", "succeeded", "failed"]] = {
    "succeeded": "succeeded",
    "failed": "failed",
    "canceled": "failed",
}
_OVER = frozenset({"lost", "won", "warning_closed", "prevented"})
_NEVER = {
    "charge_already_refunded": "all of it was given back already",
    "charge_disputed": "the patron's bank is asking for it back already",
    "charge_not_refundable": "the charge cannot be given back",
    "refund_disputed_payment": "the patron's bank is asking for it back already",
}
_REFUSED_WORDS = {
    "expired_or_canceled_card": "the card is closed",
    "lost_or_stolen_card": "the card is closed",
}


def refund(desk: Desk, request: RefundRequest) -> Outcome:
    """Give back; one that may have been asked for is looked for first (keys are forgotten after 24 hours)."""
    with desk.db.reading() as tx:
        intent = counterparts.name(tx, "intent", request.statement_id)
    if intent is None:
        return Refused("nothing was collected under this statement at Stripe", final=True)
    try:
        if request.asked_before and (there := _given(desk, request, intent)) is not None:
            return there
        try:
            made = _give(desk, request, intent)
        except Trouble as trouble:
            if trouble.kind in ("broken", "mismatch"):
                return _given(desk, request, intent) or unknown(trouble)
            return _refused(trouble)
        return Done(str(made["id"]))
    except Trouble as trouble:
        return unknown(trouble)


def _give(desk: Desk, request: RefundRequest, intent: str) -> dict[str, Any]:
    return desk.stripe.ask(
        lambda api: api.v1.refunds.create(
            {
                "payment_intent": intent,
                "amount": request.amount_minor,
                # "fraudulent" also keeps the card from ever being used with this hub again.
                "reason": "fraudulent" if request.reason == "fraud" else "requested_by_customer",
                "metadata": desk.notes(statement=request.statement_id, number=request.number),
            },
            {"idempotency_key": request.key},
        )
    )


def _given(desk: Desk, request: RefundRequest, intent: str) -> Done | None:
    """This very refund, if Stripe has it, whatever has become of it: what came back later is looked at on its own."""
    for each in desk.stripe.pages(lambda api, params: api.v1.refunds.list(params), {"payment_intent": intent}):
        if (noted(each, "statement"), noted(each, "number")) == (request.statement_id, request.number):
            return Done(str(each["id"]))
    return None


def _refused(trouble: Trouble) -> Outcome:
    if trouble.code in _NEVER:
        return Refused(_NEVER[trouble.code], final=True)
    if trouble.code in ("balance_insufficient", "insufficient_funds"):
        return Refused("there is not enough available at Stripe yet", passes=True)
    if trouble.kind in ("refused", "missing", "declined"):
        return Refused(f"Stripe does not give it back: {trouble.message}", final=trouble.kind == "missing")
    return unknown(trouble)


def look_at_refund(desk: Desk, reference: str) -> RefundState | None:
    """A refund, whoever made it."""
    refund = _ask(desk, "refund", reference)
    if refund is None:
        return None
    why = refund.get("failure_reason")
    return RefundState(
        reference=reference,
        intent=name_of(refund.get("payment_intent")),
        amount_minor=int(refund.get("amount") or 0),
        state=_STATES.get(str(refund.get("status")), "pending"),
        reason=_REFUSED_WORDS.get(why, "the bank did not take it") if why else None,
    )


def look_at_dispute(desk: Desk, reference: str) -> DisputeState | None:
    """A dispute, with what it has taken so far: the sum of its balance transactions, without their fees."""
    dispute = _ask(desk, "dispute", reference)
    if dispute is None:
        return None
    moved = sum(int(each.get("amount") or 0) for each in dispute.get("balance_transactions") or ())
    status = str(dispute.get("status"))
    return DisputeState(
        reference=reference,
        intent=name_of(dispute.get("payment_intent")),
        amount_minor=int(dispute.get("amount") or 0),
        taken_minor=-moved,
        status=status,
        reason=str(dispute.get("reason") or ""),
        answer_by=when((dispute.get("evidence_details") or {}).get("due_by")),
        closed=status in _OVER,
    )


def look_at_warning(desk: Desk, reference: str) -> WarningState | None:
    """An early fraud warning."""
    warning = _ask(desk, "warning", reference)
    if warning is None:
        return None
    return WarningState(
        reference=reference, intent=name_of(warning.get("payment_intent")), actionable=bool(warning.get("actionable"))
    )


def _ask(desk: Desk, what: Literal["refund", "dispute", "warning"], reference: str) -> dict[str, Any] | None:
    try:
        match what:
            case "refund":
                return desk.stripe.ask(lambda api: api.v1.refunds.retrieve(reference))
            case "dispute":
                return desk.stripe.ask(lambda api: api.v1.disputes.retrieve(reference))
            case "warning":
                return desk.stripe.ask(lambda api: api.v1.radar.early_fraud_warnings.retrieve(reference))
    except Trouble as trouble:
        if trouble.kind == "missing":
            return None
        raise unanswered(trouble) from None
