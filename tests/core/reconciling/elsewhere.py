"""A small processor in another house, with an account of its own: a line for every movement, and objects to look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count

from core.database import Database
from core.payments import counterparts
from core.payments.gateway import (
    CardOffer,
    ChargeRequest,
    Done,
    GivenUp,
    Outcome,
    RefundRequest,
    Refused,
    TransferRequest,
    Unknown,
)
from core.payments.states import (
    AccountState,
    BankPayoutState,
    DisputeState,
    IntentState,
    MovementSeen,
    Redirect,
    RefundState,
    SetupState,
    TransferState,
    WarningState,
)

CARD = CardOffer(brand="Visa", last4="4242", reference="pm_1", customer="cus_1")


@dataclass
class Elsewhere:
    """All amounts in minor units. ``silent``: its answers are lost, though what was asked for happens."""

    db: Database
    at: datetime
    name: str = "stripe"
    pretend: bool = True
    at_once: int = 1
    onboards: bool = False
    fee: int = 0
    silent: bool = False
    lines: list[MovementSeen] = field(default_factory=list)
    intents: dict[str, IntentState] = field(default_factory=dict)
    refunds: dict[str, RefundState] = field(default_factory=dict)
    disputes: dict[str, DisputeState] = field(default_factory=dict)
    transfers: dict[str, TransferState] = field(default_factory=dict)
    listed: list[datetime | None] = field(default_factory=list)
    _made: Iterator[int] = field(default_factory=lambda: count(1))
    _first: dict[str, str] = field(default_factory=dict)

    def line(self, kind: str, amount: int, source: str | None = None, *, fee: int = 0, **more: object) -> str:
        made = MovementSeen(
            reference=f"txn_{next(self._made)}",
            kind=kind,
            at=self.at,
            amount_minor=amount,
            fee_minor=fee,
            currency="EUR",
            source=source,
        )
        self.lines.append(replace(made, **more))  # type: ignore[arg-type]
        return made.reference

    @property
    def balance(self) -> int:
        return sum(each.amount_minor - each.fee_minor for each in self.lines)

    # Calls

    def cards(self) -> tuple[CardOffer, ...]:
        return ()

    def charge(self, request: ChargeRequest, at: datetime) -> Outcome:
        intent = f"pi_{request.statement_id}"
        with self.db.transaction() as tx:
            counterparts.keep(tx, "intent", request.statement_id, intent, at)
        if intent not in self.intents:
            self.collects(request.statement_id, request.amount_minor)
        charge = self.intents[intent].charge
        assert charge is not None
        return Unknown("no answer") if self.silent else Done(charge)

    def collects(self, statement_id: int, amount: int) -> str:
        """Collect a statement, whoever asked."""
        intent, charge = f"pi_{statement_id}", f"ch_{statement_id}"
        self.line("charge", amount, charge, fee=self.fee, intent=intent)
        self.intents[intent] = IntentState(
            reference=intent, statement_id=statement_id, state="collected", charge=charge, amount_minor=amount
        )
        return intent

    def give_up(self, statement_id: int, at: datetime) -> GivenUp:
        return Done("")

    def transfer(self, request: TransferRequest, at: datetime) -> Outcome:
        name = f"tr_{request.payout_id}_{request.attempt}"
        if name not in self.transfers:
            self.line("transfer", -request.amount_minor, name, payout_id=request.payout_id)
            self.transfers[name] = TransferState(
                reference=name,
                payout_id=request.payout_id,
                attempt=request.attempt,
                amount_minor=request.amount_minor,
            )
        return Unknown("no answer") if self.silent else Done(name)

    def refund(self, request: RefundRequest, at: datetime) -> Outcome:
        name = self._first.get(request.key)
        if name is None:
            name = self._first[request.key] = self.refunded(f"pi_{request.statement_id}", request.amount_minor)
        return Unknown("no answer") if self.silent else Done(name)

    def refunded(self, intent: str, amount: int) -> str:
        """A refund, whoever made it."""
        name = f"re_{next(self._made)}"
        self.line("refund", -amount, name, intent=intent)
        self.refunds[name] = RefundState(reference=name, intent=intent, amount_minor=amount, state="succeeded")
        return name

    def refund_fails(self, name: str) -> None:
        state = self.refunds[name]
        self.refunds[name] = replace(state, state="failed", reason="the card is closed")
        self.line("refund_failure", state.amount_minor, name, intent=state.intent)

    def disputed(self, intent: str, *amounts: int, fee: int = 15) -> str:
        """A dispute that moves these amounts one after the other (negative: taken)."""
        name = f"dp_{intent}"
        before = self.disputes.get(name)
        for amount in amounts:
            self.line("adjustment", amount, name, fee=fee if amount < 0 else 0, intent=intent)
        self.disputes[name] = DisputeState(
            reference=name,
            intent=intent,
            amount_minor=max(map(abs, amounts)),
            taken_minor=(before.taken_minor if before else 0) - sum(amounts),
            status="needs_response",
        )
        return name

    def reverse(self, transfer: str, amount_minor: int, *, key: str) -> Outcome:
        name = f"trr_{next(self._made)}"
        state = self.transfers[transfer]
        self.transfers[transfer] = replace(state, reversals=(*state.reversals, (name, amount_minor)))
        self.line("transfer_refund", amount_minor, name, payout_id=state.payout_id)
        return Done(name)

    def available_minor(self, currency: str) -> int | None:
        return self.balance

    def enter_card(self, person_id: int, *, done: str, cancelled: str, at: datetime) -> Redirect:
        return Redirect(done)

    def onboard(self, person_id: int, *, done: str, again: str, at: datetime) -> Redirect:
        return Redirect(done)

    def authenticate(self, request: ChargeRequest, *, done: str, at: datetime) -> Redirect | Outcome:
        return Refused("nobody is asked here")

    def forget_card(self, reference: str) -> None:
        """Nothing is kept."""

    # Questions

    def look_at_intent(self, reference: str) -> IntentState | None:
        return self.intents.get(reference)

    def look_at_setup(self, reference: str) -> SetupState | None:
        return None

    def look_at_card(self, reference: str) -> CardOffer | None:
        return CARD

    def look_at_account(self, reference: str) -> AccountState | None:
        return None

    def look_at_refund(self, reference: str) -> RefundState | None:
        return self.refunds.get(reference)

    def look_at_dispute(self, reference: str) -> DisputeState | None:
        return self.disputes.get(reference)

    def look_at_warning(self, reference: str) -> WarningState | None:
        return None

    def look_at_transfer(self, reference: str) -> TransferState | None:
        return self.transfers.get(reference)

    def look_at_bank_payout(self, account: str, reference: str) -> BankPayoutState | None:
        return None

    def movements(self, since: datetime | None) -> Iterator[MovementSeen]:
        self.listed.append(since)
        yield from (each for each in reversed(self.lines) if since is None or each.at >= since)

    def check(self) -> None:
        """It always answers."""
