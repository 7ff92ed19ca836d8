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
    _names: WeakKeyDictionary[Engine, set[str]] = field(
        default_factory=WeakKeyDictionary, compare=False, repr=False
    )

    def forget(self) -> None:
        """Take nothing for known of any database: another migrator may have been there."""
        self._names.clear()

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
        if self._is_new(connection, sql):
            return hashlib.sha256(NO_TABLE.encode()).hexdigest()
        return self._asked(connection, sql)

    def _asked(self, connection: Connection, sql: str) -> str:
        table = table_of(sql)
        with undisturbed(connection):
            said = _shown(connection, table) if table else self.snapshot(connection).fingerprint
        return hashlib.sha256(said.encode()).hexdigest()

    def _is_new(self, connection: Connection, sql: str) -> bool:
        """Whether *sql* makes a table of a name that nothing has, as is known without asking.

        All names are asked for once; what may give a name to something leads to asking anew.
        """
        made = _PLAIN.match(sql.lstrip())
        engine = connection.engine
        if made is None:
            if not _KEEPS_NAMES.match(sql.lstrip()):
                self._names.clear()
            return False
        if engine not in self._names:
            self._names.clear()  # what this engine makes, the knowledge of another is without
            with undisturbed(connection):
                rows = connection.exec_driver_sql("SHOW TABLES")
                self._names[engine] = {str(name).casefold() for (name,) in rows}
        name = made[1].strip("`").replace("``", "`").casefold()
        new = name not in self._names[engine]
        self._names[engine].add(name)
        return new

    def takes_along(self, connection: Connection, sql: str) -> str | None:
        """Return None: dropping a table deletes no rows of others."""

    def begin(self, connection: Connection) -> None:
        """Do nothing: the driver has opened one."""

    def took_effect(self, connection: Connection, sql: str, before: str | None) -> bool | None:
        """Whether the catalog is another than *before*.

        A statement that leaves no trace there (TRUNCATE, OPTIMIZE) may be sent again.
        """
        return None if before is None else self._asked(connection, sql) != before

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
