"""How a script for SQL*Plus is guarded."""

from __future__ import annotations

import re

from topchef_schema.backends.offline_only import RowsAlone
from topchef_schema.backends.scripting import BASE, Guard

# SQL*Plus asks for a value where it sees &, and ends a statement at an empty line.
# https://docs.oracle.com/en/database/oracle/oracle-database/23/sqpug/WHENEVER-SQLERROR.html
_PREAMBLE = """\
WHENEVER SQLERROR EXIT FAILURE ROLLBACK
WHENEVER OSERROR EXIT FAILURE ROLLBACK
SET DEFINE OFF
SET SQLBLANKLINES ON
"""

_REQUIRE = """\
DECLARE
  found VARCHAR2(4000);
BEGIN
  SELECT NVL(LISTAGG(version_num, ', ') WITHIN GROUP (ORDER BY version_num), {base})
    INTO found FROM {table};
  IF found <> {expected} THEN
    RAISE_APPLICATION_ERROR(-20000, {said} || found);
  END IF;
END;
/"""

_BLOCK = re.compile(r"\bEND\s*\w*\s*;\s*$", re.IGNORECASE)


class OracleScripting(RowsAlone):
    """See `topchef_schema.backends.scripting.Scripting`; nothing but the rows is guarded."""

    title = "Oracle Database"
    begin = ""
    commit = "COMMIT\n/"
    now = "SYS_EXTRACT_UTC(SYSTIMESTAMP)"
    user = "USER"
    keeps_text = False
    run_with = "sqlplus USER@DATABASE @THIS_FILE"

    def preamble(self) -> str:
        """Return what makes its client stop at the first error."""
        return _PREAMBLE

    def terminated(self, sql: str) -> str:
        """Return *sql* and the slash that runs it: a semicolon before it would do so, too."""
        body = sql.strip()
        return f"{body if _BLOCK.search(body) else body.rstrip(';').rstrip()}\n/"

    def text(self, value: str) -> str:
        """Return *value* as a literal."""
        return "'" + value.replace("'", "''") + "'"

    def require(self, guard: Guard) -> str:
        """Return a block that raises."""
        return _REQUIRE.format(
            table=guard.table,
            base=self.text(BASE),
            expected=self.text(guard.expected),
            said=self.text(guard.wrong),
        )
