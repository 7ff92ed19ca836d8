"""Follows one MySQL or MariaDB database: a table is read again when a statement has named it.

Their catalogs do not tell what has changed. So what SQLAlchemy sends is heard, and held against
what the server has counted of this session: a statement past SQLAlchemy, one of a routine, a
connection that somebody opened, or any other kind of statement leads to reading everything.
https://dev.mysql.com/doc/refman/8.4/en/server-status-variables.html#statvar_Com_xxx
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from topchef_schema.backends import mysql_catalog
from topchef_schema.backends.base import asked_beside, undisturbed
from topchef_schema.backends.following import Plain, Written, only, uncertain
from topchef_schema.backends.mysql_protocol import run
from topchef_schema.backends.show_create import quoted
from topchef_schema.model import Snapshot, names_of
from topchef_schema.model.sql_words import Word, named_table, one_statement, split
from topchef_schema.model.sql_writes import SENT_BESIDE, WRITES, as_sent, tables_written, verb_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

_LEAVES_ALL = (
    "select|set_option|show_.*|begin|commit|rollback|rollback_to_savepoint|savepoint|"
    "release_savepoint|change_db|checksum|stmt_.*|admin_commands|empty_query|compound_sql"
)
COUNTED = (
    "SHOW SESSION STATUS WHERE value <> '0' AND (lower(variable_name) IN "
    "('connections', 'threads_connected') OR lower(left(variable_name, 4)) = 'com_' "
    f"AND lower(variable_name) NOT REGEXP '^com_({_LEAVES_ALL})$')"
)
"""Counts statements that may have changed the schema, or rows, and all connections.

