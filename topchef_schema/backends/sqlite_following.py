"""Follows one SQLite database, whose file counts the changes of its schema.

Which rows of tables were written is told by the statements that SQLAlchemy sent, as long as the
library counts no more changes than those statements say: what a trigger, a foreign key or a
statement past SQLAlchemy writes is counted too (https://sqlite.org/c3ref/total_changes.html).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from topchef_schema.backends import sqlite_catalog
from topchef_schema.backends.base import asked_beside, undisturbed
from topchef_schema.backends.following import Plain, Written, only, uncertain
from topchef_schema.model import Snapshot
from topchef_schema.model.sql_writes import SENT_BESIDE, WRITES, tables_written, verb_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

STATE = (
    f"SELECT total_changes(), data_version, schema_version, {', '.join(sqlite_catalog.HEADER)} "
    "FROM pragma_data_version, pragma_schema_version, "
    + ", ".join(f"pragma_{each}" for each in sqlite_catalog.HEADER)
)


@dataclass(frozen=True, slots=True)
class State:
    """What the library counts: *changes* of rows here and *others*' commits, of the schema, too."""

    changes: int = 0
    others: int = 0
    schema: int | None = None
    header: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Following(Plain):
    """The schema and the writes of one database as they were last seen; see `Backend.following`."""

    exclude: Collection[str]
    _catalog: sqlite_catalog.Catalog = field(init=False)
    _last: Snapshot = field(default_factory=lambda: Snapshot({}))
    _seen: State = field(default_factory=State)
    _rows_seen: State = field(default_factory=State)
    _sent: list[tuple[str, int]] = field(default_factory=list)
    _hears: bool = False
    _idle: bool = False

    def __post_init__(self) -> None:
        self._catalog = sqlite_catalog.Catalog(self.exclude)

    def schema(self, connection: Connection) -> Snapshot:
        """Return the schema as it is now, as a whole snapshot would give it."""
        with undisturbed(connection):
            before, self._seen = self._seen, _state(connection)
            if self._seen.schema != before.schema:
                self._catalog.read(connection)
        if (self._seen.schema, self._seen.header) != (before.schema, before.header):
            self._last = Snapshot({**self._catalog.objects, **self._seen.header})
        self._idle = self._hears
        return self._last

    def written(self, connection: Connection) -> Written:
        """Return what tells which tables somebody may have written to since the last call."""
        before, self._rows_seen = self._rows_seen, self._seen
        if not self._idle:
            with undisturbed(connection):
                self._rows_seen = _state(connection)
        sent, self._sent = self._sent, []
        if not self._hears:
            self._hear(connection)
            return uncertain
        told = sum(max(count, 0) for sql, count in sent if verb_of(sql) in WRITES)
        written = [tables_written(sql) for sql, _ in sent]
        expected = before.changes + told, before.others
        if None in written or (self._rows_seen.changes, self._rows_seen.others) != expected:
            return uncertain
        names = {name for each in written if each is not None for name in each}
        names -= self._catalog.left_out
        filled = (
            names.intersection(each or ())
            for (sql, _), each in zip(sent, written, strict=True)
            if verb_of(sql) in WRITES
        )
        # A name that is not known may stand for a table that has another.
        if not all(name in self._catalog.tables for each in filled for name in each):
            return uncertain
        return only(names)

    def _hear(self, connection: Connection) -> None:
        from sqlalchemy import event

        def sent(_: Connection, cursor: Any, sql: str, *__: Any) -> None:
            beside(sql, cursor.rowcount)

        def beside(sql: str, rows: int) -> None:
            # What was counted for the schema still holds as long as nothing is sent.
            self._idle = False
            self._sent.append((sql, rows))

        self._hears = True
        event.listen(connection.engine, "after_cursor_execute", sent)
        connection.info[SENT_BESIDE] = beside


def _state(connection: Connection) -> State:
    _, ((changes, others, schema, *header),) = asked_beside(connection, STATE)
    return State(changes, others, schema, sqlite_catalog.header_of(header))
