"""A creator's month: what of their things was liked, what each like brought, and what was paid out to them.

Never by whom. Receipts and amounts are those on the patrons' statements.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from core.database import from_micros, to_micros
from core.months.dues import BACK
from core.months.shares import ShareState, part, receipt, state_of
from core.people import persons
from core.periods import month_end, month_of, month_start


@dataclass(frozen=True, slots=True, kw_only=True)
class EarnedLine:
    """One flattr for a thing of the creator's; in micros gross = share + its part of the fee and of the card's cost."""

    receipt: str
    flattr_id: int
    liked_on: date
    """In UTC."""
    network: str
    url: str
    title: str | None
    micros: int
    """The share: what it brings."""
    fee_micros: int
    cost_micros: int
    state: ShareState
    has_arrived: bool
    """Whether the patron's card paid for it, whatever came of it later."""
    taken_back_micros: int
    held_for: tuple[str, ...]

    @property
    def gross_micros(self) -> int:
        """What its patron pays for it."""
        return self.micros + self.fee_micros + self.cost_micros


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutLine:
    """One payout to the creator."""

    id: int
    asked_at: datetime
    answered_at: datetime | None
    micros: int
    state: str
    """asked (under way), sent, refused (due again), reversed (sent, but it came back: due again)."""
    reference: str | None
    """The processor's."""
    reason: str | None

    @property
    def at(self) -> datetime:
        """The day that it counts for."""
        return self.answered_at or self.asked_at


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatorStatement:
    """A creator's month, amounts in micros: gross - fee - cost = net, of which some is collected, some taken back."""

    month: int
    lines: tuple[EarnedLine, ...]
    payouts: tuple[PayoutLine, ...]
    """Those of this calendar month; they pay for likes of earlier ones."""

    @property
    def gross_micros(self) -> int:
        """What patrons pay for these likes."""
        return sum(line.gross_micros for line in self.lines)

    @property
    def fee_micros(self) -> int:
        """The hub's part."""
        return sum(line.fee_micros for line in self.lines)

    @property
    def cost_micros(self) -> int:
        """The cards' part, where patrons bear it."""
        return sum(line.cost_micros for line in self.lines)

    @property
    def net_micros(self) -> int:
        """The creator's part."""
        return sum(line.micros for line in self.lines)

    @property
    def collected_micros(self) -> int:
        """Of the net: what patrons' cards have paid."""
        return sum(line.micros for line in self.lines if line.has_arrived)

    @property
    def taken_back_micros(self) -> int:
        """Of the collected: what went back to patrons."""
        return sum(line.taken_back_micros for line in self.lines)

    @property
    def held_micros(self) -> int:
        """Of the collected: what waits until the operator has looked."""
        return sum(line.micros for line in self.lines if line.state == "held" and line.has_arrived)

    @property
    def paid_out_micros(self) -> int:
        """What was sent in this month."""
        return sum(payout.micros for payout in self.payouts if payout.state == "sent")


# The place of a share in its statement is counted, not kept: statements are short, and their index is at hand.
_LINES = f"""
select f.id, s.month, s.state as statement, s.flattrs, s.fee_micros as fee, s.cost_micros as cost,
       (select count(*) from share x where x.statement_id = s.id and x.flattr_id < h.flattr_id) as place,
       h.micros, f.created_at, t.url, t.title, a.platform, coalesce(b.micros, 0) as taken, o.state as hold, o.reasons
  from payable p
  join flattr f on f.author_id = p.account_id and f.month = p.month
  join share h on h.flattr_id = f.id
  join statement s on s.id = h.statement_id
  join thing t on t.id = f.thing_id
  join account a on a.id = f.author_id
  left join ({BACK}) b on b.flattr_id = h.flattr_id
  left join hold o on o.month = f.month and o.patron_id = f.patron_id and o.creator_id = h.creator_id
 where p.creator_id in :people and p.month = :month order by f.id
"""  # noqa: S608 - made of the package's constants

_PAYOUTS = """
select y.id, r.started_at, y.answered_at, y.amount_micros, y.state, y.reference, y.reason
  from payout y join payout_run r on r.id = y.run_id
 where y.creator_id in :people and coalesce(y.answered_at, r.started_at) >= :first
   and coalesce(y.answered_at, r.started_at) < :after
 order by y.id
"""

_MONTHS = """
select distinct f.month
  from payable p join flattr f on f.author_id = p.account_id and f.month = p.month
  join share h on h.flattr_id = f.id
 where p.creator_id in :people
"""


def bound(query: str, *names: str) -> sa.TextClause:
    """A query with lists among its values."""
    return sa.text(query).bindparams(*(sa.bindparam(name, expanding=True) for name in names))


def creator_statement(tx: Session, person_id: int, month: int) -> CreatorStatement:
    """What a month brought a creator, with every person that was merged into them; empty if it brought nothing."""
    people = persons.merged_ids(tx, person_id)
    rows = tx.execute(bound(_LINES, "people"), {"people": people, "month": month}).all()
    return CreatorStatement(
        month=month,
        lines=tuple(_line(row) for row in rows),
        payouts=payouts_between(tx, people, month_start(month), month_end(month)),
    )


def earned_months(tx: Session, person_id: int) -> list[int]:
    """The months that brought a creator something, or in which something was paid out to them; the latest first."""
    people = persons.merged_ids(tx, person_id)
    split = set(tx.execute(bound(_MONTHS, "people"), {"people": people}).scalars())
    paid = payouts_between(tx, people, None, None)
    return sorted(split | {month_of(each.at) for each in paid}, reverse=True)


def payouts_between(
    tx: Session, people: Iterable[int], first: datetime | None, after: datetime | None
) -> tuple[PayoutLine, ...]:
    """The payouts to persons from one time on and before another; None: no such bound."""
    values = {
        "people": list(people),
        "first": to_micros(first) if first else 0,
        "after": to_micros(after) if after else 2**62,
    }
    return tuple(
        PayoutLine(
            id=row.id,
            asked_at=from_micros(row.started_at),
            answered_at=from_micros(row.answered_at) if row.answered_at is not None else None,
            micros=row.amount_micros,
            state=row.state,
            reference=row.reference,
            reason=row.reason,
        )
        for row in tx.execute(bound(_PAYOUTS, "people"), values)
    )


def _line(row: sa.Row[Any]) -> EarnedLine:
    return EarnedLine(
        receipt=receipt(row.month, row.id),
        flattr_id=row.id,
        liked_on=from_micros(row.created_at).date(),
        network=row.platform,
        url=row.url,
        title=row.title,
        micros=row.micros,
        fee_micros=part(row.fee, row.flattrs, row.place),
        cost_micros=part(row.cost, row.flattrs, row.place),
        state=state_of(row.statement, row.micros, row.taken, row.hold),
        taken_back_micros=row.taken,
        held_for=tuple((row.reasons or "").split()),
        has_arrived=row.statement == "collected",
    )
