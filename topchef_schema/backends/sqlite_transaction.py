"""Makes DDL of SQLite transactional, which the driver by itself does not.

Python's driver opens a transaction before an INSERT, an UPDATE or a DELETE only; DDL before that
stays. https://docs.python.org/3/library/sqlite3.html#sqlite3-transaction-control-isolation-level
"""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from topchef_schema.backends.base import Leftover

if TYPE_CHECKING:
    from sqlalchemy import Connection

# https://www.sqlite.org/pragma.html: those that are a no-op, or an error, in a transaction
_OUTSIDE = re.compile(
    r"\s*(vacuum|attach|detach|pragma\s+(\w+\.)?"
    r"(foreign_keys|journal_mode|synchronous|temp_store|page_size|auto_vacuum|encoding)\s*[=(])",
    re.IGNORECASE,
)
_BEGIN = "BEGIN IMMEDIATE"
_COPY = "_alembic_tmp_"
"""How Alembic's batch operations call the table that takes the place of another."""

_DROP = re.compile(
    r'\s*drop\s+table\s+(?:\w+\.)?(?:"(?P<quoted>[^"]+)"|(?P<plain>\w+))\s*;?\s*$', re.I
)
_FOLLOWERS = """
SELECT m.name, k."from", k.on_delete FROM sqlite_master m, pragma_foreign_key_list(m.name) k
WHERE m.type = 'table' AND lower(k."table") = lower(:name) AND lower(m.name) <> lower(:name)
AND k.on_delete IN ('CASCADE', 'SET NULL', 'SET DEFAULT') ORDER BY 1, 2
"""


@dataclass(frozen=True)
class SQLiteCommits:
    """When SQLite commits; see `topchef_schema.backends.base.CommitRules`."""

    one_writer: bool = True

    def commits_alone(self, sql: str) -> bool:
        """Say no: within a transaction nothing does."""
        return False

    def needs_autocommit(self, sql: str) -> bool:
        """Whether *sql* does nothing, or fails, in a transaction."""
        return bool(_OUTSIDE.match(sql))

    def before(self, connection: Connection, sql: str) -> None:
        """Return None: every statement is in one transaction with its entry."""

    def takes_along(self, connection: Connection, sql: str) -> str | None:
        """Say whose rows go where a batch operation drops the table that it has copied.

        SQLite deletes its rows first, and what refers to them follows:
        https://www.sqlite.org/lang_droptable.html
        """
        drop = _DROP.match(sql)
        if drop is None or not connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one():
            return None
        name = drop["quoted"] or drop["plain"]
        if not _is_copied(connection, name):
            return None
        lost = [f"{table} (ON DELETE {rule})" for table, rule in _followers(connection, name)]
        if not lost:
            return None
        return (
            f"the table {name} is copied, and dropping it would take along rows of "
            f"{', '.join(lost)}, because PRAGMA foreign_keys is ON: "
            "leave it OFF on the connection that env.py migrates with"
        )

    def begin(self, connection: Connection) -> None:
        """Open a transaction, as a writer from the start: a reader could not become one.

        By the driver itself, since there is one for each revision.
        """
        pooled = connection.connection
        if pooled.driver_connection.in_transaction:  # type: ignore[union-attr]
            return
        with closing(pooled.cursor()) as cursor:
            try:
                cursor.execute(_BEGIN)
            except connection.dialect.loaded_dbapi.Error as error:
                connection._handle_dbapi_exception(error, _BEGIN, None, None, None)

    def took_effect(self, connection: Connection, sql: str, before: str | None) -> bool | None:
        """Return None: what was done has an entry, and what has none was not."""
        return None

    def clear_away(self, connection: Connection, sql: str) -> None:
        """Do nothing: the whole transaction was undone."""

    def leftovers(self, connection: Connection) -> tuple[Leftover, ...]:
        """Return the tables that a batch operation of plain Alembic was copying into."""
        names = connection.exec_driver_sql(
            "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
        ).scalars()
        tables = list(names)
        return tuple(
            _of_a_copy(each, original=each.removeprefix(_COPY) in tables)
            for each in tables
            if each.startswith(_COPY)
        )


def _is_copied(connection: Connection, name: str) -> bool:
    from sqlalchemy import text

    question = text("SELECT 1 FROM sqlite_master WHERE lower(name) = lower(:name)")
    return connection.execute(question, {"name": _COPY + name}).first() is not None


def _followers(connection: Connection, name: str) -> list[tuple[str, str]]:
    """Return the tables with rows that would go, or change, with those of *name*, and the rule."""
    from sqlalchemy import column, select, table, text

    found = []
    for other, key, rule in connection.execute(text(_FOLLOWERS), {"name": name}).all():
        refers = select(1).select_from(table(other)).where(column(key).is_not(None)).limit(1)
        if connection.execute(refers).first() is not None:
            found.append((other, rule))
    return found


def _of_a_copy(name: str, *, original: bool) -> Leftover:
    table = name.removeprefix(_COPY)
    if original:
        state, remedy = "is still there: the copy may be without its rows", f'DROP TABLE "{name}"'
    else:
        state = "is gone: its rows are in the copy alone"
        remedy = f'ALTER TABLE "{name}" RENAME TO "{table}"'
    message = f"the table {name} is a copy that was not finished; {table} {state}"
    return Leftover("unfinished-copy", name, message, remedy)
