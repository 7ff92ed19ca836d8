"""Scratch databases on a PostgreSQL server, each with a user of its own where it is someone's."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from topchef_schema.backends.base import (
    SCRATCH_PREFIX,
    Failure,
    ScratchDatabase,
    first_line,
    safe_label,
    scratch_name,
)
from topchef_schema.backends.postgresql_connection import synchronous, with_driver
from topchef_schema.backends.postgresql_failures import failure
from topchef_schema.backends.postgresql_lock import number_of
from topchef_schema.errors import UnreachableError, UsageError

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

    from topchef_schema.backends.process import ServerProcess

POWERS = """
SELECT r.rolsuper, r.rolsuper OR r.rolcreatedb AS databases, r.rolsuper OR r.rolcreaterole AS roles,
  pg_catalog.quote_ident(r.rolname) AS name, current_setting('server_version') AS version,
  (SELECT pg_catalog.pg_encoding_to_char(d.encoding) FROM pg_catalog.pg_database d
    WHERE d.datname = 'template0') AS encoding
FROM pg_catalog.pg_roles r WHERE r.rolname = current_user
"""

OURS = f"""
SELECT d.datname FROM pg_catalog.pg_database d
WHERE left(d.datname, {len(SCRATCH_PREFIX)}) = '{SCRATCH_PREFIX}' AND NOT EXISTS
  (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.datname = d.datname)
UNION SELECT r.rolname FROM pg_catalog.pg_roles r
WHERE left(r.rolname, {len(SCRATCH_PREFIX)}) = '{SCRATCH_PREFIX}' AND NOT EXISTS
  (SELECT FROM pg_catalog.pg_database d WHERE d.datname = r.rolname)
"""
"""Databases without a session, and users whose database is gone or was never made."""

HELD = """
SELECT (l.classid::bigint << 32) | l.objid::bigint FROM pg_catalog.pg_locks l
WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
"""

WAIT = 20
"""Seconds until a session that was interrupted has to have ended."""

LARGE = 10 * 1024 * 1024
"""Bytes of a template from which on files are copied faster than pages (benchmarks/fixture.py)."""

BUSY = 8
"""How much larger it must be on someone's server, where a checkpoint writes what others changed."""


