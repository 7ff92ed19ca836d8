"""Takes steps on a scratch database, to hear what they send and ask there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from topchef_schema.backends.base import first_line
from topchef_schema.errors import MigrationError, TopchefError, UnreachableError
from topchef_schema.model import DATABASE_UNKNOWN, Plan, Statement, Step, VersionTable
from topchef_schema.project import Project, parse_url
from topchef_schema.stages import scratch
from topchef_schema.stages.entry import Entry, Target

if TYPE_CHECKING:
    from sqlalchemy import Dialect

    from topchef_schema.backends.base import Backend
    from topchef_schema.bridge.session import Session

Where = tuple[str | None, int]
"""The name of a database, and the position of a tenant in it."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a step sent and asked on a scratch database, and *where* it failed there, if it did."""

    statements: tuple[Statement, ...] = ()
    reads: tuple[str, ...] = ()
    failure: str | None = None
    where: str | None = None


@dataclass(frozen=True, slots=True)
class Replay:
    """What steps did on a scratch database, by revision, and the version table that is there.

    There is none where the replay could not be made.
    """

    steps: Mapping[str, Replayed]
    version_table: VersionTable | None = None


def replayed(
    project: Project,
    steps: Plan,
    backend: Backend,
    reasons: Mapping[str, str],
    *,
    on: str | None,
    where: Where,
    tolerant: bool,
) -> Replay:
    """Return what each step does on a scratch database; with *tolerant* it may not be known."""
    why = "a revision before it fails on a scratch database"
    done = Replay({})
    try:
        done = _on_scratch(project, steps, backend, reasons, on=on, where=where)
        if not tolerant:
            _require_done(done.steps)
    except TopchefError as error:
        if not tolerant:
            raise
        why = error.message
    found = {each: done.steps.get(each, Replayed(failure=why)) for each in reasons}
    return Replay(found, done.version_table)


def _on_scratch(
    project: Project,
    steps: Plan,
    backend: Backend,
    reasons: Mapping[str, str],
    *,
    on: str | None,
    where: Where,
) -> Replay:
    """Run the plan on a scratch database and return what its steps did there."""
    database, _ = where
    revision, reason = next(iter(reasons.items()))
    try:
        with scratch.place(on or backend.name) as place, place.databases(project) as databases:
            done = place.run(_replay, project, databases, steps, backend.name, where)
    except UnreachableError as error:
        raise UnreachableError(
            f"revision {revision} can only be written down by running it, and there is no "
            f"{backend.title} server for that: {error.message}",
            where=reason,
            hint=error.hint,
        ) from None
    ours, home = databases[database].name, _home(project, backend, database)
    kept = {
        identity: replace(
            each,
            statements=tuple(
                replace(one, sql=one.sql.replace(ours, home)) for one in each.statements
            ),
        )
        for identity, each in done.steps.items()
    }
    return replace(done, steps=kept)


def _require_done(replayed: Mapping[str, Replayed]) -> None:
    """Raise `MigrationError` for the step that failed."""
    for revision, each in replayed.items():
        if each.where is not None:
            raise _not_written_down(revision, str(each.failure), each.where)


def _not_written_down(revision: str, said: str, where: str) -> MigrationError:
    return MigrationError(
        f"revision {revision} cannot be written down, because it fails on a scratch database: "
        f"{said}",
        where=where,
        hint="topchef-db roundtrip shows the failure",
    )


def _home(project: Project, backend: Backend, database: str | None) -> str:
    """Return what the database is called that the script is for: a revision may write it down."""
    from topchef_schema import backends

    url = dict(project.environment.named).get(database)
    if url is None:
        return DATABASE_UNKNOWN
    parsed = parse_url(url)
    if backends.for_url(parsed, where=url.source).name != backend.name:
        return DATABASE_UNKNOWN
    return str(parsed.database or DATABASE_UNKNOWN)


def _replay(project: Project, steps: Plan, backend_name: str, where: Where) -> Replay:
    """Take every step on a scratch database, in a worker, hearing the statements literally.

    Ends at the first one that fails.
    """
    from topchef_schema.backends import named
    from topchef_schema.bridge.session import StepFailed

    backend = named(backend_name)
    dialect = offline_dialect(project, backend)

    def body(session: Session, target: Target) -> Replay:
        there = project.revisions.applied_at(session.heads())
        for step in project.revisions.way_to(steps.start):
            if step.revision.id not in there:
                session.step(step)
        done = {}
        for step in steps:
            done[step.revision.id] = each = _taken(session, step)
            if each.where is not None:
                break
        return Replay(done, session.version_table(dialect, if_not_exists=True))

    database, tenant = where
    try:
        return Entry(project, isolate=True, literal=dialect).run_at(database, body, tenant=tenant)
    except StepFailed as failed:
        said, place = first_line(failed.cause), str(failed.location)
        raise _not_written_down(failed.step.revision.id, said, place) from None


def _taken(session: Session, step: Step) -> Replayed:
    from topchef_schema.bridge.session import StepFailed

    try:
        statements = session.step(step)
    except StepFailed as failed:
        session.settle()
        reads = tuple(session.listener.reads)
        return Replayed(failed.sent, reads, first_line(failed.cause), str(failed.location))
    # What the server refused took no time: the revision caught that, and went on without it.
    done = [each for each in statements if each.seconds is not None]
    return Replayed(tuple(_lasting(done)), tuple(session.listener.reads))


_SAVEPOINT = re.compile(
    r"(ROLLBACK TO |RELEASE )?SAVEPOINT (sa_savepoint_\d+)\s*;?\s*", re.IGNORECASE
)


def _lasting(statements: Sequence[Statement]) -> list[Statement]:
    """Leave out what was rolled back to a savepoint, and SQLAlchemy's savepoints themselves.

    A script stops at its first error, so it goes back to none.
    """
    kept: list[Statement] = []
    marks: dict[str, int] = {}
    for each in statements:
        found = _SAVEPOINT.fullmatch(each.sql)
        if found is None:
            kept.append(each)
        elif found[1] is None:
            marks[found[2]] = len(kept)
        elif found[1].upper().startswith("ROLLBACK"):
            del kept[marks.get(found[2], len(kept)) :]
    return kept


def offline_dialect(project: Project, backend: Backend) -> Dialect:
    """Return the dialect that scripts are written in."""
    from sqlalchemy import make_url

    # Without this paramstyle a "%" would come out doubled.
    made: Any = make_url(offline_url(project, backend)).get_dialect()
    dialect: Dialect = made(paramstyle="named")
    backend.inform(dialect)
    return dialect


def offline_url(project: Project, backend: Backend) -> str:
    """Return a URL of the dialect that env.py works with: it may say mysql of a MariaDB server.

    What revisions write for one dialect alone (``mysql_length``) is not heard by another.
    """
    from sqlalchemy import make_url

    url = make_url(backend.offline_url)
    driver = project.environment.drivers.get(url.get_backend_name(), "")
    return str(url.set(drivername=driver)) if "+" in driver else backend.offline_url
