"""The statement of a closed month: every share with its receipt, the fee, the total."""

from __future__ import annotations

from datetime import timedelta

from bot import addresses, picturing
from bot.answers.month_view import why_pending
from bot.hearing.said import ShowStatement
from bot.talk import Reply, Talk, Turn, reply
from bot.wording import count, date, listed, month, short, thing, until
from core.access import visits
from core.access.visits import VisitRefused
from core.money import show
from core.months import stages, statements
from core.months.statements import PatronStatement
from core.months.tables import Statement
from core.people import persons
from core.periods import month_end, month_name

MOST = 100
"""Shares that one answer lists where it is all there is; the rest is in the export."""

FEW = 12
"""Shares that it lists where the page and the picture show the rest."""


def statement(turn: Turn, wish: ShowStatement) -> Reply:
    """The latest statement, or a month's."""
    person_id = turn.person_id
    people = persons.merged_ids(turn.tx, person_id) if person_id else []
    months = sorted({each for person in people for each in statements.statement_months(turn.tx, person)})
    if wish.month is not None:
        wanted = wish.month.last(turn.at)
        if wanted not in months:
            return reply(_none(turn, wanted), _known(months))
    elif not months:
        return reply("There is no statement yet: the first one comes when a month with likes of yours has closed.")
    else:
        wanted = months[-1]
    found = (statements.patron_statement(turn.tx, turn.rules, each, wanted, turn.at) for each in people)
    shown = [each for each in found if each is not None]
    address = page_line(turn, _PAGE, "statement", month_name(wanted))
    texts = [text_of(turn.talk, each, FEW if address else MOST) for each in shown]
    if address:
        texts.append(address)
    earlier = [each for each in months if each < wanted]
    if earlier and wish.month is None:
        texts.append(f'Earlier ones: "statement {month(earlier[-1])}".')
    return Reply("\n".join(texts), picture=next(filter(None, map(picturing.name_of, shown)), None))


_PAGE = "All of it, with every receipt and files to keep"


def announced(turn: Turn, found: PatronStatement) -> Reply:
    """A statement that comes unasked: nobody waits for it, so its address is good for a day."""
    address = page_line(turn, _PAGE, "statement", month_name(found.month), life=addresses.A_DAY)
    lines = [f"Your statement. {text_of(turn.talk, found, FEW if address else MOST)}"]
    if found.state == "collected":
        lines.append("Thank you, also in the name of those who made these things.")
    if address:
        lines.append(address)
    return Reply("\n".join(lines), picture=picturing.name_of(found))


def page_line(turn: Turn, what: str, page: str, intent: str = "", *, life: timedelta = visits.LIFE) -> str:
    """What is behind the personal address of one of the hub's pages, and the address.

    Empty for strangers, where the hub has no public address, and for who has asked for too many.
    """
    if not turn.talk.address or persons.person_of(turn.tx, turn.by) is None:
        return ""
    try:
        found = addresses.personal(turn.tx, turn.talk, turn.by, page, at=turn.at, intent=intent, life=life)
    except VisitRefused:
        return ""  # the words say it all the same
    return f"{what}: {found}\n{addresses.LIFE_OF_A_DAY if life == addresses.A_DAY else addresses.LIFE}"


def _none(turn: Turn, wanted: int) -> str:
    stage = next((row.stage for row in stages.months(turn.tx) if row.id == wanted), "open")
    if stage == "review":
        return f'There is no statement of {month(wanted)} yet: it is in review. "list" shows it.'
    if month_end(wanted) > turn.at:
        return f"There is no statement of {month(wanted)} yet: the month lasts until {until(month_end(wanted))}."
    return f"You have no statement of {month(wanted)}."


def _known(months: list[int]) -> str:
    if not months:
        return ""
    return f"There {'are' if len(months) > 1 else 'is'} {', '.join(month(each) for each in months[-12:])}."


def text_of(talk: Talk, found: PatronStatement, most: int = MOST) -> str:
    """A statement in plain words; the lines add up to the total. ``most``: how many shares have a line of their own."""
    money = talk.rules.money
    if found.state == "void" and not found.charge_micros:
        lines = [f"{month(found.month)}: nothing was charged."]
    else:
        lines = [f"{month(found.month)}: {show(found.charge_micros, money)}, {_state(found)}"]
        lines += [
            f"{share.receipt}: {thing(share.title, share.url, 50)} by {short(share.creator, 30) or 'somebody'},"
            f" {show(share.micros, money)}"
            for share in found.shares[:most]
        ]
        if len(found.shares) > most:
            left = sum(share.micros for share in found.shares[most:])
            where = '"export" has' if most == MOST else "the page has"
            lines.append(f"and {len(found.shares) - most} more, {show(left, money)} together, which {where}.")
        if found.cost_micros:
            lines.append(f"The card's cost: {show(found.cost_micros, money)}")
        lines.append(f"The hub's fee: {show(found.fee_micros, money)}")
        lines.append(
            f"Total: {show(found.charge_micros, money)} for {count(len(found.shares), 'like')}"
            f" (budget {show(found.budget_micros, money)})"
        )
    if found.given_back_micros:
        lines.append(f"{show(found.given_back_micros, money)} of it went back to you.")
    if kept := sum(share.micros for share in found.shares if share.state == "held"):
        lines.append(f"{show(kept, money)} of it is kept from payouts until the operator has looked at it.")
    if found.pending:
        lines.append(f"{count(len(found.pending), 'like')} cost nothing: {why_pending(found.pending, then=True)}.")
    if found.held:
        where = listed(sorted({talk.title(line.platform) for line in found.held}))
        them = "it" if len(found.held) == 1 else "them"
        lines.append(f"{count(len(found.held), 'like')} cost nothing, since {where} had stopped listing {them}.")
    if talk.gateway.cards() and found.charge_micros:
        lines.append("All of it is pretend money.")
    return "\n".join(lines)


def _state(found: PatronStatement) -> str:
    match found.state:
        case "collected" if found.collected_at:
            return f"collected on {date(found.collected_at)}."
        case "lapsed":
            return "which could not be collected and has lapsed; you owe nothing."
        case "void":
            return "which will not be charged."
    when = charged_when(found)
    return f"{when}." if not found.attempts else f"declined {count(found.attempts, 'time')} so far, {when}."


def charged_when(row: Statement | PatronStatement) -> str:
    """When what is due is charged, or that it is not any more."""
    if row.ends_as is not None:
        return "which is not tried any more; you owe nothing"
    return f"to be charged on {date(row.next_attempt_at)}" if row.next_attempt_at else "about to be charged"
