"""What the hub needs from a processor in another house: ways for people to it, and answers to questions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol, runtime_checkable

from core.payments.gateway import CardOffer, ChargeRequest, Gateway, Outcome
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


class Unanswered(Exception):
    """The processor gave no usable answer to a question; nothing was changed by asking, and it is asked again."""


@runtime_checkable
class HostedGateway(Gateway, Protocol):
    """A processor in another house: cards and bank accounts are entered there, and it has a memory of its own.

    The ways out (`Redirect`) and all questions raise Unanswered where no usable answer came. Questions about what
    is not there, or is not this hub's, give None.
    """

    def enter_card(self, person_id: int, *, done: str, cancelled: str, at: datetime) -> Redirect:
        """Where a patron enters a card; the processor sends them back to ``done`` (with the session's id) or
        ``cancelled``."""

    def onboard(self, person_id: int, *, done: str, again: str, at: datetime) -> Redirect:
        """Where a creator says who they are and where money goes; their account is made on first need."""

    def authenticate(self, request: ChargeRequest, *, done: str, at: datetime) -> Redirect | Outcome:
        """Confirm on session: mostly the way to the patron's bank, which leads back to ``done``."""

    def reverse(self, transfer: str, amount_minor: int, *, key: str) -> Outcome:
        """Take a transfer (or part of it) back, only as far as the creator's balance at the processor covers it."""

    def forget_card(self, reference: str) -> None:
        """Detach a card, so that it can never be charged again; also when it is gone already."""

    def look_at_intent(self, reference: str) -> IntentState | None:
        """How collecting a statement stands."""

    def look_at_setup(self, reference: str) -> SetupState | None:
        """What became of entering a card; ``reference``: a checkout session or a setup intent."""

    def look_at_card(self, reference: str) -> CardOffer | None:
        """A card as it is now (they are renewed); None: detached or gone."""

    def look_at_account(self, reference: str) -> AccountState | None:
        """A creator's account."""

    def look_at_refund(self, reference: str) -> RefundState | None:
        """A refund."""

    def look_at_dispute(self, reference: str) -> DisputeState | None:
        """A dispute."""

    def look_at_warning(self, reference: str) -> WarningState | None:
        """An early fraud warning."""

    def look_at_transfer(self, reference: str) -> TransferState | None:
        """A transfer."""

    def look_at_bank_payout(self, account: str, reference: str) -> BankPayoutState | None:
        """A payout from a creator's account to their bank."""

    def movements(self, since: datetime | None) -> Iterator[MovementSeen]:
        """Every balance transaction made at or after a time (None: all), page by page, in no particular order."""

    def check(self) -> None:
        """Ask for something harmless, to see whether the keys work; Unanswered says what is wrong."""
