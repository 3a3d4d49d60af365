"""The real payment processor: Stripe, as the hub's payment protocols want it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from core.database import Database
from core.payments.gateway import (
    CardOffer,
    ChargeRequest,
    GivenUp,
    Outcome,
    RefundRequest,
    TransferRequest,
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
from core.payments.stripe import accounts, intents, movements, returns, setups, transfers
from core.payments.stripe.client import Stripe, Trouble
from core.payments.stripe.desk import Desk, unanswered
from core.payments.stripe.pace import Pace

PATIENCE = 30.0
"""Seconds that Stripe may take for one answer; after that its outcome is unknown."""


def is_pretend(key: str) -> bool:
    """Whether a secret key moves only pretend money; ValueError, without the key, if it is no secret key at all."""
    for live, start in ((False, "sk_test_"), (False, "rk_test_"), (True, "sk_live_"), (True, "rk_live_")):
        if key.startswith(start) and len(key) > len(start):
            return not live
    raise ValueError("this is not a secret key of Stripe's: it begins with sk_live_, rk_live_, sk_test_ or rk_test_")


class StripeGateway:
    """Stripe through its own library, synchronously; from any number of threads, never on the event loop.

    ``api``: another address than Stripe's (tests). ``address``: the hub's public address, noted on every object.
    ``descriptor``: the hub's name on cards' statements, where it fits. ``currency``: the hub's. ``patience``: seconds
    an answer may take. ``pace``: how fast Stripe may be asked.
    """

    name = "stripe"
    at_once = 8
    onboards = True

    def __init__(
        self,
        db: Database,
        *,
        key: str,
        api: str = "",
        address: str = "",
        descriptor: str = "FLATTR",
        currency: str = "EUR",
        patience: float = PATIENCE,
        pace: Pace | None = None,
    ) -> None:
        self.pretend = is_pretend(key)
        self._desk = Desk(
            stripe=Stripe(key, api=api, patience=patience, pace=pace),
            db=db,
            hub=address or "flattr",
            descriptor=descriptor,
            currency=currency.lower(),
        )

    def cards(self) -> tuple[CardOffer, ...]:
        """None to choose from: cards are entered at Stripe."""
        return ()

    def charge(self, request: ChargeRequest, at: datetime) -> Outcome:
        """Collect a statement off session; of an attempt on session only how it ended."""
        return intents.charge(self._desk, request, at)

    def give_up(self, statement_id: int, at: datetime) -> GivenUp:
        """Cancel the statement's intent, so that it can never succeed."""
        return intents.give_up(self._desk, statement_id, at)

    def transfer(self, request: TransferRequest, at: datetime) -> Outcome:
        """Send a payout from what is available."""
        return transfers.transfer(self._desk, request)

    def refund(self, request: RefundRequest, at: datetime) -> Outcome:
        """Give money of a collected statement back."""
        return returns.refund(self._desk, request)

    def available_minor(self, currency: str) -> int | None:
        """What can be sent right now; None: Stripe did not say."""
        return transfers.available_minor(self._desk, currency)

    def enter_card(self, person_id: int, *, done: str, cancelled: str, at: datetime) -> Redirect:
        """Stripe's page for a card. ``done`` gets ``session_id=ID`` added, unless {CHECKOUT_SESSION_ID} is in it."""
        return setups.enter_card(self._desk, person_id, done, cancelled, at)

    def onboard(self, person_id: int, *, done: str, again: str, at: datetime) -> Redirect:
        """Stripe's pages for a creator."""
        return accounts.onboard(self._desk, person_id, done, again, at)

    def authenticate(self, request: ChargeRequest, *, done: str, at: datetime) -> Redirect | Outcome:
        """Confirm on session; Unknown where no answer came."""
        return intents.authenticate(self._desk, request, done, at)

    def reverse(self, transfer: str, amount_minor: int, *, key: str) -> Outcome:
        """Take money of a transfer back, as far as the creator's available balance covers it."""
        return transfers.reverse(self._desk, transfer, amount_minor, key)

    def forget_card(self, reference: str) -> None:
        """Detach a card; also when it is gone already."""
        setups.forget_card(self._desk, reference)

    def look_at_intent(self, reference: str) -> IntentState | None:
        """How collecting a statement stands."""
        return intents.look_at(self._desk, reference)

    def look_at_setup(self, reference: str) -> SetupState | None:
        """What became of entering a card (``cs_...`` or ``seti_...``)."""
        return setups.look_at(self._desk, reference)

    def look_at_card(self, reference: str) -> CardOffer | None:
        """A card as it is now; None: detached."""
        return setups.look_at_card(self._desk, reference)

    def look_at_account(self, reference: str) -> AccountState | None:
        """A creator's account."""
        return accounts.look_at(self._desk, reference)

    def look_at_refund(self, reference: str) -> RefundState | None:
        """A refund."""
        return returns.look_at_refund(self._desk, reference)

    def look_at_dispute(self, reference: str) -> DisputeState | None:
        """A dispute."""
        return returns.look_at_dispute(self._desk, reference)

    def look_at_warning(self, reference: str) -> WarningState | None:
        """An early fraud warning."""
        return returns.look_at_warning(self._desk, reference)

    def look_at_transfer(self, reference: str) -> TransferState | None:
        """A transfer, and what was taken back of it."""
        return transfers.look_at(self._desk, reference)

    def look_at_bank_payout(self, account: str, reference: str) -> BankPayoutState | None:
        """A payout from a creator's account to their bank."""
        return accounts.look_at_bank_payout(self._desk, account, reference)

    def movements(self, since: datetime | None) -> Iterator[MovementSeen]:
        """Every balance transaction made at or after a time, the newest first."""
        return movements.movements(self._desk, since)

    def check(self) -> None:
        """Ask for the balance; Unanswered says what is wrong."""
        try:
            self._desk.stripe.ask(lambda api: api.v1.balance.retrieve())
        except Trouble as trouble:
            raise unanswered(trouble) from None
