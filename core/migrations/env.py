"""Runs migrations on the connection that `core.database.Database.migrate` hands over."""

from typing import Any, Literal

from alembic import context

from core.database import Instant
from core.schema import metadata


def _render(kind: str, value: Any, _context: Any) -> str | Literal[False]:
    """Write the types that are not SQLAlchemy's own as what they are in a database."""
    if kind == "type" and isinstance(value, Instant):
        return "database.Instant()"
    if kind == "type" and type(value).__name__ == "AutoString":
        return "sa.String()"
    return False


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    render_item=_render,
    compare_type=lambda *_: False,
)
with context.begin_transaction():
    context.run_migrations()
