"""Runs real code and takes everything back: what `flattr close --dry-run` stands on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import sqlalchemy as sa
from sqlmodel import Session

from core.database import Database


class Rehearsal(Database):
    """A database whose transactions all lie within one that is rolled back in the end.

    While it is open nobody else can write (SQLite) what it has written; a running hub waits those seconds.
    The lock of the months is really taken, so a rehearsal and a real closing never meet.
    """

    def __init__(self, real: Database, connection: sa.Connection) -> None:
        self.url = real.url
        self.is_sqlite = real.is_sqlite
        self.engine = real.engine
        self._connection = connection

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Session]:
        """A transaction within the one that is taken back; committed and rolled back as a real one."""
        with self._session() as session, session.begin():
            yield session

    @contextlib.contextmanager
    def reading(self, *, writable: bool = False) -> Iterator[Session]:
        """What has been rehearsed so far."""
        with self._session() as session:
            yield session
            session.expunge_all()
            session.rollback()

    def _session(self) -> Session:
        return Session(bind=self._connection, expire_on_commit=False, join_transaction_mode="create_savepoint")


@contextlib.contextmanager
def rehearsing(database: Database) -> Iterator[Rehearsal]:
    """A copy of the database's state to try things on; nothing of it is kept."""
    with database.engine.connect() as connection, connection.begin() as outermost:
        try:
            yield Rehearsal(database, connection)
        finally:
            outermost.rollback()
