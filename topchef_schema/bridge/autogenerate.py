"""Compares the model metadata with a database, and writes the difference as operations."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from topchef_schema.bridge import named_types
from topchef_schema.bridge.second_look import (
    SecondLook,
    comparing,
    correct_defaults,
    correct_indexes,
)

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations.ops import AlterColumnOp, MigrateOperation

    from topchef_schema.bridge.session import Session

_MADE = ".create(op.get_bind(), checkfirst=False)"
_DROPPED = ".drop(op.get_bind(), checkfirst=False)"
_MARK = re.compile(r"\bREFLECTED_TYPE_\d+\b")


@dataclass(frozen=True, slots=True)
class Operation:
    """One call of ``op`` as Python text; *within* is the ``with`` line of the batch it is in.

    A type that was read from the database says the same thing in the words of each: it stands in
    *reflected*, and `mark` of its position in *text*.
    """

    text: str
    within: str | None = None
    reflected: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Generated:
    """The operations for one backend, and the import lines they need."""

    upgrades: tuple[Operation, ...]
    downgrades: tuple[Operation, ...]
    imports: frozenset[str]


def mark(position: int) -> str:
    """Return the name that stands in an operation's text for its reflected type."""
    return f"REFLECTED_TYPE_{position}"


def generate(session: Session, look: SecondLook, *, in_batches: bool) -> Generated:
    """Compare the metadata of env.py with the database of *session*, which must be at heads.

    *look* is what the catalogs tell of both. *in_batches* is how this database needs the
    operations, where env.py does not say.
    """
    from alembic.autogenerate import compare
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations import ops

    migration = session.context
    rendered = _Rendering(migration.opts.get("render_item"))
    said = session.configured.in_batches
    opts = {"render_item": rendered.item, "render_as_batch": in_batches if said is None else said}
    context = AutogenContext(migration, opts={**migration.opts, **opts})
    upgrade, downgrade = ops.UpgradeOps([]), ops.DowngradeOps([])
    script = ops.MigrationScript(
        rev_id="", message="", upgrade_ops=upgrade, downgrade_ops=downgrade
    )
    with comparing(migration, look):
        compare._populate_migration_script(context, script)
    correct_defaults(upgrade, context, look)
    correct_indexes(upgrade, context, look)
    upgrade.reverse_into(downgrade)
    hook = migration.opts.get("process_revision_directives")
    directives = [script]
    if hook is not None:
        hook(migration, session.heads(), directives)
    if not directives:
        # The documented way for a hook to say: no revision is wanted.
        return Generated((), (), frozenset())
    return Generated(
        upgrades=rendered.operations(context, directives[0].upgrade_ops_list, down=False),
        downgrades=rendered.operations(context, directives[0].downgrade_ops_list, down=True),
        imports=frozenset(context.imports),
    )


def left_out(session: Session, tables: Collection[tuple[str | None, str]]) -> list[bool]:
    """Say of each of *tables* (schema, name) whether env.py keeps it out of comparisons."""
    import sqlalchemy as sa
    from alembic.autogenerate.api import AutogenContext

    migration = session.context
    context = AutogenContext(migration, metadata=sa.MetaData(), opts=migration.opts)
    found = []
    for schema, name in tables:
        parents: Any = {"schema_name": schema}
        wanted = context.run_name_filters(name, "table", parents)
        table = sa.Table(name, sa.MetaData(), schema=schema)
        wanted = wanted and context.run_object_filters(
            table, name, "table", reflected=True, compare_to=None
        )
        found.append(not wanted)
    return found


