"""How many rows, or values, are there? Counted as long as that is quick, else estimated."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from topchef_schema.backends.base import first_line

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Select

    from topchef_schema.backends.base import Backend
    from topchef_schema.model import TableName

LIMIT = 2.0
"""Seconds for each question."""

FEW = 10_000
"""As many rows are counted where the server has no estimate."""


class Rows:
    """The rows of a database; *tables* are its tables with the server's estimate of each."""

    def __init__(self, connection: Connection, backend: Backend, limit: float = LIMIT) -> None:
        assert backend.foresight is not None
        self._connection = connection
        self._foresight = backend.foresight
        self._limit = limit
        self.tables: Mapping[TableName, int | None] = backend.foresight.tables(connection)

    def of(self, table: TableName, column: str | None = None) -> str | None:
        """Say how many rows *table* has, or values its *column*; None where there are none."""
        word = "row" if column is None else "value"
        try:
            if column is not None:
                column = self._real(table, column)
                if column is None:
                    return None
            if not self._exist(table, column):
                return None
        except _Unseen as unseen:
            return f"{word}s that cannot be seen ({unseen})"
        try:
            return _counted(self._count(table, column), word)
        except _Unseen:
            about = self.tables.get(table)
            few = about is None or about == 0
            most = "" if column is None else "at most "
            return f"{word}s" if few else f"{most}about {_counted(about or 0, word)} (estimate)"

    def anywhere(self, exclude: Collection[str]) -> bool:
        """Whether any table has a row, but those called one of *exclude*."""
        for each in self.tables:
            try:
                if each.name not in exclude and self._exist(each, None):
                    return True
            except _Unseen:
                return True
        return False

    def estimate(self, table: TableName) -> tuple[int | None, bool]:
        """Return about how many rows *table* has (None: not to be seen), and whether that is exact.

        Where the server has no idea, up to `FEW` are counted; more are None, too.
        """
        import sqlalchemy as sa

        known = self.tables.get(table)
        if known is not None:
            return known, False
        some = self._select(table, None, sa.literal_column("1")).limit(FEW + 1).subquery()
        try:
            found = int(self._one(sa.select(sa.func.count()).select_from(some)))
        except _Unseen:
            return None, False
        return (found, True) if found <= FEW else (None, False)

    def _exist(self, table: TableName, column: str | None) -> bool:
        import sqlalchemy as sa

        one = self._select(table, column, sa.literal_column("1")).limit(1)
        return self._one(one) is not None

    def _count(self, table: TableName, column: str | None) -> int:
        import sqlalchemy as sa

        return int(self._one(self._select(table, column, sa.func.count())))

    def _select(
        self, table: TableName, column: str | None, what: ColumnElement[Any]
    ) -> Select[Any]:
        import sqlalchemy as sa

        exact = sa.sql.quoted_name
        schema = None if table.schema is None else exact(table.schema, quote=True)
        asked = sa.select(what).select_from(sa.table(exact(table.name, quote=True), schema=schema))
        if column is not None:
            asked = asked.where(sa.column(exact(column, quote=True)).is_not(None))
        return asked

    def _real(self, table: TableName, column: str) -> str | None:
        """Return how the database spells *column*; None where it has none."""
        import sqlalchemy as sa

        columns = self._asked(self._select(table, None, sa.literal_column("*")).limit(0)).keys()
        alike = [each for each in columns if each.casefold() == column.casefold()]
        return column if column in columns else next(iter(alike), None)

    def _one(self, asked: Select[Any]) -> Any:
        return self._asked(asked).scalar()

    def _asked(self, asked: Select[Any]) -> Any:
        """Ask within the time limit; raises `_Unseen`."""
        from sqlalchemy.exc import DBAPIError

        try:
            with self._foresight.time_limit(self._connection, self._limit) as connection:
                return connection.execute(asked).freeze()()
        except DBAPIError as error:
            raise _Unseen(first_line(error)) from None


class _Unseen(Exception):
    """A question that was not answered: refused, or not in time."""


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
