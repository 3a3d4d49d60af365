"""What every part of the Stripe gateway works with: the line to Stripe, the database, the hub's notes on objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from core.database import Database
from core.payments.gateway import Unknown
from core.payments.hosted import Unanswered
from core.payments.stripe.client import Stripe, Trouble


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Desk:
    """The hub at Stripe. ``hub``: by what its objects are marked as its own (its public address)."""

    stripe: Stripe
    db: Database
    hub: str
    descriptor: str
    currency: str
    """In lower case, as Stripe writes it."""

    def notes(self, **numbers: int | str) -> dict[str, str]:
        """Metadata for an object: whose it is, and which row of ours."""
        return {"hub": self.hub} | {name: str(number) for name, number in numbers.items()}


def noted(thing: Mapping[str, Any], name: str) -> int | None:
    """A number that a hub noted on an object; None: none, so it is not a hub's.

    Whose hub is not compared: one Stripe account serves one hub (its row numbers are its idempotency keys), and its
    public address may change while its money must be known again for ever.
    """
    notes = thing.get("metadata") or {}
    value = str(notes.get(name) or "")
    return int(value) if "hub" in notes and value.isdecimal() else None


def name_of(value: Any) -> str | None:
    """The id in a field that holds an object or only its id."""
    if isinstance(value, Mapping):
        value = value.get("id")
    return value if isinstance(value, str) and value else None


def when(seconds: Any) -> datetime | None:
    """A time as Stripe writes it, in seconds since 1970; None where there is none."""
    return datetime.fromtimestamp(int(seconds), UTC) if seconds else None


def unknown(trouble: Trouble) -> Unknown:
    """No answer, with the reason."""
    return Unknown(str(trouble))


def unanswered(trouble: Trouble) -> Unanswered:
    """A question without an answer, with the reason."""
    return Unanswered(str(trouble))
