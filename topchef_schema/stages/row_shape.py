"""The rows of one table: what to try to insert, from the most telling to the plainest."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from topchef_schema.stages.row_values import Values, of_few, values

if TYPE_CHECKING:
    from sqlalchemy import Column, ForeignKeyConstraint, Table

Parents = Callable[["ForeignKeyConstraint"], Sequence[Mapping[str, Any]]]
"""Returns the rows that a foreign key can lead to: its columns, by their names there."""

_LITERAL = re.compile(r"'((?:[^'\\]|''|\\.)*)'|(?<![\w.':])(-?\d+)(?![\w.'])")

_NEAR = 3
"""Values at, above and below a number in a CHECK."""

LEAST = 3
"""Rows in each table: filled, NULL where it may be, filled again."""


@dataclass(frozen=True, slots=True)
class _Filled:
    """A column and its values; *checked* are those that a CHECK names.

    A *distinct* one may not have a value twice.
    """

    column: Column[Any]
    usual: Values | None
    checked: Values | None
    distinct: bool

    @property
    def telling(self) -> tuple[Any, ...]:
        """The values that are each to stand in a row."""
        if self.distinct and self._counts:
            # Keys at the end of what a column can count to leave the revision no next one.
            return ()
        named = self.checked.edges if self.checked else ()
        if self.checked and self.checked.few:
            return named
        return (*named, *(self.usual.edges if self.usual else ()))

    @property
    def _counts(self) -> bool:
        import sqlalchemy as sa

        return isinstance(self.column.type, sa.Integer)

    def plain(self, number: int) -> Any:
        """Return a value such as most rows hold."""
        known = self.checked or self.usual
        return self._null if known is None else known.plain(number)

    def unchecked(self, number: int) -> Any:
        """Return a plain value, whatever the CHECK seems to name."""
        return self._null if self.usual is None else self.usual.plain(number)

    @property
    def _null(self) -> Any:
        return _null(self.column)

    def null_or_plain(self, number: int) -> Any:
        """Return NULL where that may be."""
        nullable = self.column.nullable and not self.column.primary_key
        return self._null if nullable else self.plain(number)


class Shape:
    """The rows for *table*, in which *old* ones stand already.

    *checks* are the definitions that speak of a CHECK. With *plain* rows nothing lies at the edges,
    is NULL where it need not be, or stands there twice.
    """

    def __init__(
        self,
        table: Table,
        checks: Sequence[str],
        parents: Parents,
        old: int,
        *,
        plain: bool = False,
    ) -> None:
        self._plain = plain
        self._keys = sorted(table.foreign_key_constraints, key=lambda key: str(key.column_keys))
        self._parents = parents
        self._old = old
        self._leading = {each.parent for key in self._keys for each in key.elements}
        distinct = set(_distinct(table, self._leading))
        self._columns = [
            _Filled(each, values(each.type), _checked(each, checks), each.name in distinct)
            for each in table.columns
            if each not in self._leading and not _is_made_by_server(each)
        ]

    @property
    def needed(self) -> int:
        """How many rows it takes for every telling value to stand in one, and for a duplicate."""
        if self._plain:
            return LEAST
        telling = max((len(each.telling) for each in self._columns), default=0)
        return max(LEAST, 3 + telling, 3 + _NEAR * len(self._checked))

    @property
    def _checked(self) -> list[_Filled]:
        return [each for each in self._columns if each.checked]

    def attempts(self, number: int) -> Iterator[dict[str, Any]]:
        """Yield what to try for a row, the plainest last."""
        own = self._old + number
        nulls = number == 1 and not self._plain
        tried: list[dict[str, Any]] = []
        telling = () if self._plain else (self._telling(number), self._at_a_check(number))
        for row in (
            *telling,
            self._row(lambda each, place: each.plain(own + place)),
            self._row(lambda each, place: each.unchecked(own + len(self._columns) - place)),
            self._row(lambda each, _: each.null_or_plain(own)),
        ):
            for each in (row | self._led(own, nulls=nulls), row | self._led(own, nulls=True)):
                if each not in tried:
                    tried.append(each)
                    yield each

    def _telling(self, number: int) -> dict[str, Any]:
        """Return a plain row, one of NULLs, one for each of the telling values, and a duplicate."""
        own = self._old + number
        if number == 1:
            return self._row(lambda each, _: each.null_or_plain(own))
        if number == 0 or number == self.needed - 1:
            first = {each.column.name: each.plain(self._old) for each in self._columns}
            return first | {
                each.column.name: each.plain(own) for each in self._columns if each.distinct
            }

        def telling(each: _Filled, place: int) -> Any:
            found = each.telling
            turn = number - 2
            if not found or (each.distinct and (self._old or turn >= len(found))):
                return each.plain(own)
            return found[turn % len(found)]

        return self._row(telling)

    def _at_a_check(self, number: int) -> dict[str, Any]:
        """Return a plain row, but for a value at the edge of what one CHECK lets through."""
        own, turn = self._old + number, max(number - 2, 0)
        row = self._row(lambda each, place: each.plain(own + place))
        if self._checked:
            one = self._checked[turn % len(self._checked)]
            if one.telling and not one.distinct:
                row[one.column.name] = one.telling[turn // len(self._checked) % len(one.telling)]
        return row

    def _row(self, value: Callable[[_Filled, int], Any]) -> dict[str, Any]:
        """Return a row; a distinct column counts for itself, without its *place*."""
        return {
            each.column.name: value(each, 0 if each.distinct else place)
            for place, each in enumerate(self._columns)
        }

    def _led(self, number: int, *, nulls: bool) -> dict[str, Any]:
        """Return the foreign keys: NULL where there is nothing to lead to, or with *nulls*."""
        found: dict[str, Any] = {}
        for key in self._keys:
            columns = [each.parent for each in key.elements]
            nullable = any(each.nullable and not each.primary_key for each in columns)
            parents = () if nulls and nullable else self._parents(key)
            for each in key.elements:
                name = each.parent.name
                if parents:
                    parent = parents[number % len(parents)]
                    found[name] = parent[each.target_fullname.rpartition(".")[2]]
                elif each.parent.nullable and not each.parent.primary_key:
                    found[name] = _null(each.parent)
                else:
                    usual = values(each.parent.type)
                    found.setdefault(name, usual.plain(number) if usual else None)
        return found


def _null(column: Column[Any]) -> Any:
    import sqlalchemy as sa

    # None would be the null of JSON.
    return sa.null() if isinstance(column.type, sa.JSON) else None


def _is_made_by_server(column: Column[Any]) -> bool:
    """Whether the server gives the value: also the next number, or a revision would get it too."""
    import sqlalchemy as sa

    if column.computed is not None or column.identity is not None:
        return True
    counts = column.primary_key and isinstance(column.type, sa.Integer)
    return counts and column.server_default is not None


def _distinct(table: Table, leading: set[Column[Any]]) -> Iterator[str]:
    """Yield, for each set of columns that is unique, one that can differ in each row."""
    import sqlalchemy as sa

    sets = [list(table.primary_key.columns)]
    sets += [
        list(each.columns) for each in table.constraints if isinstance(each, sa.UniqueConstraint)
    ]
    sets += [list(each.columns) for each in table.indexes if each.unique]
    for columns in sets:
        free = [each for each in columns if each not in leading]
        many = [each for each in free if (found := values(each.type)) and not found.few]
        if many or free:
            yield (many or free)[0].name


def _checked(column: Column[Any], checks: Sequence[str]) -> Values | None:
    """Return the values that a CHECK on *column* names, and those beside a number."""
    import sqlalchemy as sa

    word = re.compile(rf"\b{re.escape(column.name)}\b", re.IGNORECASE)
    parts = [each[each.lower().index("check") :] for each in checks]
    found = [each for part in parts if word.search(part) for each in _LITERAL.finditer(part)]
    if isinstance(column.type, sa.String):
        said = (each[1] for each in found if each[1] is not None)
        texts = dict.fromkeys(each.replace("''", "'").replace("\\'", "'") for each in said)
        return of_few(tuple(texts)) if texts else None
    usual = values(column.type)
    if isinstance(column.type, sa.Numeric | sa.Integer) and usual and not usual.few:
        numbers = [int(each[2]) for each in found if each[2] is not None]
        near = dict.fromkeys(number + step for number in numbers for step in (0, 1, -1))
        least = min(numbers, default=0)
        return Values(lambda number: least + 1 + number, tuple(near)) if near else None
    return None
