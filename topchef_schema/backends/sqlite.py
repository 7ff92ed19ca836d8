"""SQLite: files that need no server."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from topchef_schema.backends.base import Failure, driver_connection, undisturbed
from topchef_schema.backends.literals import write_as_sent
from topchef_schema.backends.sqlite_foresight import SQLiteForesight
from topchef_schema.backends.sqlite_script import SQLiteScripting
from topchef_schema.backends.sqlite_transaction import SQLiteCommits
from topchef_schema.errors import UnreachableError

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Dialect
    from sqlalchemy.types import TypeEngine

    from topchef_schema.backends.base import Held, Server
    from topchef_schema.backends.following import Following
    from topchef_schema.backends.timeouts import Limits, Timeouts
    from topchef_schema.model import Snapshot

LOCK_SUFFIX = ".topchef-lock"

FAILURES = {
    "SQLITE_BUSY": Failure.LOCK_TIMEOUT,
    "SQLITE_LOCKED": Failure.LOCK_TIMEOUT,
    "SQLITE_FULL": Failure.DISK_FULL,
    "SQLITE_INTERRUPT": Failure.CANCELLED,
    "SQLITE_READONLY": Failure.READ_ONLY,
    "SQLITE_CANTOPEN": Failure.UNREACHABLE,
    "SQLITE_PERM": Failure.ACCESS_DENIED,
    "SQLITE_AUTH": Failure.ACCESS_DENIED,
}
"""By the first two words of the error's name: https://www.sqlite.org/rescode.html."""


