"""Subcommands about people: speaking for an account, binding accounts by hand, listing flattrs."""

from __future__ import annotations

from datetime import UTC, datetime, time

import click
import sqlalchemy as sa
from sqlmodel import Session, col

from bot import dialogue
from config.commands import show
from config.commands.desk import Account, Desk, MonthName, json_option, person_id
from config.complaints import Impossible
from core.database import Instant
from core.events import AccountRef
from core.months import worth
from core.people import linking, persons
from core.people.tables import Account as AccountRow
from core.people.tables import Person
from core.periods import month_name, month_of
from core.tables import Flattr, Thing

OPERATOR = "operator"
"""Who acts in the audit log when this command is used."""


@click.command(
    short_help="Talk to the bot as if an account had written to it.",
    epilog="""\b
Examples:
  flattr say sandbox:ada "budget 35 now"
  flattr say discord:80351110224678912 status
""",
)
@click.argument("account", type=Account(), metavar="PLATFORM:ACCOUNT_ID")
@click.argument("words", nargs=-1, required=True, metavar="TEXT...")
@json_option
@click.pass_obj
def say(desk: Desk, account: AccountRef, words: tuple[str, ...], *, as_json: bool) -> None:
    """Talk to the bot as if ACCOUNT had sent it a direct message, and print the answer.

    What is said counts: it sets real budgets. Nothing is sent to the account itself.
    """
    parts, text = desk.parts, " ".join(words)
    at = parts.clock()
    with parts.db.transaction() as tx:
        answer = dialogue.answer(tx, parts.talk, account, text, at)
    if as_json:
        show.put(
            {
                "account": str(account),
                "said": text,
                "at": at,
                "answer": answer.text,
                "buttons": answer.buttons,
            }
        )
        return
    show.say(answer.text)
    if answer.buttons:
        show.say("  ".join(f"[{button.label}]" for button in answer.buttons))


@click.command(
    short_help="Bind an account to a person by hand.",
    epilog="""\b
Examples:
  flattr link github:21031067 discord:80351110224678912
  flattr link github:21031067 7 --since 2026-11-01
  flattr link github:583231 new
""",
)
@click.argument("account", type=Account(), metavar="PLATFORM:ACCOUNT_ID")
@click.argument("person")
@click.option(
    "--since",
    type=click.DateTime(formats=["%Y-%m-%d"]),
    help="Likes of the account count from this day on (UTC); default: from now on.",
)
@click.option("--move", "moving", is_flag=True, help="Even if the account is another person's; all of them are told.")
@json_option
@click.pass_obj
def link(desk: Desk, account: AccountRef, person: str, *, since: datetime | None, moving: bool, as_json: bool) -> None:
    """Bind an account to a person by hand; this is logged.

    PERSON is a person's number, one of their accounts (PLATFORM:ACCOUNT_ID), or the word "new".
    """
    parts = desk.parts
    at = parts.clock()
    counts_from = at if since is None else datetime.combine(since.date(), time(), UTC)
    if counts_from > at:
        raise click.BadParameter("lies in the future; leave it out to start now", param_hint="--since")
    with parts.db.transaction() as tx:
        to = _new_person(tx, at) if person == "new" else person_id(parts, tx, person)
        try:
            linking.bind(
                tx,
                account,
                person_id=to,
                since=counts_from,
                actor=OPERATOR,
                at=at,
                rules=parts.rules,
                moving=moving,
            )
        except linking.LinkRefused as refused:
            raise Impossible(str(refused)) from None
        accounts = [str(each) for each in persons.accounts_of(tx, to)]
    if as_json:
        show.put({"person": to, "accounts": accounts, "linked": str(account), "since": counts_from})
        return
    moment = "now on" if since is None else f"{counts_from:%Y-%m-%d} (UTC) on"
    show.say(f"{account} belongs to person {to} now ({', '.join(accounts)}); its likes count from {moment}.")


def _new_person(tx: Session, at: datetime) -> int:
    person = Person(created_at=at)
    tx.add(person)
    tx.flush()
    return int(person.id or 0)


@click.command(
    short_help="List flattrs.",
    epilog="""\b
Examples:
  flattr flattrs                              everybody's, of the open month
  flattr flattrs --month 2026-10 --json
  flattr flattrs --person sandbox:ada         one patron's, with what each is worth now
""",
)
@click.option("--month", type=MonthName(), help="Of this month; default: the open one.", metavar="YYYY-MM")
@click.option("--person", help="Of this patron: a number or PLATFORM:ACCOUNT_ID.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="The latest so many.")
@json_option
@click.pass_obj
def flattrs(desk: Desk, month: int | None, person: str | None, limit: int, *, as_json: bool) -> None:
    """List flattrs: what one patron's likes of one thing count for in one month."""
    parts = desk.parts
    month = month or month_of(parts.clock())
    with parts.db.reading() as tx:
        if person is not None:
            _flattrs_of(desk, tx, person_id(parts, tx, person), month, as_json=as_json)
            return
        query: sa.Executable = (
            sa.select(
                col(Flattr.id).label("flattr"),
                col(Flattr.patron_id).label("patron"),
                (col(AccountRow.platform) + ":" + col(AccountRow.account_id)).label("creator"),
                col(Flattr.standing),
                col(Flattr.struck_at).is_not(None).label("struck"),
                col(Flattr.origin),
                sa.type_coerce(col(Flattr.created_at), Instant).label("at"),
                col(Thing.url),
            )
            .join(Thing, col(Thing.id) == col(Flattr.thing_id))
            .join(AccountRow, col(AccountRow.id) == col(Flattr.author_id), isouter=True)
            .where(col(Flattr.month) == month)
            .order_by(col(Flattr.id).desc())
            .limit(limit)
        )
        rows = [dict(row._mapping) for row in tx.execute(query)]
    if as_json:
        show.put({"month": month_name(month), "flattrs": rows})
        return
    if not rows:
        show.say(f"No flattrs in {month_name(month)}.")
        return
    show.print_table(
        f"Flattrs of {month_name(month)}",
        ["flattr", "patron", "creator", "state", "what", "when"],
        [
            (
                row["flattr"],
                row["patron"],
                row["creator"] or "not known yet",
                "struck out" if row["struck"] else "stands" if row["standing"] else "withdrawn",
                row["url"] + ("" if row["origin"] == "like" else f" ({row['origin']})"),
                f"{row['at']:%Y-%m-%d %H:%M}",
            )
            for row in rows
        ],
        right=["flattr", "patron"],
        fold=["what"],
    )


def _flattrs_of(desk: Desk, tx: Session, patron: int, month: int, *, as_json: bool) -> None:
    parts = desk.parts
    status = worth.status(tx, parts.rules, patron, parts.clock(), month=month)
    if as_json:
        show.put({"patron": patron, "month": month_name(month), "status": status})
        return
    money = parts.rules.money
    show.print_table(
            f"Patron {patron}, {month_name(month)}: {status.counting} count, {status.pending} pending",
            ["no.", "creator", "state", "what", f"worth ({money.code})"],
            [
                (line.number, line.creator_account or "not known yet", line.state, line.url,
                 show.amount(line.worth_micros, money) if line.worth_micros else "")
                for line in status.lines
            ],
            right=["no.", f"worth ({money.code})"],
            fold=["what"],
        )  # fmt: skip
    show.say(
        f"Of a budget of {show.amount(status.budget_micros, money)} {money.code} as it stands:"
        f" charge {show.amount(status.charge_micros, money)}, fee {show.amount(status.fee_micros, money)}."
    )


COMMANDS = (say, link, flattrs)
