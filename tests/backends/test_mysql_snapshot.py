"""What snapshots of MySQL and MariaDB see alike, and what they must not see."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event

from tests.backends.connections import in_event_loop
from tests.backends.mysql_schema import SCHEMA, account, execute, keys, rebuilt
from topchef_schema.backends.mysql_catalog import SPELLS_THE_SAME

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tests.backends.conftest import Connect
    from topchef_schema.backends.base import Backend, Server

pytestmark = pytest.mark.backends("mysql", "mariadb")


@pytest.fixture
def reader(as_superuser: Connection) -> Iterator[str]:
    with account(as_superuser) as name:
        yield name


CHANGES = {
    "a type": ("ALTER TABLE jobs MODIFY notes MEDIUMTEXT", {"column jobs.notes"}),
    "a default": ("ALTER TABLE jobs ALTER name SET DEFAULT 'some'", {"column jobs.name"}),
    "a column's comment": (
        "ALTER TABLE sets MODIFY name VARCHAR(40) COMMENT 'x'",
        {"column sets.name"},
    ),
    "a collation": (
        "ALTER TABLE sets MODIFY name VARCHAR(40) COLLATE utf8mb4_bin",
        {"column sets.name"},
    ),
    "a new enum value": (
        "ALTER TABLE jobs MODIFY status ENUM('NEW', 'OLD', 'DONE') NOT NULL DEFAULT 'NEW'",
        {"column jobs.status"},
    ),
    "a new set value": ("ALTER TABLE jobs MODIFY kind SET('a', 'b)c', 'd')", {"column jobs.kind"}),
    "NOT NULL": ("ALTER TABLE sets MODIFY name VARCHAR(40) NOT NULL", {"column sets.name"}),
    "ON UPDATE": ("ALTER TABLE jobs MODIFY at TIMESTAMP(3) NULL", {"column jobs.at"}),
    "a generated column": (
        "ALTER TABLE jobs MODIFY twice DECIMAL(11, 2) GENERATED ALWAYS AS (amount + amount) STORED",
        {"column jobs.twice"},
    ),
    "how a number is shown": (
        "ALTER TABLE measured MODIFY value INT(5) ZEROFILL",
        {"column measured.value"},
    ),
    "AUTO_INCREMENT": ("ALTER TABLE jobs MODIFY job_id BIGINT NOT NULL", {"column jobs.job_id"}),
    "a new column": (
        "ALTER TABLE sets ADD note INT",
        {"column sets.note", "column-order sets"},
    ),
    "the order of columns": (
        "ALTER TABLE sets MODIFY name VARCHAR(40) FIRST",
        {"column-order sets"},
    ),
    "a CHECK": ("ALTER TABLE jobs DROP CONSTRAINT ck_amount", {"constraint jobs.ck_amount"}),
    "the action of a foreign key": (
        "ALTER TABLE jobs DROP FOREIGN KEY fk_set; ALTER TABLE jobs ADD CONSTRAINT fk_set "
        "FOREIGN KEY (set_id) REFERENCES sets (set_id) ON DELETE SET NULL ON UPDATE CASCADE",
        {"constraint jobs.fk_set"},
    ),
    "the primary key": (
        "ALTER TABLE measured ADD PRIMARY KEY (day)",
        {"primary-key measured"},
    ),
    "a descending index": (
        "ALTER TABLE jobs DROP KEY ix_status, ADD KEY ix_status (status DESC)",
        {"index jobs.ix_status"},
    ),
    "a prefix index": ("CREATE INDEX ix_notes ON jobs (notes(12))", {"index jobs.ix_notes"}),
    "uniqueness": (
        "ALTER TABLE jobs DROP KEY uq_name, ADD KEY uq_name (name)",
        {"index jobs.uq_name"},
    ),
    "a full-text index": ("ALTER TABLE jobs DROP KEY ft_notes", {"index jobs.ft_notes"}),
    "an index's comment": (
        "ALTER TABLE jobs DROP KEY ix_status, ADD KEY ix_status (status) COMMENT 'why'",
        {"index jobs.ix_status"},
    ),
    "a table's comment": ("ALTER TABLE sets COMMENT 'AUTO_INCREMENT=7'", {"table sets"}),
    "a row format": ("ALTER TABLE sets ROW_FORMAT=COMPACT", {"table sets"}),
    "a table's collation": ("ALTER TABLE sets COLLATE utf8mb4_bin", {"table sets"}),
    "a partition": (
        "ALTER TABLE measured REORGANIZE PARTITION rest INTO (PARTITION newer VALUES LESS THAN "
        "(2030), PARTITION rest VALUES LESS THAN MAXVALUE)",
        {"partitions measured"},
    ),
    "a view's text": (
        "CREATE OR REPLACE VIEW open_jobs AS SELECT job_id, name FROM jobs WHERE status <> 'NEW'",
        {"view open_jobs"},
    ),
    "a view's algorithm": (
        "CREATE OR REPLACE ALGORITHM=TEMPTABLE VIEW open_jobs AS "
        "SELECT job_id, name FROM jobs WHERE status = 'NEW'",
        {"view open_jobs"},
    ),
    "a view's check": (
        "CREATE OR REPLACE VIEW open_jobs AS SELECT job_id, name FROM jobs "
        "WHERE status = 'NEW' WITH CASCADED CHECK OPTION",
        {"view open_jobs"},
    ),
    "a procedure's characteristic": (
        "ALTER PROCEDURE clear SQL SECURITY INVOKER",
        {"procedure clear"},
    ),
    "a function": ("DROP FUNCTION plus", {"function plus"}),
    "a second trigger": (
        "CREATE TRIGGER lower_name BEFORE INSERT ON jobs FOR EACH ROW PRECEDES upper_name "
        "SET NEW.name = LOWER(NEW.name)",
        {"trigger jobs.lower_name", "trigger jobs.upper_name"},
    ),
    "an event's schedule": ("ALTER EVENT nightly ON SCHEDULE EVERY 2 DAY", {"event nightly"}),
    "an event's start": (
        "ALTER EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2035-01-01 00:00:00'",
        {"event nightly"},
    ),
    "an event's status": ("ALTER EVENT nightly DISABLE", {"event nightly"}),
    "the database's collation": (
        "ALTER DATABASE COLLATE utf8mb4_bin",
        {"database"},
    ),
}

NO_CHANGES = {
    "a row": "INSERT INTO jobs (name) VALUES ('soup')",
    "the counter": "ALTER TABLE jobs AUTO_INCREMENT = 1000",
    "a column there and back": (
        "ALTER TABLE sets RENAME COLUMN name TO title; ALTER TABLE sets RENAME COLUMN title TO name"
    ),
    "a foreign key's check": "SET SESSION foreign_key_checks = 0",
    "a spelling": "ALTER TABLE jobs MODIFY `notes` text",
    "how wide a number is shown": "ALTER TABLE measured MODIFY value INT(5)",
    "a collation that is the table's": (
        "ALTER TABLE sets MODIFY name VARCHAR(40) CHARACTER SET utf8mb4 COLLATE {collation}"
    ),
    "statistics": "ANALYZE TABLE jobs",
    "an event altered back": (
        "ALTER EVENT nightly ON SCHEDULE EVERY 1 HOUR; ALTER EVENT nightly ON SCHEDULE EVERY 1 DAY"
    ),
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


@pytest.mark.parametrize("what", NO_CHANGES)
def test_what_is_no_change_is_not_seen(what: str, backend: Backend, connection: Connection) -> None:
    execute(connection, *SCHEMA)
    before = backend.snapshot(connection)
    collation = connection.exec_driver_sql("SELECT @@collation_database").scalar_one()
    execute(connection, *NO_CHANGES[what].format(collation=collation).split("; "))
    assert keys(before, backend.snapshot(connection)) == set()


def test_a_snapshot_says_enough_of_tables_to_make_them_again(
    backend: Backend, connection: Connection, named_server: Server, connect: Connect
) -> None:
    execute(connection, *(each for each in SCHEMA if each.startswith("CREATE TABLE")))
    before = backend.snapshot(connection)
    with connect(named_server.create().url) as other:
        execute(other, *rebuilt(before))
        assert keys(before, backend.snapshot(other)) == set()


def test_a_rename_is_told_by_the_foreign_keys_of_others(
    backend: Backend, connection: Connection
) -> None:
    execute(connection, *SCHEMA[:2])
    before = backend.snapshot(connection)
    execute(connection, "RENAME TABLE sets TO bundles")
    changed = keys(before, backend.snapshot(connection))
    others = {key for key in changed if "sets" not in key and "bundles" not in key}
    assert others == {"constraint jobs.fk_set"}
    assert "table sets" in changed
    assert "table bundles" in changed


def test_equal_schemas_of_two_users_are_equal(
    backend: Backend, named_server: Server, connect: Connect
) -> None:
    first, second = named_server.create(), named_server.create()
    assert first.url.username != second.url.username
    snapshots = []
    for database in (first, second):
        with connect(database.url) as connection:
            # A table and an alias called like the databases: in views these names must stay.
            execute(
                connection,
                *SCHEMA,
                f"CREATE TABLE {first.name} (id INT PRIMARY KEY, name INT)",
                f"CREATE VIEW alike AS SELECT {first.name}.id, jobs.name AS other, "
                f"EXISTS (SELECT 1 FROM sets {second.name} WHERE {second.name}.set_id = 1) AS e "
                f"FROM {first.name} JOIN jobs ON jobs.job_id = {first.name}.id",
            )
            snapshots.append(backend.snapshot(connection))
    assert dict(snapshots[0].objects) == dict(snapshots[1].objects)
    assert snapshots[0].fingerprint == snapshots[1].fingerprint
    text = snapshots[0].objects["view alike"]
    assert f"`{first.name}`.`id`" in text
    assert f"`{second.name}`.`set_id`" in text


def test_a_definer_is_named_only_where_it_is_another(
    backend: Backend,
    as_superuser: Connection,
    named_server: Server,
    reader: str,
    connect: Connect,
) -> None:
    execute(as_superuser, *SCHEMA[:2], SCHEMA[3])
    view = backend.snapshot(as_superuser).objects["view open_jobs"]
    assert "definer the migrating user" in view
    with connect(named_server.create().url) as maker:
        execute(maker, *SCHEMA[:2], SCHEMA[3])
        assert backend.snapshot(maker).objects["view open_jobs"] == view
        place = as_superuser.engine.url.set(database=maker.engine.url.database)
        with connect(place) as another:
            assert backend.snapshot(another).objects["view open_jobs"] == view
    execute(
        as_superuser,
        f"CREATE OR REPLACE DEFINER='{reader}'@'%' VIEW open_jobs AS SELECT name FROM jobs",
    )
    assert f"definer {reader}@%" in backend.snapshot(as_superuser).objects["view open_jobs"]


def test_a_view_stays_the_same_when_its_table_is_gone(
    backend: Backend, connection: Connection
) -> None:
    execute(connection, *SCHEMA)
    before = backend.snapshot(connection)
    execute(connection, "SET foreign_key_checks = 0", "DROP TABLE jobs")
    changed = keys(before, backend.snapshot(connection))
    assert changed
    assert not [key for key in changed if key.startswith("view")]


HOSTILE = ("back`tick", "100% of %s", 'quo"ted', "o'clock", "a.b", "naïve 寿司", "two  spaces")
BROKEN = ("a (\n  b", "end,\n  `c` int", "end,\n  c", "over\n)")


def test_hostile_names_are_kept_apart(backend: Backend, connection: Connection) -> None:
    quoted = ["`" + name.replace("`", "``") + "`" for name in HOSTILE]
    for name in quoted:
        columns = ", ".join(f"{column} INT" for column in quoted)
        execute(
            connection,
            f"CREATE TABLE {name} ({columns}, KEY {name} ({quoted[0]}))",
        )
    before = backend.snapshot(connection)
    for table in quoted:
        for column in quoted:
            assert f"column {table}.{column}" in before.objects
            assert f"index {table}.{table}" in before.objects
    execute(connection, f"ALTER TABLE {quoted[1]} MODIFY {quoted[4]} BIGINT")
    assert keys(before, backend.snapshot(connection)) == {f"column {quoted[1]}.{quoted[4]}"}


@pytest.mark.parametrize("name", BROKEN)
def test_a_name_may_hold_a_line_break(name: str, backend: Backend, connection: Connection) -> None:
    quoted = "`" + name.replace("`", "``") + "`"
    execute(connection, f"CREATE TABLE t (a INT, {quoted} INT, b INT, KEY {quoted} (a))")
    objects = backend.snapshot(connection).objects
    assert {each for each in objects if each.startswith(("column ", "index "))} == {
        *("column t.a", f"column t.{quoted}", "column t.b", f"index t.{quoted}")
    }
    assert objects["column-order t"] == f"a, {quoted}, b"


def test_hostile_texts_do_not_break_the_parts(backend: Backend, connection: Connection) -> None:
    text = "it''s (a, \\\\ `b` \\n PARTITION BY) AUTO_INCREMENT=3 COLLATE utf8mb4_bin %"
    execute(
        connection,
        f"CREATE TABLE t (a VARCHAR(99) DEFAULT '{text}' COMMENT '{text}', "
        f"b ENUM('{text}', 'x'), CONSTRAINT c CHECK (a <> '{text}')) COMMENT '{text}'",
    )
    before = backend.snapshot(connection)
    assert set(before.objects) == {
        "database",
        "table t",
        "column t.a",
        "column t.b",
        "column-order t",
        "constraint t.c",
    }
    for key in ("table t", "column t.a", "column t.b"):
        assert "AUTO_INCREMENT=3 COLLATE utf8mb4_bin %" in before.objects[key]
    execute(connection, f"ALTER TABLE t COMMENT '{text.replace('=3', '=4')}'")
    assert keys(before, backend.snapshot(connection)) == {"table t"}


def test_excluded_tables_take_everything_with_them(
    backend: Backend, connection: Connection
) -> None:
    execute(connection, *SCHEMA)
    without = backend.snapshot(connection, {"alembic_version", "topchef history"})
    execute(
        connection,
        "CREATE TABLE `topchef history` (id INT PRIMARY KEY, a INT, KEY (a))",
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)",
        "CREATE TRIGGER t BEFORE INSERT ON alembic_version FOR EACH ROW SET NEW.version_num = 'x'",
    )
    assert keys(without, backend.snapshot(connection, {"alembic_version", "topchef history"})) == (
        set()
    )
    assert "column alembic_version.version_num" in backend.snapshot(connection).objects


@contextmanager
def counted(connection: Connection) -> Iterator[list[str]]:
    sent: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    event.listen(connection, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(connection, "before_cursor_execute", note)


def test_the_number_of_statements_does_not_depend_on_the_tables(
    backend: Backend, connection: Connection
) -> None:
    execute(connection, *SCHEMA)
    with counted(connection) as few:
        backend.snapshot(connection)
    execute(connection, *(f"CREATE TABLE t{number} (a INT, KEY (a))" for number in range(40)))
    with counted(connection) as many:
        objects = backend.snapshot(connection).objects
    assert "index t39.a" in objects
    assert len(many) == len(few) <= 12


def test_the_session_is_left_as_it_was(backend: Backend, connection: Connection) -> None:
    execute(connection, "CREATE TABLE t (a INT)", "SET SESSION sql_mode = 'ANSI_QUOTES'")
    backend.snapshot(connection)
    assert not connection.in_transaction()
    assert connection.exec_driver_sql("SELECT @@sql_mode").scalar_one() == "ANSI_QUOTES"


@pytest.mark.parametrize(
    "mode",
    [*sorted(SPELLS_THE_SAME), "ANSI", "NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES", "PIPES_AS_CONCAT"],
)
def test_no_mode_spells_otherwise(backend: Backend, connection: Connection, mode: str) -> None:
    """Those in which the server spells as in none are left as they are."""
    execute(connection, *SCHEMA, "SET SESSION sql_mode = ''")
    plain = backend.snapshot(connection).objects
    if (backend.name, mode) == ("mysql", "NO_AUTO_CREATE_USER"):
        pytest.skip("gone since MySQL 8")
    execute(connection, f"SET SESSION sql_mode = '{mode}'")
    with counted(connection) as sent:
        assert backend.snapshot(connection).objects == plain
    modes = [each for each in sent if "sql_mode = " in each]
    assert len(modes) == (0 if mode in SPELLS_THE_SAME else 2)


def test_the_transaction_is_left_as_it_was(backend: Backend, connection: Connection) -> None:
    execute(connection, "CREATE TABLE t (a INT)")
    connection.exec_driver_sql("INSERT INTO t VALUES (1)")
    backend.snapshot(connection)
    backend.identity(connection)
    assert connection.in_transaction()
    assert connection.exec_driver_sql("SELECT count(*) FROM t").scalar_one() == 1
    connection.rollback()
    assert connection.exec_driver_sql("SELECT count(*) FROM t").scalar_one() == 0


@pytest.mark.parametrize("driver", ["aiomysql", "asyncmy"])
def test_an_asynchronous_driver_gives_the_same(
    driver: str, backend: Backend, server: Server, connection: Connection
) -> None:
    pytest.importorskip(driver)
    execute(connection, *SCHEMA)
    socket = {key: text for key, text in server.url.query.items() if key == "unix_socket"}
    url = connection.engine.url.set(drivername=f"{backend.name}+{driver}", query=socket)
    assert in_event_loop(url, backend.snapshot) == backend.snapshot(connection)
    with closing(backend.server(server.url.set(drivername=url.drivername, query=socket))) as named:
        database = named.create()
        assert database.url.drivername == url.drivername
        assert in_event_loop(database.url, backend.user) == f"{database.url.username}@localhost"
