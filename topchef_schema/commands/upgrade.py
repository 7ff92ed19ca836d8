"""Bring the database to a revision.

REVISION is `heads` (the default), `head`, an id or a part of one, `+2`, `label@head`. One migrator
works at a time; others wait for it. Each step is recorded in the table topchef_history.
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
    ddl_lock_timeout: float = 5.0,
    statement_timeout: float | None = None,
    retries: int = 5,
    history: bool = True,
) -> Report:
    """Bring the database of *project* up to *revision*.

    With *dry_run* nothing is touched: the report holds the steps and their SQL. *lock_timeout*
    bounds the wait for another migrator, *ddl_lock_timeout* that of DDL for a lock (0: no bound),
    *statement_timeout* each statement of a revision, all in seconds; after a lock timeout or a
    deadlock, what can be repeated is, *retries* times. Raises `MigrationError`, `PartialError`,
    `LockedError`, `HistoryError`, `UnreachableError`, `UsageError`.
    """
    from topchef_schema.backends.timeouts import Limits
    from topchef_schema.commands.moving import move

    return move(
        "upgrade",
        project,
        lambda heads: project.revisions.upgrade(revision, heads),
        dry_run=dry_run,
        lock_timeout=lock_timeout,
        limits=Limits.given(ddl_lock_timeout, statement_timeout, retries),
        history=history,
    )


@click.argument("revision", default="heads", type=options.REVISION)
@options.moving_options
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
