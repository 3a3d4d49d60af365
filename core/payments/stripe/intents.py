"""Collects statements: one PaymentIntent for each, kept before it is confirmed, looked at before it is asked again.

An intent can succeed only once, so that whatever is lost, repeated or late, a statement is never charged twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from core.payments import counterparts
from core.payments.gateway import ChargeRequest, Done, GivenUp, Outcome, Refused, Unknown
from core.payments.states import IntentState, Redirect
from core.payments.stripe import verdicts
from core.payments.stripe.client import Trouble
from core.payments.stripe.descriptors import statement_suffix
from core.payments.stripe.desk import Desk, name_of, noted, unanswered, unknown
from core.payments.stripe.verdicts import Intent
from core.periods import month_name

_LOOK_AGAIN = ("broken", "mismatch", "refused")
"""Troubles after which the object says more than the answer. A stored 500 is repeated for a day: only looking helps."""

_NONE = "none-"
"""Kept in the place of the intent of a statement that was given up before it had one."""

_NO_CARD = Refused("there is no card")
_CARD_GONE = Refused("the card cannot be used any more; it has to be entered again")


def charge(desk: Desk, request: ChargeRequest, at: datetime) -> Outcome:
    """Collect off session. An attempt that the patron began to confirm is only looked at, never made without them."""
    try:
        intent = _intent(desk, request, at)
        if isinstance(intent, Refused):
            return intent
        if (found := verdicts.found(desk, request, intent)) is not None:
            return found
        if request.on_session:
            return verdicts.UNFINISHED
        after = _confirm(desk, request, intent, {"off_session": True})
    except Trouble as trouble:
        return unknown(trouble)
    return verdicts.told(desk, request, after) if isinstance(after, Mapping) else after


def authenticate(desk: Desk, request: ChargeRequest, done: str, at: datetime) -> Redirect | Outcome:
    """Confirm on session; the way to the bank, where it asks for one. Unknown where no answer came."""
    request = replace(request, on_session=True)
    try:
        intent = _intent(desk, request, at)
        if isinstance(intent, Refused):
            return intent
        if intent.get("status") == "requires_action":
            if name_of(intent.get("payment_method")) == request.card_reference:
                return verdicts.way(intent) or verdicts.UNFINISHED
        elif (found := verdicts.found(desk, request, intent)) is not None:
            return found
        after = _confirm(desk, request, intent, {"return_url": done})
        if not isinstance(after, Mapping):
            return after
        # The answer may be a stored one, whose way to the bank was gone already: then the object says how it went.
        after = _look(desk, str(intent["id"]))
    except Trouble as trouble:
        return unknown(trouble)
    return verdicts.way(after) or verdicts.told(desk, request, after)


def give_up(desk: Desk, statement_id: int, at: datetime) -> GivenUp:
    """Cancel the intent. Where none was kept none was confirmed, and what is kept instead is that none ever may be:
    whoever is about to make one right now finds that out before they could confirm it."""
    with desk.db.transaction() as tx:
        reference = counterparts.keep(tx, "intent", statement_id, f"{_NONE}{statement_id}", at)
    if reference.startswith(_NONE):
        return Done("")
    try:
        if (over := verdicts.ended(_look(desk, reference))) is not None:
            return over
        # Cancelling twice does no harm, and a stored failure must not keep us from it for a day: a key of the second.
        key = f"pi-cancel-{statement_id}-{int(at.timestamp())}"
        try:
            intent: Intent = desk.stripe.ask(
                lambda api: api.v1.payment_intents.cancel(
                    reference, {"cancellation_reason": "abandoned"}, {"idempotency_key": key}
                )
            )
        except Trouble as trouble:
            if trouble.kind not in _LOOK_AGAIN:
                raise
            intent = _look(desk, reference)
        return verdicts.ended(intent) or Unknown(f"the charge cannot be cancelled while it is {intent.get('status')}")
    except Trouble as trouble:
        return Done("") if trouble.kind == "missing" else unknown(trouble)


def look_at(desk: Desk, reference: str) -> IntentState | None:
    """How collecting a statement stands; Unanswered if Stripe does not say."""
    try:
        intent = _look(desk, reference)
    except Trouble as trouble:
        if trouble.kind == "missing":
            return None
        raise unanswered(trouble) from None
    with desk.db.reading() as tx:
        owner = counterparts.owner(tx, "intent", reference)
    return verdicts.state(intent, owner)


def _intent(desk: Desk, request: ChargeRequest, at: datetime) -> Intent | Refused:
    """The statement's intent as it is now, made and kept if there is none yet."""
    with desk.db.reading() as tx:
        reference = counterparts.name(tx, "intent", request.statement_id)
    if reference is None:
        if not request.card_reference or not request.customer:
            return _NO_CARD
        made = _make(desk, request)
        if isinstance(made, Refused):
            return made
        with desk.db.transaction() as tx:
            reference = counterparts.keep(tx, "intent", request.statement_id, str(made["id"]), at)
        if reference.startswith(_NONE):
            return verdicts.OVER
        # Looked at again unless it is new: the answer may be a stored one, from before much happened.
        intent = made if reference == made["id"] and not made.get("latest_charge") else _look(desk, reference)
    elif reference.startswith(_NONE):
        return verdicts.OVER
    else:
        intent = _look(desk, reference)
    told = (intent.get("amount"), str(intent.get("currency")).upper())
    if told != (request.amount_minor, request.currency.upper()):
        raise Trouble(
            "mismatch", f"{reference} is over {told[0]} {told[1]}, not what statement {request.statement_id} is"
        )
    return intent


