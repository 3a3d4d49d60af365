"""Signing in on a platform, from the personal address to the account that is linked: the service behind the pages.

It asks the platform outside any transaction, and writes what came of it in one: the access that was given, sealed,
whose the account is from now on, and a note to who asked.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Protocol
from urllib.parse import urlsplit

from sqlmodel import Session

from connectors.base import Asker
from connectors.client import Unanswered
from connectors.linking import Admission, Intent, LinkingConnector, NotAdmitted
from core.access import admission, grants, visits
from core.access.admission import Arrival, Invitation, TurnedAway, Welcome
from core.access.tables import Visit
from core.access.visits import VisitRefused
from core.database import Database, is_away, to_micros
from core.events import AccountRef
from core.mail import outbox
from core.mail.sealing import Seal
from core.people import audit, persons
from core.people.tables import Account
from core.rules import Rules

log = logging.getLogger("flattr.linking")

_LONGEST_NAME = 40
_PAUSES = (0.1, 0.5, 2.0)
"""Seconds to wait for a database that is away."""


class Signed(Protocol):
    """A platform where people sign in, and what it is asked with."""

    @property
    def connector(self) -> LinkingConnector:
        """The connector."""

    @property
    def asker(self) -> Asker:
        """What it asks with."""


class SigningIn:
    """One for the hub. ``platforms``: those that are on. ``address``: the hub's public one, without a last slash.

    ``titles``: the networks' names for people. ``likeless``: platforms on which likes do not count here.
    ``told`` is called when there is something in the outbox.
    """

    def __init__(
        self,
        *,
        db: Database,
        seal: Seal,
        rules: Rules,
        platforms: Mapping[str, Signed],
        titles: Mapping[str, str],
        clock: Callable[[], datetime],
        address: str,
        likeless: Collection[str] = (),
        told: Callable[[], None] = lambda: None,
    ) -> None:
        self._db = db
        self._seal = seal
        self._rules = rules
        self._platforms = platforms
        self._titles = titles
        self._clock = clock
        self._address = address.rstrip("/")
        self._likeless = frozenset(likeless)
        self._told = told

    def callback(self, platform: str) -> str:
        """Where a platform sends people back to: exactly what is registered there."""
        return f"{self._address}/link/{platform}/callback"

    # The page before

    async def look(self, token: str) -> Invitation | None:
        """What a personal address is for; None: it is for nothing (any more). Looking uses nothing up."""
        return await asyncio.to_thread(self._look, token)

    def _look(self, token: str) -> Invitation | None:
        with self._db.reading() as tx:
            visit = visits.look(tx, token, self._clock())
            if visit is None or visit.platform not in self._platforms:
                return None
            by = tx.get_one(Account, visit.account_id) if visit.account_id is not None else None
            return Invitation(
                platform=visit.platform,
                title=self._title(visit.platform),
                intent=visit.intent,
                asked_by=f"{self._name(persons.ref(by))} ({by})" if by is not None else "",
                counts=self._platforms[visit.platform].connector.card.what_counts,
                expires_at=visit.expires_at,
                likes=visit.platform not in self._likeless,
            )

    # The way there

    async def depart(self, token: str, session: str) -> str:
        """The platform's address for the browser that has this session; TurnedAway if there is no way."""
        visit = await asyncio.to_thread(self._open, token)
        signed = self._platforms[visit.platform]
        state = visits.new_secret()
        try:
            departure = await signed.connector.authorize(
                signed.asker, state=state, callback=self.callback(visit.platform), intent=_intent(visit)
            )
        except Unanswered as unanswered:
            log.warning("nobody can sign in on %s: %s", visit.platform, unanswered)
            raise TurnedAway(self._does_not_answer(visit), status=503, again=True) from None
        if urlsplit(departure.url).scheme not in ("https", "http"):
            raise ValueError(f"the connector {visit.platform} sends people to no web address")
        kept = self._seal.seal(json.dumps(dict(departure.kept)).encode())
        await asyncio.to_thread(self._depart, token, state, kept, session)
        return departure.url

    def _open(self, token: str) -> Visit:
        with self._db.reading() as tx:
            visit = visits.look(tx, token, self._clock())
        if visit is None or visit.platform not in self._platforms:
            raise TurnedAway('This address is too old or was used. Write "link" to the bot for a new one.', status=410)
        return visit

    def _depart(self, token: str, state: str, kept: bytes, session: str) -> None:
        try:
            with self._db.transaction() as tx:
                visits.depart(tx, token, state=state, kept=kept, session=session, at=self._clock())
        except VisitRefused as refused:
            raise TurnedAway(str(refused)) from None

    # The way back

    async def arrive(self, platform: str, query: Mapping[str, str], session: str) -> Arrival:
        """What came of a sign-in, by what the platform sent along; TurnedAway if it came to nothing.

        A state is good for one arrival, whatever comes of it. The address may be used again unless it has led to
        a link: a person who changed their mind, or found the platform down, needs no new one.
        """
        if platform not in self._platforms:
            raise TurnedAway("Nobody signs in there on this hub.", status=404)
        state = query.get("state", "")
        visit = await asyncio.to_thread(self._arrive, platform, state if state.isascii() else "", session)
        signed = self._platforms[platform]
        try:
            admitted = await signed.connector.exchange(
                signed.asker,
                query=query,
                kept=json.loads(self._seal.open(visit.kept)) if visit.kept else {},
                callback=self.callback(platform),
                intent=_intent(visit),
            )
        except NotAdmitted as refused:
            await asyncio.to_thread(self._reopen, visit)
            status = 200 if refused.declined else 400
            raise TurnedAway(str(refused), status=status, declined=refused.declined, again=True) from None
        except Unanswered as unanswered:
            log.warning("a sign-in on %s came to nothing: %s", platform, unanswered)
            await asyncio.to_thread(self._reopen, visit)
            raise TurnedAway(self._does_not_answer(visit), status=503, again=True) from None
        arrival = await self._surely(visit, admitted)
        self._told()
        return arrival

    async def _surely(self, visit: Visit, admitted: Admission) -> Arrival:
        """Write it down, patiently: what the platform gave for the code, it gives once."""
        for pause in _PAUSES:
            try:
                return await asyncio.to_thread(self._admit, visit, admitted)
            except Exception as error:
                if not is_away(error):
                    raise
                log.warning("a sign-in on %s waits for the database: %s", visit.platform, type(error).__name__)
                await asyncio.sleep(pause)
        return await asyncio.to_thread(self._admit, visit, admitted)

    def _arrive(self, platform: str, state: str, session: str) -> Visit:
        try:
            with self._db.transaction() as tx:
                return visits.arrive(tx, platform=platform, state=state, session=session, at=self._clock())
        except VisitRefused as refused:
            raise TurnedAway(str(refused)) from None

    def _reopen(self, visit: Visit) -> None:
        with self._db.transaction() as tx:
            admission.reopen(tx, visit)

    def _admit(self, visit: Visit, admitted: Admission) -> Arrival:
        at = self._clock()
        with self._db.transaction() as tx:
            welcome: Welcome | None = None
            asked_on = ""
            if visit.account_id is not None:
                by = persons.ref(tx.get_one(Account, visit.account_id))
                welcome = admission.admit(tx, self._rules, by=by, account=admitted.account, also=admitted.also, at=at)
                asked_on = self._title(by.platform)
            else:
                audit.note(tx, at, "operator", "lend", f"{admitted.account} lends the hub its access")
            if admission.still_there(tx, visit) is None:  # asked last, when nobody can leave beside us any more
                raise TurnedAway("You left while you signed in. Nothing was linked.", status=410)
            self._keep(tx, admitted, at)
            arrival = self._arrival(visit, admitted, welcome, asked_on)
            if visit.account_id is not None and (text := _note(arrival)):
                source = f"signed-in:{visit.id}:{to_micros(at)}"
                buttons = [("Accounts", "accounts"), ("Status", "status")]
                outbox.put(tx, kind="answer", source=source, at=at, to=by, text=text, buttons=buttons)
        log.info("%s: an account signed in", visit.platform)
        return arrival

    def _keep(self, tx: Session, admitted: Admission, at: datetime) -> None:
        for grant in sorted(admitted.grants, key=lambda each: str(each.account)):
            grants.keep(tx, grant.account, self._seal.seal(grant.packed()), expires_at=grant.expires_at, at=at)

    def _arrival(self, visit: Visit, admitted: Admission, welcome: Welcome | None, asked_on: str) -> Arrival:
        return Arrival(
            platform=visit.platform,
            title=self._title(visit.platform),
            intent=visit.intent,
            asked_on=asked_on,
            accounts=tuple((self._name(each.account), str(each.account), each.what) for each in welcome.accounts)
            if welcome is not None
            else ((self._name(admitted.account), str(admitted.account), "linked"),),
            answer_on=next((self._title(each.asked_on) for each in welcome.accounts if each.asked_on), "")
            if welcome is not None
            else "",
            moved=welcome.moved if welcome is not None else 0,
            likes=visit.platform not in self._likeless,
        )

    # Words

    def _title(self, platform: str) -> str:
        return self._titles.get(platform, platform)

    def _name(self, ref: AccountRef) -> str:
        """An account for people: what others wrote must not look like lines of ours."""
        title = self._title(ref.platform)
        handle = " ".join((ref.handle or "").split())[:_LONGEST_NAME]
        return f"{handle} on {title}" if handle else f"{title} account {ref.account_id}"

    def _does_not_answer(self, visit: Visit) -> str:
        until = f"{visit.expires_at:%H:%M}"
        return (
            f"{self._title(visit.platform)} does not answer just now, and nothing was linked. Try again in a few"
            f" minutes: the same address is good until {until} UTC."
        )


