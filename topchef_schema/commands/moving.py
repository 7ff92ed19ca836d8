"""What upgrade and downgrade share: both take the steps of a plan, or only show them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from topchef_schema.model import Check, Direction, Outcome, Plan, Report, Table

if TYPE_CHECKING:
    from topchef_schema.project import Project
    from topchef_schema.stages.apply import Applied


def move(
    command: str,
    project: Project,
    plan: Callable[[tuple[str, ...]], Plan],
    *,
    dry_run: bool,
    lock_timeout: float,
    history: bool,
) -> Report:
    """Take the steps that *plan* finds from where the database is, and report them."""
    if dry_run:
        return _shown(command, project, plan)
    from topchef_schema.stages.apply import migrate

    return _done(command, migrate(project, plan, lock_timeout=lock_timeout, history=history))


def _done(command: str, applied: Applied) -> Report:
    place = ", ".join(applied.heads) or "base"
    steps = len(applied.checks)
    summary = f"nothing to do: the database is at {place}"
    if steps:
        summary = f"{steps} {'revision' if steps == 1 else 'revisions'} done; now at {place}"
    return Report(
        command,
        target=applied.label,
        checks=applied.checks,
        statements=applied.statements,
        data={"before": list(applied.before), "current": list(applied.heads)},
        tables=(_steps(applied.checks),),
        summary=summary,
    )


def _shown(command: str, project: Project, plan: Callable[[tuple[str, ...]], Plan]) -> Report:
    from topchef_schema.backends import named
    from topchef_schema.stages import observe, record

    seen = observe.database(project)
    steps = plan(seen.heads)
    recording = record.plan(project, steps, named(seen.backend))
    checks = tuple(
        Check(
            name=step.revision.message or step.revision.id,
            outcome=Outcome.PENDING,
            backend=seen.backend,
            revision=step.revision.id,
            direction=step.direction,
        )
        for step in steps
    )
    return Report(
        command,
        target=seen.label,
        checks=checks,
        statements=recording.statements,
        data={"current": list(seen.heads), "pending": [step.revision.id for step in steps]},
        tables=(_steps(checks),),
        script=record.script(recording) if steps.steps else None,
        summary=f"dry run: {len(steps)} to do, nothing was touched",
    )


def _steps(checks: tuple[Check, ...]) -> Table:
    rows = tuple(
        (
            check.direction or Direction.UP,
            check.revision or "",
            check.name if check.name != check.revision else "",
            "" if check.seconds is None else f"{check.seconds:.2f} s",
        )
        for check in checks
    )
    return Table(("", "revision", "message", "time"), rows)
