"""What the processor's types of balance transactions mean for the books."""

from __future__ import annotations

COLLECTED = frozenset({"charge", "payment"})
"""Money of a patron came in."""

REFUNDED = frozenset({"refund", "payment_refund"})
"""Money went back to a patron."""

REFUND_FAILED = frozenset({"refund_failure"})
"""It came back, since the patron's bank did not take it."""

ADJUSTED = "adjustment"
DISPUTES = ("dp_", "du_")
"""Beginnings of what an adjustment for a dispute is about."""

SENT = frozenset({"transfer"})
"""Money went to a creator's account."""

SENT_BACK = frozenset({"transfer_refund", "transfer_cancel", "transfer_failure"})
"""It, or part of it, came back."""

BANK = frozenset({"payout", "payout_cancel", "payout_failure", "topup", "topup_reversal"})
"""Between the operator's bank account and the processor."""

COSTS = frozenset({"stripe_fee", "tax_fee", "stripe_fx_fee"})
"""The whole of it is a cost."""

LOST = frozenset({"connect_collection_transfer"})
"""The processor filled up a creator's account that had been below zero for long."""

RESERVES = frozenset(
    {
        "payment_network_reserve_hold",
        "payment_network_reserve_release",
        "payout_minimum_balance_hold",
        "payout_minimum_balance_release",
        "reserve_hold",
        "reserve_release",
        "reserve_transaction",
        "reserved_funds",
    }
)
"""Money that is kept back and released again: it stays the hub's all the time, and moves in no book."""


def is_dispute(kind: str, source: str | None) -> bool:
    """Whether a line is about a dispute."""
    return kind == ADJUSTED and (source or "").startswith(DISPUTES)
