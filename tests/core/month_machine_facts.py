"""What a machine's oracle reads in the hub's database: who is who, who can be paid, the numbers of rows. No money."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlmodel import Session


@dataclass(frozen=True)
class Facts:
    """What the hub's database says about who and when."""

    payable: dict[str, int]
    """The creators to whom money can be sent, by the names of their accounts, with the persons behind them."""
    stages: dict[int, str]
    states: dict[tuple[int, int], str]
    """Of statements, by person and month."""
    cards: dict[int, str]
    """Fingerprints, by person."""
    runs: frozenset[int] = frozenset()
    """Payout runs."""


def facts_of(tx: Session) -> Facts:
    """As they are now."""
    return Facts(
        payable={
            str(name).removeprefix("id-"): int(person)
            for name, person in tx.execute(
                sa.text(
                    "select a.account_id, p.id from account a join person p on p.id = a.person_id"
                    " where p.receives_since is not null and p.payable_since is not null and p.left_at is null"
                )
            )
        },
        stages=dict(tx.execute(sa.text("select id, stage from month")).all()),
        states={
            (patron, month): state
            for patron, month, state in tx.execute(sa.text("select patron_id, month, state from statement"))
        },
        cards={
            person: fingerprint
            for person, fingerprint in tx.execute(sa.text("select person_id, fingerprint from card"))
            if fingerprint is not None
        },
        runs=frozenset(tx.execute(sa.text("select id from payout_run")).scalars()),
    )


def numbers_of(tx: Session, person: int, month: int) -> dict[str, int]:
    """The numbers of a patron's flattrs of a month, by their things."""
    rows = tx.execute(
        sa.text(
            "select t.url, f.id from flattr f join thing t on t.id = f.thing_id"
            " where f.patron_id = :person and f.month = :month"
        ),
        {"person": person, "month": month},
    )
    return {url.rsplit("/", 1)[1]: number for url, number in rows}
