"""SQLite's catalog as a snapshot, brought up to date by the rows of it that changed."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import compress, count
from operator import ne
from typing import TYPE_CHECKING

from topchef_schema import collecting
from topchef_schema.backends.driver_rows import AT_ONCE, taken
from topchef_schema.backends.sqlite_schema import definitions
from topchef_schema.model import Snapshot

if TYPE_CHECKING:
    from sqlalchemy import Connection

Row = tuple[str, str, str, str | None]
"""Of the catalog: kind, name, the table it belongs to, and its SQL."""

CATALOG = "SELECT type, name, tbl_name, sql FROM main.sqlite_master"
DECLARED = ("table", "view")
HEADER = ("user_version", "application_id")
"""Numbers in the file's header that a revision may set; zero unless somebody did."""

_LIST = r'\(((?:"(?:[^"]|"")*"|[^")])*)\)'
_NAME = r'"(?:[^"]|"")*"|[\w$]+'
_PRIMARY_KEY = re.compile(rf"primary key(?: desc)? {_LIST}")
_TO_PRIMARY_KEY = re.compile(
    rf"(foreign key {_LIST} references ({_NAME}))((?: on .*| deferrable .*)?)\Z", re.DOTALL
)


def snapshot(connection: Connection, exclude: Collection[str]) -> Snapshot:
    """Return the canonical schema of the main database of *connection*."""
    catalog = Catalog(exclude)
    catalog.read(connection)
    asked = f"SELECT {', '.join(HEADER)} FROM {', '.join(f'pragma_{each}' for each in HEADER)}"
    return Snapshot(catalog.objects | header_of(connection.exec_driver_sql(asked).one()))


def header_of(values: Iterable[int]) -> dict[str, str]:
    """Return the objects that a revision may set in the file's header."""
    found = zip(HEADER, values, strict=True)
    return {f"header {field}": str(value) for field, value in found if value}


class Catalog:
    """All objects that the catalog knows; its rows are looked at again where they changed.

    *objects* are those of the last `read`, *left_out* the names of tables to leave out, in small
    letters.
    """

    def __init__(self, exclude: Collection[str]) -> None:
        self.left_out = {name.lower() for name in exclude}
        self.objects: dict[str, str] = {}
        self._rows: list[Row] = []
        self._declared: dict[str, str] = {}
        self._alone = True

    @property
    def tables(self) -> Collection[str]:
        """The names of all tables and views, in small letters."""
        return self._declared.keys()

    @collecting.paused()
    def read(self, connection: Connection) -> None:
        """Bring *objects* up to date."""
        rows: list[Row] = list(
            taken(connection.exec_driver_sql(CATALOG, execution_options=AT_ONCE))
        )
        gone, came = _differing(self._rows, rows)
        self._rows = rows
        if self._alone and self._stand_alone(gone, came):
            objects = dict(self.objects)
            for row in gone:
                for key in self._of(*row):
                    del objects[key]
            for row in came:
                objects.update(self._of(*row))
        else:
            self._declared.clear()
            self._alone = self._stand_alone((), rows)
            objects = {}
            for kind, name, table, sql in rows:
                # The catalog has a table's name on a trigger as the trigger spells it.
                objects.update(self._of(kind, name, self._declared.get(table.lower(), table), sql))
            objects.update(_with_targets(objects))
        self.objects = objects

    def _of(self, kind: str, name: str, table: str, sql: str | None) -> Mapping[str, str]:
        return {} if table.lower() in self.left_out else definitions(kind, name, table, sql)

    def _stand_alone(self, gone: Iterable[Row], came: Sequence[Row]) -> bool:
        """Whether what *came* is the same whatever else is there; notes how tables are spelled."""
        declared = {name.lower(): name for kind, name, *_ in came if kind in DECLARED}
        again = any(self._declared.get(key, name) != name for key, name in declared.items())
        for kind, name, *_ in gone:
            if kind in DECLARED:
                self._declared.pop(name.lower(), None)
        self._declared |= declared
        spelled = (self._declared.get(table.lower(), table) == table for _, _, table, _ in came)
        if again or not all(spelled):
            return False
        texts = (text for row in came for text in self._of(*row).values())
        return not any("references" in text and _TO_PRIMARY_KEY.match(text) for text in texts)


def _differing(old: Sequence[Row], new: Sequence[Row]) -> tuple[Sequence[Row], Sequence[Row]]:
    """Return the rows between those at the beginning and at the end that are the same."""
    least = min(len(old), len(new))
    start = next(compress(count(), map(ne, old, new)), least)
    ends = map(ne, reversed(old), reversed(new))
    end = min(next(compress(count(), ends), least), least - start)
    return old[start : len(old) - end], new[start : len(new) - end]


def _with_targets(objects: Mapping[str, str]) -> dict[str, str]:
    """Return the foreign keys that name no columns, with the primary key that they mean."""
    bare = {
        key: found
        for key, text in objects.items()
        if "references" in text and (found := _TO_PRIMARY_KEY.match(text))
    }
    if not bare:
        return {}
    primary = {
        _table_of(key): found[1]
        for key, text in objects.items()
        if (found := _PRIMARY_KEY.match(text))
    }
    return {
        key: f"{found[1]} ({primary[found[3]]}){found[4]}"
        for key, found in bare.items()
        if found[3] in primary
    }


def _table_of(key: str) -> str:
    found = re.match(_NAME, key.removeprefix("constraint "))
    return found[0].lower() if found else ""
