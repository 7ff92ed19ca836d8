"""What would a plan say? Its statements for one backend, without touching the target.

Alembic's offline mode renders a revision without a server. A revision that it cannot render (one
that reads the database; every batch operation on SQLite) is replayed on a scratch database of the
same kind, and what it sends there is written down.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING

from topchef_schema.backends.base import first_line
from topchef_schema.errors import UsageError
from topchef_schema.model import (
    Location,
    Plan,
    Recording,
    Section,
    Statement,
    Step,
    VersionTable,
    visible,
)
from topchef_schema.model.file_fingerprint import text_of
from topchef_schema.project import Project
from topchef_schema.stages.replay import Replayed, Where, offline_url, replayed
from topchef_schema.stages.script_contents import comment, own

if TYPE_CHECKING:
    from topchef_schema.backends.base import Backend
    from topchef_schema.bridge.session import Session
    from topchef_schema.stages.observe import Observed


@dataclass(frozen=True, slots=True)
class _Part:
    """One step: its own statements (None: it could not be rendered) and what stands around them.

    *after* is what env.py does whenever a step was taken, *heads* are the version rows then.
    """

    heads: tuple[str, ...]
    before: tuple[Statement, ...] = ()
    own: tuple[Statement, ...] | None = None
    after: tuple[Statement, ...] = ()


@dataclass(frozen=True, slots=True)
class _Offline:
    """What offline mode gave, and the reason for each step it could not render, and its place.

    Without an offline mode, there is no *version_table*: a replay tells of it.
    """

    opening: tuple[Statement, ...]
    parts: tuple[_Part, ...]
    closing: tuple[Statement, ...]
    reasons: Mapping[str, str]
    version_table: VersionTable | None = None
    places: Mapping[str, Location] = field(default_factory=dict)


_OFFLINE = "it asks whether it is offline"


_CATCHES = "it catches errors, and none comes where its SQL is only written down"


def asks(step: Step) -> bool:
    """Whether the revision may do something else where its SQL is only written down."""
    source = text_of(step.revision.path)
    return "is_offline_mode" in source or "as_sql" in source


def _catches(source: str) -> int | None:
    """Return the line where a revision goes on after an error of a statement, None if nowhere."""
    if "try:" not in source and "suppress(" not in source:
        return None
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return None
    guarded: list[ast.Try | ast.With] = [
        each for each in ast.walk(tree) if isinstance(each, ast.Try) and each.handlers
    ]
    guarded += [
        each
        for each in ast.walk(tree)
        if isinstance(each, ast.With) and "suppress(" in ast.unparse(each.items[0])
    ]
    return next((each.lineno for each in guarded if any(map(_sends, each.body))), None)


def _sends(node: ast.AST) -> bool:
    called = [each.func for each in ast.walk(node) if isinstance(each, ast.Call)]
    names = [ast.unparse(each) for each in called]
    return any(each.startswith("op.") or each.endswith(".execute") for each in names)


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
        return Recording(backend.name, start=steps.start)
    where = (database, tenant)
    offline = _render(project, steps, backend, where)
    reasons = dict(offline.reasons)
    places = dict(offline.places)
    if backend.online:
        for step in steps:
            line = _catches(text_of(step.revision.path))
            if line is not None and reasons.setdefault(step.revision.id, _CATCHES) is _CATCHES:
                places[step.revision.id] = Location(step.revision.path, line)
    if tolerant:
        reasons |= {step.revision.id: _OFFLINE for step in steps if asks(step)}
    done: Mapping[str, Replayed] = {}
    version_table = offline.version_table
    if not replay and not backend.made_by_connecting:
        done = {identity: Replayed(failure=why) for identity, why in reasons.items()}
    elif reasons:
        run = replayed(project, steps, backend, reasons, on=on, where=where, tolerant=tolerant)
        done, version_table = run.steps, version_table or run.version_table
    written = _sections(steps, offline, reasons, places, done)
    return Recording(
        backend.name,
        offline.opening,
        tuple(written),
        offline.closing,
        start=steps.start,
        version_table=version_table,
    )


def _sections(
    steps: Plan,
    offline: _Offline,
    reasons: Mapping[str, str],
    places: Mapping[str, Location],
    done: Mapping[str, Replayed],
) -> Iterator[Section]:
    for step, part in zip(steps, offline.parts, strict=True):
        identity = step.revision.id
        heard = done[identity] if identity in reasons else Replayed(part.own or ())
        where = places.get(identity) or Location(step.revision.path, None)
        yield Section(
            step,
            (*part.before, *heard.statements, *part.after),
            reasons.get(identity),
            where if identity in reasons else None,
            heard.reads,
            heard.failure,
            fails=heard.where is not None,
            heads=part.heads,
        )


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


def listing(recording: Recording) -> Sequence[str]:
    """Return the statements of the revisions for a reader, and nothing around them, in pieces."""
    from topchef_schema.backends import named

    words = named(recording.backend).scripting
    blocks = []
    for section in recording.sections:
        lines = [comment(f"{section.step}\n{section.step.revision.path}")]
        for each in own(section):
            if each.line is not None:
                lines.append(comment(f"line {each.line}"))
            lines.append(words.terminated(each.sql))
        blocks.append("\n".join(lines))
    return ("\n\n".join(blocks) + "\n",)


@dataclass(frozen=True, slots=True)
class _Joined:
    """Pieces of text, one after the other; each is made when it is its turn, each time."""

    parts: tuple[Iterable[str], ...]

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(self.parts)


def joined(scripts: Sequence[tuple[str, Iterable[str]]]) -> Iterable[str]:
    """Return the pieces of scripts, each with what it is for, as those of one."""
    if len(scripts) == 1:
        return scripts[0][1]
    parts: list[Iterable[str]] = []
    for number, (name, pieces) in enumerate(scripts):
        parts += [("\n" if number else "", f"-- === {visible(name)} ===\n"), pieces]
    return _Joined(tuple(parts))


def _render(project: Project, steps: Plan, backend: Backend, where: Where) -> _Offline:
    """Run env.py offline and render every step that can be."""
    database, tenant = where
    from topchef_schema.bridge.environment import Door, EnvironmentFailed
    from topchef_schema.bridge.steps import heads_along

    urls = {name: _leading_nowhere(backend, name) for name in project.databases}
    nowhere = project.at(urls, "the dialect")
    door = Door(nowhere.environment, project.revisions, backend=backend.name)
    found: list[tuple[_Offline, Session]] = []
    passed: list[Session] = []

    def body(session: Session) -> None:
        if database is None or session.configured.url == urls[database]:
            if len(passed) == tenant:
                backend.inform(session.dialect)
                found.append((_rendered(session, steps, backend), session))
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
            tuple(map(_Part, heads_along(project.revisions, steps))),
            (),
            {step.revision.id: reason for step in steps},
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


def _rendered(session: Session, steps: Plan, backend: Backend) -> _Offline:
    from topchef_schema.bridge.session import StepFailed

    session.start_from(steps.start)
    opening = session.listener.take()
    parts: list[_Part] = []
    failures: dict[str, StepFailed] = {}
    for step in steps:
        try:
            said = session.step(step)
            parts.append(_Part(session.heads_ahead(), *_split(said)))
        except StepFailed as failed:
            failures[step.revision.id] = failed
            before, after = session.skip(step)
            parts.append(_Part(session.heads_ahead(), before, None, after))
    table = session.version_table(session.dialect, if_not_exists=backend.online)
    reasons = {key: f"{each.location}: {first_line(each.cause)}" for key, each in failures.items()}
    places = {key: each.location for key, each in failures.items()}
    return _Offline(opening, tuple(parts), (), reasons, table, places)


def _split(said: tuple[Statement, ...]) -> Iterator[tuple[Statement, ...]]:
    """Yield BEGIN before, a step's own statements, and what comes after them."""
    own = [position for position, each in enumerate(said) if each.revision is not None]
    first, last = (own[0], own[-1] + 1) if own else _empty(said)
    yield from (said[:first], said[first:last], said[last:])


def _empty(said: tuple[Statement, ...]) -> tuple[int, int]:
    begins = bool(said) and said[0].sql.upper().startswith("BEGIN")
    return (1, 1) if begins else (0, 0)
