"""Answers about what a patron pays: the budget, the caps, the card's cost."""

from __future__ import annotations

from babel import numbers
from sqlmodel import select

from bot.answers import cards, suggesting
from bot.hearing.said import Cover, SetBudget, SetCap, ShowBudget, ShowCaps, ShowCover
from bot.talk import Reply, Turn, reply
from bot.wording import month, quoted
from core.money import parse_amount, plain, show
from core.months import stages
from core.months.tables import Statement
from core.people import budgets, persons, preferences
from core.people.budgets import BudgetChange, BudgetRefused
from core.periods import month_of


def budget(turn: Turn, said: ShowBudget | SetBudget) -> Reply:
    """Shows or sets the budget."""
    if isinstance(said, SetBudget):
        return _set_budget(turn, said)
    person_id, now = turn.person_id, month_of(turn.at)
    held = budgets.budget_of(turn.tx, person_id, now) if person_id else 0
    later = budgets.upcoming(turn.tx, person_id, now) if person_id else None
    if not held and not later:
        return reply(
            f"You have no budget. {_bounds(turn)}",
            f'Say, for example, "{suggesting.budget(turn)}": it starts at once, and a month without likes costs'
            " nothing.",
            buttons=(suggesting.budget(turn), suggesting.budget(turn, 2)),
        )
    ahead, example = "", suggesting.budget(turn, 2)
    if later:
        ahead = f"From {month(later[0])} on it will be {_a_month(turn, later[1])}."
    return reply(
        f"Your budget is {_a_month(turn, held)}: never more, everything included."
        if held
        else "You have no budget for this month.",
        ahead,
        cards.line(turn, person_id),
        f'To change it, say for example "{example}" (from next month) or "{example} now" (this month).',
    )


def _bounds(turn: Turn) -> str:
    rules = turn.rules
    least, most = show(rules.budget_min_micros, turn.money), show(rules.budget_max_micros, turn.money)
    return f"It can be anything from {least} to {most} a month."


def _a_month(turn: Turn, micros: int) -> str:
    return f"{show(micros, turn.money)} a month" if micros else "nothing"


def amount(turn: Turn, text: str) -> int:
    """Micros from an amount as typed, the currency's name included; ValueError is a sentence for the person."""
    code = turn.money.code
    names = {numbers.get_currency_name(code, count=count, locale="en").lower() for count in (1, 2)}
    names |= {name.split()[-1] for name in names}
    kept = " ".join(word for word in text.split() if word.lower() not in names)
    return parse_amount(kept, turn.money)


def sentence(error: Exception) -> str:
    """An error's text as a sentence of its own."""
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


def _set_budget(turn: Turn, said: SetBudget) -> Reply:
    try:
        wanted = amount(turn, said.amount)
        if not wanted and turn.person is None:
            return budget(turn, ShowBudget())
        with turn.tx.begin_nested():  # a stranger whose amount is refused stays a stranger
            person_id = turn.member()
            open_month = stages.month_taking(turn.tx, turn.at, turn.at)
            held = budgets.budget_of(turn.tx, person_id, open_month)
            change = budgets.set_budget(
                turn.tx, turn.rules, person_id=person_id, amount_micros=wanted, at=turn.at, now=said.now
            )
    except (ValueError, BudgetRefused) as refused:
        return reply(sentence(refused), _bounds(turn))
    at_once = change.month == open_month
    lines = [_what_holds(turn, change, held, at_once=at_once), _frozen(turn, person_id)]
    buttons: list[str] = []
    if wanted and not at_once and held != wanted:
        again = f"budget {plain(wanted, turn.money)} now"
        lines.append(f'To change {month(open_month)} too, say "{again}".')
        buttons.append(again)
    if wanted:
        lines.append(cards.first(turn, person_id))
        lines.append('Like things as always; "status" shows what each like is worth.')
        buttons += ["status"] if cards.has_one(turn, person_id) else ["card", "status"]
    return reply(*lines, buttons=tuple(buttons))


