"""The hub on Facebook: the mouth on Messenger, and what is done every minute for the connected Pages."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from bot.facebook import mouth as facebook_mouth
from bot.facebook import rows
from bot.facebook.mouth import LIMIT, FacebookMouth, Grants
from bot.facebook.pages import FacebookPages
from connectors import facebook
from connectors.base import Asker
from connectors.facebook import Facebook
from connectors.speaking import Button, Picture
from core.database import Database, is_away
from core.rules import Rules

_log = logging.getLogger(__name__)

AHEAD = timedelta(days=5)
"""How long before its end people are asked to renew their sign-in."""


class FacebookPresence:
    """A Mouth for the outbox, and a `round` for the schedule (every minute; it reads only what is due)."""

    platform = facebook.PLATFORM
    limit = LIMIT
    remembers_keys = False

    def __init__(
        self,
        *,
        db: Database,
        rules: Rules,
        connector: Facebook,
        asker: Asker,
        access: Grants,
        clock: Callable[[], datetime],
        holder: str,
        poke: Callable[[], None] = lambda: None,
        likes: bool = True,
    ) -> None:
        """``poke`` wakes the outbox's sender; ``holder`` names this process among those that share the database;
        ``likes``: whether the operator lets them be listened to.
        """
        self._db = db
        self._clock = clock
        self._poke = poke
        self._mouth = FacebookMouth(db=db, connector=connector, asker=asker, access=access, clock=clock)
        self.pages = FacebookPages(
            db=db,
            rules=rules,
            connector=connector,
            asker=asker,
            access=access,
            clock=clock,
            holder=holder,
            likes=likes,
        )

    async def say(
        self,
        account_id: str,
        text: str,
        *,
        key: str,
        buttons: Sequence[Button] = (),
        picture: Picture | None = None,
    ) -> None:
        """Send one message; Unheard if that failed."""
        await self._mouth.say(account_id, text, key=key, buttons=buttons, picture=picture)

    async def round(self) -> None:
        """Let notes go to whom may be written to again, remind of sign-ins that end, read the Pages that are due."""
        try:
            if await asyncio.to_thread(self._mail):
                self._poke()
        except Exception as error:
            if not is_away(error):
                raise
            _log.warning("the database is away; notes that wait for Messenger wait on")
            return
        await self.pages.round()

    def close(self) -> None:
        """Begin nothing more."""
        self.pages.close()

    def _mail(self) -> int:
        at = self._clock()
        with self._db.transaction() as tx:
            return facebook_mouth.wake(tx, at) + rows.remind(tx, at, AHEAD)
