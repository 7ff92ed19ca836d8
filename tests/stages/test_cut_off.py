"""A run that is cut off in a long statement, or loses its server, is finished by the next one."""

from __future__ import annotations

import gc
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cutting import Proxy, through
from tests.killing import End, Runner, Running, database_of
from tests.whole_projects import MakeProject, query, revision

if TYPE_CHECKING:
    from topchef_schema.backends.base import Backend, ScratchDatabase, Server

# They take long, and what they try depends on the servers more than on versions.
pytestmark = [pytest.mark.whole_run, pytest.mark.sampled]

SLEEP = {
    "postgresql": "SELECT pg_sleep(3)",
    "mariadb": "INSERT INTO first (id) SELECT 7 + SLEEP(3)",
    "mysql": "INSERT INTO first (id) SELECT 7 + SLEEP(3)",
    "sqlite": "INSERT INTO first (id) WITH RECURSIVE n (i) AS "
    "(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000000) SELECT max(i) FROM n",
}
FIRST = revision(
    "a1",
    'op.create_table("first", sa.Column("id", sa.Integer))\n'
    'op.execute("INSERT INTO first (id) SELECT 1")',
    'op.drop_table("first")',
)


def between(statement: str) -> str:
    """Return a revision with *statement* between two others."""
    return revision(
        "b2",
        f'op.create_table("second", sa.Column("id", sa.Integer))\nop.execute("""{statement}""")\n'
        'op.create_table("third", sa.Column("id", sa.Integer))',
        'op.drop_table("third")\nop.drop_table("second")',
        down="a1",
    )


def expected_end(runner: Runner, server: Server) -> End:
    with database_of(server) as whole:
        runner.succeed(whole, "upgrade", "heads")
        return runner.end(whole)


