"""The migration lock of a PostgreSQL database: an advisory lock in a session of its own.

Of its own, because the lock must outlive the transactions of the migration and must not hold one
open: CREATE INDEX CONCURRENTLY waits for every transaction, also for one that waits for a lock.
So the session is in autocommit mode, and asks again and again instead of waiting in the server.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from topchef_schema.backends.base import (
    Held,
    at_return,
    attempts,
    first_line,
    safe_label,
)
from topchef_schema.backends.postgresql_connection import passing_transaction
from topchef_schema.errors import LockedError, UnreachableError

if TYPE_CHECKING:
    from sqlalchemy import Connection

HOLDER = """
SELECT concat_ws(', ', 'server process ' || l.pid, nullif(a.application_name, ''),
  'user ' || a.usename, 'since ' || date_trunc('second', a.backend_start))
FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
  AND l.classid = {high} AND l.objid = {low}
"""


ORPHANS = """
SELECT string_agg(a.pid::text, ', ') FROM pg_catalog.pg_stat_activity a
WHERE a.datname = current_database() AND a.application_name = '{mark}' AND a.pid <> {mine}
  AND a.state IS DISTINCT FROM 'idle'
"""


NAMESPACE = "topchef-db"
"""Keeps our advisory locks apart from those of other programs."""


def number_of(*names: str) -> int:
    """Return the number of the advisory lock called *names*: 64 bits, as the server wants them."""
    digest = hashlib.sha256("\0".join((NAMESPACE, *names)).encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


LONGEST_NAME = 63
"""Bytes that the server keeps of an application name."""

SURE = 1.0
"""Seconds for which a lock that was held is taken to be held."""


def holder_name(run_id: str, room: int) -> str:
    """Return who holds a lock, in at most *room* ASCII characters: run, host, since when."""
    import os
    import re
    import socket
    from datetime import UTC, datetime

    who = f"topchef-db run {run_id[:8]}" if run_id else f"topchef-db pid {os.getpid()}"
    since = datetime.now(UTC).strftime(" since %Y-%m-%dT%H:%MZ")
    host = re.sub(r"[^A-Za-z0-9.-]", "", socket.gethostname())
    # The end of a long name is what tells the pods of one deployment apart.
    return f"{who} on {host[-max(1, room - len(who) - len(since) - 4) :]}{since}"


@contextmanager
def held(connection: Connection, key: str, timeout: float, run_id: str = "") -> Iterator[Held]:
    """Hold the lock *key* of the database behind *connection*; see `Backend.lock`.

    Raises `UnreachableError` behind a proxy that gives every transaction another session: a lock
    would belong to nobody there.
    """
    where = safe_label(connection.engine.url)
    number = _number(connection, key)
    bits = number & (2**64 - 1)
    deadline = time.monotonic() + timeout
    with _session(connection, where, run_id) as session:
        _refuse_pooled(connection, session, where)
        question = f"SELECT pg_catalog.pg_try_advisory_lock({number})"
        if not any(session.value(question) for _ in attempts(timeout)):
            said = session.value(_question(number))
            raise LockedError(
                f"another migrator holds the lock: {said or 'a session that has just ended'}",
                where=where,
                hint="wait until it is done, or allow a longer wait",
            )
        mark = f"topchef-db {bits:016x}"
        _wait_for_orphans(connection, session, mark, deadline)
        with _marked(connection, mark), _ending_with(connection, session):
            yield session.alive


def holder(connection: Connection, key: str) -> str | None:
    """Return who holds the lock *key* of the database behind *connection*; None where nobody."""
    question = _question(_number(connection, key))
    with passing_transaction(connection):
        said: str | None = connection.exec_driver_sql(question).scalar()
    return said


def _number(connection: Connection, key: str) -> int:
    with passing_transaction(connection):
        database = str(connection.exec_driver_sql("SELECT current_database()").scalar_one())
    return number_of(database, key)


def _question(number: int) -> str:
    """Return what asks who holds the lock of this *number*, of which the server shows halves."""
    bits = number & (2**64 - 1)
    return HOLDER.format(high=bits >> 32, low=bits & (2**32 - 1))


@contextmanager
def _ending_with(connection: Connection, session: _Session) -> Iterator[None]:
    """End *session* with that of *connection*, also where a signal breaks that one off.

    Later, the event loop of an async driver is closed.
    """
    from sqlalchemy import event

    def broken_off(_: object, __: object, error: BaseException | None) -> None:
        if error is not None and not isinstance(error, Exception):
            session.end()

    event.listen(connection.engine, "invalidate", broken_off)
    try:
        with at_return(connection, session.end):
            yield
    finally:
        event.remove(connection.engine, "invalidate", broken_off)


def _wait_for_orphans(
    connection: Connection, session: _Session, mark: str, deadline: float
) -> None:
    """Wait until no statement of an earlier holder of the lock is running.

    The server ends a statement whose client was killed only when it is done, long after that
    client's other session, and with it the lock, is gone.
    """
    with passing_transaction(connection):
        mine = connection.exec_driver_sql("SELECT pg_catalog.pg_backend_pid()").scalar_one()
    orphans = None
    for _ in attempts(max(0.0, deadline - time.monotonic())):
        orphans = session.value(ORPHANS.format(mark=mark, mine=mine))
        if not orphans:
            return
    raise LockedError(
        f"a statement of an earlier run is still running, in server process {orphans}",
        where=safe_label(connection.engine.url),
        hint="wait until it is done, or end it: SELECT pg_terminate_backend(number)",
    )


@contextmanager
def _marked(connection: Connection, mark: str) -> Iterator[None]:
    """Let *connection*'s session be known as one that works under the lock."""
    with passing_transaction(connection):
        before = connection.exec_driver_sql("SHOW application_name").scalar_one()
    _call(connection, mark)

    def unmark(session: Any) -> None:
        name = str(before).replace("'", "''")
        with closing(session.cursor()) as cursor:
            cursor.execute(f"SELECT pg_catalog.set_config('application_name', '{name}', false)")
        session.commit()

    try:
        with at_return(connection, unmark):
            yield
    finally:
        # The name goes with the session where nothing can be sent any more.
        with suppress(Exception):
            if not connection.closed and not connection.in_transaction():
                _call(connection, str(before))


