"""What a connector is: the values it works on, the card of facts it carries, the protocols it may fulfil.

Verification and translation are pure functions of bytes: no I/O, no clock, no database. Whatever is wrong with
a delivery is said by `Rejected` (before it is stored) or `Unreadable` (after), never by another exception.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Literal, Protocol, runtime_checkable

from connectors.client import Allowance, Client
from core.events import LIKE, AccountRef, Event, ThingRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One HTTP request as received: body bytes untouched, header names in lower case.

    Of a header that came more than once all values are kept; connectors read headers through `header`.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    body: bytes = b""
    received_at: datetime

    def header(self, name: str) -> str:
        """The one value of a header; Rejected if it is missing or came twice."""
        values = self.headers.get(name, ())
        if len(values) != 1:
            raise Rejected(f"{name} came {len(values)} times, not once" if values else f"{name} is missing")
        return values[0]


class Rejected(Exception):
    """The delivery is not the platform's (or not fit to be believed): 401, nothing is stored."""


class Unreadable(Exception):
    """The delivery is genuine but cannot be translated: it becomes a dead letter, replayable after a fix.

    Its text is stored and shown to the operator: it says what is missing and never quotes the delivery.
    """


@dataclass(frozen=True, slots=True)
class Answer:
    """What a platform wants to read at once (a challenge's echo); never stored."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain"


Secrets = Mapping[str, tuple[bytes, ...]]
"""The connector's secrets by name; several values may be valid at once, while one is rotated."""

Colour = Literal["green", "amber", "red"]

Ability = Literal["likes", "unlikes", "messages", "linking", "resolves", "current"]
"""likes and unlikes arrive; messages: people can talk to the bot; linking: by signing in; resolves: a URL to its
thing; current: can say whether a like stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """What a platform's terms say about one action, in our own words."""

    action: str
    colour: Colour
    clause: str
    url: str
    read_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A setting that the connector cannot work without; ``how`` tells an operator where to get it."""

    name: str
    how: str
    required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """The facts about a connector, from which `flattr connectors`, doctor and the README's table are made."""

    platform: str
    title: str
    route: Literal["webhook", "stream", "poll"]
    abilities: frozenset[Ability]
    what_counts: str
    creator: str
    secrets: tuple[Secret, ...] = ()
    needs: Mapping[Ability | Literal["polling"], tuple[str, ...]] = field(default_factory=dict)
    """Optional secrets without which an ability, or the reading of likes' lists, is not there."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Optional settings beside the secrets: name to what it does."""
    hosts: tuple[str, ...] = ()
    allowance: Allowance | None = None
    """What the hub allows itself on the whole platform, below the platform's own limit; None: the client's default."""
    account_allowance: Allowance | None = None
    """The same for one account there; None: as for the whole platform."""
    account_id_pattern: str = ".+"
    """A regular expression that a whole account id matches; stops an operator who types a name instead."""
    account_id_how: str = ""
    """What an account id is and where an operator finds it."""
    largest_body: int = 1_048_576
    """Bytes; a larger delivery is refused before it is read."""
    success_status: int = 202
    """What the platform wants to hear for a new delivery."""
    retries: str = ""
    """What the platform does when the hub was away."""
    ids_signed: bool = False
    knows_like_time: bool = False
    has_order: bool = False
    setup: tuple[str, ...] = ()
    """What an operator has to create where, step by step; {address} is the address to register for deliveries,
    {callback} the one to which people come back from signing in."""
    limits: str = ""
    """What the platform's limits mean for a hub, in one line: how soon a like is seen, how many people fit."""
    costs: str = ""
    """What the platform charges the operator; empty: nothing."""
    lights: tuple[Light, ...] = ()
    documentation: str = ""
    pretend: bool = False
    """A network that is not real."""

    @property
    def light(self) -> Colour:
        """The worst of its lights."""
        colours = {light.colour for light in self.lights}
        return "red" if "red" in colours else "amber" if "amber" in colours else "green"


@runtime_checkable
class Connector(Protocol):
    """All that every connector has."""

    @property
    def card(self) -> Card:
        """The facts about it."""


