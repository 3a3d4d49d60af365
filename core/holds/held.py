"""What is held of a person's money, as both sides may see it: with the reason, and without the other's name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlmodel import Session, col, select

from core.holds.judging import MUTUAL, NEW_PAIR, ONE_PATRON
from core.holds.tables import Hold

Side = Literal["patron", "creator"]

_WORDS: Mapping[str, Mapping[Side, str]] = {
    ONE_PATRON: {
        "patron": "most of what this creator gets that month is yours, and it is a large sum",
        "creator": "most of what you get that month is from one patron, and it is a large sum",
    },
    MUTUAL: {
        "patron": "you and this creator send each other money",
        "creator": "you and this patron send each other money",
    },
    NEW_PAIR: {
        "patron": "your card and this creator are both new here, and you two have only each other",
        "creator": "you and this patron's card are both new here, and you two have only each other",
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One hold as one of its sides sees it."""

    hold_id: int
    month: int
    micros: int
    reasons: tuple[str, ...]
    """In words, for the side that asked."""
    state: str
    """held, released, voided."""
    note: str
    """What the operator wrote with the decision."""


def words(reasons: str, side: Side) -> tuple[str, ...]:
    """A hold's reasons as its column has them, in words for one side."""
    return tuple(_WORDS[reason][side] for reason in reasons.split())


def held_of_patron(tx: Session, people: Sequence[int], month: int | None = None) -> list[Held]:
    """What is or was held of the money that these people (one, after merges) gave, the latest month first."""
    return _held(tx, "patron", people, month)


def held_of_creator(tx: Session, people: Sequence[int], month: int | None = None) -> list[Held]:
    """What is or was held of the money that comes to these people (one, after merges), the latest month first."""
    return _held(tx, "creator", people, month)


def _held(tx: Session, side: Side, people: Sequence[int], month: int | None) -> list[Held]:
    who = Hold.patron_id if side == "patron" else Hold.creator_id
    query = select(Hold).where(col(who).in_(people)).order_by(col(Hold.month).desc(), col(Hold.id))
    if month is not None:
        query = query.where(Hold.month == month)
    return [
        Held(
            hold_id=int(hold.id or 0),
            month=hold.month,
            micros=hold.micros,
            reasons=words(hold.reasons, side),
            state=hold.state,
            note=hold.note,
        )
        for hold in tx.exec(query)
    ]
