"""A payment processor in memory, honest but not always understood: answers get lost, banks ask back, news is late."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count

from core.payments.gateway import (
    CardOffer,
    ChargeRequest,
    Done,
    GivenUp,
    Outcome,
    RefundRequest,
    Refused,
    TooLate,
    TransferRequest,
    Unknown,
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

LOST = Unknown("no answer")


def card(name: str, country: str = "DE", last4: str = "4242") -> CardOffer:
    """A card as the processor hands it over."""
    return CardOffer(
        brand="visa",
        last4=last4,
        reference=f"pm_{name}",
        customer=f"cus_{name}",
        fingerprint=f"fp_{name}",
        country=country,
    )


@dataclass
class Intent:
    """One statement's intent: it can succeed once."""

    statement_id: int
    amount_minor: int
    state: str = "open"
    charge: str | None = None
    failure: Refused | None = None


@dataclass
class Processor:
    """Answers new keys by the words in ``says`` (else "pays"); known ones with their first answer.

    pays, declines, never again, asks (for the patron), request lost, answer lost (it paid), no lost (it declined),
    breaks (the hub's own bug).
    """

    says: list[str] = field(default_factory=list)
    name: str = "memory"
    pretend: bool = True
    at_once: int = 1
    onboards: bool = False
    intents: dict[int, Intent] = field(default_factory=dict)
    answers: dict[str, Outcome] = field(default_factory=dict)
    asked: list[ChargeRequest] = field(default_factory=list)
    given_up: list[int] = field(default_factory=list)
    giving_up_says: list[str] = field(default_factory=list)
    setups: dict[str, SetupState] = field(default_factory=dict)
    cards_now: dict[str, CardOffer | None] = field(default_factory=dict)
    forgotten: list[str] = field(default_factory=list)
    silent: set[str] = field(default_factory=set)
    """References about which no answer comes."""
    looked: list[str] = field(default_factory=list)
    _numbers: count[int] = field(default_factory=lambda: count(1))
    _turn: threading.RLock = field(default_factory=threading.RLock)

    def cards(self) -> tuple[CardOffer, ...]:
        return ()

    # Charging

    def charge(self, request: ChargeRequest, at: datetime) -> Outcome:
        with self._turn:
            self.asked.append(request)
            if (told := self._known(request)) is not None:
                return told
            if request.on_session:  # looked at, never made
                return Refused("it was not finished", authenticate=True)
            return self._confirm(request)

    def authenticate(self, request: ChargeRequest, *, done: str, at: datetime) -> Redirect | Outcome:
        with self._turn:
            self.asked.append(request)
            intent = self._intent(request)
            if intent.state == "authenticating":
                return Redirect(f"https://bank.example/{request.key}?then={done}")
            if (told := self._known(request)) is not None:
                return told
            if self.says[:1] == ["asks"]:
                self.says.pop(0)
                intent.state = "authenticating"
                return Redirect(f"https://bank.example/{request.key}?then={done}")
            return self._confirm(request)

    def give_up(self, statement_id: int, at: datetime) -> GivenUp:
        with self._turn:
            self.given_up.append(statement_id)
            word = self.giving_up_says.pop(0) if self.giving_up_says else "done"
            if word == "breaks":
                raise RuntimeError("a bug")
            intent = self.intents.get(statement_id)
            if word == "request lost":
                return LOST
            if intent is not None and intent.state == "collected":
                assert intent.charge
                return TooLate(intent.charge)
            if intent is not None:
                intent.state = "cancelled"
            return LOST if word == "answer lost" else Done("")

    def _known(self, request: ChargeRequest) -> Outcome | None:
        intent = self._intent(request)
        if intent.state == "collected":
            assert intent.charge
            return Done(intent.charge)
        if intent.state == "cancelled":
            return Refused("it was given up", final=True)
        return self.answers.get(request.key)

    def _confirm(self, request: ChargeRequest) -> Outcome:
        word = self.says.pop(0) if self.says else "pays"
        match word:
            case "breaks":
                raise RuntimeError("a bug")
            case "request lost":
                return LOST
            case "pays" | "answer lost":
                self.pay(request.statement_id)
            case "declines" | "no lost":
                self.decline(request.statement_id, Refused("the card was declined"))
            case "never again":
                self.decline(request.statement_id, Refused("the card is not valid", final=True))
            case "asks":
                self.decline(request.statement_id, Refused("the bank asks", authenticate=True))
            case _:
                raise AssertionError(word)
        intent = self.intents[request.statement_id]
        self.answers[request.key] = intent.failure or Done(intent.charge or "")
        return LOST if word in ("answer lost", "no lost") else self.answers[request.key]

    def _intent(self, request: ChargeRequest) -> Intent:
        intent = self.intents.setdefault(request.statement_id, Intent(request.statement_id, request.amount_minor))
        assert intent.amount_minor == request.amount_minor, "an intent has one amount"
        return intent

    def pay(self, statement_id: int) -> None:
        """The money moves (also when a patron confirms at their bank)."""
        intent = self.intents[statement_id]
        assert intent.state in ("open", "authenticating"), f"{statement_id} is {intent.state}: it cannot be charged"
        intent.state, intent.charge, intent.failure = "collected", f"ch_{next(self._numbers)}", None

    def decline(self, statement_id: int, refused: Refused) -> None:
        """The bank says no."""
        intent = self.intents[statement_id]
        assert intent.state in ("open", "authenticating")
        reference = f"ch_{next(self._numbers)}"
        intent.state, intent.charge = "open", reference
        intent.failure = Refused(refused.reason, refused.final, refused.authenticate, reference=reference)

    def taken(self) -> int:
        """What was charged in all, in minor units."""
        return sum(each.amount_minor for each in self.intents.values() if each.state == "collected")

    def state_of(self, statement_id: int) -> IntentState:
        """What looking at the statement's intent says now."""
        intent = self.intents[statement_id]
        return IntentState(
            reference=f"pi_{statement_id}", statement_id=statement_id, state=intent.state,  # type: ignore[arg-type]
            charge=intent.charge, amount_minor=intent.amount_minor, failure=intent.failure,
        )  # fmt: skip

    # Looking

    def _seen(self, reference: str) -> None:
        self.looked.append(reference)
        if reference in self.silent:
            raise Unanswered("no answer")

    def look_at_intent(self, reference: str) -> IntentState | None:
        self._seen(reference)
        statement_id = int(reference.removeprefix("pi_"))
        return self.state_of(statement_id) if statement_id in self.intents else None

    def look_at_setup(self, reference: str) -> SetupState | None:
        self._seen(reference)
        return self.setups.get(reference)

    def look_at_card(self, reference: str) -> CardOffer | None:
        self._seen(reference)
        return self.cards_now.get(reference)

    def forget_card(self, reference: str) -> None:
        self._seen(reference)
        self.forgotten.append(reference)

    def look_at_account(self, reference: str) -> AccountState | None:
        self._seen(reference)
        return None

    def look_at_refund(self, reference: str) -> RefundState | None:
        self._seen(reference)
        raise TypeError("a bug about something private")

    def look_at_dispute(self, reference: str) -> DisputeState | None:
        self._seen(reference)
        return None

    def look_at_warning(self, reference: str) -> WarningState | None:
        self._seen(reference)
        return None

    def look_at_transfer(self, reference: str) -> TransferState | None:
        self._seen(reference)
        return None

    def look_at_bank_payout(self, account: str, reference: str) -> BankPayoutState | None:
        self._seen(f"{account}/{reference}")
        return None

    # What these tests do not need

    def enter_card(self, person_id: int, *, done: str, cancelled: str, at: datetime) -> Redirect:
        return Redirect(done)

    def onboard(self, person_id: int, *, done: str, again: str, at: datetime) -> Redirect:
        return Redirect(done)

    def reverse(self, transfer: str, amount_minor: int, *, key: str) -> Outcome:
        return Done(key)

    def transfer(self, request: TransferRequest, at: datetime) -> Outcome:
        return Done(request.key)

    def refund(self, request: RefundRequest, at: datetime) -> Outcome:
        return Done(request.key)

    def available_minor(self, currency: str) -> int | None:
        return 10**12

    def movements(self, since: datetime | None) -> Iterator[MovementSeen]:
        return iter(())

    def check(self) -> None:
        return None
