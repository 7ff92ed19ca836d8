"""Looks at one database twice: at what is followed, and at all there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from topchef_schema.stages.contents import read, tables

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from topchef_schema.model import Snapshot
    from topchef_schema.stages.contents import Contents, Watch


def looked_at(watch: Watch, connection: Connection) -> tuple[Snapshot, Contents, Contents]:
    """Return the schema and the rows as *watch* follows them, and the rows as they are read."""
    watch.stale()
    schema = watch.following.schema(connection)
    rows = watch.now(connection, schema)
    connection.rollback()
    there = read(connection, schema, tables(schema))
    connection.rollback()
    return schema, rows, there
