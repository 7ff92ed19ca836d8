"""Statements that a PostgreSQL session plans once: to plan them takes longer than to run them.

A driver that plans by itself what is sent often (psycopg 3) drops all plans of the session at its
next ROLLBACK, ours too; so it is told not to. What drops them all the same is noticed.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from topchef_schema.backends.base import asked_beside, undisturbed

if TYPE_CHECKING:
    from sqlalchemy import Connection

PREFIX = "topchef_"

_FLUSH = f"""
SELECT pg_stat_force_next_flush(), string_agg(name, ' ')
FROM pg_catalog.pg_prepared_statements WHERE starts_with(name, '{PREFIX}')
"""


@dataclass
class Planned:
    """What is planned in one session, as it was when it was last looked at."""

    _names: set[str] = field(default_factory=set)

    def flush(self, connection: Connection) -> None:
        """Let the server count what this session has written, and see what is planned still.

        The counts can be seen as soon as this is over.
        """
        driver: Any = connection.connection.driver_connection
        if getattr(driver, "prepare_threshold", None) is not None:
            driver.prepare_threshold = None
        if getattr(driver, "autocommit", None) is False and not connection.in_transaction():
            driver.autocommit = True  # which spares a BEGIN and a ROLLBACK
            try:
                with closing(driver.cursor()) as cursor:
                    cursor.execute(_FLUSH)
                    _, names = cursor.fetchone()
            finally:
                driver.autocommit = False
        else:
            with undisturbed(connection):
                _, names = connection.exec_driver_sql(_FLUSH).one()
        self._names = set((names or "").split())

    def rows(
        self, connection: Connection, name: str, sql: str, types: str = "", values: str = ""
    ) -> Sequence[Any]:
        """Return what *sql* gives for *values*, its parameters, whose *types* are told.

        The same *name* stands for the same statement, always.
        """
        from sqlalchemy import text

        name = PREFIX + name
        if name not in self._names:
            connection.execute(text(f"PREPARE {name} {types} AS {sql}"))
            self._names.add(name)
        return asked_beside(connection, f"EXECUTE {name} {values}")[1]
