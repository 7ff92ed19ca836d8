"""Statements that a PostgreSQL session plans once: to plan them takes longer than to run them.

A driver that plans by itself what is sent often (psycopg 3) drops all plans of the session at its
next ROLLBACK, ours too; so it is told not to. What drops them all the same is noticed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from topchef_schema.backends.base import undisturbed
from topchef_schema.backends.postgresql_connection import passing_transaction

if TYPE_CHECKING:
    from sqlalchemy import Connection

PREFIX = "topchef_"

_FLUSH = f"""
SELECT pg_stat_force_next_flush(), string_agg(name, ' ')
FROM pg_catalog.pg_prepared_statements WHERE starts_with(name, '{PREFIX}')
"""

_SEND_SEVERAL = ("psycopg", "psycopg2")
"""Drivers that send several statements at once, and have an autocommit mode to switch to.

The second one gives the answer to the last of them alone.
"""


def _takes_autocommit(connection: Connection) -> bool:
    return connection.dialect.driver in _SEND_SEVERAL and not connection.dialect.is_async


@contextmanager
def in_autocommit(connection: Connection) -> Iterator[None]:
    """Let each statement be a transaction of its own, which spares BEGIN and ROLLBACK.

    Where the driver can be told to, and is in no transaction now.
    """
    driver: Any = connection.connection.driver_connection
    if not _takes_autocommit(connection) or driver.info.transaction_status:
        yield
        return
    before, driver.autocommit = driver.autocommit, True
    try:
        yield
    finally:
        driver.autocommit = before


@dataclass(frozen=True, slots=True)
class Statement:
    """What is planned once. The same *name* stands for the same *sql*, always.

    *types* are those of its parameters. *settings* is a statement that sets what this one is
    planned and sent with, until the end of the transaction.
    """

    name: str
    sql: str
    types: str = ""
    settings: Statement | None = None


@dataclass
class Planned:
    """What is planned in one session, as it was when it was last looked at."""

    _names: set[str] = field(default_factory=set)

    @contextmanager
    def look(self, connection: Connection) -> Iterator[Look]:
        """Let the server count what this session has written, and yield what asks for it then.

        Outside of a transaction, and in none afterwards.
        """
        driver: Any = connection.connection.driver_connection
        if connection.dialect.driver == _SEND_SEVERAL[0]:
            driver.prepare_threshold = None
        if _takes_autocommit(connection):
            with in_autocommit(connection), closing(driver.cursor()) as cursor:
                cursor.execute(_FLUSH)
                yield self._looking(cursor.fetchone(), connection, cursor)
        else:
            with undisturbed(connection):
                flushed = connection.exec_driver_sql(_FLUSH).one()
            with passing_transaction(connection):
                yield self._looking(flushed, connection)

    def _looking(self, flushed: Sequence[Any], connection: Connection, cursor: Any = None) -> Look:
        self._names = set((flushed[1] or "").split())
        return Look(self._names, connection, cursor)


@dataclass
class Look:
    """Asks what is planned, and plans it first; *names* are the statements that are planned.

    With *cursor*, the driver's, each question is a transaction of its own, which spares BEGIN and
    ROLLBACK; else all of them are in one.
    """

    names: set[str]
    connection: Connection
    cursor: Any

    def rows(self, statement: Statement, values: str = "") -> Sequence[Any]:
        """Return what *statement* gives for *values*, its parameters as SQL."""
        from sqlalchemy import text

        calls = list(self._calls(statement, values))
        if self.cursor is None:
            return [self.connection.execute(text(call)) for call in calls][-1].all()
        self.cursor.execute("; ".join(calls))
        if self.connection.dialect.driver == _SEND_SEVERAL[0]:
            while self.cursor.nextset():
                pass
        found: Sequence[Any] = self.cursor.fetchall()
        return found

    def _calls(self, statement: Statement, values: str = "") -> Iterator[str]:
        if statement.settings is not None:
            yield from self._calls(statement.settings)
        name = PREFIX + statement.name
        if name not in self.names:
            yield f"PREPARE {name} {statement.types} AS {statement.sql}"
            self.names.add(name)
        yield f"EXECUTE {name} {values}"
