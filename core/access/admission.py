"""What signing in on a platform does here: the account becomes its asker's, or, if it is another's, they are asked.

The values that the sign-in's service and its pages share are here too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa
from sqlmodel import Session, col

from core.access.tables import Visit
from core.events import AccountRef
from core.people import claims, holding, linking, persons
from core.people.tables import Account
from core.rules import Rules

What = Literal["linked", "known", "asked", "taken"]
"""linked: the asker's from now on. known: it was theirs already. asked: it is another person's, who was asked, where
they last wrote to the bot, whether both are one. taken: another person's, and nobody was asked (one question at a time,
or they never wrote)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """One account that was proved, and what became of it."""

    account: AccountRef
    what: What
    asked_on: str = ""
    """The platform on which its person was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """What came of a sign-in; the first account is the one that signed in."""

    person_id: int
    accounts: tuple[Admitted, ...]
    moved: int
    """How many older pending flattrs count now since an account belongs to somebody who receives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """What somebody reads before they sign in; names are for people."""

    platform: str
    title: str
    intent: str
    asked_by: str
    """The account of the hub that asked; empty: the operator."""
    counts: str
    """What counts as a like there."""
    expires_at: datetime
    likes: bool = True
    """Whether what is liked there counts on this hub; else only links that are sent to the bot, and the like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What somebody reads when they come back."""

    platform: str
    title: str
    intent: str
    asked_on: str
    """The network from which it was asked; empty: the operator."""
    accounts: tuple[tuple[str, str, What], ...]
    """Name for people, ``platform:id``, what became of it."""
    answer_on: str = ""
    """The network on which another person has to say yes first."""
    moved: int
    likes: bool = True
    """Whether what is liked there counts on this hub."""


class TurnedAway(Exception):
    """The sign-in does not go on; the text is a sentence for the person. ``status`` is HTTP's.

    ``declined``: they said no themselves. ``again``: the same address may be used once more.
    """

    def __init__(self, reason: str, *, status: int = 400, declined: bool = False, again: bool = False) -> None:
        super().__init__(reason)
        self.status = status
        self.declined = declined
        self.again = again


def admit(
    tx: Session,
    rules: Rules,
    *,
    by: AccountRef,
    account: AccountRef,
    also: Sequence[AccountRef] = (),
    at: datetime,
) -> Welcome:
    """Make ``account``, and those ``also`` proved by the same sign-in, the person's whose account ``by`` asked.

    Likes of a new one count from ``at`` on. Nothing is bound that is another person's: that person is asked, where they
    last wrote to the bot. Not the asking account, whose address somebody may have been talked into opening: its yes
    alone must not give it another person's accounts and money. Again: nothing more happens.
    """
    holding.hold_months(tx, at)
    if (asker := persons.person_of(tx, by)) is not None:
        persons.locked(tx, persons.key(asker))  # before their accounts, so that who leaves meanwhile takes all along
    wanted = list(dict.fromkeys((account, *also)))
    rows = _locked(tx, [by, *wanted])
    person = persons.ensure_person(tx, by, at)
    admitted: list[Admitted] = []
    fresh: list[Account] = []
    asked: int | None = None
    for ref in wanted:
        row = rows[ref]
        owner = persons.root_id(tx, row.person_id) if row.person_id is not None else None
        what: What = "taken"
        asked_on = ""
        if owner is None:
            persons.attach(row, person, at, handle=ref.handle)
            fresh.append(row)
            what = "linked"
        elif owner == person.id:
            row.handle, row.needs_relink_at = ref.handle or row.handle, None
            what = "known"
        elif asked in (None, owner) and (theirs := persons.spoken_account(tx, owner)) is not None:
            if asked is None:
                linking.propose(tx, theirs, rows[by], at)
            asked, what, asked_on = owner, "asked", theirs.platform
        admitted.append(Admitted(account=ref, what=what, asked_on=asked_on))
    tx.flush()
    moved = sum(claims.join_pending(tx, rules, row, at) for row in fresh)
    return Welcome(person_id=persons.key(person), accounts=tuple(admitted), moved=moved)


def reopen(tx: Session, visit: Visit) -> None:
    """Let a visit that came to nothing set out once more, from the same browser and with a new state."""
    change = sa.update(Visit).where(col(Visit.id) == visit.id, col(Visit.token_hash) == visit.token_hash)
    tx.execute(change.values(used_at=None, state_hash=None, kept=None).execution_options(synchronize_session="fetch"))


def still_there(tx: Session, visit: Visit) -> Visit | None:
    """The visit, unless its asker left or unlinked the account while the platform was asked."""
    row = tx.get(Visit, visit.id, populate_existing=True)
    return row if row is not None and row.token_hash == visit.token_hash else None


def _locked(tx: Session, refs: Sequence[AccountRef]) -> dict[AccountRef, Account]:
    """The accounts' rows, for this transaction alone; always in the same order, so that two cannot wait for each
    other."""
    known = {ref: persons.key(persons.ensure_account(tx, ref)) for ref in sorted(refs, key=str)}
    by_number = {number: persons.locked_account(tx, number) for number in sorted(set(known.values()))}
    return {ref: by_number[number] for ref, number in known.items()}
