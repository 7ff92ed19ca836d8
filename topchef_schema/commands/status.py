"""Show where the database is, and what is pending.

It also tells of applied revisions whose files have changed since, and of moves that were made
without topchef-db. Reads only: it creates nothing and works with a read-only user. With --check it
exits 10 when anything is pending.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from topchef_schema.commands import options, waits
from topchef_schema.commands.several import labels, together
from topchef_schema.model import Finding, Report, Severity, Table

if TYPE_CHECKING:
    from topchef_schema.model import Revision
    from topchef_schema.project import Project
    from topchef_schema.stages.observe import Observed


def status(project: Project, *, check: bool = False) -> Report:
    """Compare the database of *project* with its revisions.

    ``data`` is ``{"current": [ids], "heads": [ids], "pending": [ids]}``; where env.py migrates
    several, these tell of all together and ``"databases"`` of each. With *check* pending
    revisions are a finding; a changed file of an applied revision is one in any case, and so are
    moves without a row in the history. Raises `HistoryError` where the database is at a revision
    that this project does not know.
    """
    from topchef_schema.stages import changed_files, observe, unfinished

    seen = observe.databases(project, history=True)
    for each in seen:
        observe.require_known(project, each)
    pending = [
        tuple(step.revision for step in project.revisions.upgrade("heads", each.heads))
        for each in seen
    ]
    both = list(zip(seen, pending, strict=True))
    facts = [
        {"current": each.heads, "pending": [one.id for one in waiting]} for each, waiting in both
    ]
    return Report(
        "status",
        target=labels(seen),
        findings=(
            *unfinished.findings(project, seen),
            *(_finding(*each) for each in both if each[1] and check),
            *(one for each in changed_files.findings(project, seen).values() for one in each),
            *(finding for each in seen for finding in _unrecorded(project, each)),
        ),
        data={"current": [], "heads": list(project.revisions.heads), **together(seen, facts)},
        tables=tuple(_table(*each, several=len(seen) > 1) for each in both),
        summary="\n".join(_summary(*each) for each in both),
    )


def _finding(seen: Observed, pending: tuple[Revision, ...]) -> Finding:
    return Finding(
        rule="pending-revisions",
        severity=Severity.ERROR,
        message=f"{len(pending)} pending: {', '.join(each.id for each in pending)}",
        help="topchef-db upgrade",
        backend=seen.backend,
        object=seen.name,
    )


def _unrecorded(project: Project, seen: Observed) -> Iterator[Finding]:
    from topchef_schema.stages import observe

    if moves := observe.unrecorded(project, seen):
        yield Finding(
            rule="moved-without-history",
            severity=Severity.INFO,
            message=f"{seen.label}: without a row in topchef_history: {moves}",
            help="plain alembic did it, or --no-history: topchef-db history shows the rest",
            backend=seen.backend,
        )


def _table(seen: Observed, pending: tuple[Revision, ...], *, several: bool) -> Table:
    rows = tuple((each.id, each.message) for each in pending)
    return Table(("pending", "message"), rows, title=seen.label if several else None)


def _summary(seen: Observed, pending: tuple[Revision, ...]) -> str:
    place = f"is at {', '.join(seen.heads) or 'base'}" if seen.present else "does not exist yet"
    todo = f"{len(pending)} pending: topchef-db upgrade" if pending else "nothing is pending"
    return f"{seen.label} {place}; {todo}"


@waits.wait_option
@click.option("--check", is_flag=True, help="Exit 10 when anything is pending.")
def status_command(project: Project, *, check: bool) -> Report:
    """Hand the options to `status`."""
    return status(project, check=check)


COMMAND = options.command(
    epilog="""
    topchef-db status
    topchef-db status --check --format json
    """,
    formats=("text", "json", "junit", "github", "markdown", "html"),
)(status_command)
