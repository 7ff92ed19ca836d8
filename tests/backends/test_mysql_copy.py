"""Copies of databases on MySQL and MariaDB, which are made statement by statement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.backends.mysql_schema import SCHEMA, execute, keys

if TYPE_CHECKING:
    from tests.backends.conftest import Connect
    from topchef_schema.backends.base import Backend, Server

pytestmark = pytest.mark.backends("mysql", "mariadb")

ROWS = (
    "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'",
    "INSERT INTO sets VALUES (0, 'zero'), (7, 'a;b ä \\\\ ''x''')",
    "INSERT INTO jobs (job_id, name, kind, at, doc, set_id) "
    "VALUES (0, 'x', 'a,b)c', '2020-01-02 03:04:05.678', '{\"a\": \"%s\"}', 0)",
    "INSERT INTO measured VALUES ('2019-05-06', 1), ('2025-05-06', 2)",
    "CREATE VIEW all_of_them AS SELECT * FROM view_below",
)


def test_all_but_events_is_copied(backend: Backend, named_server: Server, connect: Connect) -> None:
    template = named_server.create()
    with connect(template.url) as connection:
        execute(connection, *SCHEMA, "CREATE VIEW view_below AS SELECT set_id FROM jobs", *ROWS)
        before = backend.snapshot(connection)
        rows = [connection.exec_driver_sql(f"SELECT * FROM {table}").all() for table in TABLES]
    copied = named_server.copy(template)
    with connect(copied.url) as connection:
        assert keys(before, backend.snapshot(connection)) == {"event nightly"}
        found = [connection.exec_driver_sql(f"SELECT * FROM {table}").all() for table in TABLES]
    assert found == rows
    named_server.drop(copied)


TABLES = ("sets", "jobs", "measured", "all_of_them", "counted")
