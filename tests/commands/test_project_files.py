"""Commands about the project itself: init, merge, branches, heads, show, snapshot, scratch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.servers import Servers
from tests.whole_projects import MakeProject, call, execute, query, reads_toml, tables, text
from topchef_schema import (
    branches,
    current,
    heads,
    init,
    merge,
    roundtrip,
    show,
    snapshot,
    status,
    upgrade,
)
from topchef_schema import scratch as scratch_command
from topchef_schema.backends.base import SCRATCH_PREFIX
from topchef_schema.errors import HistoryError, UnreachableError, UsageError

if TYPE_CHECKING:
    from topchef_schema.backends.base import Backend, ScratchDatabase, Server


@pytest.mark.parametrize(
    "template",
    [
        "generic",
        "async",
        pytest.param("pyproject", marks=reads_toml),
        pytest.param("pyproject_async", marks=reads_toml),
    ],
)
def test_init_makes_a_project_that_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, template: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TOPCHEF_DATABASE_URL", raising=False)
    done = call("init", "new/place", "--template", template)
    assert done.returncode == 0, done.stderr
    place = tmp_path / "new" / "place"
    listed = done.stdout.splitlines()
    assert "new/place/alembic/env.py" in listed
    assert all((tmp_path / line).is_file() for line in listed if line.startswith("new/"))

    monkeypatch.chdir(place)
    driver = "sqlite+aiosqlite" if "async" in template else "sqlite"
    url = ("--url", f"{driver}:///{place}/app.db")
    assert call("heads").returncode == 0
    assert call("status", *url).returncode == 0
    written = call("revision", "-m", "first", "--empty")
    assert written.returncode == 0, written.stderr
    done = call("upgrade", *url)
    assert done.returncode == 0, done.stderr
    assert tables(f"sqlite:///{place}/app.db") == {"alembic_version", "topchef_history"}
    assert "no alembic.ini" not in done.stderr
    again = call("init", ".")
    assert again.returncode == 2
    assert "already" in again.stderr


def test_init_leaves_what_is_there(project: MakeProject) -> None:
    shop = project("linear")
    before = {path: path.read_bytes() for path in shop.root.rglob("*") if path.is_file()}
    for where in (str(shop.root), "."):
        with pytest.raises(UsageError, match="already"):
            init(where)
    assert before == {path: path.read_bytes() for path in shop.root.rglob("*") if path.is_file()}


def test_init_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="klingon") as caught:
        init(str(tmp_path / "new"), template="klingon")
    assert "generic" in caught.value.hint
    assert not (tmp_path / "new").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError):
        init(str(tmp_path / "file"))


@reads_toml
def test_init_in_a_toml_that_is_there(tmp_path: Path) -> None:
    """A pyproject.toml of the application gets the settings of alembic, and keeps its own."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "shop"\n')
    init(str(tmp_path), template="pyproject")
    content = (tmp_path / "pyproject.toml").read_text()
    assert content.startswith('[project]\nname = "shop"\n')
    assert "[tool.alembic]" in content
    (tmp_path / "alembic.ini").unlink()
    (tmp_path / "alembic").rename(tmp_path / "migrations")
    with pytest.raises(UsageError, match="already") as caught:
        init(str(tmp_path))
    assert caught.value.where == str(tmp_path / "pyproject.toml")


def test_merge(project: MakeProject) -> None:
    shop = project("branched")
    report = merge(shop.load(), message="both", branch_label="together")
    (row,) = report.data["revisions"]
    assert (row["down_revisions"], row["message"], row["labels"]) == (
        ["b2b2", "c1c1"],
        "both",
        ["together"],
    )
    assert shop.load().revisions.heads == (row["revision"],)
    assert upgrade(shop.here(), "head").data["current"] == [row["revision"]]
    with pytest.raises(HistoryError, match="nothing to merge"):
        merge(shop.load())
    report = roundtrip(shop.load(), on=["sqlite"])
    assert (report.findings, sum(each.revision is not None for each in report.checks)) == ((), 5)


def test_merge_of_named_revisions(project: MakeProject) -> None:
    shop = project("branched")
    report = merge(shop.load(), ["billing@head", "c1"], rev_id="dddd")
    assert report.data["revisions"][0]["message"] == "merge b2b2 and c1c1"
    for wrong in (["b2b2"], ["b2b2", "b2"], ["base", "b2b2"]):
        with pytest.raises(HistoryError, match="nothing to merge"):
            merge(shop.load(), wrong)
    with pytest.raises(UsageError, match="zz"):
        merge(shop.load(), ["b2b2", "zz"])


