"""The card with which a patron pays; the gateway alone knows what its reference means."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session, col

from core.payments.gateway import CardOffer
from core.people import persons
from core.people.tables import Card


def card_of(tx: Session, person_id: int) -> Card | None:
    """The card that pays this person's statements; None: there is none."""
    return tx.get(Card, person_id)


def choose(tx: Session, person_id: int, offer: CardOffer, at: datetime) -> Card:
    """Pay with this card from now on; the one before is forgotten.

    Statements that were under way when the person was merged with another, under the old number, too.
    """
    persons.locked(tx, person_id)
    remove(tx, person_id)
    chosen = [
        Card(person_id=each, brand=offer.brand, last4=offer.last4, reference=offer.reference, since=at)
        for each in persons.merged_ids(tx, person_id)
    ]
    tx.add_all(chosen)
    tx.flush()
    return chosen[0]


def remove(tx: Session, person_id: int) -> bool:
    """Forget the person's card; False if there was none."""
    gone = sa.delete(Card).where(col(Card.person_id).in_(persons.merged_ids(tx, person_id)))
    return tx.exec(gone.execution_options(synchronize_session="fetch")).rowcount > 0
