"""A whole hub at the fake Stripe, for machines: people, a clock, events on their way, and death at any step."""

from __future__ import annotations

import contextlib
import logging
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from connectors.base import Delivery
from core.books import invariants
from core.charges import answering, authenticating
from core.charges.authenticating import Begun
from core.errands import keeping
from core.errands import running as errands
from core.money import currency
from core.months import runner
from core.payments import counterparts
from core.payments.hosted import Unanswered
from core.payments.states import Redirect
from core.payments.stripe.gateway import StripeGateway
from core.payments.stripe.pace import Pace
from core.people import cards as held_cards
from core.people import claims, leaving, persons
from core.recipients import onboarding
from core.reconciling import running as reconciling
from core.rules import Rules
from tests.core.month_machine_fate import Fate, Killed, MortalDatabase, watched
from tests.platforms.stripe import cards
from tests.platforms.stripe.errors import StripeError
from tests.platforms.stripe.fake import FakeStripe
from tests.scene import Scene
from webhooks.stripe import SECRET, SIGNATURE, StripeEvents

START = datetime(2026, 11, 10, 12, tzinfo=UTC)
RULES = Rules(
    money=currency("EUR"),
    pseudonym_key=b"a key for tests only",
    fee_bp=971,
    cost_bp=150,
    cost_fixed_micros=250_000,
    retry_unknown=timedelta(hours=6),
    pending_per_creator=2,
    hold_micros=15_000_000,
    hold_mutual_bp=10_000,
    hold_new=timedelta(0),
    countries=frozenset({"DE", "FR"}),
)
"""With holds of one kind only: of a sum that is large, and most of what its creator gets. With a fee that seldom leaves
a sum that can be divided without a rest, and little room for older flattrs, so that both are met often."""

EVENTS = StripeEvents()


