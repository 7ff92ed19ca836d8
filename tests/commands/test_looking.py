"""Looking does not write: no file, no table, with a user who may only read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.backends.connections import connected
from tests.whole_projects import MakeProject, Whole, call, execute, query, tables, text
from topchef_schema import upgrade
from topchef_schema.stages import journal

if TYPE_CHECKING:
    from sqlalchemy import URL

    from topchef_schema.backends.base import Backend, ScratchDatabase, Server

LOOKS = [
    ("status",),
    ("status", "--check"),
    ("current",),
    ("history",),
    ("upgrade", "--dry-run"),
    ("downgrade", "base", "--dry-run"),
    ("plan",),
    ("snapshot",),
    ("sql", "--on", "sqlite"),
]


@pytest.mark.fact(24)
@pytest.mark.parametrize("look", LOOKS, ids=" ".join)
def test_no_file_is_made(project: MakeProject, look: tuple[str, ...]) -> None:
    shop = project("linear", ini="sqlalchemy.url = sqlite:///app.db")
    done = shop.call(*look)
    expected = {"snapshot": 3, "status --check": 10}.get(" ".join(look), 0)
    assert done.returncode == expected, done.stderr
    assert [each.name for each in shop.root.glob("app.db*")] == []


@pytest.mark.parametrize("look", LOOKS, ids=" ".join)
def test_nothing_is_made_in_an_empty_database(
    project: MakeProject, scratch: ScratchDatabase, look: tuple[str, ...]
) -> None:
    project("linear")
    done = call(*look, "--url", text(scratch))
    assert done.returncode == (10 if "--check" in look else 0), done.stderr
    assert tables(scratch) == set()


@pytest.fixture
def reader(server: Server, scratch: ScratchDatabase, backend: Backend) -> Iterator[URL]:
    """Return the URL of a user who may read what is in the scratch database, and nothing else."""
    name = f"r{scratch.name[-12:]}"
    administrator = server.url.render_as_string(hide_password=False)
    if backend.name == "postgresql":
        execute(administrator, f"CREATE ROLE {name} LOGIN PASSWORD 'reading'")
        execute(administrator, f"GRANT CONNECT ON DATABASE {scratch.name} TO {name}")
        in_it = server.url.set(database=scratch.name).render_as_string(hide_password=False)
        execute(
            in_it, f"GRANT pg_read_all_data TO {name}", "REVOKE CREATE ON SCHEMA public FROM PUBLIC"
        )
        yield scratch.url.set(username=name, password="reading")
        execute(in_it, f"DROP OWNED BY {name}")
        execute(administrator, f"DROP ROLE {name}")
        return
    for host in ("%%", "localhost"):
        execute(
            administrator,
            f"CREATE USER '{name}'@'{host}' IDENTIFIED BY 'reading'",
            f"GRANT SELECT ON `{scratch.name}`.* TO '{name}'@'{host}'",
        )
    yield scratch.url.set(username=name, password="reading")
    for host in ("%%", "localhost"):
        execute(administrator, f"DROP USER '{name}'@'{host}'")


@pytest.mark.backends("postgresql", "mariadb", "mysql")
def test_a_reader_can_look(project: MakeProject, scratch: ScratchDatabase, reader: URL) -> None:
    shop = project("linear")
    upgrade(shop.on(scratch), "bb20")
    url = reader.render_as_string(hide_password=False)
    for look in LOOKS:
        done = call(*look, "--url", url)
        assert done.returncode == (10 if "--check" in look else 0), done.stderr
    before = query(scratch, "SELECT * FROM topchef_history")
    for write in (("upgrade",), ("downgrade", "base"), ("stamp", "head"), ("history", "--drop")):
        done = call(*write, "--url", url)
        assert done.returncode in (3, 5), done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert "reading" not in done.stderr
    assert query(scratch, "SELECT version_num FROM alembic_version") == [("bb20",)]
    assert query(scratch, "SELECT * FROM topchef_history") == before


@pytest.mark.backends("postgresql", "mariadb", "mysql")
@pytest.mark.parametrize("env", ["usual", "step_by_step"])
def test_a_reader_who_may_not_see_the_history(
    project: MakeProject,
    scratch: ScratchDatabase,
    server: Server,
    backend: Backend,
    reader: URL,
    *,
    env: str,
) -> None:
    shop = project("linear", env=env)
    upgrade(shop.on(scratch), "bb20")
    with connected(scratch.url) as connection:
        journal.create(connection, None)
        connection.commit()
    in_it = server.url.set(database=scratch.name).render_as_string(hide_password=False)
    if backend.name == "postgresql":
        execute(
            in_it,
            f"REVOKE pg_read_all_data FROM {reader.username}",
            f"GRANT SELECT ON alembic_version TO {reader.username}",
        )
    else:
        for host in ("%%", "localhost"):
            who = f"'{reader.username}'@'{host}'"
            execute(
                in_it,
                f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM {who}",
                f"GRANT SELECT ON `{scratch.name}`.alembic_version TO {who}",
            )
    url = reader.render_as_string(hide_password=False)
    for look in (("status",), ("history",), ("upgrade", "--dry-run")):
        done = call(*look, "--url", url)
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("the history cannot be read: ") == 1
    assert "bb20" in call("status", "--url", url).stdout
    rows = json.loads(call("history", "--format", "json", "--url", url).stdout)["data"]["revisions"]
    assert [each["status"] for each in rows] == ["pending", "applied", "applied"]
    done = call("repair", "--url", url)
    assert done.returncode == 3
    assert "it needs SELECT" in done.stderr
    assert "read-only" not in done.stderr


@pytest.mark.backends("postgresql", "mariadb", "mysql")
def test_a_reader_can_look_at_an_empty_database(
    project: MakeProject, scratch: ScratchDatabase, reader: URL
) -> None:
    project("linear")
    url = reader.render_as_string(hide_password=False)
    for look in LOOKS:
        assert call(*look, "--url", url).returncode in (0, 10)
    done = call("upgrade", "--url", url)
    assert done.returncode in (3, 5)
    assert "Traceback" not in done.stderr
    assert tables(scratch) == set()


def read_only(shop: Whole) -> str:
    """Return a URL by which SQLite itself lets nothing be written, whoever runs the tests."""
    return f"sqlite:///file:{shop.file}?mode=ro&uri=true"


@pytest.mark.parametrize("look", LOOKS, ids=" ".join)
def test_a_file_that_may_only_be_read(project: MakeProject, look: tuple[str, ...]) -> None:
    shop = project("linear")
    upgrade(shop.here(), "bb20")
    before = shop.file.read_bytes()
    done = call(*look, "--url", read_only(shop))
    assert done.returncode == (10 if "--check" in look else 0), done.stderr
    assert shop.file.read_bytes() == before


def test_writing_to_a_file_that_may_only_be_read(project: MakeProject) -> None:
    shop = project("linear")
    upgrade(shop.here(), "bb20")
    before = shop.file.read_bytes()
    for write in (("upgrade",), ("downgrade", "base"), ("stamp", "head"), ("history", "--drop")):
        done = call(*write, "--url", read_only(shop))
        assert done.returncode in (3, 5), done.stdout
        assert "Traceback" not in done.stderr
        assert "read" in done.stderr
    assert shop.file.read_bytes() == before


def test_nothing_is_laid_beside_the_file(project: MakeProject) -> None:
    shop = project("linear")
    upgrade(shop.here(), "bb20")
    for left in shop.root.glob("app.db?*"):
        left.unlink()
    for look in LOOKS:
        assert shop.call(*look, "--url", shop.url).returncode in (0, 10)
    assert [each.name for each in shop.root.glob("app.db*")] == ["app.db"]
