"""Subcommands about holds: what looks like abuse, released or voided by the operator."""

from __future__ import annotations

from typing import Any

import click
import sqlalchemy as sa
from sqlmodel import Session, col, select

from config.commands import show
from config.commands.desk import Desk, json_option
from config.commands.people import OPERATOR
from config.complaints import Impossible
from core.holds import deciding
from core.holds.tables import Hold
from core.money import Currency
from core.months.tables import Statement
from core.people import persons
from core.periods import month_name

MEANINGS = {
    "one_patron": "one patron brings most of the creator's month, and it is a large sum",
    "mutual": "the two send each other money, and for one of them it is a large part of the month",
    "new_pair": "a new card and a new creator who have only each other",
}
"""The reasons, in words for the operator."""

note_option = click.option("--note", default="", help="Why, in a sentence: both sides read it.")


@click.group(
    invoke_without_command=True,
    short_help="What looks like abuse: list, show, release, void.",
    epilog="""\b
Examples:
  flattr holds                                    what waits for your word
  flattr holds release 3 --note "known to us"
  flattr holds void 4 --note "the same household"
""",
)
@click.pass_context
def holds(context: click.Context) -> None:
    """What looks like abuse: money of one patron for one creator that waits until you have looked.

    Released, it goes out with the next payout run; void, it goes back to the patron with its part of the fee. Both
    sides are told, and read your note.
    """
    if context.invoked_subcommand is None:
        context.invoke(list_)


@holds.command("list", epilog="\b\nExample:\n  flattr holds list --all --json")
@click.option("--all", "every", is_flag=True, help="Also those that were decided.")
@json_option
@click.pass_obj
def list_(desk: Desk, *, every: bool = False, as_json: bool = False) -> None:
    """List what is held, the oldest first."""
    parts = desk.parts
    query = select(Hold).order_by(col(Hold.id))
    if not every:
        query = query.where(Hold.state == "held")
    with parts.db.reading() as tx:
        found = [_facts(tx, hold) for hold in tx.exec(query)]
    if as_json:
        show.put({"currency": parts.rules.money.code, "holds": found})
        return
    if not found:
        show.say("There was never a hold." if every else "Nothing is held.")
        return
    money = parts.rules.money
    head = f"held ({money.code})"
    show.print_table(
        "Holds",
        ["id", "month", "patron", "creator", head, "state", "charge", "why"],
        [
            (
                each["id"],
                each["month"],
                each["patron"],
                each["creator"],
                show.amount(each["micros"], money),
                each["state"],
                each["charge"],
                ", ".join(each["reasons"]),
            )
            for each in found
        ],
        right=["id", "patron", "creator", head],
    )


@holds.command("show", epilog="\b\nExample:\n  flattr holds show 3")
@click.argument("number", type=int, metavar="ID")
@json_option
@click.pass_obj
def show_(desk: Desk, number: int, *, as_json: bool) -> None:
    """Show one hold, with what each of the two gives and gets that month."""
    parts = desk.parts
    with parts.db.reading() as tx:
        hold = deciding.find(tx, number)
        facts = _facts(tx, hold) | _accounts(tx, hold) | _around(tx, hold)
    if as_json:
        show.put({"currency": parts.rules.money.code, **facts})
        return
    for name, value in _in_words(facts, parts.rules.money).items():
        show.say(f"{name + ':':28} {value}")


@holds.command(epilog='\b\nExample:\n  flattr holds release 3 --note "known to us"')
@click.argument("number", type=int, metavar="ID")
@note_option
@click.pass_obj
def release(desk: Desk, number: int, note: str) -> None:
    """Let the creator have it: it goes out with the next payout run."""
    parts = desk.parts
    try:
        with parts.db.transaction() as tx:
            deciding.release(tx, number, by=OPERATOR, note=note, at=parts.clock())
    except deciding.Undecidable as error:
        raise Impossible(str(error)) from None
    show.say(f"Hold {number} is released; its money goes out with the next payout run. Both sides are told.")


