"""What the rules of signing in are tried on: a connector, and its platform's fake through what they need of it."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from connectors.base import Asker
from connectors.kit.subject import broken
from connectors.linking import Admission, Departure, Intent, LinkingConnector
from core.events import AccountRef

CALLBACK = "https://hub.example/link/platform/callback"
STATE = "canary-state-9b1f"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """A connector, and its platform's fake through what the rules need of it."""

    connector: LinkingConnector
    asker: Asker
    """Over the fake; its secrets are the canaries."""
    account: AccountRef
    """Who agrees."""
    consent: Callable[[str], Awaitable[str]]
    """That user agrees at this address; where their browser is sent back to."""
    decline: Callable[[str], Awaitable[str]]
    """They say no."""
    spoil: Callable[[int, bytes], None]
    """The fake's next answer is this status and body."""
    asked: Callable[[], int]
    """How many requests the fake has heard from the hub."""
    withdraw: Callable[[], None]
    """That user takes all access back at the platform."""
    intents: tuple[Intent, ...] = ("link",)
    pkce: bool = False
    scopes: Mapping[Intent, Collection[str]] = field(default_factory=dict)
    """The least that each intent needs: exactly this is asked for."""

    async def depart(self, intent: Intent = "link") -> Departure:
        """Set out."""
        return await self.connector.authorize(self.asker, state=STATE, callback=CALLBACK, intent=intent)

    async def exchange(self, back: str, kept: Mapping[str, str], intent: Intent = "link") -> Admission:
        """Come back at this address."""
        query = dict(parse_qsl(urlsplit(back).query, keep_blank_values=True))
        return await self.connector.exchange(self.asker, query=query, kept=kept, callback=CALLBACK, intent=intent)

    async def whole(self, intent: Intent = "link") -> Admission:
        """There and back."""
        departure = await self.depart(intent)
        return await self.exchange(await self.consent(departure.url), departure.kept, intent)


@contextlib.contextmanager
def only(what: str, *allowed: type[Exception]) -> Iterator[None]:
    """What happens inside must end in one of these."""
    names = " or ".join(each.__name__ for each in allowed)
    try:
        yield
    except allowed:
        return
    except Exception as error:  # noqa: BLE001
        broken(f"{what} raises {type(error).__name__}", f"raise {names}")
    broken(f"{what} is taken for a good one", f"raise {names}")


@contextlib.contextmanager
def overheard(said: io.StringIO) -> Iterator[None]:
    """Everything that is printed or logged meanwhile, at DEBUG."""
    root, handler = logging.getLogger(), logging.StreamHandler(said)
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            yield
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
