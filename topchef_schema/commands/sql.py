"""Write the SQL script that a DBA reviews and runs.

RANGE is FROM:TO (FROM exclusive) or one revision; default: everything. Without --down it is the
way up; with --down the way back, and A:B and B:A name the same range. No server is needed unless a
revision reads the database: then it is replayed on a scratch database. --bundle writes a folder for
each backend: both scripts, the schema before and after, and a review. --verify says whether such a
folder still is what the revisions say.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial, wraps
from itertools import product
from typing import TYPE_CHECKING, Any, ParamSpec

import click

from topchef_schema.commands import options, waits
from topchef_schema.model import (
    DATABASE_UNKNOWN,
    VALUES_LEFT_OUT,
    Direction,
    Finding,
    Report,
    Severity,
    Statement,
)

if TYPE_CHECKING:
    from topchef_schema.model import Plan, Recording
    from topchef_schema.project import Project
    from topchef_schema.stages.written import Written

P = ParamSpec("P")


def _plain(function: Callable[P, Report]) -> Callable[P, Report]:
    """Let the report of *function* hold its scripts as text, for whoever sends it elsewhere.

    The program itself has no need of all of them at once, and takes `__wrapped__`.
    """

    @wraps(function)
    def plain(*arguments: P.args, **keywords: P.kwargs) -> Report:
        report = function(*arguments, **keywords)
        if report.pieces is None:
            return report
        return report._replace(pieces=("".join(report.pieces),), data=dict(report.data))

    return plain


@_plain
def sql(
    project: Project,
    range_: str | None = None,
    *,
    since: str | None = None,
    on: Sequence[str] = (),
    down: bool = False,
    strict: bool = False,
    ddl_lock_timeout: float = 5.0,
    statement_timeout: float | None = None,
    history: bool = True,
    prove: bool = False,
    bundle: str | os.PathLike[str] | None = None,
    verify: str | os.PathLike[str] | None = None,
) -> Report:
    """Return the statements of *range_* for each backend of *on*.

    *since* is a git commit: the revisions added since. ``data`` is ``{"scripts": [{"backend",
    "direction", "sql"}]}``; of a project with several databases there is one for each, with its
    name as ``"database"``. A revision that could only be written down by running it is an info
    finding ``depends-on-data``, with *strict* an error; one that says something else each time is
    a warning ``not-deterministic``, with *strict* an error. The limits are in seconds, and without
    *history* neither the history nor the journal is written. With *prove* each script is run by
    the database's own client on a scratch database, and what it leaves is compared with what an
    upgrade leaves there: ``script-fails``, ``script-differs``.

    *bundle* is a folder to write both ways into, with the schema before and after, and pages for a
    reviewer; ``data`` is then ``{"bundle", "files"}``. *verify* is such a folder: what is damaged
    in it is a finding ``bundle-damaged``, what is not what the revisions say now ``bundle-stale``.
    """
    from topchef_schema.backends.timeouts import Limits
    from topchef_schema.stages.plan import scripted
    from topchef_schema.stages.record import joined
    from topchef_schema.stages.script import Terms
    from topchef_schema.stages.written import written

    terms = Terms(Limits.given(ddl_lock_timeout, statement_timeout, 0), history)
    if bundle is not None or verify is not None:
        from topchef_schema.commands import bundling

        bundling.require_no_more(range_, since, bundle=bundle, verify=verify, down=down)
        if bundle is None:
            return bundling.verified(project, verify or ".", on)
        noted = partial(_findings, strict=strict)
        chosen = (range_, since)
        return bundling.written(project, bundle, chosen, on, terms, noted=noted, prove=prove)
    steps = scripted(project, range_, since, down=down)
    words = tuple(on or project.backends)
    made = [
        (word, written(project, steps, word, name, terms))
        for word, name in product(words, project.databases)
    ]
    found = [finding for _, each in made for finding in _findings(each, strict=strict)]
    if prove:
        found += _proofs(project, steps, made, history=history)
    return Report(
        "sql",
        findings=tuple(found),
        statements=tuple(one for _, each in made for one in each.recording.statements),
        data=_Scripts(tuple(each for _, each in made), down=down),
        pieces=joined([(each.title, each.pieces) for _, each in made]),
    )


@dataclass(frozen=True, eq=False)
class _Scripts(Mapping[str, Any]):
    """The scripts as data, each of them one text, which is made when it is asked for."""

    made: tuple[Written, ...]
    down: bool

    def __getitem__(self, key: str) -> list[dict[str, str]]:
        if key != "scripts":
            raise KeyError(key)
        return [self._of(each) for each in self.made]

    def __iter__(self) -> Iterator[str]:
        return iter(("scripts",))

    def __len__(self) -> int:
        return 1

    def _of(self, made: Written) -> dict[str, str]:
        direction = Direction.DOWN if self.down else Direction.UP
        said = {"backend": made.recording.backend, "direction": str(direction), "sql": made.text}
        return said if made.database is None else said | {"database": made.database}


def _proofs(
    project: Project, steps: Plan, made: Sequence[tuple[str, Written]], *, history: bool
) -> Iterator[Finding]:
    from topchef_schema.stages.script_proof import proven

    for word in dict.fromkeys(word for word, _ in made):
        scripts = {each.database: each.text for other, each in made if other == word}
        yield from proven(project, steps, scripts, word, history=history)


def _findings(made: Written, *, strict: bool) -> Iterator[Finding]:
    yield from _unknown(made.recording, strict=strict)
    for each in made.varying:
        yield Finding(
            rule="not-deterministic",
            severity=Severity.ERROR if strict else Severity.WARNING,
            message="this statement is another one each time it is written",
            help="write the values into the revision, or let the database make them",
            backend=made.recording.backend,
            revision=each.first.revision,
            before=each.first.sql,
            after=each.again,
            path=each.first.path,
            line=each.first.line,
        )


def _unknown(recording: Recording, *, strict: bool) -> Iterator[Finding]:
    for section in recording.sections:
        if section.reason is None or section.where is None:
            continue
        note = Finding(
            rule="depends-on-data",
            severity=Severity.ERROR if strict else Severity.INFO,
            message="recorded on a scratch database: what it does may depend on the data",
            help="review its statements against the real database",
            backend=recording.backend,
            revision=section.step.revision.id,
            after=section.reason,
            path=section.where.path,
            line=section.where.line,
        )
        yield note
        for each in section.statements:
            if each.sql.endswith(VALUES_LEFT_OUT):
                yield _stops(
                    note,
                    each,
                    "values of this statement cannot be written out",
                    "write the values in, or use op.execute() with SQL that holds them",
                )
            elif DATABASE_UNKNOWN in each.sql:
                yield _stops(
                    note,
                    each,
                    "this statement names its own database, which is not known here",
                    f"name the database with --url-env, or put its name for {DATABASE_UNKNOWN}",
                )


def _stops(note: Finding, statement: Statement, message: str, help_: str) -> Finding:
    return replace(
        note,
        severity=Severity.ERROR,
        message=f"{message}, so the script stops at it",
        help=help_,
        path=statement.path,
        line=statement.line,
        sql=statement.sql,
        after=None,
    )


@click.argument("range_", metavar="[RANGE]", required=False, type=options.REVISION)
@options.since_option
@click.option(
    "--bundle", metavar="DIR", help="Write both ways, the schema and a review into this folder."
)
@click.option("--verify", metavar="DIR", help="Is this bundle intact and fresh? Exit 10 if not.")
@click.option("--down", is_flag=True, help="The way back.")
@click.option("--strict", is_flag=True, help="What depends on the data is an error (exit 10).")
@click.option(
    "--prove", is_flag=True, help="Run the script on a scratch database, beside an upgrade."
)
@click.option(
    "--history/--no-history", default=True, help="Write topchef_history, as an upgrade does."
)
@waits.ddl_lock_timeout_option
@waits.statement_timeout_option
def sql_command(project: Project, *, range_: str | None, **arguments: object) -> Report:
    """Hand the options to `sql`."""
    report: Report = sql.__wrapped__(project, range_, **arguments)  # type: ignore[attr-defined]
    return report


COMMAND = options.command(
    epilog="""
    topchef-db sql --on postgresql
    topchef-db sql ae10:head --on mysql -o upgrade.sql
    topchef-db sql ae10:head --down --on mysql -o downgrade.sql
    topchef-db sql ae10:3f5b --on postgresql --bundle sql/isbn
    topchef-db sql --verify sql/isbn
    """,
    formats=("sql", "json"),
    on=True,
)(sql_command)
