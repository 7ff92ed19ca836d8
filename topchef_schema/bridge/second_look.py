"""Brings into Alembic's comparison what it is blind to, and what the catalogs tell.

SQLAlchemy reads back less than there is. Of an index on SQLite, MariaDB or MySQL it knows neither
the order nor the expressions: equal ones would be made anew each time, and a downgrade would make
others than there were.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations.ops import (
        AlterColumnOp,
        CreateIndexOp,
        DropIndexOp,
        MigrateOperation,
        ModifyTableOps,
        UpgradeOps,
    )
    from alembic.runtime.migration import MigrationContext
    from sqlalchemy.types import TypeEngine

Key = tuple[str | None, str, str]
"""Schema, table, and the name of its column or index."""

_SKIPPED = (
    "autogenerate skipping metadata-specified expression-based index",
    "Skipped unsupported reflection of expression-based index",
)
"""What Alembic and SQLAlchemy say of an index that `correct_indexes` adds."""

_CONSTANT = re.compile(r"'(?P<text>(?:[^'\\]|'')*)'(?:::[a-z ]+(?:\(\d+(?:,\d+)?\))?)?")
"""As the catalogs print it. MariaDB and MySQL write some characters with a backslash."""

_TAKEN_FOR_VALUE = re.compile(r"\\(?=:\w*(?![:\w]))|(?<![:\w\\])(?=:\w+(?![:\w]))")
"""In what follows, SQLAlchemy's text() sees the name of a value, or that there is none."""


def for_text(sql: str) -> str:
    """Return *sql* for SQLAlchemy's text(), which takes ``:word`` in it for a value to come."""
    return _TAKEN_FOR_VALUE.sub(r"\\\g<0>", sql)


@dataclass(frozen=True, slots=True)
class Part:
    """What an index sorts by: the name of a column, or SQL where that does not say all."""

    text: str
    is_name: bool


@dataclass(frozen=True, slots=True)
class Index:
    """An index, as far as ``op.create_index`` takes it on every database."""

    unique: bool
    parts: tuple[Part, ...]

    @property
    def is_plain(self) -> bool:
        """Whether SQLAlchemy knows all of it, too."""
        return all(each.is_name for each in self.parts)


@dataclass(frozen=True, slots=True)
class SecondLook:
    """What two catalogs tell: that of the revisions, and that of the models.

    *columns* are those of the revisions whose types SQLAlchemy does not know again. The rest is
    empty where the two are not *compared*: *types* are columns whose types differ, *defaults* those
    whose defaults do, with that of the revisions; *equal* are indexes that do not differ, *other*
    those that do, with what the revisions make of them. None stands for nothing there.
    """

    columns: Mapping[Key, TypeEngine[Any]] = field(default_factory=dict)
    compared: bool = False
    types: Collection[Key] = frozenset()
    defaults: Mapping[Key, str | None] = field(default_factory=dict)
    equal: Collection[Key] = frozenset()
    other: Mapping[Key, Index | None] = field(default_factory=dict)


@contextmanager
def comparing(migration: MigrationContext, look: SecondLook) -> Iterator[None]:
    """Let Alembic know of the columns that differ, where env.py lets it compare these."""
    chosen = migration._user_compare_type
    migration._user_compare_type = _knowing(chosen, look.types)
    try:
        with warnings.catch_warnings(), _read_as(look.columns):
            for message in _SKIPPED if look.compared else ():
                warnings.filterwarnings("ignore", message)
            yield
    finally:
        migration._user_compare_type = chosen


@contextmanager
def _read_as(columns: Mapping[Key, TypeEngine[Any]]) -> Iterator[None]:
    """Let tables that are read meanwhile have these types."""
    from sqlalchemy import Table, event

    def read(inspector: Any, table: Any, column: Any) -> None:
        known = columns.get((table.schema, table.name, column["name"]))
        column["type"] = column["type"] if known is None else known

    event.listen(Table, "column_reflect", read)
    try:
        yield
    finally:
        event.remove(Table, "column_reflect", read)


