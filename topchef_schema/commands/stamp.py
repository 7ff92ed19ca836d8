"""Write the version rows without running anything.

REVISION is one or more ids, `heads` or `base`. It is recorded in the table topchef_history.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from topchef_schema.commands import options, waits
from topchef_schema.commands.several import labels, together
from topchef_schema.errors import UsageError
from topchef_schema.model import Report

if TYPE_CHECKING:
    from topchef_schema.project import Project


def stamp(
    project: Project,
    revisions: str | Sequence[str],
    *,
    reason: str | None = None,
    purge: bool = False,
    tag: str | None = None,
    history: bool = True,
) -> Report:
    """Set the database of *project* to *revisions*, without running them.

    *reason* is written into the history. *purge* empties the version table first, also of
    revisions that this project does not know. *tag* is handed to env.py.
    """
    from topchef_schema.stages import apply

    words = [revisions] if isinstance(revisions, str) else list(revisions)
    if not words:
        raise UsageError("no revision is named", where="stamp", hint="name one, or heads, or base")
    done = apply.stamp(project, words, purge=purge, reason=reason, history=history, tag=tag)
    moved = together(done, [{"before": each.before, "current": each.heads} for each in done])
    places = [f"{each.label} is now at {', '.join(each.heads) or 'base'}" for each in done]
    return Report(
        "stamp",
        target=labels(done),
        findings=tuple(finding for each in done for finding in each.findings),
        data=moved,
        summary="\n".join(places) + "; nothing was run",
    )


@click.argument("revisions", nargs=-1, required=True, type=options.REVISION)
@waits.wait_option
@click.option("--reason", metavar="TEXT", help="Why; written into the history.")
@click.option("--purge", is_flag=True, help="Empty the version table first.")
@click.option("--tag", metavar="TEXT", help="Handed to env.py, as by alembic.")
@click.option(
    "--history/--no-history", default=True, help="Record it in the table topchef_history."
)
def stamp_command(project: Project, **arguments: object) -> Report:
    """Hand the options to `stamp`."""
    return stamp(project, **arguments)  # type: ignore[arg-type]


COMMAND = options.command(
    epilog="""
    topchef-db stamp heads --reason "restored from a dump of release 4.2"
    topchef-db stamp base
    """
)(stamp_command)
