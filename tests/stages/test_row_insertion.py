"""Many rows go in by as few statements as each database takes, with what they hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from topchef_schema.backends import named
from topchef_schema.stages.row_insertion import insert

if TYPE_CHECKING:
    from topchef_schema.backends.base import ScratchDatabase


@pytest.fixture
def connection(scratch: ScratchDatabase, backend_name: str) -> Iterator[sa.Connection]:
    """Connect to an empty scratch database."""
    url = named(backend_name).with_driver(scratch.url)
    with sa.create_engine(url, poolclass=sa.NullPool).connect() as opened:
        yield opened


def test_many_rows_are_few_statements(connection: sa.Connection) -> None:
    """More values than one statement can have."""
    table = sa.Table("many", sa.MetaData(), *(sa.Column(f"c{n}", sa.Integer()) for n in range(20)))
    table.create(connection)
    sent: list[str] = []
    sa.event.listen(connection, "before_cursor_execute", lambda *heard: sent.append(heard[2]))
    insert(connection, table, [{f"c{n}": row for n in range(20)} for row in range(3500)])
    assert len(sent) == 3
    assert connection.scalar(sa.select(sa.func.sum(table.c.c19))) == sum(range(3500))


ROWS: list[dict[str, Any]] = [
    {"a %": 1, "b:c": {"k": [None, "ä%s"]}},
    {"b:c": sa.null(), "a %": 2},
    {"a %": None, "b:c": "?"},
]


def odd_table(connection: sa.Connection) -> sa.Table:
    columns = sa.Column("a %", sa.Integer()), sa.Column("b:c", sa.JSON())
    table = sa.Table('odd "%s" :name', sa.MetaData(), *columns)
    table.create(connection)
    return table


def read(connection: sa.Connection, table: sa.Table) -> list[tuple[Any, ...]]:
    absent = table.c["b:c"].is_(None)
    rows = connection.execute(sa.select(*table.c, absent).order_by(table.c["a %"]))
    return sorted((tuple(row) for row in rows), key=str)


def test_values_and_names_are_as_they_are(connection: sa.Connection) -> None:
    table = odd_table(connection)
    insert(connection, table, ROWS)
    assert read(connection, table) == [
        (1, {"k": [None, "ä%s"]}, 0),
        (2, None, 1),
        (None, "?", 0),
    ]


def test_a_driver_with_signs_of_its_own_gets_the_same(
    connection: sa.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = odd_table(connection)
    insert(connection, table, ROWS)
    usual = read(connection, table)
    connection.execute(table.delete())
    monkeypatch.setattr("topchef_schema.stages.row_insertion._SIGNS", {})
    insert(connection, table, ROWS)
    assert read(connection, table) == usual
