"""How a script for sqlcmd is guarded."""

from __future__ import annotations

from topchef_schema.backends.offline_only import RowsAlone
from topchef_schema.backends.scripting import Guard, with_semicolon

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


class SQLServerScripting(RowsAlone):
    """See `topchef_schema.backends.scripting.Scripting`; nothing but the rows is guarded."""

    title = "Microsoft SQL Server"
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

    def require(self, guard: Guard) -> str:
        """Return a batch that throws after it has shown the rows."""
        return _REQUIRE.format(
            table=guard.table,
            count=len(guard.heads),
            heads=", ".join(map(self.text, guard.heads)) or "NULL",
            said=self.text(f"this script goes on from {guard.expected}, and not from there"),
        )
