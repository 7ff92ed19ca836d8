"""Show where the database is, and what is pending.

Reads only: it creates nothing and works with a read-only user. With --check it exits 10 when
anything is pending.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from topchef_schema.commands import options
from topchef_schema.model import Finding, Report, Severity, Table

if TYPE_CHECKING:
    from topchef_schema.project import Project


def status(project: Project, *, check: bool = False) -> Report:
    """Compare the database of *project* with its revisions.

    ``data`` is ``{"current": [ids], "heads": [ids], "pending": [ids]}``. With *check* pending
    revisions are a finding. Raises `HistoryError` where the database is at a revision that this
    project does not know.
    """
    from topchef_schema.stages import observe

    seen = observe.database(project)
    steps = project.revisions.upgrade("heads", seen.heads)
    pending = [step.revision for step in steps]
    findings: tuple[Finding, ...] = ()
    if check and pending:
        findings = (
            Finding(
                rule="pending-revisions",
                severity=Severity.ERROR,
                message=f"{len(pending)} pending: {', '.join(each.id for each in pending)}",
                help="topchef-db upgrade",
                backend=seen.backend,
            ),
        )
    place = f"is at {', '.join(seen.heads) or 'base'}" if seen.present else "does not exist yet"
    return Report(
        "status",
        target=seen.label,
        findings=findings,
        data={
            "current": list(seen.heads),
            "heads": list(project.revisions.heads),
            "pending": [each.id for each in pending],
        },
        tables=(Table(("pending", "message"), tuple((each.id, each.message) for each in pending)),),
        summary=f"{seen.label} {place}; "
        + (f"{len(pending)} pending: topchef-db upgrade" if pending else "nothing is pending"),
    )


@click.option("--check", is_flag=True, help="Exit 10 when anything is pending.")
def status_command(project: Project, *, check: bool) -> Report:
    """Hand the options to `status`."""
    return status(project, check=check)


COMMAND = options.command(
    epilog="""
    topchef-db status
    topchef-db status --check --format json
    """,
    formats=("text", "json", "junit"),
)(status_command)
