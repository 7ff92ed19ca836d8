"""How a script for the clients of MySQL and MariaDB is guarded."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from topchef_schema.backends import mysql_protocol
from topchef_schema.backends.client import Client, program
from topchef_schema.backends.mysql_ddl import ends_transaction
from topchef_schema.backends.mysql_timeouts import LOCK_WAIT, sets
from topchef_schema.backends.scripting import BASE, Guard, Unbounded, listed

if TYPE_CHECKING:
    from sqlalchemy import URL

    from topchef_schema.backends.timeouts import Limits

_REFUSED = "@topchef_refused"
_LOCK = "@topchef_lock"

_HOLDER = """\
SET {lock} = CONCAT('topchef:', LEFT(SHA2(CONCAT(DATABASE(), CHAR(0), {key}), 256), 48));
SET {refused} = IF(GET_LOCK({lock}, 0) = 1, NULL,
  CONCAT('another migrator holds the lock: session ', COALESCE(IS_USED_LOCK({lock}), 'unknown'),
    COALESCE((SELECT CONCAT(' (', user, ' from ', host, ')') FROM information_schema.processlist
      WHERE id = IS_USED_LOCK({lock})), '')));"""
"""The name is that of `mysql_lock.lock_name`."""

_PREAMBLE = """\
SET NAMES utf8mb4;
SET autocommit = 1;
SET {refused} = CASE WHEN DATABASE() IS NULL THEN 'no database is chosen: --database=NAME'
  WHEN {other} THEN CONCAT('this is a script for {title}, and the server is ', VERSION()) END;
