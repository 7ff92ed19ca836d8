"""Write the SQL script that a DBA reviews and runs.

RANGE is FROM:TO (FROM exclusive) or one revision; default: everything. Without --down it is the
way up; with --down the way back, and A:B and B:A name the same range. No server is needed unless a
revision reads the database: then it is replayed on a scratch database.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

import click

from topchef_schema.commands import options
from topchef_schema.model import (
    VALUES_LEFT_OUT,
    Direction,
    Finding,
    Report,
    Severity,
    Statement,
)

if TYPE_CHECKING:
    from topchef_schema.model import Recording
    from topchef_schema.project import Project


def sql(
    project: Project,
    range_: str | None = None,
    *,
    since: str | None = None,
    on: Sequence[str] = (),
    down: bool = False,
    strict: bool = False,
) -> Report:
    """Return the statements of *range_* for each backend of *on*.

    *since* is a git commit: the revisions added since. ``data`` is ``{"scripts": [{"backend",
    "direction", "sql"}]}``; of a project with several databases there is one for each, with its
    name as ``"database"``. A revision that could only be written down by running it is an info
    finding ``depends-on-data``, with *strict* an error.
    """
    from topchef_schema.stages import record, scratch
    from topchef_schema.stages.plan import scripted

    steps = scripted(project, range_, since, down=down)
    scripts: list[dict[str, str]] = []
    titles: list[str] = []
    statements: list[Statement] = []
    findings: list[Finding] = []
    direction = Direction.DOWN if down else Direction.UP
    for word, name in product(on or project.backends, project.databases):
        backend, _ = scratch.resolve(word)
        recording = record.plan(project, steps, backend, on=word, database=name)
        text = record.script(recording)
        said = {"backend": backend.name, "direction": str(direction), "sql": text}
        scripts.append(said if name is None else said | {"database": name})
        titles.append(" ".join(filter(None, (backend.name, name))))
        statements += recording.statements
        findings += _findings(recording, strict=strict)
    return Report(
        "sql",
        findings=tuple(findings),
        statements=tuple(statements),
        data={"scripts": scripts},
        script=record.joined(
            [(title, each["sql"]) for title, each in zip(titles, scripts, strict=True)]
        ),
    )


def _findings(recording: Recording, *, strict: bool) -> Iterator[Finding]:
    for section in recording.sections:
        if section.reason is None:
            continue
        note = Finding(
            rule="depends-on-data",
            severity=Severity.ERROR if strict else Severity.INFO,
            message="recorded on a scratch database: what it does may depend on the data",
            help="review its statements against the real database",
            backend=recording.backend,
            revision=section.step.revision.id,
            after=section.reason,
        )
        yield note
        for each in section.statements:
            if each.sql.endswith(VALUES_LEFT_OUT):
                yield replace(
                    note,
                    severity=Severity.ERROR,
                    message="values of this statement cannot be written out, so the script stops "
                    "at it",
                    help="write the values in, or use op.execute() with SQL that holds them",
                    path=each.path,
                    line=each.line,
                    sql=each.sql,
                    after=None,
                )


@click.argument("range_", metavar="[RANGE]", required=False, type=options.REVISION)
@options.since_option
@click.option("--down", is_flag=True, help="The way back.")
@click.option("--strict", is_flag=True, help="What depends on the data is an error (exit 10).")
def sql_command(project: Project, *, range_: str | None, **arguments: object) -> Report:
    """Hand the options to `sql`."""
    return sql(project, range_, **arguments)  # type: ignore[arg-type]


COMMAND = options.command(
    epilog="""
    topchef-db sql --on postgresql
    topchef-db sql ae10:head --on mysql -o upgrade.sql
    topchef-db sql ae10:head --down --on mysql -o downgrade.sql
    """,
    formats=("sql", "json"),
    on=True,
)(sql_command)