def _intent(visit: Visit) -> Intent:
    match visit.intent:
        case "receive" | "bot" as intent:
            return intent
    return "link"


def _note(arrival: Arrival) -> str:
    """What the asking account is told."""
    lines = []
    for name, ref, what in arrival.accounts:
        match what:
            case "linked" if arrival.intent == "receive":
                lines.append(f'Linked: {name} is yours here. To be paid for what is liked there, say "claim".')
            case "linked" if not arrival.likes:
                lines.append(f"Linked: {name} is yours here. Likes there do not count on this hub.")
            case "linked":
                lines.append(f"Linked: {name} is yours here, and its likes count from now on.")
            case "known":
                lines.append(f"{name} is linked to you, and I can see what I need there again.")
            case "asked":
                lines.append(
                    f"{name} is another person's here. If that is you too, answer yes on {arrival.answer_on}: I have"
                    " asked you there. Until then nothing is linked."
                )
            case "taken":
                lines.append(f"{name} is another person's here and was left alone.")
        if what == "linked":
            lines.append(f'Not yours? "unlink {ref}" takes it away.')
    if arrival.moved:
        verb = "counts" if arrival.moved == 1 else "count"
        lines.append(f"{arrival.moved} older {'like' if arrival.moved == 1 else 'likes'} for your things now {verb}.")
    return "\n".join(lines)
