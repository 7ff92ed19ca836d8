"""Does a script do what the revisions do? Run by the database's own client, beside an upgrade.

Two scratch databases are brought to where the script starts. One gets the script, the other the
steps, as ``topchef-db upgrade`` takes them; then both must hold the same schema, version rows,
history and data. Where rows differ, a third one tells which values are others each time.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from topchef_schema.model import (
    Direction,
    Finding,
    HistoryEntry,
    HistoryStatus,
    Plan,
    Severity,
    Snapshot,
    diff,
)
from topchef_schema.project import Project
from topchef_schema.stages import apply, contents, ledger, observe, scratch
from topchef_schema.stages.contents import Rows
from topchef_schema.stages.entry import Entry, Target
from topchef_schema.stages.same_rows import Difference, difference

if TYPE_CHECKING:
    from topchef_schema.bridge.session import Session
    from topchef_schema.stages.scratch import Databases, Place

Scripts = Mapping["str | None", str]
"""The script for each database of a project, by its name in the setting ``databases``."""


@dataclass(frozen=True, slots=True)
class State:
    """What is compared of one database; *history* is without what a script cannot know."""

    heads: tuple[str, ...]
    schema: Snapshot
    rows: Mapping[str, Rows]
    history: tuple[tuple[str, str, str, str], ...]


def proven(
    project: Project, steps: Plan, scripts: Scripts, on: str, *, history: bool = True
) -> Iterator[Finding]:
    """Yield where the *scripts* do not do what *steps* do, on scratch databases of *on*.

    Without *history* neither writes one.

    Raises `UnreachableError` where there is no server, or its client is not installed, and what
    the steps themselves raise.
    """
    with (
        scratch.place(on) as place,
        place.databases(project) as by_hand,
        place.databases(project) as by_us,
    ):
        way = project.revisions.way_to(steps.start)
        for each in (by_hand, by_us):
            place.run(_take, project, each, Plan(way, ()), history=history)
        failed = list(_run(place, by_hand, scripts))
        yield from failed
        if failed:
            return
        place.workers.call(_take, _on(project, by_us), steps, history=history)
        ours, theirs = (place.workers.call(states, _on(project, each)) for each in (by_us, by_hand))
        again = ours
        if any(any(_unlike(*three)) for three in zip(ours, theirs, ours, strict=True)):
            again = _once_more(place, project, Plan(way, ()), steps, history=history)
        for three in zip(ours, theirs, again, strict=True):
            yield from differences(place.backend.name, *three)


def _once_more(
    place: Place, project: Project, way: Plan, steps: Plan, *, history: bool
) -> list[State]:
    """Return what the steps lead to when they are taken again, a little later."""
    time.sleep(1)  # some clocks tell no less
    with place.databases(project) as databases:
        place.run(_take, project, databases, way, history=history)
        place.workers.call(_take, _on(project, databases), steps, history=history)
        return place.workers.call(states, _on(project, databases))


def _on(project: Project, databases: Databases) -> Project:
    """Return *project* on databases that have its baseline already."""
    urls = {
        name: each.url.render_as_string(hide_password=False) for name, each in databases.items()
    }
    return project.at(urls, "a scratch database")


def _run(place: Place, databases: Databases, scripts: Scripts) -> Iterator[Finding]:
    for name, script in scripts.items():
        done = place.backend.scripting.client(databases[name].url).run(script)
        if done.returncode:
            said = (done.stdout + done.stderr).replace(databases[name].name, "DATABASE")
            yield Finding(
                rule="script-fails",
                severity=Severity.ERROR,
                message=f"the script fails where the revisions do not: {_last_line(said)}",
                help="run it on a scratch database with its own client",
                backend=place.backend.name,
                after=said.strip(),
            )


def _last_line(said: str) -> str:
    return (said.strip().splitlines() or ["the client says nothing"])[-1]


def _take(project: Project, steps: Plan, *, history: bool) -> None:
    """Take the steps as an upgrade does, in a worker."""
    if not steps.steps:
        return
    logging.getLogger("topchef_schema").setLevel(logging.WARNING)

    def plan(heads: tuple[str, ...]) -> Plan:
        return steps

    apply.migrate(project, plan, history=history)


def states(project: Project) -> list[State]:
    """Read all that is compared of each database of *project*."""

    def body(session: Session, target: Target) -> State:
        schema = observe.schema_of(session, target)
        rows = contents.read(session.connection, schema, contents.tables(schema))
        entries = ledger.read(session.connection, target.version_table_schema)
        history = tuple(map(_known, filter(_ended, entries)))
        return State(session.heads(), schema, rows, history)

    return Entry(project).run(body, look=True)


def _ended(entry: HistoryEntry) -> bool:
    return entry.status is not HistoryStatus.STARTED


def _known(entry: HistoryEntry) -> tuple[str, str, str, str]:
    direction = entry.direction or Direction.UP
    return entry.revision, str(direction), str(entry.status), entry.file_sha256 or ""


def differences(
    backend: str, ours: State, theirs: State, again: State | None = None
) -> Iterator[Finding]:
    """Yield what the script (*theirs*) left otherwise than the steps (*ours*).

    Another order of columns is only an info: a table that was copied has that of the scratch
    database on which the copy was recorded. Values that are not the same when the steps are taken
    *again* are not compared.
    """
    for change in diff(ours.schema, theirs.schema).changes:
        found = _differs(backend, "the schema", change.key, change.before, change.after)
        only_order = change.kind == "column-order"
        yield replace(found, severity=Severity.INFO) if only_order else found
    for what, before, after in (
        ("the version rows", ours.heads, theirs.heads),
        ("the history", ours.history, theirs.history),
    ):
        if before != after:
            yield _differs(backend, what, None, repr(before), repr(after))
    for table, unlike in _unlike(ours, theirs, again or ours):
        object_ = f"table {table}"
        if len(unlike.columns) == 1:
            object_ = f"column {table}.{unlike.columns[0]}"
        yield _differs(backend, "a row", object_, unlike.before, unlike.after)


def _unlike(ours: State, theirs: State, again: State) -> Iterator[tuple[str, Difference]]:
    """Yield the tables in which other rows stand, and one of these."""
    for table, rows in ours.rows.items():
        nothing = Rows(rows.columns, ())
        other, more = (each.rows.get(table, nothing) for each in (theirs, again))
        unlike = difference(rows, other, more)
        if unlike is not None:
            yield table, unlike


def _differs(
    backend: str, what: str, object_: str | None, before: str | None, after: str | None
) -> Finding:
    return Finding(
        rule="script-differs",
        severity=Severity.ERROR,
        message=f"{what} after the script is not as after the upgrade",
        help="before is what the upgrade leaves, after what the script leaves",
        backend=backend,
        object=object_,
        before=before,
        after=after,
    )
