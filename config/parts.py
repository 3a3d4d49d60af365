"""The parts that the hub and every command stand on: database, rules, keys, connectors."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import sqlalchemy as sa
from sqlmodel import select

from bot.talk import PlatformFacts, Talk
from config import clock as clocks
from config import keys as key_file
from config.clock import Clock, SandboxClock
from config.complaints import Misconfigured, one_line
from config.keys import Keys
from config.money import keep_currency, rules_of
from config.networks.roster import Entry, found, muster
from config.payments.processor import check, gateway_of, keep_mode
from config.settings import Settings
from connectors import registry
from connectors.registry import Broken
from core.access.tables import Access
from core.database import Database, DatabaseUnavailable
from core.mail import inbox
from core.mail.sealing import Seal
from core.mail.tables import InboxItem
from core.payments.gateway import Gateway
from core.payments.sandbox import SandboxGateway
from core.people.tables import Decline
from core.rules import Rules
from pages.statements.picture import picture_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What is joined: everything but the running processes."""

    settings: Settings
    db: Database
    rules: Rules
    gateway: Gateway
    keys: Keys = field(repr=False)
    seal: Seal = field(repr=False)
    entries: Mapping[str, Entry]
    broken: tuple[Broken, ...]
    clock: Clock
    talk: Talk

    @property
    def sandbox(self) -> bool:
        """Whether the pretend networks are on."""
        return any(entry.on and entry.connector.card.pretend for entry in self.entries.values())

    @property
    def on(self) -> Mapping[str, Entry]:
        """The connectors that are on."""
        return {name: entry for name, entry in self.entries.items() if entry.on}

    @property
    def skips(self) -> bool:
        """Whether time can be skipped."""
        return isinstance(self.clock, SandboxClock)

    def skipping_clock(self) -> SandboxClock:
        """The sandbox's clock; Misconfigured where time is real."""
        if not isinstance(self.clock, SandboxClock):
            raise Misconfigured("time can be skipped in the sandbox only; this hub's books are about real time")
        return self.clock

    def close(self) -> None:
        """Close the database."""
        self.db.dispose()


def assemble(settings: Settings, *, clock: Clock | None = None) -> Parts:
    """Open the database (migrated to head) and make the parts; Misconfigured, DatabaseUnavailable.

    ``clock`` replaces the real or skipping one, for tests and the demo.
    """
    connectors, broken = found()
    # What is wrong in the settings is said before anything is made.
    mode = check(settings, rules_of(settings.money, pseudonym_key=b""))
    muster(settings, connectors, key_file.fresh())
    db = _open(settings)
    try:
        keys = key_file.load(settings.hub.data_dir, settings.keys, is_used=lambda: _is_used(db))
        entries = muster(settings, connectors, keys)
        rules = rules_of(settings.money, pseudonym_key=keys.pseudonym, countries=settings.stripe.countries)
        keep_currency(db, rules.money)
        keep_mode(db, mode)
        gateway = gateway_of(settings, db)
        sandbox = any(entry.on and entry.connector.card.pretend for entry in entries.values())
        return Parts(
            settings=settings,
            db=db,
            rules=rules,
            gateway=gateway,
            keys=keys,
            seal=Seal(keys.sealing, reload=key_file.reloading(settings.hub.data_dir, settings.keys)),
            entries=entries,
            broken=broken,
            clock=clock or clocks.choose(settings.hub.data_dir, sandbox=sandbox, follows=_follows(settings)),
            talk=_talk(rules, gateway, entries, settings.hub.address),
        )
    except BaseException:
        db.dispose()
        raise


def _follows(settings: Settings) -> bool:
    """Whether Stripe itself moves the money; one made for tests, at another address, may go by the hub's clock."""
    return settings.money.payments == "stripe" and not settings.stripe.api


def with_database(parts: Parts, db: Database) -> Parts:
    """The same parts over another database, its pretend processor included (for rehearsals)."""
    gateway = SandboxGateway(db)
    return dataclasses.replace(parts, db=db, gateway=gateway, talk=dataclasses.replace(parts.talk, gateway=gateway))


def _talk(rules: Rules, gateway: Gateway, entries: Mapping[str, Entry], address: str) -> Talk:
    on = {name: entry.connector for name, entry in entries.items() if entry.on}
    titles = {name: connector.card.title for name, connector in on.items()}
    return Talk(
        rules=rules,
        gateway=gateway,
        platforms={
            name: PlatformFacts(
                title=connector.card.title,
                speaks="messages" in connector.card.abilities,
                linking=entries[name].can("linking"),
                likes=entries[name].counts_likes,
                pages=entries[name].can("linking") and getattr(connector, "receives_separately", False),
            )
            for name, connector in on.items()
        },
        resolve=lambda url: registry.resolve(on, url),
        address=address,
        picture=partial(picture_of, money=rules.money, titles=titles, pretend=gateway.pretend),
    )


def _open(settings: Settings) -> Database:
    try:
        db = Database(settings.hub.database_url)
    except sa.exc.ArgumentError:
        raise Misconfigured(
            "hub.database is not a database's address; write it like sqlite:///var/hub.db or"
            " postgresql://user:password@host/name"
        ) from None
    try:
        db.migrate()
        with db.transaction() as tx:
            inbox.probe(tx, "the start", clocks.real())  # a file that may only be read is opened without a word
    except sa.exc.DatabaseError as error:
        db.dispose()
        reason = one_line(str(error.orig or error))
        shown = db.url.render_as_string(hide_password=True)
        raise DatabaseUnavailable(
            f"cannot write the database {shown}: {reason}; let the hub's user write it, or set hub.database"
        ) from None
    except DatabaseUnavailable:
        db.dispose()
        raise
    return db


def _is_used(db: Database) -> bool:
    with db.reading() as tx:
        return any(tx.exec(select(table).limit(1)).first() is not None for table in (InboxItem, Decline, Access))