@runtime_checkable
class WebhookConnector(Connector, Protocol):
    """A platform that calls the hub."""

    def challenge(self, delivery: Delivery, secrets: Secrets) -> Answer | None:
        """The answer to a platform's question whether the hub is there; None: it is an ordinary delivery.

        Raises Rejected for a question that is not the platform's.
        """

    def verify(self, delivery: Delivery, secrets: Secrets) -> str:
        """The key that makes two deliveries the same, made of signed content only; or Rejected."""

    def translate(self, delivery: Delivery) -> Sequence[Event]:
        """What a verified delivery says; empty for what the hub does not need; Unreadable if it cannot be read."""


@runtime_checkable
class ResolvingConnector(Connector, Protocol):
    """A platform whose URLs can be understood without asking it."""

    def resolve(self, url: str) -> tuple[ThingRef, AccountRef | None] | None:
        """The thing (and its author, where the URL tells) that a URL names; None: not one of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """What a connector asks its platform with: the hub's client, and what the operator gave for the platform."""

    client: Client
    secrets: Secrets = field(default_factory=dict, repr=False)
    settings: Mapping[str, str] = field(default_factory=dict)
    """The optional settings that were given, by the names on the card."""
    off: frozenset[str] = frozenset()
    """Actions with a red light that the operator has not accepted: nothing that only they need is asked for."""
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    memory: MutableMapping[str, Any] = field(default_factory=dict, repr=False)
    """What one question teaches for the next (an application's token and when it ends): kept per process and
    platform, and may be empty at any time."""

    def secret(self, name: str) -> str:
        """The newest value of a secret; '' if it was not given."""
        return next((each.decode() for each in self.secrets.get(name, ()) if each), "")

    def address(self, name: str, default: str) -> str:
        """A base address as the operator set it, else the platform's own; without a slash at its end."""
        return (self.settings.get(name, "").strip() or default).rstrip("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownLike:
    """A like that the hub has heard of, to ask about; ``since``: if it stands, it is not older than this."""

    by: AccountRef
    thing: ThingRef
    reaction: str = LIKE
    like_id: str | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Currently:
    """What a platform says about a like at the moment; ``since`` when it stands, where the platform tells."""

    liked: bool
    since: datetime | None = None


@runtime_checkable
class AskingConnector(Connector, Protocol):
    """A platform that can be asked. All that is asked is public: no member's own access is used.

    Both methods do I/O through the asker's client and nothing else. They raise `connectors.client.Unanswered`
    where the platform gave no usable answer; then, as for None, everything stays as it is until asked again.
    """

    async def current(self, asker: Asker, like: KnownLike) -> Currently | None:
        """Whether this account likes this thing right now; None: cannot be told.

        No is said only if a complete listing proves it or the platform answers about this very like, never
        because the content, the account or the right to look is gone (money.md, "Likes and flattrs").
        """

    async def look_up(self, asker: Asker, url: str) -> tuple[ThingRef, AccountRef | None] | None:
        """The thing (by its immutable id) and its author that a URL names; None: not one of ours, or hidden."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Under which addresses this hub can be reached by one platform."""

    deliveries: str
    """Where the platform's webhooks go; empty where nothing calls us."""
    callback: str
    """Where people come back to from signing in; empty where nobody signs in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One thing that a connector tried at its platform, for the operator: ``remedy`` says what to do if not ``ok``."""

    what: str
    ok: bool
    text: str
    remedy: str = ""


@runtime_checkable
class CheckingConnector(Connector, Protocol):
    """A platform at which the operator's set-up can be tried."""

    async def check(self, asker: Asker, addresses: Addresses) -> Sequence[Checked]:
        """Try the secrets and what is registered, changing nothing; Unanswered if the platform does not answer."""


def read_json(body: bytes) -> dict[str, Any]:
    """A JSON object from a genuine body; Unreadable for anything else, however hostile.

    Not UTF-8, not JSON, NaN, a number of 5,000 digits, 100,000 open braces: all the same to the caller.
    """
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"not readable as JSON: {type(error).__name__}") from None
    if not isinstance(value, dict):
        raise Unreadable("the JSON is not an object")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
