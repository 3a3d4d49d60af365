"""Which reports are about the same like, the row that keeps it, and when two clocks cannot order them."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlmodel import Session, select

from core import reactions, things
from core.database import insert_once, to_micros
from core.events import LIKE, Liked, Unliked
from core.people.tables import Account
from core.tables import Like

DOUBT = timedelta(minutes=5)
"""Deliveries that come closer together than this may have overtaken each other."""


def fact(event: Liked | Unliked) -> str:
    """What makes two reports the same like of this account: the platform's record id, or thing and reaction."""
    if event.like_id is not None:
        return f"#{event.like_id}"
    if event.thing is None:
        raise ValueError("an unlike names its thing or the platform's like id; this one names neither")
    return f"{event.thing.platform}:{event.thing.native_id}|{reactions.plain(event.reaction)}"


def find(tx: Session, account: Account, event: Liked | Unliked) -> Like | None:
    """The row of this like, for this transaction alone; None if it was never heard of."""
    query = select(Like).where(Like.account_id == account.id, Like.fact == fact(event))
    return tx.exec(query.with_for_update()).one_or_none()


def insert(tx: Session, account: Account, event: Liked | Unliked) -> Like:
    """An empty row for a like; two processes that meet here end with the same one."""
    thing = things.find(tx, event.thing) if event.thing else None
    values = {
        "account_id": account.id,
        "fact": fact(event),
        "thing_id": thing.id if thing else None,
        "reaction": reactions.plain(event.reaction) if event.reaction != LIKE else LIKE,
        "standing": False,
        "timed": False,
        "doubtful": False,
    }
    insert_once(tx, Like, values)
    like = find(tx, account, event)
    assert like is not None
    return like


def heard_before(like: Like, event: Liked, at: datetime) -> bool:
    """Whether this is a report of an episode already known: the platform gives it the same time, or an older one.

    So a replay and a list read again keep the time of first receipt, though they come after the unlike.
    """
    if event.order is not None or event.at is None:
        return False
    return like.timed and like.latest_at is not None and at <= like.latest_at


def in_doubt(like: Like, event: Liked | Unliked, at: datetime) -> bool:
    """Whether the order of receipt may not be the order of acts; then the platform has to be asked.

    Only where the platform times its likes and not its unlikes: a like that is older than an unlike known before it,
    or an unlike minutes after a like, whose deliveries may have overtaken each other. ``at``: the like's own time,
    or the time of receipt of an unlike.
    """
    if event.order is not None:
        return False
    if isinstance(event, Liked):
        return event.at is not None and like.unliked_position is not None and to_micros(at) < like.unliked_position
    if not like.timed or like.liked_position is None:
        return False
    return to_micros(at) - like.liked_position < DOUBT / timedelta(microseconds=1)
