"""The whole history at once, on empty tables: up to the heads in one run of env.py, down in one.

So do `alembic upgrade heads` and `alembic downgrade base`, in the transactions that env.py chose
and with what one run remembers of named types. All functions here run in a worker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from topchef_schema.backends.base import Failure, first_line
from topchef_schema.errors import TopchefError
from topchef_schema.model import Direction, Plan, Snapshot
from topchef_schema.project import Project
from topchef_schema.stages import observe
from topchef_schema.stages.agreement import Modelled, modelled
from topchef_schema.stages.entry import Entry
from topchef_schema.stages.up_down_up import take

if TYPE_CHECKING:
    from topchef_schema.bridge.session import Session, StepFailed
    from topchef_schema.stages.entry import Target


@dataclass(frozen=True, slots=True)
class Stopped:
    """A step that failed, in plain data; *exists* where something of its name was there already."""

    revision: str
    message: str
    path: str | None
    line: int | None
    sql: str | None
    exists: bool


@dataclass(frozen=True, slots=True)
class Climb:
    """The way up from *base*, where the revisions *there* were applied already, to *top*.

    *prints* are the fingerprints after each revision; *left_out* are the keys of tables that
    env.py keeps out of comparisons.
    """

    base: Snapshot
    there: frozenset[str]
    top: Snapshot | None
    stopped: Stopped | None = None
    prints: Mapping[str, str] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class WholeWay:
    """Up and, where it was wanted, down: to *bottom*, or as far as *stuck*.

    *models* are made where the way down left nothing behind; else they need another database.
    """

    up: Climb
    bottom: Snapshot | None = None
    stuck: Stopped | None = None
    models: Modelled | None = None


def there_and_back(project: Project, database: str | None, *, down: bool, models: bool) -> WholeWay:
    """Take an empty database to the heads and, with *down*, back to where it was."""
    up = climb(project, database, isolate=False)
    if up.stopped is not None or not down:
        return WholeWay(up)
    bottom, stuck = _descend(project, database, up)
    if not models or bottom is None or schema(bottom) != schema(up.base):
        return WholeWay(up, bottom, stuck)
    return WholeWay(up, bottom, models=as_modelled(project, database))


def as_modelled(project: Project, database: str | None) -> Modelled:
    """Let the models make what they say in a database that is at base, and stay there."""

    def made(session: Session, target: Target) -> Modelled:
        found = modelled(session, target)
        session.commit()
        return found

    try:
        return Entry(project, isolate=True).run_at(database, made)
    except TopchefError as error:
        return Modelled(None, f"the models cannot be made without revisions: {error.message}")


def untouched(project: Project, database: str | None) -> Snapshot:
    """Return what env.py itself makes of an empty database, at each place that it comes to."""
    Entry(project, isolate=True).run(lambda session, target: None)
    return Entry(project, isolate=True).run_at(database, _snapshot)


def climb(
    project: Project,
    database: str | None,
    *,
    isolate: bool,
    watch: bool = False,
    until: str | None = None,
) -> Climb:
    """Take an empty database to the heads, or *until* a revision.

    With *isolate* each revision is taken in a transaction of its own, and knows of named types
    what a new process would know; with *watch* the schema is looked at after each.
    """
    found: list[Snapshot] = []
    there: set[str] = set()
    left_out: set[str] = set()
    prints: dict[str, str] = {}

    def up(session: Session, target: Target) -> None:
        session.commit()  # the version table may have been made just now
        there.update(project.revisions.applied_at(session.heads()))
        session.settle()
        found.append(_snapshot(session, target))
        for step in _steps(project, session, Direction.UP):
            take(session, target, step)
            if watch:
                prints[step.revision.id] = fingerprint(_snapshot(session, target))
            if step.revision.id == until:
                break
        found.append(_snapshot(session, target))
        left_out.update(_left_out(session, found[-1]))

    stopped = _run(project, database, up, isolate=isolate)
    top = found[1] if len(found) > 1 else None
    return Climb(found[0], frozenset(there), top, stopped, prints, frozenset(left_out))


def schema(snapshot: Snapshot) -> Mapping[str, str]:
    """Return the objects of *snapshot* without what has no meaning: the order of columns."""
    return {k: v for k, v in snapshot.objects.items() if not k.startswith("column-order ")}


def fingerprint(snapshot: Snapshot) -> str:
    """Return the fingerprint of what *snapshot* means."""
    return Snapshot(schema(snapshot)).fingerprint


def _descend(
    project: Project, database: str | None, up: Climb
) -> tuple[Snapshot | None, Stopped | None]:
    """Walk down as far as *up* came; returns neither where a revision has no downgrade at all."""
    found: list[Snapshot] = []

    def down(session: Session, target: Target) -> None:
        session.commit()  # what env.py has set in a transaction holds for all steps
        for step in _steps(project, session, Direction.DOWN):
            if step.revision.id not in up.there:
                take(session, target, step)
        found.append(_snapshot(session, target))

    try:
        stuck = _run(project, database, down, isolate=False)
    except TopchefError:
        return None, None
    return (found[0] if found else None), stuck


def _run(
    project: Project,
    database: str | None,
    body: Callable[[Session, Target], None],
    *,
    isolate: bool,
) -> Stopped | None:
    """Run *body* in env.py; return the step that failed."""
    from topchef_schema.bridge.session import StepFailed

    entry = Entry(project, isolate=isolate)
    try:
        entry.run_at(database, body)
    except StepFailed as failed:
        return _stopped(failed, entry)
    return None


def _stopped(failed: StepFailed, entry: Entry) -> Stopped:
    backend = entry.target.backend if entry.target else None
    exists = backend is not None and backend.failure(failed.cause) is Failure.ALREADY_EXISTS
    return Stopped(
        failed.step.revision.id,
        first_line(failed.cause),
        failed.location.path,
        failed.location.line,
        failed.failed.sql if failed.failed else None,
        exists,
    )


def _steps(project: Project, session: Session, direction: Direction) -> Plan:
    heads = session.heads()
    session.settle()
    if direction is Direction.UP:
        return project.revisions.upgrade("heads", heads)
    return project.revisions.downgrade("base", heads)


def _snapshot(session: Session, target: Target) -> Snapshot:
    snapshot = observe.schema_of(session, target)
    session.settle()
    return snapshot


def _left_out(session: Session, snapshot: Snapshot) -> Iterator[str]:
    """Yield the keys of the tables that env.py keeps out of comparisons."""
    from topchef_schema.bridge.autogenerate import left_out

    keys = [key for key in snapshot.objects if key.startswith("table ")]
    usual = session.dialect.default_schema_name
    tables = []
    for key in keys:
        schema, _, name = key.removeprefix("table ").rpartition(".")
        tables.append((None if schema in ("", usual) else schema, name.strip('"`')))
    for key, out in zip(keys, left_out(session, tables), strict=True):
        if out:
            yield key