class PostgreSQLServer:
    """The server at *url*; a throwaway one if *process* is what runs it.

    The user of *url* must be allowed to create databases. `confined` says whether revisions run
    as users of our making: the user of *url* must be allowed to create roles for that. On a
    throwaway server they run as its superuser.
    """

    def __init__(self, url: URL, process: ServerProcess | None = None) -> None:
        import atexit
        import os
        import threading

        self.url = with_driver(url)
        self.throwaway = process is not None
        self._process = process
        self._made: dict[str, str] = {}
        self._turn = threading.RLock()
        self._opened_by = os.getpid()
        self._admin = _connect(synchronous(url))
        powers = self._admin.exec_driver_sql(POWERS).one()
        self.version = str(powers.version)
        self.confined = bool(powers.roles) and not self.throwaway
        self._superuser = bool(powers.rolsuper)
        self._name = str(powers.name)
        self._locale = "" if powers.encoding == "UTF8" else " LC_COLLATE 'C' LC_CTYPE 'C'"
        if not powers.databases:
            self.close()
            raise self._refused(f"the user {self._name} may not create databases")
        atexit.register(self.close)

    def create(self) -> ScratchDatabase:
        """Make an empty database, and a user for it alone."""
        name = scratch_name()
        # Whoever cleans up sees by this lock that the maker of the database is alive.
        self._run(f"SELECT pg_catalog.pg_try_advisory_lock({number_of(name)})")
        self._made[name] = owner = name if self.confined else self._name
        url = self.url.set(database=name)
        try:
            if self.confined:
                url = url.set(username=name, password=self._make_user(name))
            self._create(name, owner)
        except BaseException:
            with suppress(UnreachableError):
                self._remove(name)
            raise
        return ScratchDatabase(name, url)

    def recreate(self, database: ScratchDatabase) -> None:
        """Drop and create *database*, ending the sessions in it; its user stays."""
        self._drop(database.name)
        self._create(database.name, self._made.get(database.name, self._name))

    def copy(self, database: ScratchDatabase) -> ScratchDatabase:
        """Let the server copy *database*; the owner of what is in it stays the same."""
        name = scratch_name()
        self._run(f"SELECT pg_catalog.pg_try_advisory_lock({number_of(name)})")
        self._made[name] = owner = self._made.get(database.name, self._name)
        try:
            self._run(
                f"CREATE DATABASE {name} OWNER {owner} TEMPLATE {database.name}"
                f"{self._strategy(database.name)}"
            )
            if self.confined:
                self._run(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
        except BaseException:
            with suppress(UnreachableError):
                self._remove(name)
            raise
        return ScratchDatabase(name, database.url.set(database=name))

    def _strategy(self, template: str) -> str:
        """Return how to copy: page by page through the log, or, what is large, file by file.

        Copying files takes two checkpoints, whatever their size. Before PostgreSQL 15 there is no
        other way, https://www.postgresql.org/docs/15/sql-createdatabase.html
        """
        if (self._admin.dialect.server_version_info or (0,)) < (15,):
            return ""
        size = self._run(f"SELECT pg_catalog.pg_database_size('{template}')")[0][0]
        large = LARGE if self.throwaway else BUSY * LARGE
        return " STRATEGY FILE_COPY" if size > large else " STRATEGY WAL_LOG"

    def drop(self, database: ScratchDatabase) -> None:
        """Drop *database* and its user, ending the sessions in it."""
        self._remove(database.name)

    def keep(self, database: ScratchDatabase) -> bool:
        """Forget *database*; the lock that says it is in use goes with our session."""
        if self.throwaway:
            return False
        self._made.pop(database.name, None)
        return True

    def leftovers(self) -> list[str]:
        """Return the scratch databases without a session whose makers are gone."""
        held = {row[0] for row in self._run(HELD)}
        return sorted(row[0] for row in self._run(OURS) if number_of(row[0]) not in held)

    def remove(self, name: str) -> None:
        """Drop the leftover *name* and its user."""
        if not name.startswith(SCRATCH_PREFIX):
            raise UsageError(
                f'"{name}" is not a scratch database',
                where=safe_label(self.url),
                hint="leave it alone",
            )
        self._remove(name)

    def close(self) -> None:
        """Drop what was made here; stop the server if it is ours."""
        import atexit
        import os

        if os.getpid() != self._opened_by:
            return  # a fork of us has inherited this object, not the server
        atexit.unregister(self.close)
        try:
            if self._process is None:
                for name in list(self._made):
                    self._remove(name)
        finally:
            with suppress(Exception):
                self._admin.close()
            if self._process is not None:
                self._process.stop()

    def _make_user(self, name: str) -> str:
        password = secrets.token_urlsafe(24)
        self._run(
            f"CREATE ROLE {name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION"
            f" PASSWORD '{scram_verifier(password)}'"
        )
        if not self._superuser:
            # Only a member of a role may make it the owner of a database.
            self._run(f"GRANT {name} TO {self._name}")
        return password

    def _create(self, name: str, owner: str) -> None:
        self._run(
            f"CREATE DATABASE {name} OWNER {owner} TEMPLATE template0 ENCODING 'UTF8'{self._locale}"
        )
        if self.confined:
            self._run(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")

    def _remove(self, name: str) -> None:
        self._drop(name)
        quoted = _quoted(name)
        if self._run(f"SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = '{name}'"):
            self._run(f"DROP ROLE IF EXISTS {quoted}")
        self._run(f"SELECT pg_catalog.pg_advisory_unlock({number_of(name)})")
        self._made.pop(name, None)

    def _drop(self, name: str) -> None:
        if (self._admin.dialect.server_version_info or (0,)) >= (13,):
            self._run(f"DROP DATABASE IF EXISTS {_quoted(name)} WITH (FORCE)")
            return
        self._run(
            "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity"
            f" WHERE datname = '{name}'"
        )
        self._run(f"DROP DATABASE IF EXISTS {_quoted(name)}")

    def _run(self, sql: str) -> list[Any]:
        from sqlalchemy.exc import DBAPIError

        with self._turn:
            try:
                if self._admin.invalidated:
                    self._reconnect()
                result = self._admin.exec_driver_sql(sql)
                return list(result) if result.returns_rows else []
            except DBAPIError as error:
                raise self._refused(first_line(error)) from error.orig

    def _reconnect(self) -> None:
        """Go on in another session, after an interruption has taken ours along with its locks.

        They are free once that one has ended, and with it what it was at.
        """
        self._admin.rollback()
        self._admin.exec_driver_sql(f"SET lock_timeout = '{WAIT}s'")
        for name in self._made:
            self._admin.exec_driver_sql(f"SELECT pg_catalog.pg_advisory_lock({number_of(name)})")

    def _refused(self, why: str) -> UnreachableError:
        return UnreachableError(
            f"no scratch work on this server: {why}",
            where=safe_label(self.url),
            hint="name a user with CREATEDB and CREATEROLE, or leave the server's URL out",
        )


def scram_verifier(password: str) -> str:
    """Return what the server stores for *password*, so that the password itself is in no log.

    RFC 5803; ASCII passwords only, which need no SASLprep.
    """
    salt, rounds = secrets.token_bytes(16), 4096
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, rounds)
    client = hmac.digest(salted, b"Client Key", "sha256")
    parts = (salt, hashlib.sha256(client).digest(), hmac.digest(salted, b"Server Key", "sha256"))
    encoded = [base64.b64encode(part).decode() for part in parts]
    return f"SCRAM-SHA-256${rounds}:{encoded[0]}${encoded[1]}:{encoded[2]}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _connect(url: URL) -> Connection:
    """Connect to the URL's database, else to one that most servers have."""
    from sqlalchemy import NullPool, create_engine

    databases = [url.database] if url.database else ["postgres", url.username or "template1"]
    for database in databases:
        engine: Engine = create_engine(
            url.set(database=database), poolclass=NullPool, isolation_level="AUTOCOMMIT"
        )
        try:
            return engine.connect()
        except Exception as error:
            missing = failure(error) is Failure.NO_SUCH_DATABASE
            if not missing or database == databases[-1]:
                raise UnreachableError(
                    f"{failure(error)}: {first_line(error)}",
                    where=safe_label(url),
                    hint="check the URL, and that the server runs and lets this machine in",
                ) from error
    raise AssertionError(databases)
