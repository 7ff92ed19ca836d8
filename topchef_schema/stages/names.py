"""Which table of the database does a name mean? It changes in the course of a plan."""

from __future__ import annotations

from collections.abc import Collection

from topchef_schema.model import Doing, Effect, TableName

_Key = tuple[str, str]


def _key(table: TableName) -> _Key:
    return table.schema or "", table.name


def _folded(key: _Key) -> _Key:
    return key[0].casefold(), key[1].casefold()


class Names:
    """The tables that are *there*, under the names that they have in the course of a plan.

    A name that is not there as it is written is taken in any letters, small or capital.
    """

    def __init__(self, there: Collection[TableName]) -> None:
        self._now: dict[_Key, TableName | None] = {_key(each): each for each in there}
        self._alike = {_folded(key): key for key in self._now}
        self._schemas = {key[0] for key in self._alike}
        self._columns: dict[tuple[TableName, str], str | None] = {}

    def live(self, table: TableName) -> TableName | None:
        """Return the table of the database that *table* means now.

        None for one that the plan has made, and one that is not there.
        """
        return self._now.get(self._place(table))

    def is_known(self, table: TableName) -> bool:
        """Whether *table* is one of the database, or one that the plan has made or dropped."""
        return self._place(table) in self._now

    def is_elsewhere(self, table: TableName) -> bool:
        """Whether *table* is in a schema of which nothing is known."""
        place = self._place(table)
        return place not in self._now and _folded(place)[0] not in self._schemas

    def _place(self, table: TableName) -> _Key:
        key = _key(table)
        return key if key in self._now else self._alike.get(_folded(key), key)

    def _now_means(self, table: TableName, meant: TableName | None) -> None:
        place = self._place(table)
        self._now[place] = meant
        self._alike.setdefault(_folded(place), place)

    def taken(self, effect: Effect) -> tuple[TableName | None, str | None]:
        """Return the table and the column of the database that *effect* touches, and take it.

        None for what the plan itself has made.
        """
        assert effect.table is not None
        table = self.live(effect.table)
        column = self._column(table, effect.column)
        if effect.doing is Doing.CREATE_TABLE:
            self._now_means(effect.table, table)
        elif effect.doing is Doing.DROP_TABLE:
            self._now_means(effect.table, None)
        elif effect.doing is Doing.RENAME_TABLE and effect.new is not None:
            self._now_means(TableName(effect.new, effect.table.schema), table)
            self._now_means(effect.table, None)
        elif table is not None and effect.column is not None:
            self._take_column(table, effect, column)
        return table, column

    def _column(self, table: TableName | None, column: str | None) -> str | None:
        if table is None or column is None:
            return None
        return self._columns.get((table, column.casefold()), column)

    def _take_column(self, table: TableName, effect: Effect, column: str | None) -> None:
        old = str(effect.column).casefold()
        if effect.doing in (Doing.ADD_COLUMN, Doing.DROP_COLUMN):
            self._columns[table, old] = None
        elif effect.doing is Doing.RENAME_COLUMN and effect.new is not None:
            self._columns[table, effect.new.casefold()] = column
            self._columns[table, old] = None
