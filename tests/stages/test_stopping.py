"""A signal ends a run after the statement under way; the next run ends where it would have."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.whole_projects import MakeProject, Whole, query, revision, tables, text
from topchef_schema import history, status
from topchef_schema.model import JOURNAL_TABLE

if TYPE_CHECKING:
    from topchef_schema.backends.base import Backend, ScratchDatabase

# They take long, and what they try depends on the servers more than on versions.
pytestmark = [pytest.mark.whole_run, pytest.mark.sampled]

SLEEPS = {
    "postgresql": "SELECT pg_sleep({0})",
    "mariadb": "DO SLEEP({0})",
    "mysql": "DO SLEEP({0})",
    # As many rows as take about a second; the library itself cannot sleep.
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
    " WHERE i < 6000000 * {0}) SELECT count(*) FROM n",
}

FIRST = revision("a1", 'op.create_table("first", sa.Column("id", sa.Integer))', down=None)
SECOND = """\
import pathlib
op.create_table("half", sa.Column("id", sa.Integer))
op.execute("INSERT INTO half VALUES (1)")
pathlib.Path("started").touch()
op.execute("{sleep}")
op.execute("INSERT INTO half VALUES (2)")
op.create_table("whole", sa.Column("id", sa.Integer))
"""
DOWN = """\
import pathlib
op.drop_table("whole")
pathlib.Path("started").touch()
op.execute("{sleep}")
op.drop_table("half")
"""


def slow(
    project: MakeProject,
    backend: Backend,
    seconds: int,
    *,
    each: bool = True,
    env: str = "usual",
    drivers: str = "",
) -> Whole:
    """A project whose second revision sleeps in the server, with a transaction for *each*."""
    sleep = SLEEPS[backend.name].format(seconds)
    second = revision("b2", SECOND.format(sleep=sleep), DOWN.format(sleep=sleep), down="a1")
    third = revision("c3", 'op.create_table("third", sa.Column("id", sa.Integer))', down="b2")
    return project(
        env=env,
        settings=f"transaction_per_migration = {each}\ndrivers = {drivers}",
        versions={"a1.py": FIRST, "b2.py": second, "c3.py": third},
    )


def begun(shop: Whole, database: ScratchDatabase, *arguments: str) -> subprocess.Popen[str]:
    """Start a run, and return when its slow statement is under way."""
    started = shop.root / "started"
    started.unlink(missing_ok=True)
    process = shop.start(*arguments, "--url-env", "SHOP", SHOP=text(database))
    end = time.monotonic() + 60
    while not started.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)
    time.sleep(0.4)
    return process


def ended(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, ""), err
    assert "Traceback" not in err, err
    return err


def finished(shop: Whole, database: ScratchDatabase, *arguments: str) -> None:
    """Run again; the lock is free."""
    done = shop.program(*arguments, "--lock-timeout", "2", "--url-env", "SHOP", SHOP=text(database))
    assert done.returncode == 0, done.stderr
    if JOURNAL_TABLE in tables(database):
        assert query(database, f"SELECT * FROM {JOURNAL_TABLE}") == []


def settled(shop: Whole, database: ScratchDatabase) -> list[tuple[str, str]]:
    events = history(shop.on(database)).data["events"]
    return [(each["revision"], each["status"]) for each in events]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])
def test_the_statement_under_way_is_the_last(
    project: MakeProject, scratch: ScratchDatabase, backend: Backend, number: signal.Signals
) -> None:
    shop = slow(project, backend, 2)
    process = begun(shop, scratch, "upgrade")
    os.kill(process.pid, number)
    err = ended(process)
    assert "ending after the statement that runs now" in err
    assert "of this run, these stay done: a1" in err
    assert "the next run continues" in err
    assert list(status(shop.on(scratch)).data["current"]) == ["a1"]
    if backend.transactional_ddl:
        assert "; undone: b2" in err
        assert "half" not in tables(scratch)
    else:
        assert "gone on with by the next run: b2" in err
        assert "half" in tables(scratch)
    finished(shop, scratch, "upgrade")
    assert sorted(query(scratch, "SELECT id FROM half")) == [(1,), (2,)]
    assert settled(shop, scratch) == [(each, "applied") for each in ("a1", "b2", "c3")]

    process = begun(shop, scratch, "downgrade", "a1", "--yes", "--accept-data-loss")
    os.kill(process.pid, number)
    assert "these stay done: c3" in ended(process)
    finished(shop, scratch, "downgrade", "a1", "--yes", "--accept-data-loss")
    assert "half" not in tables(scratch)
    assert settled(shop, scratch)[3:] == [("c3", "reverted"), ("b2", "reverted")]


@pytest.mark.backends("postgresql")
def test_one_transaction_around_all_is_undone(
    project: MakeProject, scratch: ScratchDatabase, backend: Backend
) -> None:
    shop = slow(project, backend, 2, each=False)
    process = begun(shop, scratch, "upgrade")
    os.kill(process.pid, signal.SIGTERM)
    err = ended(process)
    assert "nothing of this run stays; undone: a1, b2" in err
    finished(shop, scratch, "upgrade")
    assert settled(shop, scratch) == [(each, "applied") for each in ("a1", "b2", "c3")]


@pytest.mark.backends("sqlite", "postgresql")
def test_the_statement_of_an_async_driver_is_let_finish(
    project: MakeProject, scratch: ScratchDatabase, backend: Backend
) -> None:
    drivers = "postgresql = asyncpg, sqlite = aiosqlite"
    shop = slow(project, backend, 2, env="asynchronous", drivers=drivers)
    process = begun(shop, scratch, "upgrade")
    os.kill(process.pid, signal.SIGTERM)
    err = ended(process)
    assert "of this run, these stay done: a1; undone: b2" in err
    finished(shop, scratch, "upgrade")
    assert sorted(query(scratch, "SELECT id FROM half")) == [(1,), (2,)]


@pytest.mark.backends("sqlite", "postgresql")
def test_after_the_last_statement_the_run_is_finished(
    project: MakeProject, scratch: ScratchDatabase, backend: Backend
) -> None:
    sleep = SLEEPS[backend.name].format(2)
    last = f'import pathlib\npathlib.Path("started").touch()\nop.execute("{sleep}")'
    shop = project(versions={"a1.py": FIRST, "b2.py": revision("b2", last, down="a1")})
    process = begun(shop, scratch, "upgrade")
    os.kill(process.pid, signal.SIGTERM)
    assert "of this run, these stay done: a1, b2\n" in ended(process)
    assert settled(shop, scratch) == [("a1", "applied"), ("b2", "applied")]


def test_a_second_signal_ends_at_once(
    project: MakeProject, scratch: ScratchDatabase, backend: Backend
) -> None:
    shop = slow(project, backend, 25)
    process = begun(shop, scratch, "upgrade")
    began = time.monotonic()
    os.kill(process.pid, signal.SIGTERM)
    time.sleep(0.3)
    os.kill(process.pid, signal.SIGTERM)
    ended(process)
    assert time.monotonic() - began < 8