Those of triggers and routines among them.
"""

_WRITING = {"delete", "delete_multi", "insert", "insert_select"}
_WRITING |= {"replace", "replace_select", "update", "update_multi"}

BASE_TABLES = (
    "SELECT table_name FROM information_schema.tables "
    "WHERE table_schema = database() AND table_type = 'BASE TABLE'"
)

_SAYS_NOTHING = {*WRITES, "BEGIN", "CHECKSUM", "COMMIT", "DESC", "DESCRIBE", "RELEASE", "ROLLBACK"}
_SAYS_NOTHING |= {"SAVEPOINT", "SELECT", "SET", "SHOW", "START"}
_OF_TABLES = ("table", "column", "index", "constraint", "primary-key", "column-order", "period")
_PARTS_OF_TABLES = {*_OF_TABLES, "partitions"}

Units = dict[str, dict[str, str]]
"""The tables: what there is of each."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What the server has counted.

    Of this session, statements that may have changed the schema, and those that write rows; of all
    sessions, those that were ever opened and those that are open.
    """

    changes: int
    writes: int
    sessions: tuple[int, int]


@dataclass
class Following(Plain):
    """The schema and the rows of one database as they were last seen; see `Backend.following`.

    *whole* reads the whole schema, *batch* sends several statements at once.
    """

    exclude: Collection[str]
    whole: Callable[[Connection], Snapshot]
    batch: mysql_catalog.Batch
    _last: Snapshot = field(default_factory=lambda: Snapshot({}))
    _units: Units = field(default_factory=dict)
    _rest: dict[str, str] = field(default_factory=dict)
    _left_out: set[str] = field(default_factory=set)
    _counted: Counted | None = None
    _rows_counted: Counted | None = None
    _checksums: dict[str, Any] = field(default_factory=dict)
    _sent: list[str] = field(default_factory=list)
    _done: list[str] = field(default_factory=list)
    _deaf: bool = False
    _idle: bool = False
    _tables: set[str] = field(default_factory=set)
    _references: dict[str, str] = field(default_factory=dict)

    def schema(self, connection: Connection) -> Snapshot:
        """Return the schema as it is now, as a whole snapshot would give it."""
        with undisturbed(connection), self._unheard():
            before, self._counted = self._counted, _counted(connection)
            if before is None:
                self._hear(connection)
            self._idle = True
            sent, self._sent[:] = list(self._sent), []
            names = None if before is None else self._named(before, self._counted, sent)
            if names is None or not self._read_again(connection, names):
                self._last = self.whole(connection)
                self._units, self._rest = _by_table(self._last)
                found = run(connection, BASE_TABLES).scalars()
                self._left_out = {name.lower() for name in found if name in self.exclude}
                self._note_references(self._units)
        return self._last

    def _note_references(self, names: Iterable[str]) -> None:
        """Keep what tables say of others, and how all are called, as they are asked for it."""
        for name in names:
            said = (each.lower() for each in self._units.get(name, {}).values())
            self._references[name] = "\n".join(each for each in said if "references" in each)
        for name in self._references.keys() - self._units.keys():
            del self._references[name]
        self._tables = self._left_out | {each.lower() for each in self._units}

    def written(self, connection: Connection) -> Written:
        """Return what tells which tables somebody may have written to since the last call."""
        with undisturbed(connection), self._unheard():
            # What was counted for the schema still holds when nothing was sent since.
            now = self._counted if self._counted and self._idle else _counted(connection)
            before, self._rows_counted = self._rows_counted, now
            done, self._done[:] = list(self._done), []
            written = [tables_written(sql) for sql in done]
            if before is None or None in written:
                self._checksums = self._sums(connection)
                return uncertain
            named = {name for each in written if each is not None for name in each}
            if self._wrote_no_more(before, now, done):
                for name in [each for each in self._checksums if each.lower() in named]:
                    del self._checksums[name]
                return only(named)
            sums, self._checksums = self._checksums, self._sums(connection)
        # Rows may be others and have the same sum, once in a long while; so what a statement
        # names counts as written.
        same = {
            name
            for name, checksum in self._checksums.items()
            if checksum is not None and sums.get(name) == checksum and name.lower() not in named
        }
        return lambda tables: [key for key, table in tables.items() if table.name not in same]

    def _wrote_no_more(self, before: Counted, now: Counted, done: Sequence[str]) -> bool:
        """Whether nothing was written but by the statements *done*, to the tables they name.

        The server counts the statements of triggers, too, but not what foreign keys do; and what
        stands for a table may be a view.
        """
        told = [sql for sql in done if verb_of(sql) in WRITES]
        for sql in told:
            names = tables_written(sql) or frozenset()
            only_adds = verb_of(sql) == "INSERT" and "DUPLICATE" not in sql.upper()
            if not names <= self._tables or (not only_adds and self._leading_to(names)):
                return False
        altered = sum(bool(_altered(sql)) for sql in done)
        return now == Counted(before.changes + altered, before.writes + len(told), before.sessions)

    def _sums(self, connection: Connection) -> dict[str, Any]:
        """Return a sum of the rows of each table."""
        if not self._units:
            return {}
        asked = f"CHECKSUM TABLE {', '.join(quoted(each) for each in self._units)}"
        return {name.partition(".")[2]: checksum for name, checksum in run(connection, asked)}

    @contextmanager
    def _unheard(self) -> Iterator[None]:
        """Leave out what is sent meanwhile: it reads."""
        self._deaf = True
        try:
            yield
        finally:
            self._deaf = False

    def _hear(self, connection: Connection) -> None:
        from sqlalchemy import event

        def sending(_: Connection, __: Any, sql: str, *___: Any) -> None:
            if not self._deaf:
                self._idle = False
                self._sent.append(as_sent(sql, connection))

        def sent(_: Connection, __: Any, sql: str, *___: Any) -> None:
            if not self._deaf:
                self._done.append(as_sent(sql, connection))

        def beside(sql: str, _: int) -> None:
            self._idle = False
            self._done.append(as_sent(sql, connection))

        event.listen(connection.engine, "before_cursor_execute", sending)
        event.listen(connection.engine, "after_cursor_execute", sent)
        connection.info[SENT_BESIDE] = beside

    def _named(self, before: Counted, now: Counted, sent: Sequence[str]) -> set[str] | None:
        """Return the tables that were altered, None where it may be more than tables."""
        altered = [_altered(each) for each in sent]
        told = sum(bool(each) for each in altered)
        if None in altered or now.changes - before.changes != told:
            return None
        if now.sessions != before.sessions:
            return None
        return {name for each in altered if each for name in each}

    def _leading_to(self, names: Collection[str]) -> set[str]:
        """Return the tables whose foreign keys lead to the tables *names*."""
        references = [f"references {quoted(each)}".lower() for each in names]
        return {
            table
            for table, said in self._references.items()
            if said and any(each in said for each in references)
        }

    def _read_again(self, connection: Connection, names: set[str]) -> bool:
        """Read the tables *names*, and those that lead to them; false where more is to be read."""
        if not names:
            return True
        if any(self._triggers(each) for each in names):
            return False
        names |= self._leading_to(names)
        with mysql_catalog.reading(connection, self.exclude) as catalog:
            if catalog.folds_case:
                return False
            listed = mysql_catalog.listed(catalog, names)
            if any(each.word != "TABLE" for each in listed):
                return False
            # A name that was and is not known may stand for a table that has another.
            if not names - {each.name for each in listed} <= self._units.keys():
                return False
            changed: dict[str, str | None] = {}
            for name in names:
                changed |= dict.fromkeys(self._units.pop(name, ()))
            for each, row in mysql_catalog.shown(catalog, listed, self.batch).items():
                self._units[each.name] = dict(mysql_catalog.definitions(catalog, each, row))
                changed |= self._units[each.name]
        self._last = self._last.having(changed)
        self._note_references(names)
        return True

    def _triggers(self, table: str) -> bool:
        return any(
            key.startswith("trigger ") and names_of(key)[0].lower() == table.lower()
            for key in self._rest
        )


def _counted(connection: Connection) -> Counted:
    _, counts = asked_beside(connection, COUNTED)
    found = {name.lower(): int(value) for name, value in counts}
    sessions = found.pop("connections"), found.pop("threads_connected")
    writes = sum(found.pop(f"com_{each}", 0) for each in _WRITING)
    return Counted(sum(found.values()), writes, sessions)


def _by_table(schema: Snapshot) -> tuple[Units, dict[str, str]]:
    units: Units = {}
    rest = {}
    for key, definition in schema.objects.items():
        if key.partition(" ")[0] in _PARTS_OF_TABLES:
            units.setdefault(names_of(key)[0], {})[key] = definition
        else:
            rest[key] = definition
    return units, rest


@lru_cache(maxsize=5000)
def _altered(sql: str) -> frozenset[str] | None:
    """Return the tables that *sql* makes, alters or drops; None where it may do anything else."""
    verb, *rest = one_statement(sql) or [Word("sign", "")]
    if verb.key in _SAYS_NOTHING:
        return frozenset()
    keys = [each.key for each in rest]
    if verb.key in ("CREATE", "DROP") and "INDEX" in keys[:2] and "ON" in keys:
        return _tables([rest[keys.index("ON") + 1 :]])
    if verb.key not in ("CREATE", "DROP", "ALTER") or keys[:1] != ["TABLE"]:
        return None
    if verb.key == "ALTER" and any(each in keys for each in ("RENAME", "EXCHANGE")):
        return None
    return _tables(split(rest[1:], ",") if verb.key == "DROP" else [rest[1:]])


def _tables(found: Iterable[Sequence[Word]]) -> frozenset[str] | None:
    names = set()
    for each in found:
        rest = list(each)
        while rest and rest[0].key in ("IF", "NOT", "EXISTS"):
            rest.pop(0)
        table, _ = named_table(rest)
        if table is None or table.schema is not None:
            return None
        names.add(table.name)
    return frozenset(names)