class SQLite:
    """The backend; see `topchef_schema.backends.base.Backend`."""

    name = "sqlite"
    title = "SQLite"
    dialects = frozenset({"sqlite"})
    # Not as Alembic knows it: its driver opens transactions too late, see sqlite_transaction.py.
    transactional_ddl = True
    offline_url = "sqlite://"
    made_by_connecting = True
    foresight = SQLiteForesight()
    commit_rules = SQLiteCommits()
    online = True
    scripting = SQLiteScripting()

    def with_driver(self, url: URL) -> URL:
        """Return *url* as it is, if its driver is installed."""
        driver = url.get_driver_name()
        module = {"pysqlite": "sqlite3", "pysqlcipher": "sqlcipher3"}.get(driver, driver)
        try:
            __import__(module)
        except ImportError as error:
            raise UnreachableError(
                f"the driver {driver} cannot be imported: {error}",
                where=url.drivername,
                hint='pip install "topchef-schema[async]"'
                if driver == "aiosqlite"
                else f"pip install {module}",
            ) from error
        return url

    def synchronous(self, url: URL) -> URL:
        """Return *url* with Python's own driver."""
        return url.set(drivername=self.name) if url.get_dialect().is_async else url

    def exists(self, url: URL) -> bool:
        """Whether the file is there; a database in memory always is."""
        path = file_of(url)
        return path is None or path.exists()

    def version(self, connection: Connection) -> str:
        """Return the version of the library."""
        with undisturbed(connection):
            return str(connection.exec_driver_sql("SELECT sqlite_version()").scalar_one())

    def identity(self, connection: Connection) -> str:
        """Return the file's path, free of symbolic links."""
        path = _open_file(connection)
        if path is None:
            return f"in memory, {id(connection.connection.dbapi_connection):x}"
        return str(path)

    def user(self, connection: Connection) -> str | None:
        """Return None: there are no users."""
        return None

    def failure(self, error: BaseException) -> Failure:
        """Say what an error means, by SQLite's own name for it."""
        import sqlite3

        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, sqlite3.Error):
            cause = getattr(cause, "orig", None) or cause.__cause__
        if cause is None:
            return Failure.OTHER
        words = getattr(cause, "sqlite_errorname", "").split("_")
        known = FAILURES.get("_".join(words[:2]))
        if known is None and ("already exists" in str(cause) or "duplicate column" in str(cause)):
            return Failure.ALREADY_EXISTS
        return known or Failure.OTHER

    @contextmanager
    def lock(
        self, connection: Connection, key: str, timeout: float, run_id: str = ""
    ) -> Iterator[Held]:
        """Hold the lock of the database's file, whatever *key* it is held for.

        Never on the database file itself: SQLite's own locks on it would be lost with the first
        descriptor that this process closes (https://www.sqlite.org/howtocorrupt.html, 2.2).
        """
        from topchef_schema.backends import file_lock

        path = _lock_file(connection)
        if path is None:
            yield _always  # a database in memory belongs to its process
            return
        with file_lock.held(path, key, timeout, run_id):
            yield _always

    def lock_holder(self, connection: Connection, key: str) -> str | None:
        """Look at the file beside that of the database, whatever *key* it is held for."""
        from topchef_schema.backends import file_lock

        path = _lock_file(connection)
        return None if path is None else file_lock.holder(path)

    def timeouts(self, connection: Connection, limits: Limits) -> Timeouts:
        """Return what waits for the file, and interrupts what takes too long."""
        from topchef_schema.backends.sqlite_timeouts import SQLiteTimeouts

        return SQLiteTimeouts(connection, limits, self.failure)

    def snapshot(self, connection: Connection, exclude: Collection[str] = ()) -> Snapshot:
        """Return the canonical schema of the main database."""
        from topchef_schema.backends import sqlite_catalog

        with undisturbed(connection):
            return sqlite_catalog.snapshot(connection, exclude)

    def column_type(self, definition: str) -> TypeEngine[Any] | None:
        """Return None: SQLAlchemy knows the types again."""

    def following(self, exclude: Collection[str] = ()) -> Following:
        """Return what keeps what it made of each row of the catalog."""
        from topchef_schema.backends.sqlite_following import Following

        return Following(exclude)

    def run_script(self, url: URL, script: str) -> None:
        """Let the library take one statement after the other."""
        with driver_connection(url) as connection:
            connection.executescript(script)
            connection.commit()

    def server(self, url: URL | None = None) -> Server:
        """Open a folder of scratch files: beside the file at *url*, else a temporary one."""
        from topchef_schema.backends.sqlite_server import FolderServer

        return FolderServer(url)

    def disposable(self, connection: Connection) -> None:
        """Leave it to the system when to write, and keep what a rollback needs in memory.

        A log that env.py has chosen stays. Past SQLAlchemy: neither takes effect within a
        transaction, https://www.sqlite.org/pragma.html#pragma_synchronous
        """
        with suppress(Exception), closing(connection.connection.cursor()) as cursor:
            cursor.execute("PRAGMA synchronous = OFF")
            cursor.execute("PRAGMA journal_mode")
            if cursor.fetchone() == ("delete",):
                cursor.execute("PRAGMA journal_mode = MEMORY")

    def inform(self, dialect: Dialect) -> None:
        """Say how values are sent."""
        write_as_sent(dialect, binary="X'{}'", carriage_return="' || char(13) || '")


def _always() -> bool:
    """Say that the lock is held: the kernel takes it away from nobody who is alive."""
    return True


BACKEND = SQLite()


def file_of(url: URL) -> Path | None:
    """Return the file that *url* names, None for a database in memory."""
    from urllib.parse import unquote

    text = url.database or ""
    if text.startswith("file:"):
        text, _, options = text.removeprefix("file:").partition("?")
        if "mode=memory" in options.split("&") or url.query.get("mode") == "memory":
            return None
        text = unquote(text)
        if text.startswith("//"):  # file://authority/path: only an empty one or localhost is legal
            text = "/" + text[2:].partition("/")[2]
    return None if text in ("", ":memory:") else Path(text)


def _lock_file(connection: Connection) -> Path | None:
    """Return the file that is locked for the database; None for one in memory."""
    database = _open_file(connection)
    return None if database is None else database.with_name(database.name + LOCK_SUFFIX)


def _open_file(connection: Connection) -> Path | None:
    with undisturbed(connection):
        for _, name, path in connection.exec_driver_sql("PRAGMA database_list"):
            if name == "main":
                return Path(path).resolve() if path else None
    return None
