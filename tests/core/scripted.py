"""A processor in another house for tests: a purse with a bottom, a memory, and trouble on request."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from threading import Lock

from core.payments.gateway import (
    CardOffer,
    ChargeRequest,
    Done,
    Outcome,
    RefundRequest,
    Refused,
    TransferRequest,
    Unknown,
)
from core.payments.hosted import HostedGateway
from core.payments.sandbox import SandboxGateway
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
from core.recipients import onboarding
from tests.scene import Scene


class Processor(SandboxGateway):
    """Charges as the pretend one does; transfers and refunds move money in a memory of its own."""

    name = "scripted"
    onboards = True

    def __init__(self, database) -> None:
        super().__init__(database)
        self.available: int | None = 10**9
        self.asked: list[TransferRequest] = []
        self.moved: dict[str, TransferRequest] = {}
        self.reversals: dict[str, list[tuple[str, int]]] = {}
        self.refunded: dict[str, int] = {}
        self.refunds_asked: list[RefundRequest] = []
        self.say: dict[int, list[Outcome | Exception]] = {}
        """What is answered about a payout or a refund (by its number) before anything is looked at."""
        self.lost_answers = 0
        self.balances: dict[str, int] = {}
        """What creators have left there; unknown ones have all."""
        self._one = Lock()

    def available_minor(self, currency: str) -> int | None:
        return self.available

    def transfer(self, request: TransferRequest, at: datetime) -> Outcome:
        with self._one:
            self.asked.append(request)
            if self.say.get(request.payout_id):
                answer = self.say[request.payout_id].pop(0)
                if isinstance(answer, Exception):
                    raise answer
                return answer
            if request.destination is None:
                return Refused("there is no account")
            if request.key not in self.moved:
                assert self.available is not None
                if request.amount_minor > self.available:
                    return Refused("not enough available", passes=True)
                self.available -= request.amount_minor
                self.moved[request.key] = request
            if self.lost_answers:
                self.lost_answers -= 1
                return Unknown("the answer got lost")
            return Done(f"trf-{request.key}")

    def sent(self, creator_id: int) -> int:
        """What a creator was sent less what was taken back, in minor units."""
        mine = {key: each for key, each in self.moved.items() if each.creator_id == creator_id}
        back = sum(minor for key in mine for _, minor in self.reversals.get(f"trf-{key}", []))
        return sum(each.amount_minor for each in mine.values()) - back

    def look_at_transfer(self, reference: str) -> TransferState | None:
        request = self.moved.get(reference.removeprefix("trf-"))
        if request is None:
            return None
        return TransferState(
            reference=reference,
            payout_id=request.payout_id,
            attempt=request.attempt,
            amount_minor=request.amount_minor,
            reversals=tuple(self.reversals.get(reference, [])),
        )

    def reverse(self, transfer: str, amount_minor: int, *, key: str) -> Outcome:
        if amount_minor > self.balances.get(transfer, 10**9):
            return Refused("the creator's balance does not cover it")
        back = self.reversals.setdefault(transfer, [])
        if key not in (name for name, _ in back):
            back.append((key, amount_minor))
        if self.lost_answers:
            self.lost_answers -= 1
            return Unknown("the answer got lost")
        return Done(key)

    def refund(self, request: RefundRequest, at: datetime) -> Outcome:
        self.refunds_asked.append(request)
        if self.say.get(request.number):
            answer = self.say[request.number].pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        self.refunded.setdefault(request.key, request.amount_minor)
        if self.lost_answers:
            self.lost_answers -= 1
            return Unknown("the answer got lost")
        return Done(request.key)

    # What these tests never ask about.

    def enter_card(self, person_id: int, *, done: str, cancelled: str, at: datetime) -> Redirect:
        raise NotImplementedError

    def onboard(self, person_id: int, *, done: str, again: str, at: datetime) -> Redirect:
        raise NotImplementedError

    def authenticate(self, request: ChargeRequest, *, done: str, at: datetime) -> Redirect | Outcome:
        raise NotImplementedError

    def forget_card(self, reference: str) -> None:
        raise NotImplementedError

    def look_at_intent(self, reference: str) -> IntentState | None:
        raise NotImplementedError

    def look_at_setup(self, reference: str) -> SetupState | None:
        raise NotImplementedError

    def look_at_card(self, reference: str) -> CardOffer | None:
        raise NotImplementedError

    def look_at_account(self, reference: str) -> AccountState | None:
        raise NotImplementedError

    def look_at_refund(self, reference: str) -> RefundState | None:
        raise NotImplementedError

    def look_at_dispute(self, reference: str) -> DisputeState | None:
        raise NotImplementedError

    def look_at_warning(self, reference: str) -> WarningState | None:
        raise NotImplementedError

    def look_at_bank_payout(self, account: str, reference: str) -> BankPayoutState | None:
        raise NotImplementedError

    def movements(self, since: datetime | None) -> Iterator[MovementSeen]:
        raise NotImplementedError

    def check(self) -> None:
        raise NotImplementedError


def hosted(scene: Scene) -> Processor:
    """Let this scene's money go through such a processor."""
    scene.gateway = gateway = Processor(scene.db)
    assert isinstance(gateway, HostedGateway)
    return gateway


def account(reference: str, person_id: int | None = None, **more) -> AccountState:
    return AccountState(reference=reference, person_id=person_id, **{"active": True, **more})


def onboard(scene: Scene, person_id: int, reference: str = "", **more) -> str:
    """The processor says how a creator's account is: active, unless more is said."""
    reference = reference or f"acct-{person_id}"
    with scene.db.transaction() as tx:
        onboarding.learn(tx, scene.rules, account(reference, person_id, **more), scene.at)
    return reference


def paid_creator(scene: Scene, name: str) -> int:
    """A creator who has claimed and whose account is active."""
    person = scene.creator(name)
    onboard(scene, person)
    return person
