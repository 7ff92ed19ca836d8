"""Bounds waits and statements on PostgreSQL, with settings that end with their transaction.

``lock_timeout`` would also cut a wait for a row, and a cut CREATE INDEX CONCURRENTLY leaves an
INVALID index: it is on for DDL in a transaction, and off for all else.
https://www.postgresql.org/docs/current/runtime-config-client.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from topchef_schema.backends.base import Failure
from topchef_schema.backends.timeouts import Limits, beside, masked, names_one

if TYPE_CHECKING:
    from sqlalchemy import Connection

_COMMENT = r"(?:\s|/\*.*?\*/|--[^\n]*\n)*"
_DDL = re.compile(
    _COMMENT + r"(create|alter|drop|truncate|comment|reindex|cluster|refresh|lock|grant|revoke|"
    r"security|import|reassign|do)\b",
    re.IGNORECASE | re.DOTALL,
)
_DML = re.compile(
    r"(?:^|;|\$|\b(?:begin|then|loop|else))\s*"
    r"(insert|update|delete|merge|copy|select|perform|with|execute)\b",
    re.IGNORECASE,
)
"""What may wait for a row, also among several statements sent at once, or in a DO block."""

_ENDS = re.compile(
    _COMMENT + r"(commit|rollback|end|abort|begin|start|prepare\s+transaction|reset\s+all|discard)",
    re.IGNORECASE | re.DOTALL,
)
_READS = re.compile(_COMMENT + r"show\b|^(?!.*\bset_config\b).*\bcurrent_setting\b", re.I | re.S)

_SET = """
SELECT pg_catalog.set_config('{name}', '{ms}ms', {local})
WHERE pg_catalog.current_setting('{name}')::interval IN ('0', '{ms}ms'::interval)
"""
"""One that is in force already, whoever set it, is not touched."""

_LIFT = """
SELECT pg_catalog.set_config('{name}', '0', {local})
WHERE pg_catalog.current_setting('{name}')::interval = '{ms}ms'::interval
"""

_HOLDERS = """
SELECT DISTINCT ON (c.relname, l.pid) c.relname, l.pid, a.usename, a.application_name, a.state,
  CAST(extract(epoch FROM pg_catalog.now() - a.xact_start) AS int), a.query
FROM pg_catalog.pg_locks l
JOIN pg_catalog.pg_class c ON c.oid = l.relation
LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE l.granted AND l.pid NOT IN (pg_catalog.pg_backend_pid(), {mine})
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
  AND c.relnamespace <> 'pg_catalog'::regnamespace
"""


def sets(sql: str, name: str) -> bool:
    """Whether *sql* sets *name*, or may do so."""
    return names_one(sql, name) and not _READS.match(sql)


def waits_for_others(sql: str) -> bool:
    """Whether *sql* may wait for a lock of a table, with others queueing up, and for no row."""
    return bool(_DDL.match(sql)) and not _DML.search(sql)


@dataclass
class _Setting:
    """One setting: whether ours is in force (None: that is not known), or somebody else's."""

    connection: Connection
    name: str
    seconds: float | None
    active: bool | None = False
    theirs: bool = False

    def want(self, *, wanted: bool, local: bool) -> None:
        """Set it, or lift it; nothing is sent where nothing changes."""
        if self.seconds is None or self.theirs or self.active is wanted:
            return
        words = {"name": self.name, "ms": max(1, round(self.seconds * 1000)), "local": local}
        sql = (_SET if wanted else _LIFT).format(**words)
        done = self.connection.exec_driver_sql(sql).scalar()
        self.theirs = wanted and done is None
        self.active = wanted and done is not None

    def heard(self, sql: str) -> None:
        """Leave it to the revision where that sets it."""
        if sets(sql, self.name):
            self.theirs, self.active = True, False


@dataclass
class PostgreSQLTimeouts:
    """See `topchef_schema.backends.timeouts.Timeouts`."""

    connection: Connection
    limits: Limits
    failure: Callable[[BaseException], Failure]
    blockers: tuple[str, ...] = ()
    _lock: _Setting = field(init=False)
    _statement: _Setting = field(init=False)
    _session: bool = False

    def __post_init__(self) -> None:
        self._lock = _Setting(self.connection, "lock_timeout", self.limits.ddl_lock)
        self._statement = _Setting(self.connection, "statement_timeout", self.limits.statement)

    def begin(self) -> None:
        """Forget whose settings those of the last revision were: the next SET finds out."""
        self._lock.theirs = self._statement.theirs = False
        self.blockers = ()

    def before(self, sql: str, *, autocommit: bool, lock: bool) -> None:
        """Set both in the transaction; in autocommit mode in the session, for *sql* alone."""
        for each in (self._lock, self._statement):
            each.heard(sql)
        if _ENDS.match(sql) and not autocommit:
            # Also back to a savepoint: which of the two are in force is not known.
            self._lock.active = self._statement.active = None
            return
        bounded = lock and waits_for_others(sql)
        self._lock.want(wanted=bounded, local=not autocommit)
        self._statement.want(wanted=True, local=not autocommit)
        self._session = autocommit

    def after(self) -> None:
        """Take back what a transaction would have taken back."""
        if self._session:
            self._session = False
            with suppress(Exception):
                for each in (self._lock, self._statement):
                    each.want(wanted=False, local=False)

    def transaction_ended(self) -> None:
        """Take note that nothing of ours is in force."""
        self._lock.active = self._statement.active = False

    def back_to_savepoint(self) -> None:
        """Take note that what was set since the savepoint is gone."""
        self._lock.active = self._statement.active = None

    def failed(self, error: BaseException, sql: str) -> None:
        """Ask, in another session, who holds locks of the tables that *sql* names."""
        if self.failure(error) not in (Failure.LOCK_TIMEOUT, Failure.DEADLOCK):
            return
        self.blockers = ()
        with suppress(Exception):
            self.blockers = self._holders(sql)

    def _holders(self, sql: str) -> tuple[str, ...]:
        with beside(self.connection) as ask:
            rows = ask(_HOLDERS.format(mine=_pid(self.connection)))
        return tuple(dict.fromkeys(_described(row) for row in rows if names_one(sql, row[0])))

    def restore(self) -> None:
        """Do nothing: what was set is gone with its transaction, or its statement."""


def _pid(connection: Connection) -> int:
    """Return the server process of *connection*, whose transaction may have failed."""
    raw: Any = connection.connection.driver_connection
    if hasattr(raw, "get_server_pid"):
        return int(raw.get_server_pid())
    return int(raw.info.backend_pid)


def _described(row: Sequence[Any]) -> str:
    _, pid, user, name, state, age, query = row
    words = [name or "", f"user {user}" if user else "", state or ""]
    if age is not None:
        words.append(f"in a transaction for {age} s")
    if query and not query.startswith("<insufficient"):
        words.append(masked(query))
    return f"server process {pid} ({', '.join(each for each in words if each)})"
