"""What stands in the tables of a scratch database, and what of it is not there any more.

Rows are compared as rows, without knowing a key: each has to be there as often as before, in the
columns that are compared. A column whose values tell the rows apart then says which values changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from topchef_schema.backends.base import asked_beside
from topchef_schema.model import Snapshot, TableName, diff, names_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from topchef_schema.backends.following import Following

NULL = "None"
"""How NULL is shown, like every value, as Python writes it."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one table, each value as text."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def equal(self, other: Rows) -> bool:
        """Whether these are the same rows, in whatever order."""
        same = self.columns == other.columns
        return same and (self.rows == other.rows or Counter(self.rows) == Counter(other.rows))

    def only(self, columns: Sequence[str]) -> list[tuple[str, ...]]:
        """Return the rows, with *columns* alone."""
        places = [self.columns.index(each) for each in columns]
        return [tuple(row[place] for place in places) for row in self.rows]

    def shown(self, row: int, *, first: Collection[str] = ()) -> str:
        """Return a row for a reader, as far as there is room; these columns *first*."""
        pairs = list(zip(self.columns, self.rows[row], strict=True))
        pairs.sort(key=lambda pair: pair[0] not in first)
        words = [f"{name} = {_short(value)}" for name, value in pairs[:_FEW]]
        return f"({', '.join(words)}{', ...' if len(pairs) > _FEW else ''})"


_FEW = 8
_SHORT = 40
"""So many columns of a row are shown, and characters of a value."""

_NOTHING = Rows((), ())

Contents = Mapping[str, Rows]
"""The tables, by their names in the snapshot of the schema."""

Compared = Callable[[str], Collection[str] | None]
"""The columns of a table that are compared, None where it is not."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Rows of a table, or values of one *column*, that are not there any more.

    *before* and *after* count the rows, or those of the values that are missing; *example* is one
    of the rows or values.
    """

    table: str
    column: str | None
    before: int
    after: int
    example: str


@dataclass
class Watch:
    """What stands in the tables of one database, of which only what may differ is read again.

    *names* are the tables of the schema that was last given.
    """

    following: Following
    _schema: Snapshot = field(default_factory=lambda: Snapshot({}))
    names: dict[str, TableName] = field(default_factory=dict)
    _contents: Contents = field(default_factory=dict)
    _stale: bool = True

    def stale(self) -> None:
        """Take note that something may have been written."""
        self._stale = True

    def now(self, connection: Connection, schema: Snapshot) -> Contents:
        """Return what stands in the tables of *schema*, which is that of now.

        Tables that are as they were are the same objects as the last time.
        """
        if self._stale or schema is not self._schema:
            written = self.following.written(connection)
            again = set() if schema is self._schema else self._altered(schema)
            again.update(written(self.names), self.names.keys() - self._contents.keys())
            kept = dict(self._contents)
            for key in again | (kept.keys() - self.names.keys()):
                kept.pop(key, None)
            names = {key: self.names[key] for key in sorted(again) if key in self.names}
            kept |= self._read(connection, schema, names)
            self._contents = kept
            self._schema, self._stale = schema, False
        return self._contents

    def _altered(self, schema: Snapshot) -> set[str]:
        """Take note of the tables of *schema*; return those whose rows may be read otherwise."""
        changes = diff(self._schema, schema).changes
        for each in changes:
            if each.kind == "table" and each.after is None:
                del self.names[each.name]
            elif each.kind == "table":
                self.names[each.name] = _named(each.key)
        if any(each.kind not in _KINDS for each in changes):
            return set(self.names)
        names = {each.name for each in changes if each.kind in _WHOLE}
        columns = [each for each in changes if each.kind == "column"]
        altered = {cause.partition(" ")[2] for each in columns for cause in each.possible_causes}
        came = {each.name for each in changes if each.kind == "table"}
        if _are_types(altered - came - {each.name for each in columns}, schema):
            return set(self.names)
        return names | altered

    def _read(
        self, connection: Connection, schema: Snapshot, names: Mapping[str, TableName]
    ) -> Contents:
        found = {}
        with self.following.reading(connection):
            there = read(connection, schema, names)
        for key, rows in there.items():
            old = self._contents.get(key)
            found[key] = old if old is not None and rows.equal(old) else rows
        return found


_WHOLE = {"table", "column-order"}
_KINDS = {*_WHOLE, "column", "comment", "constraint", "function", "grants", "index", "owner"}
_KINDS |= {"materialized-view", "primary-key", "procedure", "sequence", "trigger", "view"}
"""Kinds of objects that leave the rows alone, of tables that they are no part of."""


def _are_types(names: Collection[str], schema: Snapshot) -> bool:
    """Whether one of *names*, of tables and the like, is the type of a column, too."""
    beginnings = tuple(each for each in names if "." in each)
    if not beginnings:
        return False
    columns = (said for key, said in schema.objects.items() if key.startswith("column "))
    return any(said.startswith(beginnings) for said in columns)


