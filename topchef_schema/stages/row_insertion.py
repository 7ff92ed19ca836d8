"""Inserts many rows by one statement, past SQLAlchemy's compiler, which takes longer than it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Connection, Dialect, Table

_SIGNS = {"qmark": "?", "format": "%s", "pyformat": "%s"}
"""What stands for a value, by the style of the driver; all of these take a sequence of values."""


def insert(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert *rows*, which have the same columns; one may be `null()`.

    Raises what SQLAlchemy raises.
    """
    sign = _SIGNS.get(connection.dialect.paramstyle)
    if sign is None or not rows[0]:
        for each in rows:
            connection.execute(table.insert().inline(), each)
        return
    dialect = connection.dialect
    preparer = dialect.identifier_preparer
    names = ", ".join(preparer.quote(each) for each in rows[0])
    write = {name: _writer(table, name, dialect) for name in rows[0]}
    values: list[Any] = []
    lines = []
    for row in rows:
        signs = (_sign(value, write[name], values, sign) for name, value in row.items())
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
