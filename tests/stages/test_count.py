"""Rows are counted as long as that is quick, else estimated, and what it is, is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from topchef_schema.model import TableName
from topchef_schema.stages.count import Rows
from topchef_schema.stages.entry import connected

if TYPE_CHECKING:
    from topchef_schema.backends.base import Backend, ScratchDatabase

MANY = 20_000
T = TableName("t")


def fill(connection: sa.Connection) -> None:
    connection.exec_driver_sql("CREATE TABLE t (id INTEGER, half INTEGER, none INTEGER)")
    connection.exec_driver_sql("CREATE TABLE empty (id INTEGER)")
    rows = [{"id": each, "half": each if each % 2 else None} for each in range(MANY)]
    connection.execute(sa.text("INSERT INTO t (id, half) VALUES (:id, :half)"), rows)
    connection.commit()


@pytest.mark.backends("sqlite", "postgresql")
def test_what_is_there(scratch: ScratchDatabase, backend: Backend) -> None:
    with connected(scratch.url) as connection:
        fill(connection)
        rows = Rows(connection, backend)
        assert rows.of(T) == f"{MANY} rows"
        assert rows.of(T, "HALF") == f"{MANY // 2} values"
        assert rows.of(T, "none") is None
        assert rows.of(T, "no_such_column") is None
        assert rows.of(TableName("empty")) is None
        assert "cannot be seen" in str(rows.of(TableName("no_such_table")))
        assert rows.anywhere(())
        assert not rows.anywhere({"t"})


@pytest.mark.backends("sqlite")
def test_no_time_to_count(scratch: ScratchDatabase, backend: Backend) -> None:
    """Without any time SQLite still finds the first value, and counts no 10,000 of them."""
    with connected(scratch.url) as connection:
        fill(connection)
        assert Rows(connection, backend, limit=0).of(T, "half") == "values"
        connection.exec_driver_sql("CREATE INDEX ix ON t (id)")
        connection.exec_driver_sql("ANALYZE")
        connection.commit()
        rows = Rows(connection, backend, limit=0)
        assert rows.of(T, "half") == f"at most about {MANY} values (estimate)"
        assert "cannot be seen" in str(rows.of(T, "none")), "there might be one"
