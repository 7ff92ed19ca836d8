"""What MySQL and MariaDB do with a statement that ends its transaction, and whether it was done.

Such a statement is done as a whole or not at all: MySQL from 8.0 on, MariaDB from 10.6 on.
https://dev.mysql.com/doc/refman/8.4/en/implicit-commit.html
https://mariadb.com/kb/en/atomic-ddl/
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from topchef_schema.backends.base import Leftover, undisturbed

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from topchef_schema.model import Snapshot

_COMMENT = r"(?:\s|/\*(?!!).*?\*/|--\s[^\n]*\n|#[^\n]*\n)*"
_ALONE = re.compile(
    _COMMENT + r"(create|alter|drop|rename|truncate|grant|revoke|optimize|repair|check\s+table|"
    r"cache|flush|install|uninstall|import|analyze|lock|load\s+index|set\s+password)\b",
    re.IGNORECASE | re.DOTALL,
)
_TEMPORARY = re.compile(_COMMENT + r"(create|drop)\s+(or\s+replace\s+)?temporary\b", re.IGNORECASE)
_NAME = r"(?P<name>(?:`(?:[^`]|``)+`|[\w$]+)(?:\s*\.\s*(?:`(?:[^`]|``)+`|[\w$]+))?)"
_TABLE = re.compile(
    _COMMENT + r"(?:(?:create|alter|drop|truncate)\s+(?:or\s+replace\s+)?(?:online\s+)?"
    r"(?:ignore\s+)?(?:table\s+)|rename\s+table\s+)(?:if\s+(?:not\s+)?exists\s+)?" + _NAME,
    re.IGNORECASE | re.DOTALL,
)
_TRUNCATE = re.compile(_COMMENT + r"truncate\s+(?!table\b)" + _NAME, re.IGNORECASE | re.DOTALL)
_INDEX = re.compile(
    _COMMENT + r"(?:create|drop)\s+[\w\s]*\bindex\b.*?\bon\s+" + _NAME, re.IGNORECASE | re.DOTALL
)
_PLAIN = re.compile(r"create\s+table\s+(?!if\b)(`(?:[^`.]|``)+`|[\w$]+)\s*\(", re.IGNORECASE)
_KEEPS_NAMES = re.compile(
    r"(create|drop)\s+(\w+\s+)?index\b|alter\s+table\b(?!.*\brename\b)", re.IGNORECASE | re.DOTALL
)
_ONE_NAME = r"(?P<added>`(?:[^`]|``)+`|(?!if\b)[\w$]+)"
_ADDS_INDEX = re.compile(
    r"create\s+(?:(?:unique|fulltext|spatial)\s+)?index\s+" + _ONE_NAME + r"\s+on\b", re.IGNORECASE
)
_ADDS_COLUMN = re.compile(
    r"alter\s+table\s+(?:`(?:[^`]|``)+`|[\w$]+)\s+add\s+column\s+" + _ONE_NAME + r"\s",
    re.IGNORECASE,
)
_OF_THE_SERVER = re.compile(
    _COMMENT + r"(create|alter|drop|rename)\s+(or\s+replace\s+)?(user|role|server|database|schema|"
    r"tablespace|logfile|undo|resource)\b|install\b|uninstall\b",
    re.IGNORECASE | re.DOTALL,
)
_COUNTER = re.compile(r" AUTO_INCREMENT=\d+")
NO_SUCH_TABLE = 1146
NO_TABLE = "there is none"


@dataclass(frozen=True)
class MySQLCommits:
    """When MySQL and MariaDB commit; see `topchef_schema.backends.base.CommitRules`."""

    snapshot: Callable[[Connection], Snapshot]
    one_writer: bool = False
    _said: WeakKeyDictionary[Engine, dict[str, str | None]] = field(
        default_factory=WeakKeyDictionary, compare=False, repr=False
    )
    """Of all names that tables have, and may not be given again: the statements that made the
    table and changed it, in small letters; None of one that was there before."""

    def forget(self) -> None:
        """Take nothing for known of any database: another migrator may have been there."""
        self._said.clear()

    def commits_alone(self, sql: str) -> bool:
        """Whether the server commits before it does *sql*."""
        return ends_transaction(sql)

    def needs_autocommit(self, sql: str) -> bool:
        """Whether *sql* ends a transaction that was opened for it."""
        return self.commits_alone(sql)

    def before(self, connection: Connection, sql: str) -> str | None:
        """Return the sha256 of what the catalog says of the table that *sql* changes.

        Where that is no table, of the whole schema; None where it is no part of one.
        """
        if _OF_THE_SERVER.match(sql):
            return None
        missing = self._missing(connection, sql.lstrip())
        return self._asked(connection, sql) if missing is None else _hash(missing)

    def _asked(self, connection: Connection, sql: str) -> str:
        table = table_of(sql)
        with undisturbed(connection):
            said = _shown(connection, table) if table else self.snapshot(connection).fingerprint
        return _hash(said)

    def _missing(self, connection: Connection, sql: str) -> str | None:
        """Say what *sql* adds, where it is known without asking that there is no such thing yet.

        That is a table of a name that nothing has: all names are asked for once, and what may give
        a name to something leads to asking anew. Or it is an index or a column of a table that was
        made since, by a name that no statement has spoken of.
        """
        made = _PLAIN.match(sql)
        if made is None:
            if not _KEEPS_NAMES.match(sql):
                self._said.clear()
            return self._not_added(connection.engine, sql)
        said = self._names(connection)
        name = _bare(made[1])
        if name in said:
            said[name] = None  # where case counts, it may be another one
            return None
        said[name] = sql.casefold()
        return NO_TABLE

    def _names(self, connection: Connection) -> dict[str, str | None]:
        engine = connection.engine
        if engine not in self._said:
            self._said.clear()  # what this engine makes, the knowledge of another is without
            with undisturbed(connection):
                rows = connection.exec_driver_sql("SHOW TABLES")
                self._said[engine] = {str(name).casefold(): None for (name,) in rows}
        return self._said[engine]

    def _not_added(self, engine: Engine, sql: str) -> str | None:
        name = _bare(table_of(sql) or "")
        said = self._said.get(engine, {})
        before = said.get(name)
        if before is None:
            return None
        said[name] = before + sql.casefold()
        kind, added = _added(sql)
        return None if not added or added in before else f"no {kind} {added}"

    def takes_along(self, connection: Connection, sql: str) -> str | None:
        """Return None: dropping a table deletes no rows of others."""

    def begin(self, connection: Connection) -> None:
        """Do nothing: the driver has opened one."""

    def took_effect(self, connection: Connection, sql: str, before: str | None) -> bool | None:
        """Whether the catalog is another than *before*.

        A statement that leaves no trace there (TRUNCATE, OPTIMIZE) may be sent again.
        """
        if before is None:
            return None
        kind, added = _added(sql.lstrip())
        if added and before == _hash(f"no {kind} {added}"):
            with undisturbed(connection):
                return _holds(_shown(connection, table_of(sql) or ""), kind, added)
        return self._asked(connection, sql) != before

    def clear_away(self, connection: Connection, sql: str) -> None:
        """Do nothing: a statement is done as a whole or not at all."""

    def leftovers(self, connection: Connection) -> tuple[Leftover, ...]:
        """Return none: what the server left of a copy is no object of the schema."""
        return ()


def ends_transaction(sql: str) -> bool:
    """Whether the server commits before it does *sql*: DDL, and what else changes the server."""
    return bool(_ALONE.match(sql)) and not _TEMPORARY.match(sql)


def table_of(sql: str) -> str | None:
    """Return the table that *sql* makes, changes or drops, as it is written there."""
    for pattern in (_TABLE, _TRUNCATE, _INDEX):
        if found := pattern.match(sql):
            return found["name"]
    return None


def _bare(name: str) -> str:
    return name.strip("`").replace("``", "`").casefold()


def _added(sql: str) -> tuple[str, str]:
    """Return what *sql* adds to a table, and its name; nothing of what is not that plain."""
    for kind, pattern in (("index", _ADDS_INDEX), ("column", _ADDS_COLUMN)):
        if found := pattern.match(sql):
            name = _bare(found["added"])
            return kind, "" if "`" in name else name
    return "", ""


def _holds(shown: str, kind: str, name: str) -> bool:
    """Whether a table has an index or a column; which quotes are shown is a setting."""
    begins = r"^\s*(?:\w+\s+)?KEY\s+" if kind == "index" else r"^\s*"
    pattern = rf"""{begins}[`"]?{re.escape(name)}[`"]?[\s(]"""
    return re.search(pattern, shown, re.IGNORECASE | re.MULTILINE) is not None


def _hash(said: str) -> str:
    return hashlib.sha256(said.encode()).hexdigest()


def _shown(connection: Connection, table: str) -> str:
    """Ask by the driver itself: mostly there is none yet, and SQLAlchemy's errors are costly."""
    from topchef_schema.backends.mysql_protocol import number

    sql = f"SHOW CREATE TABLE {table}"
    with closing(connection.connection.cursor()) as cursor:
        try:
            cursor.execute(sql)
            row: Any = cursor.fetchone()
        except connection.dialect.loaded_dbapi.Error as error:
            if number(error) == NO_SUCH_TABLE:
                return NO_TABLE
            # Whatever else it is, SQLAlchemy is to know and to wrap it.
            row = connection.exec_driver_sql(sql.replace("%", "%%")).one()
    return _COUNTER.sub("", str(row[1]))
