"""The words in which a platform tells the hub what happened: all that a connector may say.

Every event names accounts by platform and *immutable* account id; handle and URL are decoration and never
decide anything. Times are aware UTC or None where the platform gives none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

LIKE = "like"
"""The reaction of networks that know only one (a star, a favourite); it needs no emoji list to count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRef:
    """One identity on one platform, for example ``github:21031067``."""

    platform: str
    account_id: str
    handle: str | None = field(default=None, compare=False)
    url: str | None = field(default=None, compare=False)
    is_bot: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        return f"{self.platform}:{self.account_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ThingRef:
    """One piece of content: the platform's own id for it and its canonical URL."""

    platform: str
    native_id: str
    url: str = field(compare=False)
    title: str | None = field(default=None, compare=False)
    tags: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomRef:
    """Where it happened (a server, a workspace, a group), because rooms have rules of their own."""

    platform: str
    room_id: str
    private: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Liked:
    """Somebody liked a thing.

    ``like_id`` is the platform's id of the like itself, where it has one; ``order`` is the platform's order
    key (any integer that grows with every act of this account on this thing), where it has one; where it tells the
    time of likes and unlikes alike, that time is the key. Without a key the time of first receipt orders them.
    """

    by: AccountRef
    thing: ThingRef
    author: AccountRef | None
    at: datetime | None = None
    reaction: str = LIKE
    room: RoomRef | None = None
    like_id: str | None = None
    order: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unliked:
    """Somebody took a like back; named by its thing, or by the platform's like id alone."""

    by: AccountRef
    thing: ThingRef | None = None
    at: datetime | None = None
    reaction: str = LIKE
    like_id: str | None = None
    order: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleared:
    """A moderator removed reactions from a thing: one kind of them, or (None) all."""

    thing: ThingRef
    reaction: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """The content was deleted. Not an unlike: what it earned stays earned."""

    thing: ThingRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Who made a thing, from a platform that tells the author only at posting time."""

    thing: ThingRef
    author: AccountRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Messaged:
    """A direct message to the bot. ``message_id`` is the platform's, and makes the answer happen once."""

    by: AccountRef
    text: str
    message_id: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked:
    """The user withdrew the hub's access to this account."""

    by: AccountRef


Event = Liked | Unliked | Cleared | Gone | Seen | Messaged | Revoked
