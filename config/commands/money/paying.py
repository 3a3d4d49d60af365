"""Subcommands that act on the payment processor: reconcile, settle, refund, reverse."""

from __future__ import annotations

from datetime import datetime

import click

from config.commands import show
from config.commands.desk import Desk, json_option
from config.commands.people import OPERATOR
from config.complaints import Impossible
from config.parts import Parts
from config.payments.processor import hosted
from core.database import Busy
from core.errands import keeping
from core.errands import running as errands
from core.money import Currency, parse_amount
from core.money import show as sum_of
from core.months import payouts
from core.months.tables import Payout, Statement
from core.payments.gateway import Done
from core.payments.hosted import HostedGateway, Unanswered
from core.people import audit
from core.periods import month_name
from core.reconciling import accepting
from core.reconciling import running as reconciling
from core.reconciling.running import Result
from core.reconciling.tables import Movement
from core.returns import refunds


def _hosted(parts: Parts) -> HostedGateway:
    gateway = hosted(parts.gateway)
    if gateway is None:
        raise Impossible("payments are pretend here (money.payments is sandbox): there is no processor to ask")
    return gateway


@click.command(
    short_help="Hold the books against Stripe's own account.",
    epilog="""\b
Examples:
  flattr reconcile                     since the last run
  flattr reconcile --all               every line that Stripe ever had
""",
)
@click.option(
    "--all", "everything", is_flag=True, help="Read every line of Stripe's, not only those since the last run."
)
@json_option
@click.pass_context
def reconcile(context: click.Context, *, everything: bool, as_json: bool) -> None:
    """Match every line of Stripe's account with a posting and the other way round; post what Stripe took.

    A running hub does it daily. Errands that failed are run again. Exit status 1 if there are differences.
    """
    parts = context.obj.parts
    gateway = _hosted(parts)
    with parts.db.transaction() as tx:
        failed = keeping.again(tx, parts.clock())
    if failed:
        _run_errands(parts, parts.clock())
    try:
        result = reconciling.run(parts.db, parts.rules, gateway, parts.clock(), everything=everything)
    except Unanswered as silent:
        raise Impossible(f"Stripe did not answer: {silent}; nothing is lost, try again") from None
    if as_json:
        show.put({"currency": parts.rules.money.code, "result": result})
    else:
        _print(result, parts.rules.money)
    if result.differences:
        context.exit(1)


def _print(result: Result, money: Currency) -> None:
    since = f"since {result.since:%Y-%m-%d %H:%M}" if result.since else "of all time"
    show.say(f"{result.seen} lines {since}; costs of {result.costs} posted; {result.looked} objects looked at.")
    at_stripe, here = sum_of(result.stripe_micros, money), sum_of(result.books_micros, money)
    young = f"; {sum_of(result.young_micros, money)} of that are so new that Stripe may have no lines of it yet"
    show.say(f"At Stripe lie {at_stripe}, by the books {here}{young if result.young_micros else ''}.")
    if not result.differences:
        show.say("No differences.")
        return
    show.print_table(
        f"Differences: {len(result.differences)}",
        ["line", "when", "what and what to do"],
        [(each.name, f"{each.at:%Y-%m-%d %H:%M}" if each.at else "", each.text) for each in result.differences],
    )


