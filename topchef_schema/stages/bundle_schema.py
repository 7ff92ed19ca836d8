"""The schema before a range of revisions, after each of them, and as text of which diff shows it.

It is read from a scratch database that takes the steps: what a script says is not what it makes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from topchef_schema.backends.base import first_line
from topchef_schema.errors import MigrationError
from topchef_schema.model import Plan, Snapshot, Step, visible
from topchef_schema.stages import observe, scratch
from topchef_schema.stages.entry import Entry, Target
from topchef_schema.stages.up_down_up import take

if TYPE_CHECKING:
    from topchef_schema.bridge.session import Session
    from topchef_schema.project import Project


def along(project: Project, steps: Plan, on: str) -> dict[str | None, list[Snapshot]]:
    """Return the schema at the start and after each step, of each database of the project.

    Raises `UnreachableError` where there is no server, `MigrationError` for a step that fails.
    """
    with scratch.place(on) as place:
        found = {}
        for name in project.databases:
            with place.databases(project) as databases:
                found[name] = place.run(_walk, project, databases, steps, name)
    return found


def _walk(project: Project, steps: Plan, database: str | None) -> list[Snapshot]:
    """Take the steps on scratch databases, in a worker."""
    from topchef_schema.bridge.session import StepFailed

    found: list[Snapshot] = []

    def body(session: Session, target: Target) -> None:
        session.commit()  # the version table may have been made just now
        there = project.revisions.applied_at(session.heads())
        session.settle()
        for step in project.revisions.way_to(steps.start):
            if step.revision.id not in there:
                take(session, target, step)
        found.append(_looked(session, target))
        for step in steps:
            take(session, target, step)
            found.append(_looked(session, target))

    try:
        Entry(project, isolate=True).run_at(database, body)
    except StepFailed as failed:
        raise _fails(failed.step, first_line(failed.cause), str(failed.location)) from None
    return found


def _looked(session: Session, target: Target) -> Snapshot:
    snapshot = observe.schema_of(session, target)
    session.settle()
    return snapshot


def _fails(step: Step, said: str, where: str) -> MigrationError:
    return MigrationError(
        f"revision {step.revision.id} fails on a scratch database, so that the schema after it is "
        f"not known: {said}",
        where=where,
        hint="topchef-db roundtrip shows the failure",
    )


def written(snapshot: Snapshot) -> str:
    """Return a schema as text: an object a block, in order of their keys."""
    blocks = []
    for key, definition in sorted(snapshot.objects.items()):
        lines = visible(definition).splitlines()
        blocks.append("".join(f"{each}\n" for each in (one_line(key), *_indented(lines))))
    return "".join(blocks)


def _indented(lines: list[str]) -> list[str]:
    return [f"    {each}".rstrip() for each in lines]


def one_line(text: str) -> str:
    """Return *text* without line ends: it is the head of a block."""
    return visible(text).replace("\n", "\\x0a")
