"""Closing 100,000 patrons x 10 flattrs, collected shares posted, against the plain insert of the bare shares.

Run: python -m bench.closing [--patrons 100000] [--database URL]. Prints ratios from one run; nothing is asserted.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from core.books import invariants
from core.database import Database, to_micros
from core.money import currency
from core.months import runner
from core.payments.gateway import CardOffer, ChargeRequest, Done, GivenUp, Outcome, RefundRequest, TransferRequest
from core.periods import month_of
from core.rules import Rules

FLATTRS = 10
CREATORS = 1000
AT = datetime(2026, 11, 10, tzinfo=UTC)


class Obliging:
    """A processor that collects everything at once, so that the hub's own work is what is measured."""

    name = "obliging"
    pretend = True
    at_once = 1
    onboards = False

    def cards(self) -> tuple[CardOffer, ...]:
        return ()

    def charge(self, request: ChargeRequest, at: datetime) -> Outcome:
        return Done(request.key)

    def give_up(self, statement_id: int, at: datetime) -> GivenUp:
        return Done("")

    def transfer(self, request: TransferRequest, at: datetime) -> Outcome:
        return Done(request.key)

    def refund(self, request: RefundRequest, at: datetime) -> Outcome:
        return Done(request.key)

    def available_minor(self, currency: str) -> int | None:
        return 10**15


def fill(db: Database, patrons: int) -> None:
    """People, accounts, things, budgets and flattrs, by set-based inserts."""
    month = month_of(AT)
    values = {
        "patrons": patrons, "all": patrons + CREATORS, "creators": CREATORS, "flattrs": FLATTRS,
        "month": month, "at": to_micros(AT), "things": CREATORS * 100,
    }  # fmt: skip
    numbers = "with recursive n(i) as (select 1 union all select i + 1 from n where i < :{0})"
    ten = (
        "(select 0 as k union all select 1 union all select 2 union all select 3 union all select 4 union all select 5"
    )
    ten += " union all select 6 union all select 7 union all select 8 union all select 9)"
    with db.transaction() as tx:
        for upto, statement in (
            ("patrons", "insert into month (id, stage) select :month, 'open' from n where i = 1"),
            ("all", _PERSONS),
            ("all", _ACCOUNTS),
            ("things", _THINGS),
            ("patrons", _BUDGETS),
            ("patrons", _FLATTRS.format(ten=ten)),
        ):
            head, tail = statement.split(" select ", 1)
            tx.execute(sa.text(f"{head} {numbers.format(upto)} select {tail}"), values)
        tx.execute(sa.text("create table bare_share (flattr_id bigint primary key, creator_id bigint, micros bigint)"))


_PERSONS = """insert into person (id, created_at, receives_since, payable_since, bears_cost)
 select i, :at, case when i > :patrons then :at end, case when i > :patrons then :at end, false from n"""
_ACCOUNTS = """insert into account (id, platform, account_id, person_id, linked_at)
 select i, 'pond', 'id' || i, i, :at from n"""
_THINGS = """insert into thing (id, url, author_id)
 select i, 'https://pond.example/' || i, :patrons + 1 + i % :creators from n"""
_BUDGETS = """insert into budget (person_id, from_month, amount_micros, set_at)
 select i, :month, (2 + i % 99) * 1000000, :at from n"""
_FLATTRS = """insert into flattr (patron_id, thing_id, month, author_id, standing, origin, created_at)
 select i, 1 + (i * 37 + k * 1009) % :things, :month,
        :patrons + 1 + (1 + (i * 37 + k * 1009) % :things) % :creators, true, 'like', :at
   from n, {ten} t"""


def bare(db: Database) -> float:
    """Seconds for the plain insert of the shares and nothing else."""
    began = time.perf_counter()
    with db.transaction() as tx:
        tx.execute(
            sa.text(
                "insert into bare_share (flattr_id, creator_id, micros)"
                " select f.id, a.person_id, b.amount_micros * 9 / 10 / count(*) over (partition by f.patron_id)"
                "  from flattr f join account a on a.id = f.author_id"
                "  join budget b on b.person_id = f.patron_id and b.from_month = f.month where f.month = :month"
            ),
            {"month": month_of(AT)},
        )
    return time.perf_counter() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patrons", type=int, default=100_000)
    parser.add_argument("--database", help="an empty database; default: a new SQLite file beside the sources")
    options = parser.parse_args()
    rules = Rules(money=currency("EUR"), pseudonym_key=b"bench", review=timedelta(0))
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        db = Database(options.database or f"sqlite:///{folder}/bench.db")
        db.migrate()
        fill(db, options.patrons)
        if not db.is_sqlite:
            with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(sa.text("analyze"))
        plain = bare(db)
        marks: list[tuple[float, str]] = [(time.perf_counter(), "begin")]

        def progress(step: runner.Step) -> None:
            marks.append((time.perf_counter(), str(step)))
            print(f"  {marks[-1][0] - marks[0][0]:7.1f} s  {step}", flush=True)

        runner.advance(db, rules, Obliging(), datetime(2026, 12, 2, tzinfo=UTC), progress=progress)
        took = marks[-1][0] - marks[0][0]
        with db.reading() as tx:
            postings = tx.execute(sa.text("select count(*) from posting where kind = 'share'")).scalar_one()
            clean = not invariants.broken(tx)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"database                 {db.engine.dialect.name}")
        print(f"shares posted            {postings:,}")
        print(f"plain insert of shares   {plain:.2f} s")
        print(f"close, collect and post  {took:.2f} s")
        print(f"ratio                    {took / plain:.2f}")
        print(f"peak memory              {peak:.0f} MB")
        print(f"books                    {'clean' if clean else 'BROKEN'}")
        db.dispose()


if __name__ == "__main__":
    main()
