"""Subcommands about money: months, closing, checking the books."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import click
import sqlalchemy as sa
from sqlmodel import Session, col, select

from config import closing
from config.closing import Bill, Result
from config.commands import show
from config.commands.desk import Desk, MonthName, json_option
from config.parts import Parts
from core.books import batches, invariants
from core.money import Currency
from core.months import stages
from core.months.runner import Step
from core.months.tables import PayoutRun, Statement
from core.periods import month_end, month_name, month_of


@click.command(
    short_help="Show which month is at which stage.",
)
@json_option
@click.pass_obj
def months(desk: Desk, *, as_json: bool) -> None:
    """Show which month is at which stage, and what it charged.

    open -> review -> closed -> collecting -> settled; a running hub moves them on by itself.
    """
    parts = desk.parts
    money = parts.rules.money
    with parts.db.reading() as tx:
        found = _months(tx)
    if as_json:
        show.put({"currency": money.code, "months": found})
        return
    if not found:
        now = month_name(month_of(parts.clock()))
        show.say(f"No month yet; {now} begins with the first like or `flattr run`.")
        return
    collected = f"collected ({money.code})"
    show.print_table(
        "Months",
        ["month", "stage", "statements", collected, "next or last"],
        [
            (
                each.month,
                each.stage,
                ", ".join(f"{count} {state}" for state, count in each.statements.items()) or "none",
                show.amount(each.collected_micros, money),
                each.moment,
            )
            for each in found
        ],
        right=[collected],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthRow:
    """One month as the operator sees it."""

    month: str
    stage: str
    review_ends_at: datetime | None
    closed_at: datetime | None
    settled_at: datetime | None
    payouts_at: datetime | None
    """When the payout run of this calendar month began."""
    statements: Mapping[str, int]
    collected_micros: int

    @property
    def moment(self) -> str:
        """The time that matters now, in words."""
        if self.settled_at:
            return f"settled {self.settled_at:%Y-%m-%d %H:%M}"
        if self.closed_at:
            return f"closed {self.closed_at:%Y-%m-%d %H:%M}"
        return f"closes {self.review_ends_at:%Y-%m-%d %H:%M}" if self.review_ends_at else "takes likes"


def _months(tx: Session) -> list[MonthRow]:
    query = sa.select(
        col(Statement.month),
        col(Statement.state),
        sa.func.count(),
        sa.func.sum(col(Statement.charge_micros)),
    ).group_by(col(Statement.month), col(Statement.state))
    counts: dict[int, dict[str, int]] = {}
    collected: dict[int, int] = {}
    for month, state, count, micros in tx.execute(query):
        counts.setdefault(month, {})[state] = count
        if state == "collected":
            collected[month] = int(micros)
    runs = {run.period: run.started_at for run in tx.exec(select(PayoutRun))}
    return [
        MonthRow(
            month=month_name(row.id),
            stage=row.stage,
            review_ends_at=row.review_ends_at,
            closed_at=row.closed_at,
            settled_at=row.settled_at,
            payouts_at=runs.get(row.id),
            statements=counts.get(row.id, {}),
            collected_micros=collected.get(row.id, 0),
        )
        for row in stages.months(tx)
    ]


@click.command(
    short_help="Close a month, or show what closing it would do.",
    epilog="""\b
Examples:
  flattr close --dry-run               what closing the open month would charge and share
  flattr close 2026-10                 close October, if its review is over
  flattr close 2026-10 --now           end October's review at once, then close it
