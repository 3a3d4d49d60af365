"""Settles likes whose order two clocks could not tell, by what their platform answers (money.md, "Order")."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session, col, select

from core import facts, likes, standing
from core.database import to_micros
from core.events import AccountRef, Liked, ThingRef, Unliked
from core.likes import Recorded
from core.months.tables import Month
from core.people import persons
from core.people.tables import Account
from core.rules import Rules
from core.tables import Flattr, Like, Thing, ThingName

CALM = timedelta(minutes=2)
"""How long nothing may have been heard of a like before it is asked about: platforms answer from memories too,
which are a minute behind, and a delivery that is still on its way may say it by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """A like to ask the platform about."""

    like_id: int
    """Our number of it."""
    by: AccountRef
    thing: ThingRef
    reaction: str
    platform_id: str | None
    """The platform's own id of the like, where it has one."""
    since: datetime | None
    """The latest beginning that the platform itself told; None where it tells no times."""


def waiting(tx: Session, platform: str, at: datetime, *, limit: int = 1_000) -> list[Doubt]:
    """The doubtful likes of a platform that can be asked about now, those of the month that closes first in front.

    Only of months that still take withdrawals: a closing waits for nobody, and what is in doubt then stays as the
    order of receipt has it.
    """
    before = to_micros(at - CALM)
    query = (
        select(Like, Account, Thing, ThingName)
        .join(Account, col(Account.id) == col(Like.account_id))
        .join(Flattr, col(Flattr.id) == col(Like.flattr_id))
        .join(Month, col(Month.id) == col(Flattr.month))
        .join(Thing, col(Thing.id) == col(Like.thing_id))
        .join(ThingName, (col(ThingName.thing_id) == col(Like.thing_id)) & (col(ThingName.platform) == platform))
        .where(col(Like.doubtful), col(Account.platform) == platform, col(Account.person_id).is_not(None))
        .where(col(Month.stage).in_(("open", "review")))
        .where(sa.func.coalesce(col(Like.liked_position), 0) < before)
        .where(sa.func.coalesce(col(Like.unliked_position), 0) < before)
        .order_by(col(Month.id), col(Like.id))
        .limit(limit)
    )
    return [
        Doubt(
            like_id=like.id or 0,
            by=persons.ref(account),
            thing=ThingRef(platform=name.platform, native_id=name.native_id, url=thing.url),
            reaction=like.reaction,
            platform_id=like.fact[1:] if like.fact.startswith("#") else None,
            since=like.latest_at if like.timed else None,
        )
        for like, account, thing, name in tx.exec(query).all()
    ]


def settle(
    tx: Session, rules: Rules, doubt: Doubt, *, liked: bool, since: datetime | None, asked_at: datetime
) -> Recorded:
    """The platform has answered: at ``asked_at`` (before the question went out) the like stood, ``since`` then, or not.

    Whatever was heard after the question is newer than the answer; then the doubt stays, to be asked about again.
    """
    account = persons.account_of(tx, doubt.by)
    if account is None or account.person_id is None:
        return Recorded.not_a_member
    persons.locked(tx, account.person_id)  # the person before their likes, as everybody does
    query = select(Like).where(Like.id == doubt.like_id).with_for_update()
    like = tx.exec(query.execution_options(populate_existing=True)).one_or_none()
    asked = to_micros(asked_at)
    if like is None or not like.doubtful or max(like.liked_position or 0, like.unliked_position or 0) >= asked:
        return Recorded.unchanged
    # The time of the question is the answer's place in the order, as that of receipt is a delivery's.
    event: Liked | Unliked
    if liked:
        event = Liked(
            by=doubt.by,
            thing=doubt.thing,
            author=None,
            at=since,
            reaction=doubt.reaction,
            like_id=doubt.platform_id,
            order=asked,
        )
    else:
        event = Unliked(by=doubt.by, thing=doubt.thing, reaction=doubt.reaction, like_id=doubt.platform_id, order=asked)
    if facts.fact(event) != like.fact:
        return Recorded.unchanged
    revived = liked and not like.standing and _revive(tx, like, since, asked)
    outcome = Recorded.counted if revived else likes.record(tx, rules, event, asked_at)
    like.doubtful = False
    tx.flush()
    return outcome


def _revive(tx: Session, like: Like, since: datetime | None, asked: int) -> bool:
    """Let the episode that was taken for ended stand as it did; False if a new one began or its month is over.

    A month under review takes only withdrawals: what turns out to stand then counts in the open one.
    """
    flattr = tx.get(Flattr, like.flattr_id) if like.flattr_id is not None else None
    if flattr is None or flattr.id is None:
        return False
    if since is not None and (like.latest_at is None or since > like.latest_at):
        return False
    if tx.get_one(Month, flattr.month, with_for_update={"read": True}, populate_existing=True).stage != "open":
        return False
    like.standing, like.liked_position = True, asked
    tx.flush()
    standing.restand(tx, [flattr.id])
    return True
