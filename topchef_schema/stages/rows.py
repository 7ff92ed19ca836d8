"""Rows in scratch tables: made to fit whatever schema is there, and read back to be compared."""

from __future__ import annotations

import datetime
import decimal
import uuid
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Column, Connection, ForeignKeyConstraint, MetaData, Select, Table

ROWS = 3
"""Rows made for each empty table: filled, NULL where it may be, filled again."""

Contents = Mapping[str, Mapping[str, Counter[str]]]
"""Table to column to how often each value (as text) stands in it."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Rows of a table, or values of one *column*, that are not there any more.

    *before* and *after* count the rows, or those of the values that are missing; *example* is one
    of the values.
    """

    table: str
    column: str | None
    before: int
    after: int
    example: str


def seed(connection: Connection, exclude: Collection[str]) -> int:
    """Fill every empty table with rows; return how many were made. Commits.

    A table whose rows the server refuses (a CHECK that cannot be guessed) stays empty.
    """
    from sqlalchemy.exc import SQLAlchemyError

    empty = {name for name in _names(connection, exclude) if _is_empty(connection, name)}
    made: dict[str, list[dict[str, Any]]] = {}
    for table in _parents_first(_reflected(connection, empty)) if empty else ():
        values = [_row(table, number, made) for number in range(ROWS)]
        try:
            with connection.begin_nested():
                # One by one: psycopg complains aloud of rows that are refused in a batch.
                for row in values:
                    connection.execute(table.insert().inline(), row)
        except (SQLAlchemyError, ValueError, TypeError):
            continue
        made[table.name] = values
    connection.commit()
    return sum(len(each) for each in made.values())


def contents(connection: Connection, exclude: Collection[str]) -> Contents:
    """Return what stands in every table."""
    found: dict[str, dict[str, Counter[str]]] = {}
    for table in _names(connection, exclude):
        rows = connection.exec_driver_sql(_select_all(connection, table)).mappings()
        columns: dict[str, Counter[str]] = {name: Counter() for name in list(rows.keys())}
        for row in rows:
            for name, value in row.items():
                columns[name][repr(value)] += 1
        found[table] = columns
    return found


def lost(before: Contents, after: Contents, known: Contents) -> list[Loss]:
    """Return what stands in *before* and not in *after*, in the tables and columns of *known*."""
    losses = []
    for table, columns in sorted(known.items()):
        old, new = before.get(table, {}), after.get(table, {})
        missing = {name: old[name] - new.get(name, Counter()) for name in columns if name in old}
        missing = {name: values for name, values in missing.items() if values}
        rows = _rows(old), _rows(new)
        if missing and rows[0] > rows[1]:
            name, values = next(iter(missing.items()))
            losses.append(Loss(table, None, *rows, example=f"{name} = {next(iter(values))}"))
            continue
        for name, values in missing.items():
            losses.append(Loss(table, name, values.total(), 0, example=next(iter(values))))
    return losses


def _rows(columns: Mapping[str, Counter[str]]) -> int:
    return max((values.total() for values in columns.values()), default=0)


def _names(connection: Connection, exclude: Collection[str]) -> list[str]:
    import sqlalchemy as sa

    return [name for name in sa.inspect(connection).get_table_names() if name not in exclude]


def _is_empty(connection: Connection, name: str) -> bool:
    import sqlalchemy as sa

    one: Select[Any] = sa.select(sa.literal_column("1")).select_from(sa.table(name)).limit(1)
    return connection.execute(one).first() is None


def _select_all(connection: Connection, name: str) -> str:
    # As the driver gives it: a reflected type may read a value otherwise than it was written.
    return f"SELECT * FROM {connection.dialect.identifier_preparer.quote(name)}"


def _reflected(connection: Connection, names: Collection[str]) -> MetaData:
    """Return the tables of these *names*: reading one takes several queries on most databases."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    with warnings.catch_warnings():
        # Types and indexes that SQLAlchemy does not know are none of our business here.
        warnings.simplefilter("ignore", sa.exc.SAWarning)
        metadata.reflect(connection, only=lambda name, _: name in names, resolve_fks=False)
    return metadata


def _parents_first(metadata: MetaData) -> list[Table]:
    """Return the tables in the order of their foreign keys, as far as these lead to one of them.

    Foreign keys in a circle have no order; their tables then stay empty.
    """
    import sqlalchemy as sa

    def leads_elsewhere(key: ForeignKeyConstraint) -> bool | None:
        target = key.elements[0].target_fullname.rpartition(".")[0]
        return None if target in metadata.tables else True

    tables = sorted(metadata.tables.values(), key=lambda table: table.key)
    in_order = sa.schema.sort_tables_and_constraints(  # type: ignore[no-untyped-call]
        tables, filter_fn=leads_elsewhere
    )
    return [table for table, _ in in_order if table is not None]


def _row(table: Table, number: int, made: Mapping[str, list[dict[str, Any]]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for column in table.columns:
        if column.computed is not None or column.identity is not None:
            continue
        if column.foreign_keys:
            values[column.name] = _referenced(column, number, made)
        elif number == 1 and column.nullable and not column.primary_key:
            values[column.name] = None
        else:
            values[column.name] = _value(column, number)
    return values


def _referenced(column: Column[Any], number: int, made: Mapping[str, list[dict[str, Any]]]) -> Any:
    target, _, name = next(iter(column.foreign_keys)).target_fullname.rpartition(".")
    parents = made.get(target)
    return parents[number % len(parents)].get(name) if parents else None


def _value(column: Column[Any], number: int) -> Any:
    import sqlalchemy as sa

    type_ = column.type
    if isinstance(type_, sa.Enum) and type_.enums:
        return type_.enums[number % len(type_.enums)]
    for kind, make in _makers().items():
        if isinstance(type_, kind):
            return make(type_, number)
    return None


def _text(type_: Any, number: int) -> str:
    length = type_.length
    if length is None or length > 255:
        # Valid JSON too: a long text may have a CHECK that it is.
        return f'{{"text": "caf\\u00e9 {number}"}}'
    if length in (32, 36):
        value = uuid.UUID(int=0x12345678123442348234567812345678 + number)
        return value.hex if length == 32 else str(value)
    return f"é{number}"[:length] if length > 1 else str(number)


def _makers() -> Mapping[type[Any], Callable[[Any, int], Any]]:
    import sqlalchemy as sa

    start = datetime.datetime(2024, 2, 29, 12, 30, 45)
    day = datetime.timedelta(days=1)
    return {
        sa.Boolean: lambda _, number: number % 2 == 0,
        sa.Integer: lambda _, number: number + 1,
        sa.Float: lambda _, number: number + 0.5,
        sa.Numeric: lambda _, number: decimal.Decimal(number),
        sa.JSON: lambda _, number: {"text": f"café {number}", "list": [number, None]},
        sa.Uuid: lambda type_, number: (
            uuid.UUID(int=0x12345678123442348234567812345678 + number)
            if type_.as_uuid
            else uuid.UUID(int=0x12345678123442348234567812345678 + number).hex
        ),
        sa.String: _text,
        sa.DateTime: lambda _, number: start + number * day,
        sa.Date: lambda _, number: (start + number * day).date(),
        sa.Time: lambda _, number: datetime.time(number, 30),
        sa.Interval: lambda _, number: datetime.timedelta(hours=number),
        sa.LargeBinary: lambda _, number: bytes([0, 255, number]),
    }
