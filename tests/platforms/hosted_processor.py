"""A processor in another house as the hub's protocol sees it, in memory: what people do there, the test says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

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
)
from core.payments.hosted import Unanswered
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

VISA = CardOffer(
    brand="Visa", last4="4242", reference="pm_visa", customer="cus_1", fingerprint="print-visa", country="DE"
)
AMERICAN = CardOffer(
    brand="American Express",
    last4="0005",
    reference="pm_amex",
    customer="cus_1",
    fingerprint="print-amex",
    country="US",
)
WANTS_YOU = Refused("your bank wants you to confirm it", authenticate=True, reference="ch_no")


@dataclass
class HostedProcessor:
    """Remembers what it was asked; ``silent``: it answers nothing; ``bank``: what confirming leads to."""

    db: Database
    pretend: bool = True
    name: str = "stripe"
    at_once: int = 1
    onboards: bool = True
    silent: bool = False
    available: int = 10**9
    answers: dict[str | None, Outcome] = field(default_factory=dict)
    """To charges, by card; any other card pays."""
    bank: Redirect | Outcome = field(default_factory=lambda: Redirect("https://bank.example/3ds"))
    setups: dict[str, SetupState] = field(default_factory=dict)
    accounts: dict[str, AccountState] = field(default_factory=dict)
    intents: dict[str, IntentState] = field(default_factory=dict)
    asked: list[tuple[str, ...]] = field(default_factory=list)
    charged: list[ChargeRequest] = field(default_factory=list)

    def cards(self) -> tuple[CardOffer, ...]:
        return ()

    # What people do there

    def entered(self, person_id: int, card: CardOffer | None = VISA, failure: str | None = None) -> str:
        reference = f"cs_test_{len(self.setups)}"
        self.setups[reference] = SetupState(reference=reference, person_id=person_id, card=card, failure=failure)
        return reference

    def told(self, person_id: int, *, active: bool = True, country: str = "DE", needs: tuple[str, ...] = ()) -> str:
        reference = f"acct_{person_id}"
        self.accounts[reference] = AccountState(
            reference=reference, person_id=person_id, active=active, country=country, needs=needs
        )
        return reference

    def confirmed(self, statement_id: int, amount_minor: int) -> None:
        self.intents[f"pi_{statement_id}"] = self._intent(statement_id, "collected", amount_minor)

    def turned_down(self, statement_id: int, reason: str) -> None:
        failure = Refused(reason, reference=f"ch_{len(self.asked)}")
        self.intents[f"pi_{statement_id}"] = self._intent(statement_id, "open", failure=failure)

    # What the hub asks

    def charge(self, request: ChargeRequest, at: datetime) -> Outcome:
        self.charged.append(request)
        self._named(request, at)
        if request.card_reference is None:
            return Refused("there is no card")
        return self.answers.get(request.card_reference, Done(f"ch_{request.key}"))

    def give_up(self, statement_id: int, at: datetime) -> GivenUp:
        return Done("")

    def transfer(self, request: TransferRequest, at: datetime) -> Outcome:
        return Done(f"tr_{request.key}")

    def refund(self, request: RefundRequest, at: datetime) -> Outcome:
        return Done(f"re_{request.key}")

    def available_minor(self, currency: str) -> int | None:
        return self.available

    def enter_card(self, person_id: int, *, done: str, cancelled: str, at: datetime) -> Redirect:
        self._ask("enter_card", str(person_id), done, cancelled)
        return Redirect(f"https://checkout.example/c/{person_id}")

    def onboard(self, person_id: int, *, done: str, again: str, at: datetime) -> Redirect:
        self._ask("onboard", str(person_id), done, again)
        with self.db.transaction() as tx:
            account = counterparts.keep(tx, "account", person_id, f"acct_{person_id}", at)
        self.accounts.setdefault(account, AccountState(reference=account, person_id=person_id, active=False))
        return Redirect(f"https://connect.example/s/{len(self.asked)}")

    def authenticate(self, request: ChargeRequest, *, done: str, at: datetime) -> Redirect | Outcome:
        self._ask("authenticate", request.key, done)
        self._named(request, at)
        self.intents.setdefault(f"pi_{request.statement_id}", self._intent(request.statement_id, "authenticating"))
        return self.bank

    def reverse(self, transfer: str, amount_minor: int, *, key: str) -> Outcome:
        return Done(f"trr_{key}")

    def forget_card(self, reference: str) -> None:
        self._ask("forget_card", reference)

    def look_at_intent(self, reference: str) -> IntentState | None:
        self._ask("look_at_intent", reference)
        return self.intents.get(reference)

    def look_at_setup(self, reference: str) -> SetupState | None:
        self._ask("look_at_setup", reference)
        return self.setups.get(reference)

    def look_at_card(self, reference: str) -> CardOffer | None:
        return None

    def look_at_account(self, reference: str) -> AccountState | None:
        self._ask("look_at_account", reference)
        return self.accounts.get(reference)

    def look_at_refund(self, reference: str) -> RefundState | None:
        return None

    def look_at_dispute(self, reference: str) -> DisputeState | None:
        return None

    def look_at_warning(self, reference: str) -> WarningState | None:
        return None

    def look_at_transfer(self, reference: str) -> TransferState | None:
        return None

    def look_at_bank_payout(self, account: str, reference: str) -> BankPayoutState | None:
        return None

    def movements(self, since: datetime | None) -> Iterator[MovementSeen]:
        return iter(())

    def check(self) -> None:
        self._ask("check")

    def _ask(self, *what: str) -> None:
        self.asked.append(what)
        if self.silent:
            raise Unanswered("no answer")

    def _named(self, request: ChargeRequest, at: datetime) -> None:
        with self.db.transaction() as tx:
            counterparts.keep(tx, "intent", request.statement_id, f"pi_{request.statement_id}", at)

    @staticmethod
    def _intent(statement_id: int, state: str, amount_minor: int = 0, failure: Refused | None = None) -> IntentState:
        return IntentState(
            reference=f"pi_{statement_id}",
            statement_id=statement_id,
            state=state,  # type: ignore[arg-type]
            charge="ch_yes" if state == "collected" else None,
            amount_minor=amount_minor,
            failure=failure,
        )
