"""The two pretend networks, Square and Harbour: what they send, in the hub's words.

They behave as a good platform does: every delivery is signed over its raw body and time, every event carries
the platform's own id, its time and an order key, and a delivery that was not taken is sent again unchanged.
The networks themselves live in `pages.sandbox.network`; this file knows only their bytes.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlsplit

from connectors.base import (
    Answer,
    Card,
    Delivery,
    Light,
    Rejected,
    Secret,
    Secrets,
    Unreadable,
    read_json,
)
from core.events import AccountRef, Event, Gone, Liked, Messaged, Revoked, Seen, ThingRef, Unliked

SIGNATURE = "pretend-signature"
"""The header: ``t=SECONDS,v1=HEX``, an HMAC-SHA256 over the platform's name, the seconds and the raw body."""

TOLERANCE = 300
"""Seconds between a delivery's signing and its receipt, either way; one that is sent again is signed anew."""

_SIGNED = re.compile(r"t=(?P<time>[0-9]{1,12}),v1=(?P<code>[0-9a-f]{64})", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)
_THING = re.compile(r"(?P<author>[A-Za-z0-9-]{1,64})/(?P<number>[A-Za-z0-9-]{1,64})", re.ASCII)
_LARGEST_ORDER = 2**63 - 1


class SandboxConnector:
    """One pretend network; there are two, so that linking accounts across networks can be played."""

    def __init__(self, platform: str, title: str, host: str) -> None:
        self.platform = platform
        self.host = host
        self._card = Card(
            platform=platform,
            title=title,
            route="webhook",
            abilities=frozenset({"likes", "unlikes", "messages", "resolves"}),
            what_counts="a like of a post",
            creator="who posted it",
            secrets=(Secret(name="secret", how="made by the hub itself; there is nothing to register"),),
            retries="keeps what was not taken and sends it again until it is",
            ids_signed=True,
            knows_like_time=True,
            has_order=True,
            setup=("Nothing: the network is part of the hub, and its page is the hub's own.",),
            lights=(
                Light(
                    action="likes",
                    colour="green",
                    clause="a pretend network of the hub's own has no terms",
                    url="https://docs.python.org/3/library/hmac.html",
                    read_on=date(2026, 11, 22),
                ),
            ),
            documentation="https://docs.python.org/3/library/hmac.html",
            pretend=True,
        )

    @property
    def card(self) -> Card:
        """The facts about this network."""
        return self._card

    def sign(self, body: bytes, secret: bytes, at: datetime) -> str:
        """The signature header's value, as the network makes it at a time."""
        seconds = int(at.timestamp())
        return f"t={seconds},v1={self._code(str(seconds), body, secret)}"

    def _code(self, seconds: str, body: bytes, secret: bytes) -> str:
        # The platform's name is signed too: with one secret for both, neither can speak for the other.
        return hmac.new(secret, f"{self.platform}.{seconds}.".encode() + body, hashlib.sha256).hexdigest()

    def challenge(self, delivery: Delivery, secrets: Secrets) -> Answer | None:
        """The pretend networks ask nothing."""
        return None

    def verify(self, delivery: Delivery, secrets: Secrets) -> str:
        """The body's hash, which stays the same when the network sends it again; or Rejected."""
        match = _SIGNED.fullmatch(delivery.header(SIGNATURE))
        if not match:
            raise Rejected(f"{SIGNATURE} is not of the form t=SECONDS,v1=HEX")
        valid = False
        for secret in secrets.get("secret", ()):
            # No early end: how long it takes must not tell which secret was the right one.
            valid |= bool(secret) and hmac.compare_digest(
                self._code(match["time"], delivery.body, secret), match["code"]
            )
        if not valid:
            raise Rejected("the signature does not fit the body")
        if abs(int(match["time"]) - delivery.received_at.timestamp()) > TOLERANCE:
            raise Rejected(f"the delivery was signed more than {TOLERANCE} seconds before or after its receipt")
        return hashlib.sha256(delivery.body).hexdigest()

    def translate(self, delivery: Delivery) -> Sequence[Event]:
        """The events of one delivery; kinds that the hub does not need are passed over."""
        content = read_json(delivery.body)
        if content.get("network") != self.platform:
            raise Unreadable(f"the delivery is not {self.platform}'s")
        events = content.get("events")
        if not isinstance(events, list):
            raise Unreadable("events is not a list")
        return tuple(event for each in events if (event := self._event(_object(each, "an event"))) is not None)

    def _event(self, said: Mapping[str, Any]) -> Event | None:
        match said.get("type"):
            case "liked":
                return Liked(
                    by=self._account(said, "by"),
                    thing=self._thing(said),
                    author=self._account(said, "author"),
                    at=_time(said),
                    order=_order(said),
                )
            case "unliked":
                return Unliked(
                    by=self._account(said, "by"), thing=self._thing(said), at=_time(said), order=_order(said)
                )
            case "messaged":
                return Messaged(
                    by=self._account(said, "by"),
                    text=_text(said, "text"),
                    message_id=_id(said),
                    at=_time(said),
                )
            case "posted":
                return Seen(thing=self._thing(said), author=self._account(said, "author"))
            case "removed":
                return Gone(thing=self._thing(said))
            case "disconnected":
                return Revoked(by=self._account(said, "by"))
            case str():
                return None
            case _:
                raise Unreadable("an event has no type")

    def _account(self, said: Mapping[str, Any], name: str) -> AccountRef:
        account = _object(said.get(name), name)
        return self.account(_id(account), _text(account, "name"), is_bot=account.get("bot") is True)

    def account(self, account_id: str, handle: str | None = None, *, is_bot: bool = False) -> AccountRef:
        """An account of this network."""
        return AccountRef(
            platform=self.platform,
            account_id=account_id,
            handle=handle,
            url=f"https://{self.host}/{account_id}",
            is_bot=is_bot,
        )

    def _thing(self, said: Mapping[str, Any]) -> ThingRef:
        thing = _object(said.get("thing"), "thing")
        native_id = _text(thing, "id")
        if not _THING.fullmatch(native_id):
            raise Unreadable("a thing's id is not of the form AUTHOR/NUMBER")
        tags = thing.get("tags", [])
        if not isinstance(tags, list) or not all(isinstance(tag, str) and tag and _storable(tag) for tag in tags):
            raise Unreadable("tags is not a list of words")
        return self.thing(native_id, _text(thing, "title") if "title" in thing else None, tuple(tags))

    def thing(self, native_id: str, title: str | None = None, tags: tuple[str, ...] = ()) -> ThingRef:
        """A thing of this network by its own id, ``AUTHOR/NUMBER``, which is also the end of its address."""
        return ThingRef(
            platform=self.platform,
            native_id=native_id,
            url=f"https://{self.host}/{native_id}",
            title=title,
            tags=tags,
        )

    def resolve(self, url: str) -> tuple[ThingRef, AccountRef | None] | None:
        """The thing and its author, whose id is the first part of every address; None: not one of ours."""
        try:
            parts = urlsplit(url.strip())
            if parts.scheme not in ("http", "https") or parts.hostname != self.host or parts.port is not None:
                return None
        except ValueError:
            return None
        match = _THING.fullmatch(parts.path.strip("/"))
        if not match:
            return None
        return self.thing(match[0]), self.account(match["author"])


