"""The database: migrations, times, locks, and what it refuses."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import given
from hypothesis import strategies as st

from core.database import Busy, Database, DatabaseUnavailable, from_micros, insert_once, to_micros
from core.months.tables import Month
from core.people.tables import Person
from core.schema import metadata
from tests.hastening import unsynced


def test_the_migrations_make_exactly_the_tables_that_the_code_knows(db):
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, metadata) == []


def test_migrating_twice_changes_nothing(db):
    db.migrate()
    db.migrate()


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_comes_back_as_it_was_stored(moment: datetime):
    assert from_micros(to_micros(moment)) == moment


def test_a_time_of_another_zone_comes_back_as_the_same_instant(db):
    moment = datetime(2026, 11, 10, 1, tzinfo=timezone(timedelta(hours=9)))
    with db.transaction() as tx:
        tx.add(Person(created_at=moment))
    with db.reading() as tx:
        found = tx.exec(sa.select(Person.created_at)).scalar_one()
    assert found == moment
    assert found.tzinfo is UTC


def test_a_time_without_a_zone_is_refused(db):
    naive = datetime(2026, 1, 1)  # noqa: DTZ001 - what the test is about
    with pytest.raises(sa.exc.StatementError, match="aware UTC"), db.transaction() as tx:
        insert_once(tx, Person, {"created_at": naive})


async def test_the_core_refuses_to_run_on_the_event_loop(db):
    with pytest.raises(RuntimeError, match="to_thread"), db.transaction():
        pass
    with pytest.raises(RuntimeError, match="to_thread"), db.reading():
        pass

    def count() -> int:
        with db.reading() as tx:
            return int(tx.execute(sa.text("select count(*) from person")).scalar_one())

    assert await asyncio.to_thread(count) == 0


def test_a_row_is_inserted_once(db):
    with db.transaction() as tx:
        assert insert_once(tx, Month, {"id": 1, "stage": "open"})
        assert not insert_once(tx, Month, {"id": 1, "stage": "settled"})
        assert tx.get_one(Month, 1).stage == "open"


def test_what_is_changed_while_reading_is_not_kept(db):
    with db.reading() as tx:
        insert_once(tx, Month, {"id": 1, "stage": "open"})
    with db.reading() as tx:
        assert tx.get(Month, 1) is None


def test_a_lock_is_held_by_one_at_a_time_and_can_be_had_again(db):
    with db.exclusively("work"):
        with pytest.raises(Busy, match="busy with work"), db.exclusively("work"):
            pass
        with db.exclusively("other work"):
            pass
    with db.exclusively("work"):
        pass


def test_a_database_in_memory_is_refused():
    with pytest.raises(DatabaseUnavailable, match="forgets its money"):
        Database("sqlite://")


def test_a_database_that_cannot_be_opened_names_the_remedy(tmp_path: Path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(DatabaseUnavailable, match="check that the path exists"):
        Database(f"sqlite:///{tmp_path}/file/hub.db").migrate()


def test_a_database_of_a_newer_hub_is_left_alone(sqlite_db):
    with sqlite_db.transaction() as tx:
        tx.execute(sa.text("update alembic_version set version_num = '9999'"))
    with pytest.raises(DatabaseUnavailable, match="newer than this hub"):
        sqlite_db.migrate()


def test_sqlite_keeps_what_it_acknowledged_through_a_power_cut(sqlite_db):
    sa.event.remove(sa.pool.Pool, "checkout", unsynced)
    try:
        sqlite_db.dispose()
        with sqlite_db.reading() as tx:
            assert tx.execute(sa.text("pragma synchronous")).scalar_one() == 2, "FULL"
            assert tx.execute(sa.text("pragma journal_mode")).scalar_one() == "wal"
    finally:
        sa.event.listen(sa.pool.Pool, "checkout", unsynced)
