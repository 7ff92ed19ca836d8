"""Makes DDL of SQLite transactional, which the driver by itself does not.

Python's driver opens a transaction before an INSERT, an UPDATE or a DELETE only; DDL before that
stays. https://docs.python.org/3/library/sqlite3.html#sqlite3-transaction-control-isolation-level
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Connection

# https://www.sqlite.org/pragma.html: those that are a no-op, or an error, in a transaction
_OUTSIDE = re.compile(
    r"\s*(vacuum|attach|detach|pragma\s+(\w+\.)?"
    r"(foreign_keys|journal_mode|synchronous|temp_store|page_size|auto_vacuum|encoding)\s*[=(])",
    re.IGNORECASE,
)


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

    def begin(self, connection: Connection) -> None:
        """Open a transaction, as a writer from the start: a reader could not become one."""
        if not connection.connection.driver_connection.in_transaction:  # type: ignore[union-attr]
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    def took_effect(self, connection: Connection, sql: str, before: str | None) -> bool | None:
        """Return None: what was done has an entry, and what has none was not."""
        return None
