"""The version rows of a MySQL or MariaDB database, read with PyMySQL."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Any

from topchef_schema.backends.direct import (
    HISTORY_TABLE,
    JOURNAL_TABLE,
    SECONDS_TO_CONNECT,
    Address,
    Rows,
    arguments,
    rows,
)

OPTIONS = ("charset", "ssl_disabled", "unix_socket")
PRESENT = f"""
SELECT table_name FROM information_schema.tables
WHERE table_schema = database() AND table_name IN ('{JOURNAL_TABLE}', '{HISTORY_TABLE}')
"""


def read(address: Address, version_table: str) -> Rows:
    """Ask the server at *address*."""
    import pymysql

    given: dict[str, Any] = arguments(address, OPTIONS, database="database")
    with closing(pymysql.connect(connect_timeout=SECONDS_TO_CONNECT, **given)) as connection:

        def query(sql: str) -> Sequence[Sequence[Any]]:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall())

        there = {str(name) for (name,) in query(PRESENT)}
        return rows(query, there, f"`{version_table}`")


DIRECT = read
