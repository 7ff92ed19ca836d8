"""The migration lock of a MariaDB or MySQL database: a lock of the server by name.

It is held on the very connection that migrates: see `held`. A session has no name there that others
may read, but anyone may ask which session holds the lock of a name. So the holder spells what is to
be known of it in more locks, one for each digit, whose names end in the place and the digit. They
go with the session, as the lock does.
https://dev.mysql.com/doc/refman/8.4/en/locking-functions.html
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from topchef_schema.backends.base import Held, at_return, attempts
from topchef_schema.backends.mysql_protocol import one, processes
from topchef_schema.errors import LockedError

if TYPE_CHECKING:
    from sqlalchemy import Connection

DIGITS = "0123456789abcdef"
LENGTH = 8
"""Digits of the run's id, as many as others show of it, and of the seconds since 1970."""


def lock_name(database: str, key: str) -> str:
    """Return the name of a lock: those of a server are shared, and have at most 64 characters."""
    digest = hashlib.sha256(f"{database}\0{key}".encode()).hexdigest()
    return f"topchef:{digest[:48]}"


@contextmanager
def held(connection: Connection, key: str, timeout: float, run_id: str = "") -> Iterator[Held]:
    """Hold the lock *key* of the database behind *connection*, on that very connection.

    When the client dies while the server still runs a statement of it, MariaDB and MySQL keep
    the session, and with it the lock, until the statement ends. A lock on a second connection
    would be gone at once, and the next run would collide with the statement.
    """
    database, name = _place(connection, key)
    for _ in attempts(timeout):
        if one(connection, f"SELECT GET_LOCK('{name}', 0)") == (1,):
            break
    else:
        raise _locked(connection, name, database)
    mine = connection.connection.dbapi_connection
    names = [*_introduce(connection, name, run_id), name]

    def alive() -> bool:
        # After a lost session SQLAlchemy makes another one, which holds nothing.
        if connection.closed or connection.invalidated:
            return False
        return connection.connection.dbapi_connection is mine

    with at_return(connection, _released(names)):
        try:
            yield alive
        finally:
            _release(connection, names)


def _release(connection: Connection, names: Sequence[str]) -> None:
    from sqlalchemy.exc import DBAPIError, InvalidRequestError

    if connection.closed or connection.invalidated:
        return  # released on its way back to the pool, or by the server with the session
    with suppress(DBAPIError, InvalidRequestError):
        one(connection, _letting_go(names))


def _released(names: Sequence[str]) -> Callable[[Any], None]:
    def release(session: Any) -> None:
        with closing(session.cursor()) as cursor:
            cursor.execute(_letting_go(names))
            cursor.fetchall()

    return release


def _letting_go(names: Sequence[str]) -> str:
    return f"SELECT {', '.join(f'RELEASE_LOCK({each!r})' for each in names)}"


def _locked(connection: Connection, name: str, database: str) -> LockedError:
    session = _session(connection, name)
    said = _said(connection, name, session) if session else "it has just let go"
    return LockedError(
        f"another migrator holds the lock: {said}",
        where=f'database "{database}", lock "{name}"',
        hint=f"wait for it, or look with SHOW PROCESSLIST; KILL {session or 'ID'} ends it",
    )


def holder(connection: Connection, key: str) -> str | None:
    """Return who holds the lock *key* now; None where nobody does."""
    _, name = _place(connection, key)
    session = _session(connection, name)
    return _said(connection, name, session) if session else None


def _place(connection: Connection, key: str) -> tuple[str, str]:
    """Return the name of the database, and of its lock *key*."""
    (database,) = one(connection, "SELECT database()")
    return database or "", lock_name(database or "", key)


def _session(connection: Connection, name: str) -> int | None:
    (session,) = one(connection, f"SELECT IS_USED_LOCK('{name}')")
    return None if session is None else int(session)


def _said(connection: Connection, name: str, session: int) -> str:
    """Say which run *session* is, and as whom and how long it does what, where that is seen."""
    run = _introduced(connection, name, session)
    said = f"{run}, session {session}" if run else f"session {session}"
    row = next((each for each in processes(connection) if each["Id"] == session), None)
    if row is None:
        return said
    # Of a worker that only waits for its client, the server knows no more than this.
    doing = "idle" if row["Command"] == "Sleep" else str(row["State"] or row["Command"])
    return f"{said} ({row['User']} from {row['Host']}, {doing} for {row['Time']} s)"


def _introduce(connection: Connection, lock: str, run_id: str) -> Sequence[str]:
    """Let others see that the session, which holds *lock*, is that of the run *run_id*.

    Returns the names of the locks that were taken for it: none where the run has no such id, or
    the server gives no more than one.
    """
    from sqlalchemy.exc import DBAPIError

    if not re.match(rf"[{DIGITS}]{{{LENGTH}}}", run_id):
        return ()
    spelled = f"{run_id[:LENGTH]}{int(time.time()):0{LENGTH}x}"
    names = [_name(lock, place, digit) for place, digit in enumerate(spelled)]
    taken = ", ".join(f"GET_LOCK('{each}', 0)" for each in names)
    try:
        one(connection, f"SELECT {taken}")
    except DBAPIError:
        return ()
    return names


def _introduced(connection: Connection, lock: str, session: int) -> str:
    """Return the run that *session* says it is, and since when; nothing where it says none."""
    from sqlalchemy.exc import DBAPIError

    names = [_name(lock, place, digit) for place in range(2 * LENGTH) for digit in DIGITS]
    asked = ", ".join(f"IS_USED_LOCK('{each}')" for each in names)
    try:
        holders = one(connection, f"SELECT {asked}")
    except DBAPIError:
        return ""
    ours = (name[-1] for name, holds in zip(names, holders, strict=True) if holds == session)
    spelled = "".join(ours)
    if len(spelled) != 2 * LENGTH:
        return ""
    since = datetime.fromtimestamp(int(spelled[LENGTH:], 16), UTC)
    return f"run {spelled[:LENGTH]} since {since:%Y-%m-%dT%H:%MZ}"


def _name(lock: str, place: int, digit: str) -> str:
    return f"{lock}:{place:x}{digit}"
