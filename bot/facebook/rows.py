"""What the database knows of Facebook's Pages and people; each function that opens a transaction is for a thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session, col, select

from connectors import facebook
from connectors.facebook import Facebook, Post
from core import likes, things, uniting
from core.access.tables import Access
from core.database import Database, to_micros
from core.events import AccountRef, Gone, Seen
from core.listings import reactors
from core.listings.reactors import Remembered, Settled, Shown
from core.listings.tables import Feed
from core.mail import outbox
from core.months.tables import Month
from core.people import linking, persons
from core.people.linking import LinkRefused
from core.people.tables import Account
from core.rules import Rules
from core.tables import Flattr, Like, ThingName

_APP = "app:"


def connected(db: Database) -> list[str]:
    """The Pages that gave us access which has not ended."""
    query = (
        select(Account.account_id)
        .join(Access, col(Access.account_id) == col(Account.id))
        .where(Account.platform == facebook.PLATFORM, col(Account.needs_relink_at).is_(None))
        .where(col(Access.ended_at).is_(None))
        .order_by(col(Account.id))
    )
    with db.reading() as tx:
        return [account_id for account_id in tx.exec(query).all() if account_id.isdigit()]


def signed_in(db: Database) -> list[tuple[str, datetime]]:
    """The members who signed in, by their ids in our app, and since when."""
    query = (
        select(Account.account_id, Account.linked_at)
        .where(Account.platform == facebook.PLATFORM, col(Account.account_id).startswith(_APP))
        .where(col(Account.person_id).is_not(None), col(Account.linked_at).is_not(None))
        .order_by(col(Account.id))
    )
    with db.reading() as tx:
        return [(name.removeprefix(_APP), at) for name, at in tx.exec(query).all() if at is not None]


def hurry(db: Database, since: datetime, at: datetime) -> datetime:
    """Let the Pages be looked at now if somebody signed in after ``since``; when the last one did."""
    latest = max((linked_at for _, linked_at in signed_in(db)), default=since)
    if latest <= since:
        return since
    with db.transaction() as tx:
        tx.execute(
            sa.update(Feed)
            .where(col(Feed.platform) == facebook.PLATFORM, col(Feed.name).startswith("page:"))
            .where(col(Feed.next_at) > at)
            .values(next_at=at)
        )
    return latest


def bind(db: Database, rules: Rules, asid: str, person: AccountRef, at: datetime) -> bool:
    """Make the id under which a Page sees somebody theirs, since now; False if it stays as it is, another's."""
    with db.transaction() as tx:
        owner = persons.account_of(tx, facebook.user(asid))
        if owner is None or owner.person_id is None:
            return False
        known = persons.account_of(tx, person)
        if known is not None and known.person_id is not None:
            return persons.root_id(tx, known.person_id) == persons.root_id(tx, owner.person_id)
        try:
            linking.bind(tx, person, person_id=owner.person_id, since=at, actor=facebook.PLATFORM, at=at, rules=rules)
        except LinkRefused:
            return False
        return True


def standing_posts(db: Database, page_id: str) -> list[str]:
    """The posts that members like, as a Page sees them, in months that still take withdrawals."""
    query = (
        select(ThingName.native_id)
        .join(Like, col(Like.thing_id) == col(ThingName.thing_id))
        .join(Account, col(Account.id) == col(Like.account_id))
        .join(Flattr, col(Flattr.id) == col(Like.flattr_id))
        .join(Month, col(Month.id) == col(Flattr.month))
        .where(ThingName.platform == facebook.PLATFORM, col(Like.standing), Account.platform == facebook.PLATFORM)
        .where(col(Account.account_id).startswith(f"{page_id}:"), col(Month.stage).in_(("open", "review")))
        .distinct()
    )
    with db.reading() as tx:
        return [native_id for native_id in tx.exec(query).all() if not native_id.startswith("page:")]


def settle(
    tx: Session, rules: Rules, page_id: str, shown: Sequence[Shown], before: Mapping[str, Remembered]
) -> Settled:
    """Record what a Page's lists say of its members."""
    here = reactors.members(tx, facebook.PLATFORM, f"{page_id}:")
    return reactors.settle(tx, rules, here, shown, before)


def tell_gone(tx: Session, rules: Rules, posts: Sequence[str], at: datetime) -> None:
    """Note that posts are gone: what they earned stays earned."""
    for post_id in posts:
        likes.record(tx, rules, Gone(thing=facebook.post(post_id)), at)


def describe(tx: Session, rules: Rules, connector: Facebook, page_id: str, posts: Sequence[Post], at: datetime) -> None:
    """Make the addresses that people gave one with the posts that they lead to, and tell known posts' titles."""
    page = facebook.page(page_id)
    for post in posts:
        thing = facebook.post(post.post_id, title=post.title, tags=post.tags)
        named = connector.resolve(post.address) if post.address is not None else None
        if named is not None and named[0].platform == uniting.WEB and things.find(tx, named[0]) is not None:
            uniting.unite(tx, rules, named[0], thing, page)
        if things.find(tx, thing) is not None:
            likes.record(tx, rules, Seen(thing=thing, author=page), at)


def remind(tx: Session, at: datetime, ahead: timedelta) -> int:
    """Tell people whose sign-in ends soon that they should renew it, once for each; how many were told."""
    query = (
        select(Account, Access.expires_at)
        .join(Access, col(Access.account_id) == col(Account.id))
        .where(Account.platform == facebook.PLATFORM, col(Account.account_id).startswith(_APP))
        .where(col(Account.person_id).is_not(None), col(Access.ended_at).is_(None))
        .where(col(Access.expires_at) > at, col(Access.expires_at) <= at + ahead)
    )
    told = 0
    for account, ends_at in tx.exec(query).all():
        if ends_at is None:
            continue
        text = (
            f"Your sign-in at Facebook{f' as {account.handle}' if account.handle else ''} ends on"
            f' {ends_at:%-d %B}. Write "link facebook" and sign in again before then, so that your Pages and your'
            " likes stay connected."
        )
        source = f"ends:{account.id}:{to_micros(ends_at)}"
        told += outbox.put(tx, kind="relink", source=source, at=at, person_id=account.person_id, text=text)
    return told
