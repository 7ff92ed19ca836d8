"""Follows one SQLite database, whose file counts the changes of its schema.

Which rows of tables were written is told by the statements that SQLAlchemy sent, as long as the
library counts no more changes than those statements say: what a trigger, a foreign key or a
statement past SQLAlchemy writes is counted too (https://sqlite.org/c3ref/total_changes.html).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from topchef_schema.backends import sqlite_schema
from topchef_schema.backends.base import undisturbed
from topchef_schema.backends.following import Unwritten, uncertain
from topchef_schema.model import Snapshot
from topchef_schema.model.sql_writes import SENT_BESIDE, WRITES, tables_written, verb_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

STATE = "SELECT total_changes(), (SELECT data_version FROM pragma_data_version)"


@dataclass
class Following:
    """The schema and the writes of one database as they were last seen; see `Backend.following`."""

    exclude: Collection[str]
    _version: int | None = None
    _tables: dict[str, str] = field(default_factory=dict)
    _last: Snapshot = field(default_factory=lambda: Snapshot({}))
    _sent: list[tuple[str, int]] = field(default_factory=list)
    _hears: bool = False
    _state: tuple[int, int] = (0, 0)

    def schema(self, connection: Connection) -> Snapshot:
        """Return the schema as it is now, as a whole snapshot would give it."""
        with undisturbed(connection):
            version = connection.exec_driver_sql("PRAGMA main.schema_version").scalar_one()
            if version != self._version:
                self._tables = sqlite_schema.tables(connection, self.exclude)
            objects = self._tables | sqlite_schema.header(connection)
        if version != self._version or objects != self._last.objects:
            self._last = Snapshot(objects)
        self._version = version
        return self._last

    def unwritten(self, connection: Connection) -> Unwritten:
        """Return what tells which tables nobody has written to since the last call."""
        with undisturbed(connection):
            changes, version = connection.exec_driver_sql(STATE).one()
        before, self._state = self._state, (changes, version)
        sent, self._sent = self._sent, []
        if not self._hears:
            self._hear(connection)
            return uncertain
        told = sum(max(count, 0) for sql, count in sent if verb_of(sql) in WRITES)
        written = [tables_written(sql) for sql, _ in sent]
        if None in written or (changes, version) != (before[0] + told, before[1]):
            return uncertain
        names = {name for each in written if each is not None for name in each}
        return lambda table: table.name.lower() not in names

    def _hear(self, connection: Connection) -> None:
        from sqlalchemy import event

        def sent(_: Connection, cursor: Any, sql: str, *__: Any) -> None:
            self._sent.append((sql, cursor.rowcount))

        self._hears = True
        event.listen(connection.engine, "after_cursor_execute", sent)
        connection.info[SENT_BESIDE] = lambda sql, rows: self._sent.append((sql, rows))
