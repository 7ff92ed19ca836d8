"""What is there: the revisions, the history and the schema of a database, without writing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from topchef_schema.model import OWN_TABLES, HistoryEntry, Snapshot
from topchef_schema.project import Project
from topchef_schema.stages import ledger
from topchef_schema.stages.entry import Entry, Target, database_url, require_database

if TYPE_CHECKING:
    from topchef_schema.bridge.session import Session


@dataclass(frozen=True, slots=True)
class Observed:
    """A database as it stands. *present* is False where there is none yet (a SQLite file)."""

    label: str
    backend: str
    heads: tuple[str, ...]
    history: tuple[HistoryEntry, ...] = ()
    snapshot: Snapshot | None = None
    present: bool = True


def database(project: Project, *, history: bool = False, schema: bool = False) -> Observed:
    """Look at the project's database; creates nothing.

    Reads the history and the schema only where asked for. Raises `UnreachableError`.
    """
    absent = _absent(project)
    if absent is not None:
        return absent

    def body(session: Session, target: Target) -> Observed:
        return within(session, target, history=history, schema=schema)

    return Entry(project).run(body, look=True)


def within(
    session: Session, target: Target, *, history: bool = False, schema: bool = False
) -> Observed:
    """Look around in an open visit."""
    return Observed(
        label=target.label,
        backend=target.backend.name,
        heads=session.heads(),
        history=ledger.read(session.connection, target.version_table_schema) if history else (),
        snapshot=schema_of(session, target) if schema else None,
    )


def schema_of(session: Session, target: Target) -> Snapshot:
    """Return the schema without Alembic's version table and our own tables."""
    return target.backend.snapshot(session.connection, {target.version_table, *OWN_TABLES})


def _absent(project: Project) -> Observed | None:
    """Tell of a database that is not there yet, where connecting would make it.

    Raises `UnreachableError` for one that somebody has to make first.
    """
    if project.environment.url is None:
        return None
    backend, url = database_url(project)
    if backend.exists(url):
        return None
    if not backend.made_by_connecting:
        require_database(project)
    from topchef_schema.backends.base import safe_label

    return Observed(safe_label(url), backend.name, (), snapshot=Snapshot({}), present=False)