def _call(connection: Connection, name: str) -> None:
    from sqlalchemy import text

    inside = connection.in_transaction()
    question = text("SELECT pg_catalog.set_config('application_name', :name, false)")
    connection.execute(question, {"name": name})
    if not inside:
        connection.commit()


class _Session:
    """A connection of the driver that SQLAlchemy's transactions do not reach."""

    def __init__(self, fairy: Any, where: str) -> None:
        self._fairy = fairy
        self._where = where
        self._connection = fairy.dbapi_connection
        self._seen = time.monotonic()
        self._lost = False

    def alive(self) -> bool:
        """Whether the server still has this session, and so what it locked."""
        if not self._lost and time.monotonic() - self._seen > SURE:
            try:
                self.value("SELECT 1")
                self._seen = time.monotonic()
            except Exception:
                self._lost = True
        return not self._lost

    def end(self, _: object = None) -> None:
        """Close it, and with it the lock; a pooled one would keep it."""
        if self._fairy.is_valid:
            with suppress(Exception):
                self._fairy.invalidate()

    def value(self, sql: str) -> Any:
        """Return the first value of the first row, None where there is no row.

        Raises `UnreachableError` where the connection is lost.
        """
        try:
            with closing(self._connection.cursor()) as cursor:
                cursor.execute(sql)
                row = cursor.fetchone()
        except Exception as error:
            raise UnreachableError(
                f"the session of the migration lock was lost: {first_line(error)}",
                where=self._where,
                hint="run the same command again once the server is back",
            ) from error
        return None if row is None else row[0]


@contextmanager
def _session(connection: Connection, where: str, run_id: str) -> Iterator[_Session]:
    """Open a session made as those of *connection*'s engine, outside the limits of its pool."""
    pool = connection.engine.pool.recreate()
    try:
        try:
            fairy = pool.connect()
        except Exception as error:
            raise UnreachableError(
                f"no second connection for the migration lock: {first_line(error)}",
                where=where,
                hint="let this user have two connections at once",
            ) from error
        session = _Session(fairy, where)
        try:
            connection.dialect.set_isolation_level(fairy.dbapi_connection, "AUTOCOMMIT")  # type: ignore[arg-type]
            _introduce(session, run_id)
            yield session
        finally:
            session.end()
    finally:
        pool.dispose()


def _introduce(session: _Session, run_id: str) -> None:
    """Name this run to whoever waits, and keep the server from closing an idle session."""
    name = holder_name(run_id, LONGEST_NAME)
    session.value(f"SELECT pg_catalog.set_config('application_name', '{name}', false)")
    session.value(
        "SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings"
        " WHERE name = 'idle_session_timeout'"
    )


def _refuse_pooled(connection: Connection, session: _Session, where: str) -> None:
    # An idle pool hands the same server session to whoever asks first. So somebody holds a
    # transaction, and with it a server session, while the other asks.
    question = "SELECT pg_catalog.pg_backend_pid()"
    before = session.value(question)
    with passing_transaction(connection):
        other = connection.exec_driver_sql(question).scalar_one()
        after = session.value(question)
    if before != after or other in (before, after):
        raise UnreachableError(
            "a proxy gives every transaction another server session, so no lock can be held",
            where=where,
            hint="migrate through a URL that leads to the server itself",
        )
