"""A run on a database with traffic waits for others, and lets nobody wait long for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from tests.backends.connections import as_administrator, connected
from tests.whole_projects import MakeProject, Whole, execute, query, revision, tables
from topchef_schema import history, upgrade
from topchef_schema.errors import MigrationError, PartialError
from topchef_schema.model import JOURNAL_TABLE

if TYPE_CHECKING:
    from topchef_schema.backends.base import Backend, ScratchDatabase, Server

# They take long, and what they try depends on the servers more than on versions.
pytestmark = [pytest.mark.whole_run, pytest.mark.sampled]

FIRST = revision(
    "a1",
    'op.create_table("dish", sa.Column("id", sa.Integer, primary_key=True),'
    ' sa.Column("price", sa.Integer))\n'
    'op.execute("INSERT INTO dish VALUES (1, 10)")\n'
    'op.execute("INSERT INTO dish VALUES (2, 20)")',
)
COLUMN = 'op.add_column("dish", sa.Column("name", sa.String(20)))'
ALTER = revision("b2", COLUMN, down="a1")
HALF = revision("b2", f'op.create_table("half", sa.Column("id", sa.Integer))\n{COLUMN}', down="a1")

ENVIRONMENTS = ["usual", "step_by_step", "outer_transaction", "autocommit"]
CASES = [(env, second) for env in ENVIRONMENTS for second in (ALTER, HALF)]
SHORT: dict[str, Any] = {"ddl_lock_timeout": 1}


def shop_with(project: MakeProject, scratch: ScratchDatabase, second: str, env: str) -> Whole:
    """Lay out a shop that has its table, and has *second* to do."""
    shop = project(env=env, versions={"a1.py": FIRST, "b2.py": second})
    upgrade(shop.on(scratch), "a1")
    return shop


@contextmanager
def blocker(
    backend: Backend, scratch: ScratchDatabase, *statements: str, seconds: float | None = None
) -> Iterator[None]:
    """Hold a transaction open in which *statements* were sent, for *seconds* or to the end."""
    writes = "UPDATE dish SET price = price WHERE id = 1"
    usual = writes if backend.name == "sqlite" else "SELECT * FROM dish"
    ready, over = threading.Event(), threading.Event()

    def hold() -> None:
        with connected(scratch.url) as connection:
            for each in statements or (usual,):
                connection.exec_driver_sql(each)
            ready.set()
            over.wait(seconds)
            connection.rollback()

    thread = threading.Thread(target=hold)
    thread.start()
    assert ready.wait(20)
    try:
        yield
    finally:
        over.set()
        thread.join()


def statuses(shop: Whole, scratch: ScratchDatabase) -> list[tuple[str, str]]:
    events = history(shop.on(scratch)).data["events"]
    return [(each["revision"], each["status"]) for each in events]


def columns(scratch: ScratchDatabase) -> int:
    with connected(scratch.url) as connection:
        return len(sa.inspect(connection).get_columns("dish"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_it_tries_again_until_the_other_is_done(
    project: MakeProject,
    scratch: ScratchDatabase,
    backend: Backend,
    caplog: pytest.LogCaptureFixture,
    case: tuple[str, str],
) -> None:
    env, second = case
    shop = shop_with(project, scratch, second, env)
    with blocker(backend, scratch, seconds=2.5):
        report = upgrade(shop.on(scratch), **SHORT)
    assert [each.revision for each in report.checks] == ["b2"]
    assert "trying again" in caplog.text
    assert "blocked by" in caplog.text
    assert columns(scratch) == 3
    assert statuses(shop, scratch) == [("a1", "applied"), ("b2", "applied")]
    if JOURNAL_TABLE in tables(scratch):
        assert query(scratch, f"SELECT * FROM {JOURNAL_TABLE}") == []


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_it_fails_naming_who_does_not_let_go(
    project: MakeProject, scratch: ScratchDatabase, backend: Backend, env: str
) -> None:
    shop = shop_with(project, scratch, ALTER, env)
    with blocker(backend, scratch), pytest.raises(MigrationError) as caught:
        upgrade(shop.on(scratch), **SHORT, retries=1)
    assert caught.value.exit_code == 5
    assert "blocked by" in caught.value.message
    assert "tried 2 times" in caught.value.message
    assert "--ddl-lock-timeout" in caught.value.hint
    assert columns(scratch) == 2
    upgrade(shop.on(scratch))
    assert columns(scratch) == 3


def test_what_was_done_before_stays_done(
    project: MakeProject, scratch: ScratchDatabase, backend: Backend
) -> None:
    if backend.transactional_ddl:
        pytest.skip("a failed revision is undone as a whole there")
    shop = shop_with(project, scratch, HALF, "usual")
    with blocker(backend, scratch), pytest.raises(PartialError, match="CREATE TABLE half"):
        upgrade(shop.on(scratch), **SHORT, retries=1)
    assert [status for _, status in statuses(shop, scratch)] == ["applied", "failed"]
    upgrade(shop.on(scratch))
    assert columns(scratch) == 3


@pytest.mark.backends("mariadb", "mysql")
@pytest.mark.parametrize(("second", "kind"), [(ALTER, None), (HALF, PartialError)])
def test_without_a_journal_only_what_has_done_nothing_is_repeated(
    project: MakeProject,
    scratch: ScratchDatabase,
    backend: Backend,
    second: str,
    kind: type[MigrationError] | None,
) -> None:
    shop = shop_with(project, scratch, second, "usual")
    with blocker(backend, scratch, seconds=2.5):
        if kind is None:
            upgrade(shop.on(scratch), **SHORT, history=False)
        else:
            with pytest.raises(kind):
                upgrade(shop.on(scratch), **SHORT, history=False)


@pytest.mark.fact(4)
@pytest.mark.backends("postgresql", "mariadb", "mysql")
def test_nobody_waits_longer_for_it_than_the_limit(
    project: MakeProject, scratch: ScratchDatabase, backend: Backend
) -> None:
    shop = shop_with(project, scratch, ALTER, "usual")
    waits: list[float] = []
    over = threading.Event()

    def look() -> None:
        with connected(scratch.url) as connection:
            while not over.wait(0.02):
                started = time.monotonic()
                connection.exec_driver_sql("SELECT * FROM dish").all()
                connection.rollback()
                waits.append(time.monotonic() - started)

    reader = threading.Thread(target=look)
    with blocker(backend, scratch):
        reader.start()
        try:
            with pytest.raises(MigrationError):
                upgrade(shop.on(scratch), **SHORT, retries=1)
        finally:
            over.set()
            reader.join()
    assert 0.5 < max(waits) < 2.5


ROW = revision("b2", 'op.execute("UPDATE dish SET price = 11 WHERE id = 1")', down="a1")
AFTER_DDL = revision(
    "b2", f'{COLUMN}\nop.execute("UPDATE dish SET price = 11 WHERE id = 1")', down="a1"
)


@pytest.mark.fact(19)
@pytest.mark.backends("postgresql", "mariadb", "mysql")
def test_a_data_migration_waits_for_its_rows(
    project: MakeProject,
    scratch: ScratchDatabase,
    backend: Backend,
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = 'op.create_table("other", sa.Column("id", sa.Integer))\n'
    shop = shop_with(
        project, scratch, ROW.replace("op.execute", f"{before}    op.execute"), "usual"
    )
    with blocker(backend, scratch, "UPDATE dish SET price = 12 WHERE id = 1", seconds=3):
        upgrade(shop.on(scratch), **SHORT, retries=0)
    assert query(scratch, "SELECT price FROM dish WHERE id = 1") == [(11,)]
    assert "trying again" not in caplog.text


CONCURRENTLY = revision(
    "b2",
    "with op.get_context().autocommit_block():\n"
    '    op.create_index("by_price", "dish", ["price"], postgresql_concurrently=True)',
    down="a1",
)


@pytest.mark.fact(19)
@pytest.mark.backends("postgresql")
@pytest.mark.parametrize("env", ["usual", "step_by_step"])
def test_an_index_is_built_concurrently_however_long_that_takes(
    project: MakeProject,
    scratch: ScratchDatabase,
    backend: Backend,
    caplog: pytest.LogCaptureFixture,
    env: str,
) -> None:
    shop = shop_with(project, scratch, CONCURRENTLY, env)
    with blocker(backend, scratch, "UPDATE dish SET price = 12 WHERE id = 1", seconds=3):
        upgrade(shop.on(scratch), **SHORT, retries=0)
    valid = query(
        scratch, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'by_price'::regclass"
    )
    assert valid == [(True,)]
    assert "trying again" not in caplog.text


@pytest.mark.backends("postgresql")
@pytest.mark.parametrize("env", ["usual", "step_by_step"])
def test_the_rest_of_a_run_is_tried_again(
    project: MakeProject, scratch: ScratchDatabase, backend: Backend, env: str
) -> None:
    """What stays done is not done again, and +2 still means the same two revisions."""
    shop = shop_with(project, scratch, CONCURRENTLY, env)
    shop.write("alembic/versions/c3.py", ALTER.replace('"b2"', '"c3"').replace("'a1'", "'b2'"))
    shop.write("alembic/versions/d4.py", revision("d4", "pass", down="c3"))
    with blocker(backend, scratch, seconds=2.5):
        report = upgrade(shop.on(scratch), "+2", **SHORT)
    assert [each.revision for each in report.checks] == ["b2", "c3"]
    assert [each.sql.split()[0] for each in report.statements] == ["CREATE", "ALTER"]
    assert list(report.data["before"]) == ["a1"]
    assert list(report.data["current"]) == ["c3"]


@pytest.mark.fact(16)
@pytest.mark.backends("postgresql")
@pytest.mark.parametrize("env", ["usual", "step_by_step"])
def test_an_index_that_could_not_be_built_is_dropped_before_the_next_try(
    project: MakeProject, scratch: ScratchDatabase, backend: Backend, env: str
) -> None:
    shop = shop_with(project, scratch, CONCURRENTLY, env)
    writer = "UPDATE dish SET price = 12 WHERE id = 1"
    with (
        blocker(backend, scratch, writer),
        pytest.raises(MigrationError, match="took longer than"),
    ):
        upgrade(shop.on(scratch), statement_timeout=1)
    invalid = (
        "SELECT relname FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE NOT indisvalid"
    )
    assert query(scratch, invalid) == [("by_price",)]
    with blocker(backend, scratch, seconds=2.5):
        report = upgrade(shop.on(scratch), **SHORT)
    assert [each.revision for each in report.checks] == ["b2"]
    assert query(scratch, invalid) == []


SLEEP = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000000) "
    "SELECT count(*) FROM n",
    "postgresql": "SELECT pg_sleep(30)",
    "mariadb": "UPDATE dish SET price = SLEEP(15)",
    "mysql": "UPDATE dish SET price = SLEEP(15)",
}


@pytest.mark.fact(20)
@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_a_statement_that_takes_too_long_is_ended(
    project: MakeProject, scratch: ScratchDatabase, backend: Backend, env: str
) -> None:
    second = revision("b2", f'op.execute("{SLEEP[backend.name]}")', down="a1")
    shop = shop_with(project, scratch, second, env)
    started = time.monotonic()
    with pytest.raises(MigrationError, match=r"took longer than 0\.5 s") as caught:
        upgrade(shop.on(scratch), statement_timeout=0.5)
    assert time.monotonic() - started < 10
    assert "--statement-timeout" in caught.value.hint
    shop.write("alembic/versions/b2.py", ALTER)
    upgrade(shop.on(scratch), statement_timeout=5)


@pytest.mark.fact(20)
@pytest.mark.backends("mariadb", "mysql")
def test_ddl_that_takes_too_long_is_ended(
    project: MakeProject, scratch: ScratchDatabase, backend: Backend
) -> None:
    shop = shop_with(project, scratch, ALTER, "usual")
    with blocker(backend, scratch), pytest.raises(MigrationError, match="took longer than"):
        upgrade(shop.on(scratch), ddl_lock_timeout=0, statement_timeout=0.5)
    assert columns(scratch) == 2


OWN = {
    "sqlite": ("PRAGMA busy_timeout = 4321", "PRAGMA busy_timeout", 4321),
    "postgresql": ("SET LOCAL lock_timeout = '4321ms'", "SHOW lock_timeout", "4321ms"),
    "mariadb": ("SET SESSION lock_wait_timeout = 43", "SELECT @@session.lock_wait_timeout", 43),
    "mysql": ("SET SESSION lock_wait_timeout = 43", "SELECT @@session.lock_wait_timeout", 43),
}


@pytest.mark.parametrize("env", ENVIRONMENTS[:3])
def test_what_a_revision_sets_wins(
    project: MakeProject, scratch: ScratchDatabase, backend: Backend, env: str
) -> None:
    sets, asks, value = OWN[backend.name]
    found = f'found = op.get_bind().exec_driver_sql("{asks}").scalar()\n'
    second = (
        f'op.create_table("other", sa.Column("id", sa.Integer))\nop.execute("{sets}")\n'
        f"{COLUMN}\n{found}assert found == {value!r}, found"
    )
    shop = shop_with(project, scratch, revision("b2", second, down="a1"), env)
    upgrade(shop.on(scratch), **SHORT)


@pytest.mark.backends("postgresql")
def test_what_env_py_sets_wins(project: MakeProject, scratch: ScratchDatabase) -> None:
    asks = f'{COLUMN}\nassert op.get_bind().exec_driver_sql("SHOW lock_timeout").scalar() == "7s"'
    shop = shop_with(project, scratch, revision("b2", asks, down="a1"), "set_local")
    upgrade(shop.on(scratch), **SHORT)


BOTH = revision(
    "b2",
    "import time\n"
    'op.execute("UPDATE dish SET price = 11 WHERE id = 1")\n'
    "time.sleep(2)\n"
    'op.execute("UPDATE dish SET price = 21 WHERE id = 2")',
    down="a1",
)


@pytest.mark.backends("postgresql", "mariadb", "mysql")
@pytest.mark.parametrize("env", ["usual", "step_by_step"])
def test_a_deadlock_is_tried_again(
    project: MakeProject,
    scratch: ScratchDatabase,
    server: Server,
    caplog: pytest.LogCaptureFixture,
    env: str,
) -> None:
    shop = shop_with(project, scratch, BOTH, env)
    done: list[object] = []
    thread = threading.Thread(target=lambda: done.append(upgrade(shop.on(scratch))))
    with connected(as_administrator(server, scratch.url)) as other:
        if other.dialect.name == "postgresql":
            # Whoever looks first is the victim.
            other.exec_driver_sql("SET deadlock_timeout = '30s'")
        else:
            # Whoever has changed less is the victim.
            values = ", ".join(f"({number}, 0)" for number in range(100, 200))
            other.exec_driver_sql(f"INSERT INTO dish (id, price) VALUES {values}")
        other.exec_driver_sql("UPDATE dish SET price = 22 WHERE id = 2")
        thread.start()
        time.sleep(1.5)
        other.exec_driver_sql("UPDATE dish SET price = 12 WHERE id = 1")
        other.commit()
        thread.join()
    assert done
    assert "two sessions waited for each other" in caplog.text
    rows = query(scratch, "SELECT price FROM dish WHERE id < 3 ORDER BY id")
    assert rows == [(11,), (21,)]


@pytest.mark.backends("mariadb", "mysql")
def test_the_session_is_left_as_it_was(
    project: MakeProject, scratch: ScratchDatabase, backend: Backend
) -> None:
    keeps = (
        "from alembic import context\nfrom sqlalchemy import create_engine, pool\n"
        'engine = create_engine(context.config.get_main_option("sqlalchemy.url"),'
        " poolclass=pool.StaticPool)\n"
        'asks = "SELECT @@session.lock_wait_timeout = @@global.lock_wait_timeout"\n'
        "with engine.connect() as connection:\n"
        "    context.configure(connection=connection)\n"
        "    with context.begin_transaction():\n"
        "        context.run_migrations()\n"
        "    connection.rollback()\n"
        "    assert connection.exec_driver_sql(asks).scalar() == 1\n"
    )
    shop = project(versions={"a1.py": FIRST, "b2.py": ALTER})
    shop.write("alembic/env.py", keeps)
    upgrade(shop.on(scratch), **SHORT)
    assert columns(scratch) == 3
    assert query(scratch, "SELECT version_num FROM alembic_version") == [("b2",)]
    execute(scratch, "DROP TABLE dish")
