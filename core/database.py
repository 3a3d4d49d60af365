"""The one way to the database: synchronous transactions that are durable when they return."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.types import TypeDecorator
from sqlmodel import Session, SQLModel

# Constraints with names can be changed by a later migration on every database.
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Instant(TypeDecorator[datetime]):
    """An aware UTC time, kept as whole microseconds since 1970: exact, sortable, the same on every database."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:
        """Aware times only: a naive one is a bug, and is refused rather than guessed at."""
        return None if value is None else to_micros(value)

    def process_result_value(self, value: int | None, dialect: sa.Dialect) -> datetime | None:
        """Back to an aware time."""
        return None if value is None else from_micros(value)


def insert_once(tx: Session, table: type[SQLModel], values: dict[str, Any]) -> bool:
    """Insert a row unless one with its key is there; True if it was new. Two processes may meet here."""
    build = sqlite.insert if _is_sqlite(tx) else postgresql.insert
    # RETURNING, because the row count of an insert gets lost on its way from PostgreSQL's driver.
    statement: sa.Executable = build(table).values(**values).on_conflict_do_nothing().returning(sa.literal_column("1"))
    return tx.execute(statement).first() is not None


def execute_many(tx: Session, sql: str, rows: list[tuple[Any, ...]]) -> None:
    """One statement (its places marked by ?) for many rows, handed to the driver as it is.

    For the few places where a hundred thousand rows at once make SQLAlchemy's own work on each of them show.
    """
    tx.connection().exec_driver_sql(sql if _is_sqlite(tx) else sql.replace("?", "%s"), rows)


def take_turns(tx: Session, name: str) -> None:
    """Until this transaction ends, let no other one pass here with the same name (SQLite has one writer anyway)."""
    if not _is_sqlite(tx):
        tx.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(name, 0))))


def _is_sqlite(tx: Session) -> bool:
    return tx.get_bind().dialect.name == "sqlite"


def to_micros(at: datetime) -> int:
    """Microseconds since 1970 of an aware time (what `Instant` stores; for SQL written by hand)."""
    if at.tzinfo is None:
        raise ValueError("a time without a zone cannot be stored; pass aware UTC")
    return (at - _EPOCH) // _MICROSECOND


