"""What is there: the revisions, the history and the schema of a database, without writing."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from topchef_schema.errors import HistoryError
from topchef_schema.model import OWN_TABLES, HistoryEntry, JournalEntry, Snapshot
from topchef_schema.project import Project
from topchef_schema.stages import journal, ledger
from topchef_schema.stages.entry import Entry, Target, database_url, require_database

if TYPE_CHECKING:
    from topchef_schema.bridge.session import Session


@dataclass(frozen=True, slots=True)
class Observed:
    """A database as it stands. *present* is False where there is none yet (a SQLite file).

    *name* is the one it has in the setting ``databases``, None in all other projects.
    *interrupted* is what a run that was stopped in the middle of a revision has left.
    """

    label: str
    backend: str
    heads: tuple[str, ...]
    history: tuple[HistoryEntry, ...] = ()
    snapshot: Snapshot | None = None
    present: bool = True
    name: str | None = None
    interrupted: tuple[JournalEntry, ...] = ()

    @property
    def database(self) -> str:
        """What several tenants of one database have in common."""
        return self.name or self.label.partition(" #")[0]


def databases(
    project: Project, *, history: bool = False, schema: bool = False
) -> tuple[Observed, ...]:
    """Look at each database that the project's env.py migrates, mostly one; creates nothing.

    Reads the history and the schema only where asked for. Raises `UnreachableError`.
    """
    absent = _absent(project)
    if absent:
        return absent

    version_tables: set[str] = set()

    def body(session: Session, target: Target) -> Observed:
        version_tables.add(target.version_table)
        return within(session, target, history=history, schema=schema, exclude=version_tables)

    found = Entry(project).run(body, look=True)
    if schema and len(version_tables) > 1:
        # The version table of one tenant is in the schema that another one sees.
        found = Entry(project).run(body, look=True)
    return tuple(found)


def within(
    session: Session,
    target: Target,
    *,
    history: bool = False,
    schema: bool = False,
    exclude: Collection[str] = (),
) -> Observed:
    """Look around in an open visit; *exclude* are tables to leave out of the schema."""
    return Observed(
        label=target.label,
        backend=target.backend.name,
        heads=session.heads(),
        history=ledger.read(session.connection, target.version_table_schema) if history else (),
        snapshot=schema_of(session, target, exclude) if schema else None,
        name=target.name,
        interrupted=journal.read(session.connection, target.version_table_schema),
    )


def refuse_foreign(project: Project, seen: Observed) -> None:
    """Raise `HistoryError` where the packaged project would change somebody else's database."""
    if not project.packaged:
        return
    tables = any(key.startswith("table ") for key in (seen.snapshot or Snapshot({})).objects)
    # Where the first revision failed half-way, the history alone tells whose tables they are.
    empty = not tables or bool(seen.history)
    ours = all(map(project.revisions.known, seen.heads)) if seen.heads else empty
    if not ours:
        raise HistoryError(
            "no alembic.ini here, and this database is not TopChef's",
            where=seen.label,
            hint="run topchef-db in the folder of your project, or name its file with -c",
        )


def schema_of(session: Session, target: Target, exclude: Collection[str] = ()) -> Snapshot:
    """Return the schema without *exclude*, Alembic's version table and our own tables."""
    left_out = {target.version_table, *OWN_TABLES, *exclude}
    return target.backend.snapshot(session.connection, left_out)


def _absent(project: Project) -> tuple[Observed, ...]:
    """Tell of databases that are not there yet, where connecting would make them.

    Raises `UnreachableError` for one that somebody has to make first, also where others of the
    project are there: nothing tells then whether its path is right.
    """
    from topchef_schema.backends.base import safe_label

    named = project.environment.named
    found = []
    for name, each in named:
        backend, url = database_url(project, each)
        if backend.made_by_connecting and not backend.exists(url):
            label = " ".join(filter(None, (name, safe_label(url))))
            empty = Snapshot({})
            found.append(Observed(label, backend.name, (), (), empty, present=False, name=name))
    if len(found) < len(named):
        require_database(project)
    return tuple(found)
