"""What the hub says on its own accord, rendered when it is sent, from what is true by then."""

from __future__ import annotations

from sqlmodel import Session, select

from bot.answers import accounts, month, month_view, statement
from bot.talk import Reply, Talk, Turn, reply
from bot.wording import account, count, date, short, until
from bot.wording import month as month_name
from connectors.base import Button
from core import periods
from core.events import AccountRef
from core.mail import outbox
from core.mail.tables import OutboxNote
from core.money import show
from core.months import statements
from core.months.tables import Charge, Month, Payout, Statement
from core.people import linking, persons
from core.people.tables import Account

OVER = Reply('Something changed while I was on my way to you. "status" shows how things stand.')
"""For a note whose reason is gone by the time it is sent."""


def render(tx: Session, talk: Talk, note: OutboxNote) -> Reply:
    """The note's own text if it has one, else what its kind and source stand for.

    Sources: review:MONTH:PERSON, statement:ID, declined:STATEMENT:ATTEMPT, lapsed:STATEMENT, payout:ID,
    claim:ACCOUNT:PATRON:MONTH, link:ID, relink:ACCOUNT:MICROS.
    """
    if note.text is not None:
        return Reply(note.text, tuple(Button(label=label, text=text) for label, text in outbox.buttons_of(note)))
    try:
        numbers = [int(part) for part in note.source.split(":")[1:]]
    except ValueError:
        numbers = []
    by = AccountRef(platform=note.platform or "", account_id=note.account_id or "")
    turn = Turn(tx=tx, talk=talk, by=by, at=note.created_at)
    match note.kind, numbers:
        case "review", [number, person_id]:
            return _review(turn, number, person_id)
        case "statement", [statement_id]:
            return _statement(turn, statement_id)
        case "declined", [statement_id, attempt]:
            return _declined(turn, statement_id, attempt)
        case "lapsed", [statement_id]:
            return _lapsed(turn, statement_id)
        case "payout", [payout_id]:
            return _payout(turn, payout_id)
        case "claimed", [account_id, patron_id, number]:
            return _claimed(turn, account_id, patron_id, number)
        case "link_offer", [offer_id]:
            return _link_offer(turn, offer_id)
        case "relink", [account_id, _]:
            return _relink(turn, account_id)
    return OVER


def _relink(turn: Turn, account_id: int) -> Reply:
    row = turn.tx.get(Account, account_id)
    if row is None or row.needs_relink_at is None:
        return OVER
    return reply(
        f"I can no longer see what you like as {account(turn.talk, row)}: my access has ended.",
        f'"link {row.platform}" renews it, and I go on where I stopped.',
        buttons=(f"link {row.platform}",),
    )


def _review(turn: Turn, number: int, person_id: int) -> Reply:
    row = turn.tx.get(Month, number)
    if row is None or row.stage != "review":
        return reply(f'{month_name(number)} is closed by now. "statement" shows it.', buttons=("statement",))
    view = month_view.of(turn, persons.root_id(turn.tx, person_id), number)
    if not view.lines:
        return OVER
    shown = month.render(turn, persons.root_id(turn.tx, person_id), view, chosen=number)
    if view.charge_micros and row.review_ends_at:
        rest = f"If all is well, do nothing. You can strike out until {until(row.review_ends_at)}."
    else:
        rest = "You need not do anything."
    lines = (*month.in_review(turn, view), "", shown.text, f'{rest} "skip" pays nothing for the month.')
    # The month is named, so that a button pressed too late skips no other.
    skip = Button(label="Skip this month", text=f"skip {periods.month_name(number)}")
    return Reply("\n".join(lines), (*shown.buttons, skip))


def _statement(turn: Turn, statement_id: int) -> Reply:
    row = turn.tx.get(Statement, statement_id)
    found = row and statements.patron_statement(turn.tx, turn.rules, row.patron_id, row.month, turn.at)
    if not found:
        return OVER
    text = statement.text_of(turn.talk, found)
    thanks = "Thank you, also in the name of those who made these things." if found.state == "collected" else ""
    return reply(f"Your statement. {text}", thanks)


def _declined(turn: Turn, statement_id: int, attempt: int) -> Reply:
    row = turn.tx.get(Statement, statement_id)
    charge = turn.tx.exec(
        select(Charge).where(Charge.statement_id == statement_id, Charge.attempt == attempt)
    ).one_or_none()
    if row is None or row.state != "due":
        return OVER
    reason = f": {short(charge.reason, 120)}" if charge is not None and charge.reason else ""
    again = f"I try again on {date(row.next_attempt_at)}" if row.next_attempt_at else "I try again soon"
    return reply(
        f"Your {show(row.charge_micros, turn.money)} for {month_name(row.month)} could not be collected{reason}.",
        f'{again}. "card" shows or changes your card. After the last try it lapses, and you owe nothing.',
        buttons=("card",),
    )


def _lapsed(turn: Turn, statement_id: int) -> Reply:
    row = turn.tx.get(Statement, statement_id)
    if row is None:
        return OVER
    return reply(
        f"Your {show(row.charge_micros, turn.money)} for {month_name(row.month)} could not be collected and has"
        " lapsed. You owe nothing, and nobody asks again.",
        'For the next month, "card" shows or changes your card.',
        buttons=("card",),
    )


def _payout(turn: Turn, payout_id: int) -> Reply:
    row = turn.tx.get(Payout, payout_id)
    if row is None:
        return OVER
    amount = show(row.amount_micros, turn.money)
    pretend = " It is pretend money." if turn.talk.gateway.pretend else ""
    if row.state == "sent":
        return reply(f'{amount} for your things are on their way to you.{pretend} "earnings" shows more.')
    if row.state == "refused":
        reason = f": {short(row.reason, 120)}" if row.reason else ""
        return reply(f"{amount} could not be sent to you{reason}. They stay due to you and go out with the next run.")
    return OVER


def _claimed(turn: Turn, account_id: int, patron_id: int, number: int) -> Reply:
    row = turn.tx.get(Account, account_id)
    if row is None:
        return OVER
    view = month_view.of(turn, persons.root_id(turn.tx, patron_id), number)
    lines = [line for line in view.lines if line.creator_account == str(row) and line.state == "counts"]
    if not lines or view.stage != "open":
        return OVER
    older = [line for line in lines if line.origin == "claimed"]
    old = f", {len(older)} of them from earlier months" if older else ""
    verb = "counts" if len(lines) == 1 else "count"
    names = [f"{line.number}. {month.name_of(turn.talk, line)}" for line in lines[: month.PAGE]]
    return reply(
        f"{account(turn.talk, row)} has joined: {count(len(lines), 'like')} of yours now {verb} in"
        f" {month_name(number)}{old}.",
        *names,
        f"{month.worth_line(turn.talk, view)} Your budget stays the ceiling."
        f' "remove {lines[0].number} from {month_name(number)}" strikes one out.',
    )


def _link_offer(turn: Turn, offer_id: int) -> Reply:
    row = persons.account_of(turn.tx, turn.by)
    offer = linking.open_offer(turn.tx, row, turn.at) if row is not None else None
    if offer is None or offer.id != offer_id:
        return reply("The linking that I wanted to ask you about is over. Nothing was changed by it.")
    return accounts.asked(turn.talk, offer)
