"""What MySQL and MariaDB can tell of work before it is done: rows by their statistics, in time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from topchef_schema.backends.base import undisturbed
from topchef_schema.backends.mysql_protocol import one
from topchef_schema.model import TableName

if TYPE_CHECKING:
    from sqlalchemy import Connection

_TABLES = """
SELECT table_schema, table_name, table_rows FROM information_schema.tables
WHERE table_schema = database() AND table_type = 'BASE TABLE' ORDER BY 2
"""


def tables(connection: Connection) -> Mapping[TableName, int | None]:
    """Return the tables of the database, with what the storage engine guesses."""
    found: dict[TableName, int | None] = {}
    with undisturbed(connection):
        for schema, name, rows in connection.exec_driver_sql(_TABLES):
            guessed = None if rows is None else int(rows)
            found[TableName(name, schema)] = found[TableName(name)] = guessed
    return found


@contextmanager
def limited(connection: Connection, variable: str, value: str) -> Iterator[Connection]:
    """Set a variable of the session, and set it back."""
    (before,) = one(connection, f"SELECT @@SESSION.{variable}")
    with undisturbed(connection):
        connection.exec_driver_sql(f"SET SESSION {variable} = {value}")
        try:
            yield connection
        finally:
            connection.exec_driver_sql(f"SET SESSION {variable} = {before}")


class MariaDBForesight:
    """See `topchef_schema.backends.base.Foresight`."""

    def tables(self, connection: Connection) -> Mapping[TableName, int | None]:
        """Return the tables of the database."""
        return tables(connection)

    @contextmanager
    def time_limit(self, connection: Connection, seconds: float) -> Iterator[Connection]:
        """Set the limit of any statement: https://mariadb.com/kb/en/aborting-statements/."""
        with limited(connection, "max_statement_time", f"{seconds:g}"):
            yield connection


class MySQLForesight:
    """See `topchef_schema.backends.base.Foresight`."""

    def tables(self, connection: Connection) -> Mapping[TableName, int | None]:
        """Return the tables of the database, with what is true now: the server keeps it a day."""
        with limited(connection, "information_schema_stats_expiry", "0"):
            return tables(connection)

    @contextmanager
    def time_limit(self, connection: Connection, seconds: float) -> Iterator[Connection]:
        """Set the limit of a SELECT, in milliseconds."""
        with limited(connection, "max_execution_time", str(int(seconds * 1000))):
            yield connection
