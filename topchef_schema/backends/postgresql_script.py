"""How a script for psql is guarded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from topchef_schema.backends.client import Client, program
from topchef_schema.backends.postgresql_lock import HOLDER, NAMESPACE
from topchef_schema.backends.postgresql_timeouts import sets, waits_for_others
from topchef_schema.backends.scripting import BASE, Guard, Unbounded, with_semicolon

if TYPE_CHECKING:
    from sqlalchemy import URL

    from topchef_schema.backends.timeouts import Limits

_PREAMBLE = """\
\\set ON_ERROR_STOP on
\\set AUTOCOMMIT on
SET client_encoding = 'UTF8';
"""

_LOCK = """\
DECLARE
  key bytea := convert_to({namespace}, 'UTF8') || '\\x00' || convert_to(current_database(), 'UTF8')
    || '\\x00' || convert_to({key}, 'UTF8');
  number bigint := ('x' || left(encode(sha256(key), 'hex'), 16))::bit(64)::bigint;
  holder text;
BEGIN
  IF NOT pg_try_advisory_lock(number) THEN
    holder := ({holder});
    RAISE EXCEPTION 'another migrator holds the lock: %',
      coalesce(holder, 'a session that has just ended');
  END IF;
  PERFORM set_config('topchef.lock', number::text, false);
END"""

_UNLOCK = """\
BEGIN
  PERFORM pg_advisory_unlock(current_setting('topchef.lock')::bigint);
END"""

_REQUIRE = """\
DECLARE found text; BEGIN
  SELECT coalesce(string_agg(version_num, ', ' ORDER BY version_num COLLATE "C"), {base})
    INTO found FROM {table};
  IF found <> {expected} THEN
    RAISE EXCEPTION '%', {said};
  END IF;
END"""

_UNFINISHED = """\
DECLARE found text; BEGIN
  IF to_regclass({journal}) IS NOT NULL THEN
    EXECUTE {question} INTO found;
  END IF;
  IF found IS NOT NULL THEN
    RAISE EXCEPTION 'revision % was begun and is not finished: see topchef-db repair', found;
  END IF;
END"""


class PostgreSQLScripting:
    """See `topchef_schema.backends.scripting.Scripting`."""

    begin = "BEGIN;"
    commit = "COMMIT;"
    now = "timezone('UTC', clock_timestamp())"
    user = "current_user"
    keeps_text = False
    looks_for_tables = True
    run_with = "psql --file=THIS_FILE"

    def preamble(self) -> str:
        """Return psql's command to stop at the first error, and how the file is to be read."""
        return _PREAMBLE

    def terminated(self, sql: str) -> str:
        """Return *sql* with a semicolon."""
        return with_semicolon(sql)

    def text(self, value: str) -> str:
        """Return *value* as a literal, whatever ``standard_conforming_strings`` is."""
        quoted = "'" + value.replace("'", "''") + "'"
        return quoted if "\\" not in value else "E" + quoted.replace("\\", "\\\\")

    def lock(self, key: str) -> str:
        """Return what takes an advisory lock in this very session, in no transaction."""
        low = "(number & 4294967295)::oid"
        holder = HOLDER.format(high="(number >> 32 & 4294967295)::oid", low=low).strip()
        body = _LOCK.format(namespace=self.text(NAMESPACE), key=self.text(key), holder=holder)
        return f"SET application_name = 'topchef-db script';\n{_do(body)}"

    def unlock(self) -> str:
        """Return what lets go of it: the session may go on."""
        return f"{_do(_UNLOCK)}\nRESET application_name;"

    def before_guards(self, first: Guard) -> str:
        """Return nothing."""
        return ""

    def require(self, guard: Guard) -> str:
        """Return a block that raises."""
        said = f"{self.text(guard.wrong)} || found"
        if guard.done is not None and guard.end is not None:
            there = f"found = {self.text(Guard(guard.table, guard.end).expected)}"
            said = f"CASE WHEN {there} THEN {self.text(guard.done)}\n      ELSE {said} END"
        return _do(
            _REQUIRE.format(
                table=guard.table,
                base=self.text(BASE),
                expected=self.text(guard.expected),
                said=said,
            )
        )

    def require_finished(self, journal: str, unfinished: str) -> str:
        """Return a block that raises; it asks for a table that may not be there."""
        words = {"journal": self.text(journal), "question": self.text(unfinished)}
        return _do(_UNFINISHED.format(**words))

    def bounds(self, limits: Limits) -> PostgreSQLBounds:
        """Return what sets them for the length of a transaction."""
        return PostgreSQLBounds(limits)

    def client(self, url: URL) -> Client:
        """Return how to call ``psql``."""
        places = ("/usr/lib/postgresql/*/bin", "/opt/homebrew/opt/libpq/bin")
        command = [program("PostgreSQL", ["psql"], places), "--no-psqlrc", "--quiet", "--file=-"]
        return Client(list(map(str, command)), libpq(url))


@dataclass
class PostgreSQLBounds(Unbounded):
    """See `topchef_schema.backends.scripting.Bounds`; they end with each transaction."""

    limits: Limits
    _locks: bool = False
    _statements: bool = False
    _theirs: frozenset[str] = frozenset()
    _session: bool = False

    def begun(self) -> str:
        """Take note that nothing is in force."""
        self._locks = self._statements = False
        return ""

    def before(self, sql: str, *, outside: bool) -> str:
        """Bound what a statement of DDL waits for, and how long each takes."""
        self._theirs |= {name for name in ("lock_timeout", "statement_timeout") if sets(sql, name)}
        lines = []
        if not outside:
            lines.append(self._lock(wanted=waits_for_others(sql)))
        if self.limits.statement is not None and "statement_timeout" not in self._theirs:
            if outside:
                self._session = True
                lines.append(f"SET statement_timeout = {_ms(self.limits.statement)};")
            elif not self._statements:
                self._statements = True
                lines.append(f"SET LOCAL statement_timeout = {_ms(self.limits.statement)};")
        return "\n".join(filter(None, lines))

    def _lock(self, *, wanted: bool) -> str:
        seconds = self.limits.ddl_lock
        if seconds is None or "lock_timeout" in self._theirs or wanted is self._locks:
            return ""
        self._locks = wanted
        return f"SET LOCAL lock_timeout {f'= {_ms(seconds)}' if wanted else 'TO DEFAULT'};"

    def after(self) -> str:
        """Return what takes back what was set in the session."""
        if not self._session:
            return ""
        self._session = False
        return "RESET statement_timeout;"

    def next_revision(self) -> None:
        """Take note that what the revision before has set for itself counts no more."""
        self._theirs = frozenset()


def libpq(url: URL) -> dict[str, str]:
    """Return the environment in which libpq finds the database at *url*."""
    query = {name: str(value) for name, value in url.query.items()}
    found = {
        "PGHOST": url.host or query.get("host"),
        "PGPORT": str(url.port) if url.port else query.get("port"),
        "PGUSER": url.username or query.get("user"),
        "PGPASSWORD": None if url.password is None else str(url.password),
        "PGDATABASE": url.database,
        "PGSSLMODE": query.get("sslmode"),
    }
    return {name: value for name, value in found.items() if value is not None}


def _ms(seconds: float) -> str:
    return f"'{max(1, round(seconds * 1000))}ms'"


def _do(body: str) -> str:
    tag = "$guard$"
    while tag in body:
        tag = tag[:-1] + "_$"
    return f"DO {tag} {body} {tag};"
