"""Answers about the card that a patron's months are charged to: shown, chosen or entered, removed."""

from __future__ import annotations

from bot import addresses
from bot.hearing.said import ChooseCard, RemoveCard, ShowCard
from bot.talk import Reply, Talk, Turn, reply
from bot.wording import date, month, short, unreal
from core.access.visits import VisitRefused
from core.charges import unpaid
from core.charges.unpaid import Unpaid
from core.money import show
from core.people import cards
from core.people.tables import Card

PAGE = "card"
"""The word for a new address, and the first part of it."""

PAY = "pay"
"""The other door of the same address: it confirms or pays what could not be collected."""


def first(turn: Turn, person_id: int) -> str:
    """In pretend mode nobody should have to look for a card; the one that pays is as good as any."""
    if has_one(turn, person_id):
        return ""
    offers = turn.talk.gateway.cards()
    if not offers:
        return line(turn, person_id)
    chosen = cards.choose(turn.tx, person_id, offers[0], turn.at)
    return f'It is charged to the pretend card {chosen.last4}, which {offers[0].about}; "card" shows the others.'


def has_one(turn: Turn, person_id: int) -> bool:
    """Whether there is a card on file."""
    return cards.card_of(turn.tx, person_id) is not None


def line(turn: Turn, person_id: int | None) -> str:
    """Which card pays, or how to enter one."""
    row = cards.card_of(turn.tx, person_id) if person_id else None
    if row is not None:
        return f"It is charged to {name(turn.talk, row)}."
    if turn.talk.gateway.cards():
        return "There is no card to charge it to yet."
    return 'There is no card to charge it to yet: write "card" to enter one.'


def name(talk: Talk, row: Card) -> str:
    """A card as its owner knows it."""
    if talk.gateway.cards():
        return f"the pretend card {row.last4}"
    return f"your {short(row.brand, 20)} card ending in {row.last4}"


def card(turn: Turn, wish: ShowCard | ChooseCard | RemoveCard) -> Reply:
    """Shows, chooses or removes the card; where cards are entered elsewhere: leads there."""
    match wish:
        case ChooseCard():
            return _choose(turn, wish)
        case RemoveCard():
            return _remove(turn)
    return _pretend(turn) if turn.talk.gateway.cards() else _hosted(turn)


def _choose(turn: Turn, wish: ChooseCard) -> Reply:
    offers = turn.talk.gateway.cards()
    if not offers:
        return reply(
            'A card is entered on a page, not chosen in a chat: "card" gives you the address.', buttons=("card",)
        )
    chosen = next((offer for offer in offers if offer.last4 == wish.digits), None)
    if chosen is None:
        listing = [f"{offer.last4}: {offer.about}" for offer in offers]
        return reply(f"There is no card {wish.digits} here. The pretend cards are:", *listing, buttons=_choices(turn))
    taken = cards.choose(turn.tx, turn.member(), chosen, turn.at)
    return reply(f"From now on your month is charged to {name(turn.talk, taken)} ({chosen.about}).")


def _remove(turn: Turn) -> Reply:
    person_id = turn.person_id
    if person_id is None or not cards.remove(turn.tx, person_id, turn.at):
        return reply("There is no card of yours here.")
    there = "" if turn.talk.gateway.cards() else f", here and at {processor(turn.talk)}"
    return reply(
        f"Your card is forgotten{there}. Without one nothing can be collected, and a month that could not be"
        " collected simply lapses."
    )


def _choices(turn: Turn) -> tuple[str, ...]:
    return tuple(f"card {offer.last4}" for offer in turn.talk.gateway.cards())


def _held(turn: Turn) -> str:
    person_id = turn.person_id
    row = cards.card_of(turn.tx, person_id) if person_id else None
    return f"Your month is charged to {name(turn.talk, row)}." if row else "You have no card here."


def _pretend(turn: Turn) -> Reply:
    listing = [f"{offer.last4}: {offer.about}" for offer in turn.talk.gateway.cards()]
    lines = (_held(turn), 'All money here is pretend money. Choose a pretend card, as in "card 4242":', *listing)
    return reply(*lines, buttons=_choices(turn))


def _hosted(turn: Turn) -> Reply:
    """A personal address; it has a second door where something can be confirmed or paid."""
    person_id = turn.member()
    held, has = _held(turn), has_one(turn, person_id)
    waiting = unpaid.of(turn.tx, person_id)
    lines = [held, *(could_not(turn, each) for each in waiting)]
    try:
        intent = f"{PAY}:{waiting[0].statement_id}" if waiting else ""
        secret = addresses.token(turn.tx, turn.by, PAGE, at=turn.at, intent=intent)
    except VisitRefused as refused:
        return reply(*lines, str(refused))
    if waiting and has:
        which = f" the {show(waiting[0].amount_micros, turn.money)} for {month(waiting[0].month)}"
        lines += [f"Confirm or pay{which} here:", addresses.at_page(turn.talk, PAY, secret)]
    other = f"{'Enter another one' if has else 'Enter one'} with {processor(turn.talk)}, the payment processor, here:"
    lines += [other, addresses.at_page(turn.talk, PAGE, secret)]
    lines += ["They are yours alone, and good for ten minutes. Give them to nobody else."] if waiting and has else []
    lines += [] if waiting and has else [addresses.LIFE]
    lines += ['"card remove" removes the card that is on file.'] if has else []
    return reply(*lines, unreal(turn.talk), buttons=("card remove",) if has else ())


def could_not(turn: Turn, each: Unpaid) -> str:
    """What was not collected, why, and when the next try is."""
    reason = f": {short(each.reason, 120)}" if each.reason else ""
    again = f" I try again on {date(each.next_attempt_at)}." if each.next_attempt_at else ""
    what = f"{show(each.amount_micros, turn.money)} for {month(each.month)}"
    return f"Your {what} could not be collected yet{reason}.{again}"


def processor(talk: Talk) -> str:
    """The processor's name for people."""
    return talk.gateway.name.capitalize()
