"""What the models themselves make of an empty database, held against what the revisions make.

Alembic compares model and database in the words of SQLAlchemy, and some differences have none
there: a JSON column of MariaDB and plain text, DATETIME and DATETIME(6), the names of primary
keys. Two catalogs of one server have no such blind spots.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

from topchef_schema.backends.base import first_line
from topchef_schema.bridge.second_look import Index, Key, SecondLook
from topchef_schema.model import Change, Snapshot, diff
from topchef_schema.model.snapshot import names_of
from topchef_schema.stages import undoing
from topchef_schema.stages.entry import connected

if TYPE_CHECKING:
    from sqlalchemy import URL, Column, Connection, MetaData
    from sqlalchemy.types import TypeEngine

    from topchef_schema.backends.base import Backend
    from topchef_schema.stages.entry import Target

    Collections = Sequence[MetaData]

log = logging.getLogger(__name__)

_SAID_BY_ALEMBIC = ("nullable", "default", "comment", "computed", "identity", "autoincrement")


@dataclass(frozen=True, slots=True)
class Differences:
    """*look* is what Alembic is to be told; *changes* is everything.

    Of what only the revisions have, *changes* tells what belongs to tables of the models: their
    metadata says nothing of views, functions and tables of others.
    """

    look: SecondLook
    changes: tuple[Change, ...] = ()


def differences(
    connection: Connection, target: Target, metadata: Collections, empty: URL
) -> Differences:
    """Compare the database of *connection* with what *metadata* makes of the database *empty*.

    Returns no differences where the models cannot be made there: they need something that only
    revisions make, or name schemas, which may be other databases.
    """
    from sqlalchemy.exc import SQLAlchemyError

    before = target.backend.snapshot(connection, target.own_tables)
    look = SecondLook(columns=dict(_unknown_again(before, target.backend)))
    if any(table.schema for each in metadata for table in each.tables.values()):
        return Differences(look)
    with connected(empty) as ideal:
        try:
            for each in metadata:
                each.create_all(ideal)
            ideal.commit()
        except SQLAlchemyError as error:
            log.debug("the models cannot be made without revisions: %s", first_line(error))
            return Differences(look)
        after = target.backend.snapshot(ideal, target.own_tables)
        changes = diff(before, after).changes
        pairs = list(_pairs(connection, ideal, metadata, changes)) if changes else []
    ours = tuple(each for each in changes if _is_modelled(each, after))
    return Differences(
        replace(
            look,
            compared=True,
            types=frozenset(each.key for each in pairs if each.has_other_type),
            defaults={
                each.key: each.revised["default"] for each in pairs if each.has_other_default
            },
            equal=frozenset(_equal_indexes(before, after)),
            other=dict(_other_indexes(ours)),
        ),
        ours,
    )


def _unknown_again(revised: Snapshot, backend: Backend) -> Iterator[tuple[Key, TypeEngine[Any]]]:
    """Yield the columns that SQLAlchemy reads back as something else than they are."""
    for key, said in revised.objects.items():
        known = backend.column_type(said) if key.startswith("column ") else None
        if known is not None:
            yield _place(key), known


def _place(key: str) -> Key:
    """Return where a part of a table is, in the only schema that there is."""
    table, name = names_of(key)[-2:]
    return None, table, name


def _equal_indexes(before: Snapshot, after: Snapshot) -> Iterator[Key]:
    for key, said in after.objects.items():
        if key.startswith("index ") and before.objects.get(key) == said:
            yield _place(key)


def _other_indexes(changes: Iterable[Change]) -> Iterator[tuple[Key, Index | None]]:
    """Yield the indexes that differ, as the revisions make them, as far as that is understood."""
    for each in changes:
        if each.kind == "index":
            revised = None if each.before is None else undoing.index(each.before)
            if revised is not None or each.before is None:
                yield _place(each.key), revised


def _is_modelled(change: Change, modelled: Snapshot) -> bool:
    if change.kind == "column-order":
        return False
    owner = change.name.rpartition(".")[0]
    return change.after is not None or f"table {owner}" in modelled.objects


@dataclass(frozen=True, slots=True)
class _Pair:
    """A column that differs: what SQLAlchemy reads of it on both sides, and that of the models."""

    key: Key
    revised: Mapping[str, Any]
    modelled: Mapping[str, Any]
    column: Column[Any]

    @property
    def has_other_type(self) -> bool:
        """Whether they differ in their types, as far as SQLAlchemy can tell."""
        if repr(self.revised["type"]) != repr(self.modelled["type"]):
            return True
        return all(self.revised.get(each) == self.modelled.get(each) for each in _SAID_BY_ALEMBIC)

    @property
    def has_other_default(self) -> bool:
        """Whether they differ in a default that is said, and not made by what numbers a column."""
        from sqlalchemy import DefaultClause

        said, made = self.column.server_default, self.modelled["default"]
        if self.revised.keys() & {"computed", "identity"}:
            return False
        usual = isinstance(said, DefaultClause) or (said is None and made is None)
        return usual and _meant(self.revised["default"]) != _meant(made)


def _meant(default: str | None) -> str | None:
    """Return a *default* in the words that are the same for CREATE and ALTER.

    MySQL keeps ``now()`` as an expression where a table is made with it; else it is the other word.
    """
    return "CURRENT_TIMESTAMP" if default in ("now()", "(now())") else default


def _pairs(
    connection: Connection,
    ideal: Connection,
    metadata: Collections,
    changes: tuple[Change, ...],
) -> Iterator[_Pair]:
    """Yield the columns that are not the same on both sides."""
    import sqlalchemy as sa

    revised, modelled = sa.inspect(connection), sa.inspect(ideal)
    present = set(revised.get_table_names())
    changed = _by_table(each.name for each in changes if each.kind == "column")
    for table in (each for one in metadata for each in one.tables.values()):
        if table.name not in present or table.name not in changed:
            continue
        # Not all of them: an event may add a column when the table is made.
        said = {column.name: column for column in table.columns}
        new = {column["name"]: column for column in modelled.get_columns(table.name)}
        for column in revised.get_columns(table.name):
            name = column["name"]
            if name in changed[table.name] and name in new and name in said:
                yield _Pair((None, table.name, name), column, new[name], said[name])


def _by_table(names: Iterable[str]) -> dict[str, set[str]]:
    """Return table to columns, of qualified names: a dot may also be part of a name."""
    found: dict[str, set[str]] = {}
    for name in names:
        parts = name.split(".")
        for begin, end in combinations(range(len(parts)), 2):
            found.setdefault(".".join(parts[begin:end]), set()).add(".".join(parts[end:]))
    return found
