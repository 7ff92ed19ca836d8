"""What every server for scratch work does, someone's or our own."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from tests.backends import portable_schema
from tests.backends.connections import as_administrator, name_of
from tests.backends.other_process import other_process
from topchef_schema.backends.base import Failure
from topchef_schema.errors import UsageError

if TYPE_CHECKING:
    from tests.backends.conftest import Connect
    from topchef_schema.backends.base import Backend, Server


def leftover_after(server: Server, before: set[str], seconds: float = 15) -> str:
    """Wait for the one leftover that was not there before."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        new = set(server.leftovers()) - before
        if new:
            return new.pop()
        time.sleep(0.1)
    raise AssertionError(f"nothing new among {server.leftovers()}")


def test_recreate_and_drop_do_not_wait_for_who_is_connected(
    backend: Backend, server: Server, connect: Connect
) -> None:
    database = server.create()
    schema = portable_schema.BASE()
    with connect(database.url) as connection:
        empty = backend.snapshot(connection)
        portable_schema.create(connection, schema)
        connection.execute(sa.select(schema[0].tables["parent"]))  # its transaction stays open
        start = time.monotonic()
        server.recreate(database)
        with connect(database.url) as again:
            assert backend.snapshot(again) == empty
            portable_schema.create(again, schema)
            again.execute(sa.select(schema[0].tables["parent"]))
            server.drop(database)
            again.invalidate()
        assert time.monotonic() - start < 30
        connection.invalidate()
    assert not backend.exists(as_administrator(server, database.url))


def test_a_copy_is_what_its_template_is(
    backend: Backend, named_server: Server, connect: Connect
) -> None:
    template = named_server.create()
    schema = portable_schema.VARIANTS["foreign key"]()
    with connect(template.url) as connection:
        portable_schema.create(connection, schema)
        parent, grown = (schema[0].tables[name] for name in ("parent", "grown"))
        connection.execute(sa.insert(parent), [{"id": 7}, {"id": 8}])
        connection.execute(sa.insert(grown), {"id": 1, "name": "100% ä 'x'", "parent_id": 7})
        connection.commit()
        wanted = backend.snapshot(connection)
    copies = [named_server.copy(template), named_server.copy(template)]
    for each in copies:
        with connect(each.url) as connection:
            assert backend.snapshot(connection) == wanted
            rows = connection.execute(sa.text("SELECT id, name, parent_id FROM grown"))
            assert [tuple(row) for row in rows] == [(1, "100% ä 'x'", 7)]
            connection.execute(sa.text("DELETE FROM grown"))
            connection.commit()
        named_server.drop(each)
        assert not backend.exists(as_administrator(named_server, each.url))
    with connect(template.url) as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM grown")).scalar_one() == 1
    named_server.drop(template)


def test_what_a_killed_process_leaves_is_found_and_removed(
    backend: Backend, named_server: Server, server_url: sa.URL
) -> None:
    before = set(named_server.leftovers())
    with other_process("make", backend.name, server_url) as (process, line):
        url = as_administrator(named_server, sa.make_url(line.split()[1]))
        assert backend.exists(url)
        assert set(named_server.leftovers()) <= before, "its maker is alive"
        process.kill()
        process.wait()
    leftover = leftover_after(named_server, before)
    named_server.remove(leftover)
    assert leftover not in named_server.leftovers()
    assert not backend.exists(url)


def test_only_what_is_named_like_ours_can_be_removed(named_server: Server) -> None:
    for name in ("production", "../topchef_scratch_", ""):
        with pytest.raises(UsageError):
            named_server.remove(name)


def test_closing_removes_what_was_made(
    backend: Backend, server: Server, server_url: sa.URL
) -> None:
    opened = backend.server(server_url)
    assert not opened.throwaway
    database = opened.create()
    assert backend.exists(database.url)
    opened.close()
    assert not backend.exists(as_administrator(server, database.url))


@pytest.mark.fact(22)
def test_a_scratch_user_reaches_its_own_database_only(
    backend: Backend, named_server: Server, connect: Connect
) -> None:
    mine, other = named_server.create(), named_server.create()
    with connect(mine.url) as connection:
        if backend.user(connection) is None:
            pytest.skip(f"{backend.title} has no users")
        assert name_of(backend.user(connection)) == mine.url.username
        assert mine.url.username != named_server.url.username
        portable_schema.create(connection, portable_schema.BASE())
        with pytest.raises(sa.exc.DBAPIError):
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(
                sa.text("CREATE DATABASE topchef_scratch_not_allowed")
            )
    trespassing = mine.url.set(database=other.url.database)
    with pytest.raises(sa.exc.DBAPIError) as caught, connect(trespassing):
        pytest.fail("the user of one scratch database is in another")
    assert backend.failure(caught.value) in (Failure.ACCESS_DENIED, Failure.READ_ONLY)


def test_a_script_is_split_by_those_who_know(
    backend: Backend, server: Server, connect: Connect
) -> None:
    """Semicolons in texts, comments and bodies end no statement, and a "%" is one."""
    database = server.create()
    backend.run_script(backend.synchronous(database.url), SCRIPTS[backend.name])
    with connect(database.url) as connection:
        rows = connection.exec_driver_sql("SELECT word FROM words ORDER BY id").all()
    assert [row[0] for row in rows] == ["a; b", "100%", "made; by the trigger"]
    server.drop(database)


@pytest.mark.fact(23)
def test_a_script_fails_at_its_last_statement_too(backend: Backend, server: Server) -> None:
    database = server.create()
    with pytest.raises(Exception, match="nowhere"):
        backend.run_script(
            backend.synchronous(database.url),
            "CREATE TABLE a (id INTEGER); SELECT 1; INSERT INTO nowhere VALUES (1);",
        )
    server.drop(database)


WORDS = """\
-- words; and a trigger
CREATE TABLE words (id INTEGER NOT NULL PRIMARY KEY, word VARCHAR(40));
INSERT INTO words VALUES (1, 'a; b'); /* not; here */
"""
LAST = "CREATE TABLE others (id INTEGER);\nINSERT INTO words VALUES (2, '100%');\n"
SCRIPTS = {
    "sqlite": WORDS
    + """\
CREATE TABLE log (id INTEGER);
CREATE TRIGGER copied AFTER INSERT ON log BEGIN
  INSERT INTO words VALUES (3, 'made; by the trigger');
END;
INSERT INTO log VALUES (1);
"""
    + LAST,
    "postgresql": "\\restrict Ab12\n\n"
    + WORDS
    + """\
CREATE TABLE log (id INTEGER);
CREATE FUNCTION copied() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  INSERT INTO words VALUES (3, 'made; by the trigger');
  RETURN NULL;
END;
$body$;
CREATE TRIGGER copied AFTER INSERT ON log FOR EACH ROW EXECUTE FUNCTION copied();
INSERT INTO log VALUES (1);
"""
    + LAST
    + "\\unrestrict Ab12\n",
}
SCRIPTS["mysql"] = SCRIPTS["mariadb"] = (
    WORDS
    + """\
CREATE TABLE log (id INTEGER);
CREATE TRIGGER copied AFTER INSERT ON log FOR EACH ROW BEGIN
  INSERT INTO words VALUES (3, 'made; by the trigger');
END;
INSERT INTO log VALUES (1);
"""
    + LAST
)
