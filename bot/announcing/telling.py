"""What all notes about money share: words for one whose reason is gone, and an address that lives for a day."""

from __future__ import annotations

from bot import addresses
from bot.talk import Reply, Turn
from core.access.visits import VisitRefused
from core.people import persons
from core.people.tables import Person

OVER = Reply('Something changed while I was on my way to you. "status" shows how things stand.')
"""For a note whose reason is gone by the time it is sent."""


def person_of(turn: Turn, person_id: int) -> Person | None:
    """Whom a note is about, by the number under which they go on; None: nobody, or they have left."""
    try:
        person = turn.tx.get_one(Person, persons.root_id(turn.tx, person_id))
    except LookupError:
        return None
    return person if person.left_at is None else None


def way(turn: Turn, how: str, page: str, *, door: str = "", intent: str = "") -> list[str]:
    """``how`` and a new personal address of ``page`` (by another ``door``); without one, what to write for it.

    There is none for who asked for too many, or has no account where the hub could reach them.
    """
    if turn.by.account_id:
        try:
            secret = addresses.token(turn.tx, turn.by, page, at=turn.at, intent=intent, life=addresses.A_DAY)
        except VisitRefused:
            pass
        else:
            return [how, addresses.at_page(turn.talk, door or page, secret), addresses.LIFE_OF_A_DAY]
    return [f'Write "{page}": then I give you an address for it.']
