"""Show and resolve what an interrupted run left behind.

Without an option it only shows: the revision, which of its statements were done, which was under
way, which were not sent; and the INVALID indexes and unfinished copies of tables that other tools
left. `topchef-db upgrade` goes on with an interrupted revision by itself; where it says that only a
person can know, one of the options settles it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from topchef_schema.commands import options, waits
from topchef_schema.commands.several import labels
from topchef_schema.errors import UsageError
from topchef_schema.model import Direction, Finding, Report, Severity, Table, short

if TYPE_CHECKING:
    from topchef_schema.project import Project
    from topchef_schema.stages.repair import Interrupted
    from topchef_schema.stages.run import Applied


def repair(
    project: Project,
    *,
    resume: bool = False,
    mark_applied: bool = False,
    mark_reverted: bool = False,
    statement: str | None = None,
    reason: str | None = None,
    lock_timeout: float = 300.0,
    ddl_lock_timeout: float = 5.0,
    statement_timeout: float | None = None,
    retries: int = 5,
) -> Report:
    """Show what an interrupted run left in the database of *project*, or settle it.

    *resume* finishes the interrupted revision; *statement* (``done`` or ``not-done``) says of the
    statement that was under way what the catalog does not tell. *mark_applied* and
    *mark_reverted* only write down that somebody finished the revision, or undid it, by hand.
    *reason* is written into the history. The limits, and what is raised, are those of `upgrade`.
    """
    _require_one(resume, mark_applied, mark_reverted, about=statement)
    from topchef_schema.backends.timeouts import Limits
    from topchef_schema.stages import repair as stage
    from topchef_schema.stages.run import Repair

    if resume:
        in_flight_done = None if statement is None else statement == "done"
        decided = Repair(in_flight_done, reason)
        limits = Limits.given(ddl_lock_timeout, statement_timeout, retries)
        return _settled(
            stage.resume_step(project, repair=decided, lock_timeout=lock_timeout, limits=limits)
        )
    if mark_applied or mark_reverted:
        return _settled(
            stage.mark(project, applied=mark_applied, reason=reason, lock_timeout=lock_timeout)
        )
    return _shown(stage.show(project))


def _require_one(*chosen: bool, about: str | None) -> None:
    if sum(chosen) > 1 or (about is not None and not chosen[0]):
        raise UsageError(
            "these options do not go together",
            where="repair",
            hint="give one of --resume, --mark-applied, --mark-reverted; --statement goes with "
            "--resume",
        )


def _settled(done: Sequence[Applied]) -> Report:
    checks = tuple(check for each in done for check in each.checks)
    changed = bool(checks) or any(each.before != each.heads for each in done)
    places = [f"{each.label} is now at {', '.join(each.heads) or 'base'}" for each in done]
    return Report(
        "repair",
        target=labels(done) or None,
        checks=checks,
        statements=tuple(statement for each in done for statement in each.statements),
        data={"interrupted": []},
        summary="\n".join(places) if changed or done else "nothing was interrupted",
    )


def _shown(found: Sequence[Interrupted]) -> Report:
    several = len(found) > 1
    return Report(
        "repair",
        target=labels(found),
        findings=tuple(finding for each in found for finding in _findings(each)),
        data={"interrupted": [_data(each) for each in found if each.first is not None]},
        tables=tuple(_table(each, several=several) for each in found if each.first is not None),
        summary="\n".join(f"{each.label}: {_said(each)}" for each in found),
    )


def _said(found: Interrupted) -> str:
    if found.holder is not None:
        return f"a run is at work, so nothing can be said yet: {found.holder}"
    if found.first is None:
        return "no revision was interrupted"
    if found.for_a_person:
        return "only a person can know; see above"
    again = "upgrade" if found.first.direction is Direction.UP else "downgrade -1"
    return f"topchef-db repair --resume, or topchef-db {again}, tries to go on with it"


def _findings(found: Interrupted) -> list[Finding]:
    from topchef_schema.stages.resume import BY_SCRIPT

    findings = [
        Finding(
            each.rule,
            Severity.WARNING,
            each.message,
            help=each.remedy,
            backend=found.backend,
            object=each.object,
        )
        for each in found.leftovers
    ]
    if found.holder is not None:
        findings.append(_under_way(found))
    first = found.first
    if first is None:
        return findings
    message = f"revision {first.revision} was interrupted on the way {first.direction}"
    remedy = "topchef-db repair --resume"
    if found.undecided and found.in_flight is not None:
        message += "; of one statement the catalog does not tell whether it was done"
        remedy = (
            "look whether it was, and say so: topchef-db repair --resume --statement done, or "
            "not-done"
        )
    if found.by_script:
        message = f"a script stopped in the middle of revision {first.revision}"
        remedy = BY_SCRIPT
    if found.moved is not None:
        message, remedy = found.moved.message, found.moved.hint
    interrupted = Finding(
        "interrupted-revision",
        Severity.ERROR if found.for_a_person else Severity.WARNING,
        message,
        help=remedy,
        backend=found.backend,
        revision=first.revision,
        sql=found.in_flight.sql if found.in_flight else None,
    )
    return [interrupted, *findings]


def _under_way(found: Interrupted) -> Finding:
    return Finding(
        "migration-under-way",
        Severity.INFO,
        f"a run is at work right now: {found.holder}",
        help="look again when it has ended",
        backend=found.backend,
    )


def _rows(found: Interrupted) -> list[tuple[str, str]]:
    rows = [] if found.by_script else [("done", each.sql) for each in found.done]
    if found.in_flight is not None:
        state = "in flight" if found.undecided else "in flight, not done"
        rows.append((state, found.in_flight.sql))
    rows += [("not done", each.sql) for each in found.to_do]
    if found.why_unknown is not None:
        state = "not known" if found.by_script else "not done"
        rows.append((state, f"what follows cannot be told: {found.why_unknown}"))
    return rows


def _table(found: Interrupted, *, several: bool) -> Table:
    rows = tuple((state, short(sql)) for state, sql in _rows(found))
    return Table(("", "statement"), rows, title=found.label if several else None)


def _data(found: Interrupted) -> dict[str, Any]:
    first = found.first
    assert first is not None
    return {
        "target": found.label,
        "revision": first.revision,
        "direction": str(first.direction),
        "run_id": first.run_id,
        "done": [] if found.by_script else [each.sql for each in found.done],
        "in_flight": None if found.in_flight is None else found.in_flight.sql,
        "undecided": found.for_a_person,
        "not_done": [each.sql for each in found.to_do],
    }


@click.option("--resume", is_flag=True, help="Finish the interrupted revision.")
@click.option(
    "--mark-applied", is_flag=True, help="Take it to be applied: the rest was done by hand."
)
@click.option(
    "--mark-reverted", is_flag=True, help="Take it not to be there: it was undone by hand."
)
@click.option(
    "--statement",
    type=click.Choice(["done", "not-done"]),
    help="With --resume: whether the statement in flight was done.",
)
@click.option("--reason", metavar="TEXT", help="Why; written into the history.")
@waits.lock_timeout_option
@waits.wait_option
@waits.limits_options
def repair_command(project: Project, **arguments: object) -> Report:
    """Hand the options to `repair`."""
    return repair(project, **arguments)  # type: ignore[arg-type]


COMMAND = options.command(
    epilog="""
    topchef-db repair
    topchef-db repair --resume --reason "the index was there"
    topchef-db repair --mark-applied --reason "finished by hand, ticket 4711"
    """,
)(repair_command)
