"""Makes accounts one person's: codes by DM with a yes from both sides, unlinking, and the operator's hand."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from core.access import grants
from core.events import AccountRef
from core.mail import outbox
from core.people import audit, claims, codes, holding, merging, persons
from core.people.codes import IssuedCode, LinkRefused, issue_code, looks_like_code
from core.people.merging import MergePreview
from core.people.tables import Account, LinkCode, Person
from core.rules import Rules

__all__ = [
    "IssuedCode",
    "LinkRefused",
    "Linked",
    "Offer",
    "bind",
    "confirm",
    "issue_code",
    "looks_like_code",
    "offer_code",
    "open_offer",
    "propose",
    "refuse",
    "unlink",
]

OFFER_LIFE = timedelta(hours=1)
"""How long the issuer may think about a proposal; the code itself is used up."""

_SIGNED_IN = "signed in:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Somebody sent a code: ``by`` and ``issuer`` would be one person, once the issuer says yes."""

    id: int
    issuer: Account
    by: Account
    merge: MergePreview | None
    """What changes if both are persons already; to be shown before the yes."""
    signed_in: bool
    """Nobody sent a code: whoever opened the issuer's personal address signed in there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """``account`` is now ``person_id``'s."""

    person_id: int
    account: Account
    merge: MergePreview | None
    moved: int
    """How many older pending flattrs count now since the account belongs to somebody who receives."""


def offer_code(tx: Session, by: AccountRef, code: str, at: datetime) -> Offer:
    """Propose, with a code that another account got, that both are one person's. Nothing is bound by this.

    Raises LinkRefused for a code that is wrong, too old, used, one's own, or one too many. A failure is
    counted in ``tx``: catch the exception inside the transaction, so that the count is kept.
    """
    row = codes.redeem(tx, by, code, at)
    issuer = tx.get_one(Account, row.issuer_id)
    account = persons.ensure_account(tx, by)
    if row.state == "offered" and row.offered_by_id == account.id:
        return _offer(tx, row, at)  # the same message again
    if row.state != "issued":
        raise LinkRefused('This code was used already. Write "link" on the other network for a new one.')
    if issuer.id == account.id:
        raise LinkRefused("This code is for your other account: send it from there, not from here.")
    if account.person_id is not None and account.person_id == issuer.person_id:
        raise LinkRefused("These two accounts are linked already.")
    row.state, row.offered_by_id, row.expires_at = "offered", account.id, at + OFFER_LIFE
    tx.flush()
    outbox.put(tx, kind="link_offer", source=f"link:{row.id}", at=at, to=persons.ref(issuer))
    return _offer(tx, row, at)


def propose(tx: Session, issuer: Account, account: Account, at: datetime) -> Offer:
    """Propose that both are one person's, since at the address that ``account`` got somebody signed in as the issuer.

    The issuer is asked as for a code; what it was asked before ends.
    """
    codes.cancel(tx, issuer)
    row = LinkCode(
        code_hash=_SIGNED_IN + secrets.token_hex(16),  # no code makes this hash
        issuer_id=persons.key(issuer),
        offered_by_id=persons.key(account),
        state="offered",
        created_at=at,
        expires_at=at + OFFER_LIFE,
    )
    tx.add(row)
    tx.flush()
    outbox.put(tx, kind="link_offer", source=f"link:{row.id}", at=at, to=persons.ref(issuer))
    return _offer(tx, row, at)


def open_offer(tx: Session, account: Account, at: datetime) -> Offer | None:
    """The proposal that waits for this account's yes or no."""
    row = _waiting(tx, account, at)
    return _offer(tx, row, at) if row else None


def confirm(tx: Session, rules: Rules, account: Account, at: datetime) -> Linked:
    """The issuer's yes: both accounts are one person's from now on. LinkRefused if nothing waits for it."""
    holding.hold_months(tx, at)
    row = _waiting(tx, account, at)
    if row is None or row.offered_by_id is None:
        raise LinkRefused('Nothing waits for your yes. Write "link" to get a code for your other account.')
    row.state = "confirmed"
    issuer = persons.locked_account(tx, row.issuer_id)
    other = persons.locked_account(tx, row.offered_by_id)
    done = None
    if issuer.person_id is None and other.person_id is not None:
        issuer, other = other, issuer  # the one who is a person already takes the other in
    person = persons.ensure_person(tx, persons.ref(issuer), at)
    if other.person_id is None:
        persons.attach(other, person, at)
        tx.flush()
    elif persons.root_id(tx, other.person_id) != person.id:
        done = merging.merge(tx, rules, keep_id=persons.key(person), lose_id=other.person_id, at=at)
        audit.note(tx, at, str(account), "merge", merging.describe(done))
    moved = sum(claims.join_pending(tx, rules, each, at) for each in (issuer, other))
    return Linked(person_id=persons.key(person), account=other, merge=done, moved=moved)


