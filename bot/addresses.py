"""The personal addresses of the hub's own pages, as the conversation hands them out."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlmodel import Session

from bot.talk import Talk
from core.access import visits
from core.events import AccountRef

LIFE = "The address is yours alone, and good for ten minutes. Give it to nobody else."
"""Said beside an address that an answer holds."""

A_DAY = timedelta(days=1)
"""How long an address lives that comes unasked: nobody waits for it."""

LIFE_OF_A_DAY = "The address is yours alone, and good for a day. Give it to nobody else."


def token(
    tx: Session, by: AccountRef, page: str, *, at: datetime, intent: str = "", life: timedelta = visits.LIFE
) -> str:
    """The secret of a personal address, for who writes ``page`` to the bot; VisitRefused for who asks too often.

    What the same account got for the same page before ends, so that a page with two doors has one token for both.
    """
    return visits.begin(tx, by=by, platform=f"{visits.OWN}{page}", intent=intent, at=at, life=life)


def at_page(talk: Talk, page: str, secret: str) -> str:
    """The address to send."""
    return f"{talk.address}/{page}/{secret}"


def personal(
    tx: Session,
    talk: Talk,
    by: AccountRef,
    page: str,
    *,
    at: datetime,
    intent: str = "",
    life: timedelta = visits.LIFE,
) -> str:
    """A personal address of one page; VisitRefused."""
    return at_page(talk, page, token(tx, by, page, at=at, intent=intent, life=life))
