"""What those that look at a database say of a revision that was begun there and not finished."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from topchef_schema.errors import InDoubtError
from topchef_schema.model import Finding, Severity
from topchef_schema.stages import resume

if TYPE_CHECKING:
    from topchef_schema.project import Project
    from topchef_schema.stages.observe import Observed


def findings(project: Project, seen: Iterable[Observed]) -> tuple[Finding, ...]:
    """Return a finding for each database that a run is at work on, or has stopped in."""
    found = (_finding(project, each) for each in seen if each.unfinished)
    return tuple(each for each in found if each is not None)


def refuse(project: Project, seen: Observed) -> None:
    """Raise `InDoubtError` where the journal of *seen* is still needed."""
    for each in findings(project, [seen]):
        raise InDoubtError(
            f"{each.message}, and only the journal tells how far",
            where=seen.label,
            hint="let it be finished, or settle it, first: topchef-db repair",
        )


def passed_over(project: Project, seen: Observed) -> tuple[Finding, ...]:
    """Return what to say to whoever moves only the version rows of a database, *seen* before."""
    begun = seen.unfinished[0] if seen.unfinished else None
    if begun is None or resume.settled(seen.unfinished, project.revisions.applied_at(seen.heads)):
        return ()
    finding = Finding(
        "interrupted-revision",
        Severity.WARNING,
        f"revision {begun.revision} was interrupted on the way {begun.direction}; a stamp does "
        "nothing about what was not done of it",
        help="see that the tables are as the version rows say now",
        backend=seen.backend,
        revision=begun.revision,
        object=seen.name,
    )
    return (finding,)


def _finding(project: Project, seen: Observed) -> Finding | None:
    begun = seen.unfinished[0]
    if seen.holder is not None:
        return Finding(
            "migration-under-way",
            Severity.INFO,
            f"revision {begun.revision} is on the way {begun.direction} right now: {seen.holder}",
            backend=seen.backend,
            revision=begun.revision,
            object=seen.name,
        )
    if resume.settled(seen.unfinished, project.revisions.applied_at(seen.heads)):
        return None
    return Finding(
        "interrupted-revision",
        Severity.WARNING,
        f"revision {begun.revision} was interrupted on the way {begun.direction}",
        help="topchef-db repair shows what was done of it; the next run goes on with it",
        backend=seen.backend,
        revision=begun.revision,
        object=seen.name,
    )
