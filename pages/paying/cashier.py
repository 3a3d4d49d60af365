"""Leads people to the payment processor and takes in what they come back with; synchronous, for threads."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from datetime import datetime

from sqlmodel import Session

from core.access import visits
from core.access.tables import Visit
from core.access.visits import VisitRefused
from core.charges import answering, authenticating, unpaid
from core.charges.authenticating import NotDue, UnderWay
from core.charges.unpaid import Unpaid
from core.database import Database
from core.errands import keeping
from core.payments import counterparts
from core.payments.gateway import Refused, Unknown
from core.payments.hosted import HostedGateway, Unanswered
from core.payments.states import Redirect, SetupState
from core.people import cards, persons
from core.people.tables import Account
from core.recipients import onboarding
from core.rules import Rules
from pages.paying import telling, visitors
from pages.paying.telling import Closed, Door, Invitation, Told

log = logging.getLogger("flattr.pages")

_REFERENCE = re.compile(r"[A-Za-z0-9_]{1,255}", re.ASCII)
_LONGEST_NAME = 40


class Cashier:
    """One per hub; the gateway is never called inside a transaction."""

    def __init__(
        self,
        *,
        db: Database,
        rules: Rules,
        gateway: HostedGateway,
        clock: Callable[[], datetime],
        address: str,
        titles: Mapping[str, str],
    ) -> None:
        self._db = db
        self._rules = rules
        self._gateway = gateway
        self._clock = clock
        self._address = address.rstrip("/")
        self._titles = titles
        self.there = gateway.name.capitalize()
        """The processor's name for people."""

    # Going there

    def look(self, door: Door, token: str, session: str) -> Invitation | Told | None:
        """What an address is for; None: nothing any more. Looking uses nothing up."""
        at = self._clock()
        with self._db.reading() as tx:
            visit = visits.look(tx, token, at, session=session)
            if visit is None or not visitors.leads_to(visit, door):
                return None
            asker = tx.get(Account, visit.account_id) if visit.account_id is not None else None
            if asker is None or asker.person_id is None:
                return None
            person_id = persons.root_id(tx, asker.person_id)
            card = cards.card_of(tx, person_id)
            found = visitors.waiting_of(tx, visit, person_id) if door == "pay" else None
            if door == "pay" and found is None:
                return telling.nothing_to_pay()
            return Invitation(
                door=door,
                asked_by=f"{self._name(asker)} ({asker})",
                good_until=visit.expires_at if visit.used_at is None else visit.used_at + visits.STAY,
                card=telling.card_name(card) if card else "",
                what=telling.what(found, self._rules) if found else "",
                why=found.reason if found else "",
            )

    def leave(self, door: Door, token: str, session: str) -> str | Told:
        """Use the address up for this browser; where it has to go. Closed."""
        at = self._clock()
        with self._db.transaction() as tx:
            found = visits.look(tx, token, at, session=session)
            if found is not None and not visitors.leads_to(found, door):
                raise Closed("This address leads somewhere else. Write to the bot for a new one.")
            try:
                visit = visits.enter(tx, token, session=session, at=at)
            except VisitRefused as refused:
                raise Closed(str(refused)) from None
            person_id = visitors.person_of(tx, visit)
            tx.expunge(visit)
        return self._lead(door, visit, person_id, at)

    def again(self, door: Door, session: str) -> str | Told:
        """Once more, for a browser that is inside. Closed."""
        at = self._clock()
        with self._db.reading() as tx:
            visit = visits.inside(tx, platform=visitors.platform_of(door), session=session, at=at) if session else None
            if visit is None:
                raise Closed(f"This page is too old. Write {visitors.WORDS[door]} to the bot for a new address.")
            person_id = visitors.person_of(tx, visit)
            tx.expunge(visit)
        return self._lead(door, visit, person_id, at)

    def _lead(self, door: Door, visit: Visit, person_id: int, at: datetime) -> str | Told:
        try:
            match door:
                case "card":
                    done, cancelled = self._page("card/done"), self._page("card/cancelled")
                    return self._gateway.enter_card(person_id, done=done, cancelled=cancelled, at=at).address
                case "payouts":
                    with self._db.transaction() as tx:
                        theirs = onboarding.ensure(tx, person_id, at).person_id
                    done, again = self._page("payouts/done"), self._page("payouts/again")
                    return self._gateway.onboard(theirs, done=done, again=again, at=at).address
                case "pay":
                    return self._pay(visit, person_id, at)
        except Unanswered as silent:
            log.warning("%s gave no usable answer: %s", self._gateway.name, silent)
            return telling.unanswered(self.there, door)

    def _pay(self, visit: Visit, person_id: int, at: datetime) -> str | Told:
        with self._db.reading() as tx:
            found = visitors.waiting_of(tx, visit, person_id)
            latest = visitors.latest_try(tx, found.statement_id) if found else None
            before = latest is not None and latest.state == "asked" and latest.on_session
        if found is None:
            return self._standing(visit, person_id)
        which, done = telling.what(found, self._rules), self._page("pay/done")
        begun = authenticating.begin(self._db, self._rules, self._gateway, found.statement_id, done=done, at=at)
        if before and isinstance(begun, Refused):  # so ended what they began earlier; now they have pressed again
            begun = authenticating.begin(self._db, self._rules, self._gateway, found.statement_id, done=done, at=at)
        match begun:
            case Redirect(address):
                return address
            case UnderWay():
                return telling.under_way(which, theirs=False)
            case Unknown():
                return telling.unanswered(self.there, "pay")
            case Refused() if begun == authenticating.NO_CARD:
                return telling.no_card(which)
            case NotDue():
                return telling.nothing_to_pay()
        return done  # asked and answered at once; that page says how it stands

    # Coming back

    def card_back(self, reference: str, session: str) -> Told:
        """What became of entering a card; looked at only for a browser that is inside, and only if it is theirs."""
        at = self._clock()
        person_id = self._inside("card", session, at)
        if person_id is None:
            return telling.no_card_entered(None, inside=False)
        try:
            state = self._gateway.look_at_setup(reference) if _REFERENCE.fullmatch(reference) else None
        except Unanswered as silent:
            log.warning("%s gave no usable answer: %s", self._gateway.name, silent)
            self._look_later("setup", reference, at)
            return telling.unanswered(self.there, "card")
        with self._db.transaction() as tx:
            theirs = state is not None and state.person_id in persons.merged_ids(tx, person_id)
            if state is None or not theirs:
                return telling.no_card_entered(cards.card_of(tx, person_id), inside=True)
            cards.learn_setup(tx, self._rules, state, at)
            return self._taken(tx, state, person_id)

    def _taken(self, tx: Session, state: SetupState, person_id: int) -> Told:
        if state.card is None:
            if state.failure:
                return telling.card_not_taken(state.failure)
            return telling.no_card_entered(cards.card_of(tx, person_id), inside=True)
        held = cards.card_of(tx, person_id)
        if held is not None and held.reference == state.card.reference:
            waiting = tuple(telling.what(each, self._rules) for each in unpaid.of(tx, person_id))
            return telling.card_taken(held, waiting)
        if self._rules.countries and state.card.country not in self._rules.countries:
            return telling.card_of_nowhere(self._rules)
        return telling.no_card_entered(held, inside=True)  # replaced or removed since

    def _look_later(self, kind: str, reference: str | None, at: datetime) -> None:
        """They did their part, perhaps, and may not come back; and the event about it may never come."""
        if reference:
            with self._db.transaction() as tx:
                keeping.note(tx, kind, reference, at)

    def card_cancelled(self, session: str) -> Told:
        """They came back without entering a card."""
        person_id = self._inside("card", session, self._clock())
        with self._db.reading() as tx:
            card = cards.card_of(tx, person_id) if person_id is not None else None
        return telling.no_card_entered(card, inside=person_id is not None)

    def payouts_back(self, session: str) -> Told:
        """How far the creator is: the processor is asked, since the return address proves nothing."""
        at = self._clock()
        person_id = self._inside("payouts", session, at)
        if person_id is None:
            return telling.payouts_outside()
        with self._db.reading() as tx:
            row = onboarding.recipient_of(tx, person_id)
            account = row.account or counterparts.name(tx, "account", row.person_id) if row else None
        try:
            state = self._gateway.look_at_account(account) if account else None
        except Unanswered as silent:
            log.warning("%s gave no usable answer: %s", self._gateway.name, silent)
            self._look_later("account", account, at)
            return telling.unanswered(self.there, "payouts")
        with self._db.transaction() as tx:
            if state is not None:
                onboarding.learn(tx, self._rules, state, at)
            row = onboarding.recipient_of(tx, person_id)
            can_pay = onboarding.can_pay(tx, self._gateway, person_id)
            return telling.payouts(row, self._rules, self.there, can_pay=can_pay)

    def pay_back(self, session: str) -> Told:
        """What became of confirming a charge: the processor is asked."""
        at = self._clock()
        with self._db.reading() as tx:
            visit = visits.inside(tx, platform=visitors.platform_of("pay"), session=session, at=at) if session else None
            if visit is None:
                return telling.pay_outside()
            person_id = visitors.person_of(tx, visit)
            statement = visitors.statement_of(tx, visit, person_id)
            intent = counterparts.name(tx, "intent", statement.id) if statement and statement.id else None
            tx.expunge_all()
        try:
            state = self._gateway.look_at_intent(intent) if intent else None
        except Unanswered as silent:
            log.warning("%s gave no usable answer: %s", self._gateway.name, silent)
            return telling.unanswered(self.there, "pay")
        if state is not None:
            with self._db.transaction() as tx:
                answering.learn(tx, self._rules, state, at)
        refused = state.failure if state is not None and state.state == "open" else None
        return self._standing(visit, person_id, refused)

    def _standing(self, visit: Visit, person_id: int, refused: Refused | None = None) -> Told:
        """How a statement stands by the hub's own books; ``refused``: what the bank said to who asked it just now."""
        with self._db.reading() as tx:
            row = visitors.statement_of(tx, visit, person_id)
            if row is None or row.id is None:
                return telling.nothing_to_pay()
            found = next((each for each in unpaid.of(tx, person_id) if each.statement_id == row.id), None)
            latest = visitors.latest_try(tx, row.id)
            if row.state == "collected":
                whole = Unpaid(
                    statement_id=row.id,
                    month=row.month,
                    amount_micros=row.charge_micros,
                    reason="",
                    next_attempt_at=None,
                )
                return telling.paid(telling.what(whole, self._rules))
            if found is None:
                return telling.nothing_to_pay()
            if latest is not None and latest.state == "asked" and latest.on_session and refused is not None:
                return telling.not_confirmed(telling.what(found, self._rules), refused.reason)
            if latest is not None and latest.state == "asked":
                return telling.under_way(telling.what(found, self._rules), theirs=latest.on_session)
            return telling.not_paid(found, self._rules)

    # Who it is

    def _inside(self, door: Door, session: str, at: datetime) -> int | None:
        """The person whose address this browser has entered a while ago; None: nobody's."""
        if not session:
            return None
        with self._db.reading() as tx:
            visit = visits.inside(tx, platform=visitors.platform_of(door), session=session, at=at)
            try:
                return visitors.person_of(tx, visit) if visit is not None else None
            except Closed:
                return None

    def _page(self, path: str) -> str:
        return f"{self._address}/{path}"

    def _name(self, account: Account) -> str:
        """An account for people: what others wrote must not look like lines of ours."""
        title = self._titles.get(account.platform, account.platform)
        handle = " ".join((account.handle or "").split())[:_LONGEST_NAME]
        return f"{handle} on {title}" if handle else f"{title} account {account.account_id}"
