"""What a step does to tables, as far as the rows in them are concerned."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Doing(StrEnum):
    """What is done to a table, a column or the rows."""

    CREATE_TABLE = "create table"
    RENAME_TABLE = "rename table"
    DROP_TABLE = "drop table"
    ADD_COLUMN = "add column"
    RENAME_COLUMN = "rename column"
    DROP_COLUMN = "drop column"
    CHANGE_TYPE = "change type"
    DELETE_ROWS = "delete rows"
    CHANGE_ROWS = "change rows"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class TableName:
    """A table as it was written; without *schema* it is the one that the name leads to."""

    name: str
    schema: str | None = None

    def __str__(self) -> str:
        return self.name if self.schema is None else f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing that is done; *new* is the new name of what is renamed.

    Without a *table* it is not known what is touched.
    """

    doing: Doing
    table: TableName | None = None
    column: str | None = None
    new: str | None = None


UNKNOWN = Effect(Doing.UNKNOWN)
