"""Makes two persons one: one flattr per thing and month, one budget (money.md, "Leaving, merging").

What is under way stays as it was promised: months in review and later keep their rows, their frozen budget and
the card under the old number, which points on to the new one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from core import standing
from core.database import insert_once
from core.mail import outbox
from core.months import stages
from core.months.tables import Month, Statement
from core.people import budgets, claims, holding, persons
from core.people.tables import Account, Budget, Card, Ignore, Pause, Person, Skip, Subscription
from core.periods import month_name
from core.rules import Rules
from core.tables import Flattr, Like


@dataclass(frozen=True, slots=True, kw_only=True)
class MergePreview:
    """What merging would do, or did; shown before it happens. Amounts in micros."""

    keep_id: int
    lose_id: int
    accounts: tuple[str, ...]
    """The accounts that come over from the person who is merged away."""
    budget_micros: int
    """The one budget of the open month that is left."""
    ended_budget_micros: int
    """The other one, which ends."""
    flattrs: int
    """How many flattrs of open months come over."""
    doubles: int
    """Of how many of these both have one; one of each pair is left."""
    subscriptions: int
    receives: bool
    """Whether the one person that is left receives."""
    card: str | None
    """The card that pays from now on."""
    months_under_way: tuple[int, ...]
    """Months that are still settled under the old number, with the old budget."""


def preview(tx: Session, keep_id: int, lose_id: int, at: datetime) -> MergePreview:
    """What merging ``lose_id`` into ``keep_id`` would do."""
    tx.flush()
    keep, lose = _person(tx, keep_id), _person(tx, lose_id)
    keep_id, lose_id = persons.key(keep), persons.key(lose)
    month = stages.open_month(tx, at)
    mine, theirs = budgets.budget_of(tx, keep_id, month), budgets.budget_of(tx, lose_id, month)
    takes = _takes_budget(tx, keep_id, lose_id, month)
    card = tx.get(Card, keep_id) or tx.get(Card, lose_id)
    rows = _open_flattrs(tx, lose_id)
    subscriptions = tx.exec(select(Subscription.id).where(Subscription.person_id == lose_id)).all()
    under_way = select(Statement.month).where(
        Statement.patron_id == lose_id, col(Statement.state).in_(("review", "due"))
    )
    return MergePreview(
        keep_id=keep_id,
        lose_id=lose_id,
        accounts=tuple(str(account) for account in persons.accounts_of(tx, lose_id)),
        budget_micros=theirs if takes else mine,
        ended_budget_micros=mine if takes else theirs,
        flattrs=len(rows),
        doubles=len(_pairs(tx, keep_id, rows)),
        subscriptions=len(subscriptions),
        receives=keep.receives_since is not None or lose.receives_since is not None,
        card=f"{card.brand} {card.last4}" if card else None,
        months_under_way=tuple(sorted(tx.exec(under_way).all())),
    )


def merge(tx: Session, rules: Rules, *, keep_id: int, lose_id: int, at: datetime) -> MergePreview:
    """Merge ``lose_id`` into ``keep_id``; what was done. The same two again: nothing more happens.

    Payouts wait (`Rules.cooling`) and every account linked to either is told. LookupError for who has left.
    """
    held = holding.hold_months(tx, at)
    for person_id in sorted({persons.root_id(tx, keep_id), persons.root_id(tx, lose_id)}):
        persons.locked(tx, person_id)  # always in the same order, so that two merges cannot wait for each other
    keep_id, lose_id = persons.root_id(tx, keep_id), persons.root_id(tx, lose_id)
    if keep_id == lose_id:
        return preview(tx, keep_id, lose_id, at)
    month = stages.month_taking(tx, at, at)
    done = preview(tx, keep_id, lose_id, at)
    keep, lose = _person(tx, keep_id), _person(tx, lose_id)
    told = [*persons.accounts_of(tx, keep_id), *persons.accounts_of(tx, lose_id)]
    _move_flattrs(tx, keep_id, lose_id)
    _move_budget(tx, keep_id, lose_id, month, grace=[each for each in held if each < month], at=at)
    _move_preferences(tx, keep, lose)
    _move_subscriptions(tx, keep_id, lose_id)
    for one, other in ((keep_id, lose_id), (lose_id, keep_id)):  # a statement under way keeps its own card
        if (card := tx.get(Card, other)) is not None:
            insert_once(tx, Card, {**card.model_dump(), "person_id": one})
    keep.receives_since = _earlier(keep.receives_since, lose.receives_since)
    keep.payable_since = _earlier(keep.payable_since, lose.payable_since)
    for person in (keep, lose):
        person.cooling_until = max(person.cooling_until or at, at + rules.cooling)
    for account in persons.accounts_of(tx, lose_id):
        account.person_id = keep_id
    _update(tx, sa.update(Person).where(col(Person.merged_into_id) == lose_id).values(merged_into_id=keep_id))
    lose.merged_into_id = keep_id
    tx.flush()
    for account in persons.accounts_of(tx, keep_id):
        claims.join_pending(tx, rules, account, at)
    _tell(tx, told, lose_id, at)
    return done


def _person(tx: Session, person_id: int) -> Person:
    person = tx.get_one(Person, persons.root_id(tx, person_id))
    if person.left_at is not None:
        raise LookupError(f"person {person.id} has left; their accounts can only begin anew")
    return person


def _open_flattrs(tx: Session, person_id: int) -> Sequence[Flattr]:
    open_months = select(Month.id).where(Month.stage == "open").with_for_update(read=True)
    months = list(tx.exec(open_months).all())
    mine = select(Flattr).where(Flattr.patron_id == person_id, col(Flattr.month).in_(months))
    return tx.exec(mine.order_by(col(Flattr.id)).execution_options(populate_existing=True)).all()


def _pairs(tx: Session, keep_id: int, rows: Sequence[Flattr]) -> list[tuple[Flattr, Flattr]]:
    """The flattrs of which both have one for the same thing and month: (the one that stays, the other)."""
    months = {row.month for row in rows}
    kept = {
        (row.month, row.thing_id): row
        for row in tx.exec(select(Flattr).where(Flattr.patron_id == keep_id, col(Flattr.month).in_(months))).all()
    }
    return [(kept[key], row) for row in rows if (key := (row.month, row.thing_id)) in kept]


def _move_flattrs(tx: Session, keep_id: int, lose_id: int) -> None:
    rows = _open_flattrs(tx, lose_id)
    for kept, other in _pairs(tx, keep_id, rows):
        kept.held = standing.held_together(kept, other)
        kept.standing = kept.standing or other.standing
        kept.struck_at = kept.struck_at or other.struck_at  # what either struck out stays out
        kept.author_id = kept.author_id or other.author_id
        kept.voided = kept.voided or other.voided
        kept.created_at = min(kept.created_at, other.created_at)
        tx.flush()
        _update(tx, sa.update(Like).where(col(Like.flattr_id) == other.id).values(flattr_id=kept.id))
        _update(tx, sa.update(Flattr).where(col(Flattr.moved_to_id) == other.id).values(moved_to_id=kept.id))
        tx.delete(other)
        tx.flush()
    for row in rows:
        if not sa.inspect(row).was_deleted:
            row.patron_id = keep_id
    tx.flush()


def _takes_budget(tx: Session, keep_id: int, lose_id: int, month: int) -> bool:
    """Whether the budget that is left is the one of the person who is merged away."""
    if budgets.budget_of(tx, keep_id, month) > 0:
        return False
    if budgets.budget_of(tx, lose_id, month) > 0:
        return True
    return tx.exec(select(Budget).where(Budget.person_id == keep_id).limit(1)).first() is None


def _move_budget(tx: Session, keep_id: int, lose_id: int, month: int, *, grace: Sequence[int], at: datetime) -> None:
    """One budget from the open month on. A month that is over but still takes likes keeps whichever it has."""
    takes = _takes_budget(tx, keep_id, lose_id, month)
    stays, ended = (lose_id, keep_id) if takes else (keep_id, lose_id)
    mine = {each: budgets.budget_of(tx, stays, each) for each in (*grace, month)}
    theirs = {each: budgets.budget_of(tx, ended, each) for each in grace}
    if any(theirs[each] and not mine[each] for each in grace):
        _update(tx, sa.delete(Budget).where(col(Budget.person_id) == stays, col(Budget.from_month).in_(mine)))
        for each, amount in mine.items():
            tx.add(Budget(person_id=stays, from_month=each, amount_micros=amount or theirs.get(each, 0), set_at=at))
    _update(tx, sa.delete(Budget).where(col(Budget.person_id) == ended))
    if takes:
        _update(tx, sa.update(Budget).where(col(Budget.person_id) == lose_id).values(person_id=keep_id))


def _move_preferences(tx: Session, keep: Person, lose: Person) -> None:
    """What either left out stays out. Ignored creators and skips are copied: old statements heed them too."""
    keep_id, lose_id = persons.key(keep), persons.key(lose)
    keep.cap_per_flattr_micros = _lower(keep.cap_per_flattr_micros, lose.cap_per_flattr_micros)
    keep.cap_per_creator_micros = _lower(keep.cap_per_creator_micros, lose.cap_per_creator_micros)
    for table in (Pause, Ignore, Skip):
        for row in tx.exec(select(table).where(table.person_id == lose_id)).all():
            insert_once(tx, table, {**row.model_dump(), "person_id": keep_id})
    _update(tx, sa.delete(Pause).where(col(Pause.person_id) == lose_id))


def _move_subscriptions(tx: Session, keep_id: int, lose_id: int) -> None:
    mine = {row.account_id: row for row in tx.exec(select(Subscription).where(Subscription.person_id == keep_id)).all()}
    for row in tx.exec(select(Subscription).where(Subscription.person_id == lose_id)).all():
        kept = mine.get(row.account_id)
        if kept is None:
            row.person_id = keep_id
            continue
        kept.started_at = min(kept.started_at, row.started_at)
        ends = (kept.last_month, row.last_month)
        kept.last_month = None if None in ends else max(end for end in ends if end is not None)
        tx.delete(row)
    tx.flush()


def _tell(tx: Session, accounts: Sequence[Account], lose_id: int, at: datetime) -> None:
    names = ", ".join(str(account) for account in accounts)
    text = (
        f"From now on these accounts are one person here, with one budget: {names}. If that is not right, write"
        ' "unlink" from the account that should not be among them. Payouts wait for a few days.'
    )
    for account in accounts:
        source = f"merge:{lose_id}:{account.id}"
        outbox.put(tx, kind="merged", source=source, at=at, to=persons.ref(account), text=text)


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((each for each in (one, other) if each is not None), default=None)


def _lower(one: int | None, other: int | None) -> int | None:
    return min((each for each in (one, other) if each is not None), default=None)


def _update(tx: Session, statement: Any) -> None:
    tx.flush()
    tx.exec(statement.execution_options(synchronize_session="fetch"))


def describe(done: MergePreview) -> str:
    """One line for the log."""
    months = ", ".join(month_name(month) for month in done.months_under_way) or "none"
    return (
        f"person {done.lose_id} into {done.keep_id}: accounts {', '.join(done.accounts) or 'none'};"
        f" {done.flattrs} flattrs, {done.doubles} of them double; months under way: {months}"
    )
