"""Of many that start at once one migrates; the others wait for it, and find nothing left."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.busy_migrator import wait_for
from tests.documents_of_reports import checked
from tests.whole_projects import MakeProject, Whole, query, revision, start, tables, text
from topchef_schema import history, repair, status, upgrade

if TYPE_CHECKING:
    from pathlib import Path

    from topchef_schema.backends.base import Backend, ScratchDatabase, Server

# They take long, and what they try depends on the servers more than on versions.
pytestmark = [pytest.mark.whole_run, pytest.mark.sampled]

STOPS = """\
import pathlib, time
pathlib.Path("started").touch()
while not pathlib.Path("go").exists():
    time.sleep(0.02)
"""


def started(shop: Whole, database: ScratchDatabase) -> subprocess.Popen[str]:
    """Start an upgrade, and return when it holds the lock and waits for the file ``go``."""
    process = shop.start("upgrade", "--url-env", "SHOP", SHOP=text(database))
    end = time.monotonic() + 60
    while not (shop.root / "started").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)
    return process


def succeeded(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out


@pytest.mark.fact(1)
def test_eight_at_once(project: MakeProject, server: Server, *, exhaustive: bool) -> None:
    shop = project("linear")
    for _ in range(3 if exhaustive else 1):
        database = server.create()
        try:
            processes = [
                shop.start("upgrade", "--url-env", "SHOP", "--format", "json", SHOP=text(database))
                for _ in range(8)
            ]
            steps = [len(checked(succeeded(process))["checks"]) for process in processes]
            assert sorted(steps) == [0] * 7 + [3]
            rows = history(shop.on(database)).data["events"]
            assert [(row["revision"], row["status"]) for row in rows] == [
                ("aa10", "applied"),
                ("bb20", "applied"),
                ("cc30", "applied"),
            ]
            assert len({row["run_id"] for row in rows}) == 1
        finally:
            server.drop(database)


def test_four_first_runs_of_the_packaged_project_at_once(
    scratch: ScratchDatabase, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "topchef_schema", "upgrade", "--url", text(scratch)]
    processes = [start(command, tmp_path, {}) for _ in range(4)]
    for each in processes:
        _, said = each.communicate(timeout=120)
        assert each.returncode == 0, said
        assert "cannot be read" not in said
    assert {"services", "jobs", "job_sets"} <= tables(scratch)


def test_the_holder_is_named_by_its_run(
    project: MakeProject, scratch: ScratchDatabase, backend: Backend
) -> None:
    shop = project(versions={"a1.py": revision("a1", STOPS)})
    holder = started(shop, scratch)
    done = shop.call("upgrade", "--url", text(scratch), "--lock-timeout", "0")
    (shop.root / "go").touch()
    succeeded(holder)
    assert (done.returncode, done.stdout) == (4, "")
    assert "another migrator holds the lock: " in done.stderr
    (run_id,) = {each["run_id"] for each in history(shop.on(scratch)).data["events"]}
    if backend.name in ("mariadb", "mysql"):
        assert re.search(r"session \d+ \(\S+ from ", done.stderr)
    (named,) = re.findall(r"run ([0-9a-f]+)", done.stderr)
    assert len(named) >= 8
    assert run_id.startswith(named)
    assert " since 20" in done.stderr


@pytest.mark.backends("postgresql", "mariadb", "mysql")
def test_a_revision_that_is_on_the_way_was_not_interrupted(
    project: MakeProject, scratch: ScratchDatabase
) -> None:
    begins = (
        'with op.get_context().autocommit_block():\n    op.execute("CREATE TABLE begun (id INT)")\n'
    )
    shop = project(
        settings="transaction_per_migration = true",
        versions={"a1.py": revision("a1", begins + STOPS)},
    )
    at_work = started(shop, scratch)
    seen = status(shop.on(scratch))
    shown = repair(shop.on(scratch))
    for report in (seen, shown):
        assert [each.rule for each in report.findings] == ["migration-under-way"]
        assert re.search(r"run [0-9a-f]{8}.* since 20", report.findings[0].message)
    assert "a1 is on the way up right now" in seen.findings[0].message
    assert (shown.data, shown.tables) == ({"interrupted": []}, ())

    at_work.kill()
    at_work.communicate()
    (shop.root / "go").touch()
    (left,) = repair(shop.on(scratch)).findings
    assert left.rule == "interrupted-revision"
    succeeded(shop.start("upgrade", "--url", text(scratch)))
    assert (status(shop.on(scratch)).findings, repair(shop.on(scratch)).findings) == ((), ())


@pytest.mark.backends("mariadb", "mysql")
def test_an_upgrade_waits_for_a_downgrade_that_has_begun(
    project: MakeProject, scratch: ScratchDatabase
) -> None:
    """Nothing is pending until that one moves the version row: only its journal tells of it."""
    create, drop = 'op.execute("CREATE TABLE t (id INT)")', 'op.execute("DROP TABLE t")'
    shop = project(versions={"a1.py": revision("a1", create, f"{drop}\n{STOPS}")})
    upgrade(shop.on(scratch))
    down = shop.start("downgrade", "base", "--accept-data-loss", "--url", text(scratch))
    wait_for(shop.root / "started", down)
    up = shop.start("upgrade", "--url", text(scratch))
    with pytest.raises(subprocess.TimeoutExpired):
        up.wait(3)
    (shop.root / "go").touch()
    succeeded(down)
    succeeded(up)
    assert "t" in tables(scratch)


@pytest.mark.fact(3)
@pytest.mark.backends("postgresql")
@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ"])
def test_an_index_is_built_concurrently_while_others_wait(
    project: MakeProject, scratch: ScratchDatabase, isolation: str
) -> None:
    concurrently = (
        "with op.get_context().autocommit_block():\n"
        '    op.create_index("i", "t", ["id"], postgresql_concurrently=True)'
    )
    shop = project(
        settings="transaction_per_migration = true",
        versions={
            "a1.py": revision("a1", 'op.create_table("t", sa.Column("id", sa.Integer))'),
            "b2.py": revision("b2", STOPS + concurrently, down="a1"),
        },
    )
    env = shop.root / "alembic/env.py"
    pool = "poolclass=pool.NullPool"
    env.write_text(env.read_text().replace(pool, f'{pool}, isolation_level="{isolation}"'))
    holder = started(shop, scratch)
    waiters = [shop.start("upgrade", "--url-env", "SHOP", SHOP=text(scratch)) for _ in range(2)]
    sessions = (
        "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'topchef-db run%' "
        "AND datname = current_database()"
    )
    end = time.monotonic() + 60
    while query(scratch, sessions.replace("%", "%%"))[0][0] < 3:
        assert time.monotonic() < end
        time.sleep(0.1)
    (shop.root / "go").touch()
    succeeded(holder)
    for each in waiters:
        assert "now at b2" not in succeeded(each)
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass"
    assert query(scratch, valid) == [(True,)]


LOST = """\
import time
op.create_table("before", sa.Column("id", sa.Integer))
op.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
           "WHERE application_name LIKE 'topchef-db run%' AND datname = current_database()")
time.sleep(1.2)
{more}
"""


@pytest.mark.backends("postgresql")
@pytest.mark.parametrize("more", ['op.create_table("after", sa.Column("id", sa.Integer))', ""])
def test_nothing_is_sent_once_the_lock_is_lost(
    project: MakeProject, scratch: ScratchDatabase, more: str
) -> None:
    shop = project(versions={"a1.py": revision("a1", LOST.format(more=more))})
    done = shop.call("upgrade", "--url", text(scratch))
    assert done.returncode == 5, done.stderr
    assert "ended the session that held the migration lock" in done.stderr
    assert "help: run the same command again" in done.stderr
    assert not {"before", "after"} & tables(scratch)
