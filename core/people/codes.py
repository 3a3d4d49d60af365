"""One-time codes for linking accounts, and the limits that make guessing one hopeless.

A guess hits one of the L codes that are live with probability L / 20^10 (20^10 = 1.024e13). An issuer has at
most one live code, and a code lives ten minutes, so at any moment of an hour L is at most I: the distinct
accounts that issued one in the last 70 minutes. Whatever was guessed in an hour succeeds with at most
(wrong codes) * I / 20^10, which stays under 1e-6 (reliability.md, S4) while (wrong codes) * I < 10,240,000. That
is the hub's allowance for all networks together; one network may use a sixteenth of it, 640,000. With 100 issuers
an hour this permits 6,400 wrong codes an hour on one network: at five an account it takes 1,280 accounts to close
it for an hour, and even then a code can be issued there and sent on the other network. The issuer's yes is needed
on top of all this.
"""

from __future__ import annotations

import hashlib
import secrets
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session, col, select

from core.events import AccountRef
from core.people import persons
from core.people.tables import Account, LinkCode, LinkFailure

ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
"""Twenty consonants that neither look alike nor spell words (RFC 8628, section 6.1)."""
LENGTH = 10
LIFE = timedelta(minutes=10)
HOUR = timedelta(hours=1)
ACCOUNT_FAILURES = 5
"""Wrong codes that one account may send in an hour."""
ALLOWANCE: int = len(ALPHABET) ** LENGTH // 1_000_000
"""Wrong codes in an hour times issuers, on all networks; at it, one hour in a million lets a guess succeed."""
NETWORK_ALLOWANCE: int = ALLOWANCE // 16
"""One network's part of it, so that an attack on one network does not close the others."""
_KEPT = timedelta(days=1)


class LinkRefused(Exception):
    """Linking did not happen; the text is the sentence for the person, and says what to do instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedCode:
    """A code as it is shown, and when it stops working."""

    code: str
    expires_at: datetime


def issue_code(tx: Session, account: Account, at: datetime) -> IssuedCode:
    """A new code for this account; the code and the proposal that it had before end."""
    _end(tx, col(LinkCode.issuer_id) == account.id)
    code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    expires_at = at + LIFE
    row = LinkCode(code_hash=hashed(code), issuer_id=persons.key(account), created_at=at, expires_at=expires_at)
    tx.add(row)
    tx.flush()
    # Only now, when the newest row is in: SQLite gives the number of a deleted last row again.
    old = sa.delete(LinkCode).where(col(LinkCode.expires_at) < at - _KEPT)
    tx.exec(old.execution_options(synchronize_session="fetch"))
    half = LENGTH // 2
    return IssuedCode(code=f"{code[:half]}-{code[half:]}", expires_at=expires_at)


def cancel(tx: Session, account: Account) -> None:
    """End the codes and proposals of an account, on either side."""
    _end(tx, sa.or_(col(LinkCode.issuer_id) == account.id, col(LinkCode.offered_by_id) == account.id))


def _end(tx: Session, whose: sa.ColumnElement[bool]) -> None:
    tx.flush()
    live = col(LinkCode.state).in_(("issued", "offered"))
    change = sa.update(LinkCode).where(whose, live).values(state="refused")
    tx.exec(change.execution_options(synchronize_session="fetch"))


def redeem(tx: Session, by: AccountRef, code: str, at: datetime) -> LinkCode:
    """The row of a code that somebody sent, in whatever state it is but not expired.

    Raises LinkRefused, and counts the failure, for a code that nobody was given.
    """
    if not looks_like_code(code):
        raise LinkRefused(f'A code has {LENGTH} letters, like BCDFG-HJKLM. Write "link" on the other network.')
    code_hash = hashed(code)
    if tx.get_bind().dialect.name == "postgresql":
        # One at a time, so that many at once cannot slip past the limits. (SQLite has one writer anyway.)
        tx.execute(sa.text("select pg_advisory_xact_lock(hashtextextended('flattr:link-codes', 0))"))
    _within_limits(tx, by, at)
    row = tx.exec(
        select(LinkCode)
        .where(LinkCode.code_hash == code_hash)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        tx.add(LinkFailure(platform=by.platform, account_id=by.account_id, at=at))
        tx.flush()
        raise LinkRefused('I do not know this code. Check it, or write "link" on the other network for another.')
    if row.expires_at <= at:
        raise LinkRefused('This code is too old. Write "link" on the other network for a new one.')
    return row


def looks_like_code(text: str) -> bool:
    """Whether a message can only be meant as a code; case, spaces and dashes don't matter."""
    plain = normal(text)
    return len(plain) == LENGTH and all(letter in ALPHABET for letter in plain)


def normal(text: str) -> str:
    """A code without what people and phones add to it."""
    shown = unicodedata.normalize("NFKC", text).upper()
    return "".join(letter for letter in shown if not letter.isspace() and unicodedata.category(letter) != "Pd")


def hashed(code: str) -> str:
    """What is stored of a code. Slow on purpose: a stolen database must not yield live codes in ten minutes."""
    digest = hashlib.scrypt(normal(code).encode(), salt=b"flattr link code", n=2**12, r=8, p=1, dklen=32)
    return digest.hex()


def permitted(issuers: int) -> int:
    """Wrong codes that one network may send in an hour while so many accounts issue codes."""
    return NETWORK_ALLOWANCE // max(1, issuers)


def _within_limits(tx: Session, by: AccountRef, at: datetime) -> None:
    tx.flush()
    since = at - HOUR
    tx.exec(sa.delete(LinkFailure).where(col(LinkFailure.at) <= since).execution_options(synchronize_session="fetch"))
    issuers = tx.execute(
        sa.select(sa.func.count(sa.distinct(col(LinkCode.issuer_id)))).where(col(LinkCode.created_at) > since - LIFE)
    ).scalar_one()
    failures = sa.select(sa.func.count()).select_from(LinkFailure)
    here = failures.where(col(LinkFailure.platform) == by.platform)
    own = here.where(col(LinkFailure.account_id) == by.account_id)
    if tx.execute(own).scalar_one() >= ACCOUNT_FAILURES:
        raise LinkRefused("That were too many wrong codes. Wait an hour, then try again.")
    crowded = tx.execute(here).scalar_one() >= permitted(issuers)
    if crowded or (tx.execute(failures).scalar_one() + 1) * max(1, issuers) >= ALLOWANCE:
        raise LinkRefused(
            'Too many wrong codes come from this network just now. Write "link" here instead, and send me the'
            " code on the other network."
        )
