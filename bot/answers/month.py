"""Answers about a patron's month: what it looks like, the list, striking out, skipping."""

from __future__ import annotations

from datetime import timedelta

from sqlmodel import col, select

from bot.answers import month_view, statement, suggesting
from bot.answers.month_view import View
from bot.hearing import said
from bot.hearing.when import MonthSaid
from bot.talk import Reply, Talk, Turn, reply
from bot.wording import about, count, date, listed, month, short, thing, until
from core import standing, things
from core.money import show
from core.months import statements, worth
from core.months.tables import Statement
from core.people import persons, preferences
from core.periods import month_end, month_name, month_of

PAGE = 20
"""Lines in one answer: about what fits on a phone, and in the shortest message limit of the networks."""


def status(turn: Turn) -> Reply:
    """What each like is worth now, what is pending, and what happens next."""
    person_id = turn.person_id
    if person_id is None:
        return _nothing_yet(turn)
    lines: list[str] = []
    reviewing = month_view.under_review(turn, person_id)
    if reviewing is not None:
        lines += in_review(turn, month_view.of(turn, person_id, reviewing))
        lines.append("")
    lines += _collecting(turn, person_id)
    lines += _open(turn, person_id, month_view.of(turn, person_id, month_of(turn.at)))
    if preferences.paused(turn.tx, person_id):
        lines.append('You are paused: new likes do not count until you say "resume".')
    return Reply("\n".join(lines), reply(buttons=("list",)).buttons)


def _nothing_yet(turn: Turn) -> Reply:
    begin = suggesting.budget(turn)
    return reply(f'You have no likes here yet. "{begin}" begins; "help" says what this is.', buttons=(begin,))


def worth_line(talk: Talk, view: View) -> str:
    """``10 likes count, each worth 3.15 EUR.``"""
    if not view.counting:
        return "No like counts."
    verb = "counts" if view.counting == 1 else "count"
    each = "" if view.counting == 1 else "each "
    if not view.each_micros:
        return f"{count(view.counting, 'like')} {verb}, worth nothing as things stand."
    return f"{count(view.counting, 'like')} {verb}, {each}worth {about(view.each_micros, talk.rules.money)}."


def _pending(view: View) -> str:
    if not view.pending:
        return ""
    likes = "1 more like is" if view.pending == 1 else f"{view.pending} more likes are"
    return f"{likes} pending: {month_view.why_pending(view.lines)}. That costs nothing."


def _held(turn: Turn, view: View) -> str:
    held = [line for line in view.lines if line.state == "held"]
    if not held:
        return ""
    where = listed(sorted({turn.talk.title(line.platform) for line in held}))
    it, is_ = ("it", "is") if len(held) == 1 else ("them", "are")
    return f"{count(len(held), 'more like')} {is_} held: {where} stopped listing {it} all at once, so I look again."


def _sum(talk: Talk, view: View, verb: str) -> str:
    money = talk.rules.money
    if not view.charge_micros:
        return f"Nothing {verb} charged." if view.budget_micros else ""
    of_it = [f"{show(view.fee_micros, money)} fee"]
    if view.cost_micros:
        of_it.append(f"{show(view.cost_micros, money)} card cost")
    return f"{show(view.charge_micros, money)} {verb} charged, of it {listed(of_it)}."


