"""What is peculiar to PostgreSQL: its owners and settings, its own lock, its drivers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from tests.backends.connections import in_event_loop, send
from tests.backends.other_process import KEY, other_process
from topchef_schema.backends.base import Failure
from topchef_schema.backends.postgresql import BACKEND
from topchef_schema.errors import LockedError
from topchef_schema.model import Snapshot

if TYPE_CHECKING:
    from tests.backends.conftest import Connect
    from topchef_schema.backends.base import ScratchDatabase, Server

pytestmark = pytest.mark.backends("postgresql")
TABLE = "CREATE TABLE t (id int PRIMARY KEY, name text, at timestamptz)"
FUNCTION = "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"


def test_what_is_disposable_waits_for_no_disk(connection: sa.Connection) -> None:
    BACKEND.disposable(connection)
    connection.connection.rollback()
    assert connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "off"


def test_settings_of_the_session_change_no_text(
    backend_name: str, as_superuser: sa.Connection
) -> None:
    send(
        as_superuser,
        "CREATE SCHEMA app; CREATE TABLE app.t (id int, raw bytea DEFAULT '\\x00',"
        " at timestamptz DEFAULT '2020-01-01 00:00+02', d date DEFAULT '2020-02-01',"
        " i interval DEFAULT '1 day 2 hours');"
        "CREATE VIEW app.v AS SELECT id FROM app.t",
    )
    before = BACKEND.snapshot(as_superuser)
    send(
        as_superuser,
        "SET search_path = app; SET datestyle = 'German'; SET timezone = 'Asia/Tokyo';"
        "SET bytea_output = 'escape'; SET intervalstyle = 'iso_8601'",
    )
    assert BACKEND.snapshot(as_superuser) == before
    assert as_superuser.exec_driver_sql("SHOW search_path").scalar_one() == "app"
    assert as_superuser.exec_driver_sql("SHOW datestyle").scalar_one() == "German, DMY"


def test_a_snapshot_in_autocommit_mode_leaves_no_transaction_open(
    backend_name: str, scratch: ScratchDatabase, connect: Connect
) -> None:
    with two(connect, scratch.url) as (one, other):
        one.execution_options(isolation_level="AUTOCOMMIT")
        path = one.exec_driver_sql("SHOW search_path").scalar_one()
        empty = BACKEND.snapshot(one)
        assert one.exec_driver_sql("SHOW search_path").scalar_one() == path
        one.exec_driver_sql(TABLE)
        assert BACKEND.snapshot(other) != empty, "what was done afterwards was not committed"


def test_the_same_schema_is_seen_by_its_owner_and_by_others(
    backend_name: str, named_server: Server, connect: Connect
) -> None:
    """And a role made for one database is named nowhere in what is read from it."""
    taken = []
    for _ in range(2):
        database = named_server.create()
        with connect(database.url) as connection:
            send(
                connection,
                f"{TABLE}; REVOKE INSERT ON t FROM CURRENT_USER;"
                "GRANT SELECT ON t TO PUBLIC; CREATE POLICY p ON t TO CURRENT_USER;"
                "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC;"
                "CREATE SEQUENCE s OWNED BY t.id; CREATE SCHEMA app",
            )
            taken.append(BACKEND.snapshot(connection))
        with connect(named_server.url.set(database=database.name)) as connection:
            taken.append(BACKEND.snapshot(connection))
        assert database.name not in str(taken[-1].objects)
    assert taken[0] == taken[1] == taken[2] == taken[3]
    assert taken[0].objects["grants table public.t"] == (
        "grant SELECT to PUBLIC; revoke INSERT from OWNER"
    )


@pytest.mark.parametrize("inside", [False, True])
def test_a_snapshot_takes_a_dozen_statements_at_most(
    inside: bool, backend_name: str, connection: sa.Connection
) -> None:
    sent: list[str] = []
    for number in range(30):
        connection.exec_driver_sql(f"CREATE TABLE t{number} (id int PRIMARY KEY, n int UNIQUE)")
    connection.commit()
    if inside:
        connection.exec_driver_sql("SELECT 1")
    sa.event.listen(
        connection.engine, "before_cursor_execute", lambda *given: sent.append(given[2])
    )
    snapshot = BACKEND.snapshot(connection)
    assert sum(key.startswith("table ") for key in snapshot.objects) == 30
    assert 0 < len(sent) <= 12


def test_a_snapshot_can_be_taken_by_who_may_only_read(
    backend_name: str, as_superuser: sa.Connection, connection: sa.Connection
) -> None:
    send(as_superuser, TABLE)
    expected = BACKEND.snapshot(as_superuser)
    send(connection, "SET default_transaction_read_only = on")
    assert BACKEND.snapshot(connection) == expected
    with pytest.raises(sa.exc.DBAPIError) as caught:
        send(connection, "CREATE TABLE u (id int)")
    assert BACKEND.failure(caught.value) is Failure.READ_ONLY


@contextmanager
def two(connect: Connect, url: sa.URL) -> Iterator[tuple[sa.Connection, sa.Connection]]:
    with connect(url) as one, connect(url) as other:
        yield one, other


def until(connection: sa.Connection, question: str, *, found: bool) -> None:
    """Ask, each time in a new transaction, until there is an answer, or none."""
    deadline = time.monotonic() + 10
    while bool(connection.exec_driver_sql(question).all()) is not found:
        assert time.monotonic() < deadline, question
        connection.commit()
        time.sleep(0.05)
    connection.commit()


def test_waits_and_lost_connections_are_told_apart(
    backend_name: str, scratch: ScratchDatabase, connect: Connect
) -> None:
    with two(connect, scratch.url) as (one, other):
        send(one, TABLE)
        one.exec_driver_sql("LOCK TABLE t")
        send(other, "SET lock_timeout = 50")
        with pytest.raises(sa.exc.DBAPIError) as caught:
            send(other, "LOCK TABLE t")
        assert BACKEND.failure(caught.value) is Failure.LOCK_TIMEOUT
        other.rollback()
        pid = other.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        one.exec_driver_sql(f"SELECT pg_terminate_backend({pid})")
        until(one, f"SELECT 1 FROM pg_stat_activity WHERE pid = {pid}", found=False)
        with pytest.raises(sa.exc.DBAPIError) as caught:
            other.exec_driver_sql("SELECT 1")
        assert BACKEND.failure(caught.value) is Failure.CONNECTION_LOST
        other.invalidate()


@pytest.mark.fact(26)
def test_the_holder_of_the_lock_is_named_by_its_process(
    backend_name: str, scratch: ScratchDatabase, connection: sa.Connection
) -> None:
    with other_process("hold", "postgresql", scratch.url) as (process, _):
        with pytest.raises(LockedError) as caught, BACKEND.lock(connection, KEY, timeout=0):
            pytest.fail("two hold the lock")
        assert f"topchef-db pid {process.pid} on " in caught.value.message


@pytest.mark.fact(18)
def test_a_statement_that_outlives_its_killed_client_is_waited_for(
    backend_name: str, scratch: ScratchDatabase, connect: Connect
) -> None:
    sleeping = "SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(3)'"
    with two(connect, scratch.url) as (one, watcher):
        name = one.exec_driver_sql("SHOW application_name").scalar_one()
        one.rollback()
        with other_process("sleep", "postgresql", scratch.url) as (process, _):
            until(watcher, sleeping, found=True)
            process.kill()
            process.wait()
        # The server has to see that the other session, which held the lock, is gone.
        until(
            watcher,
            "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND database ="
            " (SELECT oid FROM pg_database WHERE datname = current_database())",
            found=False,
        )
        with pytest.raises(LockedError) as caught, BACKEND.lock(one, KEY, timeout=0):
            pytest.fail("a statement of the killed process is running")
        assert "earlier run" in caught.value.message
        with BACKEND.lock(one, KEY, timeout=20):
            watcher.rollback()
            assert watcher.exec_driver_sql(sleeping + " AND state = 'active'").all() == []
            assert one.exec_driver_sql("SHOW application_name").scalar_one() != name
            one.rollback()
        assert one.exec_driver_sql("SHOW application_name").scalar_one() == name


@pytest.mark.fact(3)
def test_the_lock_does_not_hold_up_a_concurrent_index(
    backend_name: str, scratch: ScratchDatabase, connect: Connect
) -> None:
    with two(connect, scratch.url) as (one, other), BACKEND.lock(one, KEY, timeout=5):
        send(one, TABLE)
        with pytest.raises(LockedError), BACKEND.lock(other, KEY, timeout=0):
            pytest.fail("two hold the lock")
        one.execution_options(isolation_level="AUTOCOMMIT")
        one.exec_driver_sql("SET statement_timeout = 5000")
        one.exec_driver_sql("CREATE INDEX CONCURRENTLY i ON t (name)")
        assert not BACKEND.snapshot(one).objects["index public.t.i"].endswith("invalid")


def test_the_lock_needs_no_free_place_in_the_pool(
    backend_name: str, scratch: ScratchDatabase
) -> None:
    for pool in (sa.StaticPool, sa.QueuePool):
        options = {"pool_size": 1, "max_overflow": 0, "pool_timeout": 1}
        engine = sa.create_engine(
            scratch.url, poolclass=pool, **(options if pool is sa.QueuePool else {})
        )
        with engine.connect() as connection, BACKEND.lock(connection, KEY, timeout=1):
            connection.exec_driver_sql("SELECT 1")
        engine.dispose()


def test_asyncpg_reads_the_same_schema_and_holds_the_same_lock(
    backend_name: str, scratch: ScratchDatabase, connection: sa.Connection
) -> None:
    send(connection, f"{TABLE}; CREATE INDEX i ON t (name) WHERE name LIKE 'a%'; {FUNCTION}")
    expected = BACKEND.snapshot(connection)
    identity = BACKEND.identity(connection)

    def work(there: sa.Connection) -> tuple[Snapshot, str]:
        with BACKEND.lock(there, KEY, timeout=5):
            with pytest.raises(LockedError), BACKEND.lock(connection, KEY, timeout=0):
                pytest.fail("two hold the lock")
            assert not there.in_transaction()
            snapshot = BACKEND.snapshot(there)
            with pytest.raises(sa.exc.DBAPIError) as caught:
                there.exec_driver_sql("CREATE TABLE t (id int)")
            there.rollback()
            assert BACKEND.failure(caught.value) is Failure.ALREADY_EXISTS
            return snapshot, BACKEND.identity(there)

    there = scratch.url.set(drivername="postgresql+asyncpg")
    assert in_event_loop(there, work) == (expected, identity)
    assert BACKEND.exists(there)
    assert not BACKEND.exists(there.set(database="topchef_scratch_gone"))
    with BACKEND.lock(connection, KEY, timeout=0):
        pass
