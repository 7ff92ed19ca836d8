"""Sends our own few statements thousands of times, without what SQLAlchemy does around each.

On MySQL there are as many of them as of the revisions' own, and by SQLAlchemy each takes twice as
long.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from topchef_schema.model.sql_writes import SENT_BESIDE

if TYPE_CHECKING:
    from sqlalchemy import Connection, Delete, Dialect, Insert, Table, Update

Schemas = frozenset[tuple[str | None, str | None]]
"""What ``schema_translate_map`` of a connection says."""


def table_made(table: Table, dialect: Dialect, *, if_not_exists: bool) -> str:
    """Return the statement that makes *table*, as it stands in a script."""
    from sqlalchemy.schema import CreateTable

    made = str(CreateTable(table, if_not_exists=if_not_exists).compile(dialect=dialect))
    return "\n".join(line.rstrip() for line in made.expandtabs(4).strip().splitlines())


NO_SUCH_CHARACTER = 1366
"""MySQL's and MariaDB's number of the error that a text is not in the character set of a column."""


class OwnStatement:
    """One that writes rows, with values of the names *columns*, compiled once for each dialect.

    Of those, *prose* is for people: characters that its column cannot hold are written as escapes.
    """

    def __init__(
        self,
        statement: Insert | Update | Delete,
        columns: Sequence[str],
        prose: Collection[str] = (),
    ) -> None:
        self.statement = statement
        self.columns = list(columns)
        self._prose = frozenset(prose)

    def send(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> int:
        """Send it once, or for many *rows* at once; return how many rows it met.

        In whatever transaction *connection* is in. Raises as SQLAlchemy does.
        """
        schemas: Schemas = frozenset((connection._schema_translate_map or {}).items())
        compiled = _compiled(self, connection.dialect, schemas)
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
                if error.args[:1] == (NO_SUCH_CHARACTER,):
                    in_ascii = [self._in_ascii(row) for row in rows]
                    if in_ascii != list(rows):
                        return self.send(connection, in_ascii)
                connection._handle_dbapi_exception(error, compiled.sql, None, None, None)
            tell = connection.info.get(SENT_BESIDE)
            if tell is not None:
                tell(compiled.sql, cursor.rowcount)
            return cursor.rowcount

    def _in_ascii(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        prose = {name: row[name] for name in self._prose if isinstance(row[name], str)}
        escaped = (text.encode("ascii", "backslashreplace").decode() for text in prose.values())
        return {**row, **dict(zip(prose, escaped, strict=True))}


class _Compiled:
    """What one dialect makes of a statement."""

    def __init__(self, own: OwnStatement, dialect: Dialect, schemas: Schemas) -> None:
        moved: dict[str, Any] = {}
        if schemas:
            moved = {"schema_translate_map": dict(schemas), "render_schema_translate": True}
        compiled: Any = own.statement.compile(dialect=dialect, column_keys=own.columns, **moved)
        self.sql = str(compiled)
        self._named = not compiled.positional
        names = compiled.positiontup if compiled.positional else compiled.bind_names.values()
        self._values = [(name, compiled._bind_processors.get(name)) for name in names]

    def values(self, row: Mapping[str, Any]) -> Any:
        """Return the values of *row* as the driver takes them."""
        found = [row[name] if to is None else to(row[name]) for name, to in self._values]
        if self._named:
            return {name: value for (name, _), value in zip(self._values, found, strict=True)}
        return tuple(found)


@lru_cache(maxsize=16)
def _compiled(own: OwnStatement, dialect: Dialect, schemas: Schemas) -> _Compiled:
    """Return what was compiled; only so much is kept, since engines come and go."""
    return _Compiled(own, dialect, schemas)
