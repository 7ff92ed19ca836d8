"""PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Collection
from contextlib import AbstractContextManager, closing, suppress
from typing import TYPE_CHECKING, Any

from topchef_schema.backends.base import (
    Failure,
    driver_connection,
    first_line,
    safe_label,
    undisturbed,
)
from topchef_schema.backends.literals import write_as_sent
from topchef_schema.backends.postgresql_ddl import PostgreSQLCommits
from topchef_schema.backends.postgresql_foresight import PostgreSQLForesight
from topchef_schema.backends.postgresql_script import PostgreSQLScripting
from topchef_schema.errors import UnreachableError

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Dialect
    from sqlalchemy.types import TypeEngine

    from topchef_schema.backends.base import Held, Server
    from topchef_schema.backends.following import Following
    from topchef_schema.backends.timeouts import Limits, Timeouts
    from topchef_schema.model import Snapshot

IDENTITY = """
SELECT format('%s, number %s, of the server started %s', d.datname, d.oid,
  extract(epoch FROM pg_catalog.pg_postmaster_start_time()))
FROM pg_catalog.pg_database d WHERE d.datname = current_database()
"""
"""Also true through a socket, a tunnel or an alias; and a physical copy of a server, which has the
system identifier of its origin, was started at another time."""

PSQL_GUARD = re.compile(r"^\\(un)?restrict \w+$", re.MULTILINE)
"""What pg_dump writes around every script since 2025, for psql alone."""


class PostgreSQL:
    """The backend; see `topchef_schema.backends.base.Backend`."""

    name = "postgresql"
    title = "PostgreSQL"
    dialects = frozenset({"postgresql"})
    transactional_ddl = True
    offline_url = "postgresql://"
    made_by_connecting = False
    foresight = PostgreSQLForesight()
    online = True
    scripting = PostgreSQLScripting()

    @property
    def commit_rules(self) -> PostgreSQLCommits:
        """Its own, which ask for the schema."""
        return PostgreSQLCommits(self.snapshot)

    def with_driver(self, url: URL) -> URL:
        """Return *url* with the driver it names, else psycopg, else psycopg2."""
        from topchef_schema.backends import postgresql_connection

        return postgresql_connection.with_driver(url)

    def synchronous(self, url: URL) -> URL:
        """Return *url* with psycopg or psycopg2 where its driver needs an event loop."""
        from topchef_schema.backends import postgresql_connection

        return postgresql_connection.synchronous(url)

    def exists(self, url: URL) -> bool:
        """Connect, to see whether the database is there.

        Raises `UnreachableError` when that cannot be seen.
        """
        url = self.with_driver(url)
        try:
            _connect_once(url)
        except Exception as error:
            if self.failure(error) is Failure.NO_SUCH_DATABASE:
                return False
            raise UnreachableError(
                f"{self.failure(error)}: {first_line(error)}",
                where=safe_label(url),
                hint="check the URL, and that the server runs and accepts connections from here",
            ) from error
        return True

    def version(self, connection: Connection) -> str:
        """Return the server's version string."""
        return str(_value(connection, "SHOW server_version"))

    def identity(self, connection: Connection) -> str:
        """Return the database's name and number, and when its server was started."""
        return str(_value(connection, IDENTITY))

    def user(self, connection: Connection) -> str | None:
        """Return the role that statements run as."""
        return str(_value(connection, "SELECT current_user"))

    def failure(self, error: BaseException) -> Failure:
        """Say what an error means, by its SQLSTATE."""
        from topchef_schema.backends import postgresql_failures

        return postgresql_failures.failure(error)

    def lock(
        self, connection: Connection, key: str, timeout: float, run_id: str = ""
    ) -> AbstractContextManager[Held]:
        """Hold an advisory lock in a session of its own, made like *connection*."""
        from topchef_schema.backends import postgresql_lock

        return postgresql_lock.held(connection, key, timeout, run_id)

    def lock_holder(self, connection: Connection, key: str) -> str | None:
        """Look for the advisory lock among those of the server."""
        from topchef_schema.backends import postgresql_lock

        return postgresql_lock.holder(connection, key)

    def timeouts(self, connection: Connection, limits: Limits) -> Timeouts:
        """Return what sets them for the length of a transaction."""
        from topchef_schema.backends.postgresql_timeouts import PostgreSQLTimeouts

        return PostgreSQLTimeouts(connection, limits, self.failure)

    def snapshot(self, connection: Connection, exclude: Collection[str] = ()) -> Snapshot:
        """Return the canonical schema of the whole database."""
        from topchef_schema.backends import postgresql_catalog

        return postgresql_catalog.snapshot(connection, exclude)

    def column_type(self, definition: str) -> TypeEngine[Any] | None:
        """Return None: SQLAlchemy knows the types again."""

    def following(self, exclude: Collection[str] = ()) -> Following:
        """Return what reads again only the relations that have changed since the last time."""
        from topchef_schema.backends.postgresql_following import Following

        return Following(exclude)

    def run_script(self, url: URL, script: str) -> None:
        """Send everything at once: without parameters, the server takes many statements."""
        with driver_connection(url) as connection:
            connection.cursor().execute(PSQL_GUARD.sub("", script))
            connection.commit()

    def server(self, url: URL | None = None) -> Server:
        """Open the server at *url*, else start one of our own."""
        from topchef_schema.backends import postgresql_server, postgresql_throwaway

        if url is None:
            return postgresql_throwaway.start()
        return postgresql_server.PostgreSQLServer(url)

    def disposable(self, connection: Connection) -> None:
        """Let a commit end before the log is on the disk; a throwaway server does so anyway."""
        inside = connection.in_transaction()
        with suppress(Exception), closing(connection.connection.cursor()) as cursor:
            cursor.execute("SET synchronous_commit = off")
            if not inside:
                connection.connection.commit()

    def inform(self, dialect: Dialect) -> None:
        """Say that a backslash is a plain character: SQLAlchemy 2.0 asks the server for it."""
        vars(dialect)["_backslash_escapes"] = False
        write_as_sent(dialect, binary="decode('{}', 'hex')")


BACKEND = PostgreSQL()


def _value(connection: Connection, sql: str) -> Any:
    from sqlalchemy import text

    with undisturbed(connection):
        return connection.execute(text(sql)).scalar_one()


def _connect_once(url: URL) -> None:
    if url.get_dialect().is_async:
        from concurrent.futures import ThreadPoolExecutor

        # In a thread, because the caller's may be running an event loop already.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(_connect_once_in_a_loop, url).result()
        return
    from sqlalchemy import NullPool, create_engine

    create_engine(url, poolclass=NullPool).connect().close()


def _connect_once_in_a_loop(url: URL) -> None:
    import asyncio

    from sqlalchemy import NullPool
    from sqlalchemy.ext.asyncio import create_async_engine

    async def connect() -> None:
        async with create_async_engine(url, poolclass=NullPool).connect():
            pass

    asyncio.run(connect())