@dataclass
class World:
    """One hub with its database, its Stripe and its people; it is killed by `Killed` and goes on after it."""

    db: MortalDatabase
    fate: Fate
    stripe: FakeStripe
    rules: Rules = RULES
    at: datetime = START
    gateway: StripeGateway = field(init=False)
    scene: Scene = field(init=False)
    complaints: list[str] = field(default_factory=list)
    """What was logged as a bug."""

    def __post_init__(self) -> None:
        self.scene = Scene(self.db, self.rules, self.at)
        self.start()

    def start(self) -> None:
        """A new process: it knows what is in the database, and nothing else."""
        self.fate.revive()
        self.db.dispose()
        self.gateway = StripeGateway(
            self.db, key=self.stripe.key, api=self.stripe.address, address="https://hub.example", pace=Pace(10**9)
        )
        self.gateway.at_once = 1  # so that a run can be repeated
        self.scene.gateway = self.gateway

    def now(self) -> datetime:
        """The time of something that happens now; never the same twice."""
        self.later(seconds=1)
        return self.at

    def later(self, **step: float) -> None:
        self.at += timedelta(**step)
        self.scene.at = self.at

    # The hub's own work

    def run_errands(self) -> None:
        errands.run(self.db, self.rules, self.gateway, self.now())

    def advance(self) -> None:
        runner.advance(self.db, self.rules, self.gateway, self.now())

    def reconcile(self) -> reconciling.Result | None:
        with contextlib.suppress(Unanswered):
            return reconciling.run(self.db, self.rules, self.gateway, self.now())
        return None

    def killed_at(self, step: int, work: Callable[[], None]) -> bool:
        """Work, but be killed at a step of it (if there are so many), and started again."""
        self.fate.steps.clear()
        self.fate.ends_at = step
        try:
            work()
        except Killed:
            return True
        finally:
            self.start()
        return False

    # What people do

    def enter_card(self, person_id: int, card: cards.Card, *, comes_back: bool = True) -> bool:
        """At Stripe's page; False if it was not taken there. Who does not come back leaves it to the event."""
        try:
            way = self.gateway.enter_card(
                person_id, done="https://hub.example/card/done", cancelled="https://hub.example", at=self.now()
            )
            back = self.stripe.person_enters_card(way.address, card)
            state = self.gateway.look_at_setup(parse_qs(urlsplit(back).query)["session_id"][0]) if comes_back else None
        except (Unanswered, cards.CardRefused):
            return False
        if state is not None:
            with self.db.transaction() as tx:
                held_cards.learn_setup(tx, self.rules, state, self.now())
        return True

    def remove_card(self, person_id: int) -> bool:
        with self.db.transaction() as tx:
            return held_cards.remove(tx, person_id, self.now())

    def claim(self, person_id: int) -> None:
        with self.db.transaction() as tx:
            can_pay = onboarding.can_pay(tx, self.gateway, person_id)
            claims.claim(tx, self.rules, person_id=person_id, at=self.now(), can_pay=can_pay)
            onboarding.ensure(tx, person_id, self.at)

    def onboard(
        self, person_id: int, *, finish: bool = True, checked: bool = True, comes_back: bool = True, country: str = "DE"
    ) -> None:
        """At Stripe's pages."""
        with self.db.transaction() as tx:
            theirs = onboarding.ensure(tx, person_id, self.now()).person_id
        try:
            way = self.gateway.onboard(
                theirs, done="https://hub.example/back", again="https://hub.example/again", at=self.at
            )
        except Unanswered:
            return
        with self.db.reading() as tx:
            account = counterparts.name(tx, "account", theirs)
        assert account is not None
        if finish:
            self.stripe.objects[account]["_identity"]["country"] = country
        self.stripe.person_onboards(way.address, finish=finish, checked=checked)
        if comes_back:
            self.look_at_account(account)

    def look_at_account(self, account: str) -> None:
        with contextlib.suppress(Unanswered):
            if (state := self.gateway.look_at_account(account)) is not None:
                with self.db.transaction() as tx:
                    onboarding.learn(tx, self.rules, state, self.now())

    def confirm(self, statement_id: int) -> Begun:
        """A patron presses the button to confirm a charge with their bank; where it leads."""
        return authenticating.begin(
            self.db, self.rules, self.gateway, statement_id, done="https://hub.example/pay/done", at=self.now()
        )

    def at_the_bank(self, way: Redirect, *, passes: bool | None, comes_back: bool = True) -> None:
        """They answer their bank (None: as the card says), if it still asks."""
        try:
            back = self.stripe.person_authenticates(way.address, passes=passes)
        except StripeError:
            return  # the page has ended
        if comes_back:
            with contextlib.suppress(Unanswered):
                state = self.gateway.look_at_intent(parse_qs(urlsplit(back).query)["payment_intent"][0])
                if state is not None:
                    with self.db.transaction() as tx:
                        answering.learn(tx, self.rules, state, self.now())

    def leave(self, person_id: int) -> None:
        with self.db.transaction() as tx:
            leaving.stop(tx, self.rules, person_id, self.now())

    # Events

    def hear(self, chance: random.Random | None = None, **likely: float) -> int:
        """Take what Stripe tells, through the same verification and translation as the web server does."""
        at = self.now()
        taken = self.stripe.take_events() if chance is None else self.stripe.shuffled(chance, **likely)
        secrets = (self.stripe.webhook_secret, self.stripe.connect_secret, self.stripe.thin_secret)
        for each in taken:
            header = each.signed(int(at.timestamp()))["Stripe-Signature"]
            delivery = Delivery(
                method="POST",
                path="/webhooks/stripe",
                body=each.body,
                headers={SIGNATURE: (header,)},
                received_at=at,
            )
            EVENTS.verify(delivery, {SECRET: tuple(secret.encode() for secret in secrets)})
            with self.db.transaction() as tx:
                for noted in EVENTS.translate(delivery):
                    keeping.note(tx, noted.kind, noted.reference, at)
        return len(taken)

    # What must be true at any time

    def check(self) -> None:
        with self.db.reading() as tx:
            assert [str(each) for each in invariants.broken(tx)] == []
        assert self.stripe.lies == []
        assert self.complaints == []

    def account_of(self, name: str) -> str | None:
        """A person's account at Stripe, if they have one."""
        with self.db.reading() as tx:
            person = persons.person_of(tx, self.scene.account(name))
            return counterparts.name(tx, "account", person.id) if person and person.id else None


class _Complaints(logging.Handler):
    def __init__(self, told: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._told = told

    def emit(self, record: logging.LogRecord) -> None:
        self._told.append(record.getMessage())


@contextlib.contextmanager
def world_in(folder: Path, template: Path) -> Iterator[World]:
    """A new world on a copy of a migrated database; whether Stripe saw only honest requests the caller may ask."""
    path = folder / "hub.db"
    shutil.copyfile(template, path)
    fate = Fate()
    db = MortalDatabase(f"sqlite:///{path}", fate)
    made: list[World] = []
    with FakeStripe.serve(lambda: made[0].at if made else START, honest=False) as stripe, watched(fate):
        world = World(db=db, fate=fate, stripe=stripe)
        made.append(world)
        handler, log = _Complaints(world.complaints), logging.getLogger("flattr")
        log.addHandler(handler)
        try:
            yield world
        finally:
            log.removeHandler(handler)
            db.dispose()
