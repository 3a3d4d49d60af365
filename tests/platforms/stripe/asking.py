"""Asks the fake as the hub would, with the real client: for tests of the fake itself, and whoever wants no gateway."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import stripe as library

from tests.platforms.stripe import cards
from tests.platforms.stripe.fake import FakeStripe

RECIPIENT: Any = {
    "dashboard": "express",
    "identity": {"country": "de"},
    "configuration": {"recipient": {"capabilities": {"stripe_balance": {"stripe_transfers": {"requested": True}}}}},
    "defaults": {"responsibilities": {"fees_collector": "application", "losses_collector": "application"}},
}


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 30, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def passes(self, **time: float) -> None:
        """So much later (days=1, hours=2)."""
        self.at += timedelta(**time)


class Hub:
    """A client with a key for everything it asks."""

    def __init__(self, stripe: FakeStripe, clock: Clock) -> None:
        self.stripe, self.clock = stripe, clock
        self.client = library.StripeClient(stripe.key, base_addresses=stripe.base_addresses, max_network_retries=0)
        self._keys = 0

    @classmethod
    @contextlib.contextmanager
    def begins(cls) -> Iterator[Hub]:
        """A hub with a fake of its own."""
        telemetry, library.enable_telemetry = library.enable_telemetry, False
        clock = Clock()
        try:
            with FakeStripe.serve(clock) as stripe:
                yield cls(stripe, clock)
        finally:
            library.enable_telemetry = telemetry

    def key(self) -> Any:
        """Options with a new key."""
        self._keys += 1
        return {"idempotency_key": f"test-{self._keys}"}

    def intent(
        self, amount: int = 3500, *, statement: int = 1, customer: str | None = None, key: str | None = None
    ) -> str:
        """A new intent of a statement."""
        told: Any = {"amount": amount, "currency": "eur", "metadata": {"statement": str(statement)}}
        if customer is not None:
            told["customer"] = customer
        return self.client.v1.payment_intents.create(told, {"idempotency_key": key} if key else self.key()).id

    def confirm(self, intent: str, method: str, *, key: str | None = None, **more: Any) -> Any:
        """Charge a card, off session unless said otherwise."""
        told: Any = {"payment_method": method, "off_session": True} | more
        return self.client.v1.payment_intents.confirm(intent, told, {"idempotency_key": key} if key else self.key())

    def charge(self, card: cards.Card = cards.PAYS, amount: int = 3500, *, statement: int = 1) -> Any:
        """A new patron pays a statement."""
        customer, method = self.stripe.gives_card(card)
        return self.confirm(self.intent(amount, statement=statement, customer=customer), method)

    def transfer(self, account: str, amount: int, *, payout: int = 1, key: str | None = None) -> Any:
        """Send a payout."""
        told: Any = {"amount": amount, "currency": "eur", "destination": account, "metadata": {"payout": str(payout)}}
        return self.client.v1.transfers.create(told, {"idempotency_key": key} if key else self.key())

    def account(self, person: int = 7) -> str:
        """A recipient's account, not onboarded yet."""
        told: Any = {**RECIPIENT, "metadata": {"person": str(person)}}
        return self.client.v2.core.accounts.create(told, self.key()).id

    def link(self, account: str) -> str:
        """An onboarding link."""
        way = {"refresh_url": "https://hub/again", "return_url": "https://hub/back"}
        told: Any = {"account": account, "use_case": {"type": "account_onboarding", "account_onboarding": way}}
        return self.client.v2.core.account_links.create(told, self.key()).url

    def session(self, customer: str) -> Any:
        """A Checkout session in setup mode."""
        told: Any = {"mode": "setup", "currency": "eur", "customer": customer}
        told |= {"success_url": "https://hub/ok?s={CHECKOUT_SESSION_ID}", "cancel_url": "https://hub/back"}
        return self.client.v1.checkout.sessions.create(told, self.key())
