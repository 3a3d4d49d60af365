"""Who is who: accounts on the platforms and the persons they belong to."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from core.database import insert_once
from core.events import AccountRef
from core.people.tables import Account, Person


def key(row: Account | Person) -> int:
    """The number of a row that is in the database."""
    if row.id is None:
        raise ValueError("the row has no number yet; flush it first")
    return row.id


def ref(account: Account) -> AccountRef:
    """The account as events name it."""
    return AccountRef(platform=account.platform, account_id=account.account_id, handle=account.handle)


def account_of(tx: Session, ref: AccountRef) -> Account | None:
    """The account's row, if the hub has heard of it."""
    return tx.exec(_named(ref)).one_or_none()


def ensure_account(tx: Session, ref: AccountRef) -> Account:
    """The account's row, made on first sight; two processes that meet here get the same one.

    A handle is kept of members only: of people who have not joined the hub stores no text (money.md).
    """
    account = account_of(tx, ref)
    if account is None:
        insert_once(tx, Account, {"platform": ref.platform, "account_id": ref.account_id})
        account = tx.exec(_named(ref)).one()
    if account.person_id is not None and ref.handle and account.handle != ref.handle:
        account.handle = ref.handle
    return account


def locked_account(tx: Session, account_id: int) -> Account:
    """The account's row, for this transaction alone (PostgreSQL; SQLite has one writer anyway)."""
    tx.flush()
    query = select(Account).where(Account.id == account_id).with_for_update(key_share=True)
    return tx.exec(query.execution_options(populate_existing=True)).one()


def person_of(tx: Session, ref: AccountRef) -> Person | None:
    """The person an account belongs to; None for strangers."""
    account = account_of(tx, ref)
    if account is None or account.person_id is None:
        return None
    return tx.get_one(Person, root_id(tx, account.person_id))


def ensure_person(tx: Session, ref: AccountRef, at: datetime) -> Person:
    """The person an account belongs to; of a stranger a new one, whose likes count from ``at`` on."""
    tx.flush()
    account = locked_account(tx, key(ensure_account(tx, ref)))
    if account.person_id is not None:
        return tx.get_one(Person, root_id(tx, account.person_id))
    person = Person(created_at=at)
    tx.add(person)
    tx.flush()
    attach(account, person, at, handle=ref.handle)
    tx.flush()
    return person


def attach(account: Account, person: Person, since: datetime, *, handle: str | None = None) -> None:
    """Make the account this person's; its likes count from ``since`` on."""
    account.person_id, account.linked_at = key(person), since
    account.handle = handle or account.handle


def detach(account: Account) -> None:
    """Make the account nobody's, and forget what is only kept of members."""
    account.person_id = account.linked_at = account.handle = None
    account.spoke_at = account.needs_relink_at = None


def accounts_of(tx: Session, person_id: int) -> list[Account]:
    """The person's accounts, in the order in which the hub met them."""
    return list(
        tx.exec(select(Account).where(Account.person_id == root_id(tx, person_id)).order_by(col(Account.id))).all()
    )


def root_id(tx: Session, person_id: int) -> int:
    """The number under which this human goes on, if they were merged into another person."""
    while True:
        person = tx.get(Person, person_id)
        if person is None:
            raise LookupError(f"there is no person {person_id}; `flattr say` and `flattr link` make persons")
        if person.merged_into_id is None:
            return person_id
        person_id = person.merged_into_id


def merged_ids(tx: Session, person_id: int) -> list[int]:
    """All numbers this human has gone by; the present one comes first.

    Statements that were under way when two persons were merged, and dues from before, keep the old number.
    """
    root = root_id(tx, person_id)
    merged = select(Person.id).where(Person.merged_into_id == root).order_by(col(Person.id))
    return [root, *(each for each in tx.exec(merged).all() if each is not None)]


def locked(tx: Session, person_id: int) -> Person:
    """The person (followed through merges), for this transaction alone.

    Rows that only refer to the person may still be made: a review that writes statements would otherwise wait for
    us while we wait for its month.
    """
    tx.flush()
    query = select(Person).where(Person.id == root_id(tx, person_id)).with_for_update(key_share=True)
    return tx.exec(query.execution_options(populate_existing=True)).one()


def find(tx: Session, text: str) -> Person:
    """A person from what an operator types: ``7`` or ``discord:123``.

    LookupError says what to type instead.
    """
    text = text.strip()
    if text.isascii() and text.isdigit():
        if len(text) > 18 or tx.get(Person, int(text)) is None:
            raise LookupError(f"there is no person {text}; name one by an account instead, like discord:123")
        return tx.get_one(Person, root_id(tx, int(text)))
    platform, colon, account_id = text.partition(":")
    if not (colon and platform and account_id):
        raise LookupError(f"{text!r} names nobody; write a number, like 7, or an account, like discord:123")
    person = person_of(tx, AccountRef(platform=platform.lower(), account_id=account_id))
    if person is None:
        raise LookupError(f"{text} belongs to nobody here yet; an account joins by writing to the bot")
    return person


def spoken_account(tx: Session, person_id: int) -> Account | None:
    """The account from which the person last spoke to the bot; None if from no present one."""
    return tx.exec(
        select(Account)
        .where(Account.person_id == root_id(tx, person_id), col(Account.spoke_at).is_not(None))
        .order_by(col(Account.spoke_at).desc(), col(Account.id).desc())
        .limit(1)
    ).first()


def mark_spoken(tx: Session, ref: AccountRef, at: datetime) -> None:
    """Note that a message came from this account; of strangers nothing is kept.

    Call it once the message was answered, so that one that makes a stranger a member is noted too.
    """
    account = account_of(tx, ref)
    if account is None or account.person_id is None:
        return
    if account.spoke_at is None or account.spoke_at < at:
        account.spoke_at = at
    account.handle = ref.handle or account.handle
    tx.flush()


def _named(ref: AccountRef) -> SelectOfScalar[Account]:
    return select(Account).where(Account.platform == ref.platform, Account.account_id == ref.account_id)
