"""What stands in the tables of a scratch database, and what of it is not there any more.

Rows are compared as rows, without knowing a key: each has to be there as often as before, in the
columns that are compared. A column whose values tell the rows apart then says which values changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from topchef_schema.model import Snapshot, TableName

if TYPE_CHECKING:
    from sqlalchemy import Connection

NULL = "None"
"""How NULL is shown, like every value, as Python writes it."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one table, each value as text."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def only(self, columns: Sequence[str]) -> list[tuple[str, ...]]:
        """Return the rows, with *columns* alone."""
        places = [self.columns.index(each) for each in columns]
        return [tuple(row[place] for place in places) for row in self.rows]

    def shown(self, row: int) -> str:
        """Return a row for a reader, as far as there is room."""
        pairs = list(zip(self.columns, self.rows[row], strict=True))
        words = [f"{name} = {_short(value)}" for name, value in pairs[:_FEW]]
        return f"({', '.join(words)}{', ...' if len(pairs) > _FEW else ''})"


_FEW = 8
_SHORT = 40
"""So many columns of a row are shown, and characters of a value."""

Contents = Mapping[str, Rows]
"""The tables, by their names in the snapshot of the schema."""


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


def tables(connection: Connection, snapshot: Snapshot) -> dict[str, TableName]:
    """Return the tables of *snapshot*, by their names there."""
    from sqlalchemy import inspect

    schemas = {name for name in _named(snapshot, "schema")}
    default = inspect(connection).default_schema_name
    schemas |= {default} if default else set()
    found = {}
    for name in _named(snapshot, "table"):
        # The longest: a dot may be part of the name of a schema, too.
        of = max((each for each in schemas if name.startswith(f"{each}.")), key=len, default=None)
        found[name] = TableName(name if of is None else name[len(of) + 1 :], of)
    return found


def _named(snapshot: Snapshot, kind: str) -> Iterator[str]:
    for key in snapshot.objects:
        found, _, name = key.partition(" ")
        if found == kind:
            yield name


def read(connection: Connection, names: Mapping[str, TableName]) -> dict[str, Rows]:
    """Return what stands in the tables *names*; one that the driver cannot read is left out."""
    from sqlalchemy.exc import SQLAlchemyError

    found = {}
    for key, name in names.items():
        try:
            # As the driver gives it: a reflected type may read a value otherwise than it was
            # written.
            result = connection.exec_driver_sql(f"SELECT * FROM {quoted(connection, name)}")
            rows = tuple(tuple(repr(value) for value in row) for row in result)
        except (SQLAlchemyError, ValueError):
            connection.rollback()
            continue
        found[key] = Rows(tuple(result.keys()), rows)
    return found


def quoted(connection: Connection, name: TableName) -> str:
    """Return *name* as SQL."""
    quote = connection.dialect.identifier_preparer.quote
    return ".".join(quote(each) for each in (name.schema, name.name) if each is not None)


def lost(old: Contents, new: Contents, compared: Mapping[str, Collection[str]]) -> list[Loss]:
    """Return what stands in *old* and not in *new*, in the tables and columns *compared*."""
    losses: list[Loss] = []
    for table, columns in sorted(compared.items()):
        before, after = old.get(table), new.get(table, Rows((), ()))
        if before is None or not before.rows:
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
