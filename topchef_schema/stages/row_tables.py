"""The tables that are to be filled, as SQLAlchemy reflects them: as much of it as is needed.

To reflect one table takes several queries on most databases. What the schema tells is not asked
for again.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Connection, Dialect, Table

    from topchef_schema.model import Snapshot, TableName

_FEW = 2
"""So many tables are read one by one."""

_PRIMARY_KEY = re.compile(r"PRIMARY KEY \((\w+(?:, \w+)*)\)", re.IGNORECASE)


@dataclass
class Tables:
    """The tables *names* of a *schema*; *columns* tells what `Following.columns` does."""

    connection: Connection
    schema: Snapshot
    names: Mapping[str, TableName]
    columns: Callable[[Snapshot, str, Dialect], list[dict[str, Any]] | None]

    def reflected(self) -> dict[str, Table]:
        """Return them, by their names in the schema; in what few are told no more than matters."""
        import sqlalchemy as sa

        with warnings.catch_warnings():
            # Types and indexes that SQLAlchemy does not know are none of our business here.
            warnings.simplefilter("ignore", sa.exc.SAWarning)
            return self._one_by_one() if len(self.names) <= _FEW else self._all_at_once()

    def checks(self, table: str) -> list[str]:
        """Return what anything of *table* says that speaks of a CHECK."""
        own = (said for _, name, said in self._parts if name.startswith(f"{table}."))
        return [said for said in own if "check" in said.lower()]

    def _all_at_once(self) -> dict[str, Table]:
        """Read as many as there may be; to find them takes a query of its own."""
        import sqlalchemy as sa

        metadata = sa.MetaData()
        by_schema: dict[str | None, set[str]] = {}
        for each in self.names.values():
            by_schema.setdefault(each.schema, set()).add(each.name)
        for schema, wanted in by_schema.items():
            metadata.reflect(
                self.connection,
                schema=schema,
                only=lambda name, _, wanted=wanted: name in wanted,
                resolve_fks=False,
            )
        keys = {name: str(each) for name, each in self.names.items()}
        return {name: metadata.tables[key] for name, key in keys.items() if key in metadata.tables}

    def _one_by_one(self) -> dict[str, Table]:
        import sqlalchemy as sa

        inspector: Any = sa.inspect(self.connection)
        for what, words in _ASKED_FOR.items():
            if not any(each in said.lower() for each in words for *_, said in self._parts):
                setattr(inspector, f"get_multi_{what}", _none)
        primary, columns = self._primary_keys(), self._columns()
        if None not in primary.values():
            inspector.get_multi_pk_constraint = lambda **_: primary
        if None not in columns.values():
            inspector.get_multi_columns = lambda **_: columns
        metadata = sa.MetaData()
        found = {
            name: sa.Table(each.name, metadata, schema=each.schema)
            for name, each in self.names.items()
        }
        for table in found.values():
            # Not with autoload_with, which asks by an inspector of its own.
            inspector.reflect_table(table, None, resolve_fks=False)
        return found

    def _primary_keys(self) -> dict[tuple[str | None, str], Mapping[str, Any] | None]:
        """Return the primary keys as SQLAlchemy does, None for what the schema does not tell."""
        found: dict[tuple[str | None, str], Mapping[str, Any] | None] = {}
        for name, each in self.names.items():
            said = (
                _PRIMARY_KEY.fullmatch(said)
                for kind, part, said in self._parts
                if kind == "constraint" and part.startswith(f"{name}.")
            )
            keys = [key[1].split(", ") for key in said if key]
            known = keys and all(f"column {name}.{each}" in self.schema.objects for each in keys[0])
            found[each.schema, each.name] = {"constrained_columns": keys[0]} if known else None
        return found

    def _columns(self) -> dict[tuple[str | None, str], list[dict[str, Any]] | None]:
        """Return the columns as SQLAlchemy does, None for what the schema does not tell."""
        return {
            (each.schema, each.name): self.columns(self.schema, name, self.connection.dialect)
            for name, each in self.names.items()
        }

    @cached_property
    def _parts(self) -> list[tuple[str, str, str]]:
        """What the schema says of the parts of these tables, with their kinds and names."""
        tables = tuple(f"{name}." for name in self.names)
        if len(tables) == 1:
            word = f" {tables[0]}"
            few = [each for each in self.schema.objects.items() if word in each[0]]
        else:
            few = list(self.schema.objects.items())
        named = ((*key.partition(" ")[::2], said) for key, said in few)
        return [each for each in named if each[1].startswith(tables)]


_ASKED_FOR: Mapping[str, Collection[str]] = {
    "table_comment": (),
    "check_constraints": (),
    "table_options": (),
    "foreign_keys": ("references",),
    "indexes": ("unique",),
    "unique_constraints": ("unique",),
}
"""What SQLAlchemy asks for, and which words tell that there is such a thing that matters here."""


def _none(**_: object) -> dict[Any, Any]:
    """Take the place of what asks for something that is not there."""
    return {}