@click.command(
    short_help="Give a patron money of a collected statement back.",
    epilog="""\b
Examples:
  flattr refund 17                     all that is left of statement 17
  flattr refund 17 3.50 --yes          3.50 of it, without being asked
""",
)
@click.argument("statement", type=click.IntRange(1))
@click.argument("amount", required=False)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def refund(desk: Desk, statement: int, amount: str | None, *, yes: bool) -> None:
    """Give a patron money of STATEMENT back; without AMOUNT, all that is left.

    Its number is in `flattr close MONTH` and in `flattr payments`.

    It is taken from shares that creators were not paid yet, then from the hub's income, then from its own pocket;
    no creator is asked for money. A running hub sends it within a minute.
    """
    parts = desk.parts
    money = parts.rules.money
    with parts.db.reading() as tx:
        row = tx.get(Statement, statement)
        if row is None or row.state != "collected":
            state = f"is {row.state}" if row else "does not exist"
            raise Impossible(
                f"statement {statement} {state}; only a collected one can be refunded (`flattr close MONTH` lists them)"
            )
        left = refunds.left(tx, row)
    try:
        micros = parse_amount(amount, money) if amount is not None else left
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if not 0 < micros <= left:
        raise Impossible(
            f"of statement {statement} {sum_of(left, money)} are left to refund; name an amount up to that"
        )
    show.say(
        f"{sum_of(micros, money)} of statement {statement} ({month_name(row.month)}, charged"
        f" {sum_of(row.charge_micros, money)}) go back to patron {row.patron_id}."
    )
    if not yes:
        click.confirm("Refund?", abort=True)
    at = parts.clock()
    with parts.db.transaction() as tx:
        made = refunds.ask(tx, parts.rules, statement_id=statement, amount_micros=micros, reason="operator", at=at)
        audit.note(tx, at, OPERATOR, "refund", f"refund {made.id}: {sum_of(micros, money)} of statement {statement}")
    show.say(f"Refund {made.id} is asked for; a running hub sends it, and the patron is told.")


@click.command(short_help="Take a payout back from a creator's account at Stripe, as far as it is still there.")
@click.argument("payout", type=click.IntRange(1))
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def reverse(desk: Desk, payout: int, *, yes: bool) -> None:
    """Take PAYOUT back, as far as the creator's balance at Stripe still covers it; the money is due to them again."""
    parts = desk.parts
    gateway, at = _hosted(parts), parts.clock()
    with parts.db.reading() as tx:
        row = tx.get(Payout, payout)
    if row is None or row.state not in ("sent", "reversed"):
        state = f"is {row.state}" if row else "does not exist"
        raise Impossible(
            f"payout {payout} {state}; only one that was sent can be taken back (`flattr payments` lists them)"
        )
    show.say(
        f"What is left of payout {payout} ({sum_of(row.amount_micros, parts.rules.money)}) comes back from creator"
        f" {row.creator_id}, and is due again."
    )
    if not yes:
        click.confirm("Take it back?", abort=True)
    try:
        outcome = payouts.reverse(parts.db, parts.rules, gateway, payout, at)
    except ValueError as reason:
        raise Impossible(str(reason)) from None
    except Unanswered as silent:
        raise Impossible(f"Stripe did not answer: {silent}; nothing is lost, try again") from None
    if not isinstance(outcome, Done):
        raise Impossible(f"payout {payout} was not taken back: {outcome.reason}")
    show.say("Done; the books have it.")


@click.command(
    short_help="Take a line of Stripe's that matches nothing as the hub's own loss or gain.",
    epilog="""\b
Example:
  flattr settle txn_1PabcDEF --note "fee of a product that is switched off now"
""",
)
@click.argument("line")
@click.option("--note", required=True, help="Why; it is kept in the log.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def settle(desk: Desk, line: str, *, note: str, yes: bool) -> None:
    """Settle a difference: LINE (its name in `flattr reconcile`) is the hub's own loss, or lessens its losses.

    For what nobody else has a claim to, once it is clear what it was. A patron's or creator's money is not: refund a
    charge, reverse a payout.
    """
    parts = desk.parts
    with parts.db.reading() as tx:
        row = tx.get(Movement, line)
    if row is not None and not yes:
        show.say(f"{row.kind} of {row.at:%Y-%m-%d}, {sum_of(row.amount_micros, parts.rules.money)}: {row.difference}")
        click.confirm("Take it as the hub's own?", abort=True)
    try:
        with parts.db.transaction() as tx:
            row = accepting.accept(tx, parts.rules, line, by=OPERATOR, note=note, at=parts.clock())
    except accepting.Unacceptable as reason:
        raise Impossible(str(reason)) from None
    kind = "a gain" if row.amount_micros > 0 else "a loss"
    show.say(f"{line} is {kind} of the hub's now; `flattr reconcile` looks at the rest.")


def _run_errands(parts: Parts, at: datetime) -> None:
    try:
        errands.run(parts.db, parts.rules, parts.gateway, at)
    except Busy:
        click.echo("The hub is at its errands, and does these too.", err=True)


COMMANDS = (reconcile, settle, refund, reverse)
