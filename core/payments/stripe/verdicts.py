"""Reads what an intent says: about one attempt, about being given up, and about the way to the patron's bank."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from sqlmodel import col, select

from core.months.tables import Charge
from core.payments.gateway import ChargeRequest, Done, GivenUp, Outcome, Refused, TooLate, Unknown
from core.payments.states import IntentState, Redirect
from core.payments.stripe import declines
from core.payments.stripe.client import Trouble
from core.payments.stripe.desk import Desk, name_of, noted

Intent = Mapping[str, Any]

UNFINISHED = Refused("the confirmation with the bank was not finished", authenticate=True)
OVER = Refused("the charge was given up", final=True)

_STATES: dict[str, Literal["open", "authenticating", "processing", "collected", "cancelled"]] = {
    "requires_payment_method": "open",
    "requires_confirmation": "open",
    "requires_action": "authenticating",
    "succeeded": "collected",
    "canceled": "cancelled",
}
"""Everything else is processing: it is Stripe's or the bank's turn."""


def told(desk: Desk, request: ChargeRequest, intent: Intent) -> Outcome:
    """What an intent says right after this attempt's confirmation: all of it is about this attempt."""
    return found(desk, request, intent, fresh=True) or Unknown(f"Stripe says {intent.get('status')}")


def found(desk: Desk, request: ChargeRequest, intent: Intent, *, fresh: bool = False) -> Outcome | None:
    """What the intent itself says about this attempt (``fresh``: no other); None: nothing, so it is to be confirmed."""
    match intent.get("status"):
        case "succeeded":
            return Done(name_of(intent.get("latest_charge")) or str(intent["id"]))
        case "processing":
            return Unknown("the bank has not answered yet")
        case "canceled":
            return OVER
        case "requires_action":
            return UNFINISHED if fresh or request.on_session else None
    error = intent.get("last_payment_error")
    if not error:
        return None
    refused = declines.refusal(error)
    if fresh or (refused.reference is not None and refused.reference not in _earlier(desk, request)):
        return refused
    return None


def _earlier(desk: Desk, request: ChargeRequest) -> frozenset[str]:
    """The failed tries of earlier attempts, by Stripe's ids: a failure that is none of them is this attempt's."""
    known = select(Charge.reference).where(
        Charge.statement_id == request.statement_id,
        Charge.attempt != request.attempt,
        col(Charge.reference).is_not(None),
    )
    with desk.db.reading() as tx:
        return frozenset(reference for reference in tx.exec(known) if reference)


def declined(trouble: Trouble) -> Refused:
    """The bank's no; where the error does not name the failed try, the intent that comes with it does."""
    intent = trouble.error.get("payment_intent")
    last = (intent.get("last_payment_error") if isinstance(intent, Mapping) else None) or {}
    return declines.refusal({"charge": last.get("charge"), **trouble.error})


def ended(intent: Intent) -> GivenUp | None:
    """What giving up comes to with an intent as it is; None: it can still be cancelled."""
    match intent.get("status"):
        case "succeeded":
            return TooLate(name_of(intent.get("latest_charge")) or str(intent["id"]))
        case "canceled":
            return Done(str(intent["id"]))
        case "processing":  # cannot be cancelled; the bank answers in the end
            return Unknown("the bank has not answered yet")
    return None


def way(intent: Intent) -> Redirect | None:
    """The way to the patron's bank; None: the intent does not wait for them."""
    action = intent.get("next_action") or {}
    address = (action.get("redirect_to_url") or {}).get("url")
    return Redirect(address) if intent.get("status") == "requires_action" and address else None


def state(intent: Intent, owner: int | None) -> IntentState:
    """How collecting stands; ``owner``: the statement whose intent this was kept as."""
    standing = _STATES.get(str(intent.get("status")), "processing")
    error = intent.get("last_payment_error")
    return IntentState(
        reference=str(intent["id"]),
        statement_id=noted(intent, "statement") if owner is None else owner,
        state=standing,
        charge=name_of(intent.get("latest_charge")),
        amount_minor=int(intent.get("amount_received" if standing == "collected" else "amount") or 0),
        failure=declines.refusal(error) if error and standing != "collected" else None,
    )
