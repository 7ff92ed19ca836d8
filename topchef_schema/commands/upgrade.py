"""Bring the database to a revision.

REVISION is `heads` (the default), `head`, an id or a part of one, `+2`, `label@head`. One migrator
works at a time; others wait for it. Each step is recorded in the table topchef_history. With
--plan, what would run is compared with a file that `topchef-db plan --format json` has written:
where anything moved since, it exits 10 and touches nothing.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from topchef_schema.commands import options
from topchef_schema.commands.several import labels, together
from topchef_schema.model import Finding, Plan, Report

if TYPE_CHECKING:
    from topchef_schema.project import Project
    from topchef_schema.stages.forecast import Forecast
    from topchef_schema.stages.plan import Planner


def upgrade(
    project: Project,
    revision: str = "heads",
    *,
    plan: str | os.PathLike[str] | None = None,
    dry_run: bool = False,
    lock_timeout: float = 300.0,
    history: bool = True,
) -> Report:
    """Bring the database of *project* up to *revision*.

    With *dry_run* nothing is touched: the report holds the steps and their SQL. *plan* is a file
    with the report of `plan`: where other revisions are pending now, or a statement is another
    one, nothing is done, and what moved is a finding ``plan-moved``. *lock_timeout* is in seconds.
    Raises `MigrationError`, `PartialError`, `LockedError`, `HistoryError`, `UnreachableError`,
    `UsageError`.
    """
    from topchef_schema.commands.moving import move

    def steps(heads: tuple[str, ...]) -> Plan:
        return project.revisions.upgrade(revision, heads)

    planner: Planner = steps
    if plan is not None:
        from topchef_schema.stages import plan_file
        from topchef_schema.stages.plan import unmoved

        planned = plan_file.read(plan)
        revision = planned.require(revision)
        now, moved = plan_file.compared(project, planned, steps)
        if moved:
            return _refused(now, moved)
        planner = unmoved(steps, [each.seen for each in now])
    return move(
        "upgrade",
        project,
        planner,
        dry_run=dry_run,
        lock_timeout=lock_timeout,
        history=history,
    )


def _refused(now: Sequence[Forecast], moved: tuple[Finding, ...]) -> Report:
    heads = [{"before": each.seen.heads, "current": each.seen.heads} for each in now]
    return Report(
        "upgrade",
        target=labels(now),
        findings=moved,
        data=together(now, heads),
        summary="the plan does not hold any more: nothing was done",
    )


@click.argument("revision", default="heads", type=options.REVISION)
@click.option("--plan", metavar="FILE", help="Do only what this report of `topchef-db plan` says.")
@options.moving_options
def upgrade_command(project: Project, **arguments: object) -> Report:
    """Hand the options to `upgrade`."""
    return upgrade(project, **arguments)  # type: ignore[arg-type]


COMMAND = options.command(
    epilog="""
    topchef-db upgrade
    topchef-db upgrade +1 --dry-run
    topchef-db upgrade --plan plan.json
    topchef-db upgrade --url-env DATABASE_URL --lock-timeout 60
    """,
    formats=("text", "json", "junit"),
)(upgrade_command)
