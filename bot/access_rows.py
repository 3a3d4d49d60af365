"""Members' access as the database has it: each method is one step, to be called through a thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.client import Unanswered
from connectors.linking import Grant
from core import likes
from core.access import grants
from core.access.grants import Kept
from core.database import Database
from core.events import AccountRef, Revoked
from core.likes import Recorded
from core.mail.sealing import Seal, Unsealable


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An access as stored, and opened."""

    kept: Kept
    grant: Grant


class AccessRows:
    """Opens and seals what is stored; remembers what could not be stored yet.

    Methods raise Unanswered for what no key opens: the account waits until the operator has put the key back.
    """

    def __init__(self, db: Database, seal: Seal, clock: Callable[[], datetime]) -> None:
        self._db = db
        self._seal = seal
        self._clock = clock
        self.unstored: dict[AccountRef, Held] = {}
        """What platforms gave and the database has not taken yet, with what it replaces."""

    def load(self, account: AccountRef) -> Held | None:
        """The account's access; what waits to be stored is stored first."""
        if (waiting := self.unstored.get(account)) is not None:
            sealed = self._seal.seal(waiting.grant.packed())
            with self._db.transaction() as tx:
                grants.put_refreshed(tx, waiting.kept, sealed, expires_at=waiting.grant.expires_at, at=self._clock())
            if self.unstored.get(account) is waiting:  # another thread may have been faster
                self.unstored.pop(account, None)
        with self._db.reading() as tx:
            kept = grants.load(tx, account)
        return None if kept is None else Held(kept=kept, grant=self.opened(kept))

    def opened(self, kept: Kept) -> Grant:
        """What is in it."""
        try:
            return Grant.unpacked(kept.account, self._seal.open(kept.sealed))
        except Unsealable as error:
            raise Unanswered(f"the access to {kept.account} cannot be opened: {error}") from None

    def take_turn(self, account: AccountRef, by: str, life: timedelta) -> Held | None:
        """The access, its refreshing now being the turn of ``by``; None: it is another's."""
        at = self._clock()
        with self._db.transaction() as tx:
            taken = grants.take_turn(tx, account, by=by, at=at, until=at + life)
            kept = grants.load(tx, account) if taken else None
            return None if kept is None else Held(kept=kept, grant=self.opened(kept))

    def release(self, account: AccountRef, by: str, retry_at: datetime | None) -> None:
        """End a turn that came to nothing."""
        with self._db.transaction() as tx:
            grants.release(tx, account, by=by, retry_at=retry_at)

    def pause(self, account: AccountRef, grant: Grant | None) -> None:
        """Note that the platform refuses the hub, unless another access than ``grant`` is there by now."""
        at = self._clock()
        with self._db.transaction() as tx:
            if likes.revoked(tx, Revoked(by=account), at) is Recorded.not_a_member:
                grants.mark_lost(tx, account, at)
            tx.flush()  # holds the account's row, so that signing in at the same time comes before this or after
            kept = grants.load(tx, account)
            if grant is not None and kept is not None and self.opened(kept).access_token != grant.access_token:
                tx.rollback()

    def ended(self, account: AccountRef | None = None) -> list[Kept]:
        """What is to be given back."""
        with self._db.reading() as tx:
            return grants.ended(tx, account)

    def forget(self, kept: Kept) -> None:
        """Remove what was given back."""
        with self._db.transaction() as tx:
            grants.forget(tx, kept)
