"""The users of docs/least-privilege.md, made with the SQL of that page, can do what it says."""

from __future__ import annotations

import os
import random
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import make_url

from tests import console
from tests.backends.mysql_schema import SCHEMA
from tests.busy_migrator import at_work
from tests.scripts import script_of
from tests.whole_projects import MakeProject, Whole, call, query, revision, start, tables, text
from topchef_schema import history, upgrade
from topchef_schema.backends import named
from topchef_schema.model import diff

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

    from topchef_schema.backends.base import Server
    from topchef_schema.model import Snapshot

PAGE = Path(__file__).resolve().parent.parent / "docs" / "least-privilege.md"
BLOCKS = {
    line.removeprefix(":name: "): fence.content
    for fence in console.fences(PAGE.read_text(encoding="utf-8"))
    for line in fence.lines
    if line.startswith(":name: ")
}
USER = re.compile(r"CREATE (?:USER|ROLE) '?(\w+)'?.* (?:PASSWORD|IDENTIFIED BY) '([^']+)'")
LOOKS = [("status",), ("history",), ("plan",), ("snapshot",), ("repair",), ("upgrade", "--dry-run")]
WRITES = [("upgrade",), ("downgrade", "base", "--yes"), ("stamp", "head"), ("history", "--drop")]

on_servers = pytest.mark.backends("postgresql", "mariadb", "mysql")
like_mysql = pytest.mark.backends("mariadb", "mysql")


class Shop:
    """A server with the database of the page, and the URLs of its users."""

    def __init__(self, server: Server, backend_name: str) -> None:
        self.server = server
        self.backend_name = backend_name
        of_this = [text for name, text in BLOCKS.items() if name.startswith(backend_name)]
        self.passwords = dict(USER.findall("\n".join(of_this)))

    def follow(self, block: str, database: str | None = None) -> None:
        """Do as administrator what a block of the page says."""
        statements = BLOCKS[f"{self.backend_name}-{block}"].split(";\n")
        self.run(*filter(None, statements), database=database)

    def run(self, *statements: str, database: str | None = None) -> None:
        """Run *statements* as administrator."""
        url = self.server.url if database is None else self.server.url.set(database=database)
        with connected(url) as connection:
            for each in statements:
                connection.exec_driver_sql(each, execution_options={"no_parameters": True})

    def url(self, user: str, database: str | None = "shop") -> str:
        """Return the URL of *user*, made on the page."""
        url: URL = self.server.url.set(username=user, password=self.passwords[user])
        return url.set(database=database).render_as_string(hide_password=False)

    @property
    def administrator(self) -> str:
        """The URL of the administrator in the database."""
        return self.server.url.set(database="shop").render_as_string(hide_password=False)

    def snapshot(self, url: str) -> Snapshot:
        """Return what the user of *url* sees of the schema."""
        with connected(url) as connection:
            return named(self.backend_name).snapshot(connection)


@contextmanager
def connected(url: URL | str) -> Iterator[Connection]:
    import sqlalchemy as sa

    engine = sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


@pytest.fixture
def shop(private_server: Server, backend_name: str) -> Iterator[Shop]:
    """Follow the page on a server of our own, where the names are free."""
    made = Shop(private_server, backend_name)
    kind = "ROLE" if backend_name == "postgresql" else "USER"
    try:
        made.follow("server")
        if backend_name == "postgresql":
            made.follow("database", database="shop")
        made.follow("builder")
        yield made
    finally:
        made.run("DROP DATABASE IF EXISTS shop")
        made.run(*(f"DROP {kind} IF EXISTS {user}" for user in made.passwords))


@on_servers
def test_the_migrator_moves_the_database(project: MakeProject, shop: Shop) -> None:
    project("linear")
    url = shop.url("shop_migrator")
    for move in (
        ("upgrade",),
        ("downgrade", "-1", "--yes", "--accept-data-loss"),
        ("upgrade", "--plan", "plan.json"),
        ("stamp", "head", "--reason", "a test"),
        ("downgrade", "base", "--yes", "--accept-data-loss"),
        ("history", "--drop"),
    ):
        if "plan.json" in move:
            made = call("plan", "--format", "json", "-o", "plan.json", "--url", url)
            assert made.returncode == 0, made.stderr
        done = call(*move, "--url", url)
        assert done.returncode == 0, (move, done.stderr)
    assert tables(shop.administrator) == {"alembic_version"}


