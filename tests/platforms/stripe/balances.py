"""Stripe's account with the platform: balance transactions, what is pending and what available; and others'."""

from __future__ import annotations

import heapq
from typing import Any

from tests.platforms.stripe.errors import StripeError
from tests.platforms.stripe.world import Object, World

DAY = 24 * 3600
_CATEGORY = {
    "transfer_refund": "transfer_reversal",
    "payout_failure": "payout_reversal",
    "stripe_fee": "fee",
    "payment": "charge",
}


class Balances(World):
    """A balance transaction for every movement; all amounts in minor units."""

    card_fee_bp = 290
    card_fee_fixed = 30
    dispute_fee = 1500
    dispute_fee_returned = False
    available_after = 2 * DAY
    """Seconds until a charge's money can be sent."""
    refunds_wait = False
    """A refund that the available money doesn't cover is pending until it does; else the balance goes below 0."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self.available = 0
        self.pending = 0
        self._coming: list[tuple[int, int, str]] = []
        self._connected: dict[str, int] = {}
        self._waiting_refunds: list[Object] = []

    @property
    def balance(self) -> int:
        """All the platform has: available and pending."""
        return self.available + self.pending

    def connected_balance(self, account: str) -> int:
        """What a connected account has."""
        return self._connected.get(account, 0)

    def connected_change(self, account: str, amount: int) -> None:
        """Money of a connected account comes (or goes)."""
        self._connected[account] = self.connected_balance(account) + amount

    def card_fee(self, amount: int) -> int:
        """What a charge costs; half a minor unit is rounded up."""
        return (amount * self.card_fee_bp + 5_000) // 10_000 + self.card_fee_fixed

    def moved(
        self,
        kind: str,
        amount: int,
        source: str | None,
        *,
        fee: int = 0,
        category: str | None = None,
        later: int = 0,
        about: str | None = None,
    ) -> Object:
        """A balance transaction, ``later`` seconds before its money is available."""
        made = self.add(
            "balance_transaction",
            "txn",
            bare=True,
            amount=amount,
            available_on=self.now() + later,
            balance_type="payments",
            currency=self.currency,
            description=about,
            exchange_rate=None,
            fee=fee,
            fee_details=[
                {
                    "amount": fee,
                    "application": None,
                    "currency": self.currency,
                    "description": "Stripe processing fees" if kind == "charge" else "Dispute fee",
                    "type": "stripe_fee",
                }
            ]
            if fee
            else [],
            net=amount - fee,
            reporting_category=category or _CATEGORY.get(kind, kind),
            source=source,
            status="pending" if later else "available",
            type=kind,
        )
        if later:
            self.pending += amount - fee
            heapq.heappush(self._coming, (made["available_on"], amount - fee, made["id"]))
        else:
            self.available += amount - fee
        return made

    def passes(self) -> None:
        """Pending money becomes available; refunds that waited for it are made."""
        super().passes()
        came = False
        while self._coming and self._coming[0][0] <= self.now():
            _, net, id = heapq.heappop(self._coming)  # noqa: A001
            self.pending -= net
            self.available += net
            self.objects[id]["status"] = "available"
            came = True
        if came:
            self.emit("balance.available", self.balance_object())
        while self._waiting_refunds and self._waiting_refunds[0]["amount"] <= self.available:
            self.refund_covered(self._waiting_refunds.pop(0))

    def refund_covered(self, refund: Object) -> None:
        """There is money for a refund that waited; `Returns` makes it."""
        raise NotImplementedError

    def balance_object(self, account: str | None = None) -> Object:
        """GET /v1/balance."""

        def sums(amount: int) -> list[Object]:
            return [{"amount": amount, "currency": self.currency, "source_types": {"card": amount}}]

        if account is not None:
            return {
                "object": "balance",
                "available": sums(self.connected_balance(account)),
                "livemode": False,
                "pending": sums(0),
            }
        return {
            "object": "balance",
            "available": sums(self.available),
            "connect_reserved": sums(0),
            "livemode": False,
            "pending": sums(self.pending),
        }

    # The operator's bank, and what Stripe itself takes

    def top_up(self, amount: int) -> str:
        """Money from the operator's bank, available at once."""
        with self.lock:
            self.tick()
            made = self.add(
                "topup",
                "tu",
                amount=amount,
                balance_transaction=None,
                currency=self.currency,
                description=None,
                expected_availability_date=self.now(),
                failure_code=None,
                failure_message=None,
                metadata={},
                source=None,
                statement_descriptor=None,
                status="pending",
                transfer_group=None,
            )
            self.emit("topup.created", made)
            made["balance_transaction"] = self.moved("topup", amount, made["id"])["id"]
            made["status"] = "succeeded"
            self.emit("topup.succeeded", made)
            return str(made["id"])

    def payout_object(self, amount: int, *, account: str | None = None, **more: Any) -> Object:
        """A payout to a bank, on its way."""
        fields: Object = {
            "amount": amount,
            "arrival_date": self.now() + DAY,
            "automatic": False,
            "balance_transaction": None,
            "currency": self.currency,
            "description": None,
            "destination": None,
            "failure_balance_transaction": None,
            "failure_code": None,
            "failure_message": None,
            "metadata": {},
            "method": "standard",
            "original_payout": None,
            "reconciliation_status": "not_applicable",
            "reversed_by": None,
            "source_type": "card",
            "statement_descriptor": None,
            "status": "pending",
            "type": "bank_account",
        }
        made = self.add("payout", "po", account=account, **(fields | more))
        self.emit("payout.created", made, account=account)
        return made

    def pay_out(self, amount: int) -> str:
        """The platform's money goes to the operator's bank."""
        with self.lock:
            self.tick()
            if amount > self.available:
                raise StripeError(
                    400,
                    "You have insufficient funds in your Stripe account for this payout.",
                    code="balance_insufficient",
                )
            made = self.payout_object(amount)
            made["balance_transaction"] = self.moved("payout", -amount, made["id"])["id"]
            made["status"] = "paid"
            self.emit("payout.paid", made)
            return str(made["id"])

    def stripe_fee(self, amount: int, about: str = "Connect: active accounts") -> str:
        """Stripe takes a fee that belongs to no charge."""
        with self.lock:
            self.tick()
            return str(self.moved("stripe_fee", -amount, None, about=about)["id"])

    def collect_negative(self, account: str, amount: int) -> str:
        """A connected account that has been below 0 for long is filled up from the platform's money."""
        with self.lock:
            self.tick()
            made = self.add(
                "connect_collection_transfer", "connct", amount=amount, currency=self.currency, destination=account
            )
            del made["created"]
            self.connected_change(account, min(amount, max(0, -self.connected_balance(account))))
            return str(self.moved("connect_collection_transfer", -amount, made["id"])["id"])
