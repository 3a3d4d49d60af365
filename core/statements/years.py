"""The year sheets: what moved in each calendar month of a year, for patrons and for creators. Facts, no tax advice.

Every sum is made of postings, by the day on which they were made: December's likes that were collected in January
belong to January.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session

from core.books import ledger
from core.database import from_micros, to_micros
from core.people import persons
from core.periods import month_end, month_of, month_start
from core.statements.earned import PayoutLine, bound, payouts_between


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargedMonth:
    """What a patron's card paid in one calendar month; charge - cost - fee = creators."""

    month: int
    charges: int
    charge_micros: int
    cost_micros: int
    fee_micros: int
    given_back_micros: int
    """What went back to the patron in this month, of whichever charge."""

    @property
    def creators_micros(self) -> int:
        """What of the charge is for creators."""
        return self.charge_micros - self.cost_micros - self.fee_micros


@dataclass(frozen=True, slots=True, kw_only=True)
class PatronYear:
    """A patron's year; twelve months, and their totals."""

    year: int
    months: tuple[ChargedMonth, ...]

    @property
    def total(self) -> ChargedMonth:
        """All of it."""
        return ChargedMonth(
            month=0,
            charges=sum(each.charges for each in self.months),
            charge_micros=sum(each.charge_micros for each in self.months),
            cost_micros=sum(each.cost_micros for each in self.months),
            fee_micros=sum(each.fee_micros for each in self.months),
            given_back_micros=sum(each.given_back_micros for each in self.months),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidMonth:
    """What came in for a creator in one calendar month, and what went out to them; gross - fee - cost = collected."""

    month: int
    flattrs: int
    """Likes whose patrons' cards paid in this month."""
    fee_micros: int
    cost_micros: int
    collected_micros: int
    taken_back_micros: int
    """What went back to patrons, less what came again."""
    paid_out_micros: int
    came_back_micros: int
    """Payouts that came back; they are due again."""

    @property
    def gross_micros(self) -> int:
        """What patrons paid for these likes."""
        return self.collected_micros + self.fee_micros + self.cost_micros


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatorYear:
    """A creator's year; twelve months, their totals, and every payout."""

    year: int
    months: tuple[PaidMonth, ...]
    payouts: tuple[PayoutLine, ...]

    @property
    def total(self) -> PaidMonth:
        """All of it."""
        return PaidMonth(
            month=0,
            flattrs=sum(each.flattrs for each in self.months),
            fee_micros=sum(each.fee_micros for each in self.months),
            cost_micros=sum(each.cost_micros for each in self.months),
            collected_micros=sum(each.collected_micros for each in self.months),
            taken_back_micros=sum(each.taken_back_micros for each in self.months),
            paid_out_micros=sum(each.paid_out_micros for each in self.months),
            came_back_micros=sum(each.came_back_micros for each in self.months),
        )


def months_of(year: int) -> range:
    """The twelve months of a year."""
    return range(12 * year + 1, 12 * year + 13)


def year_of(month: int) -> int:
    """The year that a month lies in."""
    return (month - 1) // 12


_CHARGED = """
select p.at, s.charge_micros, s.cost_micros, s.fee_micros
  from statement s join posting p on p.kind = 'charge' and p.source = 'statement:' || s.id
 where s.patron_id in :people and p.at >= :first and p.at < :after
"""

_GIVEN_BACK = """
select p.at, case when p.kind = 'charge_again' then -p.amount_micros else p.amount_micros end as micros
  from posting p
  join statement s on s.id = cast(substr(p.source, length(rtrim(p.source, '0123456789')) + 1) as bigint)
 where p.kind in ('charge_back', 'charge_again') and s.patron_id in :people and p.at >= :first and p.at < :after
"""

# "credit % 8 <> 2" is the index's own condition, said again so that it is used.
_COLLECTED = """
with months (month, first, after) as (values {months})
select m.month, count(*) as flattrs, cast(sum(n.micros) as bigint) as micros,
       cast(sum(n.fee * (n.place + 1) / n.flattrs - n.fee * n.place / n.flattrs) as bigint) as fee,
       cast(sum(n.cost * (n.place + 1) / n.flattrs - n.cost * n.place / n.flattrs) as bigint) as cost
  from (select p.at, p.amount_micros as micros, s.flattrs, s.fee_micros as fee, s.cost_micros as cost,
               (select count(*) from share x where x.statement_id = s.id and x.flattr_id < h.flattr_id) as place
          from posting p
          join share h on h.flattr_id = cast(substr(p.source, 8) as bigint)
          join statement s on s.id = h.statement_id
         where p.kind = 'share' and p.credit in :accounts and p.credit % 8 <> 2) n
  join months m on n.at >= m.first and n.at < m.after
 group by m.month
"""

_TAKEN = """
select at, amount_micros as micros from posting
 where kind in ('share_back', 'void') and debit in :accounts and debit % 8 <> 2 and at >= :first and at < :after
union all
select at, -amount_micros from posting
 where kind = 'share_again' and credit in :accounts and credit % 8 <> 2 and at >= :first and at < :after
"""

_CAME_BACK = """
select at, amount_micros as micros from posting
 where kind = 'sent_back' and credit in :accounts and credit % 8 <> 2 and at >= :first and at < :after
"""


def patron_year(tx: Session, person_id: int, year: int) -> PatronYear:
    """What a patron was charged in a year, with every person that was merged into them."""
    people = persons.merged_ids(tx, person_id)
    values = {"people": people, **_bounds(year)}
    charged: dict[int, list[tuple[int, int, int]]] = {}
    for at, *micros in tx.execute(bound(_CHARGED, "people"), values):
        charge, cost, fee = micros
        charged.setdefault(month_of(from_micros(at)), []).append((charge, cost, fee))
    given = _by_month(tx, bound(_GIVEN_BACK, "people"), values)
    return PatronYear(
        year=year,
        months=tuple(
            ChargedMonth(
                month=month,
                charges=len(charged.get(month, ())),
                charge_micros=sum(each[0] for each in charged.get(month, ())),
                cost_micros=sum(each[1] for each in charged.get(month, ())),
                fee_micros=sum(each[2] for each in charged.get(month, ())),
                given_back_micros=given[month],
            )
            for month in months_of(year)
        ),
    )


def creator_year(tx: Session, person_id: int, year: int) -> CreatorYear:
    """What a creator earned and was paid in a year, with every person that was merged into them."""
    people = persons.merged_ids(tx, person_id)
    accounts = [ledger.creator(each) for each in people]
    values = {"accounts": accounts, **_bounds(year)}
    query = _COLLECTED.format(months=", ".join(str((m, _first(m), _first(m + 1))) for m in months_of(year)))
    collected = {row.month: row for row in tx.execute(bound(query, "accounts"), {"accounts": accounts})}
    taken = _by_month(tx, bound(_TAKEN, "accounts"), values)
    back = _by_month(tx, bound(_CAME_BACK, "accounts"), values)
    first, after = month_start(12 * year + 1), month_end(12 * year + 12)
    payouts = payouts_between(tx, people, first, after)
    months = []
    for month in months_of(year):
        row = collected.get(month)
        sent = [each for each in payouts if each.state in ("sent", "reversed") and month_of(each.at) == month]
        months.append(
            PaidMonth(
                month=month,
                flattrs=row.flattrs if row else 0,
                fee_micros=row.fee if row else 0,
                cost_micros=row.cost if row else 0,
                collected_micros=row.micros if row else 0,
                taken_back_micros=taken[month],
                paid_out_micros=sum(each.micros for each in sent),
                came_back_micros=back[month],
            )
        )
    return CreatorYear(year=year, months=tuple(months), payouts=payouts)


def _first(month: int) -> int:
    return to_micros(month_start(month))


def _bounds(year: int) -> dict[str, int]:
    months = months_of(year)
    return {"first": _first(months[0]), "after": _first(months[-1] + 1)}


def _by_month(
    tx: Session, query: sa.TextClause, values: dict[str, object] | dict[str, int | list[int]]
) -> Counter[int]:
    sums: Counter[int] = Counter()
    for at, micros in tx.execute(query, values):
        moment: datetime = from_micros(at)
        sums[month_of(moment)] += int(micros)
    return sums
