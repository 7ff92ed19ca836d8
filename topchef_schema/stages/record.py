"""What would a plan say? Its statements for one backend, without touching the target.

Alembic's offline mode renders a revision without a server. A revision that it cannot render (one
that reads the database; every batch operation on SQLite) is replayed on a scratch database of the
same kind, and what it sends there is written down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from topchef_schema.backends.base import first_line
from topchef_schema.errors import MigrationError, UnreachableError, UsageError
from topchef_schema.model import (
    DATABASE_UNKNOWN,
    Plan,
    Recording,
    Section,
    Statement,
    Step,
    visible,
)
from topchef_schema.project import Project, parse_url
from topchef_schema.stages import scratch
from topchef_schema.stages.entry import Entry, Target

if TYPE_CHECKING:
    from topchef_schema.backends.base import Backend
    from topchef_schema.bridge.session import Session


@dataclass(frozen=True, slots=True)
class _Part:
    """One step: its own statements (None: it could not be rendered) and what stands around them."""

    before: tuple[Statement, ...]
    own: tuple[Statement, ...] | None
    after: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class _Offline:
    """What offline mode gave, and the reason for each step it could not render."""

    opening: tuple[Statement, ...]
    parts: tuple[_Part, ...]
    closing: tuple[Statement, ...]
    reasons: tuple[tuple[str, str], ...]


_OFFLINE = "it asks whether it is offline"


def _asks(step: Step) -> bool:
    """Whether the revision may do something else where its SQL is only written down."""
    try:
        source = Path(step.revision.path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return "is_offline_mode" in source or "as_sql" in source


@dataclass(frozen=True, slots=True)
class _Replayed:
    """What a step sent and asked on a scratch database, and *where* it failed there, if it did."""

    statements: tuple[Statement, ...] = ()
    reads: tuple[str, ...] = ()
    failure: str | None = None
    where: str | None = None


def plan(
    project: Project,
    steps: Plan,
    backend: Backend,
    *,
    on: str | None = None,
    database: str | None = None,
    tolerant: bool = False,
) -> Recording:
    """Return what *steps* say on *backend*, to the one of several databases called *database*.

    *on* names the server for revisions that must be replayed (default: the backend's own). Raises
    `UnreachableError` naming the revision that needs a server where there is none, `MigrationError`
    for one that fails there; with *tolerant* its section says so. What is told then is what would
    run, not what a script says: a revision that does something else offline is replayed, too.
    """
    if not steps.steps:
        return Recording(backend.name)
    offline = _render(project, steps, backend, database)
    reasons = dict(offline.reasons)
    if tolerant:
        reasons |= {step.revision.id: _OFFLINE for step in steps if _asks(step)}
    replayed: Mapping[str, _Replayed] = {}
    if reasons:
        replayed = _replayed(
            project, steps, backend, reasons, on=on, database=database, tolerant=tolerant
        )
    sections = []
    for step, part in zip(steps, offline.parts, strict=True):
        identity = step.revision.id
        heard = replayed[identity] if identity in reasons else _Replayed(part.own or ())
        statements = (*part.before, *heard.statements, *part.after)
        fails, reason = heard.where is not None, reasons.get(identity)
        sections.append(Section(step, statements, reason, heard.reads, heard.failure, fails))
    return Recording(backend.name, offline.opening, tuple(sections), offline.closing)


def script(recording: Recording) -> str:
    """Return the statements as a script for the database's own client."""
    from topchef_schema.backends import named

    backend = named(recording.backend)
    blocks = [backend.preamble().strip(), _lines(recording.opening, backend)]
    for section in recording.sections:
        revision = section.step.revision
        heading = [f"{section.step.direction} {revision.id} {revision.message}", revision.path]
        if section.reason is not None:
            heading.append(
                "depends on the data: review. Recorded by running it on a scratch database, "
                f"because it cannot be written down without: {section.reason}"
            )
        blocks.append(_comment("\n".join(heading)) + "\n" + _lines(section.statements, backend))
    blocks.append(_lines(recording.closing, backend))
    return "\n\n".join(block for block in blocks if block) + "\n"


def _lines(statements: tuple[Statement, ...], backend: Backend) -> str:
    lines = []
    for statement in statements:
        separator = statement.sql.strip() in _SEPARATORS
        if statement.line is not None and not separator:
            lines.append(_comment(f"line {statement.line}"))
        lines.append(statement.sql.strip() if separator else backend.terminated(statement.sql))
    return "\n".join(lines)


def _comment(text: str) -> str:
    """Return *text* as comment lines: a line end in it must not end the comment."""
    return "\n".join(f"-- {visible(line)}" for line in text.splitlines() or [""])


_SEPARATORS = {"GO", "/"}
"""What ends a batch in the clients of SQL Server and Oracle; Alembic writes it like a statement."""


def joined(scripts: Sequence[tuple[str, str]]) -> str:
    """Return scripts, each with what it is for, as one text."""
    if len(scripts) == 1:
        return scripts[0][1]
    return "\n".join(f"-- === {visible(name)} ===\n{text}" for name, text in scripts)


def _render(project: Project, steps: Plan, backend: Backend, database: str | None) -> _Offline:
    """Run env.py offline and render every step that can be."""
    from topchef_schema.bridge.environment import Door, EnvironmentFailed

    urls = {name: _leading_nowhere(backend, name) for name in project.databases}
    nowhere = project.at(urls, "the dialect")
    door = Door(nowhere.environment, project.revisions, backend=backend.name)
    found: list[tuple[_Offline, Session]] = []

    def body(session: Session) -> None:
        here = database is None or session.configured.url == urls[database]
        if here and not found:
            backend.inform(session.dialect)
            found.append((_rendered(session, steps), session))

    try:
        door.offline(body, url=_offline_url(project, backend))
        if not found:
            raise UsageError(f"it names no URL of {database}", where="env.py", hint="url=...")
    except (EnvironmentFailed, UsageError) as error:
        # No offline branch in env.py: everything is replayed.
        said = error.message if isinstance(error, UsageError) else first_line(error.cause)
        reason = f"env.py has no offline mode ({said})"
        return _Offline(
            (),
            tuple(_Part((), None, ()) for _ in steps),
            (),
            tuple((step.revision.id, reason) for step in steps),
        )
    offline, session = found[0]
    # The COMMIT of a transaction around the whole run comes when env.py is left.
    return replace(offline, closing=session.listener.take())


def _offline_url(project: Project, backend: Backend) -> str:
    """Return a URL of the dialect that env.py works with: it may say mysql of a MariaDB server.

    What revisions write for one dialect alone (``mysql_length``) is not heard by another.
    """
    from sqlalchemy import make_url

    url = make_url(backend.offline_url)
    driver = project.environment.drivers.get(url.get_backend_name(), "")
    return str(url.set(drivername=driver)) if "+" in driver else backend.offline_url


def _leading_nowhere(backend: Backend, name: str | None) -> str:
    """Return a URL of the backend at which no server answers, another for each *name*.

    An env.py without an offline mode connects all the same, and may write before it configures:
    without a host, drivers find the server that usually is there.
    """
    from sqlalchemy import make_url

    url = make_url(backend.offline_url)
    if backend.made_by_connecting:
        in_memory = url.set(database=f"file:{name}", query={"mode": "memory", "uri": "true"})
        return str(url if name is None else in_memory)
    return str(url.set(host="127.0.0.1", port=1, database=name or "offline"))


def _rendered(session: Session, steps: Plan) -> _Offline:
    from topchef_schema.bridge.session import StepFailed

    session.start_from(steps.start)
    opening = session.listener.take()
    parts, reasons = [], []
    for step in steps:
        try:
            parts.append(_split(session.step(step)))
        except StepFailed as failed:
            reasons.append((step.revision.id, f"{failed.location}: {first_line(failed.cause)}"))
            before, after = session.skip(step)
            parts.append(_Part(before, None, after))
    return _Offline(opening, tuple(parts), (), tuple(reasons))


def _split(said: tuple[Statement, ...]) -> _Part:
    """Tell a step's own statements from BEGIN before and the version row after them."""
    own = [position for position, each in enumerate(said) if each.revision is not None]
    first, last = (own[0], own[-1] + 1) if own else _empty(said)
    return _Part(said[:first], said[first:last], said[last:])


def _empty(said: tuple[Statement, ...]) -> tuple[int, int]:
    begins = bool(said) and said[0].sql.upper().startswith("BEGIN")
    return (1, 1) if begins else (0, 0)


def _replayed(
    project: Project,
    steps: Plan,
    backend: Backend,
    reasons: Mapping[str, str],
    *,
    on: str | None,
    database: str | None,
    tolerant: bool,
) -> Mapping[str, _Replayed]:
    """Return what each step does on a scratch database; with *tolerant* it may not be known."""
    why = "a revision before it fails on a scratch database"
    done: Mapping[str, _Replayed] = {}
    try:
        done = _on_scratch(project, steps, backend, reasons, on=on, database=database)
        if not tolerant:
            _require_done(done)
    except (UnreachableError, MigrationError) as error:
        if not tolerant:
            raise
        why = error.message
    return {identity: done.get(identity, _Replayed(failure=why)) for identity in reasons}


def _on_scratch(
    project: Project,
    steps: Plan,
    backend: Backend,
    reasons: Mapping[str, str],
    *,
    on: str | None,
    database: str | None,
) -> dict[str, _Replayed]:
    """Run the plan on a scratch database and return what its steps did there."""
    revision, reason = next(iter(reasons.items()))
    try:
        with scratch.place(on or backend.name) as place, place.databases(project) as databases:
            done = place.run(_replay, project, databases, steps, backend.name, database)
    except UnreachableError as error:
        raise UnreachableError(
            f"revision {revision} can only be written down by running it, and there is no "
            f"{backend.title} server for that: {error.message}",
            where=reason,
            hint=error.hint,
        ) from None
    ours, home = databases[database].name, _home(project, backend, database)
    return {
        identity: replace(
            each,
            statements=tuple(
                replace(one, sql=one.sql.replace(ours, home)) for one in each.statements
            ),
        )
        for identity, each in done.items()
    }


def _require_done(replayed: Mapping[str, _Replayed]) -> None:
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


def _replay(
    project: Project, steps: Plan, backend_name: str, database: str | None
) -> dict[str, _Replayed]:
    """Take every step on a scratch database, in a worker, hearing the statements literally.

    Ends at the first one that fails.
    """
    from sqlalchemy import make_url

    from topchef_schema.backends import named
    from topchef_schema.bridge.session import StepFailed

    # Without this paramstyle a "%" would come out doubled.
    backend = named(backend_name)
    dialect: Any = make_url(_offline_url(project, backend)).get_dialect()
    dialect = dialect(paramstyle="named")
    backend.inform(dialect)

    def body(session: Session, target: Target) -> dict[str, _Replayed]:
        there = project.revisions.applied_at(session.heads())
        for step in project.revisions.way_to(steps.start):
            if step.revision.id not in there:
                session.step(step)
        done = {}
        for step in steps:
            done[step.revision.id] = each = _taken(session, step)
            if each.where is not None:
                break
        return done

    try:
        return Entry(project, isolate=True, literal=dialect).run_at(database, body)
    except StepFailed as failed:
        said, where = first_line(failed.cause), str(failed.location)
        raise _not_written_down(failed.step.revision.id, said, where) from None


def _taken(session: Session, step: Step) -> _Replayed:
    from topchef_schema.bridge.session import StepFailed

    try:
        statements = session.step(step)
    except StepFailed as failed:
        session.settle()
        reads = tuple(session.listener.reads)
        return _Replayed(failed.sent, reads, first_line(failed.cause), str(failed.location))
    return _Replayed(statements, tuple(session.listener.reads))
