"""What makes thousands of tests with real databases quick: nothing is synced, and statements are compiled once."""

from __future__ import annotations

import sqlite3
from typing import Any

import sqlalchemy as sa

from core.database import Database

_ENGINES: dict[str, sa.Engine] = {}
_AT: dict[str, sa.URL] = {}


def database_at(url: str) -> Database:
    """A database with the engine of the one before, which has compiled most statements already.

    One at a time: the engine connects to where the latest was made.
    """
    database = Database(url)
    kind = database.url.drivername
    if kind not in _ENGINES:
        _ENGINES[kind] = database.engine

        @sa.event.listens_for(database.engine, "do_connect")
        def there(dialect: sa.Dialect, _record: object, args: list[Any], words: dict[str, Any]) -> None:
            args[:], new = dialect.create_connect_args(_AT[kind])
            words.update(new)

    _AT[kind] = database.url
    database.engine = _ENGINES[kind]
    return database


def unsynced(connection: Any, _record: object, _proxy: object) -> None:
    """Let SQLite in this process forget what a power cut would take; a hub that is started as a process keeps it."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("pragma synchronous = off")


def hasten(address: str) -> None:
    """Let a server of ours forget what a power cut would take; each test makes and drops a database of its own."""
    engine = Database(address).engine
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for durable in ("fsync", "full_page_writes", "synchronous_commit", "autovacuum"):
            connection.execute(sa.text(f"alter system set {durable} = off"))
        # Every database that is made is written to the log once: checkpoints would write it a second time.
        connection.execute(sa.text("alter system set max_wal_size = '2GB'"))
        connection.execute(sa.text("alter system set checkpoint_timeout = '1h'"))
        connection.execute(sa.text("select pg_reload_conf()"))
    engine.dispose()
