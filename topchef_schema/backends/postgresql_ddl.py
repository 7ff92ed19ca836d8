"""PostgreSQL's statements that cannot be in a transaction, and whether one of them was done."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from topchef_schema.backends.base import Leftover

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from topchef_schema.model import Snapshot

# https://www.postgresql.org/docs/current/sql-commands.html, the notes of each page
_OUTSIDE = re.compile(
    r"\bconcurrently\b|^\s*(vacuum|reindex|cluster|(create|drop)\s+(database|tablespace)|"
    r"alter\s+(system|database|type\b.*\badd\s+value)|(create|alter|drop)\s+subscription)\b",
    re.IGNORECASE | re.DOTALL,
)
_OF_THE_SERVER = re.compile(
    r"\s*(create|alter|drop)\s+(database|tablespace|subscription)\b", re.IGNORECASE
)
_PART = r'(?:"(?:[^"]|"")+"|[\w$]+)'
_INDEX = re.compile(
    r"\s*(?P<verb>create|drop)\s+(?:unique\s+)?index\s+concurrently\s+"
    rf"(?:if\s+(?:not\s+)?exists\s+)?(?P<name>{_PART}(?:\.{_PART})?)"
    rf"(?:\s+on\s+(?:only\s+)?(?P<table>{_PART}(?:\.{_PART})?))?",
    re.IGNORECASE,
)

_VALID = """
SELECT i.indisvalid FROM pg_catalog.pg_index i
WHERE i.indexrelid = pg_catalog.to_regclass(:name)
"""
_ABANDONED = """
SELECT i.indisvalid FROM pg_catalog.pg_index i
WHERE i.indexrelid = pg_catalog.to_regclass(:name) AND NOT i.indisvalid AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid
)
"""
_SCHEMA = """
SELECT pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = pg_catalog.to_regclass(:name)
"""
_INVALID = """
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid AND c.relkind = 'i' AND n.nspname !~ '^pg_'
AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid
)
ORDER BY 1
"""


@dataclass(frozen=True)
class PostgreSQLCommits:
    """When PostgreSQL commits; see `topchef_schema.backends.base.CommitRules`."""

    snapshot: Callable[[Connection], Snapshot]
    one_writer: bool = False

    def commits_alone(self, sql: str) -> bool:
        """Say no: within a transaction nothing does."""
        return False

    def needs_autocommit(self, sql: str) -> bool:
        """Whether the server refuses *sql* in a transaction."""
        return bool(_OUTSIDE.search(sql))

    def before(self, connection: Connection, sql: str) -> str | None:
        """Return the sha256 of the schema; None for what is no part of it.

        Of an index its name tells enough.
        """
        if _INDEX.match(sql) or _OF_THE_SERVER.match(sql):
            return None
        return hashlib.sha256(self.snapshot(connection).fingerprint.encode()).hexdigest()

    def takes_along(self, connection: Connection, sql: str) -> str | None:
        """Return None: dropping a table deletes no rows of others."""

    def begin(self, connection: Connection) -> None:
        """Do nothing: the driver has opened one."""

    def took_effect(self, connection: Connection, sql: str, before: str | None) -> bool | None:
        """Whether the index is valid, or gone; of all else, whether the schema changed."""
        index = _INDEX.match(sql)
        if index is None:
            return None if before is None else self.before(connection, sql) != before
        valid = _asked(connection, _VALID, _of(connection, index))
        return valid is None if index["verb"].lower() == "drop" else bool(valid)

    def clear_away(self, connection: Connection, sql: str) -> None:
        """Drop what is left of an index whose build was interrupted, or failed."""
        index = _INDEX.match(sql)
        if index is None or index["verb"].lower() == "drop":
            return
        name = _of(connection, index)
        if _asked(connection, _ABANDONED, name) is False:
            # Outside of a transaction the table can be read and written meanwhile.
            beside = " CONCURRENTLY" if connection._is_autocommit_isolation() else ""
            connection.exec_driver_sql(f"DROP INDEX{beside} {name.replace('%', '%%')}")

    def leftovers(self, connection: Connection) -> tuple[Leftover, ...]:
        """Return the INVALID indexes that nobody is building now."""
        from sqlalchemy import text

        names = connection.execute(text(_INVALID)).scalars()
        return tuple(
            Leftover(
                "invalid-index",
                name,
                f"the index {name} is INVALID: its build was interrupted or failed; it is kept up "
                "with every write, and never used",
                f"DROP INDEX CONCURRENTLY {name}",
            )
            for name in names
        )


def _of(connection: Connection, index: re.Match[str]) -> str:
    return _qualified(connection, index["name"], index["table"])


def _qualified(connection: Connection, name: str, table: str | None) -> str:
    """Return *name* with the schema of the table that it is an index of."""
    if "." in name or table is None:
        return name
    schema = _asked(connection, _SCHEMA, table)
    return name if schema is None else f"{schema}.{name}"


def _asked(connection: Connection, question: str, name: str) -> Any:
    from sqlalchemy import text

    return connection.execute(text(question), {"name": name}).scalar_one_or_none()
