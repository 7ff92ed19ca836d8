"""Inserts many rows by one statement, past SQLAlchemy's compiler, which takes longer than it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Connection, Dialect, Table

_SIGNS = {"qmark": "?", "format": "%s", "pyformat": "%s"}
"""What stands for a value, by the style of the driver; all of these take a sequence of values."""

_MOST = 30_000
"""Values in one statement: SQLite takes 32,766 of them, PostgreSQL 65,535."""


def insert(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert *rows*, which have the same columns; a value may be `null()`.

    Raises what SQLAlchemy raises.
    """
    sign = _SIGNS.get(connection.dialect.paramstyle)
    if sign is None or not rows[0]:
        _insert_usually(connection, table, rows)
        return
    at_once = max(1, _MOST // len(rows[0]))
    for start in range(0, len(rows), at_once):
        _insert_some(connection, table, rows[start : start + at_once], sign)


def _insert_usually(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Insert *rows* as SQLAlchemy does; an expression cannot be one of many values."""
    from sqlalchemy import ClauseElement

    singly = any(isinstance(each, ClauseElement) for row in rows for each in row.values())
    for each in rows if singly else [rows]:
        connection.execute(table.insert().inline(), each)


def _insert_some(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], sign: str
) -> None:
    dialect = connection.dialect
    preparer = dialect.identifier_preparer
    names = ", ".join(preparer.quote(each) for each in rows[0])
    write = {name: _writer(table, name, dialect) for name in rows[0]}
    values: list[Any] = []
    lines = []
    for row in rows:
        signs = (_sign(row[name], writer, values, sign) for name, writer in write.items())
        lines.append(f"({', '.join(signs)})")
    sql = f"INSERT INTO {preparer.format_table(table)} ({names}) VALUES {', '.join(lines)}"
    connection.exec_driver_sql(sql, tuple(values))


def _writer(table: Table, name: str, dialect: Dialect) -> Callable[[Any], Any]:
    """Return what makes of a value what the driver takes."""
    write: Callable[[Any], Any] | None = (
        table.c[name].type.dialect_impl(dialect).bind_processor(dialect)
    )
    return (lambda value: value) if write is None else write


def _sign(value: Any, write: Callable[[Any], Any], values: list[Any], sign: str) -> str:
    """Return what stands for a value, which is added to *values*; NULL is written out."""
    from sqlalchemy.sql.elements import Null

    if isinstance(value, Null):
        return "NULL"
    values.append(write(value))
    return sign
