"""The shares of a closed month as people see them: each with its receipt, what it took to pay, what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa
from sqlmodel import Session

from core.database import from_micros
from core.months.dues import BACK
from core.months.tables import Statement
from core.periods import month_name

ShareState = Literal["due", "collected", "held", "taken_back", "partly_taken_back", "lapsed", "void"]
"""due: the card is yet to be charged; held: kept from payouts until the operator has looked; taken_back: it went back
to the patron; lapsed: never collected, and nobody owes it; void: its patron left before it was collected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareLine:
    """One flattr's share; in micros gross = share + its part of the fee + its part of the card's cost."""

    receipt: str
    flattr_id: int
    liked_at: datetime
    network: str
    url: str
    title: str | None
    creator: str
    """The creator's handle, else their account id."""
    creator_account: str
    """``platform:account_id``."""
    creator_id: int
    micros: int
    """What it brings its creator."""
    fee_micros: int
    cost_micros: int
    state: ShareState
    taken_back_micros: int
    """What of ``micros`` went back to the patron."""
    held_for: tuple[str, ...]
    """The reasons of a hold (see `core.holds`), if there is or was one."""

    @property
    def gross_micros(self) -> int:
        """What the patron pays for it."""
        return self.micros + self.fee_micros + self.cost_micros


def receipt(month: int, flattr_id: int) -> str:
    """The receipt of a flattr, the same for patron and creator: ``2026-11-77``."""
    return f"{month_name(month)}-{flattr_id}"


def part(whole: int, count: int, place: int) -> int:
    """The part of one of ``count`` equals in a whole, by its place from 0: all parts add up to the whole exactly."""
    return whole * (place + 1) // count - whole * place // count


def state_of(statement: str, micros: int, taken_back: int, hold: str | None) -> ShareState:
    """What became of a share, by the states of its statement and of its hold; ValueError for what has no share."""
    match statement:
        case "lapsed" | "void" as ended:
            return "lapsed" if ended == "lapsed" else "void"
        case "due" | "collected" as going:
            if taken_back:
                return "taken_back" if taken_back >= micros else "partly_taken_back"
            if hold == "held":
                return "held"
            return "due" if going == "due" else "collected"
    raise ValueError(f"a statement in state {statement!r} has no shares")


_SHARES = f"""
select h.flattr_id, t.url, t.title, a.handle, a.account_id, a.platform, h.creator_id, h.micros,
       f.created_at, coalesce(b.micros, 0) as taken, o.state as hold, o.reasons
  from share h
  join flattr f on f.id = h.flattr_id
  join thing t on t.id = f.thing_id
  left join account a on a.id = f.author_id
  left join ({BACK}) b on b.flattr_id = h.flattr_id
  left join hold o on o.month = f.month and o.patron_id = f.patron_id and o.creator_id = h.creator_id
 where h.statement_id = :statement order by h.flattr_id
"""  # noqa: S608 - made of the package's constants


def of(tx: Session, statement: Statement) -> tuple[ShareLine, ...]:
    """The shares of a statement, by the ids of their flattrs."""
    rows = tx.execute(sa.text(_SHARES), {"statement": statement.id}).all()
    return tuple(
        ShareLine(
            receipt=receipt(statement.month, row.flattr_id),
            flattr_id=row.flattr_id,
            liked_at=from_micros(row.created_at),
            network=row.platform or "web",
            url=row.url,
            title=row.title,
            creator=row.handle or row.account_id or "",
            creator_account=f"{row.platform}:{row.account_id}" if row.platform else "",
            creator_id=row.creator_id,
            micros=row.micros,
            fee_micros=part(statement.fee_micros, len(rows), place),
            cost_micros=part(statement.cost_micros, len(rows), place),
            state=state_of(statement.state, row.micros, row.taken, row.hold),
            taken_back_micros=row.taken,
            held_for=tuple((row.reasons or "").split()),
        )
        for place, row in enumerate(rows)
    )
