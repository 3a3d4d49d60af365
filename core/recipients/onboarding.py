"""How creators become payable: their accounts at the processor, what it says of them, and who is reminded to finish.

A creator is payable while an account of theirs (or of a person merged into them) is active. What the processor says
is looked up, never believed from a return address (stripe.md), and may be told twice, late or in any order.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session, col, select

from core.database import insert_once, to_micros
from core.mail import outbox
from core.money import show
from core.payments import counterparts
from core.payments.gateway import Gateway
from core.payments.states import AccountState, BankPayoutState
from core.people import claims, holding, persons
from core.people.tables import Person
from core.recipients.tables import Recipient
from core.rules import Rules

REMINDERS = (timedelta(days=1), timedelta(days=7), timedelta(days=30))
"""When, after they began, creators with their onboarding unfinished are reminded."""

COUNTRY = "country"
"""What stands in `Recipient.needs` (alone) of an account in a country that is not on the operator's list."""


def ensure(tx: Session, person_id: int, at: datetime) -> Recipient:
    """The row with which this human goes on at the processor, made on the first wish to be paid.

    After a merge it may be the one of the other person: the active one, else the one that has an account. Its
    ``person_id`` is what `HostedGateway.onboard` is to be called with.
    """
    root = persons.root_id(tx, person_id)
    rows = _rows(tx, root)
    if not rows:
        insert_once(
            tx, Recipient, {"person_id": root, "state": "unfinished", "needs": "", "began_at": at, "reminded": 0}
        )
        rows = _rows(tx, root)
    return rows[0]


def recipient_of(tx: Session, person_id: int) -> Recipient | None:
    """The same row, where there is one: how far this creator is with the processor."""
    return next(iter(_rows(tx, person_id)), None)


def can_pay(tx: Session, gateway: Gateway, person_id: int) -> bool:
    """Whether money can be sent to this creator now."""
    return not gateway.onboards or account_of(tx, person_id) is not None


def account_of(tx: Session, person_id: int) -> str | None:
    """The processor's id of the account to which this human's money goes; None: there is no active one."""
    return next((row.account for row in _rows(tx, person_id) if row.state == "active"), None)


def active_accounts(tx: Session) -> dict[int, str]:
    """`account_of` for everybody at once: the active accounts, by the person who goes by them now."""
    own = sa.func.coalesce(col(Person.merged_into_id), col(Person.id))
    rows = tx.execute(
        sa.select(own, col(Recipient.account))
        .join(Person, col(Person.id) == col(Recipient.person_id))
        .where(col(Recipient.state) == "active", col(Recipient.account).is_not(None))
        # Of several the one that `account_of` names comes last, and stays.
        .order_by(own == col(Recipient.person_id), col(Recipient.person_id).desc())
    )
    return {person_id: account for person_id, account in rows}  # noqa: C416 - rows are no pairs to the type checker


def keep_account(tx: Session, person_id: int, account: str, at: datetime) -> str:
    """Note which account the processor made for this person; the one that holds, which is the first unless closed."""
    ensure(tx, person_id, at)
    row = _own(tx, person_id, at)
    if row.account != account and (row.account is None or row.state == "closed"):
        if row.state == "closed":  # begun anew, with reminders of its own days
            row.state, row.needs, row.country, row.began_at, row.active_at = "unfinished", "", None, at, None
        row.account = account
        tx.flush()
    assert row.account is not None
    return row.account


def learn(tx: Session, rules: Rules, state: AccountState, at: datetime) -> None:
    """Take in how an account stands at the processor; the same again changes nothing and tells nobody.

    When the creator becomes payable, what is pending for them counts (if they have claimed); when they are not
    payable any more, payouts wait. An account that is none of this hub's creators' is passed over.
    """
    person_id = _person_behind(tx, state)
    if person_id is None:
        return
    # In this order, as everywhere: months, person, recipient. The start of a review judges who is payable.
    holding.hold_months(tx, at)
    person = persons.locked(tx, person_id)
    row = _own(tx, person_id, at)
    if row.account != state.reference and keep_account(tx, person_id, state.reference, at) != state.reference:
        return  # news of an account that was replaced
    before, could, row.seen_at = row.state, account_of(tx, person_id) is not None, at
    row.country = state.country or row.country
    row.state = _judge(rules, row, state)
    row.needs = COUNTRY if row.state == "restricted" and not _allowed(rules, row) else ",".join(state.needs)
    if row.state == "active" and row.active_at is None:
        row.active_at = at
    tx.flush()
    can = account_of(tx, person_id) is not None
    _mark_payable(tx, rules, person, at, can=can)
    if can and not could:
        _tell(tx, "payable", person, at)
    elif not can and (could or (before, row.state) == ("unfinished", "restricted")):
        _tell(tx, "restricted", person, at)


