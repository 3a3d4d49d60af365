"""Asks X with somebody's own access, which is refreshed once if X does not take it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from connectors.client import Unanswered
from connectors.linking import Expired, Grant, Withdrawn
from core.events import AccountRef

T = TypeVar("T")


class Accesses(Protocol):
    """Who keeps members' access (`bot.access.AccessKeeper`)."""

    async def grant(self, account: AccountRef) -> Grant | None:
        """What to ask with now; None: nothing is granted any more."""

    async def refreshed(self, account: AccountRef, stale: Grant) -> Grant:
        """The access anew, since X does not take the stale one; or Withdrawn."""


async def asked(accesses: Accesses, account: AccountRef, question: Callable[[Grant], Awaitable[T]]) -> T:
    """The answer to a question put with this account's access.

    Raises Withdrawn if there is none (any more), and Unanswered as the question itself does.
    """
    grant = await accesses.grant(account)
    if grant is None:
        raise Withdrawn(f"{account} has not given the hub access, or has taken it back")
    try:
        return await question(grant)
    except Expired:
        fresh = await accesses.refreshed(account, grant)
    try:
        return await question(fresh)
    except Expired:
        raise Unanswered(f"X does not take the access that it has just given for {account}") from None