def test_branches(project: MakeProject) -> None:
    assert branches(project("branched").load()).data == {
        "branches": [{"revision": "a0a0", "branches": ["b1b1", "c1c1"]}]
    }
    report = branches(project("linear").load())
    assert report.data == {"branches": []}
    assert report.summary == "there are no branches"


def test_heads_current_and_show(project: MakeProject) -> None:
    shop = project("branched")
    assert heads(shop.load()).data["heads"] == ["b2b2", "c1c1"]
    assert current(shop.here()).data == {"current": []}
    upgrade(shop.here())
    assert current(shop.here()).data == {"current": ["b2b2", "c1c1"]}
    (row,) = show(shop.load(), "shipping@head").data["revisions"]
    assert row == {
        "revision": "c1c1",
        "down_revisions": ["a0a0"],
        "depends_on": ["b1b1"],
        "labels": ["shipping"],
        "message": "parcels, which name their invoices",
        "doc": "parcels, which name their invoices",
        "path": "alembic/versions/c1_parcels.py",
    }
    assert show(shop.load(), "base").data == {"revisions": []}


def test_project_without_revisions(project: MakeProject) -> None:
    shop = project()
    assert heads(shop.load()).data["heads"] == []
    assert branches(shop.load()).data == {"branches": []}
    assert status(shop.here()).data == {"current": [], "heads": [], "pending": []}
    assert upgrade(shop.here()).checks == ()
    assert roundtrip(shop.load(), on=["sqlite"]).checks == ()
    assert not shop.file.exists()


def test_snapshot(project: MakeProject, scratch: ScratchDatabase) -> None:
    shop = project("linear")
    # A MySQL or MariaDB database has a character set, whatever is in it.
    assert set(snapshot(shop.on(scratch)).data["objects"]) <= {"database"}
    upgrade(shop.on(scratch))
    found = snapshot(shop.on(scratch)).data
    assert list(found["objects"]) == sorted(found["objects"])
    assert not [key for key in found["objects"] if "topchef_" in key or "alembic" in key]
    assert any(key.endswith("books.title") for key in found["objects"])
    assert scratch.name not in json.dumps(found)
    execute(scratch, "INSERT INTO authors (id, name) VALUES (5, 'ada')")
    assert snapshot(shop.on(scratch)).data == found


def test_snapshots_of_equal_schemas_are_equal_byte_for_byte(
    project: MakeProject, server: Server
) -> None:
    shop = project("linear")
    said = []
    for target in ("head", "head"):
        database = server.create()
        try:
            upgrade(shop.on(database), target)
            done = shop.call("snapshot", "--url", text(database), "--format", "json")
            document = json.loads(done.stdout)
            del document["target"], document["seconds"]
            said.append(json.dumps(document))
        finally:
            server.drop(database)
    assert said[0] == said[1]


def test_snapshot_of_nothing(project: MakeProject) -> None:
    shop = project("linear")
    with pytest.raises(UnreachableError, match="does not exist"):
        snapshot(shop.here())
    assert not shop.file.exists()


@pytest.mark.backends("postgresql", "mariadb", "mysql")
def test_scratch_lists_and_cleans(
    project: MakeProject, private_servers: Servers, backend: Backend
) -> None:
    shop = project("linear")
    server = private_servers[backend.name]
    url = text(server)
    left = SCRATCH_PREFIX + "0123456789ab"
    _create(url, left)
    in_use = server.create()
    try:
        found = scratch_command(shop.load(), on=[url])
        assert {"backend": backend.name, "name": left} in found.data["leftovers"]
        assert in_use.name not in json.dumps(found.data)
        assert found.data["removed"] is False
        assert left in databases(url, backend)

        cleaned = scratch_command(shop.load(), on=[url], clean=True)
        assert cleaned.data["removed"] is True
        assert left not in databases(url, backend)
        assert in_use.name in databases(url, backend)
        assert scratch_command(shop.load(), on=[url]).data["leftovers"] == []
    finally:
        server.drop(in_use)


def _create(url: str, name: str) -> None:
    """CREATE DATABASE outside a transaction."""
    import sqlalchemy as sa

    engine = sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()


def databases(url: str, backend: Backend) -> list[str]:
    question = (
        "SELECT datname FROM pg_database" if backend.name == "postgresql" else "SHOW DATABASES"
    )
    return [row[0] for row in query(url, question)]


def test_scratch_without_a_named_server(
    project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TOPCHEF_POSTGRESQL_SERVER", raising=False)
    report = scratch_command(project("linear").load(), on=["postgresql"])
    assert report.data == {"leftovers": [], "removed": False}
