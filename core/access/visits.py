"""The ways to a platform's sign-in page and back, and to the hub's own personal pages: asked for by one account, short,
usable once.

The address token and the OAuth state are 32 random bytes each, of which a visit's row holds a hash only. (The message
with the address is in the outbox until it is purged; after ten minutes, or once used, it is worth nothing.)
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session, col, select

from core.access.tables import Visit
from core.events import AccountRef
from core.people import persons

LIFE = timedelta(minutes=10)
STAY = timedelta(minutes=30)
"""How long the browser that opened a personal page may look at it."""
OWN = "hub:"
"""How the hub's own pages are called where networks have their names."""
MOST = 20
"""Visits that one account may ask for within an hour."""
_HOUR = timedelta(hours=1)


class VisitRefused(Exception):
    """This way is closed; the text is a sentence for the person and says what to do."""


def new_secret() -> str:
    """32 random bytes as an address carries them: a state, a session."""
    return secrets.token_urlsafe(32)


def begin(
    tx: Session, *, by: AccountRef | None, platform: str, intent: str, at: datetime, life: timedelta = LIFE
) -> str:
    """The token for a personal address; ``by``: who asked (None: the operator).

    ``platform``: a network's name, or ``hub:PAGE`` for a page of the hub's own, where PAGE is the word to write for a
    new address. What the same account asked for there before ends. VisitRefused for who asks too often.
    """
    asker = None
    if by is not None:
        # Locked, so that many at once cannot slip past the limit.
        asker = persons.key(persons.locked_account(tx, persons.key(persons.ensure_account(tx, by))))
        recent = sa.select(sa.func.count()).where(col(Visit.account_id) == asker, col(Visit.created_at) > at - _HOUR)
        if tx.execute(recent.select_from(Visit)).scalar_one() >= MOST:
            raise VisitRefused("You asked for too many addresses. Wait an hour, then ask for a new one.")
    asked = col(Visit.account_id).is_(None) if asker is None else col(Visit.account_id) == asker
    older = sa.update(Visit).where(asked, col(Visit.platform) == platform, col(Visit.expires_at) > at)
    tx.execute(older.values(expires_at=at).execution_options(synchronize_session="fetch"))
    token = new_secret()
    visit = Visit(
        token_hash=_hashed(token),
        account_id=asker,
        platform=platform,
        intent=intent,
        created_at=at,
        expires_at=at + life,
    )
    tx.add(visit)
    tx.flush()
    _clear_away(tx, at - _HOUR)
    return token


def look(tx: Session, token: str, at: datetime, *, session: str = "") -> Visit | None:
    """The visit to which an address belongs, if somebody may set out on it now; looking uses nothing up.

    ``session``: the browser that looks. The one that has entered already may go back to the address for its while.
    """
    visit = _of_token(tx, token)
    if visit is None or _may_stay(visit, session, at):
        return visit
    return visit if visit.used_at is None and at < visit.expires_at else None


def depart(tx: Session, token: str, *, state: str, kept: bytes, session: str, at: datetime) -> None:
    """Note that a browser sets out: with which state it must come back, and what the connector needs then (sealed).

    Again, until it has arrived (the person pressed back): the earlier state is worth nothing then. VisitRefused for
    an address that is unknown, too old, used, or was opened by another browser.
    """
    visit = _of_token(tx, token, lock=True)
    if visit is None:
        raise VisitRefused(f"This address is not known. {_remedy(None)}")
    _check_open(visit, at)
    if visit.session_hash is not None and not _is_hash_of(visit.session_hash, session):
        raise VisitRefused(f"This address was opened in another browser: go on there. {_remedy(visit)}")
    visit.state_hash, visit.session_hash, visit.kept = _hashed(state), _hashed(session), kept
    tx.flush()


