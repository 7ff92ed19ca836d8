"""Types that a database keeps beside its tables, as PostgreSQL does with enums.

Alembic makes one only with a table that is new, and never drops it: a new column of such a type
fails, and a downgrade leaves the type behind.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations.ops import MigrateOperation

Types = Mapping[tuple[str | None, str], Any]
"""Schema and name to the type."""


def missing(
    context: AutogenContext, operations: Collection[MigrateOperation], *, down: bool
) -> tuple[list[Any], list[Any]]:
    """Return the types to make before *operations*, and those to drop after them.

    Without those that tables make, and without any where a hook of the project has operations of
    its own: it may be one for these types.
    """
    from alembic.operations import ops

    flat = list(_flat(operations))
    if not hasattr(context.inspector, "get_enums"):
        return [], []  # this database keeps none
    if any(type(each).__module__ != ops.__name__ for each in flat):
        return [], []
    there, wanted = _existing(context), set(_modelled(context))
    if down:
        there, wanted = wanted, there
    with_tables = _types(
        context, (c for each in flat if isinstance(each, ops.CreateTableOp) for c in each.columns)
    )
    gained = _types(context, _gained(flat))
    lost = _types(context, _lost(flat))
    return (
        [gained[name] for name in sorted(gained.keys() - there - with_tables.keys(), key=str)],
        [lost[name] for name in sorted(lost.keys() - wanted, key=str)],
    )


def _flat(operations: Iterable[Any]) -> Iterator[Any]:
    for each in operations:
        if hasattr(each, "ops"):
            yield from _flat(each.ops)
        else:
            yield each


def _gained(operations: Iterable[Any]) -> Iterator[Any]:
    """Yield columns, or types, that are there after *operations*, but for those of new tables."""
    from alembic.operations import ops

    for each in operations:
        if isinstance(each, ops.AddColumnOp):
            yield each.column
        elif isinstance(each, ops.AlterColumnOp) and each.modify_type is not None:
            yield each.modify_type


def _lost(operations: Iterable[Any]) -> Iterator[Any]:
    """Yield columns, or types, that are gone after *operations*."""
    from alembic.operations import ops

    for each in operations:
        if isinstance(each, ops.DropTableOp) and each._reverse is not None:
            yield from each._reverse.columns
        elif isinstance(each, ops.DropColumnOp) and each._reverse is not None:
            yield each._reverse.column
        elif isinstance(each, ops.AlterColumnOp) and each.modify_type is not None:
            yield each.existing_type


def _types(context: AutogenContext, found: Iterable[Any]) -> Types:
    """Return the types that are kept beside tables, of columns or of types themselves."""
    assert context.dialect is not None
    kept = {}
    for each in found:
        type_ = getattr(each, "type", each)
        if not hasattr(type_, "dialect_impl"):
            continue  # a constraint among the columns of a new table
        impl = type_.dialect_impl(context.dialect)
        # False where the model says that something else makes the type.
        if getattr(impl, "create_type", False) and impl.name:
            kept[impl.schema, str(impl.name)] = type_
    return kept


def _modelled(context: AutogenContext) -> Types:
    metadata: Any = context.metadata
    collections = metadata if isinstance(metadata, list | tuple) else [metadata]
    tables = (table for each in collections if each is not None for table in each.tables.values())
    return _types(context, (column for table in tables for column in table.columns))


def _existing(context: AutogenContext) -> set[tuple[str | None, str]]:
    inspector: Any = context.inspector
    found = inspector.get_enums(schema="*")
    return {(None if each["visible"] else each["schema"], each["name"]) for each in found}
