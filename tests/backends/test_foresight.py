"""What is told of work before it is done: rows, what commits, and never for longer than allowed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from topchef_schema.model import TableName

if TYPE_CHECKING:
    from topchef_schema.backends.base import Backend, Foresight

MANY = 2000


@pytest.fixture
def foresight(backend: Backend) -> Foresight:
    assert backend.foresight is not None
    return backend.foresight


@pytest.fixture
def filled(connection: sa.Connection) -> sa.Table:
    table = sa.Table("Things", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True))
    table.create(connection)
    connection.execute(table.insert(), [{"id": number} for number in range(1, MANY + 1)])
    connection.commit()
    return table


ANALYZE = {"sqlite": "ANALYZE", "postgresql": 'ANALYZE "Things"'}


def test_rows_by_the_statistics(
    backend: Backend, foresight: Foresight, connection: sa.Connection, filled: sa.Table
) -> None:
    connection.exec_driver_sql(ANALYZE.get(backend.name, "ANALYZE TABLE `Things`"))
    connection.commit()
    found = foresight.tables(connection)
    assert {each.name for each in found} == {"Things"}
    assert {each.schema is None for each in found} == {True, False}
    assert 0.8 * MANY <= (found[TableName("Things")] or 0) <= 1.2 * MANY
    assert not connection.in_transaction()


def test_an_empty_database_has_no_tables(foresight: Foresight, connection: sa.Connection) -> None:
    assert foresight.tables(connection) == {}
    assert not connection.in_transaction()


def test_a_question_ends_in_time(
    foresight: Foresight, connection: sa.Connection, filled: sa.Table
) -> None:
    name = connection.dialect.identifier_preparer.quote("Things")
    slow = sa.text(
        f"SELECT count(*) FROM {name} a, {name} b, {name} c WHERE a.id + b.id + c.id < 0"
    )
    quick = sa.select(sa.func.count()).select_from(filled)
    started = time.monotonic()
    with pytest.raises(sa.exc.DBAPIError), foresight.time_limit(connection, 0.5) as limited:
        limited.execute(slow)
    assert time.monotonic() - started < 5
    assert not connection.in_transaction()
    with foresight.time_limit(connection, 60) as limited:
        assert limited.execute(quick).scalar_one() == MANY
    assert connection.execute(quick).scalar_one() == MANY


def test_the_limit_is_taken_back(
    backend: Backend, foresight: Foresight, connection: sa.Connection, filled: sa.Table
) -> None:
    asked = {
        "postgresql": "SHOW statement_timeout",
        "mariadb": "SELECT @@max_statement_time",
        "mysql": "SELECT @@max_execution_time",
        "sqlite": "SELECT 1",
    }[backend.name]
    before = connection.exec_driver_sql(asked).scalar_one()
    connection.rollback()
    with foresight.time_limit(connection, 3) as limited:
        within = limited.exec_driver_sql(asked).scalar_one()
    assert connection.exec_driver_sql(asked).scalar_one() == before
    assert (within == before) is (backend.name == "sqlite")


def test_a_transaction_goes_on_after_an_error(
    foresight: Foresight, connection: sa.Connection, filled: sa.Table
) -> None:
    connection.execute(filled.insert(), {"id": MANY + 1})
    with pytest.raises(sa.exc.DBAPIError), foresight.time_limit(connection, 3) as limited:
        limited.exec_driver_sql("SELECT * FROM no_such_table")
    connection.commit()
    assert connection.execute(sa.select(sa.func.count(filled.c.id))).scalar_one() == MANY + 1