def _knowing(chosen: Any, others: Collection[Key]) -> Any:
    """Return a comparison that is *chosen*, but knows of *others*."""
    if chosen is False or not others:
        return chosen

    def differs(context: Any, inspected: Any, column: Any, *sides: Any) -> bool | None:
        said = chosen(context, inspected, column, *sides) if callable(chosen) else None
        if said is None and (column.table.schema, column.table.name, column.name) in others:
            return True
        return said if said is None else bool(said)

    return differs


def correct_defaults(upgrade: UpgradeOps, context: AutogenContext, look: SecondLook) -> None:
    """Let *upgrade* change the defaults that differ, unless env.py compares them in its own way.

    Alembic compares them only where env.py says ``compare_server_default=True``.
    """
    from alembic.operations import ops

    assert context.migration_context is not None
    if callable(context.migration_context._user_compare_server_default):
        return
    tables = {
        (each.schema, each.table_name): each
        for each in upgrade.ops
        if isinstance(each, ops.ModifyTableOps)
    }
    modelled = dict(_modelled_columns(context))
    for key, revised in look.defaults.items():
        column, (schema, name, _) = modelled[key], key
        if not _is_wanted(context, column, column.name, "column"):
            continue
        if (schema, name) not in tables:
            tables[schema, name] = ops.ModifyTableOps(name, [], schema=schema)
            upgrade.ops.append(tables[schema, name])
        change = _alteration(tables[schema, name], column)
        change.existing_server_default = _default_of(revised)
        change.modify_server_default = column.server_default
        dropped = None in (revised, column.server_default)
        if dropped and column.nullable and change.modify_nullable is None:
            # MySQL leaves not even NULL, and refuses rows without a value (its error 1364), unless
            # the column is stated as a whole.
            change.modify_nullable = change.existing_nullable = True


def _alteration(table: ModifyTableOps, column: Any) -> AlterColumnOp:
    """Return the operation that alters *column*, which may be a new one."""
    from alembic.operations import ops

    for each in table.ops:
        if isinstance(each, ops.AlterColumnOp) and each.column_name == column.name:
            return each
    change = ops.AlterColumnOp(
        table.table_name,
        column.name,
        schema=table.schema,
        existing_type=column.type,
        existing_nullable=column.nullable,
        existing_comment=column.comment,
    )
    table.ops = [*table.ops, change]
    return change


def _default_of(sql: str | None) -> Any:
    from sqlalchemy import DefaultClause

    if sql is None:
        return None
    constant = _CONSTANT.fullmatch(sql)
    if constant is not None:
        return DefaultClause(constant["text"].replace("''", "'"))
    return DefaultClause(_written(sql))


def _written(sql: str) -> Any:
    """Return *sql* as text() that Alembic writes as text(): it is read twice."""
    from sqlalchemy import text

    return text(for_text(for_text(sql)))


def _is_wanted(
    context: AutogenContext, part: Any, name: str, kind: str, *, reflected: bool = False
) -> bool:
    """Whether ``include_object`` of env.py lets a *part* of a table be compared."""
    filters: Any = context.run_object_filters
    table = part.table
    return bool(
        filters(table, table.name, "table", reflected=False, compare_to=None)
        and filters(part, name, kind, reflected=reflected, compare_to=None)
    )


def correct_indexes(upgrade: UpgradeOps, context: AutogenContext, look: SecondLook) -> None:
    """Let *upgrade* say of indexes what the catalogs say."""
    from alembic.operations import ops

    found = _Indexes(context, look)
    kept: list[MigrateOperation] = []
    for each in upgrade.ops:
        if isinstance(each, ops.ModifyTableOps):
            each.ops = [one for one in each.ops if found.stays(one)]
            if not each.ops:
                continue
        kept.append(each)
    found.add_unseen()
    upgrade.ops = [*found.first, *kept, *found.last]


