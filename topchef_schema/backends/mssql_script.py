"""How a script for sqlcmd is guarded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from topchef_schema.backends.offline_only import unreachable
from topchef_schema.backends.scripting import Guard, Unbounded, with_semicolon

if TYPE_CHECKING:
    from sqlalchemy import URL

    from topchef_schema.backends.client import Client
    from topchef_schema.backends.timeouts import Limits

# XACT_ABORT takes the transaction back where sqlcmd only stops.
# https://learn.microsoft.com/sql/t-sql/statements/set-xact-abort-transact-sql
_PREAMBLE = """\
:on error exit
SET XACT_ABORT ON;
GO
"""

_REQUIRE = """\
IF (SELECT COUNT(*) FROM {table}) <> {count}
  OR (SELECT COUNT(*) FROM {table} WHERE version_num IN ({heads})) <> {count}
BEGIN
  SELECT version_num AS [the database is at] FROM {table};
  THROW 50000, {said}, 1;
END;
GO"""


class SQLServerScripting:
    """See `topchef_schema.backends.scripting.Scripting`; nothing but the rows is guarded."""

    begin = "BEGIN TRANSACTION;\nGO"
    commit = "COMMIT;\nGO"
    now = "SYSUTCDATETIME()"
    user = "SUSER_SNAME()"
    keeps_text = False
    run_with = "sqlcmd -i THIS_FILE"

    def preamble(self) -> str:
        """Return what makes its client stop at the first error."""
        return _PREAMBLE

    def terminated(self, sql: str) -> str:
        """Return *sql* as a batch of its own."""
        return f"{with_semicolon(sql)}\nGO"

    def text(self, value: str) -> str:
        """Return *value* as a literal."""
        return "N'" + value.replace("'", "''") + "'"

    def lock(self, key: str) -> str:
        """Return nothing: there is no other migrator."""
        return ""

    def unlock(self) -> str:
        """Return nothing."""
        return ""

    def before_guards(self, first: Guard) -> str:
        """Return nothing."""
        return ""

    def require(self, guard: Guard) -> str:
        """Return a batch that throws after it has shown the rows."""
        return _REQUIRE.format(
            table=guard.table,
            count=len(guard.heads),
            heads=", ".join(map(self.text, guard.heads)) or "NULL",
            said=self.text(f"this script goes on from {guard.expected}, and not from there"),
        )

    def require_finished(self, journal: str, unfinished: str, *, there: bool) -> str:
        """Return nothing: there is no journal."""
        return ""

    def bounds(self, limits: Limits) -> Unbounded:
        """Return none."""
        return Unbounded()

    def client(self, url: URL) -> Client:
        """Refuse: nothing is connected to."""
        raise unreachable("Microsoft SQL Server")
