"""Flattrs given in public: a reply to a post that mentions the bot is a flattr of that post, if a member wrote it.

The bot answers none of them: on X it never writes first. Strangers' mentions are read (X lists them all) and
forgotten; nothing more is asked about them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from bot.twitter.feed import News, each_by_itself
from bot.twitter.marks import ReadTo
from connectors import twitter as words
from connectors.base import Asker, Unreadable
from connectors.client import Garbled
from core import likes
from core.database import Database
from core.events import AccountRef, ThingRef
from core.people import persons
from core.rules import Rules

_PAGES = 8
"""X lists 800 mentions at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A reply in which somebody named the bot: by whom, and which post it answers."""

    number: int
    by: AccountRef
    parent: str
    explicit: bool | None
    """Written by its author, not put there by X because the post before names the bot; None: X does not tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A member's flattr of a post."""

    by: AccountRef
    thing: ThingRef
    author: AccountRef | None


class Mentions:
    """`GET /2/users/:id/mentions` of the bot's account, with the app's own access."""

    name = "mentions"

    def __init__(self, asker: Asker, db: Database, rules: Rules, bot: AccountRef) -> None:
        self._asker = asker
        self._db = db
        self._rules = rules
        self._bot = bot

    @property
    def every(self) -> timedelta:
        """Between two looks; 0: never."""
        return timedelta(minutes=words.number(self._asker.settings, "mentions_minutes", 10))

    async def news(self, read_to: ReadTo | None) -> News | None:
        """The flattrs that members gave since the mark, the oldest first."""
        if read_to is None:
            listed = await self._page(5, ReadTo(), None)
            return News(read_to=ReadTo().after(number for number, _ in self._entries(listed)))
        found: dict[int, Mention | None] = {}
        token: str | None = None
        for _ in range(_PAGES):
            listed = await self._page(100, read_to, token)
            found |= dict(self._entries(listed))
            meta = listed.get("meta")
            token = meta.get("next_token") if isinstance(meta, dict) else None
            if token is None:
                break
        new = sorted(number for number in found if read_to.is_new(number))
        if not new:
            return None
        mentions = [mention for number in new if (mention := found[number]) is not None]
        members = await asyncio.to_thread(self._members, mentions)
        given = await self._given([each for each in mentions if each.by.account_id in members])
        return News(read_to=read_to.after(new), record=lambda tx, at: self._record(tx, given, at))

    async def _page(self, size: int, read_to: ReadTo, token: str | None) -> dict[str, Any]:
        more = {"pagination_token": token} if token else {}
        if read_to.since:
            more["since_id"] = str(read_to.since)
        listed: dict[str, Any] = await words.TwitterClient(self._asker).get_users_mentions(
            self._bot.account_id,
            max_results=size,
            # No expansions: strangers' profiles and the posts that they answer would cost, and are not needed.
            tweet_fields=["author_id", "display_text_range", "entities", "referenced_tweets"],
            **more,
        )
        return listed

    def _entries(self, listed: dict[str, Any]) -> list[tuple[int, Mention | None]]:
        """What a sound page lists, by id (None: no reply); Garbled for any other."""
        meta, data = listed.get("meta"), words.objects(listed, "data")
        if not isinstance(meta, dict) or meta.get("result_count") != len(data):
            raise Garbled("X's list of mentions has not as many as it says; it is read again later")
        try:
            return [(int(words.id_of(each)), self._mention(each)) for each in data]
        except Unreadable as strange:
            raise Garbled(f"X's list of mentions: {strange}") from None

    def _mention(self, post: dict[str, Any]) -> Mention | None:
        answered = [each for each in words.objects(post, "referenced_tweets") if each.get("type") == "replied_to"]
        if not answered or post.get("author_id") == self._bot.account_id:
            return None
        return Mention(
            number=int(words.id_of(post)),
            by=AccountRef(platform=words.PLATFORM, account_id=words.id_of({"id": post.get("author_id")})),
            parent=words.id_of(answered[0]),
            explicit=self._names_bot_itself(post),
        )

    def _names_bot_itself(self, post: dict[str, Any]) -> bool | None:
        """Whether the bot's name stands in the part that the author wrote."""
        match post.get("display_text_range"):
            case [int(begin), int()]:
                starts = [each.get("start") for each in self._namings(post)]
                return any(isinstance(start, int) and start >= begin for start in starts)
        return None

    def _namings(self, post: dict[str, Any]) -> list[dict[str, Any]]:
        return [
            each for each in words.objects(post.get("entities"), "mentions") if each.get("id") == self._bot.account_id
        ]

    def _members(self, mentions: Sequence[Mention]) -> set[str]:
        with self._db.reading() as tx:
            return {each.by.account_id for each in mentions if persons.person_of(tx, each.by) is not None}

    async def _given(self, mentions: Sequence[Mention]) -> list[Given]:
        """The posts that members' mentions answer, as far as they are public."""
        wanted = sorted({each.parent for each in mentions})
        posts: dict[str, dict[str, Any]] = {}
        things: dict[str, tuple[ThingRef, AccountRef | None]] = {}
        for first in range(0, len(wanted), 100):
            found = await words.TwitterClient(self._asker).get_tweets(
                wanted[first : first + 100],
                tweet_fields=[*words.POST_FIELDS],
                expansions=["author_id"],
                user_fields=["username", "protected"],
            )
            users = words.included(found, "users")
            for post in words.objects(found, "data"):
                try:
                    thing, author = words.post_of(post, users=users)
                except Unreadable as strange:
                    raise Garbled(f"X's answer about a post: {strange}") from None
                posts[str(post["id"])] = post
                things[str(post["id"])] = thing, author
        given = []
        for mention in mentions:
            if mention.parent not in things or not self._is_meant(mention, posts[mention.parent]):
                continue
            thing, author = things[mention.parent]
            given.append(Given(by=mention.by, thing=thing, author=author))
        return given

    def _is_meant(self, mention: Mention, parent: dict[str, Any]) -> bool:
        """Whether the author named the bot: X itself names everybody whom the post before names."""
        if parent.get("author_id") == self._bot.account_id:
            return False
        return not self._namings(parent) if mention.explicit is None else mention.explicit

    def _record(self, tx: Session, given: list[Given], at: datetime) -> None:
        def record(inner: Session, one: Given) -> None:
            likes.record_by_hand(inner, self._rules, one.by, one.thing, one.author, at)

        each_by_itself(tx, record, given)