def from_micros(value: int) -> datetime:
    """The inverse of `to_micros`."""
    return _EPOCH + value * _MICROSECOND


Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""A 64-bit key; SQLite numbers rows by itself only under the name INTEGER."""


class DatabaseUnavailable(Exception):
    """The database cannot be opened or written; the message names the remedy."""


class Busy(Exception):
    """Another process holds the named lock."""


class Database:
    """A database by its SQLAlchemy URL (``sqlite:///path`` or ``postgresql+psycopg://...``).

    SQLite runs with a write-ahead log and ``synchronous=FULL``: with NORMAL a power cut loses rows whose
    delivery was already answered (reliability.md, R1).
    """

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        if parsed.drivername in ("postgresql", "postgres"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        self.url = parsed
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        options: dict[str, Any] = {}
        if self.is_sqlite:
            if parsed.database in (None, "", ":memory:"):
                raise DatabaseUnavailable("the hub needs a database file; an in-memory one forgets its money")
            options = {"connect_args": {"timeout": 30, "check_same_thread": False}, "pool_size": 8}
        elif parsed.get_backend_name() != "postgresql":
            raise DatabaseUnavailable(
                f"the hub works on SQLite and PostgreSQL, not on {parsed.get_backend_name()}; set hub.database to"
                " sqlite:///var/hub.db or postgresql://user:password@host/name"
            )
        try:
            self.engine = sa.create_engine(parsed, **options)
        except ModuleNotFoundError as missing:
            raise DatabaseUnavailable(
                f"the database URL needs the package {missing.name}; install flattr-hub[postgres]"
            ) from missing
        if self.is_sqlite:
            sa.event.listen(self.engine, "connect", _prepare_sqlite)
            sa.event.listen(self.engine, "begin", _begin_sqlite)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Session]:
        """A transaction that writes: committed (and fsynced) on leaving, rolled back on an exception.

        Refuses to run on an event loop: call through ``asyncio.to_thread``.
        """
        _not_on_a_loop()
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextlib.contextmanager
    def reading(self, *, writable: bool = False) -> Iterator[Session]:
        """A consistent view that takes no write lock; what is changed in it is rolled back.

        ``writable``: for rehearsals, which change much and keep nothing; takes the lock meanwhile.
        """
        _not_on_a_loop()
        engine = self.engine.execution_options(flattr_reading=not writable)
        with Session(engine, expire_on_commit=False) as session:
            yield session
            session.expunge_all()  # what was read stays readable after the rollback
            session.rollback()

    @contextlib.contextmanager
    def exclusively(self, name: str) -> Iterator[None]:
        """Hold a lock that one process at a time can have and that dies with its process.

        Raises Busy if somebody else has it: a lease with a time-out would make a killed hub wait for itself.
        """
        _not_on_a_loop()
        if self.is_sqlite:
            path = Path(f"{self.url.database}.{name}.lock")
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(handle)
                raise Busy(f"another process is busy with {name}; try again when it is done") from None
            try:
                yield
            finally:
                os.close(handle)
            return
        with self.engine.connect() as connection:
            key = sa.func.hashtextextended(f"flattr:{name}", 0)
            if not connection.execute(sa.select(sa.func.pg_try_advisory_lock(key))).scalar():
                raise Busy(f"another process is busy with {name}; try again when it is done")
            try:
                yield
            finally:
                connection.execute(sa.select(sa.func.pg_advisory_unlock(key)))
                connection.commit()

    def migrate(self) -> None:
        """Bring the schema to this version (alembic, to head); DatabaseUnavailable names the remedy."""
        _not_on_a_loop()
        try:
            if self.is_sqlite and self.url.database and not self.url.database.startswith("file:"):
                file = Path(self.url.database)
                file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                if not file.exists():
                    file.touch(mode=0o600)  # SQLite gives the files beside it the same mode
            with self.engine.connect() as connection:
                # A reader's connection is enough to ask; alembic begins its own transaction to change.
                known = {script.revision for script in ScriptDirectory.from_config(_alembic()).walk_revisions()}
                if sa.inspect(connection).has_table("alembic_version"):
                    here = set(connection.execute(sa.text("select version_num from alembic_version")).scalars())
                    if here - known:
                        raise DatabaseUnavailable(
                            f"the database is at version {', '.join(sorted(here - known))}, which is newer than"
                            " this hub; install the newer hub again or restore an older backup"
                        )
                connection.rollback()
                config = _alembic()
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
                connection.commit()
        except (sa.exc.DatabaseError, OSError) as error:
            reason = getattr(error, "orig", None) or error
            raise DatabaseUnavailable(
                f"cannot open the database {self.url.render_as_string(hide_password=True)}: {reason}; "
                + self._remedy(reason)
            ) from error

    def _remedy(self, reason: object) -> str:
        if not self.is_sqlite:
            return "check that the server runs and that it knows this user, password and database, or set hub.database"
        if getattr(reason, "sqlite_errorcode", 0) & 0xFF in _SQLITE_DAMAGED:
            return "restore it from your backup, or set hub.database to another file"
        return "check that the path exists and may be written, or set hub.database"

    def dispose(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


_SQLITE_AWAY = frozenset({5, 6, 7, 8, 9, 10, 13, 14, 15, 26})
"""busy, locked, no memory, read only, interrupted, input or output, full, cannot open, protocol, no database."""
_SQLITE_DAMAGED = frozenset({11, 26})
"""corrupt, no database."""
_POSTGRES_AWAY = ("08", "40", "53", "55", "57", "58")
"""Classes of connection, rollback, resources, not ready, operator's intervention and system errors."""


def is_away(error: BaseException) -> bool:
    """Whether an error means that the database cannot work now, so that the same may succeed later.

    Anything else that a statement raises is a bug or a bad value, and will fail again.
    """
    if isinstance(error, DatabaseUnavailable | sa.exc.TimeoutError | OSError):
        return True
    if isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated:
        return True
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    code = getattr(cause, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in _SQLITE_AWAY
    state = getattr(cause, "sqlstate", None)
    if state is not None:
        return str(state).startswith(_POSTGRES_AWAY)
    return isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError)


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def _not_on_a_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError("the core is synchronous; call it through asyncio.to_thread, not on the event loop")


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin behind our back
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "temp_store=MEMORY",
        "cache_size=-65536",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    # IMMEDIATE takes the write lock at once: a deferred transaction that reads first and writes later can fail
    # half-way with "database is locked", whatever the time-out.
    reading = connection.get_execution_options().get("flattr_reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
