"""Sends our own few statements thousands of times, without what SQLAlchemy does around each.

On MySQL there are as many of them as of the revisions' own, and by SQLAlchemy each takes twice as
long.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Connection, Delete, Dialect, Insert


class OwnStatement:
    """An INSERT or DELETE with values of the names *columns*, compiled once for each dialect."""

    def __init__(self, statement: Insert | Delete, columns: Sequence[str]) -> None:
        self.statement = statement
        self.columns = list(columns)

    def send(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Send it once, or for many *rows* at once; it gives nothing back.

        In whatever transaction *connection* is in. Raises as SQLAlchemy does.
        """
        compiled = _compiled(self, connection.dialect)
        values = [compiled.values(row) for row in rows]
        if not connection.in_transaction():
            connection.begin()  # as SQLAlchemy does by itself
        cursor = connection.connection.cursor()
        with closing(cursor):
            try:
                if len(values) == 1:
                    cursor.execute(compiled.sql, values[0])
                else:
                    cursor.executemany(compiled.sql, values)
            except connection.dialect.loaded_dbapi.Error as error:
                connection._handle_dbapi_exception(error, compiled.sql, None, None, None)


class _Compiled:
    """What one dialect makes of a statement."""

    def __init__(self, own: OwnStatement, dialect: Dialect) -> None:
        compiled: Any = own.statement.compile(dialect=dialect, column_keys=own.columns)
        self.sql = str(compiled)
        self._construct = compiled.construct_params
        self._processors = compiled._bind_processors
        self._order = compiled.positiontup if compiled.positional else None

    def values(self, row: Mapping[str, Any]) -> Any:
        """Return the values of *row* as the driver takes them."""
        given = self._construct(dict(row))
        for name, process in self._processors.items():
            given[name] = process(given[name])
        return given if self._order is None else tuple(given[name] for name in self._order)


@lru_cache(maxsize=16)
def _compiled(own: OwnStatement, dialect: Dialect) -> _Compiled:
    """Return what was compiled; only so much is kept, since engines come and go."""
    return _Compiled(own, dialect)
