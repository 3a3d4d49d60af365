"""A hub at the fake Stripe, for tests of the gateway: people with cards, statements, and a clock that tests move."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from core.database import Database
from core.months.tables import Charge, Month, Statement
from core.payments import counterparts
from core.payments.gateway import ChargeRequest, RefundRequest, Refused, TransferRequest
from core.payments.stripe.gateway import StripeGateway
from core.payments.stripe.pace import Pace
from core.people.tables import Person
from core.periods import parse_month
from tests.platforms.stripe import cards
from tests.platforms.stripe.fake import FakeStripe

MONTH = parse_month("2026-10")
HUB = "https://hub.example"


@dataclass
class Clock:
    at: datetime

    def __call__(self) -> datetime:
        return self.at

    def later(self, **step: float) -> datetime:
        self.at += timedelta(**step)
        return self.at


@dataclass
class Hub:
    db: Database
    stripe: FakeStripe
    clock: Clock
    gateway: StripeGateway = field(init=False)
    _numbers: count[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.gateway = self.new_gateway()
        with self.db.transaction() as tx:
            tx.add(Month(id=MONTH, stage="collecting"))

    def new_gateway(self, **more) -> StripeGateway:
        wanted = {"key": self.stripe.key, "api": self.stripe.address, "address": HUB, "pace": Pace(10_000)}
        return StripeGateway(self.db, **{**wanted, **more})

    @property
    def at(self) -> datetime:
        return self.clock.at

    def person(self) -> int:
        with self.db.transaction() as tx:
            person = Person(created_at=self.at)
            tx.add(person)
            tx.flush()
            assert person.id is not None
            return person.id

    def owed(self, card: cards.Card | None = cards.PAYS, *, amount: int = 3500, attempt: int = 1) -> ChargeRequest:
        """A statement that is to be collected from a card."""
        patron = self.person()
        with self.db.transaction() as tx:
            statement = Statement(
                patron_id=patron, month=MONTH, budget_micros=amount * 10_000, state="due", charge_micros=amount * 10_000
            )
            tx.add(statement)
            tx.flush()
            assert statement.id is not None
            number = statement.id
        customer, method = self.stripe.gives_card(card, person=patron) if card else (None, None)
        return ChargeRequest(
            statement_id=number,
            attempt=attempt,
            patron_id=patron,
            month=MONTH,
            amount_minor=amount,
            currency="EUR",
            card_reference=method,
            customer=customer,
        )

    def note(self, request: ChargeRequest, refused: Refused) -> None:
        """Note a refusal as the months do, so that it is known for an earlier attempt's."""
        with self.db.transaction() as tx:
            tx.add(
                Charge(
                    statement_id=request.statement_id,
                    attempt=request.attempt,
                    state="declined",
                    reference=refused.reference,
                    reason=refused.reason,
                    asked_at=self.at,
                )
            )

    def intent(self, request: ChargeRequest) -> str:
        with self.db.reading() as tx:
            reference = counterparts.name(tx, "intent", request.statement_id)
        assert reference is not None
        return reference

    def collected(self, amount: int = 3500) -> tuple[ChargeRequest, str]:
        """A statement that was collected, and its charge; the money is available."""
        request = self.owed(amount=amount)
        done = self.gateway.charge(request, self.at)
        self.clock.later(days=3)
        self.stripe.tick()
        return request, done.reference

    def payout(self, account: str | None, amount: int = 500, **more) -> TransferRequest:
        wanted = {"payout_id": next(self._numbers), "attempt": 1, "creator_id": 1, "currency": "EUR"}
        return TransferRequest(amount_minor=amount, destination=account, **{**wanted, **more})

    def back(self, request: ChargeRequest, amount: int = 1000, **more) -> RefundRequest:
        wanted = {"statement_id": request.statement_id, "number": 1, "currency": "EUR", "reason": "operator"}
        return RefundRequest(amount_minor=amount, **{**wanted, **more})

    def keys(self, path: str = "") -> list[str | None]:
        """The idempotency keys of the POSTs so far whose path contains this."""
        return [each.key for each in self.stripe.requests if each.method == "POST" and path in each.path]


@contextlib.contextmanager
def hub_at_stripe(db: Database, at: datetime, **more) -> Iterator[Hub]:
    clock = Clock(at)
    with FakeStripe.serve(clock, **more) as stripe:
        yield Hub(db, stripe, clock)
