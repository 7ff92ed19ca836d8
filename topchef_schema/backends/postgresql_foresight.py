"""What PostgreSQL can tell of work before it is done: rows by its statistics, and in time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from topchef_schema.backends.postgresql_connection import passing_transaction
from topchef_schema.model import TableName

if TYPE_CHECKING:
    from sqlalchemy import Connection

# https://www.postgresql.org/docs/current/catalog-pg-class.html: reltuples is negative (0 before
# version 14, with no pages) as long as the table was never vacuumed or analyzed.
_TABLES = """
SELECT n.nspname, c.relname, pg_catalog.pg_table_is_visible(c.oid),
  CASE WHEN c.reltuples < 0 OR (c.reltuples = 0 AND c.relpages = 0) THEN NULL
    ELSE c.reltuples::bigint END
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND n.nspname NOT LIKE 'pg\\_temp\\_%' AND n.nspname NOT LIKE 'pg\\_toast%'
ORDER BY 1, 2
"""


class PostgreSQLForesight:
    """See `topchef_schema.backends.base.Foresight`."""

    def tables(self, connection: Connection) -> Mapping[TableName, int | None]:
        """Return the tables of all schemas, with what the last ANALYZE or VACUUM has counted."""
        from sqlalchemy import text

        found: dict[TableName, int | None] = {}
        with passing_transaction(connection):
            for schema, name, visible, rows in connection.execute(text(_TABLES)):
                found[TableName(name, schema)] = rows
                if visible:
                    found[TableName(name)] = rows
        return found

    @contextmanager
    def time_limit(self, connection: Connection, seconds: float) -> Iterator[Connection]:
        """Set the server's own limit in a transaction that passes."""
        with passing_transaction(connection):
            # Rows that a policy hides are an error then, not missing.
            connection.exec_driver_sql("SET LOCAL row_security = off")
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {int(seconds * 1000)}")
            yield connection