def tables(schema: Snapshot) -> dict[str, TableName]:
    """Return the tables of *schema*, by their names there."""
    keys = (key for key in schema.objects if key.startswith("table "))
    return {key.removeprefix("table "): _named(key) for key in keys}


@lru_cache(maxsize=10_000)
def _named(key: str) -> TableName:
    *schema, own = names_of(key)
    return TableName(own, schema[0] if schema else None)


def _spelled(schema: Snapshot, table: str, column: str) -> str:
    """Return *column* as the snapshot has it, where it may be quoted."""
    forms = (column, *(sign + column.replace(sign, sign * 2) + sign for sign in '"`'))
    return next((each for each in forms if f"column {table}.{each}" in schema.objects), column)


def read(
    connection: Connection, schema: Snapshot, names: Mapping[str, TableName]
) -> dict[str, Rows]:
    """Return what stands in the tables *names*; one that the driver cannot read is left out."""
    from sqlalchemy.exc import SQLAlchemyError

    found = {}
    for key, name in names.items():
        try:
            # As the driver gives it: a reflected type may read a value otherwise than it was
            # written.
            columns, rows = asked_beside(connection, f"SELECT * FROM {quoted(connection, name)}")
        except (SQLAlchemyError, connection.dialect.loaded_dbapi.Error, ValueError):
            connection.rollback()
            continue
        found[key] = Rows(
            tuple(_spelled(schema, key, each) for each in columns),
            tuple(tuple(_text(value) for value in row) for row in rows),
        )
    return found


def _text(value: Any) -> str:
    """Return *value* as Python writes it, where that tells it, whatever the time zone is now."""
    if isinstance(value, memoryview):
        value = bytes(value)
    elif isinstance(value, datetime) and value.tzinfo is not None:
        with suppress(OverflowError):  # on the first and the last day
            value = value.astimezone(UTC)
    elif isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    return repr(value)


def quoted(connection: Connection, name: TableName) -> str:
    """Return *name* as SQL."""
    quote = connection.dialect.identifier_preparer.quote
    return ".".join(quote(each) for each in (name.schema, name.name) if each is not None)


def lost(old: Contents, new: Contents, compared: Compared) -> list[Loss]:
    """Return what stands in *old* and not in *new*, in the columns that are *compared*."""
    losses: list[Loss] = []
    for table in sorted(name for name, rows in old.items() if new.get(name) is not rows):
        before, after = old[table], new.get(table, _NOTHING)
        if not before.rows:
            continue
        columns = compared(table)
        if columns is None:
            continue
        there = [each for each in before.columns if each in columns]
        kept = [each for each in there if each in after.columns]
        if there and not kept:
            count = len(before.rows)
            losses.append(Loss(table, None, count, 0, before.shown(0)))
            continue
        losses += _lost_columns(table, before, [each for each in there if each not in kept])
        losses += _lost_values(table, before, after, kept)
    return losses


def _lost_columns(table: str, before: Rows, columns: Sequence[str]) -> Iterator[Loss]:
    for column in columns:
        values = [value for (value,) in before.only([column]) if value != NULL]
        if values:
            yield Loss(table, column, len(values), 0, _short(values[0]))


def _lost_values(table: str, before: Rows, after: Rows, columns: Sequence[str]) -> Iterator[Loss]:
    """Yield what is missing of *columns*, which both have."""
    old, new = before.only(columns), after.only(columns)
    missing = Counter(old) - Counter(new)
    if not missing:
        return
    if len(old) > len(new):
        gone = old.index(next(iter(missing)))
        yield Loss(table, None, len(old), len(new), before.shown(gone))
        return
    changed = _changed(columns, old, new)
    if not changed:
        row = old.index(next(iter(missing)))
        count = missing.total()
        yield Loss(table, None, count, 0, before.shown(row))
    for column, values in changed.items():
        yield Loss(table, column, len(values), 0, _short(values[0]))


def _changed(
    columns: Sequence[str], old: Sequence[tuple[str, ...]], new: Sequence[tuple[str, ...]]
) -> dict[str, list[str]]:
    """Return column to the values that are not there any more, in their rows if those are known."""
    for key in range(len(columns)):
        later = {row[key]: row for row in new}
        if len({row[key] for row in old}) == len(old) and all(row[key] in later for row in old):
            pairs = [(row, later[row[key]]) for row in old]
            if len(later) == len(new):
                return _differing(columns, pairs)
    found = {}
    for place, column in enumerate(columns):
        gone = Counter(row[place] for row in old) - Counter(row[place] for row in new)
        if gone:
            found[column] = list(gone.elements())
    return found


def _differing(
    columns: Sequence[str], pairs: Sequence[tuple[tuple[str, ...], tuple[str, ...]]]
) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for place, column in enumerate(columns):
        values = [old[place] for old, new in pairs if old[place] != new[place]]
        if values:
            found[column] = values
    return found


def _short(value: str) -> str:
    return value if len(value) <= _SHORT else value[: _SHORT - 3] + "..."