def body_of(platform: str, events: Sequence[Mapping[str, Any]]) -> bytes:
    """The body of a delivery with these events, as a pretend network writes it."""
    return json.dumps({"network": platform, "events": list(events)}, ensure_ascii=False).encode()


def _object(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Unreadable(f"{name} is not an object")
    return value


def _storable(text: str) -> bool:
    # JSON may spell halves of characters, and PostgreSQL takes no NUL: neither can be kept in a database.
    return "\0" not in text and not any("\ud800" <= mark <= "\udfff" for mark in text)


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    if not isinstance(value, str) or not value or not _storable(value):
        raise Unreadable(f"{name} is not a text")
    return value


def _id(said: Mapping[str, Any]) -> str:
    value = said.get("id")
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise Unreadable("id is not an id")
    return value


def _order(said: Mapping[str, Any]) -> int:
    value = said.get("order")
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _LARGEST_ORDER:
        raise Unreadable("order is not a whole number")
    return value


def _time(said: Mapping[str, Any]) -> datetime:
    try:
        at = datetime.fromisoformat(_text(said, "at"))
        if at.tzinfo is None:
            raise Unreadable("at has no time zone")
        return at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unreadable("at is not a time") from None


square = SandboxConnector("sandbox", "Square", "square.example")
harbour = SandboxConnector("sandbox2", "Harbour", "harbour.example")
