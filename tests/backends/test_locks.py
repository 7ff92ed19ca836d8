"""What is said of locks and rewrites is what the servers do.

PostgreSQL is asked inside of the transaction, MySQL and MariaDB are asked for each way of changing
a table, the better ones first; SQLite is tried from a second connection.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from topchef_schema.backends.locks import Blocks, Lock, lock_of

if TYPE_CHECKING:
    from topchef_schema.backends.base import Backend, ScratchDatabase, Server

TABLES = """
CREATE TABLE p (id int PRIMARY KEY);
CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50), c int, pid int);
CREATE INDEX i ON t (a);
"""

POSTGRESQL = """
ALTER TABLE t ADD COLUMN x int
ALTER TABLE t ADD x int NOT NULL DEFAULT 7
ALTER TABLE t ADD COLUMN x varchar(9) DEFAULT 'it''s'
ALTER TABLE t ADD COLUMN IF NOT EXISTS x timestamp DEFAULT now() NOT NULL
ALTER TABLE t ADD COLUMN x jsonb DEFAULT '{}'::jsonb
ALTER TABLE t ADD COLUMN x uuid DEFAULT gen_random_uuid()
ALTER TABLE t ADD COLUMN x serial
ALTER TABLE t ADD COLUMN x int GENERATED ALWAYS AS (a * 2) STORED
ALTER TABLE t ADD COLUMN x int CHECK (x > 0)
ALTER TABLE t ADD COLUMN x int UNIQUE
ALTER TABLE t ADD COLUMN x int REFERENCES p (id)
ALTER TABLE t DROP COLUMN a
ALTER TABLE t ALTER COLUMN a TYPE bigint
ALTER TABLE t ALTER b SET DATA TYPE varchar(100)
ALTER TABLE t ALTER COLUMN a TYPE varchar USING a::varchar
ALTER TABLE t ALTER COLUMN a SET NOT NULL
ALTER TABLE t ALTER COLUMN a DROP NOT NULL
ALTER TABLE t ALTER COLUMN a SET DEFAULT 4
ALTER TABLE ONLY t ADD CONSTRAINT f FOREIGN KEY (pid) REFERENCES p (id)
ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (pid) REFERENCES p (id) NOT VALID
ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0)
ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0) NOT VALID
ALTER TABLE t ADD CONSTRAINT u UNIQUE (a)
ALTER TABLE t ADD UNIQUE (a), ADD COLUMN x int
ALTER TABLE t VALIDATE CONSTRAINT unproven
ALTER TABLE t DROP CONSTRAINT unproven
ALTER TABLE t RENAME COLUMN a TO z
ALTER TABLE t RENAME TO z
CREATE INDEX ix ON t (a)
CREATE UNIQUE INDEX ix ON t (a)
DROP INDEX i
DROP TABLE t
TRUNCATE t
UPDATE t SET a = 1
UPDATE t SET a = 1 WHERE id = 2
DELETE FROM t
INSERT INTO t (id) VALUES (1)
CREATE TABLE other (id int)
CREATE TABLE child (id int REFERENCES p (id))
""".strip().splitlines()

CONCURRENTLY = ["CREATE INDEX CONCURRENTLY ix ON t (a)", "DROP INDEX CONCURRENTLY i"]

UNKNOWN = """
SELECT 1
ALTER TABLE t ENABLE ROW LEVEL SECURITY
ALTER TABLE t ADD COLUMN x int, ENABLE ROW LEVEL SECURITY
VACUUM FULL t
CREATE INDEX ix ON t (a); DROP TABLE t
WITH x AS (SELECT 1) UPDATE t SET a = 1
DO $$ BEGIN DROP TABLE t; END $$
ALTER TABLE t ADD (x int, y int)
""".strip().splitlines()


def modes(connection: Any) -> dict[str, set[str]]:
    """Return the locks on each table of ours; a table that was dropped has no name any more."""
    rows = connection.exec_driver_sql(
        "SELECT coalesce(known.name, relation::regclass::text), mode FROM pg_locks"
        " LEFT JOIN known ON known.oid = relation"
        " WHERE locktype = 'relation' AND pid = pg_backend_pid()"
    )
    found: dict[str, set[str]] = {}
    for name, mode in rows:
        found.setdefault(name, set()).add(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", mode).upper())
    return found


@pytest.fixture
def postgresql(scratch: ScratchDatabase, server: Server) -> Iterator[tuple[Any, list[str]]]:
    """Yield a connection with our tables, and the list of what the server says on it."""
    engine = sa.create_engine(scratch.url, poolclass=sa.NullPool)
    heard: list[str] = []
    with engine.connect() as connection:
        connection.exec_driver_sql(TABLES)
        # With it comes what the first column of such a type would make.
        connection.exec_driver_sql("ALTER TABLE t ADD COLUMN long text")
        connection.exec_driver_sql("ALTER TABLE t ADD CONSTRAINT unproven CHECK (c > 0) NOT VALID")
        connection.exec_driver_sql(
            "CREATE TABLE known AS SELECT oid, relname::text AS name FROM pg_class"
            " WHERE relname IN ('t', 'p', 'i')"
        )
        connection.commit()
        driver: Any = connection.connection.dbapi_connection
        driver.add_notice_handler(lambda notice: heard.append(notice.message_primary))
        connection.exec_driver_sql("SET client_min_messages = debug1")
        connection.commit()
        yield connection, heard


def filenode(connection: Any) -> int | None:
    sql = "SELECT relfilenode FROM pg_class JOIN known USING (oid) WHERE name = 't'"
    found: int | None = connection.exec_driver_sql(sql).scalar()
    return found


@pytest.mark.backends("postgresql")
def test_postgresql(backend: Backend, postgresql: tuple[Any, list[str]]) -> None:
    connection, heard = postgresql
    for sql in POSTGRESQL:
        lock = lock_of(backend.name, sql)
        assert lock is not None, sql
        before = filenode(connection)
        heard.clear()
        connection.exec_driver_sql(sql)
        said, after, held = " ".join(heard), filenode(connection), modes(connection)
        connection.rollback()
        names = ["t"] if " t" in sql or sql == "DROP INDEX i" else []
        names += ["p"] if "both" in lock.held or "refers to" in str(lock) else []
        expected = lock.held.partition(" on ")[0].partition(",")[0]
        for name in names:
            mode = "SHARE ROW EXCLUSIVE" if name == "p" else expected
            assert f"{mode} LOCK" in held[name], (sql, held)
        if after is not None and not sql.startswith("TRUNCATE"):
            rewritten = after != before
            assert lock.rewrites in (None, rewritten), sql
        scans = any(word in said for word in ("verifying", "building index", "validating foreign"))
        if "table" in sql.lower() and lock.rewrites is False:
            built_empty = sql.startswith("CREATE TABLE")
            assert built_empty or lock.reads_all == scans, (sql, said)
        if sql.startswith("CREATE") and "INDEX" in sql:
            assert scans


@pytest.mark.backends("postgresql")
@pytest.mark.parametrize(
    "sql", ["CREATE INDEX CONCURRENTLY ix ON t (a)", "DROP INDEX CONCURRENTLY i"]
)
def test_concurrently(
    backend: Backend, postgresql: tuple[Any, list[str]], scratch: ScratchDatabase, sql: str
) -> None:
    """It is parked behind a transaction that has written, and looked at there."""
    import threading
    import time

    connection, _ = postgresql
    lock = lock_of(backend.name, sql)
    assert lock is not None
    assert lock.blocks is Blocks.SCHEMA
    connection.exec_driver_sql("INSERT INTO t (id) VALUES (1)")
    engine = sa.create_engine(scratch.url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")

    def work() -> None:
        with engine.connect() as other:
            other.exec_driver_sql(sql)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        question = (
            "SELECT mode FROM pg_locks JOIN known ON known.oid = relation"
            " WHERE name = 't' AND granted AND pid <> pg_backend_pid()"
        )
        found: set[str] = set()
        deadline = time.monotonic() + 30
        while "ShareUpdateExclusiveLock" not in found and time.monotonic() < deadline:
            found = set(connection.exec_driver_sql(question).scalars())
        assert "ShareUpdateExclusiveLock" in found
    finally:
        connection.commit()
        thread.join()


MYSQL = """
ALTER TABLE t ADD COLUMN x int
ALTER TABLE t ADD COLUMN x int NOT NULL DEFAULT 7
ALTER TABLE t ADD COLUMN x varchar(36) DEFAULT (uuid())
ALTER TABLE t ADD COLUMN x int GENERATED ALWAYS AS (a * 2) STORED
ALTER TABLE t DROP COLUMN c
ALTER TABLE t MODIFY a bigint
ALTER TABLE t MODIFY a int NOT NULL
ALTER TABLE t CHANGE a z bigint
ALTER TABLE t ALTER COLUMN a SET DEFAULT 4
ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (pid) REFERENCES p (id)
ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0)
ALTER TABLE t ADD CONSTRAINT u UNIQUE (a)
ALTER TABLE t ADD INDEX ix (a)
ALTER TABLE t ADD FULLTEXT (b)
ALTER TABLE t DROP PRIMARY KEY
ALTER TABLE t DROP FOREIGN KEY there
ALTER TABLE t DROP INDEX i
ALTER TABLE t RENAME COLUMN a TO z
ALTER TABLE t RENAME TO z
ALTER TABLE n ADD PRIMARY KEY (id)
CREATE INDEX ix ON t (a)
CREATE FULLTEXT INDEX ix ON t (b)
""".strip().splitlines()

WAYS = (
    "ALGORITHM=INSTANT",
    "ALGORITHM=INPLACE, LOCK=NONE",
    "ALGORITHM=INPLACE, LOCK=SHARED",
    "ALGORITHM=COPY",
)


@pytest.mark.backends("mysql", "mariadb")
def test_mysql_and_mariadb(backend: Backend, server: Server, scratch: ScratchDatabase) -> None:
    # Which rows of InnoDB's own tables may be read is a right of the administrator.
    engine = sa.create_engine(server.url.set(database=scratch.name), poolclass=sa.NullPool)
    with engine.connect() as connection:
        # Of a statement with uuid() its log says that it is unsafe, and refuses it.
        connection.exec_driver_sql("SET sql_log_bin = 0")
        for sql in MYSQL:
            lock = lock_of(backend.name, sql)
            assert lock is not None, sql
            way, rewritten = first_way(connection, backend, sql)
            if lock.rewrites is None:
                assert way in WAYS[1:], sql
            else:
                assert lock.held.startswith(way), (sql, way)
                assert lock.rewrites == rewritten, sql
            assert lock.blocks is (Blocks.NOBODY if way in WAYS[:2] else Blocks.WRITES) or (
                lock.rewrites is None
            )


def first_way(connection: Any, backend: Backend, sql: str) -> tuple[str, bool]:
    """Return the best way that the server takes, and whether it made the table anew."""
    said = ""
    for way in WAYS:
        for table in ("t", "z", "p", "n"):
            connection.exec_driver_sql(f"DROP TABLE IF EXISTS {table}")
        for each in TABLES.strip().splitlines():
            connection.exec_driver_sql(each)
        connection.exec_driver_sql("CREATE TABLE n (id int NOT NULL)")
        connection.exec_driver_sql(
            "ALTER TABLE t ADD CONSTRAINT there FOREIGN KEY (c) REFERENCES p (id)"
            if "there" in sql
            else "SELECT 1"
        )
        names = "n" if " n " in sql else "tz"
        before = table_ids(connection, backend, names)
        ending = ", " if sql.startswith("ALTER") else " "
        asked = way if ending == ", " else way.replace(",", "")
        if ending == " " and way == WAYS[0]:
            continue  # neither takes that word there
        try:
            connection.exec_driver_sql(f"{sql}{ending}{asked}")
        except sa.exc.DBAPIError as error:
            if not re.search("not supported|ALGORITHM|LOCK", str(error.orig)):
                raise
            said = str(error.orig)
            continue
        return way, not before & table_ids(connection, backend, names)
    raise AssertionError(f"{sql}: {said}")


def table_ids(connection: Any, backend: Backend, names: str) -> set[int]:
    table = "innodb_sys_tables" if backend.name == "mariadb" else "innodb_tables"
    sql = (
        f"SELECT table_id, name FROM information_schema.{table}"
        " WHERE name LIKE CONCAT(DATABASE(), '/_')"
    )
    return {identity for identity, name in connection.exec_driver_sql(sql) if name[-1] in names}


@pytest.mark.backends("sqlite")
def test_sqlite(backend: Backend, tmp_path: Path) -> None:
    for number, sql in enumerate(
        (
            "ALTER TABLE t ADD COLUMN x int",
            "ALTER TABLE t DROP COLUMN c",
            "ALTER TABLE t RENAME TO z",
            "CREATE INDEX ix ON t (a)",
            "DROP INDEX i",
            "CREATE TABLE other (id int)",
            "UPDATE t SET a = 1",
            "DELETE FROM t WHERE id = 1",
            "INSERT INTO t (id) VALUES (9)",
        )
    ):
        lock = lock_of(backend.name, sql)
        assert lock is not None
        assert lock.blocks is Blocks.WRITES
        path = tmp_path / f"{number}.db"
        one, other = (sqlite3.connect(path, timeout=0, isolation_level=None) for _ in range(2))
        one.executescript(TABLES)
        one.execute("BEGIN")
        one.execute(sql)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("INSERT INTO p (id) VALUES (1)")
        one.execute("ROLLBACK")
        other.execute("INSERT INTO p (id) VALUES (1)")
        one.close()
        other.close()


@pytest.mark.parametrize("sql", UNKNOWN)
def test_what_is_not_known_is_not_told(sql: str) -> None:
    for name in ("postgresql", "mysql", "mariadb", "sqlite", "mssql", "oracle"):
        assert lock_of(name, sql) is None


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE t ADD COLUMN x int DEFAULT mine()",
        'ALTER TABLE t ADD COLUMN x int DEFAULT "mine"()',
        "ALTER TABLE t ADD COLUMN x mood",
        'ALTER TABLE t ADD COLUMN x "int"',
    ],
)
def test_what_may_be_volatile_is_not_said_to_be_harmless(sql: str) -> None:
    lock = lock_of("postgresql", sql)
    assert isinstance(lock, Lock)
    assert lock.rewrites is None
    assert "may write" in str(lock)


def test_where_in_brackets_is_another_one() -> None:
    sql = "UPDATE t SET a = (SELECT max(x) FROM y WHERE y.id = t.id)"
    lock = lock_of("postgresql", sql)
    assert lock is not None
    assert lock.reads_all
