"""Says things on Messenger: as the Page that somebody wrote to, and only while Facebook lets it answer."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import sqlalchemy as sa
from sqlmodel import Session, col, select

from connectors import facebook
from connectors.base import Asker
from connectors.client import Forbidden, Limited, Unanswered, Unreachable
from connectors.facebook import Facebook, Refusal
from connectors.linking import Grant, Withdrawn
from connectors.speaking import Button, Picture, Unheard
from core.database import Database
from core.events import AccountRef
from core.mail import outbox
from core.mail.tables import OutboxNote
from core.people import persons

log = logging.getLogger("flattr.facebook")

INTRODUCTION = "I am a bot, the Flattr Hub's; no human reads this.\n\n"
"""Said before the first message to somebody: an automated talk has to say what it is."""

LIMIT = 2000 - len(INTRODUCTION)
"""Characters of one message beside the introduction."""

WINDOW = timedelta(hours=24)
"""How long after somebody's last message a Page may answer."""

OUTSIDE = "waits: Messenger lets a Page write within 24 hours of the person's last message; it goes out once they write"
"""Why a note waits that Messenger does not take now."""

KEPT = timedelta(days=30)
"""What has waited longer for somebody to write is not news any more."""

_MOST_REMEMBERED = 100_000
_HOUR = 3600.0
_LOOK_AGAIN = 6 * _HOUR
_FOR_PICTURE = 15.0
"""Seconds; the words after it need some of the sender's patience too."""

_CANNOT_WRITE = {
    (551, None): "this person does not take messages from the Page",
    (100, 2018001): "Messenger does not know this person on the Page",
    (100, None): "Messenger does not take this message",
    (200, 2018028): "Messenger lets the app write only to people with a role in it until App Review is through",
}
_OUTSIDE_CODES = {(10, 2018278), (10, 2534022), (10, 2018065)}
"""https://developers.facebook.com/docs/messenger-platform/error-codes"""
_UNAVAILABLE = 1545041
"""Whoever takes no messages from the Page: the subcode of more than one code."""
_SENT_ALL_THE_SAME = (1, 1357046)
"""Facebook's list of errors says of it that the messages have been sent."""


class Grants(Protocol):
    """Who keeps members' access (`bot.access.AccessKeeper`)."""

    async def grant(self, account: AccountRef) -> Grant | None:
        """What to ask with; None: nothing was granted, or it has ended."""

    async def withdrawn(self, account: AccountRef, grant: Grant | None = None) -> None:
        """The platform refuses it for good."""


