"""Follows one PostgreSQL database: only relations whose rows in the catalog changed are read again.

The server counts the rows that are written to each table, those of its own catalog among them. So a
look costs next to nothing where nothing changed; else the rows of the catalog that a transaction
since the last look has written (``xmin``), and those that are gone, tell which relations to read,
by the queries that read them all. What others may print in their texts, a name or a type, leads to
reading everything.

Exact only between transactions: two looks within one would not tell its rows apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

from topchef_schema import collecting
from topchef_schema.backends import postgresql_catalog as catalog
from topchef_schema.backends import postgresql_changes as changes
from topchef_schema.backends import postgresql_columns
from topchef_schema.backends import postgresql_counts as counts
from topchef_schema.backends import postgresql_queries as queries
from topchef_schema.backends.following import Written, only, uncertain
from topchef_schema.backends.postgresql_catalog import Details, Row
from topchef_schema.backends.postgresql_connection import passing_transaction
from topchef_schema.backends.postgresql_planned import Look, Planned, Statement, in_autocommit
from topchef_schema.model import Snapshot
from topchef_schema.model.sql_writes import SENT_BESIDE, WRITES, as_sent, tables_written, verb_of

if TYPE_CHECKING:
    from sqlalchemy import Connection, Dialect

OTHERS, GRANTED = 0, -1
"""Stand for all that belongs to no relation, and for what tells that there is a grant."""

_SETTINGS = Statement(
    "settings",
    f"""SELECT {queries.SETTINGS}, set_config('plan_cache_mode', 'force_generic_plan', true),
      set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true)""",
)
"""What is planned once is planned for a few relations among many, as there may be later."""

Units = dict[int, list[Row]]
"""By the oid of a relation, what there is of it."""


@dataclass
class Following:
    """The schema and the rows of one database as they were last seen; see `Backend.following`."""

    exclude: Collection[str]
    _planned: Planned = field(default_factory=Planned)
    _seen: counts.Counts = field(default_factory=counts.Counts)
    _types: str = ""
    _owner: int | None = None
    _of_relations: str = ""
    _keys: changes.Keys = field(default_factory=changes.Keys)
    _rows: dict[int, list[Row]] = field(default_factory=dict)
    _readers: set[int] = field(default_factory=set)
    _details: Details = field(default_factory=dict)
    _objects: dict[int, Mapping[str, str]] = field(default_factory=dict)
    _last: Snapshot = field(default_factory=lambda: Snapshot({}))
    _rows_seen: counts.Counts = field(default_factory=counts.Counts)
    _tables_seen: Mapping[str, str] = field(default_factory=dict)
    _sent: list[tuple[str, int]] = field(default_factory=list)
    _hears: bool = False
    _idle: bool = False
    _touched: set[str] | None = None
    _altered: set[str] = field(default_factory=set)
    _units_of: dict[str, set[int]] = field(default_factory=dict)
    _counting: counts.Counting = field(init=False)

    def __post_init__(self) -> None:
        self._counting = counts.Counting(self.exclude)

    def schema(self, connection: Connection) -> Snapshot:
        """Return the schema as it is now, as a whole snapshot would give it."""
        if not self._read_what_changed(connection):
            self._read_all(connection)
            self._touched = None
        self._altered.clear()
        self._hear(connection)
        return self._last

    def written(self, connection: Connection) -> Written:
        """Return what tells which tables somebody may have written to since the last call."""
        before, self._rows_seen = self._rows_seen, counts.Counts()
        told, names = self._told()
        # A name that is not known may stand for a table that has another.
        known = self._touched is not None and all(map(self._units_of.get, names))
        names |= self._touched or set()
        self._touched = set()
        if not counts.can_count(connection):
            return uncertain
        # What was counted for the schema still holds when nothing was sent since.
        if self._idle and known and self._seen.same_rows(before, told):
            self._rows_seen = self._seen
            return only(names)
        with self._planned.look(connection) as look:
            now = self._rows_seen = self._seen if self._idle else self._counting.counted(look)
            known = known and (self._idle or now.same_relations(self._seen))
            if known and now.same_rows(before, told):
                return only(names)
            old, self._tables_seen = self._tables_seen, counts.counted_tables(look)
        counted = now.comparable(before) and now.shows_rows_as(before)
        return counts.written(self._tables_seen, old) if counted else uncertain

    def columns(
        self, schema: Snapshot, table: str, dialect: Dialect
    ) -> list[dict[str, Any]] | None:
        """See `Following.columns`."""
        return postgresql_columns.reflected(schema, table, dialect)

    def reading(self, connection: Connection) -> AbstractContextManager[object]:
        """See `Following.reading`."""
        return in_autocommit(connection)

    def _told(self) -> tuple[Counter[str], set[str]]:
        """Return how many rows the statements say that they wrote, and to which tables."""
        told, names = Counter[str](), set[str]()
        for sql, rows in self._sent:
            tables = tables_written(sql)
            if tables is not None and not tables.issubset(self.exclude):
                told[verb_of(sql)] += rows
                names |= tables
        self._sent.clear()
        return told, names

    def _hear(self, connection: Connection) -> None:
        """From now on, take note of what is sent."""
        from sqlalchemy import event

        def sending(*_: object) -> None:
            self._idle = False

        def sent(_: Connection, cursor: Any, sql: str, *__: Any) -> None:
            beside(sql, cursor.rowcount)

        def beside(doubled: str, rows: int) -> None:
            self._idle = False
            sql = as_sent(doubled, connection)
            verb = verb_of(sql)
            if verb in WRITES:
                self._sent.append((sql, rows))
            elif verb in ("ALTER", "DROP"):
                self._altered.update(tables_written(sql) or ())

        if not self._hears:
            event.listen(connection.engine, "before_cursor_execute", sending)
            event.listen(connection.engine, "after_cursor_execute", sent)
            connection.info[SENT_BESIDE] = beside
        self._hears = self._idle = True

    def _read_what_changed(self, connection: Connection) -> bool:
        """Read what may have changed; false where more than relations may have to be read."""
        before, self._seen = self._seen, counts.Counts()
        if not counts.can_count(connection):
            return False
        with self._planned.look(connection) as look:
            self._seen = self._counting.counted(look)
            changed = changes.of_relations(self._seen, before)
            if not changed:
                return changed is not None
            search = changes.Search(look, _SETTINGS, self._seen, before, self._keys)
            search.run(set().union(*(self._units_of.get(each, ()) for each in self._altered)))
            if search.types not in (None, self._types) or search.owner != self._owner:
                return False
            described = changes.DESCRIPTIONS in changed
            return self._read_again(look, search.units, search.gone, described=described)

    @collecting.paused()
    def _read_all(self, connection: Connection) -> None:
        with passing_transaction(connection):
            self._types = counts.types(connection)
            self._owner, self._of_relations = catalog.prepared(connection), ""
            spelling = catalog.words(connection, self._owner or 0)
            self._keys = changes.all_keys(connection)
            found = self._by_unit(catalog.read(connection, spelling))
            self._details = catalog.details(catalog.said(connection, spelling))
            bodies = counts.has_bodies(connection)
        for each in (self._rows, self._objects, self._readers, self._units_of):
            each.clear()
        self._last = Snapshot({})
        self._put_together(found)
        self._readers |= {OTHERS} if bodies else set()

    def _read_again(self, look: Look, units: set[int], gone: set[int], *, described: bool) -> bool:
        """Read *units* but for those *gone*; false where others may have to be read, too."""
        if OTHERS in units or OTHERS in self._readers:
            return False
        again = units | self._readers
        before = {row.address: row.key for each in again for row in self._rows.get(each, ())}
        spelling = catalog.words(look.connection, self._owner or 0)
        there = again - gone
        found = self._by_unit(self._relations(look, spelling, there) if there else ())
        granted = bool(found.pop(GRANTED, ()))
        if any(before.get(row.address, row.key) != row.key for row in chain(*found.values())):
            return False  # a new name, which the texts of others may hold
        if self._touched is not None:
            rows = (self._rows.get(unit, ()) for unit in units)
            self._touched |= _tables(chain(*rows, *found.values()))
        found = {unit: [] for unit in again} | found
        if described or granted or not self._details.keys().isdisjoint(before):
            statement = Statement(
                f"details_{self._owner}", queries.DETAILS.format_map(spelling), settings=_SETTINGS
            )
            details = catalog.details(look.rows(statement))
            if details != self._details:
                self._details = details
                found = self._rows | found
        self._put_together(found)
        return True

    def _relations(
        self, look: Look, spelling: Mapping[str, object], units: Collection[int]
    ) -> Iterable[Any]:
        """Read *units*, by a statement that is planned once."""
        if not self._of_relations:
            words = {**spelling, "these": queries.SOME_RELATIONS}
            parts = (*queries.OF_RELATIONS, queries.ANY_GRANTS)
            self._of_relations = "\nUNION ALL\n".join(
                f"({each.format_map(words)})" for each in parts
            )
        name = f"relations_{self._owner}"
        statement = Statement(name, self._of_relations, "(oid[])", _SETTINGS)
        return look.rows(statement, f"({changes.array(units)})")

    def _by_unit(self, rows: Iterable[Any]) -> Units:
        found: Units = {}
        for row in map(Row._make, rows):
            name, oid, _ = row.address
            own = name in ("column-order", "disabled")
            unit = oid if own else self._keys.unit(name, oid, OTHERS)
            found.setdefault(GRANTED if name == "granted" else unit, []).append(row)
        return found

    def _put_together(self, units: Units) -> None:
        """Take what there is of *units*, nothing of those that are gone, and make a snapshot."""
        changed: dict[str, str | None] = {}
        for unit in units:
            changed |= dict.fromkeys(self._objects.pop(unit, ()))
            self._readers.discard(unit)
            for name in _tables(self._rows.pop(unit, ())):
                self._units_of[name].discard(unit)
        for unit, rows in units.items():
            if not rows:
                continue
            self._rows[unit] = rows
            self._objects[unit] = catalog.put_together(rows, self._details, self.exclude)
            changed |= self._objects[unit]
            if any(row.key.startswith(_OF_OTHERS) for row in rows):
                self._readers.add(unit)
            for name in _tables(rows):
                self._units_of.setdefault(name, set()).add(unit)
        self._last = self._last.having(changed)


def _tables(rows: Iterable[Row]) -> set[str]:
    """Return the tables that *rows* hang on, in small letters."""
    return {row.table.lower() for row in rows if row.table is not None}


_OF_OTHERS = ("view ", "materialized-view ", "rule ", "policy ")
"""The text of these is made of the columns of other relations, or may be."""
