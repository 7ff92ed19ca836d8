"""What MySQL and MariaDB share: drivers, what errors mean, and the lock."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from pymysql.constants import COMMAND
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError, OperationalError

from tests.backends.mysql_schema import PASSWORD, SCHEMA, account, execute
from topchef_schema.backends.base import Failure
from topchef_schema.backends.mysql_lock import lock_name
from topchef_schema.errors import LockedError, UnreachableError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tests.backends.conftest import Connect
    from topchef_schema.backends.base import Backend, ScratchDatabase

pytestmark = pytest.mark.backends("mysql", "mariadb")


@pytest.mark.fact(18)
def test_the_lock_outlives_commits(
    backend: Backend, scratch: ScratchDatabase, connect: Connect
) -> None:
    with connect(scratch.url) as holder, connect(scratch.url) as waiter:
        with backend.lock(holder, "key", 0):
            execute(holder, "CREATE TABLE t (a INT)", "INSERT INTO t VALUES (1)")
            with pytest.raises(LockedError), backend.lock(waiter, "key", 0):
                pytest.fail("a commit released the lock")
        with backend.lock(waiter, "key", 0):
            pass


@pytest.mark.fact(18)
def test_the_lock_stays_with_a_statement_whose_client_is_gone(
    backend: Backend, scratch: ScratchDatabase, connect: Connect
) -> None:
    """Else the next run would look at the schema while the statement still changes it."""
    url = backend.with_driver(scratch.url.set(drivername=f"{backend.name}+pymysql"))
    with connect(url) as holder, connect(url) as waiter:
        execute(holder, "CREATE TABLE t (a INT)")
        lock = backend.lock(holder, "key", 0)
        lock.__enter__()
        raw: Any = holder.connection.dbapi_connection
        raw._execute_command(COMMAND.COM_QUERY, "INSERT INTO t SELECT 1 + SLEEP(2)")
        raw._force_close()
        holder.invalidate()
        lock.__exit__(None, None, None)
        with pytest.raises(LockedError), backend.lock(waiter, "key", 0):
            pytest.fail("the lock is free while the statement runs")
        with backend.lock(waiter, "key", 20):
            found = "SELECT count(*) FROM information_schema.processlist WHERE info LIKE 'INSERT%%'"
            assert waiter.exec_driver_sql(found).scalar_one() == 0


@pytest.mark.fact(4)
def test_names_of_locks_are_short_and_differ_by_database_and_key() -> None:
    names = {lock_name("a" * 64, "k" * 99), lock_name("a" * 64, "k"), lock_name("a", "k")}
    assert len(names) == 3
    assert lock_name("ab", "c") != lock_name("a", "bc")
    assert max(map(len, names)) <= 64


def test_a_lost_connection_is_the_error_and_not_the_lock(
    backend: Backend, scratch: ScratchDatabase, connect: Connect
) -> None:
    def lose(holder: Connection, killer: Connection) -> None:
        with backend.lock(holder, "key", 0):
            session = holder.exec_driver_sql("SELECT connection_id()").scalar_one()
            killer.exec_driver_sql(f"KILL {session}")
            holder.exec_driver_sql("SELECT 1")

    with connect(scratch.url) as holder, connect(scratch.url) as killer:
        with pytest.raises(OperationalError) as raised:
            lose(holder, killer)
        assert backend.failure(raised.value) is Failure.CONNECTION_LOST
        holder.rollback()
        with backend.lock(killer, "key", 10):
            pass


def test_a_new_session_does_not_hold_what_the_lost_one_held(
    backend: Backend, scratch: ScratchDatabase, connect: Connect
) -> None:
    with (
        connect(scratch.url) as holder,
        connect(scratch.url) as killer,
        backend.lock(holder, "key", 0) as held,
    ):
        session = holder.exec_driver_sql("SELECT connection_id()").scalar_one()
        assert held()
        killer.exec_driver_sql(f"KILL {session}")
        with pytest.raises(OperationalError):
            holder.exec_driver_sql("SELECT 1")
        assert not held()
        holder.rollback()
        assert holder.exec_driver_sql("SELECT connection_id()").scalar_one() != session
        assert not held()


def failing(backend: Backend, connection: Connection, statement: str) -> Failure:
    with pytest.raises(DBAPIError) as raised:
        connection.exec_driver_sql(statement)
    connection.rollback()
    assert backend.failure(raised.value.orig or raised.value) is backend.failure(raised.value)
    return backend.failure(raised.value)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE sets (a INT)",
        "ALTER TABLE sets ADD name INT",
        "CREATE INDEX ix_status ON jobs (status)",
        "ALTER TABLE jobs ADD CONSTRAINT fk_set FOREIGN KEY (set_id) REFERENCES sets (set_id)",
        "ALTER TABLE jobs ADD CONSTRAINT ck_amount CHECK (amount > 1)",
        "ALTER TABLE jobs ADD PRIMARY KEY (name)",
        "ALTER TABLE measured REORGANIZE PARTITION rest INTO (PARTITION old VALUES LESS THAN "
        "(2030), PARTITION rest VALUES LESS THAN MAXVALUE)",
        "CREATE VIEW open_jobs AS SELECT 1",
        "CREATE TRIGGER upper_name BEFORE INSERT ON jobs FOR EACH ROW SET NEW.name = 'x'",
        "CREATE PROCEDURE clear() SELECT 1",
        "CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DO SELECT 1",
    ],
)
def test_what_exists_already_is_told(
    statement: str, backend: Backend, connection: Connection
) -> None:
    execute(connection, *SCHEMA)
    assert failing(backend, connection, statement) is Failure.ALREADY_EXISTS


def test_what_a_reader_fails_with(
    backend: Backend, scratch: ScratchDatabase, as_superuser: Connection, connect: Connect
) -> None:
    execute(as_superuser, "CREATE TABLE t (a INT)")
    with account(as_superuser) as reader:
        execute(as_superuser, f"GRANT SELECT ON {scratch.name}.* TO '{reader}'@'%'")
        with connect(scratch.url.set(username=reader, password=PASSWORD)) as connection:
            assert failing(backend, connection, "CREATE TABLE u (a INT)") is Failure.READ_ONLY
            assert failing(backend, connection, "DELETE FROM t") is Failure.READ_ONLY
            assert failing(backend, connection, "USE mysql") is Failure.ACCESS_DENIED
            assert failing(backend, connection, "SELECT nothing") is Failure.OTHER
    execute(as_superuser, "SET SESSION TRANSACTION READ ONLY")
    assert failing(backend, as_superuser, "INSERT INTO t VALUES (1)") is Failure.READ_ONLY


def test_what_waiting_fails_with(
    backend: Backend, scratch: ScratchDatabase, connect: Connect
) -> None:
    with connect(scratch.url) as first, connect(scratch.url) as second:
        execute(first, "CREATE TABLE t (a INT PRIMARY KEY)", "INSERT INTO t VALUES (1), (2)")
        first.exec_driver_sql("UPDATE t SET a = 10 WHERE a = 1")
        execute(second, "SET innodb_lock_wait_timeout = 1, lock_wait_timeout = 1")
        assert failing(backend, second, "DELETE FROM t WHERE a = 1") is Failure.LOCK_TIMEOUT
        assert failing(backend, second, "ALTER TABLE t ADD b INT") is Failure.LOCK_TIMEOUT
        execute(second, "SET innodb_lock_wait_timeout = 20")
        second.exec_driver_sql("UPDATE t SET a = 20 WHERE a = 2")
        outcomes: list[Failure] = []

        def cross(connection: Connection, number: int) -> None:
            try:
                connection.exec_driver_sql(f"UPDATE t SET a = 99 WHERE a = {number}")
            except DBAPIError as error:
                outcomes.append(backend.failure(error))
            connection.rollback()

        waiting = threading.Thread(target=cross, args=(first, 2))
        waiting.start()
        cross(second, 1)
        waiting.join()
        assert outcomes == [Failure.DEADLOCK]


def test_the_options_of_a_url_stay(backend: Backend) -> None:
    bare = backend.with_driver(make_url(f"{backend.name}://u:p%40w@db.example/x?charset=utf8mb4"))
    assert bare.get_driver_name() in ("mysqldb", "pymysql")
    assert (bare.password, bare.database, bare.query) == ("p@w", "x", {"charset": "utf8mb4"})


def test_the_extra_that_brings_a_driver_is_named(backend: Backend) -> None:
    with pytest.raises(UnreachableError) as raised:
        backend.with_driver(make_url(f"{backend.name}+oursql://u:secret@h/x"))
    assert f'"topchef-schema[{backend.name}]"' in raised.value.hint
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("rest", "disabled"),
    [
        ("u@127.0.0.1/x", True),
        ("u@localhost/x", True),
        ("u@[::1]/x", True),
        ("u@/x?unix_socket=/s", True),
        ("u@db.example/x", False),
        ("u@10.0.0.1/x", False),
        ("u@127.0.0.1/x?ssl_ca=/ca.pem", False),
    ],
)
def test_only_this_machine_is_spoken_to_without_tls(
    backend: Backend, rest: str, *, disabled: bool
) -> None:
    url = backend.with_driver(make_url(f"{backend.name}+pymysql://{rest}"))
    assert url.query.get("ssl_disabled") == ("true" if disabled else None)