def arrive(tx: Session, *, platform: str, state: str, session: str, at: datetime) -> Visit:
    """The visit that ends with this call-back, with what was kept for it; nobody arrives on it again.

    To be committed before the platform is asked. VisitRefused for a state that is unknown, too old, used, another
    platform's, or not this browser's; only what is the right browser's own is used up.
    """
    tx.flush()
    query = select(Visit).where(Visit.state_hash == _hashed(state)).with_for_update()
    visit = tx.exec(query.execution_options(populate_existing=True)).one_or_none()
    if visit is None or visit.platform != platform:
        raise VisitRefused(f"This sign-in is not one that was begun here. {_remedy(None, platform)}")
    if visit.session_hash is None or not _is_hash_of(visit.session_hash, session):
        raise VisitRefused(f"This sign-in was begun in another browser: go on there. {_remedy(visit)}")
    _check_open(visit, at)
    visit.used_at = at
    tx.flush()
    tx.expunge(visit)  # the caller gets what was kept, the row is left without it
    tx.execute(sa.update(Visit).where(col(Visit.id) == visit.id).values(kept=None))
    return visit


def enter(tx: Session, token: str, *, session: str, at: datetime) -> Visit:
    """Use an address of the hub's own pages up: from now on only this browser sees what it leads to, for a while.

    Again in the same browser (the person pressed twice, or back): nothing changes, and its while is not longer.
    VisitRefused for an address that is unknown, too old, or used. Called when a person presses a button, never for
    merely loading a page: networks load the addresses in messages to show what is behind them.
    """
    visit = _of_token(tx, token, lock=True)
    if visit is None:
        raise VisitRefused(f"This address is not known. {_remedy(None)}")
    if _may_stay(visit, session, at):
        return visit
    _check_open(visit, at)
    visit.session_hash, visit.used_at = _hashed(session), at
    tx.flush()
    return visit


def inside(tx: Session, *, platform: str, session: str, at: datetime) -> Visit | None:
    """The latest visit to a page of the hub's own that this browser entered and may still look at."""
    query = (
        select(Visit)
        .where(Visit.session_hash == _hashed(session), Visit.platform == platform, col(Visit.used_at) > at - STAY)
        .order_by(col(Visit.id).desc())
        .limit(1)
    )
    return tx.exec(query).first()


def _clear_away(tx: Session, before: datetime) -> None:
    """Delete what is over for long; what another transaction is about to change is left for the next time."""
    over = sa.select(col(Visit.id)).where(col(Visit.expires_at) < before).with_for_update(skip_locked=True)
    tx.execute(sa.delete(Visit).where(col(Visit.id).in_(over)).execution_options(synchronize_session="fetch"))


def _of_token(tx: Session, token: str, *, lock: bool = False) -> Visit | None:
    query = select(Visit).where(Visit.token_hash == _hashed(token))
    if lock:
        query = query.with_for_update()
    return tx.exec(query.execution_options(populate_existing=True)).one_or_none()


def _may_stay(visit: Visit, session: str, at: datetime) -> bool:
    """Whether this browser has entered on one of the hub's own pages, and its while is not over."""
    if visit.session_hash is None or visit.used_at is None or not visit.platform.startswith(OWN):
        return False
    return at - visit.used_at < STAY and _is_hash_of(visit.session_hash, session)


def _check_open(visit: Visit, at: datetime) -> None:
    if visit.used_at is not None:
        raise VisitRefused(f"This address was used already. {_remedy(visit)}")
    if at >= visit.expires_at:
        raise VisitRefused(f"This address is too old. {_remedy(visit)}")


def _remedy(visit: Visit | None, platform: str = "") -> str:
    if visit is not None and visit.account_id is None:
        return f'Run "flattr sign-in {visit.platform}" for a new one.'
    name = visit.platform if visit is not None else platform
    if name.startswith(OWN):
        return f'Write "{name.removeprefix(OWN)}" to the bot for a new one.'
    return f'Write "link {name}" to the bot for a new one.' if name else "Write to the bot for a new one."


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _is_hash_of(hashed: str, secret: str) -> bool:
    return hmac.compare_digest(hashed, _hashed(secret))
