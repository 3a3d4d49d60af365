"""Examines a hub: what is well, what needs attention, what is broken, each with its remedy."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import sqlalchemy as sa
from sqlmodel import Session, col

from config import keys as key_file
from config.clock import SandboxClock
from config.commands.diagnosis import processing
from config.commands.diagnosis.findings import Finding
from config.commands.lending import unlent
from config.keys import WHAT_A_LOSS_MEANS
from config.networks.roster import SHORTEST, red
from config.parts import Parts
from config.payments.processor import hosted
from core.books import batches, invariants
from core.mail import inbox, outbox
from core.months.tables import Month, Statement
from core.people.tables import Account
from core.periods import month_end, month_name
from core.tables import Flattr, Like

_LATE = timedelta(minutes=10)


def examine(parts: Parts) -> list[Finding]:
    """Everything that can be seen without calling any platform."""
    with parts.db.reading() as tx:
        return [
            *_set_up(parts),
            *_connectors(parts),
            *_bots(tx, parts),
            *_mail(tx),
            *_people(tx),
            *_likes(tx, parts),
            *_months(tx, parts),
            *_books(tx, parts),
            *processing.examine(tx, parts),
        ]


def _set_up(parts: Parts) -> Iterator[Finding]:
    hub = parts.settings.hub
    yield Finding(
        what="database", state="well", text=f"{parts.db.url.render_as_string(hide_password=True)}, can be written"
    )
    path = key_file.path_in(hub.data_dir)
    if not path.exists():
        yield Finding(what="keys", state="well", text="given by the settings; there is no keys.json")
    elif key_file.open_to_others(path):
        mode = f"{path.stat().st_mode & 0o777:o}"
        yield Finding(
            what="keys", state="attention", text=f"others may read {path} (mode {mode})", remedy=f"chmod 600 {path}"
        )
    else:
        yield Finding(
            what="keys", state="well", text=f"{path}, readable by its owner only; back it up (else {WHAT_A_LOSS_MEANS})"
        )
    if isinstance(parts.clock, SandboxClock) and parts.clock.skipped:
        yield Finding(
            what="clock",
            state="note",
            text=f"skipped ahead to {parts.clock():%Y-%m-%d %H:%M} UTC in the sandbox",
            remedy="real books need a fresh hub.data_dir and database",
        )
    else:
        yield Finding(what="clock", state="well", text=f"{parts.clock():%Y-%m-%d %H:%M} UTC")
    if parts.gateway.pretend:
        cards = ", with test cards" if hosted(parts.gateway) is not None else ""
        yield Finding(what="money", state="note", text=f"payments: {parts.gateway.name}{cards}; no real money moves")
    else:
        yield Finding(what="money", state="well", text=f"payments: {parts.gateway.name}; the money is real")
    if not hub.public_url and not parts.sandbox:
        yield Finding(
            what="address",
            state="attention",
            text=f"platforms are told {hub.address}",
            remedy="set hub.public_url to the https address under which the hub is reached from outside",
        )
    elif not hub.is_loopback and hub.address.startswith("http://"):
        yield Finding(
            what="address",
            state="attention",
            text=f"{hub.address} is not encrypted",
            remedy="put a TLS proxy in front, listen on 127.0.0.1, set hub.public_url",
        )
    else:
        yield Finding(what="address", state="well", text=hub.address)


def _connectors(parts: Parts) -> Iterator[Finding]:
    for broken in parts.broken:
        yield Finding(what="connectors", state="broken", text=str(broken))
    on = [entry.connector.card.title for entry in parts.on.values()]
    if on:
        yield Finding(what="connectors", state="well", text=f"on: {', '.join(on)}")
    else:
        yield Finding(
            what="connectors", state="attention", text="none is on", remedy="set one up as below, or use the sandbox"
        )
    for name, entry in parts.entries.items():
        for action in entry.off_actions:
            yield Finding(
                what=name,
                state="attention",
                text=f"{action} are off: {entry.connector.card.title}'s terms forbid it",
                remedy=f'to run it at your own risk: accept_policy_risk = ["{name}.{action}"]',
            )
        for secret in entry.short_secrets:
            yield Finding(
                what=name,
                state="attention",
                text=f"connectors.{name}.{secret} has fewer than {SHORTEST} characters and can be guessed",
                remedy="copy all of it, or make a longer one (`openssl rand -hex 32`) and set it at the platform too",
            )
        for light in red(entry.connector):
            if entry.on and light.action not in entry.off_actions:
                yield Finding(
                    what=name, state="note", text=f"{light.action} run at your own risk: {light.clause} ({light.url})"
                )


def _bots(tx: Session, parts: Parts) -> Iterator[Finding]:
    for name in unlent(tx, parts):
        yield Finding(
            what=name,
            state="attention",
            text="nobody has signed in as the hub's bot there, so it can neither speak nor hear",
            remedy=f"`flattr sign-in {name}` while the hub runs",
        )


def _mail(tx: Session) -> Iterator[Finding]:
    letters, notes = inbox.counts(tx), outbox.counts(tx)
    if letters.dead:
        yield Finding(
            what="inbox",
            state="attention",
            text=f"{letters.dead} dead letters",
            remedy="`flattr inbox list --state dead`, then `flattr inbox replay` once their cause is mended",
        )
    else:
        yield Finding(what="inbox", state="well", text=f"{letters.done} done, {letters.waiting} waiting, none dead")
    if letters.unaccounted:
        yield Finding(what="inbox", state="broken", text=f"{letters.unaccounted} deliveries are in no known state")
    if notes.failed:
        yield Finding(
            what="outbox",
            state="attention",
            text=f"{notes.failed} notes could not be delivered",
            remedy="the people they were for see everything by asking the bot",
        )
    else:
        yield Finding(what="outbox", state="well", text=f"{notes.sent} sent, {notes.waiting} waiting, none failed")


def _people(tx: Session) -> Iterator[Finding]:
    lost = sa.select(sa.func.count()).select_from(Account).where(col(Account.needs_relink_at).is_not(None))
    if count := tx.execute(lost).scalar_one():
        yield Finding(
            what="accounts",
            state="attention",
            text=f"{count} accounts refuse the hub's access",
            remedy="their owners are told, and link them again",
        )


def _likes(tx: Session, parts: Parts) -> Iterator[Finding]:
    doubtful = (
        sa.select(col(Account.platform), sa.func.count())
        .select_from(Like)
        .join(Account, col(Account.id) == col(Like.account_id))
        .join(Flattr, col(Flattr.id) == col(Like.flattr_id))
        .join(Month, col(Month.id) == col(Flattr.month))
        .where(col(Like.doubtful), col(Month.stage).in_(("open", "review")))
        .group_by(col(Account.platform))
        .order_by(col(Account.platform))
    )
    for platform, count in tx.execute(doubtful).all():
        entry = parts.on.get(platform)
        asked = entry is not None and "current" in entry.connector.card.abilities
        yield Finding(
            what="likes",
            state="note",
            text=f"{count} likes on {entry.connector.card.title if entry else platform} are in doubt: like and unlike"
            " came too close together to be sure of their order",
            remedy="a running hub asks there every few minutes; without an answer before the month closes the order"
            " of receipt decides"
            if asked
            else "the order of receipt decides; their patrons see them in `list` before anything is charged",
        )


def _months(tx: Session, parts: Parts) -> Iterator[Finding]:
    now = parts.clock()
    overdue = []
    for month in tx.scalars(sa.select(Month).where(col(Month.stage) != "settled").order_by(col(Month.id))):
        waits = sa.select(sa.func.min(col(Statement.next_attempt_at))).where(
            col(Statement.month) == month.id, col(Statement.state) == "due"
        )
        due = {
            "open": month_end(month.id) + parts.rules.grace,
            "review": month.review_ends_at,
            "closed": month.closed_at,
            "collecting": tx.execute(waits).scalar_one() or month.closed_at,
        }[month.stage]
        if due is not None and now > due + _LATE:
            overdue.append(f"{month_name(month.id)} ({month.stage} since {due:%Y-%m-%d %H:%M})")
    if overdue:
        yield Finding(
            what="months",
            state="attention",
            text=f"overdue: {', '.join(overdue)}",
            remedy="a running hub catches up by itself; `flattr close` does it at once",
        )
    else:
        yield Finding(what="months", state="well", text="none is overdue")


def _books(tx: Session, parts: Parts) -> Iterator[Finding]:
    violations = [*map(str, invariants.broken(tx)), *batches.verify(tx, parts.keys.book, parts.rules.money)]
    for violation in violations:
        yield Finding(what="books", state="broken", text=violation, remedy="stop closing months; `flattr check`")
    if not violations:
        yield Finding(what="books", state="well", text=f"clean: {len(invariants.RULES)} rules hold")
