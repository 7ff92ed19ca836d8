"""What upgrade and downgrade share: both take the steps of a plan, or only show them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from topchef_schema.commands.several import labels, together
from topchef_schema.model import Report, Table

if TYPE_CHECKING:
    from topchef_schema.backends.timeouts import Limits
    from topchef_schema.model import Check, Plan
    from topchef_schema.project import Project
    from topchef_schema.shortcut import AtHead
    from topchef_schema.stages.run import Applied


def move(
    command: str,
    project: Project,
    plan: Callable[[tuple[str, ...]], Plan],
    *,
    dry_run: bool,
    lock_timeout: float,
    limits: Limits,
    history: bool,
    shortcut: str | None = None,
) -> Report:
    """Take the steps that *plan* finds from where the database is, and report them.

    *shortcut* is the revision to look for in the short way first.
    """
    if dry_run:
        return _shown(command, project, plan)
    if shortcut is not None and (report := at_head(command, project, shortcut)):
        return report
    from topchef_schema.stages.apply import migrate

    applied = migrate(project, plan, lock_timeout=lock_timeout, limits=limits, history=history)
    return _done(command, applied)


def at_head(
    command: str, project: Project, revision: str, *, started: float | None = None
) -> Report | None:
    """Report, in the short way, that nothing is to do up to *revision*; None in doubt."""
    from topchef_schema import shortcut

    there = shortcut.at_head(project, revision)
    if there is None:
        return None
    seconds = None if started is None else time.perf_counter() - started
    return _done(command, [there])._replace(seconds=seconds)


def _done(command: str, applied: Sequence[Applied | AtHead]) -> Report:
    several = len(applied) > 1
    return Report(
        command,
        target=labels(applied),
        checks=tuple(check for each in applied for check in each.checks),
        findings=tuple(finding for each in applied for finding in each.findings),
        statements=tuple(statement for each in applied for statement in each.statements),
        data=together(
            applied, [{"before": each.before, "current": each.heads} for each in applied]
        ),
        tables=tuple(_steps(each.checks, each.label if several else None) for each in applied),
        summary="\n".join(
            f"{each.label}: {_said(each)}" if several else _said(each) for each in applied
        ),
    )


def _said(applied: Applied | AtHead) -> str:
    place = ", ".join(applied.heads) or "base"
    steps = len(applied.checks)
    if steps:
        return f"{steps} {'revision' if steps == 1 else 'revisions'} done; now at {place}"
    return f"nothing to do: the database is at {place}"


def _shown(command: str, project: Project, plan: Callable[[tuple[str, ...]], Plan]) -> Report:
    from topchef_schema.stages import changed_files, observe, record, unfinished

    asked = observe.when_something_is_to_do(project, plan)
    seen = observe.databases(project, history=asked)
    for each in seen:
        observe.require_known(project, each)
    found = changed_files.checked(project, seen)
    plans = [plan(each.heads) for each in seen]
    recordings = record.each(project, seen, plans)
    checks = [_pending(steps, each.backend) for each, steps in zip(seen, plans, strict=True)]
    facts = [
        {"current": each.heads, "pending": [step.revision.id for step in steps]}
        for each, steps in zip(seen, plans, strict=True)
    ]
    scripts = [
        (each.label, record.listing(recording))
        for each, steps, recording in zip(seen, plans, recordings, strict=True)
        if steps.steps
    ]
    several = len(seen) > 1
    return Report(
        command,
        target=labels(seen),
        checks=tuple(check for each in checks for check in each),
        findings=(
            *unfinished.findings(project, seen),
            *(finding for each in found.values() for finding in each),
        ),
        statements=tuple(each for recording in recordings for each in recording.statements),
        data=together(seen, facts),
        tables=tuple(
            _steps(found, each.label if several else None)
            for each, found in zip(seen, checks, strict=True)
        ),
        pieces=record.joined(scripts) if scripts else None,
        summary=f"dry run: {sum(map(len, plans))} to do, nothing was touched",
    )


def _pending(steps: Plan, backend: str) -> tuple[Check, ...]:
    from topchef_schema.model import Check, Outcome

    return tuple(
        Check(
            name=step.revision.message or step.revision.id,
            outcome=Outcome.PENDING,
            backend=backend,
            revision=step.revision.id,
            direction=step.direction,
        )
        for step in steps
    )


def _steps(checks: tuple[Check, ...], title: str | None) -> Table:
    rows = tuple(
        (
            check.direction or "up",
            check.revision or "",
            check.name if check.name != check.revision else "",
            "" if check.seconds is None else f"{check.seconds:.2f} s",
        )
        for check in checks
    )
    return Table(("", "revision", "message", "time"), rows, title=title)