def remind(tx: Session, rules: Rules, at: datetime) -> int:
    """Remind creators whose onboarding is unfinished, 1, 7 and 30 days after they began; how many notes went out.

    Each reminder once; a hub that was away says only the latest. Not those who left, or can be paid otherwise.
    """
    # Whoever has had the reminder of their day is not even read: this is asked twice a minute.
    days = [
        sa.and_(col(Recipient.reminded) < number, col(Recipient.began_at) <= at - wait)
        for number, wait in enumerate(REMINDERS, 1)
    ]
    unfinished = (
        sa.select(col(Recipient.person_id))
        .join(Person, col(Person.id) == col(Recipient.person_id))
        .where(col(Recipient.state) == "unfinished", sa.or_(*days), col(Person.left_at).is_(None))
        .order_by(col(Recipient.person_id))
    )
    told = 0
    for person_id in tx.execute(unfinished).scalars().all():
        person = persons.locked(tx, person_id)
        row = _own(tx, person_id, at)
        if person.left_at is not None or ensure(tx, person_id, at).person_id != person_id:
            continue
        number = sum(row.began_at + wait <= at for wait in REMINDERS)
        if row.state != "unfinished" or number <= row.reminded:
            continue
        row.reminded = number
        told += outbox.put(
            tx, kind="onboarding", source=f"onboarding:{person_id}:{number}", at=at, person_id=persons.key(person)
        )
    tx.flush()
    return told


def learn_bank_payout(tx: Session, rules: Rules, state: BankPayoutState, at: datetime) -> None:
    """Tell a creator, once, that money did not get from their account at the processor to their bank."""
    if state.state != "failed":
        return
    row = tx.exec(select(Recipient).where(Recipient.account == state.account)).one_or_none()
    if row is None:
        return
    amount = show(state.amount_minor * rules.money.minor_micros, rules.money)
    reason = (state.reason or "the bank gave no reason").strip().rstrip(".")
    text = (
        f"{amount} could not be paid to your bank account: {reason}. The money is still yours and waits in your account"
        " with the payment processor. Write payouts to correct your bank details; it is sent again after that."
    )
    outbox.put(
        tx, kind="payout_failed", source=f"payout_failed:{state.reference}", at=at,
        person_id=persons.root_id(tx, row.person_id), text=text,
    )  # fmt: skip


def _rows(tx: Session, person_id: int) -> list[Recipient]:
    """All of this human's rows; the one they go on with comes first."""
    root = persons.root_id(tx, person_id)
    merged = sa.select(col(Person.id)).where(sa.or_(col(Person.id) == root, col(Person.merged_into_id) == root))
    rows = tx.exec(select(Recipient).where(col(Recipient.person_id).in_(merged))).all()

    def rank(row: Recipient) -> tuple[bool, bool, bool, int]:
        usable = row.account is not None and row.state != "closed"
        return row.state != "active", not usable, row.person_id != root, row.person_id

    return sorted(rows, key=rank)


def _own(tx: Session, person_id: int, at: datetime) -> Recipient:
    """This very number's row, for this transaction alone; after a merge the old number keeps its account."""
    insert_once(
        tx, Recipient, {"person_id": person_id, "state": "unfinished", "needs": "", "began_at": at, "reminded": 0}
    )
    return tx.get_one(Recipient, person_id, with_for_update=True, populate_existing=True)


def _person_behind(tx: Session, state: AccountState) -> int | None:
    known = select(Recipient.person_id).where(Recipient.account == state.reference)
    person_id = tx.exec(known).one_or_none() or counterparts.owner(tx, "account", state.reference) or state.person_id
    return person_id if person_id is not None and tx.get(Person, person_id) is not None else None


def _allowed(rules: Rules, row: Recipient) -> bool:
    return not rules.countries or row.country in rules.countries


def _judge(rules: Rules, row: Recipient, state: AccountState) -> str:
    if state.closed:
        return "closed"
    if state.active and _allowed(rules, row):
        return "active"
    if not _allowed(rules, row) and (row.country is not None or state.active):
        return "restricted"  # told at once, before they fill in the rest for nothing
    return "unfinished" if row.active_at is None else "restricted"


def _mark_payable(tx: Session, rules: Rules, person: Person, at: datetime, *, can: bool) -> None:
    """Let `Person.payable_since` say what the accounts say; whoever has claimed is joined by what is pending."""
    if not can:
        person.payable_since = None
    elif person.payable_since is None:
        if person.receives_since is not None and person.left_at is None:
            claims.claim(tx, rules, person_id=persons.key(person), at=at, can_pay=True)
        else:
            person.payable_since = at
    tx.flush()


def _tell(tx: Session, kind: str, person: Person, at: datetime) -> None:
    person_id = persons.key(person)
    outbox.put(tx, kind=kind, source=f"{kind}:{person_id}:{to_micros(at)}", at=at, person_id=person_id)
