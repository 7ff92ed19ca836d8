"""Scratch databases on a server that speaks MySQL's protocol, someone's or our own."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from topchef_schema.backends import mysql_copy
from topchef_schema.backends.base import (
    SCRATCH_PREFIX,
    Failure,
    ScratchDatabase,
    first_line,
    safe_label,
    scratch_name,
)
from topchef_schema.backends.mysql_protocol import (
    connect,
    failure,
    number,
    processes,
    run,
    session,
)
from topchef_schema.errors import UnreachableError, UsageError

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

    from topchef_schema.backends.process import ServerProcess

HOSTS = ("%", "localhost")
"""An anonymous account at localhost, as old installations have it, goes before one at ``%``."""

NO_SUCH_SESSION = 1094

NOT_ALLOWED = frozenset({Failure.ACCESS_DENIED, Failure.READ_ONLY})

WAIT = 20
"""Seconds that a DROP, and a mark, wait for sessions that are being ended."""

DAY = 24 * 60 * 60
"""Seconds."""


def named(url: URL, name: str) -> ScratchServer:
    """Open the server at *url*, which must be what backend *name* is for.

    Raises `UnreachableError` when it is not there, or is the other one.
    """
    url = url.set(drivername=f"{name}+{url.get_driver_name()}", database="")
    with session(url) as connection:
        version = str(run(connection, "SELECT version()").scalar_one())
    is_mariadb = "mariadb" in version.lower()
    if is_mariadb != (name == "mariadb"):
        other = "mariadb" if is_mariadb else "mysql"
        raise UnreachableError(
            f"that server is {'MariaDB' if is_mariadb else 'MySQL'} {version}, not {name}",
            where=safe_label(url),
            hint=f"use --on {other}, and TOPCHEF_{other.upper()}_SERVER for its URL",
        )
    return ScratchServer(url, version)


class ScratchServer:
    """A server for scratch databases; with *process*, a throwaway one of our own.

    On someone's server a scratch database has a user of its name with rights on it alone, where
    we may make one. On our own the administrator works, so that revisions may name roles.

    As long as this is open it holds a lock of the server called like each database: so whoever
    cleans up sees that the maker is alive, also without the right to see the sessions of others.
    """

    def __init__(self, url: URL, version: str, process: ServerProcess | None = None) -> None:
        import atexit
        import threading

        self.url = url
        self.version = version
        self.throwaway = process is not None
        self._process = process
        self._made: dict[str, ScratchDatabase] = {}
        self._scripts: dict[str, mysql_copy.Scripts] = {}
        self._owner = os.getpid()
        self._turn = threading.RLock()
        self._admin: Connection | None = None
        atexit.register(self.close)

    def create(self) -> ScratchDatabase:
        """Make an empty database, in utf8mb4, and the user that works in it."""
        name = scratch_name()
        self._made[name] = ScratchDatabase(name, self.url.set(database=name))
        try:
            with self._session() as connection:
                _mark(connection, name)
                _create(connection, name)
                if not self.throwaway:
                    user = _own_user(connection, self.url, name)
                    self._made[name] = ScratchDatabase(name, user.set(database=name))
        except BaseException:
            with contextlib.suppress(UnreachableError):
                self._remove(name)
            self._made.pop(name, None)
            raise
        return self._made[name]

    def recreate(self, database: ScratchDatabase) -> None:
        """End the sessions in the database and make it anew; the user keeps its rights."""
        self._scripts.pop(database.name, None)
        _end_sessions(database)
        with self._session() as connection:
            _drop(connection, database.name)
            if self.throwaway:
                _forget_rights(connection, database.name)
            _create(connection, database.name)

    def copy(self, database: ScratchDatabase) -> ScratchDatabase:
        """Make what is in *database* again, in a new one, as its user."""
        name = scratch_name()
        self._made[name] = copied = ScratchDatabase(name, database.url.set(database=name))
        try:
            with self._session() as connection:
                _mark(connection, name)
                _create(connection, name)
                if database.url.username != self.url.username:
                    _grant(connection, str(database.url.username), name)
                if database.name not in self._scripts:
                    self._scripts[database.name] = mysql_copy.scripts(database.url)
                mysql_copy.send(copied.url, self._scripts[database.name])
        except BaseException:
            with contextlib.suppress(UnreachableError):
                self._remove(name)
            raise
        return copied

    def drop(self, database: ScratchDatabase) -> None:
        """Remove the database, its sessions and its user."""
        _end_sessions(database)
        self._remove(database.name)

    def keep(self, database: ScratchDatabase) -> bool:
        """Forget *database*; the lock that says it is in use goes with our session."""
        if self.throwaway:
            return False
        self._made.pop(database.name, None)
        return True

    def leftovers(self) -> list[str]:
        """Return the scratch databases and users whose makers are gone, and without a session."""
        with self._session() as connection:
            names = set(run(connection, "SHOW DATABASES").scalars())
            names |= _users(connection)
            names = {name for name in names if name.startswith(SCRATCH_PREFIX)}
            names -= {row[key] for row in processes(connection) for key in ("db", "User")}
            return sorted(name for name in names if not _is_marked(connection, name))

    def remove(self, name: str) -> None:
        """Remove the leftover database *name* and its user."""
        if not re.fullmatch(f"{SCRATCH_PREFIX}\\w+", name):
            raise UsageError(
                f'"{name}" is no scratch database',
                where="scratch",
                hint=f"their names begin with {SCRATCH_PREFIX}",
            )
        self._remove(name)

    def _remove(self, name: str) -> None:
        with self._session() as connection:
            _drop(connection, name)
            _drop_user(connection, name)
            _unmark(connection, name)
        self._made.pop(name, None)
        self._scripts.pop(name, None)

    def close(self) -> None:
        """Drop what was made, or stop the server with all that is in it."""
        import atexit

        if os.getpid() != self._owner:
            return  # a fork of us has inherited this object, not the server
        atexit.unregister(self.close)
        made, self._made = list(self._made.values()), {}
        errors = []
        if self._process is None:
            for database in made:
                try:
                    self.drop(database)
                except UnreachableError as error:
                    errors.append(error)
        self._hang_up()
        if self._process is not None:
            self._process.stop()
        if errors:
            raise errors[0]

    @contextmanager
    def _session(self) -> Iterator[Connection]:
        """Use the connection that holds the marks; make it, and these, again if it is lost."""
        from sqlalchemy.exc import DBAPIError

        with self._turn:
            if self._admin is not None and self._admin.invalidated:
                self._hang_up()  # an interruption has taken the session along
            if self._admin is None:
                self._admin = connect(self.url)
                # The server would close an idle session, and forget the marks.
                run(self._admin, f"SET SESSION wait_timeout = {DAY}, lock_wait_timeout = {WAIT}")
                for name in self._made:
                    _mark(self._admin, name)
            try:
                yield self._admin
            except DBAPIError as error:
                if failure(error) is Failure.CONNECTION_LOST:
                    self._hang_up()
                # Not from the error itself, which shows the statement and so a password.
                raise UnreachableError(
                    f"no scratch work on this server: {first_line(error)}",
                    where=safe_label(self.url),
                    hint="name a user who may create databases and users, or leave the server's "
                    "URL out",
                ) from error.orig

    def _hang_up(self) -> None:
        from sqlalchemy.exc import DBAPIError

        admin, self._admin = self._admin, None
        if admin is not None:
            with contextlib.suppress(DBAPIError):
                admin.invalidate()
                admin.close()


def _mark(connection: Connection, name: str) -> None:
    # Where a session of ours was interrupted, it is free once that, and what it was at, has ended.
    run(connection, f"SELECT GET_LOCK('{name}', {WAIT})").all()


def _unmark(connection: Connection, name: str) -> None:
    run(connection, f"SELECT RELEASE_LOCK('{name}')").all()


def _is_marked(connection: Connection, name: str) -> bool:
    return bool(run(connection, f"SELECT IS_USED_LOCK('{name}') IS NOT NULL").scalar_one())


def _users(connection: Connection) -> set[str]:
    """Return the users of the server, none where we may not see them."""
    from sqlalchemy.exc import DBAPIError

    try:
        return set(run(connection, "SELECT user FROM mysql.user").scalars())
    except DBAPIError as error:
        if failure(error) not in NOT_ALLOWED:
            raise
        return set()


def _create(connection: Connection, name: str) -> None:
    run(connection, f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")


def _drop(connection: Connection, name: str) -> None:
    run(connection, f"DROP DATABASE IF EXISTS `{name}`")


def _own_user(connection: Connection, url: URL, name: str) -> URL:
    """Make a user with rights on the database *name* alone; return *url* for it.

    Returns *url* as it is where we may not make users.
    """
    import secrets

    from sqlalchemy.exc import DBAPIError

    password = secrets.token_urlsafe(24) + "aA1!"  # whatever a password policy asks for
    try:
        for host in HOSTS:
            run(connection, f"CREATE USER '{name}'@'{host}' IDENTIFIED BY '{password}'")
        _grant(connection, name, name)
    except DBAPIError as error:
        _drop_user(connection, name)
        if failure(error) not in NOT_ALLOWED:
            raise
        return url
    return url.set(username=name, password=password)


def _grant(connection: Connection, user: str, database: str) -> None:
    # In a grant, _ and % are wildcards: rights on topchef_scratch_1 would be rights on
    # topchef-scratch-1. With partial revokes they are not, and neither is the backslash.
    partial = run(connection, "SHOW VARIABLES LIKE 'partial_revokes'").first()
    pattern = database if partial and partial[1] == "ON" else database.replace("_", "\\_")
    for host in HOSTS:
        run(connection, f"GRANT ALL PRIVILEGES ON `{pattern}`.* TO '{user}'@'{host}'")


def _drop_user(connection: Connection, name: str) -> None:
    from sqlalchemy.exc import DBAPIError

    try:
        run(connection, "DROP USER IF EXISTS " + ", ".join(f"'{name}'@'{h}'" for h in HOSTS))
    except DBAPIError as error:
        if failure(error) not in NOT_ALLOWED:  # then we could not make one either
            raise


def _end_sessions(database: ScratchDatabase) -> None:
    """End the sessions of a scratch database, as its user: everyone may end his own."""
    with (
        contextlib.suppress(UnreachableError),
        session(database.url.set(database="")) as connection,
    ):
        own = run(connection, "SELECT connection_id()").scalar_one()
        for row in processes(connection):
            theirs = database.name in (row["db"], row["User"])
            if theirs and row["Id"] != own:
                _end_session(connection, row["Id"])


def _end_session(connection: Connection, session_id: int) -> None:
    from sqlalchemy.exc import DBAPIError

    try:
        run(connection, f"KILL {session_id}")
    except DBAPIError as error:
        if number(error) != NO_SUCH_SESSION:
            raise


def _forget_rights(connection: Connection, name: str) -> None:
    """Take back the rights on a database that is gone, and on what was in it.

    The server keeps them: a table that is made again under its name would have them at once.
    """
    pattern = name.replace("_", "\\_")
    names = f"('{name}', '{pattern}')"
    tables = ("db", "tables_priv", "columns_priv", "procs_priv")
    counts = " UNION ALL ".join(
        f"SELECT '{table}', count(*) FROM mysql.{table} WHERE db IN {names}" for table in tables
    )
    held = [table for table, count in run(connection, counts) if count]
    for table in held:
        run(connection, f"DELETE FROM mysql.{table} WHERE db IN {names}")
    if held:
        run(connection, "FLUSH PRIVILEGES")
