"""The subcommand that shows how the hub and the payment processor stand: what moved, what waits, what went wrong."""

from __future__ import annotations

import click
from sqlmodel import Session, col, select

from config.commands import show
from config.commands.desk import Desk, json_option
from core.errands import keeping
from core.money import Currency
from core.money import show as sum_of
from core.months.tables import Payout
from core.payments import counterparts
from core.reconciling import last
from core.reconciling.tables import Movement
from core.returns.tables import Dispute, Refund


@click.command(short_help="Show what Stripe moved lately, what waits, open disputes, failed errands.")
@click.option(
    "--lines", default=20, show_default=True, type=click.IntRange(1, 1000), help="How many lines of each kind."
)
@json_option
@click.pass_obj
def payments(desk: Desk, *, lines: int, as_json: bool) -> None:
    """Show Stripe's latest lines as the last reconciliation read them, payouts and refunds that are not made yet and
    why, open disputes, and errands that failed."""
    parts = desk.parts
    money = parts.rules.money
    with parts.db.reading() as tx:
        rows, ran = last.latest(tx, lines), last.finished(tx)
        disputes = tx.exec(
            select(Dispute).where(col(Dispute.closed_at).is_(None)).order_by(col(Dispute.opened_at))
        ).all()
        payouts = tx.exec(select(Payout).where(Payout.state == "asked").order_by(col(Payout.id)).limit(lines)).all()
        refunds = tx.exec(select(Refund).where(Refund.state == "asked").order_by(col(Refund.id)).limit(lines)).all()
        counts, failed = keeping.counts(tx), keeping.failures(tx)
        own = {row.reference: _own(tx, row) for row in rows}
    if as_json:
        show.put(
            {
                "currency": money.code,
                "reconciled_at": ran.began_at if ran else None,
                "differences": ran.differences if ran else None,
                "lines": [row.model_dump() for row in rows],
                "payouts_waiting": [row.model_dump() for row in payouts],
                "refunds_waiting": [row.model_dump() for row in refunds],
                "disputes": [row.model_dump() for row in disputes],
                "errands": counts,
                "failed": [row.model_dump() for row in failed],
            }
        )
        return
    if ran is None:
        show.say("Not reconciled yet; a running hub does it daily, `flattr reconcile` at once.")
    else:
        show.say(f"Reconciled {ran.began_at:%Y-%m-%d %H:%M}: {ran.differences} differences.")
    show.say(f"Errands: {counts.waiting} waiting, {counts.failed} failed.")
    if rows:
        head = [f"amount ({money.code})", "cost"]
        show.print_table(
            "Stripe's latest lines",
            ["when", "kind", *head, "of", "about"],
            [_row(each, money, own[each.reference]) for each in rows],
            right=head,
        )
    if payouts or refunds:
        head = [f"amount ({money.code})"]
        show.print_table(
            "Not made yet",
            ["what", *head, "for", "next try", "why it waits"],
            [
                *(
                    _waits(f"payout {each.id}", f"creator {each.creator_id}", each, each.reason, money)
                    for each in payouts
                ),
                *(
                    _waits(f"refund {each.id}", f"statement {each.statement_id}", each, each.why_not, money)
                    for each in refunds
                ),
            ],
            right=head,
        )
    if disputes:
        show.print_table(
            "Open disputes: answer them in Stripe's Dashboard",
            ["dispute", "statement", "amount", "answer by", "status", "reason"],
            [_dispute(each, money) for each in disputes],
        )
    if failed:
        show.print_table(
            "Errands that failed; they run again when Stripe says something new, and by `flattr reconcile`",
            ["errand", "about", "tries", "why"],
            [(each.kind, each.reference, each.tries, each.reason) for each in failed],
        )


def _own(tx: Session, row: Movement) -> str:
    """What a line is about by the hub's own number, as `flattr refund` and `flattr reverse` take it."""
    if row.payout_id is not None:
        return f"payout {row.payout_id}"
    statement = counterparts.owner(tx, "intent", row.intent) if row.intent else None
    return f"statement {statement}" if statement is not None else ""


def _row(row: Movement, money: Currency, own: str) -> tuple[str, ...]:
    amounts = (show.amount(row.amount_micros, money), show.amount(row.fee_micros, money))
    return (f"{row.at:%Y-%m-%d %H:%M}", row.kind, *amounts, own, row.difference or row.about or row.source or "")


def _waits(what: str, whom: str, row: Payout | Refund, why: str | None, money: Currency) -> tuple[str, ...]:
    reason = why or ("no answer so far" if row.calls else "nothing: the running hub sends it")
    return what, show.amount(row.amount_micros, money), whom, f"{row.asked_at:%Y-%m-%d %H:%M}", reason


def _dispute(row: Dispute, money: Currency) -> tuple[object, ...]:
    answer_by = f"{row.answer_by:%Y-%m-%d %H:%M}" if row.answer_by else ""
    return row.reference, row.statement_id, sum_of(row.amount_micros, money), answer_by, row.status, row.reason


COMMANDS = (payments,)
