"""What the hub says on its own accord, rendered when it is sent, from what is true by then."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from sqlmodel import Session, select

from bot.announcing import charges, held, paying_out
from bot.announcing.telling import OVER
from bot.answers import accounts, month, month_view, statement
from bot.letters import address_of
from bot.talk import Reply, Talk, Turn, reply
from bot.wording import account, count, date, marked, short, until
from bot.wording import month as month_name
from connectors.speaking import Button
from core import periods
from core.events import AccountRef
from core.mail import outbox
from core.mail.tables import OutboxNote
from core.money import show
from core.months import statements
from core.months.tables import Charge, Month, Payout, Statement
from core.people import linking, persons
from core.people.tables import Account


def render(tx: Session, talk: Talk, note: OutboxNote, now: datetime | None = None) -> Reply:
    """The note's own text if it has one, else what its kind and source stand for; marked where money is not real.

    Sources: review:MONTH:PERSON, statement:ID, declined:STATEMENT:ATTEMPT, lapsed:STATEMENT, payout:ID,
    claim:ACCOUNT:PATRON:MONTH, link:ID, relink:ACCOUNT:MICROS; authenticate:STATEMENT:ATTEMPT, onboarding:PERSON:N,
    refund:ID, and NAME:PERSON:MICROS or NAME:HOLD for the others of `_ABOUT_MONEY`.
    ``now``: when it is sent; from then on an address in it lives.
    """
    return marked(talk, _said(tx, talk, note, now))


def _said(tx: Session, talk: Talk, note: OutboxNote, now: datetime | None) -> Reply:
    if note.text is not None:
        return Reply(note.text, tuple(Button(label=label, text=text) for label, text in outbox.buttons_of(note)))
    try:
        numbers = [int(part) for part in note.source.split(":")[1:]]
    except ValueError:
        numbers = []
    by = address_of(tx, note) or AccountRef(platform="", account_id="")
    turn = Turn(tx=tx, talk=talk, by=by, at=note.created_at)
    if (told := _ABOUT_MONEY.get((note.kind, len(numbers)))) is not None:
        return told(Turn(tx=tx, talk=talk, by=by, at=now or note.created_at), numbers)
    match note.kind, numbers:
        case "review", [number, person_id]:
            return _review(turn, number, person_id)
        case "statement", [statement_id]:
            return _statement(turn, statement_id, now or note.created_at)
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


_ABOUT_MONEY: Mapping[tuple[str, int], Callable[[Turn, Sequence[int]], Reply]] = {
    ("authenticate", 2): lambda turn, ids: charges.authenticate(turn, ids[0], ids[1]),
    ("card_taken", 2): lambda turn, ids: charges.card_taken(turn, ids[0]),
    ("card_refused", 2): lambda turn, ids: charges.card_refused(turn, ids[0]),
    ("card_gone", 2): lambda turn, ids: charges.card_gone(turn, ids[0]),
    ("refund", 1): lambda turn, ids: charges.refund(turn, ids[0]),
    ("onboarding", 2): lambda turn, ids: paying_out.onboarding_reminder(turn, ids[0], ids[1]),
    ("payable", 2): lambda turn, ids: paying_out.payable(turn, ids[0]),
    ("restricted", 2): lambda turn, ids: paying_out.restricted(turn, ids[0]),
    ("hold_patron", 1): lambda turn, ids: held.patron(turn, ids[0]),
    ("hold_creator", 1): lambda turn, ids: held.creator(turn, ids[0]),
    ("hold_decided_patron", 1): lambda turn, ids: held.decided_patron(turn, ids[0]),
    ("hold_decided_creator", 1): lambda turn, ids: held.decided_creator(turn, ids[0]),
}
"""By kind and by how many numbers its source has."""


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


def _statement(turn: Turn, statement_id: int, now: datetime) -> Reply:
    row = turn.tx.get(Statement, statement_id)
    found = row and statements.patron_statement(turn.tx, turn.rules, row.patron_id, row.month, turn.at)
    if not found:
        return OVER
    return statement.announced(Turn(tx=turn.tx, talk=turn.talk, by=turn.by, at=now), found)


_CARD = {True: '"card" shows or changes your card.', False: '"card" lets you pay it now, or enter another card.'}


def _declined(turn: Turn, statement_id: int, attempt: int) -> Reply:
    row = turn.tx.get(Statement, statement_id)
    charge = turn.tx.exec(
        select(Charge).where(Charge.statement_id == statement_id, Charge.attempt == attempt)
    ).one_or_none()
    if row is None or row.state != "due" or row.ends_as is not None:
        return OVER
    reason = f": {short(charge.reason, 120)}" if charge is not None and charge.reason else ""
    again = f"I try again on {date(row.next_attempt_at)}" if row.next_attempt_at else "I try again soon"
    return reply(
        f"Your {show(row.charge_micros, turn.money)} for {month_name(row.month)} could not be collected{reason}.",
        f"{again}. {_CARD[bool(turn.talk.gateway.cards())]} After the last try it lapses, and you owe nothing.",
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
    pretend = " It is pretend money." if turn.talk.gateway.cards() else ""
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
