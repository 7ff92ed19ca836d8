"""What do the models say that the revisions do not? Found on scratch databases, per backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from topchef_schema.backends.base import first_line
from topchef_schema.errors import MigrationError, UsageError
from topchef_schema.project import Project
from topchef_schema.stages import scratch
from topchef_schema.stages.entry import Entry, Target

if TYPE_CHECKING:
    from topchef_schema.bridge.autogenerate import Generated
    from topchef_schema.bridge.session import Session


def generated(project: Project, on: Sequence[str]) -> Mapping[str, Generated]:
    """Return, for each backend of *on*, the operations that revisions lack towards the models.

    Raises `UsageError` where the project has no metadata, `MigrationError` where the revisions
    that exist do not run.
    """
    found = {}
    for word in on:
        with scratch.place(word) as place, place.database() as database:
            found[place.backend.name] = place.run(_generate, project, database)
    return found


def _generate(project: Project) -> Generated:
    """Bring a scratch database to the heads, in a worker, and compare it with the metadata."""
    from topchef_schema.bridge.autogenerate import generate
    from topchef_schema.bridge.session import StepFailed

    def body(session: Session, target: Target) -> Generated:
        if not session.configured.metadata:
            raise UsageError(
                "there is no model metadata to generate from",
                where=project.environment.config_file,
                hint="set target_metadata in env.py, or metadata = module:attribute in [topchef]",
            )
        for step in project.revisions.upgrade("heads", ()):
            session.step(step)
        return generate(session)

    try:
        return Entry(project, isolate=True).run(body)
    except StepFailed as failed:
        raise MigrationError(
            f"revision {failed.step.revision.id} fails on an empty database: "
            f"{first_line(failed.cause)}",
            where=str(failed.location),
            hint="correct it first; topchef-db roundtrip shows more",
        ) from None


def merged(bodies: Mapping[str, tuple[str, ...]]) -> str:
    """Join the operations of several backends into one function body.

    What all backends need stands plainly; what only some need is guarded by the dialect's name,
    which is known offline too.
    """
    blocks = []
    for operation in _ordered(list(bodies.values())):
        names = [backend for backend, operations in bodies.items() if operation in operations]
        if len(names) == len(bodies):
            blocks.append(operation)
            continue
        test = ", ".join(f'"{name}"' for name in names) + ("," if len(names) == 1 else "")
        body = "\n".join(f"    {line}".rstrip() for line in operation.splitlines())
        blocks.append(f"if op.get_context().dialect.name in ({test}):\n{body}")
    return "\n".join(blocks) or "pass"


def _ordered(bodies: Sequence[tuple[str, ...]]) -> list[str]:
    """Merge several orders into one: each operation after those that precede it in its own."""
    merged_order: list[str] = []
    for operations in bodies:
        position = 0
        for operation in operations:
            if operation in merged_order:
                position = merged_order.index(operation) + 1
            else:
                merged_order.insert(position, operation)
                position += 1
    return merged_order
