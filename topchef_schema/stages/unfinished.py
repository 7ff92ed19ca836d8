"""What those that look at a database say of a revision that was begun there and not finished."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
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
    if not seen.unfinished or _is_settled(project, seen):
        return ()
    found = _interrupted(seen, "see that the tables are as the version rows say now")
    message = f"{found.message}; a stamp does nothing about what was not done of it"
    return (replace(found, message=message),)


def _finding(project: Project, seen: Observed) -> Finding | None:
    found = _interrupted(
        seen, "topchef-db repair shows what was done of it; the next run goes on with it"
    )
    if seen.holder is not None:
        begun = seen.unfinished[0]
        message = f"revision {begun.revision} is on the way {begun.direction} right now"
        return replace(
            found,
            rule="migration-under-way",
            severity=Severity.INFO,
            message=f"{message}: {seen.holder}",
            help=None,
        )
    return None if _is_settled(project, seen) else found


def _is_settled(project: Project, seen: Observed) -> bool:
    return resume.settled(seen.unfinished, project.revisions.applied_at(seen.heads))


def _interrupted(seen: Observed, help_: str) -> Finding:
    begun = seen.unfinished[0]
    return Finding(
        "interrupted-revision",
        Severity.WARNING,
        f"revision {begun.revision} was interrupted on the way {begun.direction}",
        help=help_,
        backend=seen.backend,
        revision=begun.revision,
        object=seen.name,
    )