SELECT {refused} AS refused FROM DUAL WHERE {refused} IS NOT NULL;
SET @topchef_stops = IF({refused} IS NULL, 0, (SELECT 1 UNION SELECT 2));
"""
"""In words that both servers know."""

_LOOK = """\
SELECT CASE CAST(found AS BINARY) WHEN CAST(@topchef_at AS BINARY) THEN NULL
    WHEN CAST(@topchef_end AS BINARY) THEN @topchef_done
    ELSE CONCAT('this script goes on from ', @topchef_at, ', and the database is at ', found) END
  INTO @topchef_refused FROM (SELECT COALESCE({rows}, {base}) AS found FROM {table}) AS looked"""

_LONG = 1000
"""Characters; ``group_concat_max_len`` is 1,024 by itself."""


@dataclass(frozen=True)
class MySQLScripting:
    """See `topchef_schema.backends.scripting.Scripting`.

    *other* is true on a server of another kind. *stop* raises where `@topchef_refused` is set, and
    *prepared* makes what it executes. *programs* are names of the client, and *recognises* tells
    from what it says of its version that it is this server's.
    *statement_variable* bounds a statement, in seconds, where there is one.
    """

    title: str
    other: str
    run_with: str
    programs: tuple[str, ...]
    recognises: Callable[[str], bool]
    prepared: str
    stop: str
    statement_variable: str | None = None
    begin: str = "START TRANSACTION;"
    commit: str = "COMMIT;"
    now: str = "UTC_TIMESTAMP()"
    user: str = "CURRENT_USER()"
    keeps_text: bool = False
    looks_for_tables: bool = False

    def preamble(self) -> str:
        """Return what refuses another server; the client stops at an error by itself."""
        checked = _PREAMBLE.format(refused=_REFUSED, other=self.other, title=self.title)
        return f"{checked}{self.prepared}\n"

    def terminated(self, sql: str) -> str:
        """Return *sql* with a semicolon, or a delimiter of its own where it holds semicolons."""
        return mysql_protocol.terminated(sql)

    def text(self, value: str) -> str:
        """Return *value* as a literal, for a server on which a backslash escapes."""
        return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"

    def lock(self, key: str) -> str:
        """Return what takes the lock by its name, in the session of the script."""
        words = {"lock": _LOCK, "refused": _REFUSED, "key": self.text(key)}
        return f"{_HOLDER.format(**words)}\n{self.stop}"

    def unlock(self) -> str:
        """Return what lets go of it: the session may go on."""
        return f"DO RELEASE_LOCK({_LOCK});"

    def before_guards(self, first: Guard) -> str:
        """Return the prepared statement that looks where the database is, and what it needs."""
        rows = "GROUP_CONCAT(version_num ORDER BY CAST(version_num AS BINARY) SEPARATOR ', ')"
        look = _LOOK.format(rows=rows, base=self.text(BASE), table=first.table)
        end = listed(first.end or ())
        done = self.text(first.done or "")
        lines = [
            f"SET @topchef_end = {self.text(end)}, @topchef_done = {done};",
            f"PREPARE topchef_look FROM\n  {self.text(look)};",
        ]
        longest = max(len(first.expected), len(end)) * 8
        if longest > _LONG:
            lines.insert(0, f"SET SESSION group_concat_max_len = {longest};")
        return "\n".join(lines)

    def require(self, guard: Guard) -> str:
        """Return what looks, says what it found, and stops."""
        return f"SET @topchef_at = {self.text(guard.expected)}; EXECUTE topchef_look; {self.stop}"

    def require_finished(self, journal: str, unfinished: str) -> str:
        """Return what looks, says what it found, and stops."""
        said = "' was begun and is not finished: see topchef-db repair'"
        return f"SET {_REFUSED} = CONCAT('revision ', ({unfinished}),\n  {said});\n{self.stop}"

    def bounds(self, limits: Limits) -> MySQLBounds:
        """Return what sets them in the session."""
        return MySQLBounds(limits, self.statement_variable)

    def client(self, url: URL) -> Client:
        """Return how to call the client of this very server: one may not log in to the other."""
        path = program(self.title, self.programs, recognises=self.recognises)
        socket = url.query.get("unix_socket")
        place = [f"--socket={socket}"] if socket else [f"--host={url.host or 'localhost'}"]
        if url.port:
            place.append(f"--port={url.port}")
        user = [f"--user={url.username}", f"--database={url.database}"]
        options = ["--no-defaults", "--comments", "--batch", *place, *user]
        return Client([str(path), *options], {"MYSQL_PWD": str(url.password or "")})


@dataclass
class MySQLBounds(Unbounded):
    """See `topchef_schema.backends.scripting.Bounds`; what a revision sets in the session lasts."""

    limits: Limits
    statement_variable: str | None
    _waits: bool = False
    _theirs: set[str] = field(default_factory=set)

    def opening(self) -> str:
        """Return what keeps the settings that were there, and bounds statements."""
        lines = []
        if self.limits.ddl_lock is not None:
            lines.append(f"SET {_kept(LOCK_WAIT)} = @@SESSION.{LOCK_WAIT};")
        if self.limits.statement is not None:
            name = self.statement_variable
            if name is None:
                lines.append("-- MySQL lets no script bound how long a statement takes")
            else:
                lines.append(f"SET {_kept(name)} = @@SESSION.{name};")
                lines.append(f"SET SESSION {name} = {self.limits.statement:g};")
        return "\n".join(lines)

    def before(self, sql: str, *, outside: bool) -> str:
        """Bound what a statement of DDL waits for; the wait for a row is left alone."""
        if sets(sql, LOCK_WAIT):
            self._theirs.add(LOCK_WAIT)
        wanted = ends_transaction(sql)
        seconds = self.limits.ddl_lock
        if seconds is None or LOCK_WAIT in self._theirs or wanted is self._waits:
            return ""
        self._waits = wanted
        value = str(max(1, math.ceil(seconds))) if wanted else _kept(LOCK_WAIT)
        return f"SET SESSION {LOCK_WAIT} = {value};"

    def closing(self) -> str:
        """Return what sets again what was there."""
        lines = []
        if self._waits and LOCK_WAIT not in self._theirs:
            lines.append(_restored(LOCK_WAIT))
        if self.limits.statement is not None and self.statement_variable is not None:
            lines.append(_restored(self.statement_variable))
        return "\n".join(lines)


def _kept(name: str) -> str:
    return f"@topchef_{name}"


def _restored(name: str) -> str:
    return f"SET SESSION {name} = {_kept(name)};"
