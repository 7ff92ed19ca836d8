"""Scratch work on a named server reaches nothing but its own database."""

from __future__ import annotations

import secrets
import signal
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import URL, create_engine, text
from sqlalchemy.pool import NullPool

from tests.backends.connections import connected
from tests.servers import variable
from tests.whole_projects import MakeProject, query, revision, tables
from tests.whole_projects import text as url_of
from topchef_schema import roundtrip, upgrade
from topchef_schema.backends.base import ScratchDatabase, Server
from topchef_schema.stages import scratch as scratch_work

CREATE = {
    "postgresql": ["CREATE ROLE {name} LOGIN CREATEDB PASSWORD '{secret}'"],
    "mysql": [
        "CREATE USER {name}@'%' IDENTIFIED BY '{secret}'",
        "GRANT ALL ON *.* TO {name}@'%'",
        "REVOKE CREATE USER ON *.* FROM {name}@'%'",
    ],
}
CREATE["mariadb"] = CREATE["mysql"]
DROP = {"postgresql": "DROP ROLE {name}", "mysql": "DROP USER {name}@'%'"}
DROP["mariadb"] = DROP["mysql"]


def execute(url: URL, statements: list[str]) -> None:
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


@pytest.fixture
def powerless(private_server: Server, backend_name: str) -> Iterator[URL]:
    """A user who may make databases, and no users."""
    name, secret = "builder" + secrets.token_hex(4), secrets.token_hex(8)
    statements = [each.format(name=name, secret=secret) for each in CREATE[backend_name]]
    execute(private_server.url, statements)
    yield private_server.url.set(username=name, password=secret)
    execute(private_server.url, [DROP[backend_name].format(name=name)])


@pytest.mark.fact(22)
@pytest.mark.backends("postgresql", "mariadb", "mysql")
def test_a_server_where_revisions_cannot_be_confined_is_not_used(
    powerless: URL, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level("INFO", "topchef_schema"),
        scratch_work.place(powerless.render_as_string(hide_password=False)) as place,
    ):
        assert place.server.throwaway
    assert "may not create users" in caplog.text
    assert str(powerless.password) not in caplog.text


@pytest.mark.backends("postgresql", "mariadb", "mysql")
def test_a_server_where_they_can_be_is_used(private_server: Server) -> None:
    with scratch_work.place(private_server.url.render_as_string(hide_password=False)) as place:
        assert not place.server.throwaway
        with place.database() as database:
            assert database.url.username == database.name


REACHES_OUT = {
    "postgresql": ["CREATE ROLE {name}_more", "ALTER SYSTEM SET work_mem = '5MB'"],
    "mysql": ["CREATE TABLE {name}.t (id INTEGER)", "SET PERSIST sort_buffer_size = 400000"],
    "mariadb": ["CREATE TABLE {name}.t (id INTEGER)", "INSTALL SONAME 'ha_blackhole'"],
}
"""What would be done to another database of the server, called {name}, or to all of them."""


@pytest.mark.fact(22)
@pytest.mark.backends("postgresql", "mariadb", "mysql")
@pytest.mark.parametrize("number", [0, 1])
def test_a_revision_that_reaches_out(
    project: MakeProject,
    server: Server,
    scratch: ScratchDatabase,
    backend_name: str,
    number: int,
) -> None:
    statement = REACHES_OUT[backend_name][number].format(name=scratch.name)
    block = f'with op.get_context().autocommit_block():\n    op.execute("{statement}")'
    shop = project(versions={"a1.py": revision("a1", block)})
    (finding,) = roundtrip(shop.load(), on=[url_of(server)]).findings
    assert (finding.rule, finding.sql) == ("upgrade-fails", statement)
    assert any(word in finding.message for word in ("denied", "permission"))
    assert tables(scratch) == set()


HOLDS = {
    "postgresql": "LOCK TABLE pg_database IN SHARE MODE",
    "mysql": "FLUSH TABLES WITH READ LOCK",
}
"""What lets a CREATE DATABASE wait."""
HOLDS["mariadb"] = HOLDS["mysql"]
SENT = {
    "postgresql": "SELECT query FROM pg_stat_activity",
    "mysql": "SELECT info FROM information_schema.processlist",
}
SENT["mariadb"] = SENT["mysql"]
NAMES = {
    "postgresql": "SELECT datname FROM pg_database UNION ALL SELECT rolname FROM pg_roles",
    "mysql": "SELECT schema_name FROM information_schema.schemata"
    " UNION ALL SELECT user FROM mysql.user",
}
NAMES["mariadb"] = NAMES["mysql"]


def sent(url: str, backend_name: str) -> list[str]:
    """Return what sessions of the server are at, all in one spelling."""
    return [str(sql).replace("`", "") for (sql,) in query(url, SENT[backend_name])]


@pytest.mark.backends("postgresql", "mariadb", "mysql")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])
def test_nothing_is_left_of_what_is_interrupted_while_it_is_made(
    project: MakeProject, private_server: Server, backend_name: str, number: signal.Signals
) -> None:
    shop, url = project("linear"), url_of(private_server)
    with connected(private_server.url) as connection:
        connection.exec_driver_sql(HOLDS[backend_name])
        given = {variable(backend_name): url}
        process = shop.start("sql", "--prove", "--on", backend_name, **given)
        while not any("CREATE DATABASE topchef" in sql for sql in sent(url, backend_name)):
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, ""), err
    assert "Traceback" not in err
    names = [name for (name,) in query(url, NAMES[backend_name])]
    assert not any(name.startswith("topchef_scratch_") for name in names)


NOTES_SETTINGS = """\
with open("settings", "a") as file:
    file.write(str(op.get_bind().exec_driver_sql("PRAGMA synchronous").scalar()))"""


@pytest.mark.backends("sqlite")
def test_scratch_work_alone_does_not_wait_for_the_disk(
    project: MakeProject, server: Server, scratch: ScratchDatabase
) -> None:
    shop = project(versions={"a.py": revision("a1", NOTES_SETTINGS)})
    noted = shop.root / "settings"
    roundtrip(shop.load(), on=[url_of(server)])
    assert noted.read_text() == "000"
    noted.unlink()
    upgrade(shop.on(scratch))
    assert noted.read_text() == "2"
