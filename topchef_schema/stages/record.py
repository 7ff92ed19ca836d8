"""What would a plan say? Its statements for one backend, without touching the target.

Alembic's offline mode renders a revision without a server. A revision that it cannot render (one
that reads the database; every batch operation on SQLite) is replayed on a scratch database of the
same kind, and what it sends there is written down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from topchef_schema.backends.base import first_line
from topchef_schema.errors import UsageError
from topchef_schema.model import (
    Plan,
    Recording,
    Section,
    Statement,
    Step,
    visible,
)
from topchef_schema.project import Project
from topchef_schema.stages.replay import Replayed, Where, offline_url, replayed

if TYPE_CHECKING:
    from topchef_schema.backends.base import Backend
    from topchef_schema.bridge.session import Session
    from topchef_schema.stages.observe import Observed


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


def plan(
    project: Project,
    steps: Plan,
    backend: Backend,
    *,
    on: str | None = None,
    database: str | None = None,
    tenant: int = 0,
    tolerant: bool = False,
    replay: bool = True,
) -> Recording:
    """Return what *steps* say on *backend*, to the one of several databases called *database*.

    *tenant* is its position, where env.py comes to several under one name. *on* names the server
    for revisions that must be replayed (default: the backend's own). Raises `UnreachableError`
    naming the revision that needs a server where there is none, `MigrationError` for one that
    fails there; with *tolerant* its section says so. What is told then is what would run, not what
    a script says: a revision that does something else offline is replayed, too. Without *replay*
    no server is started for it, and such a section says why it would need one.
    """
    if not steps.steps:
        return Recording(backend.name)
    where = (database, tenant)
    offline = _render(project, steps, backend, where)
    reasons = dict(offline.reasons)
    if tolerant:
        reasons |= {step.revision.id: _OFFLINE for step in steps if _asks(step)}
    done: Mapping[str, Replayed] = {}
    if not replay and not backend.made_by_connecting:
        done = {identity: Replayed(failure=why) for identity, why in reasons.items()}
    elif reasons:
        done = replayed(project, steps, backend, reasons, on=on, where=where, tolerant=tolerant)
    sections = []
    for step, part in zip(steps, offline.parts, strict=True):
        identity = step.revision.id
        heard = done[identity] if identity in reasons else Replayed(part.own or ())
        statements = (*part.before, *heard.statements, *part.after)
        fails, reason = heard.where is not None, reasons.get(identity)
        sections.append(Section(step, statements, reason, heard.reads, heard.failure, fails))
    return Recording(backend.name, offline.opening, tuple(sections), offline.closing)


def each(
    project: Project,
    seen: Sequence[Observed],
    plans: Sequence[Plan],
    *,
    tolerant: bool = False,
    replay: bool = True,
) -> list[Recording]:
    """Return what the plan of each database says there; the arguments are those of `plan`."""
    from topchef_schema.backends import named

    found = []
    for position, (one, steps) in enumerate(zip(seen, plans, strict=True)):
        tenant = sum(before.name == one.name for before in seen[:position])
        backend = named(one.backend)
        found.append(
            plan(
                project,
                steps,
                backend,
                database=one.name,
                tenant=tenant,
                tolerant=tolerant,
                replay=replay,
            )
        )
    return found


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


def _render(project: Project, steps: Plan, backend: Backend, where: Where) -> _Offline:
    """Run env.py offline and render every step that can be."""
    database, tenant = where
    from topchef_schema.bridge.environment import Door, EnvironmentFailed

    urls = {name: _leading_nowhere(backend, name) for name in project.databases}
    nowhere = project.at(urls, "the dialect")
    door = Door(nowhere.environment, project.revisions, backend=backend.name)
    found: list[tuple[_Offline, Session]] = []
    passed: list[Session] = []

    def body(session: Session) -> None:
        if database is None or session.configured.url == urls[database]:
            if len(passed) == tenant:
                backend.inform(session.dialect)
                found.append((_rendered(session, steps), session))
            passed.append(session)

    try:
        door.offline(body, url=offline_url(project, backend))
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
