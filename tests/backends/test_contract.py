"""What every online backend does, proven on a real server of each."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from tests.backends import portable_schema
from tests.backends.connections import as_administrator, name_of
from tests.backends.other_process import KEY, other_process
from tests.servers import BACKENDS
from topchef_schema.backends import all_backends, for_connection, for_url
from topchef_schema.backends.base import SCRATCH_PREFIX, Failure
from topchef_schema.errors import LockedError, UnreachableError
from topchef_schema.model import Snapshot, diff

if TYPE_CHECKING:
    from tests.backends.conftest import Connect
    from topchef_schema.backends.base import Backend, ScratchDatabase, Server


def test_no_online_backend_is_left_out_of_this_suite() -> None:
    assert {name for name, backend in all_backends().items() if backend.online} == set(BACKENDS)


def test_a_backend_is_found_by_its_name_its_url_and_its_connections(
    backend: Backend, backend_name: str, connection: sa.Connection
) -> None:
    assert backend.name == backend_name
    assert backend.title
    assert for_connection(connection) is backend
    assert for_url(sa.make_url(backend.offline_url)) is backend


def test_a_bare_url_gets_a_driver_and_one_that_is_named_stays(
    backend: Backend, scratch: ScratchDatabase, connect: Connect
) -> None:
    bare = backend.with_driver(scratch.url.set(drivername=scratch.url.get_backend_name()))
    with connect(bare) as connection:
        assert connection.execute(sa.select(1)).scalar_one() == 1
    assert backend.with_driver(scratch.url).drivername == scratch.url.drivername


def test_a_driver_that_is_not_installed_is_named_with_what_to_install(
    backend: Backend, scratch: ScratchDatabase
) -> None:
    url = scratch.url.set(drivername=f"{scratch.url.get_backend_name()}+nosuchdriver")
    with pytest.raises(UnreachableError) as caught:
        backend.with_driver(url)
    assert "nosuchdriver" in caught.value.message
    assert "pip install" in caught.value.hint
    assert str(scratch.url.password) not in str(caught.value)


def test_the_server_and_its_connections_tell_one_version(
    backend: Backend, server: Server, connection: sa.Connection
) -> None:
    assert server.version
    assert backend.version(connection) == server.version
    assert not connection.in_transaction()


def test_a_database_exists_from_create_to_drop(backend: Backend, server: Server) -> None:
    database = server.create()
    assert database.name.startswith(SCRATCH_PREFIX)
    assert backend.exists(database.url)
    server.drop(database)
    gone = as_administrator(server, database.url)
    assert not backend.exists(gone)
    assert not backend.exists(gone), "asking has made it"
    server.drop(database)


def test_the_user_is_the_one_of_the_url(
    backend: Backend, scratch: ScratchDatabase, connection: sa.Connection
) -> None:
    assert name_of(backend.user(connection)) == scratch.url.username
    assert not connection.in_transaction()


def test_identity_tells_databases_apart_and_connections_together(
    backend: Backend, server: Server, scratch: ScratchDatabase, connect: Connect
) -> None:
    other = server.create()
    try:
        with connect(scratch.url) as first, connect(scratch.url) as second:
            assert backend.identity(first) == backend.identity(second)
            with connect(other.url) as stranger:
                assert backend.identity(stranger) != backend.identity(first)
            assert not first.in_transaction()
    finally:
        server.drop(other)


def test_new_databases_are_equally_empty(
    backend: Backend,
    server: Server,
    named_server: Server,
    scratch: ScratchDatabase,
    connect: Connect,
) -> None:
    """Also those of two users: of the server's, and of one that was made for the database."""
    snapshots = []
    mine, other = named_server.create(), server.create()
    for database in (scratch, other, mine):
        with connect(database.url) as connection:
            snapshots.append(backend.snapshot(connection))
    server.drop(other)
    assert all(not diff(one, another) for one, another in pairwise(snapshots))
    assert len({snapshot.fingerprint for snapshot in snapshots}) == 1


def test_equal_schemas_of_two_users_are_equal(
    backend: Backend,
    named_server: Server,
    scratch: ScratchDatabase,
    connect: Connect,
) -> None:
    snapshots = []
    for database in (named_server.create(), named_server.create(), scratch):
        with connect(database.url) as connection:
            portable_schema.create(connection, portable_schema.VARIANTS["foreign key"]())
            snapshots.append(backend.snapshot(connection))
    assert snapshots[0] == snapshots[1] == snapshots[2]
    assert diff(snapshots[0], snapshots[2]).changes == ()


