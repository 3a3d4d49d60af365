"""Reads Stripe's own account with the hub: every balance transaction, page by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from core.payments.states import MovementSeen
from core.payments.stripe.client import Trouble
from core.payments.stripe.desk import Desk, name_of, noted, unanswered


def movements(desk: Desk, since: datetime | None) -> Iterator[MovementSeen]:
    """Every balance transaction made at or after a time (None: all). Unanswered if a page cannot be had."""
    wanted: dict[str, Any] = {"expand": ["data.source"]}
    if since is not None:
        wanted["created"] = {"gte": int(since.timestamp())}
    payouts: dict[str, int | None] = {}
    try:
        for each in desk.stripe.pages(lambda api, params: api.v1.balance_transactions.list(params), wanted):
            yield _line(desk, each, payouts)
    except Trouble as trouble:
        raise unanswered(trouble) from None


def _line(desk: Desk, transaction: Mapping[str, Any], payouts: dict[str, int | None]) -> MovementSeen:
    source = transaction.get("source")
    thing: Mapping[str, Any] = source if isinstance(source, Mapping) else {}
    return MovementSeen(
        reference=str(transaction["id"]),
        kind=str(transaction.get("type")),
        at=datetime.fromtimestamp(int(transaction.get("created") or 0), UTC),
        amount_minor=int(transaction.get("amount") or 0),
        fee_minor=int(transaction.get("fee") or 0),
        currency=str(transaction.get("currency") or "").upper(),
        source=name_of(source),
        intent=name_of(thing.get("payment_intent")),
        payout_id=_payout(desk, thing, payouts),
        about=str(transaction.get("description") or ""),
    )


def _payout(desk: Desk, thing: Mapping[str, Any], known: dict[str, int | None]) -> int | None:
    """The hub's payout that a transfer, or what was taken back of one, is about."""
    match thing.get("object"):
        case "transfer":
            return noted(thing, "payout")
        case "transfer_reversal":
            transfer = name_of(thing.get("transfer"))
            if transfer is not None and transfer not in known:
                known[transfer] = noted(desk.stripe.ask(lambda api: api.v1.transfers.retrieve(transfer)), "payout")
            return known.get(transfer or "")
    return None
