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
            told = {name: self._told(name) for name in self.names}
            found = {name: table for name, table in told.items() if table is not None}
            asked = {name: each for name, each in self.names.items() if name not in found}
            if not asked:
                return found
            ask = self._one_by_one if len(asked) <= _FEW else self._all_at_once
            return found | ask(asked)

    def checks(self, table: str) -> list[str]:
        """Return what anything of *table* says that speaks of a CHECK."""
        return [said for _, said in self._parts[table] if "check" in said.lower()]

    def _told(self, name: str) -> Table | None:
        """Return a table of which the schema tells all that matters, else None."""
        import sqlalchemy as sa

        columns = self.columns(self.schema, name, self.connection.dialect)
        if columns is None:
            return None
        said = " ".join(said.lower() for _, said in self._parts[name])
        key = self._primary_key(name)
        if any(word in said for word in ("references", "unique")):
            return None
        if "primary key" in said and key is None:
            return None
        return sa.Table(
            self.names[name].name,
            sa.MetaData(),
            *(
                sa.Column(
                    each["name"],
                    each["type"],
                    nullable=each["nullable"],
                    server_default=None if each["default"] is None else sa.FetchedValue(),
                )
                for each in columns
            ),
            *([sa.PrimaryKeyConstraint(*key)] if key else ()),
            schema=self.names[name].schema,
        )

    def _all_at_once(self, names: Mapping[str, TableName]) -> dict[str, Table]:
        """Read as many as there may be; to find them takes a query of its own."""
        import sqlalchemy as sa

        metadata = sa.MetaData()
        by_schema: dict[str | None, set[str]] = {}
        for each in names.values():
            by_schema.setdefault(each.schema, set()).add(each.name)
        for schema, wanted in by_schema.items():
            metadata.reflect(
                self.connection,
                schema=schema,
                only=lambda name, _, wanted=wanted: name in wanted,
                resolve_fks=False,
            )
        keys = {name: str(each) for name, each in names.items()}
        return {name: metadata.tables[key] for name, key in keys.items() if key in metadata.tables}

    def _one_by_one(self, names: Mapping[str, TableName]) -> dict[str, Table]:
        import sqlalchemy as sa

        inspector: Any = sa.inspect(self.connection)
        all_said = " ".join(said.lower() for name in names for _, said in self._parts[name])
        for what, words in _ASKED_FOR.items():
            if not any(each in all_said for each in words):
                setattr(inspector, f"get_multi_{what}", _none)
        columns = {
            (each.schema, each.name): self.columns(self.schema, name, self.connection.dialect)
            for name, each in names.items()
        }
        if None not in columns.values():
            inspector.get_multi_columns = lambda **_: columns
        metadata = sa.MetaData()
        found = {
            name: sa.Table(each.name, metadata, schema=each.schema) for name, each in names.items()
        }
        for table in found.values():
            # Not with autoload_with, which asks by an inspector of its own.
            inspector.reflect_table(table, None, resolve_fks=False)
        return found

    def _primary_key(self, name: str) -> list[str] | None:
        """Return the columns of a table's primary key, None where the schema does not tell."""
        said = (
            _PRIMARY_KEY.fullmatch(said) for kind, said in self._parts[name] if kind == "constraint"
        )
        keys = [key[1].split(", ") for key in said if key]
        known = keys and all(f"column {name}.{each}" in self.schema.objects for each in keys[0])
        return keys[0] if known else None

    @cached_property
    def _parts(self) -> dict[str, list[tuple[str, str]]]:
        """What the schema says of the parts of each of these tables, with their kinds."""
        few = list(self.schema.objects.items())
        if len(self.names) == 1:
            word = f" {next(iter(self.names))}."
            few = [each for each in few if word in each[0]]
        found: dict[str, list[tuple[str, str]]] = {name: [] for name in self.names}
        for key, said in few:
            kind, _, name = key.partition(" ")
            while name and name not in found:
                name = name.rpartition(".")[0]
            if name:
                found[name].append((kind, said))
        return found


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