@pytest.mark.parametrize("variant", portable_schema.VARIANTS)
def test_a_snapshot_sees_what_differs_and_nothing_when_it_is_dropped(
    variant: str, backend: Backend, connection: sa.Connection
) -> None:
    empty = backend.snapshot(connection)
    taken: list[Snapshot] = []
    for schema in (portable_schema.BASE(), portable_schema.VARIANTS[variant]()):
        portable_schema.create(connection, schema)
        taken.append(backend.snapshot(connection))
        portable_schema.drop(connection, schema)
        assert not diff(empty, backend.snapshot(connection))
    difference = diff(taken[0], taken[1])
    assert difference
    assert {"parent"} not in [set(change.key.split()[1:]) for change in difference.changes]
    assert all("grown" in change.key or "view" in change.key for change in difference.changes)


def test_every_pair_of_variants_differs(backend: Backend, connection: sa.Connection) -> None:
    taken: dict[str, str] = {}
    for name, make in portable_schema.VARIANTS.items():
        schema = make()
        portable_schema.create(connection, schema)
        fingerprint = backend.snapshot(connection).fingerprint
        portable_schema.drop(connection, schema)
        assert fingerprint not in taken, (name, taken.get(fingerprint))
        taken[fingerprint] = name


def test_rows_and_counters_are_no_part_of_the_schema(
    backend: Backend, connection: sa.Connection
) -> None:
    schema = portable_schema.BASE()
    portable_schema.create(connection, schema)
    before = backend.snapshot(connection)
    parent = schema[0].tables["parent"]
    connection.execute(parent.insert(), [{} for _ in range(3)])
    connection.execute(parent.delete())
    connection.commit()
    assert not diff(before, backend.snapshot(connection))


def test_a_name_that_needs_quotes_is_seen(backend: Backend, connection: sa.Connection) -> None:
    metadata = sa.MetaData()
    sa.Table('a "b" c%s', metadata, sa.Column("select", sa.Integer), sa.Column("d.e", sa.Integer))
    before = backend.snapshot(connection)
    metadata.create_all(connection)
    connection.commit()
    changed = "\n".join(change.key for change in diff(before, backend.snapshot(connection)).changes)
    assert "c%s" in changed
    assert "select" in changed
    assert "d.e" in changed


def test_excluded_tables_are_left_out_with_all_that_hangs_on_them(
    backend: Backend, connection: sa.Connection
) -> None:
    metadata = sa.MetaData()
    kept = sa.Table("kept", metadata, sa.Column("id", sa.Integer, primary_key=True))
    kept.create(connection)
    connection.commit()
    before = backend.snapshot(connection, exclude=("left_out",))
    assert before == backend.snapshot(connection)
    sa.Table(
        "left_out",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True, comment="a comment"),
        sa.Column("name", sa.String(10), sa.CheckConstraint("name <> ''"), unique=True),
        sa.Column("kept_id", sa.Integer, sa.ForeignKey("kept.id"), index=True),
    )
    metadata.create_all(connection)
    connection.commit()
    assert backend.snapshot(connection) != before
    assert backend.snapshot(connection, exclude=("left_out",)) == before


def test_a_snapshot_leaves_the_transaction_as_it_was(
    backend: Backend, connection: sa.Connection
) -> None:
    portable_schema.create(connection, portable_schema.BASE())
    backend.snapshot(connection)
    assert not connection.in_transaction()
    parent = portable_schema.BASE()[0].tables["parent"]
    connection.execute(parent.insert())
    snapshot = backend.snapshot(connection)
    assert connection.in_transaction()
    assert connection.execute(sa.select(sa.func.count()).select_from(parent)).scalar_one() == 1
    connection.rollback()
    assert connection.execute(sa.select(sa.func.count()).select_from(parent)).scalar_one() == 0
    connection.rollback()
    connection.execution_options(isolation_level="AUTOCOMMIT")
    assert backend.snapshot(connection) == snapshot


@pytest.mark.parametrize("options", [{"stream_results": True}, {"yield_per": 2}])
def test_a_snapshot_is_whole_where_rows_come_in_parts(
    options: dict[str, bool | int], backend: Backend, connection: sa.Connection
) -> None:
    portable_schema.create(connection, portable_schema.BASE())
    expected = backend.snapshot(connection)
    connection.execution_options(**options)
    assert backend.snapshot(connection) == expected
    assert backend.following().schema(connection) == expected


def test_the_lock_is_exclusive_and_its_holder_is_named(
    backend: Backend, scratch: ScratchDatabase, connection: sa.Connection
) -> None:
    with other_process("hold", backend.name, scratch.url):
        start = time.monotonic()
        with pytest.raises(LockedError) as caught, backend.lock(connection, KEY, timeout=0.6):
            pytest.fail("two hold the lock")
        assert 0.5 < time.monotonic() - start < 10
        assert any(character.isdigit() for character in caught.value.message), "names no process"
        assert str(scratch.url.password or "no password") not in str(caught.value)
        assert not connection.in_transaction()


