"""Creators joining and declining: who may be paid, who wants no money, what lapses (money.md)."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session, col, select

from core.database import insert_once, to_micros
from core.events import AccountRef
from core.months import stages
from core.months.tables import Month
from core.people import audit, holding, joining, persons
from core.people.tables import Account, Audit, Decline, Person
from core.periods import month_of
from core.rules import Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """What a claim brought: ``joined`` flattrs of ``patrons`` count now, ``moved`` of these are older."""

    joined: int
    patrons: int
    moved: int
    payable: bool
    """Whether money can be sent already; until then everything stays pending."""
    before: bool
    """Whether this person received already; then ``joined`` tells only what was added."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declined:
    """How many pending flattrs were voided by declining."""

    voided: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """What would count if the creator joined now: so many flattrs of so many distinct patrons."""

    flattrs: int
    patrons: int
    older: int
    """How many of the flattrs are from months before the open one."""


def claim(tx: Session, rules: Rules, *, person_id: int, at: datetime, can_pay: bool) -> Claimed:
    """This person wants to receive what their accounts are flattred; the accounts are proven by being linked.

    ``can_pay`` is what the payment gateway says. While it is no, all stays pending; claim again once it is
    yes. A refusal that was said for one of the accounts before is taken back: it is the same proof.
    """
    holding.hold_months(tx, at)
    person = persons.locked(tx, person_id)
    if person.left_at is not None:
        raise LookupError("this person has left; write to the bot again to begin anew")
    before = person.receives_since is not None and person.payable_since is not None
    person.receives_since = person.receives_since or at
    if can_pay:
        person.payable_since = person.payable_since or at
    tx.flush()
    joined = moved = 0
    patrons: set[int] = set()
    for account in persons.accounts_of(tx, persons.key(person)):
        take_back(tx, rules, account, at)
        if person.payable_since is None:
            continue
        found = joining.join(tx, rules, account, at)
        moved += len(found.older)
        joined += len(found.older) if before else found.flattrs
        patrons.update(found.patrons)
    return Claimed(
        joined=joined,
        patrons=len(patrons) if joined else 0,
        moved=moved,
        payable=person.payable_since is not None,
        before=before,
    )


def join_pending(tx: Session, rules: Rules, account: Account, at: datetime) -> int:
    """Let what is pending for a newly linked account count, if its person receives; how many older moved."""
    if account.person_id is None:
        return 0
    person = tx.get_one(Person, account.person_id)
    if person.receives_since is None or person.payable_since is None or person.left_at is not None:
        return 0
    if is_declined(tx, rules, persons.ref(account)):
        return 0
    return len(joining.join(tx, rules, account, at).older)


_DECLINED = "declined:"


def decline(tx: Session, rules: Rules, account: Account, at: datetime) -> Declined:
    """The owner of this account wants no money: what is pending is void, and nothing is recorded any more.

    The refusal is kept as a keyed hash of the account's id and nothing else. The caller has the proof of
    control, which is the same as for claiming.
    """
    tx.flush()
    pseudonym = _hash(rules, persons.ref(account))
    insert_once(tx, Decline, {"account_hash": pseudonym, "since": at})
    account_id = persons.key(account)
    if account.person_id is None:
        # What was flattred before refers to the row; the row's own number keeps a second refusal apart.
        account.account_id = f"{_DECLINED}{pseudonym}:{account_id}"
    tx.connection().execute(sa.text("delete from subscription where account_id = :account"), {"account": account_id})
    return Declined(voided=joining.void_pending(tx, account_id, "declined"))


def take_back(tx: Session, rules: Rules, account: Account, at: datetime) -> bool:
    """Take a refusal back, by the same proof; False if there was none. What was voided stays void."""
    pseudonym = _hash(rules, persons.ref(account))
    if persons.account_of(tx, persons.ref(account)) is None:
        row = tx.exec(select(Account).where(col(Account.account_id).startswith(f"{_DECLINED}{pseudonym}:"))).first()
        if row is not None:
            row.account_id = account.account_id
            tx.flush()
    gone = sa.delete(Decline).where(col(Decline.account_hash) == pseudonym)
    return tx.exec(gone.execution_options(synchronize_session="fetch")).rowcount > 0


def is_declined(tx: Session, rules: Rules, ref: AccountRef) -> bool:
    """Whether the owner of this account wants no money."""
    return tx.get(Decline, _hash(rules, ref)) is not None


def pending_for(tx: Session, rules: Rules, account: Account, at: datetime) -> Pending:
    """What would count in the open month if the creator behind this account joined now."""
    found = joining.joinable(tx, rules, account, stages.open_month(tx, at), at)
    return Pending(flattrs=found.flattrs, patrons=len(found.patrons), older=len(found.older))


_LAPSE = """
update flattr set voided = 'lapsed'
 where month in :months and created_at <= :until and standing and struck_at is null and voided is null
   and moved_to_id is null
   and not exists (select 1 from share h where h.flattr_id = flattr.id)
   and not exists (select 1 from payable y where y.month = flattr.month and y.account_id = flattr.author_id)
"""


def lapse(tx: Session, rules: Rules, at: datetime) -> int:
    """Void what has been pending for 90 days (a setting); how many flattrs. Again on the same day (UTC): 0.

    Only months are read in which something can have come of age since the last time, which the log tells: what was
    paid long ago is not looked at again.
    """
    last = select(Audit.at).where(Audit.action == "lapse", col(Audit.at) <= at).order_by(col(Audit.id).desc())
    before = tx.exec(last.limit(1)).first()
    if before is not None and before.date() == at.date():
        return 0
    age = timedelta(days=rules.pending_days)
    over = select(Month.id).where(col(Month.stage).not_in(("open", "review")))
    if before is not None:  # no flattr is older than its month, but for one whose like came late or was claimed
        over = over.where(sa.or_(col(Month.id) >= month_of(before - age), col(Month.closed_at) >= before))
    months = tx.exec(over.order_by(col(Month.id))).all()
    tx.flush()
    run = sa.text(_LAPSE).bindparams(sa.bindparam("months", expanding=True))
    lapsed = tx.connection().execute(run, {"months": list(months), "until": to_micros(at - age)}).rowcount
    audit.note(tx, at, "hub", "lapse", f"{lapsed} flattrs that were pending for {rules.pending_days} days")
    return lapsed


def _hash(rules: Rules, ref: AccountRef) -> str:
    return hmac.new(rules.pseudonym_key, str(ref).encode(), hashlib.sha256).hexdigest()
