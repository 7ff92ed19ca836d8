"""What only MariaDB has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.backends.mysql_schema import execute, keys, rebuilt
from tests.scripts import by_hand
from topchef_schema.backends.mariadb import BACKEND, MAKERS

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tests.backends.conftest import Connect
    from topchef_schema.backends.base import Backend, ScratchDatabase, Server

pytestmark = pytest.mark.backends("mariadb")

SCHEMA = (
    "CREATE SEQUENCE numbers START WITH 5 INCREMENT BY 2",
    "CREATE TABLE t (id INT PRIMARY KEY DEFAULT NEXTVAL(numbers), name VARCHAR(40), "
    "key_of UUID, doc JSON, secret INT INVISIBLE, KEY ix_name (name))",
    "CREATE TABLE versioned (id INT, x INT) WITH SYSTEM VERSIONING",
    "CREATE TABLE bookings (room INT, starts DATE, ends DATE, PERIOD FOR stay (starts, ends), "
    "UNIQUE KEY uq_room (room, stay WITHOUT OVERLAPS))",
)

CHANGES = {
    "a sequence's step": ("ALTER SEQUENCE numbers INCREMENT BY 3", {"sequence numbers"}),
    "a sequence's limits": ("ALTER SEQUENCE numbers MAXVALUE 99", {"sequence numbers"}),
    "system versioning": (
        "ALTER TABLE versioned DROP SYSTEM VERSIONING",
        {"table versioned"},
    ),
    "a column without versions": (
        "SET system_versioning_alter_history = KEEP; "
        "ALTER TABLE versioned MODIFY x INT WITHOUT SYSTEM VERSIONING",
        {"column versioned.x"},
    ),
    "a period": (
        "ALTER TABLE bookings DROP KEY uq_room; ALTER TABLE bookings DROP PERIOD FOR stay",
        {"index bookings.uq_room", "period bookings.stay"},
    ),
    "overlaps": (
        "ALTER TABLE bookings DROP KEY uq_room, ADD UNIQUE KEY uq_room (room)",
        {"index bookings.uq_room"},
    ),
    "an ignored index": ("ALTER TABLE t ALTER INDEX ix_name IGNORED", {"index t.ix_name"}),
    "a compressed column": (
        "ALTER TABLE t MODIFY name VARCHAR(40) COMPRESSED, DROP KEY ix_name",
        {"column t.name", "index t.ix_name"},
    ),
    "JSON without its check": ("ALTER TABLE t MODIFY doc LONGTEXT", {"column t.doc"}),
    "a UUID": ("ALTER TABLE t MODIFY key_of CHAR(32)", {"column t.key_of"}),
    "an invisible column": ("ALTER TABLE t MODIFY secret INT", {"column t.secret"}),
    "an engine": ("ALTER TABLE t ENGINE=Aria", {"table t"}),
    "the database's comment": ("ALTER DATABASE COMMENT 'kitchen'", {"database"}),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_seen_as_what_it_is(
    what: str, backend: Backend, connection: Connection
) -> None:
    execute(connection, *SCHEMA)
    before = backend.snapshot(connection)
    statements, expected = CHANGES[what]
    execute(connection, *statements.split("; "))
    assert keys(before, backend.snapshot(connection)) == expected


def test_a_snapshot_says_enough_of_tables_to_make_them_again(
    backend: Backend, connection: Connection, named_server: Server, connect: Connect
) -> None:
    execute(connection, *SCHEMA)
    before = backend.snapshot(connection)
    with connect(named_server.create().url) as other:
        execute(other, SCHEMA[0], *rebuilt(before))
        assert keys(before, backend.snapshot(other)) == set()


def test_the_position_of_a_sequence_is_no_part_of_the_schema(
    backend: Backend, connection: Connection
) -> None:
    execute(connection, *SCHEMA)
    before = backend.snapshot(connection)
    execute(connection, "DO NEXTVAL(numbers)", "DO SETVAL(numbers, 501)")
    assert keys(before, backend.snapshot(connection)) == set()


def test_a_sequence_as_default_is_named_without_the_database(
    backend: Backend, named_server: Server, connect: Connect
) -> None:
    snapshots = []
    for database in (named_server.create(), named_server.create()):
        with connect(database.url) as connection:
            execute(connection, *SCHEMA)
            snapshots.append(backend.snapshot(connection))
    assert "nextval(`numbers`)" in snapshots[0].objects["column t.id"]
    assert snapshots[0] == snapshots[1]


def test_a_package_is_seen(backend: Backend, connection: Connection) -> None:
    execute(
        connection,
        "SET sql_mode = 'ORACLE'",
        "CREATE PACKAGE tools AS FUNCTION one() RETURN INT; END",
        "CREATE PACKAGE BODY tools AS FUNCTION one() RETURN INT AS BEGIN RETURN 1; END; END",
    )
    before = backend.snapshot(connection)
    assert {"package tools", "package-body tools"} <= before.objects.keys()
    execute(
        connection,
        "CREATE OR REPLACE PACKAGE BODY tools AS FUNCTION one() RETURN INT AS BEGIN RETURN 2; "
        "END; END",
    )
    assert keys(before, backend.snapshot(connection)) == {"package-body tools"}


def test_a_grant_to_a_role_is_seen(backend: Backend, as_superuser: Connection) -> None:
    execute(as_superuser, *SCHEMA)
    before = backend.snapshot(as_superuser)
    execute(as_superuser, "CREATE ROLE topchef_test_role", "GRANT SELECT ON t TO topchef_test_role")
    try:
        assert keys(before, backend.snapshot(as_superuser)) == {
            "grant table t to 'topchef_test_role'@''"
        }
    finally:
        execute(as_superuser, "DROP ROLE topchef_test_role")


@pytest.mark.parametrize(
    ("said", "is_theirs"),
    [
        ("mysqld  Ver 10.11.11-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64", True),
        ("mysqld  Ver 8.0.43-0ubuntu0.24.04.1 for Linux on x86_64 ((Ubuntu))", False),
        ("", False),
    ],
)
def test_a_program_is_believed_what_it_says(said: str, *, is_theirs: bool) -> None:
    assert MAKERS.recognises(said) is is_theirs


@pytest.mark.fact(23)
def test_the_script_stops_at_an_error(scratch: ScratchDatabase, connection: Connection) -> None:
    wrong = "CREATE TABLE t (a INT);\nSELEC 1;\nCREATE TABLE u (a INT);\n"
    done = by_hand(BACKEND.scripting.preamble() + wrong, scratch)
    assert done.returncode
    assert connection.exec_driver_sql("SHOW TABLES").scalars().all() == ["t"], done.stderr
