"""Creators' accounts at Stripe: made on first need, finished on Stripe's pages, looked at for what they may receive."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from core.payments import counterparts
from core.payments.states import AccountState, BankPayoutState, Redirect
from core.payments.stripe.client import Trouble
from core.payments.stripe.desk import Desk, noted, unanswered

_BANK_STATES: dict[str, Literal["under way", "paid", "failed"]] = {
    "paid": "paid",
    "failed": "failed",
    "canceled": "failed",
}
_BANK_WORDS = {
    "account_closed": "the bank account is closed",
    "account_frozen": "the bank account is frozen",
    "bank_account_restricted": "the bank account does not take such payments",
    "declined": "the bank declined the payment",
    "incorrect_account_holder_name": "the name does not belong to the bank account",
    "invalid_account_number": "the bank account's number is wrong",
    "invalid_currency": "the bank account does not take this currency",
    "no_account": "there is no such bank account",
}


def onboard(desk: Desk, person_id: int, done: str, again: str, at: datetime) -> Redirect:
    """The way to Stripe's own pages, good once and for minutes; ``again``: where it leads when it is used up."""
    try:
        account, active = _account(desk, person_id, at)
        if active:
            try:
                return _link(desk, account, "account_update", done, again, at)
            except Trouble as trouble:
                if trouble.kind != "refused":  # Stripe keeps updates to itself for some accounts; onboarding is for all
                    raise
        return _link(desk, account, "account_onboarding", done, again, at)
    except Trouble as trouble:
        raise unanswered(trouble) from None


def _account(desk: Desk, person_id: int, at: datetime) -> tuple[str, bool]:
    """The person's account and whether money can be sent to it; a new one where there is none, or it was closed.

    Fees and losses are the hub's, not the creator's: so money.md's promise that nobody pays back out of pocket holds.
    """
    with desk.db.reading() as tx:
        known = counterparts.name(tx, "account", person_id)
    if known is not None and (there := _open(desk, known)) is not None:
        return known, _active(there)
    made = desk.stripe.ask(
        lambda api: api.v2.core.accounts.create(
            {
                "dashboard": "express",
                "configuration": {
                    "recipient": {"capabilities": {"stripe_balance": {"stripe_transfers": {"requested": True}}}}
                },
                "defaults": {"responsibilities": {"fees_collector": "application", "losses_collector": "application"}},
                "metadata": desk.notes(person=person_id),
                "include": ["configuration.recipient", "requirements"],
            },
            # A failure is not stored here: version 2 of the API tries again (docs.stripe.com/api-v2-overview).
            {"idempotency_key": f"acct-{person_id}" if known is None else f"acct-{person_id}-after-{known}"},
        )
    )
    with desk.db.transaction() as tx:
        if known is not None:
            counterparts.let_go(tx, "account", person_id, known)
        return counterparts.keep(tx, "account", person_id, str(made["id"]), at), _active(made)


def _open(desk: Desk, account: str) -> Mapping[str, Any] | None:
    """The account as it is; None: it was closed, or its owner ended their connection with the hub."""
    try:
        there = _look(desk, account)
    except Trouble as trouble:
        if trouble.code == "account_invalid" or trouble.kind == "missing":
            return None
        raise
    return None if there.get("closed") else there


def _link(
    desk: Desk,
    account: str,
    use: Literal["account_onboarding", "account_update"],
    done: str,
    again: str,
    at: datetime,
) -> Redirect:
    link = desk.stripe.ask(
        lambda api: api.v2.core.account_links.create(
            {
                "account": account,
                "use_case": (
                    {"type": "account_update", "account_update": {"return_url": done, "refresh_url": again}}
                    if use == "account_update"
                    else {"type": use, "account_onboarding": {"return_url": done, "refresh_url": again}}
                ),
            },
            {"idempotency_key": f"link-{account}-{use}-{int(at.timestamp() * 1000)}"},
        )
    )
    return Redirect(str(link["url"]))


def look_at(desk: Desk, reference: str) -> AccountState | None:
    """Whether money can be sent there: the capability says so, not that somebody came back from Stripe's pages."""
    with desk.db.reading() as tx:
        owner = counterparts.owner(tx, "account", reference)
    try:
        account = _look(desk, reference)
    except Trouble as trouble:
        if trouble.code == "account_invalid" and owner is not None:  # they ended their connection with the hub
            return AccountState(reference=reference, person_id=owner, active=False, closed=True)
        if trouble.kind == "missing":
            return None
        raise unanswered(trouble) from None
    country = (account.get("identity") or {}).get("country")
    return AccountState(
        reference=reference,
        person_id=noted(account, "person") if owner is None else owner,
        active=_active(account),
        closed=bool(account.get("closed")),
        needs=_needs(account),
        country=str(country).upper() if country else None,
    )


def _look(desk: Desk, reference: str) -> Mapping[str, Any]:
    return desk.stripe.ask(
        lambda api: api.v2.core.accounts.retrieve(
            reference, {"include": ["configuration.recipient", "identity", "requirements"]}
        )
    )


def _active(account: Mapping[str, Any]) -> bool:
    state: Any = account
    for name in ("configuration", "recipient", "capabilities", "stripe_balance", "stripe_transfers"):
        state = state.get(name) or {}
    return state.get("status") == "active" and not account.get("closed")


def _needs(account: Mapping[str, Any]) -> tuple[str, ...]:
    """What the creator still has to say; what Stripe itself is busy with is left out."""
    entries = (account.get("requirements") or {}).get("entries") or ()
    wanted = (str(each.get("description") or "") for each in entries if each.get("awaiting_action_from") != "stripe")
    return tuple(dict.fromkeys(each for each in wanted if each))


def look_at_bank_payout(desk: Desk, account: str, reference: str) -> BankPayoutState | None:
    """A payout from a creator's account to their bank; it belongs to their account, so it is asked for there."""
    try:
        payout = desk.stripe.ask(lambda api: api.v1.payouts.retrieve(reference, None, {"stripe_account": account}))
    except Trouble as trouble:
        if trouble.kind == "missing":
            return None
        raise unanswered(trouble) from None
    code = payout.get("failure_code")
    return BankPayoutState(
        reference=reference,
        account=account,
        amount_minor=int(payout.get("amount") or 0),
        state=_BANK_STATES.get(str(payout.get("status")), "under way"),
        reason=_BANK_WORDS.get(code, "the bank did not take the payment") if code else None,
    )
