"""Bounds waits and statements on MySQL and MariaDB, with settings of the session.

``lock_wait_timeout`` bounds the wait for a metadata lock, behind which every later query of the
table queues up; ``innodb_lock_wait_timeout``, that for a row, is left alone.
https://dev.mysql.com/doc/refman/8.4/en/metadata-locking.html
"""

from __future__ import annotations

import logging
import math
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from topchef_schema.backends import mysql_protocol
from topchef_schema.backends.base import Failure, first_line, undisturbed
from topchef_schema.backends.mysql_ddl import ends_transaction
from topchef_schema.backends.timeouts import Limits, beside, masked, names_one

if TYPE_CHECKING:
    from sqlalchemy import Connection

log = logging.getLogger(__name__)

LOCK_WAIT = "lock_wait_timeout"
_SETS = re.compile(r"\s*set\b", re.IGNORECASE)

MANY = 5
"""How many are named at most."""

OF_TRANSACTIONS = """
SELECT '', t.trx_mysql_thread_id AS id,
  timestampdiff(SECOND, t.trx_started, now()) AS seconds, t.trx_query
FROM information_schema.innodb_trx t WHERE t.trx_mysql_thread_id <> connection_id()
"""
"""Whoever is in a transaction, of whatever table. Needs PROCESS."""


def sets(sql: str, name: str) -> bool:
    """Whether *sql* sets the variable *name*."""
    return bool(_SETS.match(sql)) and names_one(sql, name)


@dataclass
class _Clock:
    """Ends what takes too long from a second session: ``max_execution_time`` covers SELECT only."""

    connection: Connection
    seconds: float
    session: int
    _timer: threading.Timer | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        """Give the next statement its time."""
        self.stop()
        self._timer = threading.Timer(self.seconds, self._kill)
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        """Let it be; a statement that is just being ended is waited for."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def _kill(self) -> None:
        with self._lock:
            if self._timer is not threading.current_thread():
                return  # it has ended meanwhile
            try:
                with self._other() as send:
                    send(f"KILL QUERY {self.session}")
            except Exception as error:
                log.warning("a statement cannot be ended in time: %s", first_line(error))

    @contextmanager
    def _other(self) -> Iterator[Callable[[str], Any]]:
        if not self.connection.dialect.is_async:
            with beside(self.connection) as send:
                yield send
            return
        with mysql_protocol.connect(self.connection.engine.url) as other:
            yield other.exec_driver_sql  # in this thread there is no event loop


@dataclass
class MySQLTimeouts:
    """See `topchef_schema.backends.timeouts.Timeouts`.

    *holders* are questions for who holds locks: table, session, seconds, statement. The first one
    that this user may ask is asked. *statement_variable* bounds a statement, where there is one.
    """

    connection: Connection
    limits: Limits
    holders: Sequence[str]
    failure: Callable[[BaseException], Failure]
    statement_variable: str | None = None
    blockers: tuple[str, ...] = ()
    _clock: _Clock | None = None
    _found: dict[str, Any] = field(default_factory=dict)
    _set: set[str] = field(default_factory=set)
    _theirs: set[str] = field(default_factory=set)

    def begin(self) -> None:
        """Forget who blocked the last one; a session's settings last longer than a revision."""
        self.blockers = ()

    def before(self, sql: str, *, autocommit: bool, lock: bool) -> None:
        """Bound the waits of DDL alone, and how long any statement takes."""
        for name in (LOCK_WAIT, self.statement_variable):
            if name is not None and sets(sql, name):
                self._theirs.add(name)
                self._set.discard(name)
        if self.limits.ddl_lock is not None:
            # In whole seconds; MariaDB takes 0 for no wait at all.
            bound = max(1, math.ceil(self.limits.ddl_lock))
            self._want(LOCK_WAIT, bound, wanted=ends_transaction(sql))
        if self.limits.statement is not None:
            self._bound(self.limits.statement)

    def _bound(self, seconds: float) -> None:
        if self.statement_variable is not None:
            self._want(self.statement_variable, seconds, wanted=True)
            return
        if self._clock is None:
            self._clock = _Clock(self.connection, seconds, self._session())
        self._clock.start()

    def _session(self) -> int:
        return int(self.connection.exec_driver_sql("SELECT connection_id()").scalar_one())

    def _want(self, name: str, value: float, *, wanted: bool) -> None:
        if name in self._theirs or (name in self._set) is wanted:
            return
        if name not in self._found:
            question = f"SELECT @@session.{name}, @@global.{name}"
            here, usual = self.connection.exec_driver_sql(question).one()
            self._found[name] = here
            if here != usual:
                self._theirs.add(name)  # env.py or the URL has set it
                return
        self._send(name, value if wanted else self._found[name])
        (self._set.add if wanted else self._set.discard)(name)

    def _send(self, name: str, value: object) -> None:
        self.connection.exec_driver_sql(f"SET SESSION {name} = {value}").close()

    def after(self) -> None:
        """Stop the clock, where there is one; what is set stays."""
        if self._clock is not None:
            self._clock.stop()

    def transaction_ended(self) -> None:
        """Do nothing: the settings are the session's."""

    def back_to_savepoint(self) -> None:
        """Do nothing: the settings are the session's."""

    def failed(self, error: BaseException, sql: str) -> None:
        """Ask who holds locks of the tables that *sql* names, else who is in a transaction."""
        if self.failure(error) in (Failure.LOCK_TIMEOUT, Failure.DEADLOCK):
            self.blockers = ()
            with suppress(Exception), beside(self.connection) as ask:
                self.blockers = self._holders(ask, sql)

    def _holders(self, ask: Callable[[str], list[Any]], sql: str) -> tuple[str, ...]:
        mine = self._session()
        asking = int(ask("SELECT connection_id()")[0][0])
        shown = {row["Id"]: row for row in mysql_protocol.processes(self.connection)}
        for question in (*self.holders, OF_TRANSACTIONS):
            with suppress(Exception):
                rows = [row for row in ask(question) if row[1] not in (mine, asking)]
                near = [row for row in rows if not row[0] or names_one(sql, row[0])]
                found = {row[1]: _described(shown.get(row[1]), *row[1:]) for row in near}
                if found:
                    return tuple(found.values())[:MANY]
        # This user may not see more: whoever else works in this database.
        database = next((row["db"] for row in shown.values() if row["Id"] == mine), None)
        others = [row for row in shown.values() if row["Id"] not in (mine, asking)]
        near = [row for row in others if row["db"] == database]
        return tuple(f"{_described(row, row['Id'])}, perhaps" for row in near)[:MANY]

    def restore(self) -> None:
        """Set what was there."""
        with suppress(Exception), undisturbed(self.connection):
            for name in sorted(self._set):
                self._send(name, self._found[name])
        self._set.clear()


def _described(
    shown: Mapping[str, Any] | None, session: int, seconds: Any = None, sql: Any = None
) -> str:
    words = []
    if shown is not None:
        idle = shown["Command"] == "Sleep"
        words.append(f"{shown['User']} from {shown['Host']}")
        words.append(f"idle for {shown['Time']} s" if idle else masked(shown["Info"]))
    elif sql:
        words.append(masked(str(sql)))
    if seconds is not None:
        words.append(f"in a transaction for {seconds} s")
    said = ", ".join(each for each in words if each)
    return f"session {session} ({said})" if said else f"session {session}"
