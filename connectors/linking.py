"""How a member lets the hub see an account by signing in there: what is granted, and what a connector does for it.

The hub owns the state, its life of ten minutes, the storage (sealed, keys rotatable) and the turns at refreshing;
a connector knows the platform's dialect and keeps nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, runtime_checkable

from connectors.base import Asker, Connector
from core.events import AccountRef

Intent = Literal["link", "receive", "bot"]
"""Why somebody signs in: to have their likes counted; to receive for what they make there (where that needs more
than the former); or, the operator, to lend the hub its bot's account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The access that one account gave. Never logged: its tokens are in no repr."""

    account: AccountRef
    access_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    token_secret: str | None = field(default=None, repr=False)
    """OAuth 1.0a signs with it."""
    expires_at: datetime | None = None
    """When the access token ends; None: when it is withdrawn."""
    scopes: tuple[str, ...] = ()
    more: Mapping[str, str] = field(default_factory=dict)
    """What else the connector wants to be reminded of; no secrets."""

    def packed(self) -> bytes:
        """All of it but the account, to be sealed and stored."""
        return json.dumps(
            {
                "access_token": self.access_token,
                "refresh_token": self.refresh_token,
                "token_secret": self.token_secret,
                "expires_at": self.expires_at.isoformat() if self.expires_at else None,
                "scopes": list(self.scopes),
                "more": dict(self.more),
            }
        ).encode()

    @classmethod
    def unpacked(cls, account: AccountRef, packed: bytes) -> Grant:
        """The inverse of `packed`."""
        content = json.loads(packed)
        expires_at = content["expires_at"]
        return cls(
            account=account,
            access_token=content["access_token"],
            refresh_token=content["refresh_token"],
            token_secret=content["token_secret"],
            expires_at=datetime.fromisoformat(expires_at) if expires_at else None,
            scopes=tuple(content["scopes"]),
            more=content["more"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """Where somebody is sent to sign in, and what is needed when they come back (kept sealed until then)."""

    url: str
    kept: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What signing in has proved: whose account it is, further accounts of theirs, and the access to keep, if any."""

    account: AccountRef
    also: tuple[AccountRef, ...] = ()
    """Accounts that are proved by the same sign-in (a creator's pages, the same human under another id)."""
    grants: tuple[Grant, ...] = field(default=(), repr=False)


class NotAdmitted(Exception):
    """Signing in came to nothing; the text is a sentence for the person and says what to do.

    ``declined``: they said no themselves.
    """

    def __init__(self, reason: str, *, declined: bool = False) -> None:
        super().__init__(reason)
        self.declined = declined


class Expired(Exception):
    """The platform does not take the access token: refresh it, and ask again with the new one."""


class Withdrawn(Exception):
    """The access has ended for good (revoked, or its refreshing refused): the account has to be linked again."""


@runtime_checkable
class LinkingConnector(Connector, Protocol):
    """A platform where people prove an account by signing in. All I/O goes through the asker's client.

    Besides what is named below, every method raises `connectors.client.Unanswered` where the platform gives no
    usable answer.
    """

    async def authorize(self, asker: Asker, *, state: str, callback: str, intent: Intent) -> Departure:
        """Where to send somebody; ``state`` must come back with them to ``callback``, exactly that address."""

    async def exchange(
        self, asker: Asker, *, query: Mapping[str, str], kept: Mapping[str, str], callback: str, intent: Intent
    ) -> Admission:
        """What somebody brought back (the call-back's query, its state already checked) for access; or NotAdmitted."""

    async def refresh(self, asker: Asker, grant: Grant) -> Grant:
        """The same access under a new token; Withdrawn if the platform refuses, or if there is nothing to refresh.

        Called by one process at a time for an account: a refresh token may be usable only once.
        """

    async def revoke(self, asker: Asker, grant: Grant) -> None:
        """Give the access back, as somebody unlinks; nothing happens if it has ended already."""
