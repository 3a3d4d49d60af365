"""The card with which a patron pays; the gateway alone knows what its reference means.

A card that is replaced or removed is forgotten at the processor as well, by an errand: it can never be charged again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session, col, select

from core.charges.answering import hurry
from core.database import to_micros
from core.errands import keeping
from core.errands.tables import Errand
from core.mail import outbox
from core.months.tables import Charge, Statement
from core.payments.gateway import CardOffer
from core.payments.states import SetupState
from core.people import persons
from core.people.tables import Card, Person
from core.rules import Rules

FORGET = "forget_card"
"""The kind of errand."""

_UNDER_WAY = timedelta(days=1)
"""How long a replaced card is kept for a charge whose answer is not known yet: it is asked for with that card."""


def card_of(tx: Session, person_id: int) -> Card | None:
    """The card that pays this person's statements; None: there is none."""
    return tx.get(Card, person_id)


def choose(tx: Session, person_id: int, offer: CardOffer, at: datetime) -> Card:
    """Pay with this card from now on; the one before is forgotten.

    Statements that were under way when the person was merged with another, under the old number, too.
    """
    persons.locked(tx, person_id)
    people = persons.merged_ids(tx, person_id)
    gone = _delete(tx, people)
    chosen = [
        Card(
            person_id=each,
            brand=offer.brand,
            last4=offer.last4,
            reference=offer.reference,
            customer=offer.customer,
            fingerprint=offer.fingerprint,
            country=offer.country,
            entered_at=offer.entered_at,
            since=at,
        )
        for each in people
    ]
    tx.add_all(chosen)
    tx.flush()
    let_go(tx, gone, at, people=people)
    return chosen[0]


def remove(tx: Session, person_id: int, at: datetime) -> bool:
    """Forget the person's card; False if there was none."""
    persons.locked(tx, person_id)
    people = persons.merged_ids(tx, person_id)
    gone = _delete(tx, people)
    let_go(tx, gone, at, people=people)
    return bool(gone)


def let_go(tx: Session, gone: Iterable[tuple[str, str | None]], at: datetime, *, people: Sequence[int] = ()) -> None:
    """Have these cards (reference, customer) forgotten at the processor, unless somebody still pays with them.

    ``people``: whose charges may still be asked for with them; then it waits for a day. Pretend cards are nowhere.
    """
    for reference in sorted({reference for reference, customer in gone if customer is not None}):
        if tx.exec(select(Card.person_id).where(Card.reference == reference)).first() is None:
            keeping.note(tx, FORGET, reference, at + _UNDER_WAY if _asked(tx, people, reference) else at)


def learn_setup(tx: Session, rules: Rules, state: SetupState, at: datetime) -> None:
    """Take the card that was entered at the processor, and say so; the same again, however late, changes nothing.

    Nor does news of a card that comes after that of one entered later: that one stays. A card of a country that is
    not on the operator's list is not taken. A statement that was declined is tried with the new card at once: that is
    the next of its tries, not one more.
    """
    person = tx.get(Person, state.person_id) if state.person_id is not None else None
    if person is None or state.card is None:
        return
    person = persons.locked(tx, persons.key(person))
    people, offer = persons.merged_ids(tx, persons.key(person)), state.card
    if _forgotten(tx, offer.reference) or _pays_with(tx, people, offer.reference):
        return
    if _overtaken(card_of(tx, people[0]), offer):
        keeping.note(tx, FORGET, offer.reference, at)
        return
    refused = bool(rules.countries) and offer.country not in rules.countries
    if person.left_at is not None or refused:
        keeping.note(tx, FORGET, offer.reference, at)
        if person.left_at is None:
            _tell(tx, "card_refused", people[0], at)
        return
    choose(tx, people[0], offer, at)
    _tell(tx, "card_taken", people[0], at)
    hurry(tx, people, at)


def learn_card(tx: Session, rules: Rules, reference: str, card: CardOffer | None, at: datetime) -> None:
    """Take in what became of a card: renewed by its bank, or (None) detached, so that it cannot pay any more."""
    known = select(Card).where(Card.reference == reference).order_by(col(Card.person_id)).with_for_update()
    rows = tx.exec(known.execution_options(populate_existing=True)).all()
    if card is not None:
        for row in rows:
            row.brand, row.last4 = card.brand, card.last4
            row.fingerprint, row.country = card.fingerprint, card.country
            row.customer = card.customer or row.customer
        tx.flush()
        return
    people = sorted({persons.root_id(tx, row.person_id) for row in rows})
    for row in rows:
        tx.delete(row)
    tx.flush()
    for person_id in people:
        _tell(tx, "card_gone", person_id, at)


def _delete(tx: Session, people: Sequence[int]) -> list[tuple[str, str | None]]:
    rows = tx.exec(select(Card).where(col(Card.person_id).in_(people)).order_by(col(Card.person_id))).all()
    for row in rows:
        tx.delete(row)
    tx.flush()
    return [(row.reference, row.customer) for row in rows]


def _asked(tx: Session, people: Sequence[int], reference: str) -> bool:
    asked = (
        sa.select(col(Charge.id))
        .join(Statement, col(Statement.id) == col(Charge.statement_id))
        .where(col(Statement.patron_id).in_(people), col(Statement.state) == "due")
        .where(col(Charge.state) == "asked", col(Charge.card_reference) == reference)
    )
    return tx.execute(asked.limit(1)).first() is not None


def _pays_with(tx: Session, people: Sequence[int], reference: str) -> bool:
    mine = select(Card.person_id).where(col(Card.person_id).in_(people), Card.reference == reference)
    return tx.exec(mine).first() is not None


def _forgotten(tx: Session, reference: str) -> bool:
    """Whether it was given back before: news of how it was entered may come late, or twice."""
    given = select(Errand.id).where(Errand.kind == FORGET, Errand.reference == reference)
    return tx.exec(given).first() is not None


def _overtaken(held: Card | None, offer: CardOffer) -> bool:
    """Whether a card that was entered later was heard of first: it is the one that they chose."""
    return (
        held is not None
        and held.entered_at is not None
        and offer.entered_at is not None
        and offer.entered_at < held.entered_at
    )


def _tell(tx: Session, kind: str, person_id: int, at: datetime) -> None:
    outbox.put(tx, kind=kind, source=f"{kind}:{person_id}:{to_micros(at)}", at=at, person_id=person_id)