class FacebookMouth:
    """A Mouth for accounts like PAGE:PSID.

    Messenger shows a message twice that is sent twice, so what may have arrived is not said again.
    """

    platform = facebook.PLATFORM
    limit = LIMIT
    remembers_keys = False

    def __init__(
        self, *, db: Database, connector: Facebook, asker: Asker, access: Grants, clock: Callable[[], datetime]
    ) -> None:
        self._db = db
        self._connector = connector
        self._asker = asker
        self._access = access
        self._clock = clock
        self._introduced: set[str] = set()
        """Accounts that were told already; only to look less often."""
        self._shown: deque[str] = deque(maxlen=1000)
        """Messages whose picture was tried already: it is not shown again when the words are."""

    async def say(
        self,
        account_id: str,
        text: str,
        *,
        key: str,
        buttons: Sequence[Button] = (),
        picture: Picture | None = None,
    ) -> None:
        """Send one message; Unheard if that failed, or if it has to wait until the person writes."""
        page_id, _, psid = account_id.partition(":")
        if not (page_id.isdigit() and psid.isdigit()):
            raise Unheard("Facebook lets nobody write to this account; the person has to write to a Page", final=True)
        spoke_at, is_first = await asyncio.to_thread(self._known, account_id)
        if spoke_at is not None and self._clock() - spoke_at >= WINDOW:
            raise Unheard(OUTSIDE, retry_after=_LOOK_AGAIN)
        page = facebook.page(page_id)
        try:
            grant = await self._access.grant(page)
        except Unanswered as unanswered:
            raise Unheard(str(unanswered), retry_after=unanswered.retry_after) from None
        if grant is None:
            raise Unheard("the Page is not connected any more; whoever manages it has to sign in", retry_after=_HOUR)
        words = INTRODUCTION + text if is_first else text
        if picture is not None and not is_first and key not in self._shown:
            await self._show(grant, psid, picture)
            self._shown.append(key)
        try:
            await self._connector.send(self._asker, grant, psid, words, buttons=buttons)
        except Withdrawn:
            await self._access.withdrawn(page, grant)
            raise Unheard(
                "Facebook has ended the Page's access; whoever manages it has to sign in", retry_after=_HOUR
            ) from None
        except Refusal as refusal:
            raise _unheard(refusal) from None
        except (Limited, Forbidden) as limited:
            raise Unheard(str(limited), retry_after=limited.retry_after) from None
        except Unreachable as unreachable:
            if unreachable.perhaps_done:
                raise Unheard(outbox.UNKNOWN, final=True) from None
            raise Unheard(str(unreachable), retry_after=unreachable.retry_after) from None
        except Unanswered:
            # A 200 that cannot be read was sent by somebody who took the message.
            raise Unheard(outbox.UNKNOWN, final=True) from None

    async def _show(self, grant: Grant, psid: str, picture: Picture) -> None:
        """The picture, a message of its own; before the words, whose quick replies would be gone with any later one.

        Whatever fails here, the words go out: they meet the same failure, or none.
        """
        try:
            async with asyncio.timeout(_FOR_PICTURE):
                await self._connector.send_picture(self._asker, grant, psid, picture)
        except (Withdrawn, Refusal, Unanswered, TimeoutError) as failed:
            log.warning("Messenger did not take a picture: %s", type(failed).__name__)

    def _known(self, account_id: str) -> tuple[datetime | None, bool]:
        """When a member last wrote, and whether nothing was said to this account before."""
        ref = AccountRef(platform=self.platform, account_id=account_id)
        with self._db.reading() as tx:
            account = persons.account_of(tx, ref)
            spoke_at = account.spoke_at if account is not None else None
            if account_id in self._introduced:
                return spoke_at, False
            said = sa.or_(col(OutboxNote.state) == "sent", col(OutboxNote.parts_sent) > 0)
            before = tx.exec(select(OutboxNote.id).where(OutboxNote.sent_to == str(ref), said).limit(1)).first()
            if before is not None and len(self._introduced) < _MOST_REMEMBERED:
                self._introduced.add(account_id)
            return spoke_at, before is None


def _unheard(refusal: Refusal) -> Unheard:
    numbers = (refusal.code, refusal.subcode)
    if refusal.is_ours:
        return Unheard(str(refusal), retry_after=_HOUR)
    if numbers in _OUTSIDE_CODES:
        return Unheard(OUTSIDE, retry_after=_LOOK_AGAIN)
    if numbers == _SENT_ALL_THE_SAME:
        return Unheard(outbox.UNKNOWN, final=True)
    is_closed = refusal.code == 551 or refusal.subcode == _UNAVAILABLE
    reason = _CANNOT_WRITE[551, None] if is_closed else _CANNOT_WRITE.get(numbers)
    if reason is not None:
        return Unheard(f"{reason} (error {refusal.code})", final=True)
    if refusal.code in (3, 10) or 200 <= refusal.code < 300:
        return Unheard(f"{refusal}: the app lacks pages_messaging for this Page; see its App Review", retry_after=_HOUR)
    if refusal.code == 368:
        return Unheard(f"{refusal}: Facebook has blocked the Page from writing for now", retry_after=_LOOK_AGAIN)
    return Unheard(str(refusal), retry_after=refusal.retry_after or 60.0)


def wake(tx: Session, at: datetime) -> int:
    """Let notes go out now that waited for people who have written since; how many. Safe to repeat."""
    query = (
        select(OutboxNote)
        .where(OutboxNote.error == OUTSIDE, col(OutboxNote.state).in_(("waiting", "failed")))
        .where(col(OutboxNote.created_at) > at - KEPT, col(OutboxNote.next_at) > at - KEPT)
        .with_for_update(skip_locked=True)
    )
    woken = 0
    for note in tx.exec(query).all():
        platform, _, account_id = (note.sent_to or "").partition(":")
        account = persons.account_of(tx, AccountRef(platform=platform, account_id=account_id))
        tried_at = note.next_at - timedelta(seconds=_LOOK_AGAIN)
        if account is not None and account.spoke_at is not None and account.spoke_at > tried_at:
            note.state, note.next_at, note.first_at, note.error = "waiting", at, None, None
            woken += 1
    tx.flush()
    return woken
