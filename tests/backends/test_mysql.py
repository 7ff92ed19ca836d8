"""What only MySQL has."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import DBAPIError

from tests.backends.mysql_schema import execute, keys, rebuilt
from tests.scripts import by_hand
from topchef_schema.backends.mysql import BACKEND, MAKERS

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tests.backends.conftest import Connect
    from topchef_schema.backends.base import Backend, ScratchDatabase, Server

pytestmark = pytest.mark.backends("mysql")

TABLE = (
    "CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(40), words TEXT, place POINT NOT NULL, "
    "doc JSON, hidden INT INVISIBLE, KEY ix_name (name), KEY ix_lower ((LOWER(name))), "
    "FULLTEXT KEY ft (words), CONSTRAINT ck CHECK (id > 0))"
)

CHANGES = {
    "an invisible index": ("ALTER TABLE t ALTER INDEX ix_name INVISIBLE", "index t.ix_name"),
    "an invisible column": ("ALTER TABLE t ALTER COLUMN hidden SET VISIBLE", "column t.hidden"),
    "an index's expression": (
        "ALTER TABLE t DROP KEY ix_lower, ADD KEY ix_lower ((UPPER(name)))",
        "index t.ix_lower",
    ),
    "a parser of words": (
        # In one ALTER the server takes it for the same index and does nothing.
        "ALTER TABLE t DROP KEY ft; ALTER TABLE t ADD FULLTEXT KEY ft (words) WITH PARSER ngram",
        "index t.ft",
    ),
    "a CHECK that is not enforced": (
        "ALTER TABLE t ALTER CHECK ck NOT ENFORCED",
        "constraint t.ck",
    ),
    "a spatial reference": (
        "ALTER TABLE t MODIFY place POINT NOT NULL SRID 4326",
        "column t.place",
    ),
    "an expression as default": (
        "ALTER TABLE t MODIFY doc JSON DEFAULT (JSON_OBJECT('%', '`'))",
        "column t.doc",
    ),
    "a collation": (
        "ALTER TABLE t MODIFY name VARCHAR(40) COLLATE utf8mb4_general_ci",
        "column t.name",
    ),
    "compression": ("ALTER TABLE t COMPRESSION='zlib'", "table t"),
    "the statistics' option": ("ALTER TABLE t STATS_PERSISTENT=0", "table t"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_seen_as_what_it_is(
    what: str, backend: Backend, connection: Connection
) -> None:
    execute(connection, TABLE)
    before = backend.snapshot(connection)
    statements, key = CHANGES[what]
    execute(connection, *statements.split("; "))
    assert keys(before, backend.snapshot(connection)) == {key}


def test_a_snapshot_says_enough_of_tables_to_make_them_again(
    backend: Backend, connection: Connection, named_server: Server, connect: Connect
) -> None:
    execute(connection, TABLE)
    for statements, _ in CHANGES.values():
        execute(connection, *statements.split("; "))
    before = backend.snapshot(connection)
    with connect(named_server.create().url) as other:
        execute(other, *rebuilt(before))
        assert keys(before, backend.snapshot(other)) == set()


def test_a_collation_given_by_name_is_the_one_inherited(
    backend: Backend, connection: Connection
) -> None:
    execute(connection, TABLE)
    before = backend.snapshot(connection)
    assert before.objects["column t.name"].startswith("varchar(40) COLLATE utf8mb4_0900_ai_ci")
    execute(
        connection,
        "ALTER TABLE t MODIFY name VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_ai_ci",
    )
    assert keys(before, backend.snapshot(connection)) == set()


def test_a_foreign_key_and_a_check_of_one_name_are_both_seen(
    backend: Backend, connection: Connection
) -> None:
    execute(
        connection,
        TABLE,
        "CREATE TABLE u (id INT, CONSTRAINT both_of FOREIGN KEY (id) REFERENCES t (id))",
    )
    before = backend.snapshot(connection)
    execute(connection, "ALTER TABLE u ADD CONSTRAINT both_of CHECK (id > 5)")
    after = backend.snapshot(connection)
    assert keys(before, after) == {"constraint u.both_of"}
    text = after.objects["constraint u.both_of"]
    assert "FOREIGN KEY" in text
    assert "CHECK" in text


def test_several_statements_at_once_stay_forbidden(
    backend: Backend, scratch: ScratchDatabase, connect: Connect
) -> None:
    """A revision must not get away with them after a snapshot, and fail under plain alembic."""
    with connect(backend.with_driver(scratch.url.set(drivername="mysql+pymysql"))) as connection:
        execute(connection, "CREATE TABLE t (a INT)", "CREATE TABLE u (a INT)")
        backend.snapshot(connection)
        with pytest.raises(DBAPIError, match="1064"):
            connection.exec_driver_sql("SELECT 1; SELECT 2")


def test_a_view_without_rights_on_it_spoils_nothing(
    backend: Backend, scratch: ScratchDatabase, as_superuser: Connection, connect: Connect
) -> None:
    """SHOW CREATE VIEW then fails, and with it all that was sent in the same round trip."""
    execute(
        as_superuser,
        TABLE,
        "CREATE VIEW v AS SELECT id FROM t",
        f"CREATE USER IF NOT EXISTS {scratch.name}_r IDENTIFIED BY 'reading-Only-1'",
        f"GRANT SELECT ON t TO {scratch.name}_r",
        f"GRANT SELECT ON v TO {scratch.name}_r",
    )
    try:
        url = scratch.url.set(username=f"{scratch.name}_r", password="reading-Only-1")
        with connect(url) as connection:
            objects = backend.snapshot(connection).objects
        assert "index t.ft" in objects
        assert "not visible to this user" in objects["view v"]
    finally:
        execute(as_superuser, f"DROP USER {scratch.name}_r")


def test_rights_hold_where_wildcards_are_none(backend: Backend, connect: Connect) -> None:
    """With partial revokes the server takes a grant's database name as it is, backslashes too."""
    with closing(backend.server()) as ours, connect(ours.url) as admin:
        execute(admin, "SET GLOBAL partial_revokes = ON")
        with closing(backend.server(ours.url)) as named:
            mine = named.create()
            alike = mine.name.replace("topchef_scratch_", "topchef_scratch-")
            execute(admin, f"CREATE DATABASE `{alike}`")
            with connect(mine.url) as connection:
                execute(connection, "CREATE TABLE t (a INT)")
                with pytest.raises(DBAPIError, match="denied"):
                    connection.exec_driver_sql(f"CREATE TABLE `{alike}`.t (a INT)")


@pytest.mark.parametrize(
    ("said", "is_theirs"),
    [
        ("mysqld  Ver 8.0.43-0ubuntu0.24.04.1 for Linux on x86_64 ((Ubuntu))", True),
        ("mysqld  Ver 10.11.11-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64", False),
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
