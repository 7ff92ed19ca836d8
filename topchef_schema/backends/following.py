"""What follows one scratch database from state to state, and reads only what may have changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from topchef_schema.model import Snapshot, TableName

Unwritten = Callable[["TableName"], bool]
"""Says of a table whether it certainly holds the same rows as before, in the same columns."""


class Following(Protocol):
    """Follows one database, between transactions, while nobody else changes its schema."""

    def schema(self, connection: Connection) -> Snapshot:
        """Return the schema as it is now, as a whole snapshot would give it."""

    def unwritten(self, connection: Connection) -> Unwritten:
        """Return what tells which tables nobody has written to since the last call.

        Nothing is certain at the first call. What a change of the schema does to rows is not
        asked for here: a column that was added, or that has got another type.
        """


def uncertain(_: TableName) -> bool:
    """Say of each table that it may have been written to."""
    return False