@pytest.mark.parametrize("how", ["ended", "killed"])
def test_who_only_looks_is_told_who_holds_the_lock(
    how: str, backend: Backend, scratch: ScratchDatabase, connection: sa.Connection
) -> None:
    assert backend.lock_holder(connection, KEY) is None
    with other_process("hold", backend.name, scratch.url) as (process, _):
        said = backend.lock_holder(connection, KEY)
        assert said is not None
        assert any(character.isdigit() for character in said), "names no process"
        assert str(scratch.url.password or "no password") not in said
        assert not connection.in_transaction()
        if how == "killed":
            process.kill()
            process.wait(10)
    deadline = time.monotonic() + 10
    while backend.lock_holder(connection, KEY) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with backend.lock(connection, KEY, timeout=0):
        pass


def test_the_lock_is_refused_at_once_with_no_timeout(
    backend: Backend, scratch: ScratchDatabase, connect: Connect
) -> None:
    with connect(scratch.url) as one, connect(scratch.url) as two, backend.lock(one, KEY, 5):
        start = time.monotonic()
        with pytest.raises(LockedError), backend.lock(two, KEY, 0):
            pytest.fail("two hold the lock")
        assert time.monotonic() - start < 5


@pytest.mark.fact(5)
def test_a_waiter_gets_the_lock_when_its_holder_is_killed(
    backend: Backend, scratch: ScratchDatabase, connection: sa.Connection
) -> None:
    with other_process("hold", backend.name, scratch.url) as (process, _):
        process.kill()
        with backend.lock(connection, KEY, timeout=20):
            assert process.wait(10) != 0


def test_the_lock_lets_its_holder_work_and_is_free_afterwards(
    backend: Backend, scratch: ScratchDatabase, connect: Connect
) -> None:
    schema = portable_schema.BASE()
    with connect(scratch.url) as one, connect(scratch.url) as two:
        with backend.lock(one, KEY, timeout=5):
            assert not one.in_transaction()
            portable_schema.create(one, schema)
        assert not one.in_transaction()
        with backend.lock(two, KEY, timeout=0):
            portable_schema.drop(two, schema)
        with pytest.raises(KeyError), backend.lock(two, KEY, timeout=0):
            raise KeyError("the work fails")
        with backend.lock(one, KEY, timeout=0):
            pass


def test_the_locks_of_two_databases_are_two(
    backend: Backend, server: Server, scratch: ScratchDatabase, connect: Connect
) -> None:
    other = server.create()
    try:
        with (
            connect(scratch.url) as one,
            connect(other.url) as two,
            backend.lock(one, KEY, timeout=5),
            backend.lock(two, KEY, timeout=0),
        ):
            pass
    finally:
        server.drop(other)


def test_failures_are_told_apart(backend: Backend, connection: sa.Connection) -> None:
    table = portable_schema.BASE()[0].tables["parent"]
    table.create(connection)
    connection.commit()
    with pytest.raises(sa.exc.DBAPIError) as again:
        table.create(connection)
    connection.rollback()
    assert backend.failure(again.value) is Failure.ALREADY_EXISTS
    assert backend.failure(again.value.orig or again.value) is Failure.ALREADY_EXISTS
    with pytest.raises(sa.exc.DBAPIError) as column:
        connection.execute(sa.text("ALTER TABLE parent ADD COLUMN id integer"))
    connection.rollback()
    assert backend.failure(column.value) is Failure.ALREADY_EXISTS
    with pytest.raises(sa.exc.DBAPIError) as syntax:
        connection.execute(sa.text("SELEC 1"))
    connection.rollback()
    assert backend.failure(syntax.value) is Failure.OTHER
    assert backend.failure(KeyError("no error of a database")) is Failure.OTHER


@pytest.mark.backends("postgresql", "mariadb", "mysql")
def test_failures_to_connect_are_told_apart(
    backend: Backend, server: Server, scratch: ScratchDatabase, connect: Connect
) -> None:
    nowhere = scratch.url.set(host="127.0.0.1", port=1, query={})
    cases = {
        Failure.NO_SUCH_DATABASE: server.url.set(database="topchef_scratch_never_made"),
        Failure.ACCESS_DENIED: scratch.url.set(password="not the password"),
        Failure.UNREACHABLE: nowhere,
    }
    for expected, url in cases.items():
        with pytest.raises(sa.exc.DBAPIError) as caught, connect(url):
            pytest.fail("this connects")
        assert backend.failure(caught.value) is expected
    for url in (cases[Failure.ACCESS_DENIED], nowhere):
        with pytest.raises(UnreachableError) as refused:
            backend.exists(url)
        assert "not the password" not in str(refused.value)
        assert str(scratch.url.password) not in str(refused.value)


def test_a_disposable_connection_is_in_no_transaction_it_was_not_in(
    backend: Backend, connection: sa.Connection
) -> None:
    backend.disposable(connection)
    assert not connection.in_transaction()
    connection.execute(sa.select(1))
    backend.disposable(connection)
    assert connection.execute(sa.select(1)).scalar_one() == 1
    assert connection.in_transaction()
