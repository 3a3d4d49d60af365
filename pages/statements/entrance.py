"""Who may look at the pages of statements: the browser that used a personal address up, for its while. For threads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlmodel import Session

from core.access import visits
from core.access.tables import Visit
from core.access.visits import VisitRefused
from core.database import Database
from core.people import persons
from core.people.tables import Account
from core.statements.plain import one_line

T = TypeVar("T")


class Closed(Exception):
    """There is nothing to see; the text is a sentence for the person."""

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class Invitation:
    """What an address is for, before it is used up."""

    asked_by: str
    good_until: datetime


@dataclass(frozen=True, slots=True)
class Guest:
    """Whose money a browser may look at, and which month it came for."""

    person_id: int
    intent: str
    at: datetime


class Entrance:
    """The door of one page; ``page`` is also the word to write for a new address."""

    def __init__(self, page: str, db: Database, clock: Callable[[], datetime]) -> None:
        self._page = page
        self._platform = f"{visits.OWN}{page}"
        self._db = db
        self._clock = clock

    def look(self, token: str, session: str) -> Invitation:
        """What an address is for; Closed. Looking uses nothing up."""
        at = self._clock()
        with self._db.reading() as tx:
            visit = visits.look(tx, token, at, session=session)
            account = self._account(tx, visit)
            if visit is None or account is None:
                remedy = f'Write "{self._page}" to the bot for a new one.'
                raise Closed(f"This address is too old or was used already. {remedy}", 410)
            until = visit.expires_at if visit.used_at is None else visit.used_at + visits.STAY
            return Invitation(one_line(account.handle or account.account_id), until)

    def enter(self, token: str, session: str) -> None:
        """Use an address up for this browser; Closed."""
        at = self._clock()
        with self._db.transaction() as tx:
            known = visits.look(tx, token, at, session=session)
            if known is not None and known.platform != self._platform:
                raise Closed("This address leads to another page. Write to the bot for a new one.", 410)
            try:
                visits.enter(tx, token, session=session, at=at)
            except VisitRefused as refused:
                raise Closed(str(refused), 410) from None

    def inside(self, session: str, read: Callable[[Session, Guest], T]) -> T:
        """What a browser that has entered wants to see; Closed for any other."""
        at = self._clock()
        with self._db.reading() as tx:
            visit = visits.inside(tx, platform=self._platform, session=session, at=at) if session else None
            account = self._account(tx, visit)
            if visit is None or account is None or account.person_id is None:
                why = "This page is somebody's own, and this browser may not look at it, or not any more."
                raise Closed(f'{why} Write "{self._page}" to the bot for a new address.', 403)
            return read(tx, Guest(persons.root_id(tx, account.person_id), visit.intent, at))

    def _account(self, tx: Session, visit: Visit | None) -> Account | None:
        """The account that asked, if it is still somebody's, and asked for this page."""
        if visit is None or visit.platform != self._platform or visit.account_id is None:
            return None
        account = tx.get(Account, visit.account_id)
        return account if account is not None and account.person_id is not None else None
