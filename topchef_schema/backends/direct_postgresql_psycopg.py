"""The version rows of a PostgreSQL database, read with psycopg."""

from __future__ import annotations

from collections.abc import Sequence
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

OPTIONS = ("application_name", "host", "sslmode", "sslrootcert")
OURS = (JOURNAL_TABLE, HISTORY_TABLE)


def read(address: Address, version_table: str) -> Rows:
    """Ask the server at *address*, each question in a transaction of its own."""
    import psycopg

    given: dict[str, Any] = arguments(address, OPTIONS, database="dbname")
    connection = psycopg.connect(
        "",
        autocommit=True,
        connect_timeout=SECONDS_TO_CONNECT,
        **given,
    )

    def query(sql: str) -> Sequence[Sequence[Any]]:
        return connection.execute(sql.encode()).fetchall()

    with connection:
        seen = ", ".join(f"to_regclass('{each}') IS NOT NULL" for each in OURS)
        (found,) = query(f"SELECT {seen}")
        there = [name for name, exists in zip(OURS, found, strict=True) if exists]
        return rows(query, there, f'"{version_table}"')


DIRECT = read