def _what_holds(turn: Turn, change: BudgetChange, held: int, *, at_once: bool) -> str:
    start, name = month(change.month), show(change.amount_micros, turn.money)
    if not change.amount_micros:
        if at_once:
            return f"Your budget has ended: nothing is charged for {start} or later, whatever you like."
        kept = f" {month(change.month - 1)} keeps its {show(held, turn.money)}." if held else ""
        return f"Your budget ends: from {start} on nothing is charged.{kept}"
    if at_once:
        before = f" instead of {show(change.previous_micros, turn.money)}" if change.previous_micros else ""
        before = "" if change.previous_micros == change.amount_micros else before
        return f"Your budget is {name} a month from {start} on{before}: never more, everything included."
    kept = f"keeps its {show(held, turn.money)}" if held else "stays without a budget"
    if held == change.amount_micros:
        return f"Your budget stays {name} a month."
    return f"From {start} on your budget is {name} a month. {month(change.month - 1)} {kept}."


def _frozen(turn: Turn, person_id: int) -> str:
    """A month in review keeps the budget that it was frozen with; say so where it concerns the person."""
    reviewing = stages.reviewing(turn.tx)
    if reviewing is None:
        return ""
    mine = select(Statement).where(Statement.month == reviewing.id, Statement.state == "review")
    for each in persons.merged_ids(turn.tx, person_id):
        row = turn.tx.exec(mine.where(Statement.patron_id == each)).one_or_none()
        if row is not None:
            return f"{month(reviewing.id)} is in review and keeps its {show(row.budget_micros, turn.money)}."
    return ""


def caps(turn: Turn, said: ShowCaps | SetCap) -> Reply:
    """Shows or sets the caps."""
    if isinstance(said, SetCap):
        try:
            wanted = amount(turn, said.amount) if said.amount is not None else None
        except ValueError as refused:
            return reply(sentence(refused))
        if wanted == 0:
            wanted = None
        if wanted is None and turn.person is None:
            return reply("You have no cap.")
        person_id = turn.member()
        person = persons.locked(turn.tx, person_id)
        per_flattr, per_creator = person.cap_per_flattr_micros, person.cap_per_creator_micros
        preferences.set_caps(
            turn.tx,
            person_id,
            per_flattr_micros=wanted if said.per in ("like", "both") else per_flattr,
            per_creator_micros=wanted if said.per in ("creator", "both") else per_creator,
        )
        turn.tx.flush()
    lines = _caps(turn)
    if not lines:
        return reply(f"You have no cap. {quoted(suggesting.caps(turn))} sets one.")
    lines.append("What a cap cuts off is not charged." + (' "cap off" ends it.' if isinstance(said, ShowCaps) else ""))
    return reply(*lines)


def _caps(turn: Turn) -> list[str]:
    person = turn.person
    if person is None:
        return []
    found = (("like", person.cap_per_flattr_micros), ("creator", person.cap_per_creator_micros))
    return [f"At most {show(cap, turn.money)} per {per} and month." for per, cap in found if cap is not None]


def cover(turn: Turn, said: ShowCover | Cover) -> Reply:
    """Who bears the card's cost."""
    if isinstance(said, Cover) and (said.on or turn.person is not None):
        preferences.bear_cost(turn.tx, turn.member(), agreed=said.on)
    person = turn.person
    rules = turn.rules
    tariff = " + ".join(
        part
        for part in (
            f"{rules.cost_bp / 100:g} %" if rules.cost_bp else "",
            show(rules.cost_fixed_micros, turn.money) if rules.cost_fixed_micros else "",
        )
        if part
    )
    price = f"A charge costs {tariff} here." if tariff else "Cards cost nothing on this hub, so it makes no difference."
    if person is not None and person.bears_cost:
        return reply(
            "You bear the card's cost: a line of its own on your statement, within your budget.",
            price,
            '"cover off" ends it.',
        )
    return reply("The hub bears the card's cost, out of its fee.", price, '"cover on" takes it over.')
