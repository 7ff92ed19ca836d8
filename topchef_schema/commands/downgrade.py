"""Take the database back to a revision.

REVISION is `base`, `-1`, an id or a part of one, `label@base`. It first looks at what would be
lost: rows of tables and values of columns that are dropped, rows that are deleted or changed, and
whatever cannot be known. Where there is anything, it needs --accept-data-loss, else it exits 10
and touches nothing. On a terminal it asks first.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from topchef_schema.commands import options
from topchef_schema.commands.several import labels, together
from topchef_schema.errors import UsageError
from topchef_schema.model import Plan, Report, Severity, visible

if TYPE_CHECKING:
    from topchef_schema.backends.timeouts import Limits
    from topchef_schema.project import Project
    from topchef_schema.stages.loss import Expected
    from topchef_schema.stages.observe import Observed

LIMITS = ("ddl_lock_timeout", "statement_timeout", "retries")


def downgrade(
    project: Project,
    revision: str,
    *,
    accept_data_loss: bool = False,
    dry_run: bool = False,
    lock_timeout: float = 300.0,
    ddl_lock_timeout: float = 5.0,
    statement_timeout: float | None = None,
    retries: int = 5,
    history: bool = True,
) -> Report:
    """Take the database of *project* down to *revision*.

    Where rows or values would be lost nothing is done, and each is a finding ``data-lost``, an
    error, unless *accept_data_loss*: then it is done, and they are info. With *dry_run* nothing is
    touched: the report holds the steps and their SQL, and the losses are warnings. The limits, and
    what is raised, are those of `upgrade`.
    """
    from topchef_schema.backends.timeouts import Limits

    return _down(
        project,
        revision,
        accept_data_loss=accept_data_loss,
        dry_run=dry_run,
        lock_timeout=lock_timeout,
        limits=Limits.given(ddl_lock_timeout, statement_timeout, retries),
        history=history,
    )


def _down(
    project: Project,
    revision: str,
    *,
    accept_data_loss: bool,
    dry_run: bool,
    lock_timeout: float,
    limits: Limits,
    history: bool,
    ask: bool = False,
) -> Report:
    from topchef_schema.commands.moving import move
    from topchef_schema.stages import loss
    from topchef_schema.stages.plan import unmoved

    def plan(heads: tuple[str, ...]) -> Plan:
        return project.revisions.downgrade(revision, heads)

    # What is accepted is worth no scratch server.
    losses = loss.expected(project, plan, replay=dry_run or not accept_data_loss)
    if losses.findings and not accept_data_loss and not dry_run:
        return _refused(losses)
    if ask:
        _ask(losses.seen, losses.plans)
    report = move(
        "downgrade",
        project,
        unmoved(plan, losses.seen),
        dry_run=dry_run,
        lock_timeout=lock_timeout,
        limits=limits,
        history=history,
    )
    severity = Severity.INFO if accept_data_loss else Severity.WARNING
    found = tuple(replace(each, severity=severity) for each in losses.findings)
    return report._replace(findings=(*report.findings, *found))


def _refused(losses: Expected) -> Report:
    heads = [{"before": each.heads, "current": each.heads} for each in losses.seen]
    number = len(losses.findings)
    return Report(
        "downgrade",
        target=labels(losses.seen),
        findings=losses.findings,
        data=together(losses.seen, heads),
        summary=f"{number} {'thing' if number == 1 else 'things'} would be lost: nothing was done; "
        "--accept-data-loss takes the loss",
    )


@click.argument("revision", type=options.REVISION)
@click.option("--accept-data-loss", is_flag=True, help="Go on although rows or values are lost.")
@click.option("--yes", is_flag=True, help="Do not ask. It accepts no loss of data.")
@options.moving_options
def downgrade_command(project: Project, *, yes: bool, **arguments: Any) -> Report:
    """Ask on a terminal, unless told not to."""
    from topchef_schema.backends.timeouts import Limits

    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    limits = Limits.given(*(arguments.pop(each) for each in LIMITS))
    asks = terminal and not yes and not arguments["dry_run"]
    return _down(project, ask=asks, limits=limits, **arguments)


def _ask(seen: Sequence[Observed], plans: Sequence[Plan]) -> None:
    question = ""
    for each, steps in zip(seen, plans, strict=True):
        if steps.steps:
            listed = "".join(f"  {visible(str(step))}\n" for step in steps)
            question += f"{listed}Take {each.label} down by {len(steps)}?\n"
    if question and not click.confirm(question.rstrip(), err=True):
        raise UsageError("not confirmed", where="the terminal", hint="answer y, or give --yes")


COMMAND = options.command(
    epilog="""
    topchef-db downgrade -1
    topchef-db downgrade base --yes --accept-data-loss
    topchef-db downgrade ae10 --dry-run
    """,
    formats=("text", "json", "junit", "github", "markdown", "html"),
)(downgrade_command)
