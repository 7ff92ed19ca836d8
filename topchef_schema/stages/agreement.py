"""Do models and revisions agree? What each makes of an empty database, held against the other.

Two catalogs of one server: what is only written in another way is the same there. The models are
made within env.py, which may have sent the connection to a schema of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from topchef_schema.backends.base import first_line
from topchef_schema.model import Change, Finding, Severity, Snapshot, diff
from topchef_schema.stages import observe

if TYPE_CHECKING:
    from sqlalchemy import MetaData

    from topchef_schema.bridge.session import Session
    from topchef_schema.stages.entry import Target

_BEYOND_MODELS = {
    "column-order",
    "disabled-constraint-triggers",
    "grants",
    "owner",
    "policy",
    "rule",
    "statistics",
    "trigger",
}
"""What metadata says nothing of, although it hangs on the tables."""


@dataclass(frozen=True, slots=True)
class Modelled:
    """What the models make; *why_not* where nothing can be said of that.

    *named* are the names that the models themselves give, to constraints and indexes.
    """

    snapshot: Snapshot | None
    why_not: str | None = None
    named: frozenset[str] = frozenset()


def modelled(session: Session, target: Target) -> Modelled:
    """Let the models make what they say in the database of *session*, which is at base."""
    from sqlalchemy.exc import SQLAlchemyError

    metadata = session.configured.metadata
    if not metadata:
        return Modelled(None, "there is no model metadata")
    try:
        _make_schemas(session, metadata)
        for each in metadata:
            each.create_all(session.connection)
    except SQLAlchemyError as error:
        return Modelled(None, f"the models cannot be made without revisions: {first_line(error)}")
    return Modelled(observe.schema_of(session, target), named=frozenset(_names(metadata)))


def _make_schemas(session: Session, metadata: Collection[MetaData]) -> None:
    """Make the schemas that models name, where this server has schemas in a database."""
    import sqlalchemy as sa

    wanted = {table.schema for each in metadata for table in each.tables.values()} - {None}
    if wanted:
        there = set(sa.inspect(session.connection).get_schema_names())
        for schema in sorted(str(each) for each in wanted - there):
            session.connection.execute(sa.schema.CreateSchema(schema))


def _names(metadata: Collection[MetaData]) -> Iterator[str]:
    for table in (each for one in metadata for each in one.tables.values()):
        for part in (*table.constraints, *table.indexes):
            name = getattr(part, "name", None)
            if isinstance(name, str):
                yield str(name)


def disagreements(
    revised: Snapshot, models: Modelled, left_out: Collection[str], backend: str
) -> list[Finding]:
    """Return a ``models-differ`` finding for what the revisions make otherwise than the models.

    *left_out* are the keys of tables that env.py keeps out of comparisons. Where most tables are
    in no model the metadata is incomplete, and that is the only finding. A name that the models
    do not give is none of theirs.
    """
    assert models.snapshot is not None
    ideal = models.snapshot
    unknown = [each for each in _tables(revised) - _tables(ideal) if each not in left_out]
    if 2 * len(unknown) > len(_tables(revised)):
        return [_incomplete(len(unknown), len(_tables(revised)), backend)]
    places = {each.rpartition(".")[0] for each in _tables(ideal)}
    causes = diff(revised, ideal).causes
    columns = {each.key for each in causes if each.kind == "column"}
    changes = [
        each
        for each in causes
        if not any(key in left_out for key in (each.key, *each.possible_causes))
        # What numbers a column has the type of that column.
        and not (each.kind == "sequence" and columns.intersection(each.possible_causes))
        and _is_said_by_models(each, ideal.objects, places)
    ]
    pairs = _called_otherwise(changes)
    paired = {each.key for pair in pairs for each in pair}
    rest = [_finding(each, *_words(each), backend) for each in changes if each.key not in paired]
    meant = [pair for pair in pairs if _bare_name(pair[1]) in models.named]
    return [_named_otherwise(*pair, backend) for pair in meant] + rest


def _tables(snapshot: Snapshot) -> set[str]:
    return {key for key in snapshot.objects if key.startswith("table ")}


def _is_said_by_models(change: Change, ideal: Mapping[str, str], places: Collection[str]) -> bool:
    """Whether the models would have it otherwise, if they do not have it.

    A table of the revisions alone counts where the models have tables in the same schema.
    """
    if change.kind in _BEYOND_MODELS:
        return False
    if change.after is not None:
        return True
    if change.kind == "table":
        return change.key.rpartition(".")[0] in places
    return change.name in ideal or any(key in ideal for key in change.possible_causes)


def _called_otherwise(changes: Collection[Change]) -> list[tuple[Change, Change]]:
    """Return what revisions and models make of the same table and content, under other names."""
    gone: dict[tuple[str, str, str | None], list[Change]] = {}
    for each in changes:
        if each.after is None and each.kind != "table":
            gone.setdefault((each.kind, _owner(each), each.before), []).append(each)
    found = []
    for each in changes:
        same = gone.get((each.kind, _owner(each), each.after))
        if each.before is None and same and each.kind != "column":
            found.append((same.pop(0), each))
    return found


def _owner(change: Change) -> str:
    return change.name.rpartition(".")[0]


def _bare_name(change: Change) -> str:
    return change.name.rpartition(".")[2].strip('"`')


def _incomplete(unknown: int, total: int, backend: str) -> Finding:
    return Finding(
        rule="models-differ",
        severity=Severity.INFO,
        message=f"the metadata looks incomplete: {unknown} of {total} tables are in no model",
        help="let env.py import every module that has models before it hands target_metadata on",
        backend=backend,
    )


def _finding(
    change: Change,
    message: str,
    help_: str | None,
    backend: str,
    severity: Severity = Severity.ERROR,
) -> Finding:
    return Finding(
        rule="models-differ",
        severity=severity,
        message=message,
        help=help_,
        backend=backend,
        object=change.key,
        before=change.before,
        after=change.after,
    )


def _named_otherwise(revised: Change, ideal: Change, backend: str) -> Finding:
    """Return the finding for a name alone; that of an index is how Alembic knows it."""
    change = Change(revised.key, revised.before, ideal.after)
    severity = Severity.ERROR if change.kind == "index" else Severity.INFO
    message = f"is called {_bare_name(ideal)} by the models"
    return _finding(change, message, _GENERATE, backend, severity)


_GENERATE = "topchef-db revision -m MESSAGE writes it; what it cannot write, it names"


def _words(change: Change) -> tuple[str, str]:
    if change.before is None:
        return "is in the models, and no revision makes it", _GENERATE
    if change.after is None:
        help_ = f"add it to the models, or drop it: {_GENERATE}"
        return "is made by the revisions, and is in no model", help_
    return "is made otherwise by the models (after) than by the revisions (before)", _GENERATE
