"""The version rows of a SQLite file, read with Python's own driver."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from topchef_schema.backends.direct import Address, Rows, rows
from topchef_schema.errors import UnreachableError

JOURNAL_MODES = slice(18, 20)
ROLLBACK = b"\x01\x01"
"""https://www.sqlite.org/fileformat.html#file_format_version_numbers"""


def read(address: Address, version_table: str) -> Rows:
    """Read the file at *address*; the caller has no connection to it in this process."""
    import sqlite3

    _require_rollback_journal(Path(address.database))
    path = Path(address.database).absolute()
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:

        def query(sql: str) -> Sequence[Sequence[Any]]:
            return connection.execute(sql).fetchall()

        there = {str(name).lower() for (name,) in query("SELECT name FROM sqlite_master")}
        return rows(query, there, f'"{version_table}"')


def _require_rollback_journal(path: Path) -> None:
    """Raise where even a reader leaves files behind, as it does beside a write-ahead log."""
    with path.open("rb") as file:
        head = file.read(JOURNAL_MODES.stop)
    if head[JOURNAL_MODES] != ROLLBACK:
        raise UnreachableError(
            "this is no SQLite database with a rollback journal", where=str(path), hint="--no-fast"
        )


DIRECT = read
