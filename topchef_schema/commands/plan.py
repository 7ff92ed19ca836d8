"""Show what an upgrade would do here and now.

For each pending revision: its statements, what commits them, and about how many rows are in the
tables that it touches. It reads only, creates nothing and works with a read-only user. Kept in a
file with --format json -o FILE, it is what `upgrade --plan FILE` holds an upgrade to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from topchef_schema.commands import options
from topchef_schema.commands.several import labels, together
from topchef_schema.model import Check, Outcome, Report, Table, short

if TYPE_CHECKING:
    from topchef_schema.project import Project
    from topchef_schema.stages.forecast import Forecast, Foreseen, Sent, Touched


def plan(project: Project, revision: str = "heads") -> Report:
    """Say what `upgrade` to *revision* would do to the database of *project*.

    ``data`` is ``{"revision", "current", "pending", "plans"}``, with one of ``plans`` for each
    database: see the page on JSON. The rows are estimates of the server; where it has none, up to
    10,000 are counted. A revision whose statements cannot be known here has a ``note`` that says
    why.
    """
    from topchef_schema.stages import forecast, unfinished

    found = forecast.forecasts(project, lambda heads: project.revisions.upgrade(revision, heads))
    facts = [
        {"current": each.seen.heads, "pending": [step.revision.id for step in each.plan]}
        for each in found
    ]
    several = len(found) > 1
    return Report(
        "plan",
        target=labels(found),
        checks=tuple(check for each in found for check in _checks(each)),
        findings=unfinished.findings(project, [each.seen for each in found]),
        statements=tuple(one for each in found for one in each.recording.statements),
        data={
            "revision": revision,
            **together(found, facts),
            "plans": [_data(each) for each in found],
        },
        tables=tuple(table for each in found for table in _tables(each, several=several)),
        summary="\n".join(_summary(each) for each in found),
    )


def _checks(found: Forecast) -> tuple[Check, ...]:
    return tuple(
        Check(
            name=each.section.step.revision.message or each.section.step.revision.id,
            outcome=Outcome.PENDING,
            backend=found.seen.backend,
            revision=each.section.step.revision.id,
            direction=each.section.step.direction,
            detail=each.note,
        )
        for each in found.steps
    )


def _data(found: Forecast) -> dict[str, Any]:
    return {
        "target": found.label,
        "database": found.seen.name,
        "backend": found.seen.backend,
        "current": list(found.seen.heads),
        "pending": [each.revision.id for each in found.plan],
        "transaction": found.unit,
        "steps": [_step(each) for each in found.steps],
    }


def _step(step: Foreseen) -> dict[str, Any]:
    revision = step.section.step.revision
    return {
        "revision": revision.id,
        "message": revision.message,
        "direction": str(step.section.step.direction),
        "path": revision.path,
        "note": step.note,
        "sha256": step.sha256,
        "statements": [
            {
                "sql": each.statement.sql,
                "line": each.statement.line,
                "transaction": each.transaction,
                "committed_by": each.committed_by,
            }
            for each in step.statements
        ],
        "tables": [
            {"table": each.table, "rows": each.rows, "estimate": not each.exact}
            for each in step.tables
        ],
        "locks": None,
    }


def _tables(found: Forecast, *, several: bool) -> tuple[Table, ...]:
    steps = tuple(
        (
            each.section.step.revision.id,
            each.section.step.revision.message,
            ", ".join(map(_rows, each.tables)),
            each.note or "",
        )
        for each in found.steps
    )
    lines = tuple(
        (str(sent.transaction), sent.committed_by, each.section.step.revision.id, _sql(sent))
        for each in found.steps
        for sent in each.statements
    )
    return (
        Table(
            ("pending", "message", "tables", "note"), steps, title=found.label if several else None
        ),
        Table(("transaction", "committed by", "revision", "statement"), lines),
    )


def _sql(sent: Sent) -> str:
    return short(sent.statement.sql)


def _rows(touched: Touched) -> str:
    if touched.rows is None:
        return f"{touched.table} (rows unknown)"
    about = "" if touched.exact else "about "
    return f"{touched.table} ({about}{touched.rows} {'row' if touched.rows == 1 else 'rows'})"


def _summary(found: Forecast) -> str:
    number = len(found.plan)
    if not number:
        return f"{found.label}: nothing is pending"
    pending = "1 revision is" if number == 1 else f"{number} revisions are"
    unit = "in one transaction" if found.unit == "run" else "a transaction for each"
    alone = sum(sent.committed_by == "itself" for step in found.steps for sent in step.statements)
    but = f", but {alone} {'statement commits' if alone == 1 else 'statements commit'} alone"
    return f"{found.label}: {pending} pending, {unit}{but if alone else ''}; nothing was touched"


@click.argument("revision", default="heads", type=options.REVISION)
def plan_command(project: Project, **arguments: Any) -> Report:
    """Hand the argument to `plan`."""
    return plan(project, **arguments)


COMMAND = options.command(
    epilog="""
    topchef-db plan
    topchef-db plan +1
    topchef-db plan --format json -o plan.json
    """,
    formats=("text", "json", "junit", "markdown", "html"),
)(plan_command)
