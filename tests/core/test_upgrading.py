"""A hub's database of an earlier version, with a year's money in it, becomes one of this version."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import command

from core.database import Database, _alembic
from core.schema import metadata


def _downgrade(db: Database, revision: str) -> None:
    with db.engine.connect() as connection:
        config = _alembic()
        config.attributes["connection"] = connection
        command.downgrade(config, revision)
        connection.commit()


def _rows(db: Database) -> dict[str, list[tuple[object, ...]]]:
    with db.engine.connect() as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(sa.select(table)).all()), key=repr)
            for table in metadata.sorted_tables
        }


def test_likes_flattrs_and_shares_come_through_every_upgrade(scene):
    scene.patron("ada")
    scene.creator("maker")
    for thing in ("one", "two"):
        scene.like("ada", thing)
    scene.close_month()
    scene.like("ada", "three")
    before = _rows(scene.db)
    assert before["share"]
    assert len(before["likes"]) == 3

    _downgrade(scene.db, "0001")
    columns = {each["name"] for each in sa.inspect(scene.db.engine).get_columns("flattr")}
    assert "held" not in columns
    scene.db.migrate()

    assert _rows(scene.db) == before