def _make(desk: Desk, request: ChargeRequest) -> Intent | Refused:
    """A new intent, unconfirmed: as it is, no money can move by it.

    Only cards: so no address to return to is needed while the patron is away, and one may be given when they are
    there (``allowed_payment_method_types`` excludes ``automatic_payment_methods``, whose redirects could be forbidden
    only for the intent as a whole).
    """
    month = month_name(request.month)
    try:
        return desk.stripe.ask(
            lambda api: api.v1.payment_intents.create(
                {
                    "amount": request.amount_minor,
                    "currency": request.currency.lower(),
                    "customer": str(request.customer),
                    "allowed_payment_method_types": ["card"],
                    "description": f"{desk.descriptor} {month}, statement {request.statement_id}",
                    "statement_descriptor_suffix": statement_suffix(desk.descriptor, request.month),
                    "transfer_group": month,
                    "metadata": desk.notes(statement=request.statement_id, month=month),
                },
                {"idempotency_key": f"pi-create-{request.statement_id}"},
            )
        )
    except Trouble as trouble:
        if trouble.kind in ("broken", "mismatch") and (there := _lost(desk, request)) is not None:
            return there
        if trouble.code in ("amount_too_small", "amount_too_large"):
            return Refused(f"Stripe does not take such an amount: {trouble.message}", final=True)
        if trouble.kind == "missing":
            return _CARD_GONE
        raise


def _lost(desk: Desk, request: ChargeRequest) -> Intent | None:
    """An intent of the statement whose making was not heard of: found by its note among its patron's."""
    theirs = desk.stripe.pages(lambda api, params: api.v1.payment_intents.list(params), {"customer": request.customer})
    return next((each for each in theirs if noted(each, "statement") == request.statement_id), None)


def _confirm(desk: Desk, request: ChargeRequest, intent: Intent, how: dict[str, Any]) -> Intent | Outcome:
    """The intent as this attempt's confirmation left it, or what became of the attempt."""
    reference, card, customer = str(intent["id"]), request.card_reference, request.customer
    if not card or not customer:
        return _NO_CARD
    wanted: Any = {"payment_method": card, **how}
    try:
        if name_of(intent.get("customer")) != customer:  # two people became one: the card is the other's
            desk.stripe.ask(
                lambda api: api.v1.payment_intents.update(
                    reference,
                    {"customer": customer},
                    {"idempotency_key": f"pi-customer-{request.statement_id}-{request.attempt}"},
                )
            )
        return desk.stripe.ask(
            lambda api: api.v1.payment_intents.confirm(
                reference,
                wanted,
                {"idempotency_key": request.key},
            )
        )
    except Trouble as trouble:
        if trouble.kind == "declined":
            return verdicts.declined(trouble)
        if trouble.kind not in (*_LOOK_AGAIN, "missing"):
            raise
        after = _look(desk, reference)
        if request.on_session and (verdicts.way(after) or trouble.kind == "mismatch"):
            return after  # confirmed under this key before, when the way back was another
        if (found := verdicts.found(desk, request, after)) is not None:
            return found
        # Stripe's refusals of a detached card have no code of their own, so the card itself is looked at.
        if trouble.kind in ("refused", "missing") and _gone(desk, card, customer):
            return _CARD_GONE
        raise


def _gone(desk: Desk, card: str, customer: str) -> bool:
    try:
        method = desk.stripe.ask(lambda api: api.v1.payment_methods.retrieve(card))
    except Trouble as trouble:
        if trouble.kind == "missing":
            return True
        raise
    return name_of(method.get("customer")) != customer


def _look(desk: Desk, reference: str) -> Intent:
    return desk.stripe.ask(lambda api: api.v1.payment_intents.retrieve(reference))