""",
)
@click.argument("month", type=MonthName(), required=False, metavar="[MONTH]")
@click.option("--dry-run", is_flag=True, help="Run the same code, print what would happen, take it back.")
@click.option("--now", is_flag=True, help="End a running review early.")
@json_option
@click.pass_obj
def close(desk: Desk, month: int | None, *, dry_run: bool, now: bool, as_json: bool) -> None:
    """Do what is due for a month: review, close, collect, settle; safe to repeat.

    A running hub does this by itself. MONTH is like 2026-11; without it, the latest month that is over (with
    --dry-run: the open one).
    """
    parts = desk.parts
    if dry_run and now:
        raise click.UsageError("--dry-run always rehearses as if the review were over; leave out --now")
    if dry_run:
        result = closing.rehearse(parts, month or month_of(parts.clock()))
    else:
        closed = closing.close(parts, month, _told if not as_json else closing.silent, now=now)
        if closed is None:
            _print_nothing_due(parts, as_json=as_json)
            return
        result = closed
    if as_json:
        show.put(
            {
                "currency": parts.rules.money.code,
                "dry_run": dry_run,
                "month": month_name(result.month),
                "result": result,
            }
        )
        return
    _print(result, parts.rules.money, dry_run=dry_run)


def _print_nothing_due(parts: Parts, *, as_json: bool) -> None:
    month = month_of(parts.clock())
    if as_json:
        show.put({"currency": parts.rules.money.code, "month": None, "dry_run": False, "result": None})
        return
    show.say(
        f"Nothing is due: {month_name(month)} takes likes until {month_end(month):%Y-%m-%d %H:%M} UTC."
        " `flattr close --dry-run` shows what closing it would do."
    )


def _told(step: Step) -> None:
    show.say(str(step))


def _print(result: Result, money: Currency, *, dry_run: bool) -> None:
    would = "would be " if dry_run else ""
    name = month_name(result.month)
    if not result.bills:
        if result.stage == "review" and not dry_run:
            show.say(f"{name} is under review.")
        show.say(f"{name}: nobody {'would be' if dry_run else 'is'} charged.")
        return
    if result.stage == "review":
        show.say(f"{name} is under review; nothing is charged before it ends (--now ends it).")
        return
    head = [f"{each} ({money.code})" for each in ("budget", "charge", "cost", "fee", "each")]
    show.print_table(
        f"What {would or 'was '}charged for {name}",
        ["patron", "flattrs", *head, *([] if dry_run else ["statement", "state"])],
        [
            (bill.patron, bill.flattrs, *_amounts(bill, money), *(() if dry_run else (bill.statement, bill.state)))
            for bill in result.bills
        ],
        right=["patron", "flattrs", *head, "statement"],
    )
    show.print_table(
        f"What creators {'would ' if dry_run else ''}get of it, where it is collected",
        ["creator", "flattrs", f"sum ({money.code})"],
        [(each.creator, each.flattrs, show.amount(each.micros, money)) for each in result.creators],
        right=["creator", "flattrs", f"sum ({money.code})"],
    )
    if dry_run:
        show.say("A rehearsal: the same code ran and everything was taken back. Cards were not asked.")


def _amounts(bill: Bill, money: Currency) -> tuple[str, ...]:
    sums = (bill.budget_micros, bill.charge_micros, bill.cost_micros, bill.fee_micros, bill.share_micros)
    return tuple(show.amount(micros, money) for micros in sums)


@click.command(
    short_help="Prove the books.",
)
@json_option
@click.pass_context
def check(context: click.Context, *, as_json: bool) -> None:
    """Prove the books: every rule that must hold, as a query that must return nothing; and the sealed book.

    Exit status 1 if one does not hold.
    """
    parts = context.obj.parts
    with parts.db.reading() as tx:
        violations: list[object] = [
            *invariants.broken(tx),
            *batches.verify(tx, parts.keys.book, parts.rules.money),
        ]
    if as_json:
        show.put({"clean": not violations, "rules": len(invariants.RULES), "violations": violations})
    elif violations:
        for violation in violations:
            show.say(f"BROKEN  {violation}")
    else:
        show.say(f"The books are clean: {len(invariants.RULES)} rules hold.")
    if violations:
        context.exit(1)


COMMANDS = (months, close, check)
