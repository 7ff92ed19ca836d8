"""Compares the model metadata with a database, and writes the difference as operations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext

    from topchef_schema.bridge.session import Session


@dataclass(frozen=True, slots=True)
class Generated:
    """The operations for one backend, as Python text, one string each, and what they import."""

    upgrades: tuple[str, ...]
    downgrades: tuple[str, ...]
    imports: frozenset[str]


def generate(session: Session) -> Generated:
    """Compare the metadata of env.py with the database of *session*, which must be at heads."""
    from alembic.autogenerate import compare
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations import ops

    context = AutogenContext(session.context)
    script = ops.MigrationScript(
        rev_id="",
        message="",
        upgrade_ops=ops.UpgradeOps([]),
        downgrade_ops=ops.DowngradeOps([]),
    )
    compare._populate_migration_script(context, script)
    hook = session.context.opts.get("process_revision_directives")
    directives = [script]
    if hook is not None:
        hook(session.context, session.heads(), directives)
    if not directives:
        # The documented way for a hook to say: no revision is wanted.
        return Generated((), (), frozenset())
    return Generated(
        upgrades=_rendered(context, directives[0].upgrade_ops_list),
        downgrades=_rendered(context, directives[0].downgrade_ops_list),
        imports=frozenset(context.imports),
    )


def _rendered(context: AutogenContext, containers: list[Any]) -> tuple[str, ...]:
    from alembic.autogenerate.render import _render_cmd_body
    from alembic.operations import ops

    rendered = []
    for container in containers:
        for operation in container.ops:
            text = _render_cmd_body(ops.UpgradeOps([operation]), context)
            lines = [line for line in text.splitlines() if not line.startswith("# ###")]
            body = "\n".join(lines).strip()
            if body and body != "pass":
                rendered.append(body)
    return tuple(rendered)


def portable_first(
    render_item: Callable[[str, Any, Any], Any] | None,
) -> Callable[[str, Any, Any], Any]:
    """Return a ``render_item`` that writes portable types as plain SQLAlchemy.

    A portable type renders itself, so that a revision never imports our code; everything else is
    left to the project's own *render_item*.
    """
    from topchef_schema.types import Portable

    def render(kind: str, item: Any, context: Any) -> Any:
        if kind == "type" and isinstance(item, Portable):
            expression, imports = item.rendered()
            context.imports.update(imports)
            return expression
        return render_item(kind, item, context) if render_item is not None else False

    return render