def refuse(tx: Session, account: Account, at: datetime) -> bool:
    """The issuer's no; False if nothing waits for one."""
    row = _waiting(tx, account, at)
    if row is None:
        return False
    row.state = "refused"
    tx.flush()
    return True


def unlink(tx: Session, account: Account, at: datetime) -> None:
    """Let the account be nobody's. What it liked stays its person's; its own flattrs are pending again.

    LinkRefused for a person's only account, and for one that is nobody's.
    """
    holding.hold_months(tx, at)
    account = persons.locked_account(tx, persons.key(account))
    if account.person_id is None:
        raise LinkRefused("This account is linked to nothing.")
    if len(persons.accounts_of(tx, account.person_id)) == 1:
        raise LinkRefused('This is your only account here. Write "stop" if you want to leave.')
    persons.detach(account)
    codes.cancel(tx, account)
    grants.end(tx, account, at)
    tx.flush()


def bind(
    tx: Session,
    ref: AccountRef,
    *,
    person_id: int,
    since: datetime,
    actor: str,
    at: datetime,
    rules: Rules | None = None,
    moving: bool = False,
) -> Account:
    """Bind an account by an operator's hand, logged; its likes count from ``since`` on.

    LinkRefused if it is another person's, unless it is to be moved (``moving``): then payouts wait and every
    account concerned is told. With ``rules``, older pending flattrs join at once if the person receives.
    """
    holding.hold_months(tx, at)
    person = persons.locked(tx, person_id)
    if person.left_at is not None:
        raise LinkRefused(f"Person {person.id} has left; bind the account to another one.")
    account = persons.locked_account(tx, persons.key(persons.ensure_account(tx, ref)))
    before = persons.root_id(tx, account.person_id) if account.person_id is not None else None
    if before is not None and before != person.id:
        if not moving or rules is None:
            raise LinkRefused(
                f"{ref} is person {before}'s. Merge the two, unlink it first, or move it by force (--move)."
            )
        _tell_of_move(tx, account, person, before, at)
        person.cooling_until = max(person.cooling_until or at, at + rules.cooling)
    persons.attach(account, person, since, handle=ref.handle)
    taken = f", taken from person {before}" if before not in (None, person.id) else ""
    audit.note(tx, at, actor, "link", f"{ref} to person {person.id}, since {since.isoformat()}{taken}")
    if rules is not None:
        claims.join_pending(tx, rules, account, at)
    return account


def _waiting(tx: Session, account: Account, at: datetime) -> LinkCode | None:
    tx.flush()
    return tx.exec(
        select(LinkCode)
        .where(LinkCode.issuer_id == account.id, LinkCode.state == "offered", col(LinkCode.expires_at) > at)
        .order_by(col(LinkCode.id).desc())
        .limit(1)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).first()


def _offer(tx: Session, row: LinkCode, at: datetime) -> Offer:
    if row.id is None or row.offered_by_id is None:
        raise ValueError("an offer has a sender")
    issuer, by = tx.get_one(Account, row.issuer_id), tx.get_one(Account, row.offered_by_id)
    merge = None
    if issuer.person_id is not None and by.person_id is not None and issuer.person_id != by.person_id:
        merge = merging.preview(tx, issuer.person_id, by.person_id, at)
    return Offer(id=row.id, issuer=issuer, by=by, merge=merge, signed_in=row.code_hash.startswith(_SIGNED_IN))


def _tell_of_move(tx: Session, account: Account, person: Person, before: int, at: datetime) -> None:
    accounts = {each.id: each for owner in (before, persons.key(person)) for each in persons.accounts_of(tx, owner)}
    text = f"The operator moved the account {account} to another person. If that is not right, write to them."
    for each in accounts.values():
        source = f"move:{account.id}:{each.id}:{at.isoformat()}"
        outbox.put(tx, kind="merged", source=source, at=at, to=persons.ref(each), text=text)
