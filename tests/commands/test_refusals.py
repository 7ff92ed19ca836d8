"""What a person does wrong gets one clear message and its code, and nothing is changed."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from tests.whole_projects import MakeProject, call, execute, query, revision, tables, text
from topchef_schema import stamp, upgrade

if TYPE_CHECKING:
    import subprocess

    from topchef_schema.backends.base import Backend, ScratchDatabase


def refused(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """Assert that a call ended with *code* and one message that holds all *words*."""
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert sum(line.startswith("error: ") for line in done.stderr.splitlines()) == 1
    assert done.stderr.count("where: ") == 1
    assert done.stderr.count(" help: ") == 1
    for each in words:
        assert each in done.stderr, done.stderr


def state(database: ScratchDatabase) -> tuple[object, ...]:
    """Return what a refused call must leave as it was."""
    found = tables(database)
    rows = [
        sorted(map(str, query(database, f"SELECT * FROM {name}")))
        for name in ("alembic_version", "topchef_history")
        if name in found
    ]
    return sorted(found), rows


@pytest.fixture
def at_bb20(project: MakeProject, scratch: ScratchDatabase) -> ScratchDatabase:
    """A database of the linear project in the middle of its history."""
    upgrade(project("linear").on(scratch), "bb20")
    return scratch


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("upgrade", "zz"), 2, ("zz",)),
        (("upgrade", "-1"), 2, ("-1",)),
        (("upgrade", "+9"), 2, ("+9",)),
        (("downgrade", "zz"), 2, ("zz",)),
        (("downgrade", "-9"), 2, ()),
        (("downgrade", "+1"), 2, ("+1",)),
        (("downgrade", "nobody@base"), 2, ("nobody",)),
        (("stamp", "zz"), 2, ("zz",)),
        (("stamp", "nobody@base"), 2, ("nobody",)),
        (("show", "zz"), 2, ("zz",)),
        (("history", "zz:head"), 2, ("zz",)),
        (("upgrade", "--lock-timeout", "-1"), 2, ("'--lock-timeout': -1",)),
        (("upgrade", "--retries", "-1"), 2, ("'--retries': -1",)),
        (("upgrade", "--retries", "2", "-1"), 2, ("argument -1",)),
        (("upgrade", "head", "-1"), 2, ("(-1)",)),
        (("upgrade", "--lock-timeout", "soon"), 2, ("soon",)),
        (("upgrade", "head", "bb20"), 2, ("bb20",)),
        (("downgrade",), 2, ("REVISION",)),
        (("stamp",), 2, ("REVISION",)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_arguments(
    at_bb20: ScratchDatabase, arguments: tuple[str, ...], code: int, words: tuple[str, ...]
) -> None:
    before = state(at_bb20)
    url = () if arguments[0] == "show" else ("--url", text(at_bb20))
    refused(call(*arguments, *url), code, *words)
    assert state(at_bb20) == before


def test_database_of_a_newer_release(at_bb20: ScratchDatabase) -> None:
    execute(at_bb20, "UPDATE alembic_version SET version_num = 'ff90'")
    before = state(at_bb20)
    url = ("--url", text(at_bb20))
    for command in (
        ("upgrade",),
        ("upgrade", "--dry-run"),
        ("downgrade", "base"),
        ("stamp", "head"),
        ("status",),
        ("current",),
    ):
        refused(call(*command, *url), 8, "ff90", "does not know")
    assert state(at_bb20) == before
    # Listing goes on, and --purge is the way out.
    assert call("history", *url).returncode == 0
    assert call("snapshot", *url).returncode == 0
    assert call("stamp", "bb20", "--purge", *url).returncode == 0
    assert query(at_bb20, "SELECT version_num FROM alembic_version") == [("bb20",)]


@pytest.mark.backends("postgresql", "mariadb", "mysql")
@pytest.mark.parametrize(
    ("option", "word"), [({"bogus": "1"}, "bogus"), ({"connect_timeout": "soon"}, "soon")]
)
def test_an_option_that_the_driver_does_not_take(
    project: MakeProject, scratch: ScratchDatabase, option: dict[str, str], word: str
) -> None:
    project("linear")
    url = scratch.url.update_query_dict(option).render_as_string(hide_password=False)
    for command in (("upgrade", "--url"), ("status", "--url"), ("roundtrip", "--on")):
        done = call(*command, url)
        refused(done, 3, word)
        assert str(scratch.url.password) not in done.stderr


def test_several_heads(project: MakeProject, scratch: ScratchDatabase) -> None:
    shop = project("branched")
    url = ("--url", text(scratch))
    refused(call("upgrade", "head", *url), 8, "b2b2, c1c1", "topchef-db merge")
    refused(call("stamp", "head", *url), 8, "b2b2, c1c1")
    assert tables(scratch) == set()
    assert call("upgrade", *url).returncode == 0
    before = state(scratch)
    refused(call("downgrade", "-1", *url), 8, "ambiguous", "b2b2", "c1c1")
    assert state(scratch) == before
    refused(shop.call("revision", "-m", "x", "--empty"), 8, "b2b2, c1c1", "--head")


@pytest.fixture
def without_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Work in an empty folder, where TopChef's own project is used."""
    monkeypatch.delenv("TOPCHEF_DATABASE_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    path = list(sys.path)
    yield tmp_path
    sys.path[:] = path


def test_packaged_project_on_somebody_elses_database(
    without_project: Path, scratch: ScratchDatabase
) -> None:
    execute(scratch, "CREATE TABLE theirs (id INTEGER PRIMARY KEY)")
    url = ("--url", text(scratch))
    for command in (("upgrade",), ("stamp", "head"), ("upgrade", "--dry-run")):
        done = call(*command, *url)
        assert "using the project packaged with topchef_schema" in done.stderr
        if "--dry-run" not in command:
            refused(done, 8, "no alembic.ini here, and this database is not TopChef's")
    execute(scratch, "CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)")
    refused(call("upgrade", *url), 8, "is not TopChef's")
    execute(scratch, "INSERT INTO alembic_version VALUES ('theirs')")
    refused(call("upgrade", *url), 8, "is not TopChef's")
    refused(call("downgrade", "base", *url), 8, "is not TopChef's")
    assert tables(scratch) == {"theirs", "alembic_version"}
    assert query(scratch, "SELECT version_num FROM alembic_version") == [("theirs",)]


def test_packaged_project_where_another_first_run_is_at_work(
    without_project: Path, scratch: ScratchDatabase, backend: Backend
) -> None:
    """Its tables come before its first version row: they may be nobody else's."""
    execute(scratch, "CREATE TABLE jobs (id INTEGER PRIMARY KEY)")
    engine = sa.create_engine(scratch.url, poolclass=sa.NullPool)
    with engine.connect() as connection, backend.lock(connection, ".alembic_version", 5):
        done = call("upgrade", "--lock-timeout", "0", "--url", text(scratch))
        refused(done, 4, "another migrator holds the lock")
    refused(call("upgrade", "--url", text(scratch)), 8, "is not TopChef's")


def test_packaged_project_at_home(without_project: Path) -> None:
    done = call("upgrade")
    assert done.returncode == 0, done.stderr
    assert "topchef.db (from default_url of the settings)" in done.stderr
    url = f"sqlite:///{without_project}/topchef.db"
    assert {"services", "jobs", "job_sets"} <= tables(url)
    assert call("upgrade").returncode == 0
    assert call("downgrade", "-1", "--yes").returncode == 0
    assert call("status", "--check").returncode == 10


@pytest.mark.parametrize(
    ("url", "module", "words"),
    [
        ("postgresql://u@127.0.0.1/db", "psycopg", "topchef-schema[postgresql]"),
        ("postgresql+asyncpg://u@127.0.0.1/db", "asyncpg", "topchef-schema[async]"),
        ("mysql://u@127.0.0.1/db", "pymysql", "topchef-schema[mysql]"),
        ("mariadb://u@127.0.0.1/db", "pymysql", "topchef-schema[mariadb]"),
        ("sqlite+aiosqlite:///app.db", "aiosqlite", "topchef-schema[async]"),
    ],
)
def test_missing_driver(
    project: MakeProject, monkeypatch: pytest.MonkeyPatch, url: str, module: str, words: str
) -> None:
    project("linear")
    for each in (module, "psycopg2", "MySQLdb", "mariadb"):
        for loaded in [name for name in sys.modules if name.partition(".")[0] == each]:
            monkeypatch.delitem(sys.modules, loaded)
        monkeypatch.setitem(sys.modules, each, None)
    importlib.invalidate_caches()
    for command in ("upgrade", "status"):
        refused(call(command, "--url", url), 3, words)


@pytest.mark.fact(6)
@pytest.mark.parametrize("scheme", ["postgresql", "mysql", "mariadb"])
def test_no_server(project: MakeProject, scheme: str) -> None:
    project("linear")
    for command in ("upgrade", "status", "snapshot", "history"):
        refused(call(command, "--url", f"{scheme}://u:p@127.0.0.1:1/db"), 3, "server")
    refused(call("roundtrip", "--on", f"{scheme}://u:p@127.0.0.1:1/"), 3, "127.0.0.1")


@pytest.mark.backends("postgresql", "mariadb", "mysql")
def test_no_such_database_and_no_such_user(project: MakeProject, scratch: ScratchDatabase) -> None:
    project("linear")
    elsewhere = scratch.url.set(database="topchef_scratch_nowhere")
    for command in ("upgrade", "snapshot"):
        done = call(command, "--url", elsewhere.render_as_string(hide_password=False))
        refused(done, 3, "topchef_scratch_nowhere")
    nobody = scratch.url.set(username="nobody_at_all", password="hunter2")
    done = call("upgrade", "--url", nobody.render_as_string(hide_password=False))
    refused(done, 3)
    assert "hunter2" not in done.stderr


def test_backends_that_are_none(project: MakeProject) -> None:
    project("linear")
    refused(call("roundtrip", "--on", "postgres"), 2, "postgres", "postgresql")
    refused(call("roundtrip", "--on", "oracle"), 3, "Oracle")
    refused(call("roundtrip", "--on", "nosuch://host/"), 2, "nosuch")


def test_revision_with_a_syntax_error(project: MakeProject, scratch: ScratchDatabase) -> None:
    broken = "revision = 'dd40'\ndown_revision = 'cc30'\n\ndef upgrade()\n    pass\n"
    shop = project("linear", versions={"dd40.py": broken})
    refused(call("upgrade", "--url", text(scratch)), 2, "alembic/versions/dd40.py:4", "syntax")
    assert tables(scratch) == set()
    shop.write("alembic/versions/dd40.py", revision("dd40", "pass", down="cc30"))
    assert call("upgrade", "--url", text(scratch)).returncode == 0


def test_no_way_back(project: MakeProject, scratch: ScratchDatabase) -> None:
    project("irreversible")
    url = ("--url", text(scratch))
    assert call("upgrade", *url).returncode == 0
    words = ("c3c3", "no downgrade function", "c3_", "stop at a revision above")
    refused(call("downgrade", "base", *url), 5, *words)
    refused(call("downgrade", "base", "--dry-run", *url), 5, *words)
    refused(call("sql", "--down", "--on", text(scratch)), 5, *words)
    assert {"readings", "sensors", "places", "alarms"} < tables(scratch)
    assert call("downgrade", "c3c3", *url).returncode == 0
    assert "alarms" not in tables(scratch)


def test_stamp_with_nothing(project: MakeProject) -> None:
    from topchef_schema.errors import UsageError

    with pytest.raises(UsageError, match="no revision"):
        stamp(project("linear").here(), [])
