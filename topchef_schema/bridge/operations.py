"""Hears which of Alembic's operations a statement comes from, without patching its classes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic.operations import ops

from topchef_schema.model import Doing, Effect, TableName

if TYPE_CHECKING:
    from alembic.operations import Operations

    from topchef_schema.bridge.listening import Listener


def attach(operations: Operations, listener: Listener) -> None:
    """Let *listener* know, from now on, what the operation does that sends a statement.

    A batch sends its statements when it ends: they come from all its operations.
    """
    invoke, batch_alter_table = operations.invoke, operations.batch_alter_table

    def heard(operation: ops.MigrateOperation) -> Any:
        with listener.caused_by(effects_of(operation)):
            return invoke(operation)

    @contextmanager
    def heard_batch(*arguments: Any, **keywords: Any) -> Iterator[Any]:
        with listener.caused_by(None), batch_alter_table(*arguments, **keywords) as batch:
            found = _noted(batch)
            yield batch
            listener.effects = tuple(found)

    vars(operations).update(invoke=heard, batch_alter_table=heard_batch)


def _noted(batch: Any) -> list[Effect]:
    found: list[Effect] = []
    invoke = batch.invoke

    def noted(operation: ops.MigrateOperation) -> Any:
        found.extend(effects_of(operation) or ())
        return invoke(operation)

    batch.invoke = noted
    return found


def effects_of(operation: ops.MigrateOperation) -> tuple[Effect, ...] | None:
    """Return what *operation* does to tables; None for one that only its statements can tell of."""
    if isinstance(operation, ops.AlterColumnOp):
        return tuple(_altered(operation))
    for kind, doing in _DOING.items():
        if isinstance(operation, kind):
            return (_effect(doing, operation),)
    return () if isinstance(operation, _HARMLESS) else None


_DOING: dict[type[ops.MigrateOperation], Doing] = {
    ops.CreateTableOp: Doing.CREATE_TABLE,
    ops.RenameTableOp: Doing.RENAME_TABLE,
    ops.DropTableOp: Doing.DROP_TABLE,
    ops.AddColumnOp: Doing.ADD_COLUMN,
    ops.DropColumnOp: Doing.DROP_COLUMN,
}
_HARMLESS = (
    ops.AddConstraintOp,
    ops.DropConstraintOp,
    ops.CreateIndexOp,
    ops.DropIndexOp,
    ops.CreateTableCommentOp,
    ops.DropTableCommentOp,
    ops.BulkInsertOp,
)


def _effect(doing: Doing, operation: Any) -> Effect:
    # Some give the column itself, which Alembic takes on some databases, and which has no truth.
    column = getattr(operation, "column_name", None)
    if column is None:
        column = getattr(operation, "column", None)
    name = None if column is None else str(getattr(column, "name", column))
    return Effect(doing, _table(operation), name, getattr(operation, "new_table_name", None))


def _table(operation: Any) -> TableName:
    return TableName(str(operation.table_name), operation.schema)


def _altered(operation: ops.AlterColumnOp) -> Iterator[Effect]:
    table, column = _table(operation), operation.column_name
    new = operation.modify_type
    if new is not None and not _holds_all(operation.existing_type, new):
        yield Effect(Doing.CHANGE_TYPE, table, column)
    if operation.modify_name is not None:
        yield Effect(Doing.RENAME_COLUMN, table, column, operation.modify_name)


def _holds_all(old: Any, new: Any) -> bool:
    """Whether every value of the type *old* certainly is one of *new*."""
    old, new = (sa.types.to_instance(each) for each in (old, new))
    if isinstance(old, sa.Enum) or isinstance(new, sa.Enum):
        return False
    if isinstance(old, sa.String) and isinstance(new, sa.String):
        if new.length is None:
            return isinstance(new, sa.Text) is isinstance(old, sa.Text)
        return old.length is not None and old.length <= new.length
    return isinstance(new, sa.BigInteger) and isinstance(old, sa.Integer)
