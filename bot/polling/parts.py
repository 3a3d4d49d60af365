"""What the engine is given: the platforms that are read, and members' access to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from connectors.base import Asker, WebhookConnector
from connectors.linking import Grant
from connectors.polling import PollingConnector
from core.events import AccountRef
from core.listings.terms import Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Polled:
    """A connector that is on and whose platform's lists are read, and with what."""

    connector: PollingConnector
    asker: Asker

    @property
    def hears(self) -> bool:
        """Whether unlikes come by webhook too, on a network that does not tell when a like was given."""
        return isinstance(self.connector, WebhookConnector) and not self.connector.card.knows_like_time

    @property
    def terms(self) -> Terms:
        """What the books must know of its plan."""
        plan = self.connector.plan
        return Terms(
            often=plan.often,
            seldom=max(plan.often, plan.seldom),
            whole=plan.whole,
            newest_first=plan.newest_first,
            timed=self.connector.card.knows_like_time,
            agreeing=plan.agreeing,
            agreeing_for=plan.agreeing_for,
            direct=plan.direct,
            needs_grant=plan.needs_grant,
            told=isinstance(self.connector, WebhookConnector),
        )


class Access(Protocol):
    """Members' access to their accounts; `bot.access.AccessKeeper` is it."""

    async def grant(self, account: AccountRef) -> Grant | None:
        """What to ask with now; None: there is no access. Unanswered: not at the moment."""

    async def refreshed(self, account: AccountRef, stale: Grant) -> Grant:
        """A new one for one that is not taken any more; Withdrawn if there is none to be had."""

    async def withdrawn(self, account: AccountRef, grant: Grant | None = None) -> None:
        """Note that the platform refuses the access for good, and let its owner know once."""