class _Rendering:
    """Writes operations, keeping apart the types that were read from the database."""

    def __init__(self, project_hook: Callable[[str, Any, Any], Any] | None) -> None:
        self._project_hook = project_hook
        self._reflected: dict[int, Any] = {}
        self._written: dict[str, str] = {}

    def operations(
        self, context: AutogenContext, containers: list[Any], *, down: bool
    ) -> tuple[Operation, ...]:
        """Return the operations of *containers*, one by one also where they are in a batch."""
        from alembic.autogenerate.render import _repr_type

        found: list[Operation] = []
        for container in containers:
            made, dropped = named_types.missing(context, container.ops, down=down)
            for type_ in made:
                found.append(Operation(f"{_repr_type(type_, context)}{_MADE}"))
            for operation in _without_lost_indexes(container.ops):
                found += self._sorted(context, operation)
            for type_ in dropped:
                found.append(Operation(f"{_repr_type(type_, context)}{_DROPPED}"))
        return tuple(found)

    def item(self, kind: str, item: Any, context: Any) -> Any:
        """Do what a ``render_item`` does."""
        if kind == "type" and id(item) in self._reflected:
            from alembic.autogenerate.render import _repr_type

            del self._reflected[id(item)]
            name = mark(len(self._written))
            self._written[name] = _repr_type(item, context)
            return name
        hook = self._project_hook
        return hook(kind, item, context) if hook is not None else False

    def _sorted(self, context: AutogenContext, operation: MigrateOperation) -> Iterator[Operation]:
        """Write an operation; those on foreign keys by name, where Alembic's order is a set's."""
        from alembic.operations import ops

        if not isinstance(operation, ops.ModifyTableOps):
            yield from self._rendered(context, operation)
            return
        keys = (ops.DropConstraintOp, ops.CreateForeignKeyOp)
        for kind, run in groupby(operation.ops, key=type):
            found = [
                each
                for one in run
                for each in self._rendered(
                    context,
                    ops.ModifyTableOps(operation.table_name, [one], schema=operation.schema),
                )
            ]
            yield from sorted(found, key=str) if kind in keys else found

    def _rendered(self, context: AutogenContext, operation: MigrateOperation) -> list[Operation]:
        from alembic.autogenerate.render import _render_cmd_body
        from alembic.operations import ops

        for each in getattr(operation, "ops", ()):
            if isinstance(each, ops.AlterColumnOp):
                self._prepare(each, context.metadata)
        self._written.clear()
        text = _render_cmd_body(ops.UpgradeOps([operation]), context)
        lines = [line for line in text.splitlines() if line and not line.startswith("# ###")]
        if lines in ([], ["pass"]):
            return []
        if lines[0].startswith("with "):
            body = "\n".join(line.removeprefix("    ") for line in lines[1:])
            return [self._operation(body, lines[0].replace(", schema=None", ""))]
        return [self._operation("\n".join(lines), None)]

    def _operation(self, text: str, within: str | None) -> Operation:
        found = list(dict.fromkeys(_MARK.findall(text)))
        numbered = _MARK.sub(lambda match: mark(found.index(match[0])), text)
        return Operation(numbered, within, tuple(self._written[name] for name in found))

    def _prepare(self, operation: AlterColumnOp, metadata: Any) -> None:
        """Say what stays as the model says it, and note which type the database has said.

        The type and default that stay are needed by databases that can only restate a column as
        a whole; they are the same on both sides, and the model's words are the same everywhere.
        """
        if operation.modify_type is not None:
            # The model's type may be unhashable or shared; only the reflected one is one of a kind.
            column = _column(operation, metadata)
            for type_ in (operation.existing_type, operation.modify_type):
                if column is None or type_ is not column.type:
                    self._reflected[id(type_)] = type_
            return
        column = _column(operation, metadata)
        if column is None:
            return
        operation.existing_type = column.type
        if operation.modify_server_default is False and operation.existing_server_default:
            operation.existing_server_default = column.server_default


def _without_lost_indexes(operations: list[MigrateOperation]) -> Iterator[MigrateOperation]:
    """Leave out the dropping of indexes that go with their table.

    Alembic drops them first, which MySQL and MariaDB refuse for the index of a foreign key.
    """
    from alembic.operations import ops

    lost = {
        (each.schema, each.table_name) for each in operations if isinstance(each, ops.DropTableOp)
    }

    def goes(each: MigrateOperation) -> bool:
        return isinstance(each, ops.DropIndexOp) and (each.schema, each.table_name) in lost

    for operation in operations:
        if isinstance(operation, ops.ModifyTableOps):
            operation.ops = [each for each in operation.ops if not goes(each)]
        if not goes(operation):
            yield operation


def _column(operation: AlterColumnOp, metadata: Any) -> Any:
    """Return the model's column that *operation* is about."""
    collections = metadata if isinstance(metadata, list | tuple) else [metadata]
    key = ".".join(filter(None, (operation.schema, operation.table_name)))
    for each in collections:
        table = each.tables.get(key) if each is not None else None
        if table is not None:
            for column in table.columns:
                if column.name == operation.column_name:
                    return column
    return None