def _open(turn: Turn, person_id: int, view: View) -> list[str]:
    money = turn.money
    lines = [f"{month(view.month)} so far. {worth_line(turn.talk, view)}", _pending(view), _held(turn, view)]
    if not view.budget_micros:
        lines.append(f'You have no budget for this month. "{suggesting.budget(turn)} now" sets one.')
    elif preferences.skipped(turn.tx, person_id, view.month):
        lines.append('You skip this month, so nothing is charged. "unskip" takes that back.')
    else:
        lines.append(f"Your budget is {show(view.budget_micros, money)}. " + _sum(turn.talk, view, "would be").strip())
    last_day = date(month_end(view.month) - timedelta(days=1))
    hours = int(turn.rules.review.total_seconds() // 3600)
    if view.budget_micros and hours:
        lines.append(
            f"The month ends on {last_day}. Then I send you the list, and you have {hours} hours to strike out."
        )
    return [line for line in lines if line]


def in_review(turn: Turn, view: View) -> list[str]:
    """What a patron must know of a month in review (also said on the hub's own accord)."""
    ends = f" until {until(view.review_ends_at)}" if view.review_ends_at else ""
    lines = [
        f"{month(view.month)} is in review{ends}. {worth_line(turn.talk, view)}",
        _pending(view),
        _held(turn, view),
        _sum(turn.talk, view, "will be"),
    ]
    return [line for line in lines if line]


def _collecting(turn: Turn, person_id: int) -> list[str]:
    """Months that are closed but not collected."""
    mine = select(Statement).where(
        Statement.state == "due", col(Statement.patron_id).in_(persons.merged_ids(turn.tx, person_id))
    )
    return [
        f"{month(row.month)} is closed: {show(row.charge_micros, turn.money)}, {statement.charged_when(row)}."
        for row in turn.tx.exec(mine.order_by(col(Statement.month))).all()
    ]


def listing(turn: Turn, wish: said.List) -> Reply:
    """The numbered likes of a month."""
    person_id = turn.person_id
    if person_id is None:
        return _nothing_yet(turn)
    chosen = month_view.current(turn, person_id)
    number = wish.month.last(turn.at) if wish.month else chosen
    if number > month_of(turn.at):
        return reply(f"{month(number)} has not begun.")
    view = month_view.of(turn, person_id, number)
    if not view.lines:
        return reply(
            f"You have no likes in {month(number)}.",
            "" if wish.month else 'Like something, or send me its address with "flattr".',
        )
    return render(turn, person_id, view, page=wish.page, chosen=chosen)


def render(turn: Turn, person_id: int, view: View, *, page: int = 1, chosen: int) -> Reply:
    """One page of a list; ``chosen`` is the month that a number without a month is about."""
    pages = -(-len(view.lines) // PAGE)
    if page > pages:
        return reply(f"The list of {month(view.month)} has {count(pages, 'page')}.", buttons=("list",))
    closed = view.stage not in ("open", "review")
    worths = _shares(turn, person_id, view.month) if closed else {}
    state = "in review" if view.stage == "review" else "closed" if closed else "so far"
    lines = [f"{month(view.month)}, {state}:"]
    for line in view.lines[(page - 1) * PAGE : page * PAGE]:
        micros = worths.get(line.flattr_id, 0) if closed else line.worth_micros
        lines.append(f"{line.number}. {name_of(turn.talk, line)}: {_verdict(turn, line, micros, closed=closed)}")
    buttons: tuple[str, ...] = ()
    named = month_name(view.month)
    of_month = "" if view.month == chosen else f" {named}"
    if page < pages:
        more = f"list{of_month} page {page + 1}"
        lines.append(f'Page {page} of {pages}; "{more}" goes on.')
        buttons = (more,)
    standing = next((line.number for line in view.lines if line.state in ("counts", "pending")), None)
    if not closed and standing is not None:
        where = f" from {named}" if of_month else ""
        lines.append(f'"remove {standing}{where}" strikes one out; unliking does, too.')
    return Reply("\n".join(lines), reply(buttons=buttons).buttons)


def _shares(turn: Turn, person_id: int, number: int) -> dict[int, int]:
    found = (
        statements.patron_statement(turn.tx, turn.rules, each, number, turn.at)
        for each in persons.merged_ids(turn.tx, person_id)
    )
    return {share.flattr_id: share.micros for one in found if one for share in one.shares}


def name_of(talk: Talk, line: worth.Line) -> str:
    """``A song (carol on Square)``."""
    by = f"{short(line.creator, 30)} on {talk.title(line.platform)}" if line.creator else talk.title(line.platform)
    if line.url.startswith("subscription:"):
        return f"subscription to {by}"
    return f"{thing(line.title, line.url)} ({by})"


def _verdict(turn: Turn, line: worth.Line, micros: int, *, closed: bool) -> str:
    match line.state:
        case "counts":
            older = ", liked before its creator joined" if line.origin == "claimed" else ""
            return about(micros, turn.money) + older if micros else f"counts{older}"
        case "pending" if line.creator:
            return f"pending, {month_view.why_pending([line])}"
        case "pending":
            return "pending, its creator is not known yet"
        case "held":
            where = turn.talk.title(line.platform)
            return f"held: {where} stopped listing it; {'left out' if closed else 'looking again'}"
        case "lapsed":
            return f"lapsed, its creator could not be paid within {turn.rules.pending_days} days"
        case left_out:
            return _LEFT_OUT[left_out]


_LEFT_OUT = {
    "own": "your own, does not count",
    "ignored": "you ignore its creator",
    "struck": "struck out",
    "withdrawn": "unliked",
    "moved": "counts in a later month, since its creator joined",
    "declined": "its creator wants no money",
    "skipped": "you skip this month",
    "left": "withdrawn when you left",
    "same_card": "void: its creator pays with the same card as you",
}


def remove(turn: Turn, wish: said.Remove) -> Reply:
    """Strikes likes out of the month in review, else of the open one, or of the month that was named."""
    person_id = turn.person_id
    if person_id is None:
        return reply("You have no likes here that I could strike out.")
    chosen = wish.month.last(turn.at) if wish.month else month_view.current(turn, person_id)
    view = month_view.of(turn, person_id, chosen)
    if view.stage not in ("open", "review"):
        return reply(f"{month(chosen)} is closed; nothing can be struck out any more.")
    picked: dict[int, tuple[worth.Line, int]] = {}
    missing: list[str] = []
    for number in wish.numbers:
        if number and number <= len(view.lines):
            picked[number] = (view.lines[number - 1], view.owners[number - 1])
        else:
            missing.append(str(number))
    for url in wish.urls:
        line = _by_url(turn, view, url)
        if line is None and wish == said.Remove((), (url,)) and chosen != month_of(turn.at):
            # What is not in the month in review may be in the open one.
            return remove(turn, said.Remove((), (url,), MonthSaid()))
        if line is None:
            missing.append(short(url, 100))
        else:
            picked[line.number] = (line, view.owners[line.number - 1])
    return _struck(turn, person_id, view, picked, missing)


def _by_url(turn: Turn, view: View, url: str) -> worth.Line | None:
    resolved = turn.talk.resolve(url)
    known = things.find(turn.tx, resolved[0]) if resolved else None
    urls = {url, resolved[0].url if resolved else url, known.url if known else url}
    return next((line for line in view.lines if line.url in urls), None)


def _struck(
    turn: Turn, person_id: int, view: View, picked: dict[int, tuple[worth.Line, int]], missing: list[str]
) -> Reply:
    done, already = [], []
    for number in sorted(picked):
        line, owner = picked[number]
        if line.state in ("struck", "withdrawn"):
            already.append(line)
        elif standing.strike(turn.tx, person_id=owner, flattr_id=line.flattr_id, at=turn.at):
            done.append(line)
    lines = []
    if done:
        names = listed(f"{line.number}. {name_of(turn.talk, line)}" for line in done[:10])
        more = f" and {len(done) - 10} more" if len(done) > 10 else ""
        lines.append(f"Struck out of {month(view.month)}: {names}{more}.")
    if already:
        lines.append(f"Out already: {listed(str(line.number) for line in already)}.")
    if missing:
        lines.append(f"Not in the list of {month(view.month)}: {listed(missing[:10])}.")
    if done:
        now = month_view.of(turn, person_id, view.month)
        lines.append(worth_line(turn.talk, now))
        if view.stage == "review":
            lines.append(_sum(turn.talk, now, "will be"))
    return reply(*lines, buttons=() if done else ("list",))


def skipping(turn: Turn, wish: said.Skip | said.Unskip) -> Reply:
    """Pays nothing for a month, or pays after all."""
    person_id = turn.person_id
    if person_id is None and isinstance(wish, said.Unskip):
        return reply("You skip nothing.")
    person_id = person_id or turn.member()
    chosen = wish.month.last(turn.at) if wish.month else month_view.current(turn, person_id)
    if wish.month and chosen < month_of(turn.at) - 1:
        chosen = wish.month.next(turn.at)
    if isinstance(wish, said.Unskip):
        if not preferences.unskip(turn.tx, person_id, chosen):
            return reply(f"You do not skip {month(chosen)}, or it is closed already.")
        view = month_view.of(turn, person_id, chosen)
        return reply(f"{month(chosen)} is no longer skipped. {worth_line(turn.talk, view)}")
    if chosen < month_of(turn.at) - 1 or chosen > month_of(turn.at) + 1:
        return reply("Only last month (while it is in review), this month and the next can be skipped.")
    if not preferences.skip(turn.tx, person_id, chosen, turn.at):
        return reply(f"{month(chosen)} is closed; it is too late to skip it.")
    back = "unskip" if chosen == month_view.current(turn, person_id) else f"unskip {month(chosen)}"
    return reply(f'You skip {month(chosen)}: nothing is charged for it. "{back}" takes that back.', buttons=(back,))