def wait_for(
    database: ScratchDatabase, statement: str, running: Running, seconds: float = 60
) -> None:
    """Wait until *running* is in the middle of *statement*."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not running.process.is_alive():
            break
        if any(statement[:40] in each for each in statements_under_way(database)):
            time.sleep(0.2)
            return
        time.sleep(0.05)
    raise AssertionError(running.said)


def statements_under_way(database: ScratchDatabase) -> list[str]:
    if database.url.get_backend_name() == "postgresql":
        rows = query(
            database,
            "SELECT query FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid()",
        )
        return [str(row[0]) for row in rows]
    return [str(row._mapping["Info"]) for row in query(database, "SHOW FULL PROCESSLIST")]


def killed_in(runner: Runner, server: Server, statement: str) -> None:
    """Kill a run in the middle of *statement*, start the next one at once, and compare."""
    expected = expected_end(runner, server)
    with database_of(server) as database:
        running = runner.start(database, "upgrade", "heads")
        if database.url.get_backend_name() == "sqlite":
            while "2/2 up b2" not in running.said:
                time.sleep(0.05)
            time.sleep(0.3)
        else:
            wait_for(database, statement, running)
        assert running.process.is_alive()
        running.kill()
        runner.succeed(database, "upgrade", "heads")
        assert runner.end(database) == expected


def test_killed_in_a_sleep(project: MakeProject, server: Server, backend: Backend) -> None:
    statement = SLEEP[backend.name]
    shop = project(versions={"a1.py": FIRST, "b2.py": between(statement)})
    killed_in(Runner(shop), server, statement)


FILL = (
    "INSERT INTO first (id) WITH RECURSIVE n (i) AS "
    "(SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 900) SELECT a.i FROM n a, n b"
)


@pytest.mark.fact(18)
@pytest.mark.backends("mariadb", "mysql")
def test_killed_in_a_copy(project: MakeProject, server: Server) -> None:
    """The server goes on with a copy whose client is dead: the next run waits for its end."""
    statement = "ALTER TABLE first ADD COLUMN more INTEGER, ALGORITHM=COPY"
    filled = FIRST.replace('SELECT 1")', f'SELECT 1")\n    op.execute("{FILL}")')
    shop = project(versions={"a1.py": filled, "b2.py": between(statement)})
    killed_in(Runner(shop), server, statement)


@pytest.mark.fact(16, 18)
@pytest.mark.backends("postgresql")
def test_killed_while_an_index_is_built_behind_a_writer(
    project: MakeProject, server: Server
) -> None:
    import sqlalchemy as sa

    statement = "CREATE INDEX CONCURRENTLY ix_first ON first (id)"
    block = f'with op.get_context().autocommit_block():\n    op.execute("{statement}")'
    body = between("SELECT 1").replace('op.execute("""SELECT 1""")', block.replace("\n", "\n    "))
    runner = Runner(project(versions={"a1.py": FIRST, "b2.py": body}))
    expected = expected_end(runner, server)
    with database_of(server) as database:
        runner.succeed(database, "upgrade", "a1")
        engine = sa.create_engine(database.url, poolclass=sa.NullPool)
        with engine.connect() as writer:
            writer.exec_driver_sql("INSERT INTO first (id) VALUES (2)")
            running = runner.start(database, "upgrade", "heads")
            wait_for(database, statement, running)
            running.kill()
            again = runner.start(database, "upgrade", "heads")
            time.sleep(1)
            assert again.process.is_alive()
            writer.rollback()
        engine.dispose()
        assert again.ended().code == 0, again.said
        assert runner.end(database) == expected
        assert query(database, "SELECT indisvalid FROM pg_index WHERE NOT indisvalid") == []


SAMPLE = 4


@pytest.mark.backends("postgresql", "mariadb", "mysql")
def test_a_connection_that_is_cut(
    project: MakeProject,
    server: Server,
    rng: random.Random,
    *,
    exhaustive: bool,
) -> None:
    """Cut at some packet that the client sends.

    MySQL's socket lets in the client of a proxy, who does not know that it is one, only as a user
    it has seen.
    """
    runner = Runner(project("interrupted", env="dies"), {"EACH": "1"})
    expected = expected_end(runner, server)
    with database_of(server) as whole, Proxy(whole.url) as proxy:
        query(whole, "SELECT 1")
        runner.succeed(replace(whole, url=through(whole.url, proxy)), "upgrade", "heads")
        packets = range(1, proxy.packets)
    cut = 0
    print(f"{len(packets)} packets")
    for at in packets if exhaustive else sorted(rng.sample(packets, SAMPLE)):
        with database_of(server) as database, Proxy(database.url, at) as proxy:
            query(database, "SELECT 1")
            done = runner.run(
                replace(database, url=through(database.url, proxy)), "upgrade", "heads"
            )
            assert done.code in (0, 3, 5, 6), f"cut at {at}: {done.code} {done.said}"
            cut += done.code != 0
            runner.succeed(database, "upgrade", "heads")
            assert (at, runner.end(database)) == (at, expected)
    print(f"{cut} connections cut")
    assert cut


# PyMySQL leaves the socket of a lost connection open: its error holds the file it reads from.
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.backends("postgresql", "mariadb", "mysql")
def test_a_server_that_is_killed(project: MakeProject, backend: Backend) -> None:
    statement = SLEEP[backend.name]
    shop = project(versions={"a1.py": FIRST, "b2.py": between(statement)})
    runner = Runner(shop)
    server: Any = backend.server()
    try:
        expected = expected_end(runner, server)
        database = server.create()
        running = runner.start(database, "upgrade", "heads")
        wait_for(database, statement, running)
        restarted(server, database)
        assert running.ended().code in (3, 5, 6), running.said
        runner.succeed(database, "upgrade", "heads")
        assert runner.end(database) == expected
    finally:
        # Its own connections are gone, and so it cannot drop what it made.
        server._process.stop()
        gc.collect()  # while what it finds unclosed is still expected


def restarted(server: Any, database: ScratchDatabase) -> None:
    """Kill the throwaway *server* as a power cut does, and start it again on what is left."""
    process = server._process
    program = process._program
    program.kill()
    program.wait()
    process.start(program.args)
    process.wait_until(lambda: _answers(database))


def _answers(database: ScratchDatabase) -> bool:
    from sqlalchemy.exc import DBAPIError

    try:
        return bool(query(database, "SELECT 1"))
    except DBAPIError:
        return False


@pytest.mark.backends("sqlite")
def test_a_file_that_may_not_grow(project: MakeProject, server: Server) -> None:
    """As on a full disk: not as far as the revision needs."""
    filled = between("INSERT INTO first (id) SELECT randomblob(100000) FROM first")
    runner = Runner(project(versions={"a1.py": FIRST, "b2.py": filled}))
    with database_of(server) as database:
        runner.succeed(database, "upgrade", "a1")
        before = runner.end(database)
        done = runner.run(database, "upgrade", "heads", FILE_LIMIT="60000")
        assert done.code == 5, done.said
        assert "nothing else of this run stays" in done.said
        assert runner.end(database).schema == before.schema
        runner.succeed(database, "upgrade", "heads")
        assert runner.end(database).versions == ["b2"]


@pytest.fixture
def disk() -> Iterator[Path]:
    """A disk that can be filled."""
    folder = Path(tempfile.mkdtemp(prefix="disk_"))
    mounted = ["mount", "-t", "tmpfs", "-o", "size=1g,mode=1777", "tmpfs", str(folder)]
    try:
        if subprocess.run(mounted, check=False, capture_output=True).returncode:
            pytest.skip("only root can mount a disk that can be filled")
        yield folder
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
    finally:
        folder.rmdir()


ROOM = 6_000_000
"""Bytes that are left: less than a tenth of what the revision writes."""


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.backends("postgresql", "mariadb", "mysql")
def test_a_full_disk(
    project: MakeProject, backend: Backend, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server may end over it, too."""
    fill = "INSERT INTO first (id) SELECT generate_series(1, 900000)"
    fill = fill if backend.name == "postgresql" else FILL
    runner = Runner(project(versions={"a1.py": FIRST, "b2.py": between(fill)}))
    with monkeypatch.context() as patched:
        patched.setattr(tempfile, "tempdir", str(disk))
        server: Any = backend.server()
    try:
        expected = expected_end(runner, server)
        database = server.create()
        runner.succeed(database, "upgrade", "a1")
        with open(disk / "full", "wb") as full:
            os.posix_fallocate(full.fileno(), 0, shutil.disk_usage(disk).free - ROOM)
        done = runner.run(database, "upgrade", "heads")
        assert done.code in (3, 5, 6), done.said
        # A server that ends over it says nothing of the disk.
        assert "make room, on the disk" in done.said or not _answers(database)
        (disk / "full").unlink()
        if not _answers(database):
            restarted(server, database)
        runner.succeed(database, "upgrade", "heads")
        assert runner.end(database) == expected
    finally:
        server._process.stop()
        gc.collect()