class _Indexes:
    """Sorts the operations on indexes; some come before all others, or after these.

    A batch that makes a table anew takes no part in indexes with expressions: it cannot see one
    that is there, and would make a new one without them.
    """

    def __init__(self, context: AutogenContext, look: SecondLook) -> None:
        self.first: list[DropIndexOp] = []
        self.last: list[CreateIndexOp] = []
        self._context = context
        self._look = look
        self._seen: set[Key] = set()

    def stays(self, operation: MigrateOperation) -> bool:
        """Whether *operation*, which may be corrected, stays where it is."""
        from alembic.operations import ops

        if not isinstance(operation, ops.DropIndexOp | ops.CreateIndexOp):
            return True
        # Alembic cuts a name that is too long for this database only when it writes it.
        name = _final_name(operation.to_index(), self._context)
        key = (operation.schema, str(operation.table_name), name)
        if key in self._look.equal:
            return False
        self._seen.add(key)
        if isinstance(operation, ops.DropIndexOp):
            revised = self._look.other.get(key)
            if revised is not None and not revised.is_plain:
                operation._reverse = _created(key, revised)
                operation.kw["unique"] = revised.unique
        return not self._context.opts.get("render_as_batch") or self._is_plain(operation)

    def _is_plain(self, operation: DropIndexOp | CreateIndexOp) -> bool:
        """Whether a batch can do it; else it is put before all others, or after them."""
        from alembic.operations import ops
        from sqlalchemy import Column

        if all(isinstance(each, Column) for each in operation.to_index().expressions):
            return True
        if isinstance(operation, ops.DropIndexOp):
            self.first.append(operation)
        else:
            self.last.append(operation)
        return False

    def add_unseen(self) -> None:
        """Add what Alembic has not found: it leaves out what SQLAlchemy does not read back."""
        from alembic.operations import ops

        modelled = dict(_modelled_indexes(self._context))
        for key in sorted(self._look.other.keys() - self._seen, key=str):
            revised, index = self._look.other[key], modelled.get(key)
            if index is None and (revised is None or revised.is_plain):
                continue  # of a constraint
            if not self._is_wanted(key, index):
                continue
            if revised is not None:
                self.first.append(_dropped(key, revised))
            if index is not None:
                self.last.append(ops.CreateIndexOp.from_index(index))

    def _is_wanted(self, key: Key, index: Any) -> bool:
        """Whether the filters of env.py let an index be compared; *index* is that of the models."""
        schema, table, name = key
        parents: Any = {"schema_name": schema, "table_name": table}
        reflected = index is None
        if reflected:
            index = _dropped(key, Index(unique=False, parts=())).to_index()
        return self._context.run_name_filters(name, "index", parents) and _is_wanted(
            self._context, index, name, "index", reflected=reflected
        )


def _created(key: Key, index: Index) -> CreateIndexOp:
    from alembic.operations import ops

    schema, table, name = key
    parts = [each.text if each.is_name else _written(each.text) for each in index.parts]
    return ops.CreateIndexOp(name, table, parts, schema=schema, unique=index.unique)


def _dropped(key: Key, index: Index) -> DropIndexOp:
    from alembic.operations import ops
    from sqlalchemy.sql.elements import conv

    schema, table, name = key
    return ops.DropIndexOp(
        conv(name), table, schema=schema, _reverse=_created(key, index), unique=index.unique
    )


def _modelled_indexes(context: AutogenContext) -> Iterator[tuple[Key, Any]]:
    """Yield the indexes of the models, by the names that they get."""
    for table in _tables(context):
        for index in table.indexes:
            yield (table.schema, table.name, _final_name(index, context)), index


def _final_name(index: Any, context: AutogenContext) -> str:
    from alembic.util.sqla_compat import _get_constraint_final_name

    return str(_get_constraint_final_name(index, context.dialect))


def _modelled_columns(context: AutogenContext) -> Iterator[tuple[Key, Any]]:
    for table in _tables(context):
        for column in table.columns:
            yield (table.schema, table.name, column.name), column


def _tables(context: AutogenContext) -> Iterator[Any]:
    metadata: Any = context.metadata
    collections = metadata if isinstance(metadata, list | tuple) else [metadata]
    yield from (table for each in collections if each for table in each.tables.values())
