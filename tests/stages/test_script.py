"""A script goes on only where the database is where it starts; elsewhere it changes nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests import synthetic
from tests.backends.connections import connected
from tests.scripts import by_hand, refused, run, script_of
from tests.whole_projects import MakeProject, Whole, execute, query, revision, tables, text
from topchef_schema import downgrade, history, repair, snapshot, sql, status, upgrade
from topchef_schema.backends import named
from topchef_schema.errors import InDoubtError, LockedError
from topchef_schema.stages import journal

if TYPE_CHECKING:
    from topchef_schema.backends.base import Backend, ScratchDatabase, Server

FIRST = revision("a1", 'op.create_table("dish", sa.Column("id", sa.Integer, primary_key=True))')
SECOND = revision("b2", 'op.add_column("dish", sa.Column("price", sa.Integer))', down="a1")
THIRD = revision("c3", 'op.create_table("cook", sa.Column("id", sa.Integer))', down="b2")


def shop_of(project: MakeProject, env: str = "usual") -> Whole:
    return project(env=env, versions={"a1.py": FIRST, "b2.py": SECOND, "c3.py": THIRD})


def state(shop: Whole, database: ScratchDatabase) -> tuple[Any, ...]:
    """Return all that a script could have changed."""
    report = snapshot(shop.on(database))
    there = tables(database)
    rows = [query(database, f"SELECT * FROM {each}") for each in sorted(there)]
    return report.data["objects"], there, rows


@pytest.mark.parametrize("env", ["usual", "step_by_step"])
@pytest.mark.parametrize("at", ["base", "a1", "c3"])
def test_wrong_start(
    project: MakeProject, server: Server, scratch: ScratchDatabase, at: str, env: str
) -> None:
    shop = shop_of(project, env)
    upgrade(shop.on(scratch), "c3")
    if at != "c3":
        downgrade(shop.on(scratch), at, accept_data_loss=True)
    before = state(shop, scratch)
    said = refused(script_of(shop, text(server), "b2:head"), scratch)
    assert state(shop, scratch) == before
    if at == "c3":
        assert "the database is at c3 already, where this script leads" in said
    else:
        assert f"this script goes on from b2, and the database is at {at}" in said


@pytest.mark.parametrize("down", [False, True])
def test_twice(
    project: MakeProject, server: Server, scratch: ScratchDatabase, *, down: bool
) -> None:
    shop = shop_of(project)
    if down:
        upgrade(shop.on(scratch))
    script = script_of(shop, text(server), down=down)
    run(script, scratch)
    before = state(shop, scratch)
    said = refused(script, scratch)
    assert f"the database is at {'base' if down else 'c3'} already, where this script leads" in said
    assert state(shop, scratch) == before


def test_database_without_a_version_table(
    project: MakeProject, server: Server, scratch: ScratchDatabase
) -> None:
    execute(scratch, "CREATE TABLE somebody (id INTEGER)")
    shop = shop_of(project)
    before = state(shop, scratch)
    assert "alembic_version" in refused(script_of(shop, text(server), "a1:head"), scratch)
    assert state(shop, scratch) == before


def test_database_of_another_project(
    project: MakeProject, server: Server, scratch: ScratchDatabase
) -> None:
    other = project(versions={"z9.py": revision("z9", 'op.execute("CREATE TABLE z (n INTEGER)")')})
    upgrade(other.on(scratch))
    before = state(other, scratch)
    said = refused(script_of(shop_of(project), text(server)), scratch)
    assert "this script goes on from base, and the database is at z9" in said
    assert state(other, scratch) == before


@pytest.mark.backends("mariadb", "mysql")
def test_server_of_the_other_kind(
    project: MakeProject, scratch: ScratchDatabase, backend_name: str
) -> None:
    other = {"mariadb": "mysql", "mysql": "mariadb"}[backend_name]
    assert "this is a script for" in refused(script_of(shop_of(project), other), scratch)
    assert tables(scratch) == set()


@pytest.mark.backends("mariadb", "mysql")
def test_no_database_is_chosen(
    project: MakeProject, server: Server, scratch: ScratchDatabase
) -> None:
    client = named(scratch.url.get_backend_name()).scripting.client(scratch.url)
    command = [each for each in client.command if not each.startswith("--database")]
    script = script_of(shop_of(project), text(server))
    done = type(client)(command, client.environment).run(script)
    assert done.returncode != 0
    assert "no database is chosen" in done.stdout + done.stderr


@pytest.mark.parametrize("env", ["usual", "step_by_step"])
def test_each_unit_looks_for_itself(
    project: MakeProject, server: Server, scratch: ScratchDatabase, env: str
) -> None:
    """A client that goes on after an error comes to the next unit."""
    shop = shop_of(project, env)
    upgrade(shop.on(scratch), "a1")
    script = script_of(shop, text(server), "a1:head")
    top, *parts = re.split(r"^-- \d of \d: ", script, flags=re.MULTILINE)
    begins = r"^BEGIN( IMMEDIATE)?;$"
    if env == "usual" and scratch.url.get_backend_name() == "postgresql":
        assert len(re.findall(begins, script, re.MULTILINE)) == 1  # one transaction is one unit
        return
    before = state(shop, scratch)
    ended = "COMMIT;\n" if re.search(begins, top, re.MULTILINE) else ""
    said = refused(f"{top}{ended}-- {parts[-1]}", scratch)
    assert "this script goes on from b2, and the database is at a1" in said
    after = state(shop, scratch)
    assert after[0] == before[0]
    assert query(scratch, "SELECT version_num FROM alembic_version") == [("a1",)]


HALF = revision(
    "b2",
    'op.create_table("half", sa.Column("id", sa.Integer))\n'
    'op.execute("INSERT INTO nowhere VALUES (1)")',
    'op.drop_table("half")',
    down="a1",
)
HALF_OUTSIDE = revision(
    "b2",
    'op.create_table("half", sa.Column("id", sa.Integer))\n'
    "with op.get_context().autocommit_block():\n"
    '    op.execute("{outside}")\n'
    'op.execute("INSERT INTO nowhere VALUES (1)")',
    'op.drop_table("half")',
    down="a1",
)
OUTSIDE = {"sqlite": "VACUUM", "postgresql": "CREATE INDEX CONCURRENTLY i ON half (id)"}


def test_half_applied(
    project: MakeProject, server: Server, scratch: ScratchDatabase, backend_name: str
) -> None:
    half = HALF
    if backend_name in OUTSIDE:
        half = HALF_OUTSIDE.format(outside=OUTSIDE[backend_name])
    shop = project(versions={"a1.py": FIRST, "b2.py": half})
    run(script_of(shop, text(server), "a1"), scratch)
    script = script_of(shop, text(server), "a1:head")
    assert "nowhere" in refused(script, scratch)
    assert "half" in tables(scratch)
    before = state(shop, scratch)

    assert "revision b2 was begun and is not finished" in refused(script, scratch)
    with pytest.raises(InDoubtError, match="a script stopped in the middle of revision b2"):
        upgrade(shop.on(scratch))
    (finding,) = [
        each for each in repair(shop.on(scratch)).findings if each.rule == "interrupted-revision"
    ]
    assert "a script stopped in the middle of revision b2" in finding.message
    assert any(each.rule == "interrupted-revision" for each in status(shop.on(scratch)).findings)
    assert [each["status"] for each in history(shop.on(scratch)).data["events"]][-1] == "started"
    assert state(shop, scratch) == before

    execute(scratch, "DROP TABLE half")
    repair(shop.on(scratch), mark_reverted=True, reason="undone by hand")
    execute(scratch, "CREATE TABLE nowhere (n INTEGER)")
    run(script, scratch)
    assert status(shop.on(scratch)).data["current"] == ["b2"]


@pytest.mark.backends("sqlite", "postgresql")
def test_a_transaction_that_fails_leaves_nothing(
    project: MakeProject, server: Server, scratch: ScratchDatabase
) -> None:
    shop = project(versions={"a1.py": FIRST, "b2.py": HALF})
    run(script_of(shop, text(server), "a1"), scratch)
    before = state(shop, scratch)
    script = script_of(shop, text(server), "a1:head")
    assert "nowhere" in refused(script, scratch)
    assert state(shop, scratch) == before
    execute(scratch, "CREATE TABLE nowhere (n INTEGER)")
    run(script, scratch)


def test_it_does_not_wait_for_another_migrator(
    project: MakeProject, server: Server, scratch: ScratchDatabase, backend: Backend
) -> None:
    shop = shop_of(project)
    script = script_of(shop, text(server))
    with connected(scratch.url) as connection:
        if backend.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            assert "database is locked" in refused(script, scratch)
            connection.rollback()
        else:
            with backend.lock(connection, ".alembic_version", 0, "a run"):
                said = refused(script, scratch)
            assert "another migrator holds the lock: " in said
            assert re.search(r"(session|server process) \d+", said)
    assert tables(scratch) == set()
    run(script, scratch)


SLEEPS = {"postgresql": "SELECT pg_sleep(4)", "mariadb": "SELECT SLEEP(4)", "mysql": "DO SLEEP(4)"}


@pytest.mark.backends("postgresql", "mariadb", "mysql")
def test_an_upgrade_waits_for_a_script(
    project: MakeProject, server: Server, scratch: ScratchDatabase, backend_name: str
) -> None:
    sleeps = revision("b2", f'op.execute("{SLEEPS[backend_name]}")', down="a1")
    shop = project(versions={"a1.py": FIRST, "b2.py": sleeps})
    script = script_of(shop, text(server))
    thread = threading.Thread(target=by_hand, args=(script, scratch))
    thread.start()
    try:
        said = _waited_in_vain(shop, scratch)
    finally:
        thread.join()
    if backend_name == "postgresql":
        assert "topchef-db script" in said
    assert status(shop.on(scratch)).data["current"] == ["b2"]


def _waited_in_vain(shop: Whole, scratch: ScratchDatabase) -> str:
    held = {
        "postgresql": "SELECT 1 FROM pg_locks l JOIN pg_database d ON d.oid = l.database "
        "WHERE l.locktype = 'advisory' AND d.datname = current_database()"
    }
    question = held.get(scratch.url.get_backend_name(), "SHOW TABLES LIKE 'alembic_version'")
    end = time.monotonic() + 20
    while not query(scratch, question):
        assert time.monotonic() < end, "the script did not begin"
        time.sleep(0.05)
    with pytest.raises(LockedError) as caught:
        upgrade(shop.on(scratch), lock_timeout=0)
    return caught.value.message


@contextmanager
def reader(backend: Backend, scratch: ScratchDatabase) -> Iterator[None]:
    """Hold a transaction open that has read the table."""
    with connected(scratch.url) as connection:
        connection.exec_driver_sql("BEGIN" if backend.name == "sqlite" else "SELECT 1")
        connection.exec_driver_sql("SELECT * FROM dish").all()
        yield
        connection.rollback()


def test_nobody_waits_long_for_it(
    project: MakeProject, server: Server, scratch: ScratchDatabase, backend: Backend
) -> None:
    shop = shop_of(project)
    upgrade(shop.on(scratch), "a1")
    script = script_of(shop, text(server), "b2", ddl_lock_timeout=1)
    with reader(backend, scratch):
        started = time.monotonic()
        said = refused(script, scratch).lower()
        assert time.monotonic() - started < 15
    assert "timeout" in said or "locked" in said
    assert query(scratch, "SELECT version_num FROM alembic_version") == [("a1",)]


@pytest.mark.backends("postgresql", "mariadb")
def test_statements_are_bounded(
    project: MakeProject, server: Server, scratch: ScratchDatabase, backend_name: str
) -> None:
    sleeps = revision("b2", f'op.execute("{SLEEPS[backend_name]}")', down="a1")
    shop = project(versions={"a1.py": FIRST, "b2.py": sleeps})
    script = script_of(shop, text(server), statement_timeout=1)
    done = by_hand(script, scratch)
    if backend_name == "postgresql":
        assert "statement timeout" in done.stderr
    else:
        assert "max_statement_time exceeded" in done.stderr


def test_the_history_tells_that_it_was_a_script(
    project: MakeProject, server: Server, scratch: ScratchDatabase, backend: Backend
) -> None:
    shop = shop_of(project)
    run(script_of(shop, text(server), "base:b2"), scratch)
    upgrade(shop.on(scratch))
    events = [each for each in history(shop.on(scratch)).data["events"] if each["finished_at"]]
    assert [(each["revision"], each["status"]) for each in events] == [
        ("a1", "applied"),
        ("b2", "applied"),
        ("c3", "applied"),
    ]
    by_script, ours = events[0], events[-1]
    assert by_script["run_id"].startswith("script-")
    assert by_script["by"].startswith("a script")
    assert by_script["host"] is by_script["os_user"] is by_script["git_commit"] is None
    assert ours["host"] is not None
    assert by_script["database_user"] == ours["database_user"]
    assert len(by_script["file_sha256"]) == len(ours["file_sha256"])
    started = by_script["started_at"][:16]
    assert abs(time.time() - time.mktime(time.strptime(started, "%Y-%m-%dT%H:%M"))) < 14 * 3600 + 99


def test_without_history(project: MakeProject, server: Server, scratch: ScratchDatabase) -> None:
    shop = shop_of(project)
    script = script_of(shop, text(server), history=False)
    assert "topchef_history" not in script
    run(script, scratch)
    assert tables(scratch) == {"alembic_version", "dish", "cook"}
    assert "already" in refused(script, scratch)


@pytest.mark.parametrize("on", ["sqlite", "postgresql", "mysql", "mariadb", "mssql", "oracle"])
def test_it_is_the_same_on_every_run(project: MakeProject, on: str) -> None:
    shop = shop_of(project)
    texts = set()
    for seed in ("1", "2", "3"):
        done = subprocess.run(
            [sys.executable, "-m", "topchef_schema", "sql", "--on", on],
            cwd=shop.root,
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": f"X{seed}", "HOSTNAME": seed},
            capture_output=True,
            check=True,
        )
        texts.add(done.stdout)
    assert len(texts) == 1


VARIES = {
    "uuid": ("import uuid", "uuid.uuid4().hex"),
    "clock": ("import datetime", "str(datetime.datetime.now())"),
    "day": ("import datetime", "str(datetime.date.today())"),
    "set": ("", 'str({w for w in "abcdefghijkl"})'),
}


def test_a_revision_that_fails_leaves_no_files_of_the_second_recording(
    project: MakeProject,
) -> None:
    up = 'import uuid\nop.execute("SELECT 1")\nraise ValueError(uuid.NAMESPACE_DNS)'
    shop = project(versions={"a1.py": FIRST, "b2.py": revision("b2", up, down="a1")})
    folder = shop.root / "tmp"
    folder.mkdir()
    done = shop.program("sql", "--on", "postgresql", TMPDIR=str(folder))
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("case", VARIES)
def test_values_that_differ_each_time_are_named(project: MakeProject, case: str) -> None:
    first, value = VARIES[case]
    up = f'{first}\nop.execute("INSERT INTO dish VALUES (\'" + {value}.replace("\'", \'\') + "\')")'
    shop = project(versions={"a1.py": FIRST, "b2.py": revision("b2", up, down="a1")})
    report = sql(shop.load(), on=["postgresql"])
    (finding,) = report.findings
    assert (finding.rule, finding.revision, str(finding.severity)) == (
        "not-deterministic",
        "b2",
        "warning",
    )
    assert finding.line == shop.line("b2", "INSERT")
    assert finding.before != finding.after
    assert "not deterministic" in (report.script or "")
    assert sql(shop.load(), on=["postgresql"], strict=True).exit_code() == 10


def test_what_gives_the_same_each_time_is_not_named(project: MakeProject) -> None:
    up = "import uuid\nop.execute(f\"INSERT INTO dish VALUES ('{uuid.UUID(int=7)}')\")"
    shop = project(versions={"a1.py": FIRST, "b2.py": revision("b2", up, down="a1")})
    assert sql(shop.load(), on=["postgresql"]).findings == ()


def test_a_long_script_is_never_held_as_a_whole(project: MakeProject) -> None:
    shop = project(versions=synthetic.linear(300))
    report = sql.__wrapped__(shop.load(), on=["sqlite"])
    size = len("".join(report.pieces))
    tracemalloc.start()
    try:
        for _ in report.pieces:
            pass
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size > 300_000
    assert most < size / 3


def test_down_names_what_it_does_not_bring_back(project: MakeProject) -> None:
    drops = revision(
        "b2",
        'op.drop_column("dish", "price")',
        'op.add_column("dish", sa.Column("price", sa.Integer))',
        down="a1",
    )
    shop = project(versions={"a1.py": FIRST, "b2.py": drops})
    script = script_of(shop, "postgresql", "b2", down=True)
    (line,) = [each for each in script.splitlines() if "drops the column" in each]
    assert line == "--   b2 drops the column dish.price"
    assert "What it does not bring back" in script.partition(line)[0]


MADE = (
    "CREATE SEQUENCE numbers",
    "COMMENT ON COLUMN dish.price IS 'in cents'",
    "GRANT SELECT ON TABLE dish TO PUBLIC",
    "CREATE MATERIALIZED VIEW menu AS SELECT name FROM dish WHERE price IS DISTINCT FROM id",
)
TAKEN = (
    "DROP MATERIALIZED VIEW menu",
    "REVOKE SELECT ON dish FROM PUBLIC",
    "COMMENT ON COLUMN dish.price IS NULL",
    "DROP SEQUENCE numbers",
)


def test_what_stands_on_top_are_tables_and_all_that_is_taken_away(project: MakeProject) -> None:
    up, down_body = ("\n".join(f'op.execute("{sql}")' for sql in each) for each in (MADE, TAKEN))
    shop = project(versions={"a1.py": FIRST, "b2.py": revision("b2", up, down_body, down="a1")})
    top = script_of(shop, "postgresql", "b2", down=True).partition("\n\n")[0].splitlines()
    assert "--   b2                 4  a revision (dish)" in top
    assert top[-2:] == [
        "--   b2 drops the materialized view menu",
        "--   b2 drops the sequence numbers",
    ]


def test_what_a_dead_run_left_of_a_finished_revision_is_no_obstacle(
    project: MakeProject, server: Server, scratch: ScratchDatabase, backend_name: str
) -> None:
    shop = shop_of(project)
    upgrade(shop.on(scratch), "b2")
    script = script_of(shop, text(server), "b2:head")
    (finished,) = query(scratch, "SELECT run_id FROM topchef_history WHERE revision = 'b2'")[0]
    with connected(scratch.url) as connection:
        journal.create(connection, None)
        connection.commit()
    before = {"mariadb": "`before`", "mysql": "`before`"}.get(backend_name, '"before"')
    sql_ = {"mariadb": "`sql`", "mysql": "`sql`"}.get(backend_name, '"sql"')
    names = f"revision, position, run_id, direction, fingerprint, alone, {before}, {sql_}"
    row = "'b2', 0, '{}', 'up', 'x', false, NULL, 'x'"
    execute(scratch, f"INSERT INTO topchef_journal ({names}) VALUES ({row.format('another')})")
    assert "revision b2 was begun and is not finished" in refused(script, scratch)
    execute(scratch, f"UPDATE topchef_journal SET run_id = '{finished}'")
    run(script, scratch)
