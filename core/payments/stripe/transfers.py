"""Sends creators their money, takes it back where it is still there, and knows what can be sent at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.payments.gateway import Done, Outcome, Refused, TransferRequest
from core.payments.states import TransferState
from core.payments.stripe.client import Trouble
from core.payments.stripe.desk import Desk, name_of, noted, unanswered, unknown

_NO_ACCOUNT = Refused("the creator has no account at Stripe yet")
_ACCOUNT_TROUBLE = frozenset(
    (
        "account_closed", "account_invalid", "account_number_invalid", "insufficient_capabilities_for_transfer",
        "payouts_not_allowed", "transfers_not_allowed",
    )
)  # fmt: skip
_LOOK_AGAIN = ("broken", "mismatch")


def transfer(desk: Desk, request: TransferRequest) -> Outcome:
    """Send one payout; one that may have been asked for is looked for first (keys are forgotten after 24 hours)."""
    if not request.destination:
        return _NO_ACCOUNT
    try:
        if request.asked_before and (there := _sent(desk, request)) is not None:
            return there
        try:
            made = _send(desk, request, request.destination)
        except Trouble as trouble:
            if trouble.kind in _LOOK_AGAIN:
                return _sent(desk, request) or unknown(trouble)
            return _refused(trouble)
        return Done(str(made["id"]))
    except Trouble as trouble:
        return unknown(trouble)


def _send(desk: Desk, request: TransferRequest, destination: str) -> Mapping[str, Any]:
    return desk.stripe.ask(
        lambda api: api.v1.transfers.create(
            {
                "amount": request.amount_minor,
                "currency": request.currency.lower(),
                "destination": destination,
                "description": f"{desk.descriptor} payout {request.payout_id}",
                "transfer_group": _group(request.payout_id),
                "metadata": desk.notes(payout=request.payout_id, attempt=request.attempt),
            },
            {"idempotency_key": request.key},
        )
    )


def _sent(desk: Desk, request: TransferRequest) -> Done | None:
    """The transfer of this very attempt, if Stripe has it."""
    group = {"transfer_group": _group(request.payout_id)}
    for each in desk.stripe.pages(lambda api, params: api.v1.transfers.list(params), group):
        if (noted(each, "payout"), noted(each, "attempt")) == (request.payout_id, request.attempt):
            return Done(str(each["id"]))
    return None


def _group(payout_id: int) -> str:
    return f"payout-{payout_id}"


def _refused(trouble: Trouble) -> Outcome:
    """What a refusal to send means: wait for money, give up on this account, or no answer at all."""
    if trouble.code == "balance_insufficient":
        return Refused("there is not enough available at Stripe yet", passes=True)
    if trouble.code in _ACCOUNT_TROUBLE or trouble.kind == "missing" or trouble.param == "destination":
        return Refused("the creator's account at Stripe cannot receive money at present", final=True)
    if trouble.kind in ("refused", "declined"):
        return Refused(f"Stripe does not send it: {trouble.message}")
    return unknown(trouble)


def reverse(desk: Desk, transfer_id: str, amount_minor: int, key: str) -> Outcome:
    """Take back what is still there: never more than the creator's available balance, so nobody gets into debt."""
    try:
        if (there := _reversed(desk, transfer_id, key)) is not None:
            return there
        sent = desk.stripe.ask(lambda api: api.v1.transfers.retrieve(transfer_id))
        account = name_of(sent.get("destination")) or ""
        balance = desk.stripe.ask(lambda api: api.v1.balance.retrieve(None, {"stripe_account": account}))
        covered = _available(balance, str(sent.get("currency")))
        if covered < amount_minor:
            return Refused(f"the creator's balance covers only {max(covered, 0)} of {amount_minor}", passes=True)
        try:
            made = desk.stripe.ask(
                lambda api: api.v1.transfers.reversals.create(
                    transfer_id,
                    {"amount": amount_minor, "metadata": desk.notes(key=key)},
                    {"idempotency_key": key},
                )
            )
        except Trouble as trouble:
            if trouble.kind in _LOOK_AGAIN:
                return _reversed(desk, transfer_id, key) or unknown(trouble)
            raise
        return Done(str(made["id"]))
    except Trouble as trouble:
        if trouble.kind in ("refused", "missing"):
            return Refused(f"Stripe does not take it back: {trouble.message}", final=trouble.kind == "missing")
        return unknown(trouble)


def _reversed(desk: Desk, transfer_id: str, key: str) -> Done | None:
    """The reversal that was asked for under this key, if Stripe has it."""
    back = desk.stripe.pages(lambda api, params: api.v1.transfers.reversals.list(transfer_id, params), {})
    there = next((each for each in back if (each.get("metadata") or {}).get("key") == key), None)
    return Done(str(there["id"])) if there else None


def look_at(desk: Desk, reference: str) -> TransferState | None:
    """A transfer with everything that was taken back of it, whoever did."""
    try:
        sent = desk.stripe.ask(lambda api: api.v1.transfers.retrieve(reference))
        first = sent.get("reversals") or {}
        back = list(first.get("data") or ())
        if first.get("has_more"):
            back = list(desk.stripe.pages(lambda api, params: api.v1.transfers.reversals.list(reference, params), {}))
    except Trouble as trouble:
        if trouble.kind == "missing":
            return None
        raise unanswered(trouble) from None
    return TransferState(
        reference=reference,
        payout_id=noted(sent, "payout"),
        attempt=noted(sent, "attempt") or 0,
        amount_minor=int(sent.get("amount") or 0),
        reversals=tuple((str(each["id"]), int(each.get("amount") or 0)) for each in back),
    )


def available_minor(desk: Desk, currency: str) -> int | None:
    """What Stripe lets the hub send now (below zero: as it is); None: it did not say."""
    try:
        return _available(desk.stripe.ask(lambda api: api.v1.balance.retrieve()), currency)
    except Trouble:
        return None


def _available(balance: Mapping[str, Any], currency: str) -> int:
    return sum(
        int(each.get("amount") or 0)
        for each in balance.get("available") or ()
        if str(each.get("currency")).lower() == currency.lower()
    )
