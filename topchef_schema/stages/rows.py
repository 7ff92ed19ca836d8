"""Fills the tables of a scratch database with rows that fit whatever schema is there.

Tables are filled once, and get more rows when their columns change: so the rows of a revision hold
what the schema below it can hold, and never what only a later one has room for.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from topchef_schema.model import Snapshot, diff
from topchef_schema.stages import row_insertion
from topchef_schema.stages.contents import Contents, Rows, Watch, quoted
from topchef_schema.stages.row_order import parents_first, target
from topchef_schema.stages.row_shape import Shape
from topchef_schema.stages.row_tables import Tables

if TYPE_CHECKING:
    from sqlalchemy import Connection, ForeignKeyConstraint, Table

MOST = 500
"""No more rows of our making in one table, however often its columns change."""

_PARENTS = 50


@dataclass(frozen=True, slots=True)
class Sown:
    """How many rows of our making there are, by table, and whether those were *plain* ones.

    *schema* is that of the tables when they were filled.
    """

    made: Mapping[str, int] = field(default_factory=dict)
    plain: bool = False
    schema: Snapshot = field(default_factory=lambda: Snapshot({}))

    def __bool__(self) -> bool:
        return bool(self.made)


@dataclass
class Seeds:
    """The rows of our making in one scratch database, in which *watch* knows what stands where.

    False as long as there is no row of our making.
    """

    watch: Watch
    made: dict[str, int] = field(default_factory=dict)
    _schema: Snapshot = field(default_factory=lambda: Snapshot({}))
    _plain: bool = False

    def __bool__(self) -> bool:
        return bool(self.made)

    @property
    def sown(self) -> Sown:
        """What is to be taken over by whoever goes on in this database."""
        return Sown(self.made, self._plain, self._schema)

    def take_over(self, sown: Sown) -> None:
        """Go on where somebody else has sown the rows that are there."""
        self.made, self._plain, self._schema = dict(sown.made), sown.plain, sown.schema

    def others(self, connection: Connection, schema: Snapshot) -> dict[str, int]:
        """Return how many rows there are that are not of our making, by table."""
        there = self.watch.now(connection, schema)
        counts = {name: len(rows.rows) - self.made.get(name, 0) for name, rows in there.items()}
        return {name: count for name, count in counts.items() if count}

    def fill(self, connection: Connection, schema: Snapshot, *, plain: bool = False) -> Contents:
        """Fill what is empty, or has got other columns; return what stands there now. Commits.

        With *plain* rows nothing lies at the edges, is NULL or stands there twice. A table whose
        rows the server refuses (a CHECK that cannot be guessed) stays empty.
        """
        there = self.watch.now(connection, schema)
        wanted = {
            name
            for name in _changed(self._schema, schema) & there.keys()
            if (not there[name].rows or 0 < self.made.get(name, 0) < MOST)
        }
        wanted |= {
            name
            for name in self.made
            if name in there and (not there[name].rows or (self._plain and not plain))
        }
        self._schema, self._plain = schema, plain
        if wanted:
            names = {name: each for name, each in self.watch.names.items() if name in wanted}
            columns = self.watch.following.columns
            filler = _Filler(connection, Tables(connection, schema, names, columns), there)
            for name, number in filler.fill(plain=plain):
                self.made[name] = self.made.get(name, 0) + number
            connection.commit()
            self.watch.stale()
            there = self.watch.now(connection, schema)
        return there

    def clear(self, connection: Connection, schema: Snapshot) -> bool:
        """Delete the rows of our making; return whether they are gone. Commits, or does nothing.

        They stay where a revision has put its own rows beside them, or leads to them.
        """
        from sqlalchemy.exc import SQLAlchemyError

        there, names = self.watch.now(connection, schema), self.watch.names
        waiting = {name for name in self.made if name in there}
        alone = all(len(there[name].rows) in (0, self.made[name]) for name in waiting)
        while waiting and alone:
            gone = set()
            for name in waiting:
                try:
                    with connection.begin_nested():
                        connection.exec_driver_sql(f"DELETE FROM {quoted(connection, names[name])}")
                except SQLAlchemyError:
                    continue  # another one leads to it
                gone.add(name)
            if not gone:
                break
            waiting -= gone
        self.watch.stale()
        if waiting:
            connection.rollback()
            return False
        connection.commit()
        self.made = {}
        self._schema = Snapshot({})
        return True


def _changed(old: Snapshot, new: Snapshot) -> set[str]:
    """Return the tables that came, or whose columns have other definitions, or types of them."""
    found = set()
    for each in diff(old, new).changes:
        if each.after is None:
            continue
        if each.kind == "table":
            found.add(each.name)
        elif each.kind == "column":
            found |= {cause.partition(" ")[2] for cause in each.possible_causes}
        elif each.kind in ("enum", "domain"):
            word = each.name.rpartition(".")[2]
            columns = (key for key, said in new.objects.items() if word in said)
            found |= {
                key.partition(" ")[2].rpartition(".")[0]
                for key in columns
                if key.startswith("column ")
            }
    return found


@dataclass
class _Filler:
    """Fills *tables*, in an order in which their foreign keys can be kept."""

    connection: Connection
    tables: Tables
    there: Mapping[str, Rows]
    _home: str | None = None
    _parents: dict[tuple[Any, ...], list[Mapping[str, Any]]] = field(default_factory=dict)

    def fill(self, *, plain: bool) -> Iterator[tuple[str, int]]:
        """Yield each table that got rows, and how many."""
        import sqlalchemy as sa

        self._home = sa.inspect(self.connection).default_schema_name
        reflected = self.tables.reflected()
        with warnings.catch_warnings():
            # That a database has no type for exact numbers is none of our business here.
            warnings.simplefilter("ignore")
            for name in parents_first(reflected, self._home):
                made = self._fill(name, reflected[name], plain=plain)
                if made:
                    yield name, made
            for table in reflected.values():
                self._close_circles(table)

    @property
    def _alone(self) -> bool:
        """Whether nothing else is in the transaction, so that it can be undone as a whole."""
        return len(self.tables.names) == 1 and not self.connection._is_autocommit_isolation()

    def _fill(self, name: str, table: Table, *, plain: bool) -> int:
        """Insert rows; return how many the server took."""
        old = len(self.there[name].rows)
        shape = Shape(table, self.tables.checks(name), self._parents_of, old, plain=plain)
        made = self._insert_all(table, shape) or self._insert_each(table, shape)
        self._parents = {
            key: rows
            for key, rows in self._parents.items()
            if key[:2] != (table.schema, table.name)
        }
        return made

    def _insert_all(self, table: Table, shape: Shape) -> int:
        """Insert what is to be tried first; return how many, none where one is refused."""
        from sqlalchemy.exc import SQLAlchemyError

        try:
            rows = [next(iter(shape.attempts(number))) for number in range(shape.needed)]
            with nullcontext() if self._alone else self.connection.begin_nested():
                row_insertion.insert(self.connection, table, rows)
        except (SQLAlchemyError, ValueError, TypeError, ArithmeticError):
            if self._alone:
                self.connection.rollback()
            return 0
        return shape.needed

    def _insert_each(self, table: Table, shape: Shape) -> int:
        """Insert rows, each in a savepoint and as telling as the server takes it."""
        from sqlalchemy.exc import SQLAlchemyError

        made = 0
        for number in range(shape.needed):
            for row in shape.attempts(number):
                try:
                    with self.connection.begin_nested():
                        self.connection.execute(table.insert().inline(), row)
                except (SQLAlchemyError, ValueError, TypeError, ArithmeticError):
                    continue
                made += 1
                break
            if number == _HOPELESS and not made:
                break
        return made

    def _parents_of(self, key: ForeignKeyConstraint) -> list[Mapping[str, Any]]:
        """Return rows that *key* can lead to: the columns of it, by their names there."""
        import sqlalchemy as sa
        from sqlalchemy.exc import SQLAlchemyError

        schema, name = target(key, self._home)
        columns: list[Any] = [
            sa.column(each.target_fullname.rpartition(".")[2], each.parent.type)
            for each in key.elements
        ]
        known = schema, name, *(each.name for each in columns)
        if known not in self._parents:
            source = sa.table(name, *columns, schema=schema)
            asked = sa.select(*source.c).order_by(*source.c).limit(_PARENTS)
            try:
                with self.connection.begin_nested():
                    found: list[Any] = list(self.connection.execute(asked).mappings())
            except (SQLAlchemyError, ValueError):
                return []
            self._parents[known] = [each for each in found if None not in each.values()]
        return self._parents[known]

    def _close_circles(self, table: Table) -> None:
        """Let the rows lead somewhere whose foreign keys could not when they were made."""
        import sqlalchemy as sa
        from sqlalchemy.exc import SQLAlchemyError

        for key in table.foreign_key_constraints:
            columns = [each.parent for each in key.elements]
            if not all(each.nullable for each in columns):
                continue
            parents = self._parents_of(key)
            keys = list(table.primary_key.columns)
            if not parents or not keys:
                continue
            empty = sa.select(*keys).where(*(each.is_(None) for each in columns)).limit(3)
            try:
                with self.connection.begin_nested():
                    rows = self.connection.execute(empty).all()
                    for number, row in enumerate(rows[1:]):
                        where = [each == value for each, value in zip(keys, row, strict=True)]
                        led = _led(key, parents, number)
                        self.connection.execute(table.update().where(*where).values(led))
            except (SQLAlchemyError, ValueError, TypeError):
                continue


_HOPELESS = 8
"""So many rows are tried in a table that takes none."""


def _led(
    key: ForeignKeyConstraint, parents: Sequence[Mapping[str, Any]], number: int
) -> dict[str, Any]:
    parent = parents[number % len(parents)]
    return {
        each.parent.name: parent[each.target_fullname.rpartition(".")[2]] for each in key.elements
    }
