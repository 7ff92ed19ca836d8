"""Take the database back to a revision.

REVISION is `base`, `-1`, an id or a part of one, `label@base`. On a terminal it asks first. What a
downgrade drops is lost.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from topchef_schema.commands import options
from topchef_schema.errors import UsageError
from topchef_schema.model import Report, visible

if TYPE_CHECKING:
    from topchef_schema.project import Project


def downgrade(
    project: Project,
    revision: str,
    *,
    dry_run: bool = False,
    lock_timeout: float = 300.0,
    ddl_lock_timeout: float = 5.0,
    statement_timeout: float | None = None,
    retries: int = 5,
    history: bool = True,
) -> Report:
    """Take the database of *project* down to *revision*.

    With *dry_run* nothing is touched: the report holds the steps and their SQL. The limits, and
    what is raised, are those of `upgrade`.
    """
    from topchef_schema.backends.timeouts import Limits
    from topchef_schema.commands.moving import move

    return move(
        "downgrade",
        project,
        lambda heads: project.revisions.downgrade(revision, heads),
        dry_run=dry_run,
        lock_timeout=lock_timeout,
        limits=Limits.given(ddl_lock_timeout, statement_timeout, retries),
        history=history,
    )


@click.argument("revision", type=options.REVISION)
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.moving_options
def downgrade_command(project: Project, *, yes: bool, **arguments: object) -> Report:
    """Ask on a terminal, then hand the options to `downgrade`."""
    if not yes and not arguments["dry_run"] and sys.stdin.isatty() and sys.stdout.isatty():
        _ask(project, str(arguments["revision"]))
    return downgrade(project, **arguments)  # type: ignore[arg-type]


def _ask(project: Project, revision: str) -> None:
    from topchef_schema.stages import observe

    question = ""
    for each in observe.databases(project):
        steps = project.revisions.downgrade(revision, each.heads)
        if steps.steps:
            listed = "".join(f"  {visible(str(step))}\n" for step in steps)
            question += f"{listed}Take {each.label} down by {len(steps)}?\n"
    if question and not click.confirm(question.rstrip(), err=True):
        raise UsageError("not confirmed", where="the terminal", hint="answer y, or give --yes")


COMMAND = options.command(
    epilog="""
    topchef-db downgrade -1
    topchef-db downgrade base --yes
    topchef-db downgrade ae10 --dry-run
    """,
    formats=("text", "json", "junit"),
)(downgrade_command)
