"""Whether the rows of before an upgrade survive it, the downgrade, and the second upgrade.

What the upgrade itself drops, deletes or rewrites is told apart from what is lost on the way down
and up again. What it renames is neither.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from topchef_schema.model import Snapshot
from topchef_schema.stages.contents import NULL, Contents, Loss, Rows, lost

_SET_BY_SERVER = re.compile(r"\bON UPDATE\b", re.IGNORECASE)
"""In the definition of a column: the server itself sets it whenever a row is touched."""


@dataclass(frozen=True)
class Survival:
    """The rows before the upgrade and *after* it; *schemas* are those of the same moments."""

    before: Contents
    after: Contents
    schemas: tuple[Snapshot, Snapshot]
    _names: _Names = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_names", _Names.of(self.before, self.after))

    @cached_property
    def changed_by_upgrade(self) -> list[Loss]:
        """What the upgrade itself drops, deletes or rewrites, in the words of before it."""
        return [
            self._names.back(each)
            for each in self._changed
            if each.column is None or not self._is_cast(each.table, each.column)
        ]

    @property
    def written_by_upgrade(self) -> list[str]:
        """The tables that do not hold the same rows as before the upgrade."""
        there = self.before.get
        return [
            table
            for table, rows in sorted(self.after.items())
            if not rows.equal(there(table, Rows((), ())))
        ]

    def lost(self, down: Contents, again: Contents) -> Iterator[tuple[Loss, str]]:
        """Yield what was still there after the upgrade and is not later, and after what it is not.

        *down* is what stands there after the downgrade, *again* after the second upgrade.
        """
        down = self._names.forth(down)
        told = set()
        for each in lost(self.after, again, self._compared):
            if each.column is None or not (
                self._is_done_again(each.table, each.column, down)
                or self._is_of_new_rows(each.table, each.column, again)
            ):
                told.add((each.table, each.column))
                yield self._names.back(each), "down and up"
        for each in lost(self._kept, down, self._compared):
            if not {(each.table, each.column), (each.table, None)} & told:
                yield self._names.back(each), "the downgrade"

    def lost_by_downgrade(self, down: Contents) -> Iterator[Loss]:
        """Yield what the upgrade has left as it was, and the downgrade has not: see `lost`."""
        for each in lost(self._kept, self._names.forth(down), self._compared):
            yield self._names.back(each)

    @cached_property
    def _before(self) -> Contents:
        return self._names.forth(self.before)

    @cached_property
    def _changed(self) -> list[Loss]:
        return lost(self._before, self.after, self._compared)

    @cached_property
    def _rewritten(self) -> set[tuple[str, str | None]]:
        return {(each.table, each.column) for each in self._changed}

    def _compared(self, table: str) -> Collection[str] | None:
        """Return what was there before the upgrade, but for what the server sets by itself."""
        rows = self._before.get(table)
        if rows is None:
            return None
        return [each for each in rows.columns if not self._is_set_by_server(table, each)]

    def _has_trigger(self, table: str) -> bool:
        return any(
            key.startswith(f"trigger {table}.") for schema in self.schemas for key in schema.objects
        )

    def _is_set_by_server(self, table: str, column: str) -> bool:
        definitions = (each.objects.get(f"column {table}.{column}", "") for each in self.schemas)
        return any(_SET_BY_SERVER.search(each) for each in definitions)

    @cached_property
    def _kept(self) -> Contents:
        """The rows that the upgrade leaves, in the columns that it does not rewrite."""
        kept = {}
        for table, rows in self._before.items():
            after = self.after.get(table)
            if after is None:
                continue
            if after is rows:
                kept[table] = rows
                continue
            columns = tuple(
                each
                for each in rows.columns
                if each in after.columns and (table, each) not in self._rewritten
            )
            both = Counter(rows.only(columns)) & Counter(after.only(columns))
            kept[table] = Rows(columns, tuple(both.elements()))
        return kept

    def _is_cast(self, table: str, column: str) -> bool:
        """Whether the values of *column* are only written otherwise, as those of another type."""
        after = self.after.get(table)
        if after is None or column not in after.columns:
            return False
        key = f"column {self._names.old(table, column)}", f"column {table}.{column}"
        old, new = (
            schema.objects.get(each) for schema, each in zip(self.schemas, key, strict=True)
        )
        filled = [
            sum(value != NULL for (value,) in rows[table].only([column]))
            for rows in (self._before, self.after)
        ]
        return old != new and filled[0] <= filled[1]

    def _is_of_new_rows(self, table: str, column: str, again: Contents) -> bool:
        """Whether other values are in rows alone that the upgrade adds: a number, the time."""
        if (table, column) in self._rewritten or table not in self._before:
            return False
        old = lost({table: self._before[table]}, again, self._compared)
        return not any(each.column in (column, None) for each in old)

    def _is_done_again(self, table: str, column: str, down: Contents) -> bool:
        """Whether the second upgrade rewrites what it found as the first one had.

        The downgrade had left the values, or had brought those of before back.
        """
        if (table, column) not in self._rewritten:
            return False
        if self._has_trigger(table):
            return True  # which may write the time, or a random number

        def lost_by(old: Contents) -> list[Loss]:
            return lost({table: old[table]} if table in old else {}, down, lambda _: (column,))

        return not lost_by(self.after) or not lost_by(self._before)


@dataclass(frozen=True)
class _Names:
    """What tables and columns of before the upgrade are called after it, where that differs."""

    tables: Mapping[str, str]
    columns: Mapping[str, Mapping[str, str]]
    """By the names of the tables after the upgrade."""

    @classmethod
    def of(cls, before: Contents, after: Contents) -> _Names:
        """Find what is gone and holds the same as something new."""
        new = [each for each in after if each not in before]
        tables: dict[str, str] = {}
        for table, rows in before.items():
            if table not in after:
                same = (each for each in new if _is_same(rows, after[each]))
                name = next((each for each in same if each not in tables.values()), None)
                tables |= {} if name is None else {table: name}
        columns = {}
        for table, rows in before.items():
            name = tables.get(table, table)
            if name in after and after[name] is not rows:
                columns[name] = dict(_renamed_columns(rows, after[name]))
        return cls(tables, {table: names for table, names in columns.items() if names})

    def forth(self, contents: Contents) -> Contents:
        """Return *contents* under the names of after the upgrade."""
        if not self.tables and not self.columns:
            return contents
        found = {}
        for table, rows in contents.items():
            name = self.tables.get(table, table)
            names = self.columns.get(name, {})
            found[name] = Rows(tuple(names.get(each, each) for each in rows.columns), rows.rows)
        return found

    def back(self, loss: Loss) -> Loss:
        """Return *loss* under the names of before the upgrade."""
        table, column = self._old(loss.table, loss.column)
        return Loss(table, column, loss.before, loss.after, loss.example)

    def old(self, table: str, column: str) -> str:
        """Return the whole name that a column had before the upgrade."""
        return ".".join(filter(None, self._old(table, column)))

    def _old(self, table: str, column: str | None) -> tuple[str, str | None]:
        tables = {new: old for old, new in self.tables.items()}
        columns = {new: old for old, new in self.columns.get(table, {}).items()}
        return tables.get(table, table), None if column is None else columns.get(column, column)


def _is_same(old: Rows, new: Rows) -> bool:
    shared = [each for each in old.columns if each in new.columns]
    if not old.rows or 2 * len(shared) < len(old.columns) or not shared:
        return False
    return Counter(old.only(shared)) == Counter(new.only(shared))


def _renamed_columns(old: Rows, new: Rows) -> Iterator[tuple[str, str]]:
    came = [each for each in new.columns if each not in old.columns]
    for column in old.columns:
        if column in new.columns:
            continue
        values = Counter(old.only([column]))
        if set(values) <= {(NULL,)}:
            continue
        same = next((each for each in came if Counter(new.only([each])) == values), None)
        if same is not None:
            came.remove(same)
            yield column, same
