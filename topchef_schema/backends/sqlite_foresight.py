"""What SQLite can tell of work before it is done: rows by its last ANALYZE, and in time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from topchef_schema.backends.base import undisturbed
from topchef_schema.model import TableName

if TYPE_CHECKING:
    from sqlalchemy import Connection

_STEPS = 10_000
"""How many steps of its machine SQLite takes before it asks whether to go on."""

_SOON = 1.0
"""Seconds before which no other thread interrupts: it is not that exact."""


class SQLiteForesight:
    """See `topchef_schema.backends.base.Foresight`."""

    def tables(self, connection: Connection) -> Mapping[TableName, int | None]:
        """Return the tables of the main database, with what ANALYZE has counted, if it was run."""
        found: dict[TableName, int | None] = {}
        with undisturbed(connection):
            for (name,) in connection.exec_driver_sql(
                "SELECT name FROM main.sqlite_master WHERE type = 'table' "
                "AND name NOT LIKE 'sqlite|_%%' ESCAPE '|' ORDER BY name"
            ):
                found[TableName(name)] = found[TableName(name, "main")] = None
            known = "SELECT 1 FROM main.sqlite_master WHERE name = 'sqlite_stat1'"
            if connection.exec_driver_sql(known).first() is not None:
                for name, stat in connection.exec_driver_sql("SELECT tbl, stat FROM sqlite_stat1"):
                    # https://www.sqlite.org/fileformat2.html: the number of rows comes first
                    rows = int(str(stat).split()[0])
                    found[TableName(name)] = found[TableName(name, "main")] = rows
        return found

    @contextmanager
    def time_limit(self, connection: Connection, seconds: float) -> Iterator[Connection]:
        """Let the library ask now and then whether to go on; a driver of another kind cannot.

        A plain count(*) is one step of its machine, however long: that is interrupted from outside.
        """
        import sqlite3

        driver: Any = connection.connection.driver_connection
        with undisturbed(connection):
            if not isinstance(driver, sqlite3.Connection):
                yield connection
                return
            deadline = time.monotonic() + seconds
            driver.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
            alarm = threading.Timer(max(seconds, _SOON), driver.interrupt)
            alarm.start()
            try:
                yield connection
            finally:
                alarm.cancel()
                alarm.join()
                driver.set_progress_handler(None, _STEPS)
