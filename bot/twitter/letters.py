"""Looks for direct messages to the bot, for hubs that X cannot call; elsewhere the webhook brings them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from bot.twitter.access import Accesses, asked
from bot.twitter.feed import News, each_by_itself
from bot.twitter.marks import ReadTo
from connectors import twitter as words
from connectors.base import Asker, Unreadable
from connectors.client import Garbled
from connectors.linking import Grant
from core.events import AccountRef, Messaged

Converse = Callable[[Session, Messaged, datetime], object]
"""Answers a direct message once: the answer is in the outbox when the transaction commits."""

_FEW, _MANY = 10, 100
"""Messages on the first page and on further ones: every one read costs, and mostly there is nothing new."""
_PAGES = 50


class Letters:
    """`GET /2/dm_events`, newest first; of the bot's account."""

    name = "letters"

    def __init__(self, asker: Asker, accesses: Accesses, bot: AccountRef, converse: Converse) -> None:
        self._asker = asker
        self._accesses = accesses
        self._bot = bot
        self._converse = converse

    @property
    def every(self) -> timedelta:
        """Between two looks."""
        return timedelta(minutes=max(words.number(self._asker.settings, "dm_minutes", 2), 1))

    async def news(self, read_to: ReadTo | None) -> News | None:
        """The messages since the mark, the oldest first."""
        found: dict[int, Messaged | None] = {}
        token: str | None = None
        for page in range(_PAGES):
            size = _FEW if page == 0 else _MANY
            listed = await asked(self._accesses, self._bot, lambda grant: self._page(grant, size, token))  # noqa: B023
            entries = self._entries(listed)
            found |= entries
            meta = listed.get("meta")
            token = meta.get("next_token") if isinstance(meta, dict) else None
            if read_to is None or token is None or not entries or min(entries) <= read_to.since:
                break
        else:
            raise Garbled("X lists more messages to the bot than can be; they are looked for again later")
        new = sorted(number for number in found if read_to is None or read_to.is_new(number))
        if read_to is not None and not new:
            return None
        mark = (read_to or ReadTo()).after(new)
        if read_to is None:
            return News(read_to=mark)
        letters = [letter for number in new if (letter := found[number]) is not None]
        return News(read_to=mark, record=lambda tx, at: self._record(tx, letters, at))

    async def _page(self, grant: Grant, size: int, token: str | None) -> dict[str, Any]:
        more = {"pagination_token": token} if token else {}
        listed: dict[str, Any] = await words.TwitterClient(self._asker, grant).get_direct_message_events(
            event_types="MessageCreate",
            dm_event_fields=["id", "text", "sender_id", "created_at", "dm_conversation_id", "entities", "event_type"],
            expansions=["sender_id"],
            user_fields=["username"],
            max_results=size,
            user_auth=False,
            **more,
        )
        return listed

    def _entries(self, listed: dict[str, Any]) -> dict[int, Messaged | None]:
        """What a sound page lists, by id; Garbled for any other."""
        meta, data = listed.get("meta"), words.objects(listed, "data")
        if not isinstance(meta, dict) or meta.get("result_count") != len(data):
            raise Garbled("X's list of messages has not as many as it says; they are looked for again later")
        users = words.included(listed, "users")
        try:
            return {
                int(words.id_of(each)): words.letter_of(each, bot=self._bot.account_id, users=users) for each in data
            }
        except Unreadable as strange:
            raise Garbled(f"X's list of messages: {strange}") from None

    def _record(self, tx: Session, letters: list[Messaged], at: datetime) -> None:
        each_by_itself(tx, lambda inner, letter: self._converse(inner, letter, at), letters)
