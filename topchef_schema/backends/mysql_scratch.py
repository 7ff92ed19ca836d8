"""Scratch databases on a server that speaks MySQL's protocol, someone's or our own."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from topchef_schema.backends.base import SCRATCH_PREFIX, Failure, ScratchDatabase, scratch_name
from topchef_schema.backends.mysql_protocol import failure, number, processes, run, unreachable
from topchef_schema.errors import UnreachableError, UsageError

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

    from topchef_schema.backends.process import ServerProcess

HOSTS = ("%", "localhost")
"""An anonymous account at localhost, as old installations have it, goes before one at ``%``."""

NO_SUCH_SESSION = 1094

NOT_ALLOWED = frozenset({Failure.ACCESS_DENIED, Failure.READ_ONLY})

WAIT = 20
"""Seconds that a DROP waits for sessions that are being ended."""


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
            where=url.render_as_string(hide_password=True),
            hint=f"use --on {other}, and TOPCHEF_{other.upper()}_SERVER for its URL",
        )
    return ScratchServer(url, version)


@contextmanager
def session(url: URL) -> Iterator[Connection]:
    """Connect to *url* for statements that commit at once; a failure is an `UnreachableError`."""
    from sqlalchemy import create_engine
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import NullPool

    # SQLAlchemy's dialect "mariadb" refuses a MySQL server before we can say what it is.
    plain = url.set(drivername=f"mysql+{url.get_driver_name()}")
    engine = create_engine(plain, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            yield connection
    except DBAPIError as error:
        raise unreachable(error, url) from error
    finally:
        engine.dispose()


class ScratchServer:
    """A server for scratch databases; with *process*, a throwaway one of our own.

    On someone's server a scratch database has a user of its name with rights on it alone, where
    we may make one. On our own the administrator works, so that revisions may name roles.
    """

    def __init__(self, url: URL, version: str, process: ServerProcess | None = None) -> None:
        import atexit

        self.url = url
        self.version = version
        self.throwaway = process is not None
        self._process = process
        self._made: dict[str, ScratchDatabase] = {}
        self._owner = os.getpid()
        atexit.register(self.close)

    def create(self) -> ScratchDatabase:
        """Make an empty database, in utf8mb4, and the user that works in it."""
        name = scratch_name()
        with session(self.url) as connection:
            _create(connection, name)
            self._made[name] = ScratchDatabase(name, self.url.set(database=name))
            if not self.throwaway:
                user = _own_user(connection, self.url, name)
                self._made[name] = ScratchDatabase(name, user.set(database=name))
        return self._made[name]

    def recreate(self, database: ScratchDatabase) -> None:
        """End the sessions in the database and make it anew; the user keeps its rights."""
        _end_sessions(database)
        with session(self.url) as connection:
            _drop(connection, database.name)
            if self.throwaway:
                _forget_rights(connection, database.name)
            _create(connection, database.name)

    def drop(self, database: ScratchDatabase) -> None:
        """Remove the database, its sessions and its user."""
        _end_sessions(database)
        self._remove(database.name)
        self._made.pop(database.name, None)

    def leftovers(self) -> list[str]:
        """Return the scratch databases that have no session.

        Raises `UnreachableError` where the user may not see the sessions of others.
        """
        with session(self.url) as connection:
            run(connection, "SELECT 1 FROM information_schema.innodb_trx LIMIT 1")
            names = run(connection, "SHOW DATABASES").scalars().all()
            busy = {row[key] for row in processes(connection) for key in ("db", "User")}
        return sorted({name for name in names if name.startswith(SCRATCH_PREFIX)} - busy)

    def remove(self, name: str) -> None:
        """Remove the leftover database *name* and its user."""
        if not name.startswith(SCRATCH_PREFIX):
            raise UsageError(
                f'"{name}" is no scratch database',
                where="scratch",
                hint=f"their names begin with {SCRATCH_PREFIX}",
            )
        self._remove(name)

    def _remove(self, name: str) -> None:
        with session(self.url) as connection:
            _drop(connection, name)
            _drop_user(connection, name)

    def close(self) -> None:
        """Drop what was made, or stop the server with all that is in it."""
        import atexit

        atexit.unregister(self.close)
        made, self._made = list(self._made.values()), {}
        if os.getpid() != self._owner:
            return
        if self._process is not None:
            self._process.stop()
            return
        errors = []
        for database in made:
            try:
                self.drop(database)
            except UnreachableError as error:
                errors.append(error)
        if errors:
            raise errors[0]


def _create(connection: Connection, name: str) -> None:
    run(connection, f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")


def _drop(connection: Connection, name: str) -> None:
    run(connection, f"SET SESSION lock_wait_timeout = {WAIT}")
    run(connection, f"DROP DATABASE IF EXISTS `{name}`")


def _own_user(connection: Connection, url: URL, name: str) -> URL:
    """Make a user with rights on the database *name* alone; return *url* for it.

    Returns *url* as it is where we may not make users.
    """
    import secrets

    from sqlalchemy.exc import DBAPIError

    password = secrets.token_urlsafe(24) + "aA1!"  # whatever a password policy asks for
    # In a grant, _ and % are wildcards: rights on topchef_scratch_1 would be rights on
    # topchef-scratch-1. With partial revokes they are not, and neither is the backslash.
    partial = run(connection, "SHOW VARIABLES LIKE 'partial_revokes'").first()
    pattern = name if partial and partial[1] == "ON" else name.replace("_", "\\_")
    try:
        for host in HOSTS:
            run(connection, f"CREATE USER '{name}'@'{host}' IDENTIFIED BY '{password}'")
            run(connection, f"GRANT ALL PRIVILEGES ON `{pattern}`.* TO '{name}'@'{host}'")
    except DBAPIError as error:
        _drop_user(connection, name)
        if failure(error) not in NOT_ALLOWED:
            raise
        return url
    return url.set(username=name, password=password)


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
