"""What is there: the revisions, the history and the schema of a database, without writing."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from topchef_schema.backends.base import Failure, attempts, first_line
from topchef_schema.errors import HistoryError, TopchefError
from topchef_schema.model import (
    HistoryEntry,
    HistoryStatus,
    JournalEntry,
    Plan,
    Snapshot,
)
from topchef_schema.project import Project
from topchef_schema.stages import journal, ledger
from topchef_schema.stages.entry import Entry, Target, database_url, require_database
from topchef_schema.stages.recorded import UnrecordedMoves, recorded, unrecorded_moves

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from topchef_schema.bridge.session import Session

T = TypeVar("T")
log = logging.getLogger(__name__)

PATIENCE = 2.0
"""Seconds for which a table of ours is asked for again while a first run is making it."""

Asked = bool | Callable[[tuple[str, ...]], bool]
"""Whether to read something, or what tells it from the heads of a database."""


@dataclass(frozen=True, slots=True)
class Observed:
    """A database as it stands. *present* is False where there is none yet (a SQLite file).

    *name* is the one it has in the setting ``databases``, None in all other projects. *shared*:
    the history is also that of another tenant, so that it cannot tell where this one is. *hidden*:
    this user may not read it. *unfinished* is what a run has done of a revision that it has not
    finished: one that was stopped in the middle, or that works on it right now where *holder* says
    who holds the lock.
    """

    label: str
    backend: str
    heads: tuple[str, ...]
    history: tuple[HistoryEntry, ...] = ()
    snapshot: Snapshot | None = None
    present: bool = True
    name: str | None = None
    shared: bool = False
    hidden: bool = False
    unfinished: tuple[JournalEntry, ...] = ()
    holder: str | None = None

    @property
    def database(self) -> str:
        """What several tenants of one database have in common."""
        return self.name or self.label.partition(" #")[0]


def databases(
    project: Project, *, history: Asked = False, schema: bool = False
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

        def look() -> Observed:
            return within(session, target, history=history, schema=schema, exclude=version_tables)

        def doubts(seen: Observed) -> Collection[object]:
            return _doubts(project, seen)

        seen, holder = whose(look, session, target, unfinished=doubts)
        return replace(seen, holder=holder)

    found = Entry(project).run(body, look=True)
    if schema and len(version_tables) > 1:
        # The version table of one tenant is in the schema that another one sees.
        found = Entry(project).run(body, look=True)
    # Tenants of one database that read the same rows read the same table.
    read = Counter((each.database, each.history) for each in found)
    return tuple(
        replace(each, shared=bool(each.history) and read[each.database, each.history] > 1)
        for each in found
    )


def whose(
    look: Callable[[], T],
    session: Session,
    target: Target,
    *,
    unfinished: Callable[[T], Collection[object]],
) -> tuple[T, str | None]:
    """Return what *look* sees, and the run that works right now on what is *unfinished* of it.

    None does where the migration lock is free: then things have been left as they are.
    """
    seen = look()
    while unfinished(seen):
        holder = _holder(session, target)
        if holder is not None:
            return seen, holder
        # Between the two looks a run may have finished it, and let go.
        session.settle()
        again = look()
        if unfinished(again) == unfinished(seen):
            return again, None
        seen = again
    return seen, None


def _holder(session: Session, target: Target) -> str | None:
    """Return who holds the migration lock; None also where a server does not let one ask."""
    from sqlalchemy.exc import DBAPIError

    try:
        return target.backend.lock_holder(session.connection, target.lock_key)
    except DBAPIError as error:
        if target.backend.failure(error) is Failure.CONNECTION_LOST:
            raise
        session.settle()
        return None


def within(
    session: Session,
    target: Target,
    *,
    history: Asked = False,
    schema: bool = False,
    exclude: Collection[str] = (),
) -> Observed:
    """Look around in an open visit; *exclude* are tables to leave out of the schema."""
    heads = session.heads()
    wanted = history(heads) if callable(history) else history
    rows = _visible(ledger.read, "history", session, target) if wanted else ()
    return Observed(
        label=target.label,
        backend=target.backend.name,
        heads=heads,
        history=rows or (),
        snapshot=schema_of(session, target, exclude) if schema else None,
        name=target.name,
        hidden=rows is None,
        unfinished=_visible(journal.read, "journal", session, target) or (),
    )


def _doubts(project: Project, seen: Observed) -> tuple[object, ...]:
    """Return what may be so only while a run is at work: its tables, or rows, come one by one."""
    moves = unrecorded(project, seen)
    foreign = [seen.heads] if _is_foreign(project, seen) else []
    return (*seen.unfinished, *moves.applied, *moves.reverted, *foreign)


def _visible(
    read: Callable[[Connection, str | None], tuple[T, ...]],
    what: str,
    session: Session,
    target: Target,
) -> tuple[T, ...] | None:
    """Read a table of ours; where this user may not, say so, and return None."""
    from sqlalchemy.exc import DBAPIError

    refused = None
    for _ in attempts(PATIENCE):
        try:
            return read(session.connection, target.version_table_schema)
        except DBAPIError as error:
            refused, meaning = error, target.backend.failure(error)
            if meaning is Failure.CONNECTION_LOST:
                raise
            session.settle()
            if meaning is not Failure.LOCK_TIMEOUT:
                break
    assert refused is not None
    log.warning("%s: the %s cannot be read: %s", target.label, what, first_line(refused))
    return None


def before_writing(
    project: Project, plan: Callable[[tuple[str, ...]], Plan], *, purge: bool = False
) -> tuple[Observed, ...]:
    """Look at all databases before anything is written to the first of them.

    Raises `HistoryError` where one is at a revision that this project does not know (but with
    *purge*), or is not this project's.
    """
    history = project.packaged or when_something_is_to_do(project, plan)
    seen = databases(project, history=history, schema=project.packaged)
    for each in seen:
        refuse_foreign(project, each)
        if not purge:
            require_known(project, each)
    return seen


def refuse_foreign(project: Project, seen: Observed) -> None:
    """Raise `HistoryError` where the packaged project would change somebody else's database.

    What a run is at work on is looked at again under the lock.
    """
    if seen.holder is None and _is_foreign(project, seen):
        raise HistoryError(
            "no alembic.ini here, and this database is not TopChef's",
            where=seen.label,
            hint="run topchef-db in the folder of your project, or name its file with -c",
        )


def _is_foreign(project: Project, seen: Observed) -> bool:
    if not project.packaged:
        return False
    if seen.heads:
        return not all(map(project.revisions.known, seen.heads))
    # Where the first revision stopped half-way, only our own tables tell whose the others are.
    tables = any(key.startswith("table ") for key in (seen.snapshot or Snapshot({})).objects)
    return tables and not seen.history and not seen.unfinished


def when_something_is_to_do(
    project: Project, plan: Callable[[tuple[str, ...]], Plan]
) -> Callable[[tuple[str, ...]], bool]:
    """Return what asks for the history of a database that *plan* moves, or that is not known.

    A call that finds nothing to do reads nothing but the version table.
    """

    def wanted(heads: tuple[str, ...]) -> bool:
        if not all(map(project.revisions.known, heads)):
            return True
        try:
            return bool(plan(heads).steps)
        except TopchefError:
            return False  # it is raised again where there is more to tell

    return wanted


def require_known(project: Project, seen: Observed) -> None:
    """Raise `HistoryError` where a database is at a revision that this project does not know.

    Its history, where it was read, tells when and from which commit that came.
    """
    rows = recorded(seen.history, project.revisions.parents_of)
    for head in seen.heads:
        entry = rows.get(head)
        if entry is not None and not project.revisions.known(head):
            how = "applied" if entry.status is HistoryStatus.APPLIED else entry.status
            raise HistoryError(
                f"revision {head}, {how} {entry.origin}, is not in this project",
                where=seen.label,
                hint="deploy that release, or downgrade from there",
            )
    project.revisions.require_known(seen.heads)


def unrecorded(project: Project, seen: Observed) -> UnrecordedMoves:
    """Tell which moves of a database, looked at with its history, have no row there.

    None while a run is at work, whose rows are not all there yet.
    """
    if seen.shared or seen.holder is not None:
        return UnrecordedMoves()
    return unrecorded_moves(seen.history, seen.heads, project.revisions)


def schema_of(session: Session, target: Target, exclude: Collection[str] = ()) -> Snapshot:
    """Return the schema without *exclude*, Alembic's version table and our own tables."""
    left_out = target.own_tables.union(exclude)
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
