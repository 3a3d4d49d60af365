"""How the hub says something on a platform: one message at a time, with choices under it, perhaps with a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """A choice under a message: pressing it is the same as sending ``text``."""

    label: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture that goes with a message."""

    name: str
    """A file's name, like ``statement-2026-11.png``."""
    content: bytes = field(repr=False)
    """PNG."""
    alt: str
    """The same in words, for who cannot see it."""


@runtime_checkable
class Mouth(Protocol):
    """A way to say something to an account on one platform."""

    @property
    def platform(self) -> str:
        """Whose accounts it reaches."""

    @property
    def limit(self) -> int:
        """The longest message, in characters; longer ones are split before they get here."""

    @property
    def remembers_keys(self) -> bool:
        """Whether a message sent again under the same key is shown once, so that a lost answer may be retried."""

    async def say(
        self,
        account_id: str,
        text: str,
        *,
        key: str,
        buttons: Sequence[Button] = (),
        picture: Picture | None = None,
    ) -> None:
        """Send one message; Unheard if that failed.

        A platform that cannot show the ``picture``, or does not take it, shows the text without it.
        """


class Unheard(Exception):
    """A message did not arrive. ``final``: trying again is useless (the account cannot be written to).

    ``retry_after`` in seconds, where the platform says so.
    """

    def __init__(self, reason: str, *, final: bool = False, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.final = final
        self.retry_after = retry_after
