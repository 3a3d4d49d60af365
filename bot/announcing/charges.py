"""Notes to patrons about what is charged: to be confirmed, a card taken, refused or gone, money given back."""

from __future__ import annotations

from bot.announcing.telling import OVER, person_of, way
from bot.answers import cards as card_answers
from bot.talk import Reply, Turn, reply
from bot.wording import date, month, unreal
from core import countries
from core.charges import unpaid
from core.money import show
from core.months.tables import Statement
from core.people import cards, persons
from core.returns.tables import Refund


def authenticate(turn: Turn, statement_id: int, attempt: int) -> Reply:
    """The bank wants to hear from the cardholder; over once another try was made or the statement is settled."""
    row = turn.tx.get(Statement, statement_id)
    if row is None or row.state != "due" or row.ends_as is not None or row.attempts != attempt:
        return OVER
    amount = show(row.charge_micros, turn.money)
    again = f" I try again on {date(row.next_attempt_at)}, but your bank may ask again." if row.next_attempt_at else ""
    return reply(
        f"Your bank wants you to confirm {amount} for {month(row.month)} yourself; until then it pays nothing.",
        *way(turn, "Confirm it here:", card_answers.PAGE, door=card_answers.PAY, intent=f"pay:{statement_id}"),
        f'Later, or for another card, write "card".{again} After the last try it lapses, and you owe nothing.',
        unreal(turn.talk),
        buttons=("card",),
    )


def card_taken(turn: Turn, person_id: int) -> Reply:
    """A card was entered."""
    person = person_of(turn, person_id)
    row = cards.card_of(turn.tx, persons.key(person)) if person else None
    if person is None or row is None:
        return OVER
    return reply(
        f"Thank you. From now on your month is charged to {card_answers.name(turn.talk, row)}.",
        *(card_answers.could_not(turn, each) for each in unpaid.of(turn.tx, persons.key(person))),
        '"card" shows, replaces or removes it.',
        unreal(turn.talk),
        buttons=("card", "status"),
    )


def card_refused(turn: Turn, person_id: int) -> Reply:
    """A card was entered that is from none of the operator's countries."""
    person = person_of(turn, person_id)
    if person is None:
        return OVER
    row = cards.card_of(turn.tx, persons.key(person))
    rule = f": the operator of this hub takes cards from {countries.listed(turn.rules.countries)} only"
    return reply(
        f"I cannot take the card that you entered{rule if turn.rules.countries else ''}. It was not kept.",
        f"As before, your month is charged to {card_answers.name(turn.talk, row)}." if row else "",
        'To enter another one, write "card".',
        buttons=("card",),
    )


def card_gone(turn: Turn, person_id: int) -> Reply:
    """The processor has removed the card."""
    person = person_of(turn, person_id)
    if person is None or cards.card_of(turn.tx, persons.key(person)) is not None:
        return OVER
    there = card_answers.processor(turn.talk)
    return reply(
        f"Your card was removed at {there}, so nothing can be charged to it any more.",
        'To enter another one, write "card". Without one, a month that could not be collected simply lapses.',
        buttons=("card",),
    )


_WHY = {
    "fraud": "the card's bank says that the payment may not have been made by you",
    "hold": "the operator has decided that what was held is not paid out",
    "operator": "the operator gives it back to you",
}


def refund(turn: Turn, refund_id: int) -> Reply:
    """Money of a statement goes back to its patron."""
    row = turn.tx.get(Refund, refund_id)
    statement = turn.tx.get(Statement, row.statement_id) if row else None
    if row is None or statement is None:
        return OVER
    amount, whole = show(row.amount_micros, turn.money), row.amount_micros == statement.charge_micros
    of = "" if whole else f", of {show(statement.charge_micros, turn.money)},"
    what = f"{amount}{of} for {month(statement.month)}"
    if row.state in ("refused", "failed"):
        return reply(f"{what} could not be given back to your card. The operator sees that, and has to look into it.")
    goes = "has been sent back" if row.state == "sent" else "is sent back"
    why = _WHY.get(row.reason, "")
    return reply(
        f"{what} {goes} to the card that paid it{f': {why}' if why else ''}.",
        "Banks take some days to show it.",
        unreal(turn.talk),
        buttons=("statement",),
    )
