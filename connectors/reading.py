"""How what decorates a thing or an account is read: what cannot be kept is left out, and never costs a like."""

from __future__ import annotations

from datetime import UTC, datetime


def plain_text(value: object) -> str | None:
    """A text that every database can keep, without space around it; None for anything else, or if it says nothing.

    JSON can spell a NUL and half of a surrogate pair; PostgreSQL takes neither.
    """
    if not isinstance(value, str) or not value.strip() or "\x00" in value:
        return None
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return None
    return value.strip()


def moment(value: object) -> datetime | None:
    """A time in ISO 8601 with its zone, in UTC; None for anything else, also for one at the edge of the calendar."""
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
        return at.astimezone(UTC) if at is not None and at.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