@on_servers
def test_the_migrator_adopts_the_database(project: MakeProject, shop: Shop) -> None:
    """Its own rights, and the reader's, are no difference from what the revisions build."""
    whole = project("linear")
    upgrade(whole.load(url=shop.url("shop_migrator")), "bb20", history=False)
    shop.run("DROP TABLE alembic_version", database="shop")
    builder = shop.url("topchef_builder", None)
    done = call("baseline", "--on", builder, "--url", shop.url("shop_migrator"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "equal to what bb20 builds" in done.stdout


@on_servers
def test_the_migrator_runs_scripts(project: MakeProject, shop: Shop) -> None:
    whole = project("linear")
    url = shop.url("shop_migrator")
    client = named(shop.backend_name).scripting.client(make_url(url))
    for down in (False, True):
        done = client.run(script_of(whole, text(shop.server), down=down))
        assert done.returncode == 0, done.stderr
    assert [each["status"] for each in history(whole.load(url=url)).data["events"]][
        -1
    ] == "reverted"


@like_mysql
def test_the_migrator_needs_each_of_its_rights(
    project: MakeProject, shop: Shop, rng: random.Random, *, exhaustive: bool
) -> None:
    project("linear")
    (granted,) = re.findall(r"GRANT (SELECT, INSERT[^;]*?)\s+ON", of_server(shop))
    rights = granted.replace("\n", " ").split(", ")
    assert len(rights) == {"mariadb": 8, "mysql": 9}[shop.backend_name]
    url = shop.url("shop_migrator")
    for right in rights if exhaustive else rng.sample(rights, 2):
        shop.run(f"REVOKE {right} ON shop.* FROM shop_migrator")
        moves = (("upgrade",), ("downgrade", "base", "--yes"))
        codes = [call(*move, "--url", url).returncode for move in moves]
        assert codes != [0, 0], right
        shop.run(f"GRANT {right} ON shop.* TO shop_migrator", "DROP DATABASE shop")
        shop.run("CREATE DATABASE shop CHARACTER SET utf8mb4")
    assert call("upgrade", "--url", url).returncode == 0


def of_server(shop: Shop) -> str:
    return BLOCKS[f"{shop.backend_name}-server"]


@on_servers
def test_the_reader_looks_and_writes_nothing(project: MakeProject, shop: Shop) -> None:
    whole = project("linear")
    upgrade(whole.load(url=shop.url("shop_migrator")), "bb20")
    before = shop.snapshot(shop.administrator), query(shop.administrator, HISTORY)
    for look in LOOKS:
        done = call(*look, "--url", shop.url("shop_reader"))
        assert done.returncode == 0, (look, done.stderr)
        assert "cannot be read" not in done.stderr
    assert call("status", "--check", "--url", shop.url("shop_reader")).returncode == 10
    for write in WRITES:
        done = call(*write, "--url", shop.url("shop_reader"))
        assert done.returncode in (3, 5), (write, done.stdout)
        assert "Traceback" not in done.stderr
        assert "replace-Me" not in done.stdout + done.stderr
    for sql in ("CREATE TABLE mine (id INTEGER)", "DELETE FROM authors", "DROP TABLE books"):
        with pytest.raises(Exception, match=r"denied|must be owner|permission"):
            query(shop.url("shop_reader"), sql)
    assert (shop.snapshot(shop.administrator), query(shop.administrator, HISTORY)) == before
    assert query(shop.administrator, "SELECT version_num FROM alembic_version") == [("bb20",)]


HISTORY = "SELECT run_id, revision, status FROM topchef_history ORDER BY started_at, revision"


@on_servers
def test_what_the_reader_sees_of_the_schema(project: MakeProject, shop: Shop) -> None:
    whole = project("linear")
    upgrade(whole.load(url=shop.url("shop_migrator")))
    seen = shop.snapshot(shop.url("shop_reader"))
    for change in diff(shop.snapshot(shop.administrator), seen).changes:
        assert shop.backend_name != "postgresql"
        assert change.key.startswith("grant ")
        assert "shop_reader" not in change.key


@like_mysql
def test_triggers_and_routines_take_further_rights(shop: Shop) -> None:
    shop.run(*SCHEMA, database="shop")
    whole = set(shop.snapshot(shop.administrator).objects)
    hidden = {key for key in whole if key.split(" ")[0] in ("trigger", "event", "function")}
    hidden.add("procedure clear")
    assert len(hidden) == 4
    reader = set(shop.snapshot(shop.url("shop_reader")).objects)
    assert not reader & hidden
    assert whole - reader - hidden == {"grant database to 'shop_migrator'@'%'"}
    migrator = shop.snapshot(shop.url("shop_migrator")).objects
    assert "view open_jobs" in migrator
    assert "not visible to this user" in migrator["view open_jobs"]
    assert "UPPER" not in migrator.get("trigger jobs.upper_name", "")
    shop.follow("programs")
    assert hidden <= set(shop.snapshot(shop.url("shop_migrator")).objects)


@like_mysql
def test_the_migrator_makes_triggers_and_routines(shop: Shop) -> None:
    shop.follow("programs")
    with connected(shop.url("shop_migrator")) as connection:
        for each in SCHEMA:
            connection.exec_driver_sql(each, execution_options={"no_parameters": True})
    assert "trigger jobs.upper_name" in shop.snapshot(shop.url("shop_migrator")).objects


@on_servers
def test_who_sees_who_holds_the_lock(project: MakeProject, shop: Shop) -> None:
    whole = project("linear")
    upgrade(whole.load(url=shop.url("shop_migrator")))
    administrator = str(shop.server.url.username)

    def refused() -> str:
        done = call("upgrade", "--url", shop.url("shop_migrator"), "--lock-timeout", "0")
        assert done.returncode == 4, done.stdout + done.stderr
        return next(line for line in done.stderr.splitlines() if line.startswith("error:"))

    with at_work(whole, shop.administrator, after="cc30"):
        without = refused()
        shop.follow("holder")
        assert administrator in refused()
        assert re.search(r"(process|session) \d+", without)
        assert (administrator in without) == (shop.backend_name == "postgresql")
        assert ("topchef-db" in without) == (shop.backend_name == "postgresql")


@like_mysql
def test_one_sees_ones_own_sessions(project: MakeProject, shop: Shop) -> None:
    whole = project("linear")
    upgrade(whole.load(url=shop.url("shop_migrator")))
    with at_work(whole, shop.url("shop_migrator"), after="cc30"):
        done = call("upgrade", "--url", shop.url("shop_migrator"), "--lock-timeout", "0")
    assert done.returncode == 4
    assert "shop_migrator from " in done.stderr


@pytest.mark.backends("postgresql")
def test_the_lock_needs_a_second_connection(project: MakeProject, shop: Shop) -> None:
    project("linear")
    shop.run("ALTER ROLE shop_migrator CONNECTION LIMIT 1")
    done = call("upgrade", "--url", shop.url("shop_migrator"))
    assert done.returncode == 3, done.stderr
    assert "two connections" in done.stderr


RUNS_AS = """\
user = op.get_bind().exec_driver_sql("SELECT CURRENT_USER").scalar()
if not user.startswith("topchef_scratch_"):
    raise RuntimeError(f"it runs as {user}")"""
WITHOUT = {
    "postgresql": "ALTER ROLE topchef_builder NOCREATEROLE",
    "mariadb": "REVOKE CREATE USER ON *.* FROM topchef_builder",
    "mysql": "REVOKE CREATE USER ON *.* FROM topchef_builder",
}


@on_servers
def test_the_builder_makes_users_for_the_revisions(project: MakeProject, shop: Shop) -> None:
    project("linear", versions={"dd40_who.py": revision("dd40", RUNS_AS, down="cc30")})
    builder = shop.url("topchef_builder", None)
    done = call("roundtrip", "--on", builder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert call("status", "--url", shop.url("topchef_builder")).returncode == 3
    shop.run(WITHOUT[shop.backend_name])
    done = call("roundtrip", ":cc30", "--on", builder)
    assert done.returncode == 0, done.stderr
    assert "may not create users" in done.stderr
    assert "using a throwaway" in done.stderr
    left = call("scratch", "--on", builder)
    assert left.returncode == 0
    assert "topchef_scratch_" not in left.stdout


def as_reader(whole: Whole, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program as somebody whom the modes of files bind, also where we are root."""
    caps = "-dac_override,-dac_read_search"
    bound = ["setpriv", "--bounding-set", caps, "--inh-caps", caps] if os.geteuid() == 0 else []
    command = [*bound, sys.executable, "-m", "topchef_schema", *arguments]
    process = start(command, whole.root, {})
    out, err = process.communicate(timeout=120)
    return subprocess.CompletedProcess(command, process.returncode, out, err)


@pytest.mark.skipif(sys.platform == "win32", reason="files have other rights there")
def test_files_of_sqlite(project: MakeProject, tmp_path: Path) -> None:
    whole = project("linear")
    folder = tmp_path / "srv"
    folder.mkdir()
    file = folder / "shop.db"
    url = f"sqlite:///{file}"
    upgrade(whole.load(url=url), "bb20")
    commands = BLOCKS["sqlite-files"].replace("/srv/shop", str(folder), 1)
    subprocess.run(["sh", "-ec", commands.replace("/srv/shop", str(folder))], check=True)
    assert as_reader(whole, "upgrade", "--url", url).returncode == 0
    assert as_reader(whole, "downgrade", "bb20", "--yes", "--url", url).returncode == 0
    for path in (file, folder):  # the owner, who is alone here, becomes one of the group
        path.chmod((stat.S_IMODE(path.stat().st_mode) & stat.S_IRWXG) << 3)
    before = file.read_bytes(), sorted(folder.iterdir())
    try:
        for look in LOOKS:
            done = as_reader(whole, *look, "--url", url)
            assert done.returncode == 0, (look, done.stderr)
        for write in WRITES:
            done = as_reader(whole, *write, "--url", url)
            assert done.returncode in (3, 5), (write, done.stdout)
            assert "Traceback" not in done.stderr
        assert (file.read_bytes(), sorted(folder.iterdir())) == before
    finally:
        folder.chmod(0o700)
