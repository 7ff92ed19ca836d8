"""Bring the database to a revision.

REVISION is `heads` (the default), `head`, an id or a part of one, `+2`, `label@head`. One migrator
works at a time; others wait for it. Each step is recorded in the table topchef_history. Where
nothing is to do, the answer comes without loading Alembic, if it is certain to be the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from topchef_schema.commands import options
from topchef_schema.model import Report

if TYPE_CHECKING:
    from topchef_schema.project import Project


def upgrade(
    project: Project,
    revision: str = "heads",
    *,
    dry_run: bool = False,
    lock_timeout: float = 300.0,
    history: bool = True,
    fast: bool = False,
) -> Report:
    """Bring the database of *project* up to *revision*.

    With *dry_run* nothing is touched: the report holds the steps and their SQL. *lock_timeout* is
    in seconds. With *fast*, env.py is not run where the database is provably at its heads; the
    caller then has no connection to it in this process. Raises `MigrationError`, `PartialError`,
    `LockedError`, `HistoryError`, `UnreachableError`, `UsageError`.
    """
    from topchef_schema.commands.moving import move

    return move(
        "upgrade",
        project,
        lambda heads: project.revisions.upgrade(revision, heads),
        dry_run=dry_run,
        lock_timeout=lock_timeout,
        history=history,
        shortcut=revision if fast else None,
    )


@click.argument("revision", default="heads", type=options.REVISION)
@options.moving_options
@click.option(
    "--fast/--no-fast",
    default=True,
    help="Find out without env.py that nothing is to do, where that gives the same answer.",
)
def upgrade_command(project: Project, **arguments: object) -> Report:
    """Hand the options to `upgrade`."""
    return upgrade(project, **arguments)  # type: ignore[arg-type]


COMMAND = options.command(
    epilog="""
    topchef-db upgrade
    topchef-db upgrade +1 --dry-run
    topchef-db upgrade --url-env DATABASE_URL --lock-timeout 60
    """,
    formats=("text", "json", "junit"),
)(upgrade_command)
