"""What follows one scratch database from state to state, and reads only what may have changed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from topchef_schema.model import Snapshot, TableName

Written = Callable[[Mapping[str, "TableName"]], Collection[str]]
"""Says which of some tables may have got other rows; the others hold those of before."""


class Following(Protocol):
    """Follows one database, between transactions, while nobody else changes its schema."""

    def schema(self, connection: Connection) -> Snapshot:
        """Return the schema as it is now, as a whole snapshot would give it."""

    def written(self, connection: Connection) -> Written:
        """Return what tells which tables somebody may have written to since the last call.

        At the first call that is all. What a change of the schema does to rows is not asked for
        here: a column that was added, or that has got another type.
        """


def only(names: Collection[str]) -> Written:
    """Return what says that only *names*, in small letters, may have been written to."""
    return lambda tables: [
        key for key, table in tables.items() if names and table.name.lower() in names
    ]


def uncertain(tables: Mapping[str, TableName]) -> Collection[str]:
    """Say of each table that it may have been written to."""
    return tables.keys()
