"""Bring the database to a revision.

REVISION is `heads` (the default), `head`, an id or a part of one, `+2`, `label@head`. One migrator
works at a time; others wait for it. Each step is recorded in the table topchef_history. Where
nothing is to do, the answer comes without loading Alembic, if it is certain to be the same. With
--plan, what would run is compared with a file that `topchef-db plan --format json` has written:
where anything moved since, it exits 10 and touches nothing. So it is with --bundle and a folder
that `topchef-db sql --bundle` has written: it is made again from the revisions, and none of its SQL
is run.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from topchef_schema.commands import options
from topchef_schema.commands.several import labels, together
from topchef_schema.errors import UsageError
from topchef_schema.model import Finding, Plan, Report

if TYPE_CHECKING:
    from topchef_schema.project import Project
    from topchef_schema.stages.observe import Observed
    from topchef_schema.stages.plan import Planner


def upgrade(
    project: Project,
    revision: str = "heads",
    *,
    plan: str | os.PathLike[str] | None = None,
    bundle: str | os.PathLike[str] | None = None,
    dry_run: bool = False,
    lock_timeout: float = 300.0,
    ddl_lock_timeout: float = 5.0,
    statement_timeout: float | None = None,
    retries: int = 5,
    history: bool = True,
    accept: Sequence[str] = (),
    reason: str | None = None,
    fast: bool = False,
) -> Report:
    """Bring the database of *project* up to *revision*.

    With *dry_run* nothing is touched: the report holds the steps and their SQL. *plan* is a file
    with the report of `plan`: where other revisions are pending now, or a statement is another
    one, nothing is done, and what moved is a finding ``plan-moved``. *bundle* is a folder that
    `sql` has written: its steps are taken, unless it is damaged, not what the revisions say any
    more, or goes on from elsewhere, which is a finding ``bundle-...``. *lock_timeout*
    bounds the wait for another migrator, *ddl_lock_timeout* that of DDL for a lock (0: no bound),
    *statement_timeout* each statement of a revision, all in seconds; after a lock timeout or a
    deadlock, what can be repeated is, *retries* times. *accept* names applied revisions whose files
    have changed since and are right as they are now, *reason* says why. With *fast*, env.py is not
    run where the database is provably at its heads; the caller then has no connection to it in
    this process. Raises `MigrationError`, `PartialError`, `LockedError`, `HistoryError`,
    `ChangedFileError`, `UnreachableError`, `UsageError`.
    """
    from topchef_schema.backends.timeouts import Limits
    from topchef_schema.commands.moving import move

    def steps(heads: tuple[str, ...]) -> Plan:
        return project.revisions.upgrade(revision, heads)

    planner: Planner = steps
    if bundle is not None:
        from topchef_schema.commands import bundling

        if plan is not None:
            raise _both()
        planner, seen, moved = bundling.held(project, bundle, revision)
        if moved:
            return _refused(seen, moved, "the bundle does not hold")
    if plan is not None:
        from topchef_schema.stages import plan_file
        from topchef_schema.stages.plan import unmoved

        planned = plan_file.read(plan)
        revision = planned.require(revision)
        now, moved = plan_file.compared(project, planned, steps)
        if moved:
            return _refused([each.seen for each in now], moved, "the plan does not hold any more")
        planner = unmoved(steps, [each.seen for each in now])
    if accept or reason:
        _accept(project, accept, reason, writes=history and not dry_run)
    return move(
        "upgrade",
        project,
        planner,
        dry_run=dry_run,
        lock_timeout=lock_timeout,
        limits=Limits.given(ddl_lock_timeout, statement_timeout, retries),
        history=history,
        shortcut=revision if fast and plan is None and bundle is None else None,
    )


def _both() -> UsageError:
    return UsageError(
        "a plan and a bundle are given", where="--plan, --bundle", hint="give one of them"
    )


def _refused(now: Sequence[Observed], moved: tuple[Finding, ...], said: str) -> Report:
    heads = [{"before": each.heads, "current": each.heads} for each in now]
    return Report(
        "upgrade",
        target=labels(now),
        findings=moved,
        data=together(now, heads),
        summary=f"{said}: nothing was done",
    )


def _accept(project: Project, accept: Sequence[str], reason: str | None, *, writes: bool) -> None:
    from topchef_schema.stages import changed_files

    if not accept or not reason:
        raise UsageError(
            "--accept and --reason belong together",
            where="upgrade",
            hint='say which revision, and why: --accept REV --reason "what was changed and why"',
        )
    if not writes:
        raise UsageError(
            "--accept writes into the history",
            where="upgrade",
            hint="leave out --dry-run and --no-history, or leave out --accept",
        )
    changed_files.accept(project, [project.revisions.one(each) for each in accept], reason)


@click.argument("revision", default="heads", type=options.REVISION)
@click.option("--plan", metavar="FILE", help="Do only what this report of `topchef-db plan` says.")
@click.option(
    "--bundle", metavar="DIR", help="Take the steps of this bundle of `topchef-db sql`, if fresh."
)
@click.option(
    "--accept",
    metavar="REV",
    multiple=True,
    type=options.REVISION,
    help="The changed file of this applied revision is right as it is. Repeatable.",
)
@click.option("--reason", metavar="TEXT", help="Why; written into the history with --accept.")
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
    topchef-db upgrade --plan plan.json
    topchef-db upgrade --bundle sql/isbn
    topchef-db upgrade --url-env DATABASE_URL --lock-timeout 60
    topchef-db upgrade --accept ae10 --reason "a comment was wrong, the table is the same"
    """,
    formats=("text", "json", "junit", "github", "markdown", "html"),
)(upgrade_command)