@holds.command(epilog='\b\nExample:\n  flattr holds void 4 --note "the same household"')
@click.argument("number", type=int, metavar="ID")
@note_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def void(desk: Desk, number: int, note: str, *, yes: bool) -> None:
    """Give it back to the patron, with its part of the fee; once it is collected, if it is not yet."""
    parts = desk.parts
    with parts.db.reading() as tx:
        hold = deciding.find(tx, number)
    if hold.state == "held" and not yes:
        amount = f"{show.amount(hold.micros, parts.rules.money)} {parts.rules.money.code}"
        show.say(
            f"{amount} of {month_name(hold.month)} go back to patron {hold.patron_id} with their part of the fee;"
            f" creator {hold.creator_id} does not get them. This cannot be taken back."
        )
        click.confirm("Void it?", abort=True)
    try:
        with parts.db.transaction() as tx:
            deciding.void(tx, parts.rules, number, by=OPERATOR, note=note, at=parts.clock())
            refund = deciding.refund_of(tx, number)
    except deciding.Undecidable as error:
        raise Impossible(str(error)) from None
    when = (
        f"{show.amount(refund.amount_micros, parts.rules.money)} {parts.rules.money.code} go back to the patron"
        if refund
        else "what is collected of it goes back to the patron"
    )
    show.say(f"Hold {number} is void; {when}. Both sides are told.")


def _facts(tx: Session, hold: Hold) -> dict[str, Any]:
    charge = tx.exec(
        select(Statement.state).where(Statement.month == hold.month, Statement.patron_id == hold.patron_id)
    ).one_or_none()
    refund = deciding.refund_of(tx, hold.id or 0)
    return {
        "id": hold.id,
        "month": month_name(hold.month),
        "patron": hold.patron_id,
        "creator": hold.creator_id,
        "micros": hold.micros,
        "reasons": hold.reasons.split(),
        "state": hold.state,
        "charge": charge,
        "made_at": hold.made_at,
        "decided_at": hold.decided_at,
        "decided_by": hold.decided_by,
        "note": hold.note,
        "refund": refund.state if refund else None,
        "why_not_refunded": refund.why_not if refund else None,
    }


def _accounts(tx: Session, hold: Hold) -> dict[str, str]:
    """Who the two are, by the accounts that `flattr flattrs` and `flattr say` take."""
    return {
        f"{name}_accounts": " ".join(str(persons.ref(each)) for each in persons.accounts_of(tx, person_id))
        for name, person_id in (("patron", hold.patron_id), ("creator", hold.creator_id))
    }


_AROUND = """
select (select count(distinct h.creator_id) from statement s join share h on h.statement_id = s.id
         where s.month = :month and s.patron_id = :patron) as gives_to,
       (select coalesce(sum(h.micros), 0) from statement s join share h on h.statement_id = s.id
         where s.month = :month and s.patron_id = :patron) as gives,
       count(distinct h.statement_id) as gets_from, coalesce(sum(h.micros), 0) as gets
  from payable p
  join flattr f on f.author_id = p.account_id and f.month = p.month
  join share h on h.flattr_id = f.id
 where p.month = :month and p.creator_id = :creator
"""


def _around(tx: Session, hold: Hold) -> dict[str, int]:
    bound = {"month": hold.month, "patron": hold.patron_id, "creator": hold.creator_id}
    row = tx.execute(sa.text(_AROUND), bound).one()
    return {
        "patron_gives_to_creators": row.gives_to,
        "patron_gives_micros": int(row.gives),
        "creator_gets_from_patrons": row.gets_from,
        "creator_gets_micros": int(row.gets),
    }


def _in_words(facts: dict[str, Any], money: Currency) -> dict[str, object]:
    words: dict[str, object] = {}
    for name, value in facts.items():
        plain = name.replace("_", " ")
        match value:
            case None | "":
                continue
            case int() if name.endswith("micros"):
                words[plain.replace("micros", "").strip() or "held"] = f"{show.amount(value, money)} {money.code}"
            case list():
                words["why"] = "; ".join(MEANINGS[reason] for reason in value)
            case _:
                words[plain] = value
    return words


COMMANDS = (holds,)
