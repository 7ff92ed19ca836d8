"""How a script for the shell of SQLite is guarded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from topchef_schema.backends.client import Client, program
from topchef_schema.backends.scripting import BASE, Guard, Unbounded, listed, with_semicolon

if TYPE_CHECKING:
    from sqlalchemy import URL

    from topchef_schema.backends.timeouts import Limits

_GUARD = """\
CREATE TEMP TABLE IF NOT EXISTS topchef_guard (
    found CONSTRAINT "refused: see the line above" CHECK (found IS NULL)
);"""
"""Only a trigger can raise by itself: this is a table that takes nothing but NULL."""

_LOOK = """\
CREATE TEMP VIEW IF NOT EXISTS topchef_look AS
  SELECT coalesce(group_concat(version_num, ', '), {base}) AS found
  FROM (SELECT version_num FROM {table} ORDER BY version_num);"""

_REQUIRE = """\
SELECT {said} FROM temp.topchef_look WHERE found <> {expected};
INSERT INTO temp.topchef_guard SELECT found FROM temp.topchef_look WHERE found <> {expected};"""


_UNFINISHED = """\
SELECT 'revision ' || found || ' was begun and is not finished: see topchef-db repair'
  FROM ({unfinished}) WHERE found IS NOT NULL;
INSERT INTO temp.topchef_guard {unfinished};"""


class SQLiteScripting:
    """See `topchef_schema.backends.scripting.Scripting`."""

    begin = "BEGIN IMMEDIATE;"
    commit = "COMMIT;"
    now = "datetime('now')"
    user = "NULL"
    keeps_text = True
    looks_for_tables = False
    run_with = "sqlite3 DATABASE < THIS_FILE"

    def preamble(self) -> str:
        """Return the shell's command to stop at the first error, and what may be set otherwise.

        A table that is copied would take along what refers to it.
        """
        return ".bail on\nPRAGMA foreign_keys = OFF;\n"

    def terminated(self, sql: str) -> str:
        """Return *sql* with a semicolon."""
        return with_semicolon(sql)

    def text(self, value: str) -> str:
        """Return *value* as a literal."""
        return "'" + value.replace("'", "''") + "'"

    def lock(self, key: str) -> str:
        """Return only what guards need: each transaction takes the lock of the file itself."""
        return _GUARD

    def unlock(self) -> str:
        """Return what removes it."""
        return "DROP VIEW temp.topchef_look;\nDROP TABLE temp.topchef_guard;"

    def before_guards(self, first: Guard) -> str:
        """Return a view that tells where the database is."""
        return _LOOK.format(base=self.text(BASE), table=first.table)

    def require(self, guard: Guard) -> str:
        """Return a SELECT that says what is wrong, and an INSERT that fails then."""
        said = f"{self.text(guard.wrong)} || found"
        if guard.end is not None and guard.done is not None:
            there = self.text(listed(guard.end))
            said = f"CASE found WHEN {there} THEN {self.text(guard.done)}\n  ELSE {said} END"
        return _REQUIRE.format(said=said, expected=self.text(guard.expected))

    def require_finished(self, journal: str, unfinished: str) -> str:
        """Return what looks, says what it found, and stops."""
        return _UNFINISHED.format(unfinished=unfinished)

    def bounds(self, limits: Limits) -> SQLiteBounds:
        """Return what bounds the wait for whoever reads while the script commits."""
        return SQLiteBounds(limits)

    def client(self, url: URL) -> Client:
        """Return how to call ``sqlite3``."""
        return Client([str(program("SQLite", ["sqlite3"])), "-batch", str(url.database)], {})


@dataclass
class SQLiteBounds(Unbounded):
    """See `topchef_schema.backends.scripting.Bounds`; the first transaction is tried for once."""

    limits: Limits
    _set: bool = False

    def begun(self) -> str:
        """Return the shell's command, now that the lock is held."""
        if self._set or self.limits.ddl_lock is None:
            return ""
        self._set = True
        return f".timeout {max(1, round(self.limits.ddl_lock * 1000))}"
