"""What follows one scratch database from state to state, and reads only what may have changed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from sqlalchemy import Connection, Dialect

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

    def columns(
        self, schema: Snapshot, table: str, dialect: Dialect
    ) -> list[dict[str, Any]] | None:
        """Return what ``Inspector.get_columns`` would; None where the server is to be asked.

        *table* is its name in *schema*.
        """

    def reading(self, connection: Connection) -> AbstractContextManager[object]:
        """Return what makes it quicker to read tables meanwhile."""


class Plain:
    """What those do who can tell no columns from a schema, and read in an ordinary transaction."""

    def columns(self, *_: object) -> None:
        """See `Following.columns`."""

    def reading(self, _: Connection) -> AbstractContextManager[object]:
        """See `Following.reading`."""
        return nullcontext()


@dataclass
class Everything(Plain):
    """Follows nothing: *whole* reads the schema, and all rows are read, each time."""

    whole: Callable[[Connection], Snapshot]

    def schema(self, connection: Connection) -> Snapshot:
        """See `Following.schema`."""
        return self.whole(connection)

    def written(self, _: Connection) -> Written:
        """See `Following.written`."""
        return uncertain


def only(names: Collection[str]) -> Written:
    """Return what says that only *names*, in small letters, may have been written to."""

    def written(tables: Mapping[str, TableName]) -> Collection[str]:
        if not names:
            return ()
        return [key for key, table in tables.items() if table.name.lower() in names]

    return written


def uncertain(tables: Mapping[str, TableName]) -> Collection[str]:
    """Say of each table that it may have been written to."""
    return tables.keys()
